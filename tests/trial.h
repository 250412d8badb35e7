/* trial: what the lab tests share: starting megaconn, reading its result, looking at its processes.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define TRIAL_ARGS_MOST  32
#define TRIAL_TEXT_BYTES 16384

/* What is done in the child before it becomes megaconn: limits, user ids, filters. */
typedef void (*trial_prepare)(void);

struct trial {
	pid_t pid;
	char json_path[64];
	int err_fd; /* memory file with what it printed on stderr; likewise out */
	int out_fd;
	int code; /* exit code, or 128 + signal */
	json_t *result;
	char err[TRIAL_TEXT_BYTES];
	char out[TRIAL_TEXT_BYTES];
};

/* The path of the program that is tested: $MEGACONN, else build/megaconn; NULL where there is none.
 */
const char *trial_program(void);

/* Starts `megaconn COMMAND --json FILE ARGS...` (NULL-terminated). */
void trial_start_command(struct trial *trial, const char *command, trial_prepare prepare,
                         const char *const *args);

/* Starts `megaconn run FILE --json ...`. */
void trial_start_scenario(struct trial *trial, const char *file, trial_prepare prepare,
                          const char *const *args);

/* Starts a lab. */
void trial_start(struct trial *trial, trial_prepare prepare, const char *const *args);

/* Waits for it, at most `seconds`, and reads what it left; result is NULL where there is none. */
void trial_wait(struct trial *trial, unsigned int seconds);

/* Both. */
void trial_run(struct trial *trial, trial_prepare prepare, const char *const *args);
void trial_end(struct trial *trial);

/* A number of the result by dotted path ("established.client", "stages.0.open_after"); -1 where it
 * is null or missing. */
int64_t trial_number(const struct trial *trial, const char *path);
double trial_real(const struct trial *trial, const char *path);
const char *trial_word(const struct trial *trial, const char *path);

/* Asserts all that a passed run of n connections must have in its result. */
void trial_assert_passed(const struct trial *trial, int64_t n);

/* Fails with the program's own words. */
void trial_assert_code(const struct trial *trial, int code);

/* Waits until a process of the run has this name ("mc-client-0"), and returns its pid. */
pid_t trial_find(const struct trial *trial, const char *name);

/* How many processes of the run have a name that starts so; the first `most` of them in `pids`. */
int trial_pids(const struct trial *trial, const char *prefix, pid_t *pids, int most);

/* Waits until the live lines on stderr show this text. */
void trial_wait_text(struct trial *trial, const char *text, unsigned int seconds);

/* TCP sockets of the whole machine. */
int64_t trial_tcp_alloc(void);

/* Asserts that within 5 s no process of the run is left. */
void trial_assert_no_process_left(const struct trial *trial);

/* Asserts that within 5 s no process of the run is left and TCP sockets are back at `alloc` (these
 * within 20 s in the full run of a million). */
void trial_assert_nothing_left(const struct trial *trial, int64_t alloc);

/* N as text: `normal`, or `small` in the sanitized run, or `full` in test-full. */
const char *trial_n(const char *normal, const char *small, const char *full);
bool trial_is_small(void);
bool trial_is_full(void);

/* The machine's root, not one of a user namespace. */
bool trial_is_root(void);

/* trial_prepare functions: an ordinary user (nobody), with root's rights gone. */
void trial_become_nobody(void);

/* Whether private namespaces work for an ordinary user here. */
bool trial_has_user_namespaces(void);
