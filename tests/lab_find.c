/* --find-max against a server whose limit is known: how many connections it serves at a time, or
 * how many messages it answers. */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT   28960
#define TARGET "127.0.0.1:28960"
#define EVENTS 256

/* Echoes to `guests` at a time, and closes what comes beyond; echoes `bytes` since it was last
 * alone, and is silent beyond. Counting bytes and not time makes a rate that is exact: an open loop
 * of R messages a second says R x hold of them. */
struct host {
	int guests;
	uint64_t bytes;
};

static uint64_t heard;
static int open_now;

static void welcome(const struct host *host, int listener, int watched)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

		if (open_now >= host->guests) {
			close(fd);
			continue;
		}
		open_now++;
		epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event);
	}
}

static void hear(const struct host *host, int fd)
{
	char data[4096];
	ssize_t count = recv(fd, data, sizeof(data), 0);

	if (count < 0 && errno == EAGAIN)
		return;
	if (count <= 0) {
		close(fd);
		open_now--;
		heard = open_now > 0 ? heard : 0;
		return;
	}
	heard += (uint64_t)count;
	if (heard <= host->bytes)
		(void)!send(fd, data, (size_t)count, MSG_NOSIGNAL);
}

static void be_host(const struct host *host)
{
	struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
	int listener = apart_listen("127.0.0.1", PORT, 4096), watched = epoll_create1(0);

	fcntl(listener, F_SETFL, O_NONBLOCK);
	event.data.fd = listener;
	epoll_ctl(watched, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(watched, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				welcome(host, listener, watched);
			else
				hear(host, events[i].data.fd);
		}
	}
}

static void start_host(const struct host *host)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_host(host);
	}
	apart_keep(pid);
	apart_await("127.0.0.1", PORT, pid);
}

static void find(struct trial *trial, const char *const *args)
{
	trial_start_command(trial, "connect", NULL, args);
	trial_wait(trial, 120);
}

/* --- connections ---------------------------------------------------------------------------- */

static void connections(void **state)
{
	static const char *const args[] = {TARGET,      "-n",         "2000",      "--hold",
	                                   "20ms",      "--find-max", "--timeout", "150ms",
	                                   "--retries", "0",          NULL};
	const struct host host = {.guests = 300, .bytes = UINT64_MAX};
	struct trial trial;

	(void)state;
	start_host(&host);
	find(&trial, args);
	trial_assert_code(&trial, 0);
	int64_t found = trial_number(&trial, "search.found");

	assert_true(found <= 300 && found >= 294);
	assert_string_equal(trial_word(&trial, "verdict"), "pass");
	assert_string_equal(trial_word(&trial, "search.what"), "connections");
	assert_int_equal(trial_number(&trial, "established.client"), found);
	assert_int_equal(trial_number(&trial, "proved.echoed"), found);
	assert_int_equal(trial_number(&trial, "search.trials.0.asked"), 32);
	assert_int_equal(trial_number(&trial, "search.trials.1.asked"), 64);
	assert_int_equal(trial_number(&trial, "search.trials.4.asked"), 512);
	/* A line a trial, and the last of them is in the result. */
	assert_non_null(strstr(trial.err, "trial 1: 32 connections: failed 0 %: passed"));
	assert_non_null(strstr(trial.err, "trial 5: 512 connections: failed "));
	assert_int_equal(apart_count(&trial, "megaconn: trial "),
	                 (int)json_array_size(json_object_get(
				 json_object_get(trial.result, "search"), "trials")));
	trial_assert_no_process_left(&trial);
	trial_end(&trial);
}

static void not_even_the_first(void **state)
{
	static const char *const args[] = {
		TARGET,           "-n",        "100", "--hold",  "200ms", "--find-max", "--timeout",
		"200ms",          "--retries", "0",   "--proof", "none",  "--traffic",  "echo",
		"--message-rate", "1k/s",      NULL};
	const struct host host = {.guests = 1000, .bytes = UINT64_C(50) * 64};
	struct trial trial;

	(void)state;
	start_host(&host);
	find(&trial, args);
	trial_assert_code(&trial, 3);
	assert_string_equal(trial_word(&trial, "verdict"), "fail");
	assert_non_null(strstr(trial_word(&trial, "reason"), "even 1,000 messages/s do not pass"));
	assert_int_equal(trial_number(&trial, "search.found"), 0);
	trial_end(&trial);
}

static void interrupted(void **state)
{
	static const char *const args[] = {TARGET,  "-n",         "6400", "--hold",
	                                   "300ms", "--find-max", NULL};
	const struct host host = {.guests = 10000, .bytes = UINT64_MAX};
	struct trial trial;

	(void)state;
	start_host(&host);
	trial_start_command(&trial, "connect", NULL, args);
	trial_wait_text(&trial, "trial 1: 100 connections: failed 0 %: passed", 30);
	kill(trial.pid, SIGINT);
	trial_wait(&trial, 30);
	trial_assert_code(&trial, 130);
	assert_string_equal(trial_word(&trial, "verdict"), "partial");
	assert_true(trial_number(&trial, "search.found") >= 100);
	assert_non_null(strstr(trial_word(&trial, "reason"), "interrupted: at least "));
	trial_assert_no_process_left(&trial);
	trial_end(&trial);
}

/* --- rates ---------------------------------------------------------------------------------- */

/* 3,500 messages of 64 bytes, in a hold of a second. */
static void messages(void **state)
{
	static const char *const args[] = {
		TARGET,           "-n",     "100",     "--hold", "1s",        "--find-max",
		"--timeout",      "300ms",  "--proof", "none",   "--traffic", "echo",
		"--message-rate", "1000/s", "--p99",   "200ms",  NULL};
	const struct host host = {.guests = 1000, .bytes = UINT64_C(3500) * 64};
	struct trial trial;

	(void)state;
	if (!trial_is_full())
		apart_skip("it takes time: only in test-full");
	start_host(&host);
	find(&trial, args);
	trial_assert_code(&trial, 0);
	int64_t found = trial_number(&trial, "search.found");

	assert_true(found <= 3510 && found >= 3330);
	assert_string_equal(trial_word(&trial, "search.what"), "messages");
	assert_int_equal(trial_number(&trial, "search.p99_most_ns"), 200000000);
	assert_int_equal(trial_number(&trial, "search.trials.0.asked"), 1000);
	trial_end(&trial);
}

static void a_lab_churns(void **state)
{
	static const char *const args[] = {"-n",         "500",     "--hold", "500ms",
	                                   "--find-max", "--churn", "100k/s", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	/* Far more than 500 connections can do. */
	trial_assert_code(&trial, 3);
	assert_string_equal(trial_word(&trial, "search.what"), "churn");
	assert_int_equal(trial_number(&trial, "search.trials.0.asked"), 100000);
	assert_non_null(strstr(trial_word(&trial, "search.trials.0.why_not"), "were reached"));
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(connections), APART_TEST(not_even_the_first), APART_TEST(interrupted),
		APART_TEST(messages),    APART_TEST(a_lab_churns),
	};

	if (!trial_program())
		return 77;
	return cmocka_run_group_tests_name("find", tests, apart_set_up, NULL);
}
