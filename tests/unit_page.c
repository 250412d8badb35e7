/* unit_page: what the live page and the dashboard call by name is in the table of figures, so that
 * a figure that is renamed is missed here and not on a screen. */
#include "out/figure_json.h"
#include "out/page.h"
#include "out/prom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* With these, names of figures begin. */
static const char *const begins[] = {"run_", "tcp_",    "tcp6_",   "listen_", "syn_",  "socket_",
                                     "cpu_", "memory_", "cgroup_", "slab_",   "open_", "conntrack"};

static bool is_figure_like(const char *name)
{
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	}
	return false;
}

static bool has(const json_t *figures, const char *what, const char *name)
{
	const json_t *figure;
	size_t i;

	json_array_foreach (figures, i, figure) {
		if (strcmp(json_string_value(json_object_get(figure, what)), name) == 0)
			return true;
	}
	return false;
}

/* Of the page: "tcp_established" and its like, in quotes. */
static void the_page(void **state)
{
	json_t *said = figure_json();
	const json_t *figures = json_object_get(said, "figures");
	size_t len;
	const char *text = page_text(&len);
	int found = 0;

	(void)state;
	assert_int_equal(strlen(text), len);
	for (const char *at = text; (at = strchr(at, '"')); at++) {
		char name[64];
		size_t length = strspn(at + 1, NAME_CHARS);

		if (at[1 + length] != '"' || length >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)length, at + 1);
		if (!is_figure_like(name))
			continue;
		if (!has(figures, "key", name))
			fail_msg("the page asks for '%s', which no sample has", name);
		found++;
	}
	assert_in_range(found, 30, 1000);
	json_decref(said);
}

/* Not in the table of figures. */
static bool is_besides(const char *name)
{
	return strcmp(name, "megaconn_build_info") == 0 ||
	       strcmp(name, "megaconn_run_phase") == 0 ||
	       strcmp(name, "megaconn_latency_seconds_bucket") == 0 ||
	       strcmp(name, "megaconn_connect_duration_seconds_bucket") == 0;
}

static void the_dashboard(void **state)
{
	static char text[262144];
	json_t *said = figure_json();
	const json_t *figures = json_object_get(said, "figures");
	FILE *in = fopen("dashboards/megaconn.json", "r");
	int found = 0;

	(void)state;
	assert_non_null(in);
	assert_in_range(fread(text, 1, sizeof(text) - 1, in), 1, sizeof(text) - 2);
	fclose(in);
	for (const char *at = text; (at = strstr(at, "megaconn_")); at++) {
		char name[PROM_NAME_BYTES];

		snprintf(name, sizeof(name), "%.*s", (int)strspn(at, NAME_CHARS), at);
		if (!has(figures, "metric", name) && !is_besides(name))
			fail_msg("the dashboard asks for '%s', which is no metric", name);
		found++;
	}
	assert_in_range(found, 50, 1000);
	json_decref(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page),
		cmocka_unit_test(the_dashboard),
	};

	return cmocka_run_group_tests_name("unit_page", tests, NULL, NULL);
}
