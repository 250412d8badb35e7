/* lab_persist: `megaconn tune` persist and unpersist, who may not, and what is wrong to say. */
#include "sealed.h"
#include "tuned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void apply(void)
{
	tuned_check(TUNE("apply", "-n", TUNED_N), 0, "net.core.somaxconn: 128 -> ", NULL);
}

static void not_root(void **state)
{
	(void)state;
	tuned_need_seal();
	int code = TUNE_AS_USER("apply", "-n", TUNED_N);

	if (code == 125) {
		print_message("skipped: no user namespace in this one\n");
		skip();
	}
	tuned_check(code, 4, "would set net.core.somaxconn: 128 -> ", "needs root");
	tuned_check(TUNE_AS_USER("apply", "-n", TUNED_N, "--dry-run"), 0, "would set", NULL);
	tuned_check(TUNE_AS_USER("persist", "-n", TUNED_N, "--nofile", "30k"), 4,
	            "would write " TUNED_LIMITS, "needs root");
	tuned_check(TUNE_AS_USER("revert"), 0, "nothing to revert", NULL);
	tuned_check(TUNE_AS_USER("unpersist"), 0, "is not there", NULL);
	tuned_assert_as_before("after a user's apply");
	assert_int_equal(access(TUNED_STATE, F_OK), -1);
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 0, "written", NULL);
	tuned_check(TUNE_AS_USER("unpersist"), 4, "would be removed", "needs root");
	assert_int_equal(access(TUNED_LIMITS, F_OK), 0);
}

/* Who cannot look into the directory of journals. */
static void not_root_with_journal(void **state)
{
	(void)state;
	tuned_need_seal();
	if (!sealed_is_real_root()) {
		print_message("skipped: it takes root to become another user\n");
		skip();
	}
	apply();
	tuned_check(TUNE_AS_USER("revert"), 4, "", "needs root");
	tuned_check(TUNE_AS_USER("revert", "--dry-run"), 4, "", "needs root");
	tuned_check(TUNE_AS_USER("show", "-n", TUNED_N), 0, "only root may see", NULL);
	assert_int_equal(tuned_journals(NULL), 1);
}

static void usage(void **state)
{
	static const struct {
		const char *args[4];
		const char *says;
	} wrong[] = {
		{{NULL}, "which verb?"},
		{{"raise"}, "unknown verb 'raise'"},
		{{"apply", "now"}, "unexpected 'now'"},
		{{"apply", "-n", "0"}, "-n 0"},
		{{"apply", "-n", "many"}, "many"},
		{{"apply", "--role", "king"}, "both, server, client"},
		{{"apply", "--force"}, "does not take --force"},
		{{"apply", "--nofile", "2000"}, "does not take --nofile"},
		{{"revert", "-n", "1k"}, "does not take -n"},
		{{"unpersist", "--config", "x"}, "does not take"},
		{{"persist", "--nofile", "5"}, "--nofile 5"},
		{{"persist", "--nofile", "99G"}, "--nofile 99G"},
		{{"apply", "--config", "/none/m.conf"}, "/none/m.conf"},
		{{"a\x1b[31m\nb"}, "unknown verb 'a\\x1b[31m\\x0ab'"},
	};

	(void)state;
	tuned_need_seal();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *args[5] = {0};

		memcpy(args, wrong[i].args, sizeof(wrong[i].args));
		tuned_check(tuned_run(NULL, args), 2, "", wrong[i].says);
		assert_string_equal(tuned_said, "");
	}
	tuned_check(TUNE("--help"), 0, "exit codes: 0 done", NULL);
	tuned_assert_as_before("after mistakes");
}

/* ---- persist -------------------------------------------------------------------------------- */

static void persisted(void **state)
{
	struct stat stat_of;
	char text[4096];

	(void)state;
	tuned_need_seal();
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 0, "LimitNOFILE=30000\n",
	            NULL);
	tuned_assert_text(TUNED_LIMITS,
	                  "# Written by megaconn tune persist. To take it back: megaconn tune "
	                  "unpersist\n"
	                  "*     soft  nofile  30000\n*     hard  nofile  30000\n"
	                  "root  soft  nofile  30000\nroot  hard  nofile  30000\n");
	tuned_read(TUNED_SYSCTL, text, sizeof(text));
	assert_non_null(strstr(text, "unpersist\n"));
	assert_non_null(strstr(text, "\nnet.core.somaxconn = "));
	assert_int_equal(stat(TUNED_SYSCTL, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0644);
	tuned_assert_as_before("after persist");
	/* Over its own; what was applied meanwhile is in it as well. */
	apply();
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "40k"), 0, "LimitNOFILE=40000\n",
	            NULL);
	char again[4096];

	tuned_read(TUNED_SYSCTL, again, sizeof(again));
	assert_string_equal(text, again);
	tuned_check(TUNE("unpersist"), 0, TUNED_LIMITS ": removed\n" TUNED_SYSCTL ": removed\n",
	            NULL);
	assert_int_equal(rmdir(TUNED_SYSCTL_D), 0);
	assert_int_equal(rmdir(TUNED_LIMITS_D), 0);
	tuned_check(TUNE("unpersist"), 0, "is not there", NULL);
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 1, "",
	            TUNED_SYSCTL_D " is not there");
}

static void persist_refused(void **state)
{
	char nr_open[32], above[64];

	(void)state;
	tuned_need_seal();
	tuned_read("/proc/sys/fs/nr_open", nr_open, sizeof(nr_open));
	snprintf(above, sizeof(above), "%ld", strtol(nr_open, NULL, 10) + 1);
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", above), 4, "",
	            "sysctl -w fs.nr_open=");
	tuned_check(TUNE("persist", "-n", above), 4, "", "sysctl -w fs.nr_open=");
	tuned_check(TUNE("persist", "-n", above, "--dry-run"), 4, "", "sysctl -w fs.nr_open=");
	assert_int_equal(access(TUNED_SYSCTL, F_OK), -1);
	tuned_write(TUNED_LIMITS, "root hard nofile 5\n");
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 4, "",
	            TUNED_LIMITS " is there and not mega");
	assert_int_equal(access(TUNED_SYSCTL, F_OK), -1);
	tuned_check(TUNE("unpersist"), 4, TUNED_SYSCTL ": is not there",
	            TUNED_LIMITS " is not megaconn's: left");
	tuned_assert_text(TUNED_LIMITS, "root hard nofile 5\n");
	assert_int_equal(unlink(TUNED_LIMITS), 0);
	assert_int_equal(symlink("/dev/null", TUNED_SYSCTL), 0);
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 4, "",
	            TUNED_SYSCTL " is there and not mega");
	tuned_check(TUNE("unpersist"), 4, TUNED_LIMITS ": is not there",
	            TUNED_SYSCTL " is not megaconn's: left");
}

/* Killed anywhere: either file is whole or not there, and unpersist takes away what is. */
static void persist_killed_anywhere(void **state)
{
	static const char *const args[] = {"persist", "-n", TUNED_N, "--nofile", "30k", NULL};
	bool was_killed = true;

	(void)state;
	tuned_need_killer();
	for (unsigned int k = 0; was_killed; k++) {
		was_killed = tuned_kill_at(args, k);
		tuned_check(TUNE("unpersist"), 0, "", NULL);
		assert_int_equal(access(TUNED_SYSCTL, F_OK), -1);
		assert_int_equal(access(TUNED_LIMITS, F_OK), -1);
	}
	tuned_check(TUNE("persist", "-n", TUNED_N, "--nofile", "30k"), 0, "written", NULL);
	tuned_check(TUNE("unpersist"), 0, "removed", NULL);
	/* What the last killed one left of its own is gone, too. */
	assert_int_equal(rmdir(TUNED_SYSCTL_D), 0);
	assert_int_equal(rmdir(TUNED_LIMITS_D), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TUNED_TEST(not_root),        TUNED_TEST(not_root_with_journal),
		TUNED_TEST(usage),           TUNED_TEST(persisted),
		TUNED_TEST(persist_refused), TUNED_TEST(persist_killed_anywhere),
	};

	return cmocka_run_group_tests(tests, tuned_seal, NULL);
}
