/* lab_doctor: `megaconn doctor` as its users meet it: the sentence on top, exit codes, the JSON, as
 * an ordinary user, with /proc/sys hidden, in a network without addresses, and with bad input; and
 * lab, serve and connect name the same number. */
#include "guardian.h"
#include "wall.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PORTS       "40000-40499"

static const char *const ids_of_all[] = {
	"source_ports",
	"index",
	"nofile_soft",
	"nofile_hard",
	"nr_open",
	"file_max",
	"memlock",
	"pid_max",
	"threads_max",
	"nproc",
	"cgroup_pids",
	"memory",
	"cgroup_memory",
	"swap",
	"overcommit",
	"tcp_mem",
	"tcp_rmem",
	"tcp_wmem",
	"conntrack_max",
	"tcp_ehash",
	"conntrack_buckets",
	"neigh_gc_thresh3",
	"io_uring",
	"netdev_max_backlog",
	"tcp_max_orphans",
	"tun",
	"tcp_max_tw_buckets",
	"user_namespaces",
};
static const char *const ids_of_servers[] = {"somaxconn", "tcp_max_syn_backlog", "tcp_syncookies"};
static const char *const ids_of_clients[] = {"source_addresses", "port_search",  "reserved_ports",
                                             "listening_ports",  "tcp_tw_reuse", "tcp_bhash"};

static void examine(struct trial *doctor, trial_prepare prepare, const char *const *args)
{
	trial_start_command(doctor, "doctor", prepare, args);
	apart_keep(doctor->pid);
	trial_wait(doctor, 60);
}

static void assert_says_first(const struct trial *doctor, const char *start)
{
	if (strncmp(doctor->out, start, strlen(start)) != 0)
		fail_msg("not '%s' but: %s%s", start, doctor->err, doctor->out);
}

/* ---- the sentence, exit codes ---------------------------------------------------------------- */

static void sentence_comes_first(void **state)
{
	const char *const stops[] = {"-n", "1M", "--quick", "--ports", PORTS, NULL};
	const char *const fits[] = {"-n", "500", "--quick", "--ports", PORTS, NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	examine(&doctor, NULL, stops);
	trial_assert_code(&doctor, 3);
	assert_says_first(&doctor, "this machine stops at 500: one source IP to one server port, "
	                           "source ports 40000-40499. To go further: add ");
	assert_string_equal(trial_word(&doctor, "wall"), "source_ports");
	assert_string_equal(doctor.err, "");
	trial_end(&doctor);
	examine(&doctor, NULL, fits);
	trial_assert_code(&doctor, 0);
	assert_says_first(&doctor, "500 connections fit; this machine would stop at 500: one ");
	assert_string_equal(doctor.err, "");
	trial_end(&doctor);
}

/* Two small labs in a private network: no figure of another machine. */
static void cost_is_measured(void **state)
{
	const char *const args[] = {"-n", "500", "--ports", PORTS, NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	if (trial_is_small())
		apart_skip("the sanitizers' own memory is not megaconn's");
	examine(&doctor, NULL, args);
	trial_assert_code(&doctor, 0);
	const char *shown =
		json_string_value(json_object_get(wall_row(&doctor, "memory"), "shown"));

	assert_non_null(shown);
	/* Where others use memory too unsteadily it says that it could not. */
	if (!strstr(shown, "(measured now)"))
		assert_non_null(strstr(doctor.err, "taken from earlier figures, not measured"));
	trial_end(&doctor);
}

/* ---- the JSON -------------------------------------------------------------------------------- */

static bool is_null_or_integer(const json_t *value)
{
	return json_is_null(value) || json_is_integer(value);
}

static void assert_row(const json_t *row)
{
	static const char *const words[] = {"ok", "wall", "unknown"};
	const char *state = json_string_value(json_object_get(row, "state"));
	bool is_known = false;

	assert_true(json_is_string(json_object_get(row, "id")));
	assert_true(json_is_string(json_object_get(row, "what")));
	assert_true(json_is_string(json_object_get(row, "shown")));
	assert_true(is_null_or_integer(json_object_get(row, "value")));
	assert_true(is_null_or_integer(json_object_get(row, "allows")));
	assert_true(is_null_or_integer(json_object_get(row, "needed")));
	assert_true(json_is_null(json_object_get(row, "fix")) ||
	            json_is_string(json_object_get(row, "fix")));
	assert_non_null(state);
	for (size_t i = 0; i < COUNT_OF(words); i++)
		is_known |= strcmp(state, words[i]) == 0;
	assert_true(is_known);
}

static size_t count_rows(const struct trial *doctor, const char *const *ids, size_t count)
{
	json_t *rows = json_object_get(doctor->result, "rows");
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < json_array_size(rows); k++)
			found += strcmp(json_string_value(
						json_object_get(json_array_get(rows, k), "id")),
			                ids[i]) == 0;
	}
	return found;
}

/* Each id of the role once, and none besides. */
static void assert_rows(const char *role, bool has_servers, bool has_clients)
{
	const char *const args[] = {"-n", "1M", "--quick", "--role", role, NULL};
	size_t servers = has_servers ? COUNT_OF(ids_of_servers) : 0;
	size_t clients = has_clients ? COUNT_OF(ids_of_clients) : 0;
	struct trial doctor;

	examine(&doctor, NULL, args);
	json_t *rows = json_object_get(doctor.result, "rows");

	assert_int_equal(count_rows(&doctor, ids_of_all, COUNT_OF(ids_of_all)),
	                 COUNT_OF(ids_of_all));
	assert_int_equal(count_rows(&doctor, ids_of_servers, COUNT_OF(ids_of_servers)), servers);
	assert_int_equal(count_rows(&doctor, ids_of_clients, COUNT_OF(ids_of_clients)), clients);
	assert_int_equal(json_array_size(rows), COUNT_OF(ids_of_all) + servers + clients);
	for (size_t i = 0; i < json_array_size(rows); i++)
		assert_row(json_array_get(rows, i));
	trial_end(&doctor);
}

static void rows_of_each_role(void **state)
{
	(void)state;
	wall_need_network();
	assert_rows("both", true, true);
	assert_rows("server", true, false);
	assert_rows("client", false, true);
}

static void json_has_the_schema(void **state)
{
	const char *const args[] = {"-n", "1M", "--quick", "--ports", PORTS, NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	examine(&doctor, NULL, args);
	assert_string_equal(trial_word(&doctor, "schema"), "megaconn.doctor/1");
	assert_int_equal(trial_number(&doctor, "n"), 1000000);
	assert_true(json_is_false(json_object_get(doctor.result, "fits")));
	assert_int_equal(trial_number(&doctor, "largest"), 500);
	assert_string_equal(trial_word(&doctor, "wall"), "source_ports");
	assert_says_first(&doctor, trial_word(&doctor, "words"));
	assert_true(json_is_array(json_object_get(doctor.result, "asks")));
	/* The wall is the first row, and bounds come in order. */
	json_t *rows = json_object_get(doctor.result, "rows");
	json_int_t before = 0;

	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "id")),
	                    "source_ports");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *allows = json_object_get(json_array_get(rows, i), "allows");

		if (!json_is_integer(allows))
			break;
		assert_true(json_integer_value(allows) >= before);
		before = json_integer_value(allows);
	}
	trial_end(&doctor);
}

/* The last --json counts: on stdout, in place of the table. */
static void json_on_stdout(void **state)
{
	const char *const args[] = {"-n", "500", "--quick", "--ports", PORTS, "--json", "-", NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	examine(&doctor, NULL, args);
	trial_assert_code(&doctor, 0);
	json_t *report = json_loads(doctor.out, 0, NULL);

	assert_non_null(report);
	assert_string_equal(json_string_value(json_object_get(report, "schema")),
	                    "megaconn.doctor/1");
	assert_true(json_is_true(json_object_get(report, "fits")));
	json_decref(report);
	trial_end(&doctor);
}

/* ---- with less ------------------------------------------------------------------------------- */

static void assert_state(const struct trial *doctor, const char *row, const char *expected)
{
	const char *found = json_string_value(json_object_get(wall_row(doctor, row), "state"));

	if (strcmp(found, expected) != 0)
		fail_msg("%s is %s, not %s", row, found, expected);
}

/* Who is not root outside of the test's user namespace is ordinary already. */
static void become_ordinary(void)
{
	if (guardian_pid() != 0)
		trial_become_nobody();
}

static void ordinary_user(void **state)
{
	const char *const args[] = {"-n", "400", "--quick", "--ports", PORTS, NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	examine(&doctor, become_ordinary, args);
	trial_assert_code(&doctor, 0);
	assert_string_equal(doctor.err, "");
	assert_int_equal(trial_number(&doctor, "largest"), 500);
	assert_state(&doctor, "memlock", "ok");
	assert_state(&doctor, "nofile_hard", "ok");
	trial_end(&doctor);
}

static void hide_settings(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/proc/sys", "tmpfs", 0, NULL) != 0)
		_exit(125);
	become_ordinary();
}

/* What cannot be read is unknown and not fine; what is known still decides. */
static void hidden_settings_are_unknown(void **state)
{
	static const char *const unknown[] = {
		"nr_open",         "file_max",       "pid_max",      "threads_max",
		"overcommit",      "tcp_mem",        "tcp_rmem",     "tcp_wmem",
		"somaxconn",       "tcp_syncookies", "tcp_ehash",    "neigh_gc_thresh3",
		"tcp_max_orphans", "reserved_ports", "tcp_tw_reuse", "tcp_max_syn_backlog",
	};
	const char *const fits[] = {"-n", "400", "--quick", "--ports", PORTS, NULL};
	const char *const stops[] = {"-n", "501", "--quick", "--ports", PORTS, NULL};
	const char *const no_range[] = {"-n", "400", "--quick", NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	examine(&doctor, hide_settings, fits);
	if (doctor.code == 125)
		apart_skip("nothing may be mounted here");
	trial_assert_code(&doctor, 0);
	for (size_t i = 0; i < COUNT_OF(unknown); i++)
		assert_state(&doctor, unknown[i], "unknown");
	assert_non_null(strstr(doctor.out, "? nr_open"));
	trial_end(&doctor);
	examine(&doctor, hide_settings, stops);
	trial_assert_code(&doctor, 3);
	trial_end(&doctor);
	examine(&doctor, hide_settings, no_range);
	trial_assert_code(&doctor, 0);
	assert_state(&doctor, "source_ports", "unknown");
	assert_non_null(strstr(doctor.out, "400 connections fit, as far as can be read; "));
	trial_end(&doctor);
}

static void empty_network(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		_exit(125);
}

/* The loopback is down: doctor says what is missing. */
static void network_without_addresses(void **state)
{
	const char *const args[] = {"-n", "400", "--quick", "--ports", PORTS, NULL};
	struct trial doctor;

	(void)state;
	wall_need_network();
	examine(&doctor, empty_network, args);
	trial_assert_code(&doctor, 3);
	assert_string_equal(trial_word(&doctor, "wall"), "source_addresses");
	assert_int_equal(trial_number(&doctor, "largest"), 0);
	assert_says_first(&doctor, "this machine stops at 0: ");
	trial_end(&doctor);
}

static void mistakes_get_one_line(void **state)
{
	static const struct apart_mistake mistakes[] = {
		{{"-n", "0", NULL}, 2, "-n 0: must be at least 1"},
		{{"-n", "many", NULL}, 2, "not a count"},
		{{"--role", "nobody", NULL}, 2, "must be one of both, server, client"},
		{{"--source", "1.2.3", NULL}, 2, "not an address"},
		{{"--target", "127.0.0.1", NULL}, 2, "the port is missing"},
		{{"--target", "127.0.0.1:0", NULL}, 2, "not a port"},
		{{"--target", "no.host.invalid:80", NULL}, 2, "no.host.invalid"},
		{{"--source", "127.0.0.2", "--target", "[::1]:80", NULL}, 2, "no IPv4 address"},
		{{"-6", "--target", "127.0.0.1:80", NULL}, 2, "no IPv6 address"},
		{{"--ports", "5-1", NULL}, 2, "not a port"},
		{{"--engine", "poll", NULL}, 2, "must be one of auto, uring, epoll"},
		{{"--workers", "0", NULL}, 2, "must be at least 1"},
		{{"--reserve", "much", NULL}, 2, "not a size"},
		{{"--json", "/nowhere/at/all.json", NULL}, 2, "/nowhere/at/all.json"},
		{{"more", NULL}, 2, "unexpected 'more'"},
		{{"mo\nre", NULL}, 2, "unexpected 'mo"},
		{{"--loud", NULL}, 2, "unknown option --loud"},
	};

	(void)state;
	apart_assert_mistakes("doctor", mistakes, COUNT_OF(mistakes));
}

/* ---- one source of truth --------------------------------------------------------------------- */

/* "room for 1,007 connections" */
static int64_t number_after(const char *text, const char *words)
{
	const char *at = strstr(text, words);
	int64_t n = 0;

	if (!at) {
		fail_msg("no '%s' in: %s", words, text);
		return -1;
	}
	for (at += strlen(words); (*at >= '0' && *at <= '9') || *at == ','; at++)
		n = *at == ',' ? n : n * 10 + (*at - '0');
	return n;
}

static int64_t ask_doctor(const char *role)
{
	const struct wall wall = {
		.row = "nofile_hard",
		.options = {"--engine", "epoll", "--workers", "2", "--source",
	                    "127.0.0.2-127.0.0.20"},
		.prepare = apart_nofile_256,
	};

	return wall_predict(&wall, role);
}

static void lab_names_the_same_number(void **state)
{
	const char *const args[] = {"-n", "300k", "--engine", "epoll", "--workers", "2", NULL};
	struct trial lab;

	(void)state;
	wall_need_network();
	int64_t told = ask_doctor("both");

	trial_run(&lab, apart_nofile_256, args);
	trial_assert_code(&lab, 4);
	assert_int_equal(number_after(lab.err, "largest N that fits is "), told);
	assert_non_null(strstr(lab.err, "the wall is nofile_hard"));
	trial_end(&lab);
}

static void serve_names_the_same_number(void **state)
{
	const char *const args[] = {"-n", "300k", "--engine", "epoll", "--workers", "2", NULL};
	struct trial serve;

	(void)state;
	wall_need_network();
	int64_t told = ask_doctor("server");

	apart_serve(&serve, apart_nofile_256, args);
	assert_int_equal(number_after(serve.err, "room for "), told);
	assert_non_null(strstr(serve.err, "the wall is nofile_hard"));
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

static void connect_names_the_same_number(void **state)
{
	const char *const serving[] = {NULL};
	const char *const args[] = {"127.0.0.1:8090",
	                            "-n",
	                            "300k",
	                            "--engine",
	                            "epoll",
	                            "--workers",
	                            "2",
	                            "--source",
	                            "127.0.0.2-127.0.0.20",
	                            "--hold",
	                            "0",
	                            NULL};
	struct trial serve, connect;

	(void)state;
	wall_need_network();
	int64_t told = ask_doctor("client");

	apart_serve(&serve, NULL, serving);
	apart_run(&connect, apart_nofile_256, args);
	trial_assert_code(&connect, 1);
	assert_int_equal(number_after(connect.err, "going to "), told);
	assert_non_null(strstr(connect.err, "the wall being nofile_hard"));
	assert_int_equal(trial_number(&connect, "established.client"), told);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALL_TEST(sentence_comes_first),
		WALL_TEST(cost_is_measured),
		WALL_TEST(rows_of_each_role),
		WALL_TEST(json_has_the_schema),
		WALL_TEST(json_on_stdout),
		WALL_TEST(ordinary_user),
		WALL_TEST(hidden_settings_are_unknown),
		WALL_TEST(network_without_addresses),
		WALL_TEST(mistakes_get_one_line),
		WALL_TEST(lab_names_the_same_number),
		WALL_TEST(serve_names_the_same_number),
		WALL_TEST(connect_names_the_same_number),
	};

	return cmocka_run_group_tests_name("lab_doctor", tests, wall_set_up, wall_tear_down);
}
