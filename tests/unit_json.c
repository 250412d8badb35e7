/* unit_json: a result written as JSON and read back: each field of the schema has its type, its
 * number, and null where it is unknown; what cannot be written leaves nothing behind. */
#include "out/json.h"

#include "out/whole_file.h"

#include "filled.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char directory[64];

static const char *in_directory(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/unit_json.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	static const char *const names[] = {"r.json", "r.json.part", "fifo", "fifo.part"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(in_directory(names[i]));
	rmdir(in_directory("dir"));
	return rmdir(directory);
}

static bool exists(const char *name)
{
	struct stat status;

	return lstat(in_directory(name), &status) == 0;
}

static json_t *write_and_load(const struct result *r)
{
	static char lab[] = "lab", program[] = "megaconn", number[] = "-n", bytes[] = "\xff\xfe";
	char *const argv[] = {program, lab, number, bytes};
	struct err err = {"untouched"};
	json_error_t error;
	json_t *root;

	assert_int_equal(whole_file_check(in_directory("r.json"), &err), 0);
	assert_int_equal(json_write(in_directory("r.json"), r, COUNT_OF(argv), argv, &err), 0);
	assert_string_equal(err.text, "untouched");
	assert_false(exists("r.json.part"));
	root = json_load_file(in_directory("r.json"), JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	return root;
}

/* "timing.connect_ns.p50"; fails where a step is missing. */
static const json_t *at(const json_t *root, const char *path)
{
	char key[64];

	for (const char *rest = path; *rest;) {
		size_t len = strcspn(rest, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, rest);
		root = json_object_get(root, key);
		if (!root)
			fail_msg("no %s", path);
		rest += len + (rest[len] == '.');
	}
	return root;
}

/* The letters: s string, i integer, r real, o object, a array. */
static const struct {
	const char *path;
	char type;
	double value;
} fields[] = {
	{"schema", 's', 0},
	{"version", 's', 0},
	{"command", 'a', 0},
	{"verdict", 's', 0},
	{"reason", 's', 0},
	{"target", 'i', 1000000},
	{"solution", 's', 0},
	{"engine.server", 's', 0},
	{"engine.client", 's', 0},
	{"established.client", 'i', 1000000},
	{"established.server", 'i', 1000001},
	{"established.kernel", 'i', 1000002},
	{"failed.total", 'i', 12},
	{"failed.by_cause", 'o', 0},
	{"failed.by_cause.refused", 'i', 12},
	{"proved_ramp.sent", 'i', 1000000},
	{"proved_ramp.echoed", 'i', 1000000},
	{"proved_ramp.mismatched", 'i', 0},
	{"proved_ramp.seconds", 'r', 2},
	{"proved.sent", 'i', 1000000},
	{"proved.echoed", 'i', 999999},
	{"proved.mismatched", 'i', 1},
	{"proved.seconds", 'r', 2},
	{"lost", 'i', 1234},
	{"lost_by_cause", 'o', 0},
	{"lost_by_cause.closed", 'i', 1234},
	{"timing.ramp_s", 'r', 12.5},
	{"timing.rate_per_s", 'i', 80000},
	{"timing.connect_ns.p50", 'i', 12345},
	{"timing.connect_ns.p90", 'i', 23456},
	{"timing.connect_ns.p99", 'i', 1500000},
	{"timing.connect_ns.p999", 'i', 2500000},
	{"timing.connect_ns.max", 'i', 12500000},
	{"timing.hold_s", 'r', 10},
	{"timing.teardown_s", 'r', 1.5},
	{"memory.bytes_per_connection", 'r', 7854.3},
	{"memory.kernel_bytes_per_connection", 'r', 7800},
	{"memory.server_user_bytes_per_connection", 'r', 33},
	{"memory.client_user_bytes_per_connection", 'r', 21.3},
	{"memory.residual_bytes_per_connection", 'r', -123.4},
	{"memory.connections", 'i', 1000000},
	{"memory.lost_bytes", 'i', 7790900000},
	{"memory.available_lost_bytes", 'i', 6500000000},
	{"memory.drift_bytes", 'i', 50000000},
	{"memory.bill", 'a', 0},
	{"memory.slabs", 'a', 0},
	{"host.kernel", 's', 0},
	{"host.cpus", 'i', 2},
	{"host.memory_bytes", 'i', 17179869184},
	{"host.nofile_hard", 'i', 1048576},
	/* Beyond the design, in the result. */
	{"not_tried", 'i', 77},
	{"workers.died", 'i', 1},
	{"listen_overflows", 'i', 0},
};

static void expect_field(const json_t *value, const char *path, char type, double number)
{
	static const char letters[] = {
		[JSON_OBJECT] = 'o', [JSON_ARRAY] = 'a', [JSON_STRING] = 's', [JSON_INTEGER] = 'i',
		[JSON_REAL] = 'r',   [JSON_TRUE] = 't',  [JSON_FALSE] = 'f',  [JSON_NULL] = 'n'};
	char is = letters[json_typeof(value)];

	if (is != type)
		fail_msg("%s is of type %c, not %c", path, is, type);
	if ((is == 'i' || is == 'r') &&
	    (json_number_value(value) > number + 1e-9 || json_number_value(value) < number - 1e-9))
		fail_msg("%s is %g, not %g", path, json_number_value(value), number);
	if (is == 's' && json_string_length(value) == 0)
		fail_msg("%s is empty", path);
}

static void check_string(const json_t *root, const char *path, const char *expected)
{
	assert_string_equal(json_string_value(at(root, path)), expected);
}

static void test_fields(void **state)
{
	json_t *root = write_and_load(filled(VERDICT_FAIL));
	const json_t *command = at(root, "command"), *slabs = at(root, "memory.slabs"), *slab;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		expect_field(at(root, fields[i].path), fields[i].path, fields[i].type,
		             fields[i].value);
	check_string(root, "schema", "megaconn.result/1");
	check_string(root, "reason", "a sentence");
	check_string(root, "solution", "mixed");
	check_string(root, "engine.server", "uring");
	check_string(root, "host.kernel", "6.1.0-test");
	assert_int_equal(json_object_size(at(root, "failed.by_cause")), 1);
	assert_int_equal(json_object_size(at(root, "lost_by_cause")), 1);
	/* An argument that is not UTF-8 spoils nothing. */
	assert_int_equal(json_array_size(command), 4);
	assert_string_equal(json_string_value(json_array_get(command, 1)), "lab");
	assert_true(json_is_string(json_array_get(command, 3)));
	assert_int_equal(json_array_size(slabs), 2);
	slab = json_array_get(slabs, 0);
	check_string(slab, "name", "TCP");
	expect_field(at(slab, "objects"), "objects", 'i', 2000000);
	expect_field(at(slab, "bytes"), "bytes", 'i', 4800000000);
	expect_field(at(slab, "bytes_per_connection"), "bytes_per_connection", 'r', 4800);
	expect_field(at(json_array_get(slabs, 1), "bytes"), "bytes", 'i', -960);
	json_decref(root);
}

/* Each by its own name; of kernel sockets nothing is known. */
static void test_packets(void **state)
{
	static const char *const names[] = {
		"sent",         "received", "retransmitted", "probes",       "challenged",
		"out_of_order", "unasked",  "stray",         "bad_checksum", "malformed",
		"foreign",      "dropped",  "conflicts",
	};
	struct result *r = filled(VERDICT_PASS);
	json_t *root = write_and_load(r);

	(void)state;
	assert_true(json_is_null(at(root, "packets")));
	json_decref(root);
	r->has_packets = true;
	r->packets = (struct packets){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	root = write_and_load(r);
	assert_int_equal(json_object_size(at(root, "packets")), COUNT_OF(names));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		expect_field(at(at(root, "packets"), names[i]), names[i], 'i', (double)i + 1);
	json_decref(root);
}

static void test_verdicts(void **state)
{
	static const char *const names[] = {[VERDICT_FAIL] = "fail",
	                                    [VERDICT_PASS] = "pass",
	                                    [VERDICT_PARTIAL] = "partial",
	                                    [VERDICT_REFUSED] = "refused"};

	(void)state;
	assert_int_equal(COUNT_OF(names), VERDICT_COUNT);
	for (int v = 0; v < VERDICT_COUNT; v++) {
		json_t *root = write_and_load(filled((enum verdict)v));

		check_string(root, "verdict", names[v]);
		json_decref(root);
	}
}

/* What was not observed is null, never 0, and never left out. */
static void test_nulls(void **state)
{
	static const char *const unknown[] = {
		"established.kernel",
		"proved_ramp",
		"proved",
		"listen_overflows",
		"timing.connect_ns.p50",
		"memory.bytes_per_connection",
		"memory.kernel_bytes_per_connection",
		"memory.server_user_bytes_per_connection",
		"memory.client_user_bytes_per_connection",
		"memory.residual_bytes_per_connection",
		"memory.lost_bytes",
		"memory.available_lost_bytes",
		"memory.drift_bytes",
		"memory.bill",
		"memory.slabs",
		"host.memory_bytes",
		"host.nofile_hard",
	};
	struct result *r = filled(VERDICT_PARTIAL);

	(void)state;
	r->established.kernel = RESULT_UNKNOWN;
	r->listen_overflows = RESULT_UNKNOWN;
	r->timing.connect_p50_ns = RESULT_UNKNOWN;
	r->proved_ramp.done = false;
	r->proved.done = false;
	memset(&r->memory, 0, sizeof(r->memory));
	r->host.memory_bytes = RESULT_UNKNOWN;
	r->host.nofile_hard = RESULT_UNKNOWN;
	json_t *root = write_and_load(r);

	for (size_t i = 0; i < COUNT_OF(unknown); i++)
		expect_field(at(root, unknown[i]), unknown[i], 'n', 0);
	expect_field(at(root, "lost"), "lost", 'i', 1234);
	json_decref(root);
}

/* Each cause that there was, where it has a row of the doctor's table. */
static void test_rows(void **state)
{
	struct result *r = filled(VERDICT_FAIL);

	(void)state;
	r->failed_by_cause[CAUSE_NO_PORT] = 5;
	r->retried_by_cause[CAUSE_NO_MEMORY] = 1;
	r->accept_errors_by_cause[CAUSE_NO_FILE] = 1;
	r->lost_by_cause[CAUSE_WORKER_DIED] = 1;
	json_t *root = write_and_load(r);

	assert_int_equal(json_object_size(at(root, "failed.by_cause")), 2);
	assert_int_equal(json_object_size(at(root, "failed.rows")), 1);
	assert_int_equal(json_object_size(at(root, "retried.rows")), 1);
	assert_int_equal(json_object_size(at(root, "accept_errors.rows")), 1);
	assert_int_equal(json_object_size(at(root, "lost_rows")), 1);
	check_string(root, "failed.rows.no_port", "source_ports");
	check_string(root, "retried.rows.no_memory", "memory");
	check_string(root, "accept_errors.rows.no_file", "file_max");
	check_string(root, "lost_rows.worker_died", "memory");
	json_decref(root);
}

/* What an integer of JSON cannot be here is not negative. */
static void test_large(void **state)
{
	struct result *r = filled(VERDICT_REFUSED);

	(void)state;
	r->target = INT64_MAX;
	json_t *root = write_and_load(r);

	assert_true(json_integer_value(at(root, "target")) == INT64_MAX);
	json_decref(root);
	r->target = UINT64_MAX;
	root = write_and_load(r);
	assert_true(json_is_real(at(root, "target")));
	assert_true(json_real_value(at(root, "target")) > 1.8e19);
	json_decref(root);
}

static void test_stdout(void **state)
{
	struct err err = {""};
	json_error_t error;
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO), failed;

	(void)state;
	assert_true(file && saved >= 0);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	failed = json_write("-", filled(VERDICT_PASS), 0, NULL, &err);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(failed, 0);
	assert_int_equal(whole_file_check("-", &err), 0);
	assert_int_equal(fseek(file, -1, SEEK_END), 0);
	assert_int_equal(fgetc(file), '\n');
	rewind(file);
	json_t *root = json_loadf(file, 0, &error);

	assert_non_null(root);
	check_string(root, "verdict", "pass");
	assert_int_equal(json_array_size(at(root, "command")), 0);
	json_decref(root);
	fclose(file);
}

static void expect_unwritable(const char *path)
{
	struct err err = {""};

	assert_true(json_write(path, filled(VERDICT_PASS), 0, NULL, &err) < 0);
	assert_non_null(strstr(err.text, path));
	assert_null(strchr(err.text, '\n'));
	assert_true(json_write(path, filled(VERDICT_PASS), 0, NULL, NULL) < 0);
}

static void test_unwritable(void **state)
{
	char name[300], path[400];
	struct err err = {""};

	(void)state;
	json_decref(write_and_load(filled(VERDICT_PASS)));
	expect_unwritable(in_directory("none/r.json"));
	assert_true(whole_file_check(in_directory("none/r.json"), &err) < 0);
	assert_non_null(strstr(err.text, in_directory("none/r.json")));
	assert_false(exists("none"));
	expect_unwritable(in_directory("r.json/r.json"));
	assert_true(whole_file_check(in_directory("r.json/r.json"), &err) < 0);
	expect_unwritable("/proc/megaconn.json");
	assert_int_equal(mkdir(in_directory("dir"), 0700), 0);
	expect_unwritable(in_directory("dir"));
	assert_false(exists("dir.part"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	expect_unwritable(path);
	assert_true(whole_file_check("", &err) < 0);
}

/* The disk is full: the old result stays, and no half of the new one. */
static void test_full(void **state)
{
	struct rlimit before, tiny;
	struct err err = {""};
	int failed;

	(void)state;
	json_decref(write_and_load(filled(VERDICT_REFUSED)));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tiny = before;
	tiny.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	failed = json_write(in_directory("r.json"), filled(VERDICT_PASS), 0, NULL, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(failed < 0);
	assert_non_null(strstr(err.text, in_directory("r.json")));
	assert_false(exists("r.json.part"));
	json_t *root = json_load_file(in_directory("r.json"), 0, NULL);

	assert_non_null(root);
	check_string(root, "verdict", "refused");
	json_decref(root);
}

/* Asked before a run of a million, so that its result is not lost after it. */
static void test_check_directory(void **state)
{
	struct err err = {""};

	(void)state;
	mkdir(in_directory("dir"), 0700);
	assert_true(json_write(in_directory("dir"), filled(VERDICT_PASS), 0, NULL, NULL) < 0);
	assert_true(whole_file_check(in_directory("dir"), &err) < 0);
}

/* A pipe or a device (/dev/stderr, /dev/null) is not replaced by a file: root's /dev/null would be
 * gone for everybody. Refused or written to, both are right. */
static void test_special_file(void **state)
{
	const char *path = in_directory("fifo");
	struct stat status;
	int reader;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* so that no writer waits */
	assert_true(reader >= 0);
	(void)json_write(path, filled(VERDICT_PASS), 0, NULL, NULL);
	close(reader);
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
}

/* A link that stands where the temporary file is made: what it leads to is another's. */
static void test_link(void **state)
{
	struct stat status;
	FILE *file = fopen(in_directory("fifo"), "we");

	(void)state;
	assert_non_null(file);
	assert_true(fputs("another's", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(symlink("fifo", in_directory("r.json.part")), 0);
	json_decref(write_and_load(filled(VERDICT_PASS)));
	assert_int_equal(stat(in_directory("fifo"), &status), 0);
	assert_int_equal(status.st_size, strlen("another's"));
}

int main(void)
{
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(test_fields),
		IN_DIRECTORY(test_packets),
		IN_DIRECTORY(test_verdicts),
		IN_DIRECTORY(test_rows),
		IN_DIRECTORY(test_large),
		IN_DIRECTORY(test_nulls),
		IN_DIRECTORY(test_link),
		cmocka_unit_test(test_stdout),
		IN_DIRECTORY(test_unwritable),
		IN_DIRECTORY(test_full),
		IN_DIRECTORY(test_check_directory),
		IN_DIRECTORY(test_special_file),
	};

	return cmocka_run_group_tests_name("unit_json", tests, NULL, NULL);
}
