/* unit_report: records of real runs, read and drawn: a run that passed, one that was killed, and
 * what is damaged, foreign, or wants to be HTML. */
#include "out/report.h"
#include "out/report_html.h"
#include "out/report_text.h"

#include "filled.h"
#include "stages_filled.h"
#include "wellformed.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PASSED      "tests/fixtures/record_passed"
#define KILLED      "tests/fixtures/record_killed"

static char directory[64];
static const char *const files[] = {"result.json", "series.ndjson", "environment.json",
                                    "walls.json",  "report.html",   "report.html.part"};

static const char *in_directory(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/unit_report.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(files); i++)
		unlink(in_directory(files[i]));
	return rmdir(directory);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_directory(name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static json_t *fixture(const char *path)
{
	json_t *document = json_load_file(path, 0, NULL);

	assert_non_null(document);
	return document;
}

static struct report *loaded(const char *path)
{
	static struct report report;
	struct err err = {""};

	if (report_load(path, &report, &err) != 0)
		fail_msg("%s", err.text);
	return &report;
}

static char *drawn(void (*put)(FILE *, const struct report *), const struct report *report)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	put(to, report);
	assert_int_equal(fclose(to), 0);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not in it: %s", part);
}

static void assert_wellformed(const char *page)
{
	struct wellformed w;

	if (!wellformed_is(page, &w))
		fail_msg("%s", w.why);
}

/* The check sees what it is for. */
static void test_the_check(void **state)
{
	static const char *const broken[] = {
		"<!DOCTYPE html>\n<a><b></a></b>",
		"<!DOCTYPE html>\n<a>",
		"<!DOCTYPE html>\n</a>",
		"<!DOCTYPE html>\n<a x=y></a>",
		"<!DOCTYPE html>\n<a>&nbsp;</a>",
		"<!DOCTYPE html>\n<a x=\"<\"/>",
		"<!DOCTYPE html>\n<a x=\"1\" x=\"2\"/>",
		"<!DOCTYPE html>\n<a>\x1b</a>",
		"<html></html>",
	};
	struct wellformed w;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(broken); i++)
		assert_false(wellformed_is(broken[i], &w));
	assert_true(wellformed_is("<!DOCTYPE html>\n<a x=\"1\"><b/>&amp;</a>\n", &w));
}

/* --- pages ---------------------------------------------------------------------------------- */

static void test_passed(void **state)
{
	static const char *const parts[] = {
		"<h1 class=\"pass\"><em>PASS</em>6,000 connections established",
		"<li><b>6,000</b><span>clients <i class=\"right\">all of them</i>",
		"<li><b>6,000</b><span>servers <i class=\"right\">all of them</i>",
		"<li><b>6,000</b><span>kernel <i class=\"right\">all of them</i>",
		"lab -n 6000 --rate 1200 --hold 2s",
		"None: no connection failed",
		"id=\"open\"",
		"seen by clients <b>most 6,000</b>",
		"id=\"rate\"",
		"id=\"memory\"",
		"id=\"cpu\"",
		"id=\"quantiles\"",
		">ramp</span>",
		"<th scope=\"row\">TCP socket</th>",
		"what memory lost",
		"id=\"walls\"",
		"source_ports",
		"id=\"environment\"",
		"net.core.somaxconn",
		"id=\"figures\"",
		"TCP sockets allocated on the machine",
	};
	struct report *report = loaded(PASSED);
	char *page = drawn(report_html, report);

	(void)state;
	assert_true(report->has_result);
	assert_int_equal(report->note_count, 0);
	assert_wellformed(page);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		assert_has(page, parts[i]);
	/* Nothing of it is anywhere else. */
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, " src="));
	assert_null(strstr(page, "@import"));
	assert_null(strstr(page, "url("));
	free(page);
	report_free(report);
}

/* A server alone has no target: whoever comes. The record is a lab's, but for that. */
/* Stages are shaded in place of the hold, and have a table; their names are others' words. */
static void test_stages(void **state)
{
	struct report *report = loaded(PASSED);
	uint32_t held = 0;

	(void)state;
	fill_living(&report->result);
	snprintf(report->result.stages[0].name, STAGE_NAME_BYTES, "a<b>&\"c");
	report->result.stages[1].start_ns = MS;
	report->result.stages[2].start_ns = 2 * MS;
	for (uint32_t p = 0; p < report->track.count; p++) {
		if (report->track.points[p].phase != LIVE_HOLD)
			continue;
		report->track.points[p].latency = fill_quantiles(MS);
		held++;
	}
	assert_true(held > 0);
	char *page = drawn(report_html, report), *text = drawn(report_text, report);

	assert_wellformed(page);
	assert_has(page, "<h2 id=\"stages\">Stages</h2>");
	assert_has(page, "<th scope=\"row\">a&lt;b&gt;&amp;");
	assert_has(page, " · a&lt;b&gt;&amp;");
	assert_has(page, " · churn 1.00 ms · storm ");
	assert_has(page, "<td class=\"n\" title=\"answers/s\">20,000</td>");
	assert_has(page, "<td class=\"n\" title=\"storm, all back\">never</td>");
	assert_has(page, "target: 17 messages were due while");
	assert_has(page, "Latency of answers");
	assert_null(strstr(page, "<b>&"));
	assert_has(text, "3 of 3, storm: 30.0 s, 999,990 open");
	assert_has(text, "812,000 connections in 2 trials");
	free(page);
	free(text);
	report_free(report);
}

static void test_server(void **state)
{
	struct report *report = loaded(PASSED);

	(void)state;
	snprintf(report->result.role, sizeof(report->result.role), "serve");
	report->result.client_workers = 0;
	report->result.target = 1000000;
	report->result.established.client = RESULT_UNKNOWN;
	report->result.established.kernel = 5999;
	report->result.lost_by_cause[CAUSE_RESET] = 3;
	char *page = drawn(report_html, report);

	assert_wellformed(page);
	assert_has(page, "<b>–</b><span>clients <i class=\"soft\">not counted here</i>");
	assert_has(page, "<b>6,000</b><span>servers <i class=\"right\">as the others</i>");
	assert_has(page, "<b>5,999</b><span>kernel <i class=\"wrong\">not as the others</i>");
	assert_has(page, "Connections established, at the most it held.");
	assert_has(page, "<td>ended</td><th scope=\"row\">reset</th>");
	assert_null(strstr(page, "1,000,000 "));
	free(page);
	report_free(report);
}

static void test_killed(void **state)
{
	struct report *report = loaded(KILLED);
	char *page = drawn(report_html, report), *text = drawn(report_text, report);

	(void)state;
	assert_false(report->has_result);
	assert_wellformed(page);
	assert_has(page,
	           "<h1 class=\"none\"><em>NO RESULT</em>The run ended without a result after "
	           "3.");
	assert_has(page, " of 60,000 connections open, phase: ramp");
	assert_has(page, "lab -n 60k --rate 5k");
	assert_has(page, "id=\"open\"");
	assert_has(text, "NO RESULT: The run ended without a result after 3.");
	free(page);
	free(text);
	report_free(report);
}

static int columns(const char *line, size_t len)
{
	int count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)line[i] & 0xc0) != 0x80;
	return count;
}

static void assert_text_is_narrow(const char *path, const char *locale)
{
	assert_int_equal(setenv("LC_ALL", locale, 1), 0);
	struct report *report = loaded(path);
	char *text = drawn(report_text, report);

	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (columns(line, (size_t)(end - line)) > 80)
			fail_msg("%d columns: %.*s", columns(line, (size_t)(end - line)),
			         (int)(end - line), line);
	}
	assert_true((strstr(text, "█") != NULL) == (strcmp(locale, "C") != 0));
	for (const char *at = text; strcmp(locale, "C") == 0 && *at; at++)
		assert_true((unsigned char)*at < 0x80);
	free(text);
	report_free(report);
}

static void test_text(void **state)
{
	static const char *const records[] = {PASSED, KILLED};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		assert_text_is_narrow(records[i], "C");
		assert_text_is_narrow(records[i], "C.UTF-8");
	}
	struct report *report = loaded(PASSED);
	char *text = drawn(report_text, report);

	assert_has(text, "\nPASS: 6,000 connections established");
	assert_has(text, "  clients         6,000\n");
	assert_has(text, "  ramp            ");
	assert_has(text, "  TCP socket ");
	assert_has(text, "= what memory lost");
	free(text);
	report_free(report);
}

/* --- others' words -------------------------------------------------------------------------- */

static void dump(json_t *document, const char *name)
{
	assert_int_equal(json_dump_file(document, in_directory(name), 0), 0);
	json_decref(document);
}

static void test_hostile_words(void **state)
{
	static const char hostile[] = "</pre><script>alert(1)</script>\"'&\x1b[2J";
	json_t *result = fixture(PASSED "/result.json"), *walls = fixture(PASSED "/walls.json");
	json_t *environment = fixture(PASSED "/environment.json");

	(void)state;
	json_object_set_new(result, "reason", json_string(hostile));
	json_array_append_new(json_object_get(result, "command"), json_string(hostile));
	json_object_set_new(json_object_get(result, "host"), "kernel", json_string(hostile));
	json_object_set_new(
		json_array_get(json_object_get(json_object_get(result, "memory"), "bill"), 0), "of",
		json_string(hostile));
	json_object_set_new(environment, hostile, json_string(hostile));
	json_object_set_new(json_object_get(environment, "sysctls"), hostile, json_integer(1));
	json_object_set_new(walls, "words", json_string(hostile));
	json_object_set_new(json_array_get(json_object_get(walls, "rows"), 0), "shown",
	                    json_string(hostile));
	dump(result, "result.json");
	dump(environment, "environment.json");
	dump(walls, "walls.json");
	struct report *report = loaded(directory);
	char *page = drawn(report_html, report), *text = drawn(report_text, report);

	assert_wellformed(page);
	assert_null(strstr(page, "<script"));
	assert_has(page, "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;");
	assert_null(strchr(page, '\x1b'));
	assert_null(strchr(text, '\x1b'));
	free(page);
	free(text);
	report_free(report);
}

static void test_command(void **state)
{
	json_t *result = fixture(PASSED "/result.json");

	(void)state;
	json_object_set_new(result, "command",
	                    json_pack("[s, s, s, s]", "megaconn", "two words", "it's", ""));
	dump(result, "result.json");
	struct report *report = loaded(directory);

	assert_string_equal(report->command, "megaconn 'two words' 'it'\\''s' ''");
	report_free(report);
}

/* --- what cannot be read -------------------------------------------------------------------- */

/* Of a run that never began: when, why not, and no counts. */
static void test_refused(void **state)
{
	static const char result[] =
		"{\"schema\": \"megaconn.result/1\", \"verdict\": \"refused\", \"reason\": "
		"\"it does not fit\", \"role\": null, \"target\": 900, \"established\": "
		"{\"client\": null, \"server\": null, \"kernel\": null}}";
	static const char environment[] =
		"{\"schema\": \"megaconn.environment/1\", \"unix_ns\": 1795422829764094120, "
		"\"cpu\": {\"model\": \"a\\u009bb \\u00e9\"}}";

	(void)state;
	write_file("result.json", result);
	write_file("environment.json", environment);
	struct report *report = loaded(directory);
	char *text = drawn(report_text, report), *page = drawn(report_html, report);

	assert_has(text, "2026-11-23 08:33:49 UTC");
	assert_has(text, "REFUSED: it does not fit");
	assert_has(text, "a??b \xc3\xa9"); /* U+009B begins a sequence on a terminal */
	assert_null(strstr(text, "Established"));
	assert_null(strstr(text, "Failures"));
	assert_wellformed(page);
	assert_null(strstr(page, "Connections established"));
	assert_null(strstr(page, "Failures by cause"));
	free(text);
	free(page);
	report_free(report);
}

static void assert_refused(const char *path, int code, const char *says)
{
	static struct report report;
	struct err err = {""};
	int failed = report_load(path, &report, &err);

	if (failed != code || !strstr(err.text, says) || strchr(err.text, '\n'))
		fail_msg("%d, %s", failed, err.text);
}

static void test_no_record(void **state)
{
	(void)state;
	assert_refused("/nowhere/at/all", -ENOENT, "/nowhere/at/all: No such file");
	assert_refused(directory, -ENOENT, "no record of a run");
	write_file("result.json", "{\"schema\": \"megaconn.result/1\", \"verdict\"");
	assert_refused(directory, -EINVAL, "result.json: line 1: not whole JSON");
	assert_refused(in_directory("result.json"), -EINVAL, "not whole JSON");
	write_file("result.json", "{\"name\": \"other\"}");
	assert_refused(directory, -EINVAL, "result.json: not of schema megaconn.result/1");
	write_file("result.json", "{\"schema\": \"megaconn.result/2\"}");
	assert_refused(directory, -ENOTSUP, "megaconn.result/2: written by a newer megaconn");
	unlink(in_directory("result.json"));
	write_file("series.ndjson",
	           "{\"schema\":\"megaconn.sample/9\",\"at_ns\":1,\"unix_ns\":1}\n");
	assert_refused(directory, -ENOTSUP, in_directory("series.ndjson: written by a newer"));
	unlink(in_directory("series.ndjson"));
	assert_int_equal(mkfifo(in_directory("series.ndjson"), 0600), 0);
	assert_refused(directory, -EINVAL, "series.ndjson: not a file");
	write_file("result.json", "{");
	unlink(in_directory("series.ndjson"));
	assert_refused(directory, -EINVAL, in_directory("result.json: line 1"));
}

/* What a report can do without is said, and the rest is drawn. */
static void test_damaged_extras(void **state)
{
	(void)state;
	dump(fixture(PASSED "/result.json"), "result.json");
	write_file("walls.json", "{");
	write_file("environment.json", "{\"schema\": \"megaconn.environment/2\"}");
	write_file("series.ndjson", "{\"schema\":\"megaconn.sam");
	struct report *report = loaded(directory);
	char *page = drawn(report_html, report);

	assert_int_equal(report->note_count, 3);
	assert_wellformed(page);
	assert_has(page, "walls.json: line 1: not whole JSON");
	assert_has(page, "megaconn.environment/2: written by a newer megaconn");
	assert_has(page, "1 line of series.ndjson cannot be read");
	free(page);
	report_free(report);
}

/* A result alone. */
static void test_result_alone(void **state)
{
	struct report *report = loaded(PASSED "/result.json");
	char *page = drawn(report_html, report);

	(void)state;
	assert_wellformed(page);
	assert_has(page, "There is no series");
	assert_has(page, "<em>PASS</em>");
	free(page);
	report_free(report);
}

static void test_write(void **state)
{
	struct err err = {""};
	struct stat st;

	(void)state;
	dump(fixture(PASSED "/result.json"), "result.json");
	assert_int_equal(report_write(directory, NULL, &err), 0);
	assert_int_equal(stat(in_directory("report.html"), &st), 0);
	assert_true(st.st_size > 10000);
	assert_int_not_equal(stat(in_directory("report.html.part"), &st), 0);
	assert_int_equal(report_write(directory, "/nowhere/report.html", &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot write /nowhere/report.html"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_check),
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_text),
		cmocka_unit_test_setup_teardown(test_hostile_words, make_directory,
	                                        remove_directory),
		cmocka_unit_test_setup_teardown(test_command, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_refused, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_no_record, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_damaged_extras, make_directory,
	                                        remove_directory),
		cmocka_unit_test(test_result_alone),
		cmocka_unit_test_setup_teardown(test_write, make_directory, remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
