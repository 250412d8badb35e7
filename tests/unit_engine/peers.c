/* peers: one engine, and plain sockets at the other end; other processes; limits. */
#include "base/clock.h"
#include "unit_engine/groups.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a forked child a failed assertion would run the rest of the tests twice. */
#define CHECK(condition)                                                                      \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1);                                                             \
		}                                                                             \
	} while (0)

struct plain {
	struct sockaddr_storage address, source;
	socklen_t len;
	int fd;
};

static struct plain listen_plainly(void)
{
	struct plain plain = {.fd = -1};

	plain.len = plain_address(false, &plain.address);
	plain_address(false, &plain.source);
	plain.fd = plain_listen(&plain.address, plain.len, 1024);
	return plain;
}

/* The accept waits, so the connect is seen through first. */
static int connect_to_plain(struct side *s, struct plain *plain, uint32_t index)
{
	side_connect(s, index, &plain->source, &plain->address, plain->len);
	SIDE_UNTIL(s, s->seen[index].is_open);
	return plain_accept(plain->fd);
}

static void test_reset_by_peer(void **state)
{
	struct side *s = side_open(&(struct pair_options){0}, 0);
	struct plain plain = listen_plainly();

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		int fd = connect_to_plain(s, &plain, i);

		engine_receive(s->engine, i, i % 2 ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE);
		if (i / 2)
			side_poll(s, 0);
		plain_reset_on_close(fd);
		close(fd);
		SIDE_UNTIL(s, s->seen[i].received_count == 1);
		assert_int_equal(s->seen[i].received, -ECONNRESET);
		if (i == 0)
			side_assert_sleeps(s);
		assert_int_equal(s->seen[i].received_count, 1);
		side_send(s, i, "into the void", 13);
		SIDE_UNTIL(s, !s->seen[i].is_out);
		assert_true(s->seen[i].sent < 0);
		side_end(s, i, ENGINE_CLOSE_FIN);
	}
	close(plain.fd);
	side_close(s);
}

/* How a plain peer sees the three ways to close. */
static void test_manners(void **state)
{
	static const enum engine_close ways[] = {ENGINE_CLOSE_FIN, ENGINE_CLOSE_RESET,
	                                         ENGINE_CLOSE_SILENT};
	struct side *s = side_open(&(struct pair_options){0}, 0);
	struct plain plain = listen_plainly();
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		int fd = connect_to_plain(s, &plain, 0);
		struct pollfd end = {.fd = fd, .events = POLLIN};

		engine_receive(s->engine, 0, ENGINE_WAIT_IDLE);
		side_poll(s, 0);
		side_end(s, 0, ways[i]);
		side_rest(s, 20 * NS_PER_MS);
		if (ways[i] == ENGINE_CLOSE_SILENT && poll(&end, 1, 100) == 0) {
			close(fd); /* not a word */
			continue;
		}
		int got = plain_receive(fd, &byte, 1);

		if (ways[i] == ENGINE_CLOSE_RESET)
			assert_true(got == -ECONNRESET ||
			            (got == 0 && (variant->without & ENGINE_WITHOUT_BIND)));
		else
			assert_int_equal(got, 0);
		close(fd);
	}
	close(plain.fd);
	side_close(s);
}

static void test_close_all_manners(void **state)
{
	struct side *s = side_open(&(struct pair_options){.connections = 200}, 1);
	struct plain plain = listen_plainly();
	int fds[150];
	uint8_t byte;

	(void)state;
	assert_int_equal(engine_listen(s->engine, plain.fd), 0);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = plain_connect(&plain.address, plain.len);
	/* The last wait in the queue: they are ended with it. */
	SIDE_UNTIL(s, s->open >= 100);
	engine_close_all(s->engine, ENGINE_CLOSE_FIN);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		int got = plain_receive(fds[i], &byte, 1);

		assert_true(got == 0 || got == -ECONNRESET);
		close(fds[i]);
	}
	side_close(s);
}

static void assert_child(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Leaves `more` descriptors to be had. */
static void limit_descriptors(rlim_t more)
{
	struct rlimit limit;
	int fd = dup(0);

	CHECK(fd >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	close(fd);
	limit.rlim_cur = (rlim_t)fd + more;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void connect_without_descriptors(void)
{
	struct side *s = side_open(&(struct pair_options){0}, 0);
	struct plain plain = listen_plainly();
	uint32_t failed = 0;

	limit_descriptors(3);
	for (uint32_t i = 0; i < 10; i++)
		side_connect(s, i, &plain.source, &plain.address, plain.len);
	uint64_t end_ns = clock_now_ns() + 2 * NS_PER_S;

	for (uint32_t i = 0; i < 10; i++) {
		while (s->seen[i].is_connecting && clock_now_ns() < end_ns)
			side_poll(s, side_soon());
		CHECK(s->seen[i].connected_count == 1);
		CHECK(s->seen[i].connected == 0 || s->seen[i].connected == -EMFILE);
		failed += s->seen[i].connected != 0;
	}
	/* Direct descriptors are not counted. */
	CHECK(variant->kind == ENGINE_URING || failed == 7);
	for (uint32_t i = 0; i < 10; i++)
		if (s->seen[i].is_open)
			side_end(s, i, ENGINE_CLOSE_FIN);
	side_poll(s, 0);
	side_connect(s, 9, &plain.source, &plain.address, plain.len);
	while (s->seen[9].is_connecting && clock_now_ns() < end_ns)
		side_poll(s, side_soon());
	CHECK(s->seen[9].is_open);
}

static void accept_without_descriptors(void)
{
	struct side *s = side_open(&(struct pair_options){0}, 1);
	struct plain plain = listen_plainly();
	int fds[10];
	uint64_t end_ns = clock_now_ns() + 5 * NS_PER_S, polls;

	CHECK(engine_listen(s->engine, plain.fd) == 0);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = plain_connect(&plain.address, plain.len);
	limit_descriptors(3);
	while (s->accept_errors == 0 && s->accepted < 10 && clock_now_ns() < end_ns)
		side_poll(s, side_soon());
	if (variant->kind == ENGINE_URING) {
		CHECK(s->accepted == 10);
		return;
	}
	CHECK(s->accept_error == -EMFILE && s->accepted == 3);
	polls = s->polls;
	uint64_t rest_ns = clock_now_ns() + 400 * NS_PER_MS;

	while (clock_now_ns() < rest_ns)
		side_poll(s, rest_ns);
	CHECK(s->polls - polls < 30 && s->accept_errors < 10);
	/* With fewer open, it goes on. */
	while (s->accepted < 10 && clock_now_ns() < end_ns) {
		for (uint32_t i = 0; i < s->seen_count; i++)
			if (s->seen[i].is_open)
				side_end(s, i, ENGINE_CLOSE_FIN);
		side_poll(s, side_soon());
	}
	CHECK(s->accepted == 10);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

/* A listening socket that only gives errors: each is told, with pauses; and where the caller then
 * wants no more, it sleeps on. */
static void test_accept_errors(void **state)
{
	struct side *s = side_open(&(struct pair_options){0}, 1);
	struct plain plain = listen_plainly();

	(void)state;
	assert_int_equal(engine_listen(s->engine, plain.fd), 0);
	side_poll(s, 0);
	assert_int_equal(shutdown(plain.fd, SHUT_RDWR), 0);
	SIDE_UNTIL(s, s->accept_errors == 2);
	assert_int_equal(s->accept_error, -EINVAL);
	side_assert_sleeps(s);
	assert_in_range(s->accept_errors, 2, 8);
	engine_accept(s->engine, false);
	side_rest(s, 120 * NS_PER_MS);
	side_assert_sleeps(s);
	side_close(s);
}

static void run_in_child(void (*test)(void))
{
	(void)fflush(NULL);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(PATIENCE_S);
		test();
		_exit(0);
	}
	assert_child(pid);
}

static void test_without_descriptors(void **state)
{
	(void)state;
	if (variant->is_refused)
		skip();
	run_in_child(connect_without_descriptors);
	run_in_child(accept_without_descriptors);
}

/* Serves on a listening socket that it shares; tells by its exit code whether it got any. */
static void serve_shared(int fd, int stop)
{
	struct side *s = side_open(&(struct pair_options){.connections = 600}, 1);
	uint64_t end_ns = clock_now_ns() + PATIENCE_S * NS_PER_S;
	uint32_t counts[1];
	char byte;

	s->echoes = true;
	CHECK(engine_listen(s->engine, fd) == 0);
	while (recv(stop, &byte, 1, MSG_DONTWAIT) < 0 && clock_now_ns() < end_ns)
		side_poll(s, clock_now_ns() + 5 * NS_PER_MS);
	counts[0] = s->accepted;
	CHECK(send(stop, counts, sizeof(counts), 0) == sizeof(counts));
}

static void test_shared_listener(void **state)
{
	enum { SERVERS = 2, COUNT = 400 };
	int stop[SERVERS][2], fds[COUNT];
	uint32_t sum = 0;
	pid_t pids[SERVERS];

	(void)state;
	if (variant->is_refused)
		skip();
	struct plain plain = listen_plainly();

	(void)fflush(NULL);
	for (int i = 0; i < SERVERS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, stop[i]), 0);
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			alarm(2 * PATIENCE_S);
			serve_shared(plain.fd, stop[i][1]);
			_exit(0);
		}
	}
	for (int i = 0; i < COUNT; i++)
		fds[i] = plain_connect(&plain.address, plain.len);
	for (int i = 0; i < COUNT; i++) {
		int word = i, back = -1;

		assert_int_equal(send(fds[i], &word, sizeof(word), MSG_NOSIGNAL), sizeof(word));
		assert_int_equal(plain_receive(fds[i], &back, sizeof(back)), sizeof(back));
		assert_int_equal(back, word);
	}
	for (int i = 0; i < SERVERS; i++) {
		uint32_t accepted = 0;

		assert_int_equal(send(stop[i][0], "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(recv(stop[i][0], &accepted, sizeof(accepted), 0),
		                 sizeof(accepted));
		sum += accepted;
		assert_child(pids[i]);
		close(stop[i][0]);
		close(stop[i][1]);
	}
	assert_int_equal(sum, COUNT);
	for (int i = 0; i < COUNT; i++) {
		plain_reset_on_close(fds[i]);
		close(fds[i]);
	}
	close(plain.fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reset_by_peer),     cmocka_unit_test(test_manners),
	cmocka_unit_test(test_close_all_manners), cmocka_unit_test(test_without_descriptors),
	cmocka_unit_test(test_accept_errors),     cmocka_unit_test(test_shared_listener),
};
const struct group group_peers = {"peers", tests, COUNT_OF(tests)};
