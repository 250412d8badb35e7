/* unit_environment: what is written of a machine: what is not known, what bounds nothing, and the
 * rest. */
#include "out/environment.h"
#include "run/environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct environment environment;
static char path[64];
static char words[][16] = {"megaconn", "lab", "--out", "a <b> \"c\""};
static char *const argv[] = {words[0], words[1], words[2], words[3], NULL};

static json_t *write_and_load(void)
{
	struct err err = {""};

	assert_int_equal(environment_write(path, &environment, 4, argv, &err), 0);
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(root);
	assert_int_equal(unlink(path), 0);
	return root;
}

static const json_t *at(const json_t *root, const char *object, const char *key)
{
	const json_t *value = json_object_get(json_object_get(root, object), key);

	assert_non_null(value);
	return value;
}

static void unknown(void **state)
{
	static const char *const texts[] = {"clocksource", "transparent_huge_pages", "lsm"};

	(void)state;
	memset(&environment, 0, sizeof(environment));
	environment.limits.file_max = LIMITS_UNKNOWN;
	environment.limits.files_left = LIMITS_NONE;
	environment.limits.tcp_mem_pages = (struct limits_triple){LIMITS_UNKNOWN, 2, 3};
	json_t *root = write_and_load();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(json_is_null(json_object_get(root, texts[i])));
	assert_true(json_is_null(at(root, "kernel", "release")));
	assert_true(json_is_null(at(root, "cpu", "model")));
	assert_true(json_is_null(at(root, "limits", "file_max")));
	assert_string_equal(json_string_value(at(root, "limits", "files_left")), "none");
	assert_true(json_is_null(json_array_get(at(root, "limits", "tcp_mem_pages"), 0)));
	assert_int_equal(json_integer_value(json_array_get(at(root, "limits", "tcp_mem_pages"), 2)),
	                 3);
	assert_true(json_is_null(at(root, "limits", "port_range")));
	assert_true(json_is_null(at(root, "limits", "conntrack")));
	assert_int_equal(json_object_size(json_object_get(root, "sysctls")), 0);
	assert_int_equal(json_object_size(json_object_get(root, "mitigations")), 0);
	json_decref(root);
}

static void known(void **state)
{
	(void)state;
	memset(&environment, 0, sizeof(environment));
	environment.unix_ns = 1795420315789823249;
	environment.limits.port_low = 32768;
	environment.limits.port_high = 60999;
	environment.limits.conntrack = LIMITS_USE_NO;
	environment.limits.tun = LIMITS_USE_YES;
	environment.setting_count = 1;
	environment.settings[0].name = "net.core.somaxconn";
	snprintf(environment.settings[0].value, sizeof(environment.settings[0].value), "4096");
	json_t *root = write_and_load();

	assert_string_equal(json_string_value(json_object_get(root, "started")),
	                    "2026-11-23T07:51:55Z");
	assert_string_equal(json_string_value(json_array_get(json_object_get(root, "command"), 3)),
	                    "a <b> \"c\"");
	assert_true(json_is_false(at(root, "limits", "conntrack")));
	assert_true(json_is_true(at(root, "limits", "tun")));
	assert_int_equal(json_integer_value(json_array_get(at(root, "limits", "port_range"), 1)),
	                 60999);
	assert_string_equal(json_string_value(at(root, "sysctls", "net.core.somaxconn")), "4096");
	json_decref(root);
}

/* Of this machine: all that it has, each once, and nothing that is no plain text. */
static void here(void **state)
{
	(void)state;
	memset(&environment, 0xff, sizeof(environment));
	environment_read(&environment);
	assert_true(environment.kernel_release[0] != '\0' && environment.cpus > 0);
	assert_in_range(environment.setting_count, 20, ENVIRONMENT_SETTINGS_MOST);
	assert_in_range(environment.mitigation_count, 0, ENVIRONMENT_MITIGATIONS_MOST);
	for (uint32_t i = 0; i < environment.setting_count; i++) {
		const struct environment_setting *one = &environment.settings[i];

		assert_null(strstr(one->name, "key")); /* tcp_fastopen_key, netdev_rss_key */
		assert_null(strpbrk(one->value, "\t\n"));
		if (i > 0)
			assert_true(strcmp(one[-1].name, one->name) < 0);
	}
	json_decref(write_and_load());
}

static void nowhere(void **state)
{
	struct err err = {""};

	(void)state;
	assert_int_equal(environment_write("/nowhere/at/all", &environment, 1, argv, &err),
	                 -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown),
		cmocka_unit_test(known),
		cmocka_unit_test(here),
		cmocka_unit_test(nowhere),
	};

	snprintf(path, sizeof(path), "/tmp/megaconn-environment-%d.json", getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
