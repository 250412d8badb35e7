/* lab_traffic: what connections say while they are held, and what comes of it: against servers that
 * delay, drop, spoil, cut short, double and repeat, each of which is called by its name; against
 * one that stands still for a second; and at rates that must hold, over all engines. */
#include "apart.h"

#include "base/clock.h"
#include "behave/token.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PORT        28600
#define N           20
#define MESSAGE     64
#define FDS         64
#define LATE_NS     (450 * NS_PER_MS)

/* --- a server without manners -------------------------------------------------------------------
 */

enum manner { ECHOES, DELAYS, DROPS, SPOILS, CUTS_SHORT, DOUBLES, REPEATS, STALLS, MANNERS };

struct guest {
	uint8_t in[2048], before[MESSAGE], late[MESSAGE];
	size_t len;
	uint32_t answered;
	uint64_t late_ns; /* its answer is due then; 0: none is */
};

struct server {
	enum manner manner;
	struct pollfd fds[FDS];
	struct guest guests[FDS];
	nfds_t count;
	uint64_t first_ns; /* a message came */
	bool has_stalled;
};

static void say(int fd, const void *data, size_t len)
{
	(void)!send(fd, data, len, MSG_NOSIGNAL);
}

static void answer(struct server *s, int fd, struct guest *g)
{
	uint8_t twice[2 * MESSAGE];

	switch (s->manner) {
	case DELAYS:
		memcpy(g->late, g->in, MESSAGE);
		g->late_ns = clock_now_ns() + LATE_NS;
		break;
	case DROPS:
		break;
	case SPOILS:
		g->in[40] ^= 1;
		say(fd, g->in, MESSAGE);
		break;
	case CUTS_SHORT:
		say(fd, g->in, 30);
		break;
	case DOUBLES:
		memcpy(twice, g->in, MESSAGE);
		memcpy(twice + MESSAGE, g->in, MESSAGE);
		say(fd, twice, sizeof(twice));
		break;
	case REPEATS:
		say(fd, g->answered > 0 ? g->before : g->in, MESSAGE);
		memcpy(g->before, g->in, MESSAGE);
		break;
	case ECHOES:
	case STALLS:
	case MANNERS:
		say(fd, g->in, MESSAGE);
		break;
	}
	g->answered++;
}

/* For one second exactly, once, a second after the first message. */
static void stall(struct server *s)
{
	uint64_t now_ns = clock_now_ns();

	s->first_ns = s->first_ns == 0 ? now_ns : s->first_ns;
	if (s->manner != STALLS || s->has_stalled || now_ns < s->first_ns + NS_PER_S)
		return;
	s->has_stalled = true;
	while (clock_now_ns() < now_ns + NS_PER_S)
		usleep(200);
}

/* Tokens it echoes as it should. */
static void hear(struct server *s, int fd, struct guest *g)
{
	for (;;) {
		bool is_token = g->len > 0 && g->in[0] == 'M';
		size_t size = is_token ? TOKEN_BYTES : MESSAGE;

		if (g->len < size)
			return;
		if (is_token) {
			say(fd, g->in, size);
		} else {
			stall(s);
			answer(s, fd, g);
		}
		g->len -= size;
		memmove(g->in, g->in + size, g->len);
	}
}

static void serve_one(struct server *s, nfds_t i)
{
	struct guest *g = &s->guests[i];
	ssize_t count = recv(s->fds[i].fd, g->in + g->len, sizeof(g->in) - g->len, 0);

	if (count > 0) {
		g->len += (size_t)count;
		hear(s, s->fds[i].fd, g);
		return;
	}
	close(s->fds[i].fd);
	s->count--;
	s->fds[i] = s->fds[s->count];
	s->guests[i] = s->guests[s->count];
}

static void say_late(struct server *s)
{
	for (nfds_t i = 1; i < s->count; i++) {
		struct guest *g = &s->guests[i];

		if (g->late_ns == 0 || clock_now_ns() < g->late_ns)
			continue;
		say(s->fds[i].fd, g->late, MESSAGE);
		g->late_ns = 0;
	}
}

static void serve(struct server *s)
{
	for (;;) {
		if (poll(s->fds, s->count, 5) < 0 && errno != EINTR)
			_exit(1);
		say_late(s);
		for (nfds_t i = s->count; i-- > 1;)
			if (s->fds[i].revents)
				serve_one(s, i);
		if (s->fds[0].revents && s->count < FDS) {
			s->guests[s->count] = (struct guest){.len = 0};
			s->fds[s->count++] = (struct pollfd){.fd = accept(s->fds[0].fd, NULL, NULL),
			                                     .events = POLLIN};
		}
	}
}

/* Each manner has its port. */
static void start_server(enum manner manner)
{
	static struct server s;
	int fd = apart_listen("127.0.0.1", (uint16_t)(PORT + manner), 64);
	pid_t pid = fork();

	if (pid == 0) {
		s = (struct server){.manner = manner, .count = 1};
		s.fds[0] = (struct pollfd){.fd = fd, .events = POLLIN};
		serve(&s);
	}
	close(fd);
	assert_true(pid > 0);
	apart_keep(pid);
}

/* --- results ---------------------------------------------------------------------------------- */

static int64_t number(const struct trial *trial, const char *name)
{
	char path[120];

	snprintf(path, sizeof(path), "traffic.%s", name);
	return trial_number(trial, path);
}

static int64_t answers(const struct trial *trial, const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "answers.%s", name);
	return number(trial, path);
}

/* Said is the sum of all ends. */
static void assert_identity(const struct trial *trial)
{
	static const char *const ends[] = {"good",     "late",    "mismatched",
	                                   "repeated", "status",  "malformed",
	                                   "partial",  "missing", "cut"};
	int64_t sum = 0;

	for (size_t i = 0; i < COUNT_OF(ends); i++)
		sum += answers(trial, ends[i]);
	if (sum != number(trial, "said"))
		fail_msg("%lld said, %lld ended", (long long)number(trial, "said"), (long long)sum);
}

static void assert_answers(const struct trial *trial, const char *name, int64_t count)
{
	if (answers(trial, name) != count)
		fail_msg("%s: %lld, not %lld\n%s%s", name, (long long)answers(trial, name),
		         (long long)count, trial->err, trial->out);
}

static double ms(const struct trial *trial, const char *name)
{
	return (double)number(trial, name) / (double)NS_PER_MS;
}

/* --- the tests ----------------------------------------------------------------------------------
 */

/* What comes of N messages, one on each connection, or of two where the second is a repetition. */
static const struct {
	enum manner manner;
	const char *every, *name;
	int64_t good, count, overdue, unasked, lost;
} cases[] = {
	{ECHOES, "400ms", "good", N, N, 0, 0, 0},
	{DELAYS, "400ms", "late", 0, N, N, 0, 0},
	{DROPS, "400ms", "missing", 0, N, N, 0, N},
	{SPOILS, "400ms", "mismatched", 0, N, 0, 0, N},
	{CUTS_SHORT, "400ms", "partial", 0, N, N, 0, N},
	{DOUBLES, "400ms", "good", N, N, 0, N, 0},
	{REPEATS, "200ms", "repeated", N, N, 0, 0, N},
};

static void start_case(struct trial *trial, size_t i, int engine)
{
	char target[32];

	snprintf(target, sizeof(target), "127.0.0.1:%d", PORT + (int)cases[i].manner);
	const char *const args[] = {target,
	                            "-n",
	                            "20",
	                            "--traffic",
	                            "echo",
	                            "--every",
	                            cases[i].every,
	                            "--hold",
	                            "400ms",
	                            "--timeout",
	                            "300ms",
	                            "--engine",
	                            apart_engine(engine),
	                            NULL};

	apart_connect(trial, NULL, args);
}

/* Those that were said last have less time to be late in than the server takes. */
static void check_late(const struct trial *trial)
{
	int64_t late = answers(trial, "late"), missing = answers(trial, "missing");

	assert_in_range(late, N / 2, N);
	assert_int_equal(late + missing, N);
	assert_int_equal(trial_number(trial, "lost"), missing);
	assert_in_range(number(trial, "corrected_ns.max"), LATE_NS, 2 * LATE_NS);
}

static void check_case(struct trial *trial, size_t i)
{
	trial_wait(trial, 30);
	assert_non_null(trial->result);
	assert_identity(trial);
	assert_answers(trial, "good", cases[i].good);
	assert_answers(trial, "overdue", cases[i].overdue);
	assert_answers(trial, "unasked", cases[i].unasked);
	if (cases[i].manner == DELAYS) {
		check_late(trial);
	} else {
		assert_answers(trial, cases[i].name, cases[i].count);
		assert_int_equal(trial_number(trial, "lost"), cases[i].lost);
	}
	trial_end(trial);
}

static void each_has_its_name(void **state)
{
	struct trial trials[COUNT_OF(cases)];

	(void)state;
	for (int m = 0; m < STALLS; m++)
		start_server((enum manner)m);
	for (int engine = 0; engine < APART_ENGINES; engine++) {
		for (size_t i = 0; i < COUNT_OF(cases); i++)
			start_case(&trials[i], i, engine);
		for (size_t i = 0; i < COUNT_OF(cases); i++)
			check_case(&trials[i], i);
	}
}

/* 10 connections say a message every 10 ms for 3 s, of which the server stands still for one: a
 * third of the messages are due then, and latency goes from a second down to nothing. So 1 % of all
 * take longer than 0.97 s from when they were due, and 10 % longer than 0.7 s. Of those that were
 * said, there are only 10 that the server did not answer at once. */
static void a_second_shows(void **state)
{
	const char *const args[] = {
		"127.0.0.1:28607", "-n", "10",        "--traffic", "echo", "--every", "10ms",
		"--hold",          "3s", "--timeout", "3s",        NULL};
	struct trial trial;

	(void)state;
	start_server(STALLS);
	apart_run(&trial, NULL, args);
	trial_assert_code(&trial, 0);
	assert_identity(&trial);
	assert_answers(&trial, "good", number(&trial, "said"));
	assert_in_range(number(&trial, "said"), 2970, 3010);
	assert_in_range(number(&trial, "busy"), 900, 1100);
	assert_in_range((int64_t)ms(&trial, "corrected_ns.p99"), 945, 1045);
	assert_in_range((int64_t)ms(&trial, "corrected_ns.p90"), 660, 800);
	assert_in_range((int64_t)ms(&trial, "corrected_ns.max"), 985, 1150);
	assert_in_range((int64_t)ms(&trial, "uncorrected_ns.max"), 985, 1150);
	assert_true(ms(&trial, "corrected_ns.p50") < 100);
	assert_true(ms(&trial, "uncorrected_ns.p99") < 100);
	trial_end(&trial);
}

/* Rates are those that were asked for, to 1 %: for 2 s, and in test-full for 60; also small ones,
 * and of workers with few connections. */
static void rates_hold(void **state)
{
	static const struct {
		const char *n, *key, *value;
		int64_t per_s;
	} rates[] = {
		{"300", "--message-rate", "700", 700},
		{"3", "--message-rate", "1000", 1000},
		{"200", "--message-rate", "1", 1},
		{"100", "--every", "100ms", 1000},
	};
	const int64_t seconds = trial_is_full() ? 60 : 2;
	struct trial trials[COUNT_OF(rates)];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rates); i++) {
		const char *const args[] = {
			"-n",         rates[i].n,     "--traffic", "echo",
			rates[i].key, rates[i].value, "--hold",    trial_is_full() ? "60s" : "2s",
			NULL};

		trial_start(&trials[i], NULL, args);
	}
	for (size_t i = 0; i < COUNT_OF(rates); i++) {
		const int64_t asked = rates[i].per_s * seconds, said_most = asked + asked / 100 + 1;

		trial_wait(&trials[i], 90);
		trial_assert_code(&trials[i], 0);
		assert_identity(&trials[i]);
		assert_answers(&trials[i], "good", number(&trials[i], "said"));
		if (number(&trials[i], "said") < asked - asked / 100 ||
		    number(&trials[i], "said") > said_most)
			fail_msg("%s %s: %lld messages in %lld s", rates[i].key, rates[i].value,
			         (long long)number(&trials[i], "said"), (long long)seconds);
		assert_int_equal(number(&trials[i], "corrected_ns.count"),
		                 number(&trials[i], "said"));
		trial_end(&trials[i]);
	}
}

/* Messages of all sizes, as fast as they go: all are right, and both ends prove each connection
 * after them. */
static void all_engines_talk(void **state)
{
	static const char *const ways[][4] = {
		{"--engine", "uring", "--message-size", "1-9000"},
		{"--engine", "epoll", "--message-size", "1-9000"},
		{"--clients", "tun", "--message-size", "1-900"},
		{"--clients", "packet", "--message-size", "1-128"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		const char *const args[] = {"-n",          "300",      "--traffic", "echo",
		                            ways[i][0],    ways[i][1], ways[i][2],  ways[i][3],
		                            "--in-flight", "100",      "--hold",    "400ms",
		                            NULL};
		struct trial trial;

		if (i == 0 && strcmp(apart_engine(0), "uring") != 0)
			continue;
		if (i >= 2 && !apart_has_tun())
			continue;
		trial_run(&trial, NULL, args);
		trial_assert_passed(&trial, 300);
		assert_identity(&trial);
		assert_int_equal(answers(&trial, "good") + answers(&trial, "late"),
		                 number(&trial, "said"));
		assert_true(number(&trial, "said") > 300);
		assert_int_equal(number(&trial, "said_bytes"), number(&trial, "heard_bytes"));
		trial_end(&trial);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(each_has_its_name),
		APART_TEST(a_second_shows),
		APART_TEST(rates_hold),
		APART_TEST(all_engines_talk),
	};

	return cmocka_run_group_tests_name("lab_traffic", tests, apart_set_up, NULL);
}
