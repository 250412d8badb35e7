/* lab_tune: `megaconn tune` apply and revert: what is raised is put back byte by byte, wherever the
 * program is killed: all of /proc/sys/net, fs and kernel is compared. */
#include "sealed.h"
#include "tuned.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

static void apply(void)
{
	tuned_check(TUNE("apply", "-n", TUNED_N), 0, "net.core.somaxconn: 128 -> ", NULL);
}

/* ---- apply and revert ----------------------------------------------------------------------- */

static void forth_and_back(void **state)
{
	(void)state;
	tuned_need_seal();
	apply();
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_assert_text(TUNED_RANGE, "10240\t65535\n");
	tuned_check(TUNE("apply", "-n", TUNED_N), 0, "nothing to change", NULL);
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_check(TUNE("show", "-n", TUNED_N), 0, "enough  128\n", NULL);
	tuned_check(TUNE("diff", "-n", TUNED_N), 0, "nothing to change", NULL);
	tuned_check(TUNE("revert"), 0, " -> 128\n", NULL);
	tuned_assert_as_before("after revert");
	assert_int_equal(tuned_journals(NULL), 0);
	tuned_check(TUNE("revert"), 0, "nothing to revert\n", NULL);
	tuned_check(TUNE("revert", "--force"), 0, "nothing to revert\n", NULL);
}

static void dry_runs_write_nothing(void **state)
{
	(void)state;
	tuned_need_seal();
	tuned_check(TUNE("apply", "-n", TUNED_N, "--dry-run"), 0,
	            "would set net.core.somaxconn: 128 -> ", NULL);
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k", "--dry-run"), 0,
	            "would write " TUNED_SYSCTL, NULL);
	tuned_check(TUNE("diff", "-n", TUNED_N), 0, "net.core.somaxconn: 128 -> ", NULL);
	tuned_check(TUNE("show", "-n", TUNED_N), 0, "net.core.somaxconn", NULL);
	tuned_check(TUNE("revert"), 0, "nothing to revert\n", NULL);
	tuned_assert_as_before("after dry runs");
	assert_int_equal(access(TUNED_STATE, F_OK), -1);
	assert_int_equal(access(TUNED_SYSCTL, F_OK), -1);
	assert_int_equal(access(TUNED_LIMITS, F_OK), -1);
	apply();
	snapshot_take(&tuned_before);
	tuned_check(TUNE("revert", "--dry-run"), 0, "would set net.core.somaxconn: ", NULL);
	tuned_assert_as_before("after a dry revert");
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 0, "written: " TUNED_LIMITS,
	            NULL);
	tuned_check(TUNE("unpersist", "--dry-run"), 0, TUNED_LIMITS ": would be removed\n", NULL);
	assert_int_equal(access(TUNED_SYSCTL, F_OK), 0);
	assert_int_equal(access(TUNED_LIMITS, F_OK), 0);
}

static void lowers_nothing(void **state)
{
	(void)state;
	tuned_need_seal();
	tuned_set(TUNED_SOMAXCONN, "2000000\n");
	tuned_set(TUNED_RANGE, "2000 65000\n");
	assert_int_equal(TUNE("apply", "-n", TUNED_N), 0);
	tuned_assert_text(TUNED_SOMAXCONN, "2000000\n");
	char range[64];

	tuned_read(TUNED_RANGE, range, sizeof(range));
	assert_true(strtol(range, NULL, 10) <= 2000 &&
	            strtol(strchr(range, '\t'), NULL, 10) >= 65000);
	assert_int_equal(TUNE("revert"), 0);
	tuned_assert_text(TUNED_RANGE, "2000\t65000\n");
}

static void changed_by_somebody(void **state)
{
	(void)state;
	tuned_need_seal();
	apply();
	tuned_set(TUNED_SOMAXCONN, "777777\n");
	tuned_check(TUNE("revert"), 1, "net.core.somaxconn: is 777777",
	            "--force puts the old values back");
	tuned_assert_text(TUNED_SOMAXCONN, "777777\n");
	tuned_assert_text(TUNED_RANGE, "40000\t40999\n");
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_check(TUNE("revert"), 1, "net.ipv4.ip_local_port_range: is 40000 40999, as before\n",
	            "somebody else has changed 1");
	tuned_check(TUNE("revert", "--force"), 0, "net.core.somaxconn: 777777 -> 128 ", NULL);
	tuned_assert_as_before("after revert --force");
	assert_int_equal(tuned_journals(NULL), 0);
}

/* ---- killed --------------------------------------------------------------------------------- */

/* Sanitized, the same is killed at the same steps, and each start of it takes longer. */
static void need_killer(void)
{
	tuned_need_killer();
	if (trial_is_small())
		skip();
}

static void reverted_after(const char *verb, unsigned int k)
{
	char when[64];

	snprintf(when, sizeof(when), "%s killed at step %u, then reverted", verb, k);
	tuned_check(TUNE("revert"), 0, "", NULL);
	tuned_assert_as_before(when);
	assert_int_equal(tuned_journals(NULL), 0);
}

static void apply_killed_anywhere(void **state)
{
	static const char *const args[] = {"apply", "-n", TUNED_N, NULL};
	unsigned int k = 0;
	bool was_killed = true;

	(void)state;
	need_killer();
	for (; was_killed; k++) {
		was_killed = tuned_kill_at(args, k);
		reverted_after("apply", k);
	}
	/* The journal alone is more than that, twice. */
	assert_true(k > 15);
}

/* Killed, applied again over what that has left, then all of it reverted. */
static void apply_killed_and_repeated(void **state)
{
	static const char *const args[] = {"apply", "-n", TUNED_N, NULL};
	bool was_killed = true;

	(void)state;
	need_killer();
	for (unsigned int k = 0; was_killed; k++) {
		was_killed = tuned_kill_at(args, k);
		tuned_check(TUNE("apply", "-n", TUNED_N), 0, "", NULL);
		reverted_after("apply, again,", k);
	}
}

static void revert_killed_anywhere(void **state)
{
	static const char *const args[] = {"revert", NULL};
	unsigned int k = 0;
	bool was_killed = true;

	(void)state;
	need_killer();
	for (; was_killed; k++) {
		apply();
		was_killed = tuned_kill_at(args, k);
		reverted_after("revert", k);
	}
	assert_true(k > 4);
}

/* ---- journals ------------------------------------------------------------------------------- */

/* Puts another id or inode (as many bytes) at "boot=" or "netns=", and a right checksum. */
static void forge(const char *path, const char *key, const char *value)
{
	char text[8192];
	size_t len = tuned_read(path, text, sizeof(text));
	char *at = strstr(text, key);

	assert_non_null(at);
	for (at += strlen(key); *value != '\0'; value++)
		*at++ = *value;
	char *last = text + len - strlen("01234567\n");

	snprintf(last, sizeof("01234567\n"), "%08lx\n",
	         crc32(0, (const Bytef *)text, (uInt)(last - text)));
	tuned_write(path, text);
}

static void other_boot(void **state)
{
	char path[128];

	(void)state;
	tuned_need_seal();
	apply();
	snapshot_take(&tuned_before);
	assert_int_equal(tuned_journals(path), 1);
	forge(path, "boot=", "00000000-0000-0000-0000-000000000000");
	tuned_check(TUNE("revert", "--dry-run"), 0, "the machine was started since", NULL);
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_check(TUNE("revert"), 0, "the machine was started since", NULL);
	tuned_assert_as_before("after revert of another boot");
	assert_int_equal(tuned_journals(NULL), 0);
	tuned_check(TUNE("revert"), 0, "nothing to revert\n", NULL);
}

static void other_namespace(void **state)
{
	char here[64];
	struct stat stat_of;

	(void)state;
	tuned_need_seal();
	assert_int_equal(stat("/proc/self/ns/net", &stat_of), 0);
	snprintf(here, sizeof(here), "network namespace %lu, this is ",
	         (unsigned long)stat_of.st_ino);
	apply();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	snapshot_take(&tuned_before);
	tuned_check(TUNE("revert"), 4, "", here);
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_check(TUNE("revert", "--force"), 0,
	            "net.core.somaxconn: is another network namespace's", NULL);
	assert_int_equal(tuned_journals(NULL), 0);
	tuned_assert_as_before("after revert of another namespace");
}

static void damaged_journal(void **state)
{
	char path[128], good[8192], bad[8192];

	(void)state;
	tuned_need_seal();
	apply();
	snapshot_take(&tuned_before);
	assert_int_equal(tuned_journals(path), 1);
	size_t len = tuned_read(path, good, sizeof(good));

	for (int i = 0; i < 4; i++) {
		memcpy(bad, good, len + 1);
		if (i == 0)
			bad[len / 2] = '\0';
		else if (i == 1)
			bad[len / 2] = (char)(bad[len / 2] ^ 1);
		else if (i == 2)
			snprintf(bad, sizeof(bad), "kernel.shmmni=1\n");
		else
			bad[0] = '\0';
		tuned_write(path, bad);
		tuned_check(TUNE("revert"), 1, "", "cannot be believed");
		tuned_check(TUNE("revert", "--force"), 1, "", "cannot be believed");
		tuned_check(TUNE("show", "-n", TUNED_N), 1, "net.core.somaxconn",
		            "cannot be believed");
		tuned_assert_text(path, bad);
		tuned_assert_as_before("after revert of a damaged journal");
	}
	tuned_write(path, good);
	tuned_check(TUNE("revert"), 0, "net.core.somaxconn", NULL);
	tuned_assert_text(TUNED_SOMAXCONN, "128\n");
}

/* ---- refused -------------------------------------------------------------------------------- */

static void read_only(void **state)
{
	(void)state;
	tuned_need_seal();
	if (!sealed_lock("/proc/sys")) {
		print_message("skipped: /proc/sys cannot be mounted read-only here\n");
		skip();
	}
	int code = TUNE("apply", "-n", TUNED_N);

	assert_true(sealed_unlock("/proc/sys"));
	tuned_check(code, 4, "", "mounted read-only");
	assert_int_equal(tuned_journals(NULL), 0);
	tuned_assert_as_before("after apply to a read-only /proc/sys");
	apply();
	assert_true(sealed_lock("/proc/sys"));
	code = TUNE("revert");
	assert_true(sealed_unlock("/proc/sys"));
	assert_int_equal(code, 4);
	assert_non_null(strstr(tuned_erred, "mounted read-only"));
	assert_int_equal(tuned_journals(NULL), 1);
	tuned_check(TUNE("revert"), 0, "net.core.somaxconn", NULL);
	tuned_assert_as_before("after revert");
	/* Without a place for the journal nothing is touched. */
	assert_int_equal(mount(NULL, "/var/lib", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	tuned_check(TUNE("apply", "-n", TUNED_N), 4, "", "Read-only file system");
	tuned_assert_as_before("after apply without a journal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TUNED_TEST(forth_and_back),
		TUNED_TEST(dry_runs_write_nothing),
		TUNED_TEST(lowers_nothing),
		TUNED_TEST(changed_by_somebody),
		TUNED_TEST(apply_killed_anywhere),
		TUNED_TEST(apply_killed_and_repeated),
		TUNED_TEST(revert_killed_anywhere),
		TUNED_TEST(other_boot),
		TUNED_TEST(other_namespace),
		TUNED_TEST(damaged_journal),
		TUNED_TEST(read_only),
	};

	return cmocka_run_group_tests(tests, tuned_seal, NULL);
}
