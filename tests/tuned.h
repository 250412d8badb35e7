/* tuned: `megaconn tune` in a network and a file tree of the test's own. */
#pragma once

#include "snapshot.h"
#include "trial.h"

#define TUNED_STATE     "/var/lib/megaconn"
#define TUNED_SYSCTL_D  "/etc/sysctl.d"
#define TUNED_LIMITS_D  "/etc/security/limits.d"
#define TUNED_SYSCTL    TUNED_SYSCTL_D "/60-megaconn.conf"
#define TUNED_LIMITS    TUNED_LIMITS_D "/60-megaconn.conf"
#define TUNED_SOMAXCONN "/proc/sys/net/core/somaxconn"
#define TUNED_RANGE     "/proc/sys/net/ipv4/ip_local_port_range"
#define TUNED_N         "20k"

/* Group set-up, and set-up and tear-down of each test: a new network with small settings, an empty
 * /var/lib and /etc. */
int tuned_seal(void **state);
int tuned_fresh(void **state);
int tuned_stale(void **state);
#define TUNED_TEST(name) cmocka_unit_test_setup_teardown(name, tuned_fresh, tuned_stale)

/* Skip a test, with the reason, where that is forbidden, or children cannot be traced. */
void tuned_need_seal(void);
void tuned_need_killer(void);

/* `megaconn tune ARGS...`, a NULL behind them; what it printed is in tuned_said and tuned_erred.
 * Returns its exit code. */
int tuned_run(trial_prepare prepare, const char *const *args);
extern char tuned_said[TRIAL_TEXT_BYTES], tuned_erred[TRIAL_TEXT_BYTES];
#define TUNE(...)         tuned_run(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define TUNE_AS_USER(...) tuned_run(tuned_become_user, (const char *const[]){__VA_ARGS__, NULL})

/* An ordinary user: nobody, or one of a user namespace in which nobody is mapped; exit code 125
 * where there is none. */
void tuned_become_user(void);

/* Asserts the exit code, a text on stdout, and on stderr one line with a text, or none where it is
 * NULL. */
void tuned_check(int code, int expected, const char *says, const char *errs);

/* Kills the verb before its k-th step; false where it came to its end. */
bool tuned_kill_at(const char *const *args, unsigned int k);

/* All settings, as they were when the test began, or since the test took them again. */
extern struct snapshot tuned_before;
void tuned_assert_as_before(const char *when);

/* How many journals there are; the path of the first one, where it is wanted. */
size_t tuned_journals(char path[128]);

/* Files; tuned_set is for settings, which are there already. */
void tuned_write(const char *path, const char *text);
void tuned_set(const char *path, const char *text);
size_t tuned_read(const char *path, char *text, size_t size);
void tuned_assert_text(const char *path, const char *expected);
