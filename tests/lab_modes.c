/* serve in its modes beside echo and hold, by plain sockets and by curl: http, discard, chargen,
 * push; what each does with peers that do not read; options that are of one mode. */
#include "apart.h"

#include "base/clock.h"
#include "behave/chargen.h"
#include "behave/push.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#define PORT   28600
#define HERE   "127.0.0.1:28600"
#define PAGE_A "http://127.0.0.1:28600/a"
#define PAGE_B "http://127.0.0.1:28600/b"
#define MUCH   1000000
#define DEAF   20

static char got[MUCH];

/* Reads exactly so many bytes, in 10 s; fewer where the peer has closed. */
static size_t take(int fd, void *into, size_t len)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};
	size_t have = 0;

	while (have < len) {
		assert_int_equal(poll(&one, 1, 10000), 1);
		ssize_t count = recv(fd, (char *)into + have, len - have, 0);

		if (count <= 0)
			break;
		have += (size_t)count;
	}
	return have;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* --- http ------------------------------------------------------------------------------------- */

/* One answer with a body of `body` bytes; what its head was. */
static const char *answer(int fd, size_t body)
{
	static char head[512];
	size_t len = 0;

	for (; len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0; len++) {
		assert_true(len < sizeof(head) - 1);
		assert_int_equal(take(fd, head + len, 1), 1);
	}
	head[len] = '\0';
	assert_int_equal(take(fd, got, body), body);
	for (size_t i = 0; i < body; i += CHARGEN_PERIOD) {
		uint8_t expected[CHARGEN_PERIOD];
		size_t piece = body - i < sizeof(expected) ? body - i : sizeof(expected);

		chargen_write(i, expected, (uint32_t)piece);
		assert_memory_equal(got + i, expected, piece);
	}
	return head;
}

static void converse(size_t body)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
	int fd = apart_dial("127.0.0.1", PORT);

	say(fd, request);
	assert_non_null(strstr(answer(fd, body), "HTTP/1.1 200 OK\r\n"));
	for (size_t i = 0; i < sizeof(request) - 1; i++) { /* a segment for each byte */
		char one[2] = {request[i], '\0'};

		say(fd, one);
		apart_sleep(1);
	}
	assert_non_null(strstr(answer(fd, body), "HTTP/1.1 200 OK\r\n"));
	for (int i = 0; i < 40; i++)
		say(fd, request);
	say(fd, "HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n");
	for (int i = 0; i < 40; i++)
		assert_non_null(strstr(answer(fd, body), "keep-alive"));
	assert_non_null(strstr(answer(fd, 0), "keep-alive"));
	assert_non_null(strstr(answer(fd, body), "Connection: close"));
	assert_int_equal(take(fd, got, 1), 0);
	close(fd);
	fd = apart_dial("127.0.0.1", PORT);
	say(fd, "HELLO\r\n\r\n");
	assert_non_null(strstr(answer(fd, 0), "HTTP/1.1 400 Bad Request\r\n"));
	assert_int_equal(take(fd, got, 1), 0);
	close(fd);
}

static void http_with(const char *engine, const char *body)
{
	const char *const args[] = {"--listen", HERE,       "--mode", "http", "--body",
	                            body,       "--engine", engine,   NULL};
	struct trial serve;

	apart_serve(&serve, NULL, args);
	converse(strtoul(body, NULL, 10));
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, 2, 0);
	assert_int_equal(trial_number(&serve, "served.closed_by_peer"), 2);
	trial_end(&serve);
}

/* Whole in one send, and larger than any. */
static void http_by_sockets(void **state)
{
	(void)state;
	http_with(apart_engine(0), "128");
	http_with(apart_engine(1), "100000");
}

/* Runs curl, whose output is `out`; false where there is none. */
static bool ask_by_curl(char *out, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t count;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fds[1], 1);
		execlp("curl", "curl", "-s", "-o", "/dev/null", "-o", "/dev/null", "-w",
		       "%{http_code} %{size_download} %{num_connects};", "-d", "some=form", PAGE_A,
		       PAGE_B, NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((count = read(fds[0], out + len, size - 1 - len)) > 0)
		len += (size_t)count;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return false;
	assert_int_equal(status, 0);
	return true;
}

static void http_by_curl(void **state)
{
	const char *const args[] = {"--listen", HERE, "--mode", "http", "--body", "5000", NULL};
	struct trial serve;
	char out[256];

	(void)state;
	apart_serve(&serve, NULL, args);
	bool has_curl = ask_by_curl(out, sizeof(out));

	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
	if (!has_curl)
		apart_skip("no curl here");
	assert_string_equal(out, "200 5000 1;200 5000 0;"); /* the second on the same connection */
}

/* --- discard and chargen ------------------------------------------------------------------------
 */

static void discards(void **state)
{
	const char *const args[] = {"--listen", HERE, "--mode", "discard", NULL};
	struct trial serve;
	struct pollfd one = {.events = POLLIN};

	(void)state;
	apart_serve(&serve, NULL, args);
	one.fd = apart_dial("127.0.0.1", PORT);
	for (size_t sent = 0; sent < MUCH;) {
		ssize_t count = send(one.fd, got, MUCH - sent, MSG_NOSIGNAL);

		assert_true(count > 0);
		sent += (size_t)count;
	}
	assert_int_equal(poll(&one, 1, 50), 0); /* nothing comes back */
	apart_stop(&serve, SIGTERM, 0);
	close(one.fd);
	assert_int_equal(trial_number(&serve, "served.received_bytes"), MUCH);
	trial_end(&serve);
}

/* Peers that do not read do not keep it from others. */
static void generates(void **state)
{
	static uint8_t expected[MUCH];
	int deaf[DEAF];

	(void)state;
	chargen_write(0, expected, sizeof(expected));
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {"--listen",  HERE,       "--mode",
		                            "chargen",   "--engine", apart_engine(i),
		                            "--workers", "1",        NULL};
		struct trial serve;

		apart_serve(&serve, NULL, args);
		for (int j = 0; j < DEAF; j++)
			deaf[j] = apart_dial("127.0.0.1", PORT);
		int fd = apart_dial("127.0.0.1", PORT);

		assert_int_equal(take(fd, got, MUCH), MUCH);
		assert_memory_equal(got, expected, MUCH);
		assert_int_equal(take(deaf[0], got, MUCH), MUCH);
		assert_memory_equal(got, expected, MUCH);
		close(fd);
		apart_stop(&serve, SIGTERM,
		           0); /* which waits until it rests: the deaf cost nothing */
		for (int j = 0; j < DEAF; j++)
			close(deaf[j]);
		trial_end(&serve);
	}
}

/* --- push ---------------------------------------------------------------------------------------
 */

/* Reads a message and checks all of it; its round. */
static uint32_t message(int fd, uint64_t *due_ns)
{
	struct push_hearing hearing = {0};
	struct push_message m;
	uint32_t used, size;

	assert_int_equal(take(fd, got, PUSH_HEAD_BYTES), PUSH_HEAD_BYTES);
	size = (uint32_t)(uint8_t)got[6] << 8 | (uint8_t)got[7]; /* below 65,536 here */
	assert_int_equal(take(fd, got + PUSH_HEAD_BYTES, size - PUSH_HEAD_BYTES),
	                 size - PUSH_HEAD_BYTES);
	assert_int_equal(push_hear(&hearing, 0, (const uint8_t *)got, size, &used, &m), PUSH_WHOLE);
	*due_ns = m.due_ns;
	return m.round;
}

/* Rounds come one after the other, each when it is due, also beside peers that do not read; and it
 * echoes between them. Who has not yet read one when the next is due, as this test where others
 * have the CPU, does without that one: some may, not most. */
static void pushes_with(const char *engine, const char *size)
{
	const char *const args[] = {"--listen",  HERE,      "--mode", "push",     "--message-size",
	                            size,        "--every", "20ms",   "--engine", engine,
	                            "--workers", "1",       NULL};
	const int small = 4096;
	int deaf[DEAF];
	struct trial serve;
	uint64_t due_ns, before_ns;
	uint32_t missed = 0;

	apart_serve(&serve, NULL, args);
	for (int i = 0; i < DEAF; i++) {
		deaf[i] = apart_dial("127.0.0.1", PORT);
		setsockopt(deaf[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	}
	int fd = apart_dial("127.0.0.1", PORT);
	uint32_t round = message(fd, &before_ns);

	for (int i = 0; i < 30; i++) {
		uint32_t next = message(fd, &due_ns);

		assert_true(next > round);
		assert_int_equal(due_ns - before_ns, (uint64_t)(next - round) * 20 * NS_PER_MS);
		assert_true(clock_now_ns() >= due_ns);
		missed += next - round - 1;
		round = next;
		before_ns = due_ns;
	}
	assert_in_range(missed, 0, 29);
	say(fd, "x");
	while (take(fd, got, 1) == 1 && got[0] == PUSH_FIRST_BYTE) {
		uint8_t head[PUSH_HEAD_BYTES] = {PUSH_FIRST_BYTE};

		assert_int_equal(take(fd, head + 1, sizeof(head) - 1), sizeof(head) - 1);
		size_t rest = (size_t)((uint32_t)head[6] << 8 | head[7]) - sizeof(head);

		assert_int_equal(take(fd, got, rest), rest);
	}
	assert_int_equal(got[0], 'x');
	close(fd);
	for (int i = 0; i < DEAF; i++)
		close(deaf[i]);
	kill(serve.pid, SIGTERM);
	trial_wait(&serve, 30);
	trial_assert_code(&serve, 0);
	apart_assert_served(&serve, DEAF + 1, 0);
	trial_end(&serve);
}

static void pushes(void **state)
{
	(void)state;
	pushes_with(apart_engine(0), "100-60000");
	pushes_with(apart_engine(1), "64");
}

static void mistakes(void **state)
{
	static const struct apart_mistake table[] = {
		{{"--body", "5"}, 2, "--body is of --mode http"},
		{{"--mode", "http", "--body", "2GiB"}, 2, "--body 2GiB"},
		{{"--every", "1s"}, 2, "--every is of --mode push"},
		{{"--mode", "push", "--every", "0"}, 2, "--every 0"},
		{{"--mode", "http", "--message-size", "5"}, 2, "--message-size is of --mode push"},
		{{"--mode", "push", "--message-size", "65537"}, 2, "--message-size 65537"},
		{{"--mode", "HTTP"}, 2, "echo, hold, http, push, discard, chargen"},
	};

	(void)state;
	apart_assert_mistakes("serve", table, COUNT_OF(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(http_by_sockets), APART_TEST(http_by_curl), APART_TEST(discards),
		APART_TEST(generates),       APART_TEST(pushes),       APART_TEST(mistakes),
	};

	return cmocka_run_group_tests_name("lab_modes", tests, apart_set_up, NULL);
}
