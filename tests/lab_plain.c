/* lab_plain: latencies as megaconn tells them, beside a plain recording of each: 10,000 connections
 * to a server of the test's that keeps each message for a time of its own and writes down how long
 * it did. What a client measures cannot be less; it is more by what the machine takes, and by the
 * histogram's stated error (base/hist.h). */
#include "apart.h"

#include "base/clock.h"
#include "base/hist.h"
#include "base/map.h"
#include "base/mix.h"
#include "behave/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT       28640
#define MESSAGE    64
#define EVENTS     256
#define FDS        12000
#define RECORDS    200000
#define MACHINE_NS (8 * NS_PER_MS) /* of the machine's own that is allowed at a quantile */
#define TRIES      3
#define LEAST_NS   (40 * NS_PER_MS) /* kept for so long, and up to 2^5 times that */
#define DOUBLINGS  5

/* What the server has of a connection, by its descriptor. */
struct guest {
	uint8_t in[MESSAGE];
	size_t len;
	uint64_t heard_ns, due_ns; /* due_ns 0: nothing is kept */
};

/* Shared with the test. */
struct book {
	uint64_t count;
	uint64_t kept_ns[RECORDS];
};

struct server {
	int epoll_fd, listen_fd;
	struct guest guests[FDS];
	struct book *book;
};

/* --- the server ------------------------------------------------------------------------------ */

/* Of each doubling as many. */
static uint64_t draw_ns(uint64_t number)
{
	uint64_t random = mix64(number), base_ns = LEAST_NS << random % DOUBLINGS;

	return base_ns + (random >> 8) % base_ns;
}

static void answer(struct server *s, int fd)
{
	struct guest *g = &s->guests[fd];

	(void)!send(fd, g->in, MESSAGE, MSG_NOSIGNAL);
	if (s->book->count < RECORDS)
		s->book->kept_ns[s->book->count] = clock_now_ns() - g->heard_ns;
	s->book->count++;
	g->due_ns = 0;
	g->len = 0;
}

static void answer_due(struct server *s)
{
	uint64_t now_ns = clock_now_ns();

	for (int fd = 0; fd < FDS; fd++)
		if (s->guests[fd].due_ns != 0 && s->guests[fd].due_ns <= now_ns)
			answer(s, fd);
}

/* Tokens go back at once. */
static void hear(struct server *s, int fd)
{
	static uint64_t number;
	struct guest *g = &s->guests[fd];

	if (g->in[0] == 'M' && g->len == TOKEN_BYTES) {
		(void)!send(fd, g->in, TOKEN_BYTES, MSG_NOSIGNAL);
		g->len = 0;
	} else if (g->len == MESSAGE) {
		g->heard_ns = clock_now_ns();
		g->due_ns = g->heard_ns + draw_ns(number++);
	}
}

static void serve_one(struct server *s, int fd)
{
	struct guest *g = &s->guests[fd];
	ssize_t count = recv(fd, g->in + g->len, sizeof(g->in) - g->len, 0);

	if (count > 0) {
		g->len += (size_t)count;
		hear(s, fd);
		return;
	}
	g->due_ns = 0;
	close(fd);
}

static void watch(struct server *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		_exit(1);
}

static void take_in(struct server *s)
{
	int fd = accept(s->listen_fd, NULL, NULL);

	if (fd < 0)
		return;
	if (fd >= FDS)
		_exit(1);
	s->guests[fd] = (struct guest){.len = 0};
	watch(s, fd);
}

static void serve(struct server *s)
{
	struct epoll_event events[EVENTS];

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch(s, s->listen_fd);
	for (;;) {
		int count = epoll_wait(s->epoll_fd, events, EVENTS, 1);

		if (count < 0 && errno != EINTR)
			_exit(1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == s->listen_fd)
				take_in(s);
			else
				serve_one(s, events[i].data.fd);
		}
		answer_due(s);
	}
}

static void start_server(struct book *book)
{
	static struct server s;

	s.listen_fd = apart_listen("127.0.0.1", PORT, 4096);
	s.book = book;
	pid_t pid = fork();

	if (pid == 0)
		serve(&s);
	close(s.listen_fd);
	assert_true(pid > 0);
	apart_keep(pid);
}

/* --- the comparison -------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* 0, or which quantile is too high: that may be the machine's doing. Too low cannot be. */
static const char *compare(const struct trial *trial, const struct book *book)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "traffic.uncorrected_ns.%s", quantiles[i].name);
		uint64_t told_ns = (uint64_t)trial_number(trial, path);
		uint64_t plain_ns = book->kept_ns[hist_rank(quantiles[i].q, book->count) - 1];

		if (told_ns < plain_ns)
			fail_msg("%s: %.3f ms is told, and it took %.3f ms", quantiles[i].name,
			         (double)told_ns / 1e6, (double)plain_ns / 1e6);
		if ((double)told_ns > (double)(plain_ns + MACHINE_NS) * (1 + 1.0 / 128))
			return quantiles[i].name;
	}
	return NULL;
}

static const char *measure(struct book *book)
{
	const char *const args[] = {"127.0.0.1:28640", "-n",     "10k",    "--traffic", "echo",
	                            "--every",         "2500ms", "--hold", "5s",        NULL};
	struct trial trial;

	book->count = 0;
	apart_run(&trial, NULL, args);
	trial_assert_code(&trial, 0);
	int64_t said = trial_number(&trial, "traffic.said");

	assert_in_range(said, 19800, 20000);
	assert_int_equal(trial_number(&trial, "traffic.answers.good"), said);
	assert_int_equal(trial_number(&trial, "traffic.uncorrected_ns.count"), said);
	assert_int_equal(book->count, said);
	qsort(book->kept_ns, book->count, sizeof(book->kept_ns[0]), in_order);
	const char *too_high = compare(&trial, book);

	trial_end(&trial);
	return too_high;
}

static void quantiles_are_those_of_a_plain_recording(void **state)
{
	struct rlimit nofile;
	struct book *book = map_shared(sizeof(*book));
	const char *too_high = "";

	(void)state;
	assert_non_null(book);
	getrlimit(RLIMIT_NOFILE, &nofile);
	if (nofile.rlim_max < FDS)
		apart_skip("the hard limit of descriptors is below 12,000");
	nofile.rlim_cur = nofile.rlim_max;
	setrlimit(RLIMIT_NOFILE, &nofile);
	start_server(book);
	for (int i = 0; i < TRIES && too_high; i++)
		too_high = measure(book);
	if (too_high)
		fail_msg("%s is more than %d ms above the plain recording, %d times", too_high,
		         (int)(MACHINE_NS / NS_PER_MS), TRIES);
	map_drop(book, sizeof(*book));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(quantiles_are_those_of_a_plain_recording),
	};

	return cmocka_run_group_tests_name("lab_plain", tests, apart_set_up, NULL);
}
