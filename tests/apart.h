/* apart: serve and connect side by side, on a network of the test's own where that is allowed. */
#pragma once

#include "trial.h"

#include <netinet/in.h>

/* Group set-up: the test's process, and all that it starts, goes into a private network with the
 * loopback up; an ordinary user gets one in a user namespace. Where that is forbidden the tests run
 * on the host's 127.0.0.0/8. */
int apart_set_up(void **state);
bool apart_is_private(void);

/* Whether /dev/net/tun can be opened here. */
bool apart_has_tun(void);

/* A test after which nothing of it runs, even where it has failed. */
#define APART_TEST(name) cmocka_unit_test_teardown(name, apart_tear_down)
int apart_tear_down(void **state);

/* Has it ended with the test: a child of the test's, by its process id. */
void apart_keep(pid_t pid);

/* Skips a test (by longjmp) that needs something which is not here, and says what. */
void apart_skip(const char *why) __attribute__((noreturn));

/* "uring" where the kernel has it, else "epoll": for tests that say an engine. */
#define APART_ENGINES 2
const char *apart_engine(int number);

/* `megaconn serve ARGS...`; returns when it listens. */
void apart_serve(struct trial *serve, trial_prepare prepare, const char *const *args);

/* Waits until its workers rest: what came over the loopback is handled, and counted. */
void apart_settle(const struct trial *serve);

/* Settles, signals it, waits for its end, and asserts that nothing of it is left. */
void apart_stop(struct trial *serve, int signal, int code);

/* `megaconn connect ARGS...`: started; until it holds; to its end. */
void apart_connect(struct trial *connect, trial_prepare prepare, const char *const *args);
void apart_hold(struct trial *connect, trial_prepare prepare, const char *const *args);
void apart_run(struct trial *connect, trial_prepare prepare, const char *const *args);

/* Asserts that the summed causes of "lost" (or "failed.total") are exactly this one. */
void apart_assert_lost(const struct trial *trial, const char *cause, int64_t count);
void apart_assert_failed(const struct trial *trial, const char *cause, int64_t count);

/* Asserts what a passed run of n proved connections must have in connect's result. */
void apart_assert_proved(const struct trial *connect, int64_t n);

/* The same where no kernel was asked: neither end's is this one's. */
void apart_assert_proved_unasked(const struct trial *connect, int64_t n);

/* Likewise of a serve that has accepted n. */
void apart_assert_served(const struct trial *serve, int64_t accepted, int64_t tokens);

/* How often the text stands on stderr. */
int apart_count(const struct trial *trial, const char *text);

/* The CPU time that it has had, in milliseconds. */
int64_t apart_cpu_ms(pid_t pid);

/* N of most tests: 2000, or 1000 in the sanitized run. */
int64_t apart_n(void);
const char *apart_n_text(void);

/* A plain socket: listening on, or connected to, a loopback address ("127.0.0.1", "::1"). */
int apart_listen(const char *address, uint16_t port, int backlog);
int apart_dial(const char *address, uint16_t port);

/* Waits until a process listens there. */
void apart_await(const char *address, uint16_t port, pid_t pid);
void apart_address(const char *address, uint16_t port, struct sockaddr_storage *out,
                   socklen_t *len);

void apart_sleep(unsigned int ms);

/* trial_prepare functions: descriptor limits, soft and hard. */
void apart_nofile_64(void);
void apart_nofile_256(void);

/* A command line that must be refused: exit code, and one line on stderr that has these words. */
struct apart_mistake {
	const char *args[8];
	int code;
	const char *says;
};
void apart_assert_mistakes(const char *command, const struct apart_mistake *mistakes, size_t count);
