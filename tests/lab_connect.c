/* connect alone: walls it runs to, what it refuses before anything is sent, how it is interrupted.
 */
#include "apart.h"
#include "cgroup.h"
#include "peer.h"

#include "kernel/netlink.h"
#include "plan/ip.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#define PORT 28600
#define HERE "127.0.0.1:28600"

static struct trial serve;

static void start_server(void)
{
	const char *const args[] = {"--listen", HERE, "--listen", "[::1]:28600", NULL};

	apart_serve(&serve, NULL, args);
}

/* It has seen that many, and each had an end. */
static void stop_server(int64_t accepted)
{
	apart_stop(&serve, SIGTERM, 0);
	assert_int_equal(trial_number(&serve, "served.accepted"), accepted);
	assert_int_equal(trial_number(&serve, "open_at_end"), 0);
	trial_end(&serve);
}

/* --- walls ---------------------------------------------------------------------------------- */

static void assert_partial(const struct trial *connect, int64_t got, int64_t asked)
{
	trial_assert_code(connect, 1);
	assert_string_equal(trial_word(connect, "verdict"), "partial");
	assert_int_equal(trial_number(connect, "target"), asked);
	assert_int_equal(trial_number(connect, "established.client"), got);
	assert_int_equal(trial_number(connect, "not_tried"), asked - got);
	assert_int_equal(trial_number(connect, "failed.total"), 0);
	assert_int_equal(trial_number(connect, "lost"), 0);
	assert_int_equal(trial_number(connect, "proved.echoed"), got);
}

/* Says what the wall is, and runs to it. */
static int64_t run_to_descriptors(trial_prepare prepare, const char *engine)
{
	const char *const args[] = {HERE,     "-n", "2000",     "--workers", "1",
	                            "--hold", "0",  "--engine", engine,      NULL};
	struct trial connect;

	apart_run(&connect, prepare, args);
	assert_non_null(strstr(connect.err, "2,000 connections do not fit: going to "));
	assert_non_null(strstr(connect.err, "the wall being nofile_hard: "));
	int64_t got = trial_number(&connect, "established.client");

	assert_in_range(got, 40, 1999);
	assert_partial(&connect, got, 2000);
	assert_non_null(strstr(trial_word(&connect, "reason"), "no more fit: nofile_hard: "));
	trial_end(&connect);
	return got;
}

static void descriptors(void **state)
{
	const char *const passes[] = {HERE,     "-n", "2000",     "--workers",     "1",
	                              "--hold", "0",  "--engine", apart_engine(0), NULL};
	struct trial connect;

	(void)state;
	start_server();
	int64_t accepted = run_to_descriptors(apart_nofile_64, "epoll");

	assert_int_equal(accepted, 48);
	accepted += run_to_descriptors(apart_nofile_256, "epoll");
	assert_int_equal(accepted, 48 + 240);
	if (strcmp(apart_engine(0), "uring") == 0) {
		accepted += run_to_descriptors(apart_nofile_64, "uring");
		/* Its tables hold more than the process may. */
		apart_run(&connect, apart_nofile_256, passes);
		apart_assert_proved(&connect, 2000);
		accepted += 2000;
		trial_end(&connect);
	}
	stop_server(accepted);
}

static void seven_ports(void **state)
{
	const char *const seven[] = {HERE, "--ports", "20000-20006", "-n",
	                             "7",  "--hold",  "0",           NULL};
	const char *const eight[] = {HERE, "--ports", "20000-20006", "-n",
	                             "8",  "--hold",  "0",           NULL};
	struct trial connect;

	(void)state;
	start_server();
	apart_run(&connect, NULL, seven);
	apart_assert_proved(&connect, 7);
	trial_end(&connect);
	apart_run(&connect, NULL, eight);
	assert_partial(&connect, 7, 8);
	assert_non_null(strstr(connect.err, "8 connections do not fit: going to 7"));
	assert_non_null(strstr(trial_word(&connect, "reason"), "no more fit: source_ports: "));
	trial_end(&connect);
	/* One of them is another program's. */
	int taken = apart_listen("127.0.0.1", 20003, 1);

	apart_run(&connect, NULL, seven);
	assert_partial(&connect, 6, 7);
	assert_non_null(strstr(connect.err, "7 connections do not fit: going to 6"));
	assert_non_null(strstr(trial_word(&connect, "reason"), "20000-20006, 6 of it free"));
	trial_end(&connect);
	close(taken);
	stop_server(7 + 7 + 6);
}

static void every_port_taken(void **state)
{
	static const struct apart_mistake mistake = {
		{HERE, "--ports", "20010-20011"}, 4, "no source port is left in 20010-20011"};
	int first = apart_listen("127.0.0.1", 20010, 1);
	int second = apart_listen("127.0.0.1", 20011, 1);

	(void)state;
	apart_assert_mistakes("connect", &mistake, 1);
	close(first);
	close(second);
}

/* Room for some, by what the cgroup has beyond the reserve; what a connection costs is measured in
 * half of all it has, so that is little. */
static void small_cgroup_is_the_wall(void **state)
{
	const char *const args[] = {HERE,
	                            "-n",
	                            "1M",
	                            "--reserve",
	                            "74MiB",
	                            "--source",
	                            "127.0.1.1-127.0.1.50",
	                            "--hold",
	                            "0",
	                            "--workers",
	                            "1",
	                            NULL};
	struct trial connect;

	(void)state;
	if (!cgroup_make("100M"))
		skip();
	start_server();
	apart_run(&connect, cgroup_enter, args);
	cgroup_drop();
	trial_assert_code(&connect, 1);
	assert_non_null(strstr(connect.err, "the wall being cgroup_memory: "));
	int64_t got = trial_number(&connect, "established.client");

	assert_in_range(got, 1, 20000);
	assert_int_equal(got + trial_number(&connect, "not_tried"), 1000000);
	assert_int_equal(trial_number(&connect, "proved.echoed"), got);
	trial_end(&connect);
	stop_server(got);
}

/* The guard: what was there at the start goes while the ramp runs. */
static void memory_goes_in_the_ramp(void **state)
{
	const char *const args[] = {HERE,     "-n",   "10000",  "--reserve", "200MiB",
	                            "--rate", "2k/s", "--hold", "0",         NULL};
	struct trial connect;

	(void)state;
	if (!cgroup_make("1G"))
		skip();
	start_server();
	apart_connect(&connect, cgroup_enter, args);
	trial_wait_text(&connect, "ramp ", 30);
	bool is_lowered = cgroup_limit("200M");

	trial_wait(&connect, 60);
	cgroup_drop();
	assert_true(is_lowered);
	assert_non_null(strstr(trial_word(&connect, "reason"), "memory"));
	int64_t got = trial_number(&connect, "established.client");

	assert_partial(&connect, got, 10000);
	trial_end(&connect);
	stop_server(got);
}

/* --- what it refuses ------------------------------------------------------------------------ */

/* Segments that this network namespace has sent (RFC 4022, tcpOutSegs): whether its rules track
 * connections is found out by datagrams to itself, so packets of the loopback would not do. */
static int64_t segments_sent(void)
{
	char text[4096];
	int fd = open("/proc/self/net/snmp", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	assert_true(len > 0);
	text[len] = '\0';
	const char *at = strstr(text, "\nTcp: ");

	at = at ? strstr(at + 1, "\nTcp: ") : NULL; /* the names, then the numbers */
	for (int field = 0; at && field < 11; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoll(at, NULL, 10) : -1;
}

/* Here 8.8.8.8 is an address of our own, and somebody listens there: were anything sent, it would
 * be seen. */
static void public_target(void **state)
{
	static const struct apart_mistake table[] = {
		{{"8.8.8.8:80"}, 4, "--allow-public"},
		{{"[::ffff:8.8.8.8]:80"}, 4, "--allow-public"},
		{{"8.8.8.8:80", "--proof", "none", "-n", "1"}, 4, "--allow-public"},
	};
	struct ip ip;

	(void)state;
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	assert_int_equal(ip_parse("8.8.8.8", &ip), 0);
	assert_int_equal(netlink_add_addresses("lo", &ip, 1), 0);
	int fd = apart_listen("8.8.8.8", 80, 5);
	int64_t before = segments_sent();

	assert_true(before > 0); /* of the tests before */

	apart_assert_mistakes("connect", table, COUNT_OF(table));
	assert_int_equal(segments_sent(), before);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(accept(fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
}

static void mistakes(void **state)
{
	static const struct apart_mistake table[] = {
		{{NULL}, 2, "where to?"},
		{{HERE, HERE}, 2, "one target"},
		{{"127.0.0.1"}, 2, "the port is missing"},
		{{"127.0.0.1:"}, 2, "127.0.0.1:"},
		{{"127.0.0.1:0"}, 2, "not a port"},
		{{"127.0.0.1:65536"}, 2, "not a port"},
		{{"127.0.0.1:9-8"}, 2, "9-8"},
		{{"127.0.0.1:http"}, 2, "http"},
		{{"::1:28600"}, 2, "::1:28600"},
		{{"no-such-host.invalid:80"}, 4, "cannot find the host no-such-host.invalid"},
		{{"0.0.0.0:80"}, 2, "0.0.0.0"},
		{{"224.0.0.1:80"}, 2, "224.0.0.1"},
		{{HERE, "--source", "127.0.0"}, 2, "not an address"},
		{{HERE, "--source", "127.0.0.9-127.0.0.2"}, 2, "127.0.0.9-127.0.0.2"},
		{{HERE, "--source", "127.0.0.1,"}, 2, "127.0.0.1,"},
		{{HERE, "--source", "198.18.77.1"}, 4, "is not an address of this host"},
		{{HERE, "--source", "::1"}, 4, "has no IPv6 address"},
		{{"[::1]:28600", "--source", "127.0.0.1"}, 4, "has no IPv4 address"},
		{{HERE, "--source", "127.0.0.1,::1"}, 2, "::1"},
		{{HERE, "-6"}, 4, "has no IPv6 address"},
		{{HERE, "-4", "-6"}, 2, "one of them"},
		{{HERE, "--ports", "9-8"}, 2, "9-8"},
		{{HERE, "--ports", "0-7"}, 2, "0-7"},
		{{HERE, "-n", "0"}, 2, "0"},
		{{HERE, "--rate", "fast"}, 2, "fast"},
		{{HERE, "--hold", "10x"}, 2, "10x"},
		{{HERE, "--timeout", "0"}, 2, "0"},
		{{HERE, "--proof", "maybe"}, 2, "maybe"},
		{{HERE, "--listen", HERE}, 2, "--listen"},
		{{HERE, "--json", "/no/such/dir/a.json"}, 2, "/no/such/dir/a.json"},
	};

	(void)state;
	apart_assert_mistakes("connect", table, COUNT_OF(table));
}

/* --- interrupts ------------------------------------------------------------------------------ */

static void interrupt(struct trial *connect, int signal)
{
	kill(connect->pid, signal);
	trial_wait(connect, 30);
	trial_assert_code(connect, 130);
	trial_assert_no_process_left(connect);
	assert_string_equal(trial_word(connect, "verdict"), "partial");
	assert_int_equal(trial_number(connect, "workers.died"), 0);
	assert_int_equal(trial_number(connect, "lost"), 0);
}

static void interrupted_in_ramp(void **state)
{
	int64_t accepted = 0;

	(void)state;
	start_server();
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {HERE,   "-n",       "10000",         "--rate",
		                            "1k/s", "--engine", apart_engine(i), NULL};
		struct trial connect;

		apart_connect(&connect, NULL, args);
		trial_wait_text(&connect, "ramp ", 30);
		apart_sleep(300);
		interrupt(&connect, SIGINT);
		int64_t opened = trial_number(&connect, "established.client");

		assert_in_range(opened, 1, 9999);
		assert_int_equal(opened + trial_number(&connect, "not_tried"), 10000);
		accepted += opened;
		trial_end(&connect);
	}
	stop_server(accepted);
}

/* The peer answers to none: whoever waits for it is neither proved nor lost. */
static void interrupted_in_proof(void **state)
{
	const struct peer peer = {.manner = PEER_STALLS, .port = PORT + 1, .number = 0};
	pid_t pid = peer_start(&peer);

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			"127.0.0.1:28601", "-n",  apart_n_text(), "--proof",       "echo",
			"--timeout",       "20s", "--engine",     apart_engine(i), NULL};
		struct trial connect;

		apart_connect(&connect, NULL, args);
		trial_wait_text(&connect, "proof ", 30);
		interrupt(&connect, SIGTERM);
		assert_int_equal(trial_number(&connect, "established.client"), apart_n());
		trial_end(&connect);
	}
	peer_end(pid);
}

/* While it still asks whether the server echoes. */
static void interrupted_before_the_ramp(void **state)
{
	const struct peer peer = {.manner = PEER_NEVER_ACCEPTS, .port = PORT + 1};
	const char *const args[] = {"127.0.0.1:28601", "-n", "1000", NULL};
	struct trial connect;
	pid_t pid = peer_start(&peer);

	(void)state;
	apart_connect(&connect, NULL, args);
	apart_sleep(1000);
	kill(connect.pid, SIGINT);
	trial_wait(&connect, 10);
	trial_assert_code(&connect, 130);
	trial_assert_no_process_left(&connect);
	trial_end(&connect);
	peer_end(pid);
}

static void interrupted_in_hold(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	(void)state;
	start_server();
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		const char *const args[] = {HERE,  "-n",       apart_n_text(),           "--hold",
		                            "60s", "--engine", apart_engine((int)i % 2), NULL};
		struct trial connect;

		apart_hold(&connect, NULL, args);
		interrupt(&connect, signals[i]);
		assert_int_equal(trial_number(&connect, "established.kernel"), apart_n());
		assert_int_equal(trial_number(&connect, "proved_ramp.echoed"), apart_n());
		assert_non_null(strstr(connect.out, "PARTIAL"));
		trial_end(&connect);
	}
	stop_server(3 * apart_n());
}

/* Nothing of it is left, and the server sees each of its connections end. */
static void supervisor_killed(void **state)
{
	(void)state;
	start_server();
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {HERE,  "-n",       apart_n_text(),  "--hold",
		                            "60s", "--engine", apart_engine(i), NULL};
		struct trial connect;

		apart_hold(&connect, NULL, args);
		kill(connect.pid, SIGKILL);
		trial_wait(&connect, 5);
		trial_assert_code(&connect, 128 + SIGKILL);
		trial_assert_no_process_left(&connect);
		assert_null(connect.result);
		trial_end(&connect);
	}
	stop_server(2 * apart_n());
}

static void worker_killed(void **state)
{
	const char *const args[] = {HERE, "-n", apart_n_text(), "--hold", "1s", "--workers",
	                            "2",  NULL};
	struct trial connect;

	(void)state;
	start_server();
	apart_hold(&connect, NULL, args);
	kill(trial_find(&connect, "mc-client-1"), SIGKILL);
	trial_wait(&connect, 30);
	trial_assert_code(&connect, 1);
	apart_assert_lost(&connect, "worker_died", apart_n() / 2);
	assert_int_equal(trial_number(&connect, "proved.echoed"), apart_n() / 2);
	assert_non_null(strstr(trial_word(&connect, "reason"), "client worker 1"));
	trial_assert_no_process_left(&connect);
	trial_end(&connect);
	stop_server(apart_n());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(descriptors),
		APART_TEST(seven_ports),
		APART_TEST(every_port_taken),
		APART_TEST(small_cgroup_is_the_wall),
		APART_TEST(memory_goes_in_the_ramp),
		APART_TEST(public_target),
		APART_TEST(mistakes),
		APART_TEST(interrupted_before_the_ramp),
		APART_TEST(interrupted_in_ramp),
		APART_TEST(interrupted_in_proof),
		APART_TEST(interrupted_in_hold),
		APART_TEST(supervisor_killed),
		APART_TEST(worker_killed),
	};

	return cmocka_run_group_tests_name("lab_connect", tests, apart_set_up, NULL);
}
