/* serve alone: what stops it from taking more, and how it says so; how it ends; what it refuses. */
#include "apart.h"
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#define PORT  28400
#define HERE  "127.0.0.1:28400"
#define MOST  2000 /* plain sockets of one test */
#define EXTRA 10

static int fds[MOST];

/* --- full ----------------------------------------------------------------------------------- */

/* The number after a word, with its commas. */
static int number_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	int number = 0;

	assert_non_null(at);
	for (at += strlen(word); (*at >= '0' && *at <= '9') || *at == ','; at++)
		number = *at == ',' ? number : number * 10 + *at - '0';
	return number;
}

/* Starts to connect, and does not wait: a queue may be full. */
static int dial_patiently(void)
{
	struct sockaddr_storage at;
	socklen_t len;

	apart_address("127.0.0.1", PORT, &at, &len);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	int failed = connect(fd, (const struct sockaddr *)&at, len) == 0 ? 0 : errno;

	assert_true(failed == 0 || failed == EINPROGRESS);
	return fd;
}

/* Whether a byte comes back; the kernel asks again after 1, 3, 7 s where a SYN was dropped. */
static void assert_echoes(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLOUT};
	char byte = 'x';

	assert_int_equal(poll(&one, 1, 15000), 1);
	assert_int_equal(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
	one.events = POLLIN;
	assert_int_equal(poll(&one, 1, 15000), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
}

/* What its workers use of a core, of a thousand. */
static int64_t load_of(const struct trial *serve)
{
	pid_t pids[8];
	int count = trial_pids(serve, "mc-server-", pids, 8);
	int64_t before = 0, after = 0;

	assert_true(count > 0 && count <= 8);
	for (int i = 0; i < count; i++)
		before += apart_cpu_ms(pids[i]);
	apart_sleep(1000);
	for (int i = 0; i < count; i++)
		after += apart_cpu_ms(pids[i]);
	return after - before;
}

static void fill_and_empty(const char *engine, trial_prepare prepare)
{
	const char *const args[] = {"--listen",  HERE, "-n",        "1M",   "--engine", engine,
	                            "--workers", "1",  "--reserve", "1MiB", NULL};
	struct trial serve;

	apart_serve(&serve, prepare, args);
	assert_non_null(strstr(serve.err, "; the wall is nofile_hard: "));
	int room = number_after(serve.err, "room for ");

	assert_in_range(room, 40, MOST - EXTRA);
	for (int i = 0; i < room; i++)
		fds[i] = apart_dial("127.0.0.1", PORT);
	for (int i = 0; i < EXTRA; i++)
		fds[room + i] = dial_patiently();
	trial_wait_text(&serve, "stopped accepting at ", 10);
	apart_settle(&serve);
	assert_in_range(load_of(&serve), 0, 49);
	for (int i = 0; i < room / 3; i++)
		close(fds[i]);
	for (int i = room / 3; i < room + EXTRA; i++)
		assert_echoes(fds[i]);
	for (int i = room / 3; i < room + EXTRA; i++)
		close(fds[i]);
	apart_stop(&serve, SIGTERM, 1);
	assert_string_equal(trial_word(&serve, "verdict"), "partial");
	assert_non_null(strstr(trial_word(&serve, "reason"), "it had to stop accepting"));
	assert_int_equal(apart_count(&serve, "stopped accepting"), 1);
	apart_assert_served(&serve, room + EXTRA, 0);
	assert_int_equal(trial_number(&serve, "served.closed_by_peer"), room + EXTRA);
	assert_int_equal(trial_number(&serve, "served.received_bytes"), room + EXTRA - room / 3);
	assert_int_equal(trial_number(&serve, "host.nofile_hard"),
	                 prepare == apart_nofile_64 ? 64 : 256);
	trial_end(&serve);
}

static void full_epoll_of_64(void **state)
{
	(void)state;
	fill_and_empty("epoll", apart_nofile_64);
}

static void full_epoll_of_256(void **state)
{
	(void)state;
	fill_and_empty("epoll", apart_nofile_256);
}

static void full_uring_of_64(void **state)
{
	(void)state;
	if (strcmp(apart_engine(0), "uring") != 0)
		apart_skip("no io_uring here");
	fill_and_empty("uring", apart_nofile_64);
}

/* -n is a wall like any other, but one that was asked for: to stand at it is no failure. */
static void as_many_as_asked(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {"--listen",      HERE, "-n", "100", "--engine",
		                            apart_engine(i), NULL};
		const char *const connect_args[] = {HERE, "-n", "100", "--hold", "0", NULL};
		struct trial serve, connect;

		apart_serve(&serve, NULL, args);
		apart_run(&connect, NULL, connect_args);
		apart_assert_proved(&connect, 100);
		trial_end(&connect);
		for (int j = 0; j < 110; j++)
			fds[j] = dial_patiently();
		trial_wait_text(&serve, "stopped accepting at ", 10);
		for (int j = 0; j < 110; j++)
			close(fds[j]);
		apart_stop(&serve, SIGTERM, 0);
		assert_string_equal(trial_word(&serve, "verdict"), "pass");
		assert_int_equal(apart_count(&serve, "stopped accepting"), 1);
		assert_non_null(strstr(serve.err, "as many as were asked for (-n)"));
		trial_end(&serve);
	}
}

/* Many small processes hold what one cannot. */
static void many_workers_of_64(void **state)
{
	const char *const args[] = {"--listen", HERE, "-n", "500", "--engine", "epoll", NULL};
	const char *const connect_args[] = {HERE, "-n",       "300",   "--hold",
	                                    "0",  "--engine", "epoll", NULL};
	struct trial serve, connect;

	(void)state;
	apart_serve(&serve, apart_nofile_64, args);
	apart_run(&connect, apart_nofile_64, connect_args);
	apart_assert_proved(&connect, 300);
	assert_in_range(trial_number(&connect, "workers.client"), 300 / 48, 300);
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, 300, 600);
	trial_end(&serve);
}

/* Memory goes, and comes back. */
static void small_cgroup(void **state)
{
	const char *const args[] = {"--listen", HERE, "-n", "5000", "--reserve", "200MiB", NULL};
	struct trial serve;

	(void)state;
	if (!cgroup_make("1G"))
		skip();
	apart_serve(&serve, cgroup_enter, args);
	int first = apart_dial("127.0.0.1", PORT);

	assert_echoes(first);
	bool is_lowered = cgroup_limit("200M");

	trial_wait_text(&serve, "stopped accepting at 1 connections: memory", 10);
	assert_echoes(first); /* what is there is served */
	apart_sleep(500);
	bool is_raised = cgroup_limit("1G");
	int second = dial_patiently();

	assert_echoes(second);
	close(first);
	close(second);
	apart_stop(&serve, SIGTERM, 1);
	cgroup_drop();
	assert_true(is_lowered && is_raised);
	assert_int_equal(apart_count(&serve, "stopped accepting"), 1);
	assert_string_equal(trial_word(&serve, "verdict"), "partial");
	assert_non_null(strstr(trial_word(&serve, "reason"), "memory"));
	apart_assert_served(&serve, 2, 0);
	trial_end(&serve);
}

/* --- how it ends ---------------------------------------------------------------------------- */

static void ended_without_connections(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const char *const args[] = {"--listen", HERE, NULL};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		struct trial serve;

		apart_serve(&serve, NULL, args);
		apart_stop(&serve, signals[i], 0);
		apart_assert_served(&serve, 0, 0);
		assert_string_equal(trial_word(&serve, "verdict"), "pass");
		trial_end(&serve);
	}
}

/* Its terminal's Ctrl-C, or timeout(1), which signals its child and then its group. */
static void ended_with_connections(void **state)
{
	const char *const args[] = {"--listen", HERE, "--close", "rst", NULL};
	struct trial serve;

	(void)state;
	apart_serve(&serve, NULL, args);
	for (int i = 0; i < 100; i++)
		fds[i] = apart_dial("127.0.0.1", PORT);
	assert_echoes(fds[99]);
	apart_settle(&serve);
	kill(serve.pid, SIGTERM);
	apart_sleep(5); /* or they would be one */
	kill(-serve.pid, SIGTERM);
	trial_wait(&serve, 30);
	trial_assert_code(&serve, 0);
	trial_assert_no_process_left(&serve);
	assert_int_equal(trial_number(&serve, "open_at_end"), 100);
	apart_assert_served(&serve, 100, 0);
	for (int i = 0; i < 100; i++) {
		char byte;

		assert_int_equal(recv(fds[i], &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		close(fds[i]);
	}
	trial_end(&serve);
}

/* The kernel has a list of ports, and several addresses may have the same. */
static void two_addresses_of_one_port(void **state)
{
	const char *const args[] = {"--listen", HERE, "--listen", "127.0.0.2:28400", NULL};
	struct trial serve;

	(void)state;
	apart_serve(&serve, NULL, args);
	for (int i = 0; i < 30; i++)
		fds[i] = apart_dial(i % 3 == 0 ? "127.0.0.2" : "127.0.0.1", PORT);
	for (int i = 0; i < 30; i++)
		assert_echoes(fds[i]);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, 30, 0);
	assert_int_equal(trial_number(&serve, "established.kernel"), 30);
	for (int i = 0; i < 30; i++)
		close(fds[i]);
	trial_end(&serve);
}

static void aborted(void **state)
{
	const char *const args[] = {"--listen", HERE, "--workers", "1", NULL};
	struct trial serve;

	(void)state;
	apart_serve(&serve, NULL, args);
	kill(trial_find(&serve, "mc-server-0"), SIGSTOP); /* so that closing in order hangs */
	kill(serve.pid, SIGINT);
	trial_wait_text(&serve, "again to abort", 10);
	apart_sleep(300);
	kill(serve.pid, SIGINT);
	trial_wait(&serve, 10);
	trial_assert_code(&serve, 130);
	trial_assert_no_process_left(&serve);
	trial_end(&serve);
}

static void supervisor_killed(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {"--listen", HERE, "--engine", apart_engine(i), NULL};
		struct trial serve;
		char byte;

		apart_serve(&serve, NULL, args);
		int fd = apart_dial("127.0.0.1", PORT);

		assert_echoes(fd);
		kill(serve.pid, SIGKILL);
		trial_wait(&serve, 5);
		trial_assert_code(&serve, 128 + SIGKILL);
		trial_assert_no_process_left(&serve);
		assert_null(serve.result);
		assert_true(recv(fd, &byte, 1, 0) <= 0); /* and the connection has ended */
		close(fd);
		trial_end(&serve);
	}
}

/* --- what it refuses ------------------------------------------------------------------------ */

static void mistakes(void **state)
{
	static const struct apart_mistake table[] = {
		{{"--listen", "localhost:28401"}, 2, "listens on an address, not on a name"},
		{{"--listen", "127.0.0.1:0"}, 2, "not a port"},
		{{"--listen", "127.0.0.1:65536"}, 2, "not a port"},
		{{"--listen", "127.0.0.1:28409-28401"}, 2, "28409-28401"},
		{{"--listen", "::1:28401"}, 2, "::1:28401"},
		{{"--listen", "127.0.0.1:"}, 2, "127.0.0.1:"},
		{{"--listen", "127.0.0.256:28401"}, 2, "127.0.0.256"},
		{{"--listen", "203.0.113.7:28401"}, 4, "this host has no such address"},
		{{"28401"}, 2, "unexpected '28401'"},
		{{"-n", "0"}, 2, "0"},
		{{"-n", "many"}, 2, "many"},
		{{"--mode", "mute"}, 2, "mute"},
		{{"--close", "quickly"}, 2, "quickly"},
		{{"--engine", "select"}, 2, "select"},
		{{"--workers", "0"}, 2, "0"},
		{{"--workers", "1025"}, 2, "1025"},
		{{"--backlog", "65536"}, 2, "65536"},
		{{"--listen"}, 2, "--listen"},
		{{"--source", "127.0.0.1"}, 2, "--source"},
	};

	(void)state;
	apart_assert_mistakes("serve", table, COUNT_OF(table));
}

static void port_in_use(void **state)
{
	static const struct apart_mistake mistake = {
		{"--listen", "127.0.0.1:28401-28404"}, 4, "another program listens there"};
	int fd = apart_listen("127.0.0.1", 28403, 1);

	(void)state;
	apart_assert_mistakes("serve", &mistake, 1);
	close(fd);
}

/* As that of a server that was killed, which the kernel takes apart later. */
static void port_given_up(void **state)
{
	const char *const args[] = {"--listen", "127.0.0.1:28403", NULL};
	int fd = apart_listen("127.0.0.1", 28403, 1);
	struct trial serve;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) { /* has the socket a while longer than we do */
		usleep(1500000);
		_exit(0);
	}
	apart_keep(pid);
	close(fd);
	apart_serve(&serve, NULL, args);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(full_epoll_of_64),
		APART_TEST(full_epoll_of_256),
		APART_TEST(full_uring_of_64),
		APART_TEST(as_many_as_asked),
		APART_TEST(many_workers_of_64),
		APART_TEST(small_cgroup),
		APART_TEST(ended_without_connections),
		APART_TEST(ended_with_connections),
		APART_TEST(two_addresses_of_one_port),
		APART_TEST(aborted),
		APART_TEST(supervisor_killed),
		APART_TEST(mistakes),
		APART_TEST(port_in_use),
		APART_TEST(port_given_up),
	};

	return cmocka_run_group_tests_name("lab_serve", tests, apart_set_up, NULL);
}
