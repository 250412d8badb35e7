/* unit_settings: settings of a network of the test's own raised and put back. */
#include "kernel/settings.h"

#include "sealed.h"

#include "kernel/journal.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define RANGE       "net.ipv4.ip_local_port_range"
#define RESERVED    "net.ipv4.ip_local_reserved_ports"
#define SOMAXCONN   "net.core.somaxconn"
#define RMEM        "net.ipv4.tcp_rmem"
#define RETRANS     "net.ipv4.neigh.lo.retrans_time_ms" /* kept in jiffies: rounded below HZ=1000 */

static bool is_sealed;
static struct err err;
static struct settings_list list;

static int seal(void **state)
{
	static const char *const directories[] = {"/var/lib", NULL};

	(void)state;
	is_sealed = sealed_enter(directories);
	return 0;
}

static void need_seal(void)
{
	if (is_sealed)
		return;
	print_message("skipped: no private network and mount namespaces here\n");
	skip();
}

/* Each test has a network of its own, with the kernel's first values, and no journals. */
static int fresh(void **state)
{
	(void)state;
	if (!is_sealed)
		return 0;
	return mount("sealed", "/var/lib", "tmpfs", 0, "mode=0755") == 0 &&
	                       unshare(CLONE_NEWNET) == 0
	               ? 0
	               : -1;
}

static int stale(void **state)
{
	(void)state;
	return !is_sealed || umount2("/var/lib", MNT_DETACH) == 0 ? 0 : -1;
}

static void assert_value(const char *name, const char *expected)
{
	char value[SETTINGS_VALUE_BYTES];

	assert_true(sysctl_get(name, value, sizeof(value)) >= 0);
	if (strcmp(value, expected) != 0)
		fail_msg("%s is %s, not %s", name, value, expected);
}

static void set_value(const char *name, const char *value)
{
	assert_int_equal(sysctl_set(name, value), 0);
}

/* What was told, by event; and the words of the last problem. */
static int told[SETTINGS_PROBLEM + 1];
static char why[sizeof(err.text)];

static void count_told(void *context, const struct settings_told *one)
{
	(void)context;
	told[one->event]++;
	if (one->event == SETTINGS_PROBLEM)
		snprintf(why, sizeof(why), "%s", one->why);
}

static const struct settings_view view = {.tell = count_told};

static int revert(bool force, bool dry_run)
{
	const struct settings_revert options = {.force = force, .dry_run = dry_run};

	memset(told, 0, sizeof(told));
	why[0] = '\0';
	return settings_revert(&options, &view, &err);
}

static int journals(void)
{
	memset(told, 0, sizeof(told));
	return settings_each(&view, &err);
}

static int apply_one(const char *name, const char *value)
{
	const struct settings_item item = {.name = name, .value = value};

	err.text[0] = '\0';
	return settings_apply(&item, 1, &list, &err);
}

static void put_journal(const char *lines)
{
	struct journal_dir dir;
	uint64_t number;

	assert_int_equal(journal_open(&dir, true, &err), 0);
	assert_int_equal(journal_write(&dir, SETTINGS_KIND, lines, strlen(lines), &number, &err),
	                 0);
	journal_close(&dir);
}

static void apply_and_revert(void **state)
{
	static const struct settings_item items[] = {
		{SOMAXCONN, "65535"},    {RANGE, "10240 65535"},         {RMEM, "1 2 99999999"},
		{RESERVED, "8090-8119"}, {"net.ipv4.tcp_tw_reuse", "0"}, {SOMAXCONN, "70000"},
	};
	char rmem[SETTINGS_VALUE_BYTES];

	(void)state;
	need_seal();
	assert_true(sysctl_get(RMEM, rmem, sizeof(rmem)) > 0);
	assert_int_equal(settings_plan(items, COUNT_OF(items), &list, &err), 0);
	assert_int_equal(list.count, 5);
	assert_true(settings_changes(&list.records[0]));
	assert_false(settings_changes(&list.records[4]));
	assert_int_equal(access(JOURNAL_DIR, F_OK), -1);
	assert_int_equal(settings_apply(items, COUNT_OF(items), &list, &err), 4);
	assert_value(SOMAXCONN, "70000");
	assert_value(RANGE, "10240\t65535");
	assert_value(RESERVED, "8090-8119");
	assert_int_equal(settings_apply(items, COUNT_OF(items), &list, &err), 0);
	assert_int_equal(journals(), 1);
	assert_int_equal(told[SETTINGS_JOURNALLED], 4);
	assert_int_equal(revert(false, true), 1);
	assert_int_equal(told[SETTINGS_RESTORED], 4);
	assert_value(SOMAXCONN, "70000");
	assert_int_equal(revert(false, false), 1);
	assert_int_equal(told[SETTINGS_RESTORED], 4);
	assert_int_equal(told[SETTINGS_REVERTED], 1);
	assert_value(SOMAXCONN, "4096");
	assert_value(RANGE, "32768\t60999");
	assert_value(RMEM, rmem);
	assert_value(RESERVED, "");
	assert_int_equal(revert(false, false), 0);
	assert_string_equal(err.text, "");
	assert_int_equal(told[SETTINGS_RESTORED] + told[SETTINGS_REVERTED], 0);
}

/* Three applies on top of each other: all of them are undone, and a dry run says so. */
static void stacked(void **state)
{
	(void)state;
	need_seal();
	assert_int_equal(apply_one(SOMAXCONN, "5000"), 1);
	assert_int_equal(apply_one(SOMAXCONN, "6000"), 1);
	assert_int_equal(apply_one(SOMAXCONN, "5500"), 0);
	assert_int_equal(apply_one(SOMAXCONN, "7000"), 1);
	assert_int_equal(journals(), 3);
	assert_int_equal(revert(false, true), 3);
	assert_int_equal(told[SETTINGS_RESTORED], 3);
	assert_int_equal(told[SETTINGS_LEFT], 0);
	assert_value(SOMAXCONN, "7000");
	assert_int_equal(revert(false, false), 3);
	assert_value(SOMAXCONN, "4096");
}

static void never_lowered(void **state)
{
	(void)state;
	need_seal();
	set_value(SOMAXCONN, "100000");
	set_value(RANGE, "5000 65000");
	assert_int_equal(apply_one(SOMAXCONN, "65535"), 0);
	assert_int_equal(apply_one(RANGE, "10240 65535"), 1);
	assert_value(SOMAXCONN, "100000");
	assert_value(RANGE, "5000\t65535");
	assert_int_equal(revert(false, false), 1);
	assert_value(RANGE, "5000\t65000");
}

static void changed_by_others(void **state)
{
	static const struct settings_item items[] = {{SOMAXCONN, "65535"}, {RANGE, "10240 65535"}};

	(void)state;
	need_seal();
	assert_int_equal(settings_apply(items, COUNT_OF(items), &list, &err), 2);
	set_value(SOMAXCONN, "12345");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(revert(false, false), -ESTALE);
		assert_int_equal(told[SETTINGS_LEFT], 1);
		assert_int_equal(told[i == 0 ? SETTINGS_RESTORED : SETTINGS_WAS_BACK], 1);
		assert_int_equal(told[SETTINGS_REVERTED], 0);
		assert_int_equal(told[SETTINGS_PROBLEM], 1);
		assert_non_null(strstr(why, "somebody else has changed 1 of its settings"));
		assert_value(SOMAXCONN, "12345");
		assert_value(RANGE, "32768\t60999");
	}
	assert_int_equal(revert(true, true), 1);
	assert_int_equal(told[SETTINGS_FORCED], 1);
	assert_value(SOMAXCONN, "12345");
	assert_int_equal(revert(true, false), 1);
	assert_int_equal(told[SETTINGS_FORCED], 1);
	assert_value(SOMAXCONN, "4096");
	assert_int_equal(journals(), 0);
}

/* Somebody else put the old value back: nothing to do, and nothing to say against it. */
static void back_already(void **state)
{
	(void)state;
	need_seal();
	assert_int_equal(apply_one(SOMAXCONN, "65535"), 1);
	set_value(SOMAXCONN, "4096");
	assert_int_equal(revert(false, false), 1);
	assert_int_equal(told[SETTINGS_WAS_BACK], 1);
	assert_int_equal(told[SETTINGS_REVERTED], 1);
}

static void refused_settings(void **state)
{
	static const struct settings_item items[] = {
		{SOMAXCONN, "65535"},
		{"net.core.no_such_setting", "1"},
	};
	static const struct settings_item late[] = {
		{SOMAXCONN, "65535"},
		{RANGE, "10240 65535"},
		{RANGE, "1 65535"}, /* below ip_unprivileged_port_start */
	};

	(void)state;
	need_seal();
	assert_int_equal(settings_apply(items, COUNT_OF(items), &list, &err), -ENOENT);
	assert_string_equal(err.text, "net.core.no_such_setting: this kernel, or this network "
	                              "namespace, has no such setting");
	assert_value(SOMAXCONN, "4096");
	assert_int_equal(apply_one("../../etc/passwd", "1"), -ENOENT);
	assert_int_equal(apply_one("net.core\n.x", "1"), -ENOENT);
	assert_null(strchr(err.text, '\n'));
	assert_int_equal(apply_one("net.ipv4", "1"), -EISDIR);
	assert_int_equal(apply_one(SOMAXCONN, "many"), -EINVAL);
	assert_string_equal(err.text,
	                    "net.core.somaxconn is 4096 now: many is no value of that form");
	assert_int_equal(access(JOURNAL_DIR, F_OK), -1);
	/* What was written before one that fails is put back. */
	assert_int_equal(settings_apply(late, COUNT_OF(late), &list, &err), -EINVAL);
	assert_string_equal(err.text, RANGE ": the kernel refuses 1 65535: all is as it was");
	assert_value(SOMAXCONN, "4096");
	assert_value(RANGE, "32768\t60999");
	assert_int_equal(journals(), 0);
}

static void read_only_settings(void **state)
{
	(void)state;
	need_seal();
	assert_int_equal(apply_one(SOMAXCONN, "65535"), 1);
	if (!sealed_lock("/proc/sys")) {
		print_message("skipped: /proc/sys cannot be mounted read-only here\n");
		skip();
	}
	int applied = apply_one(SOMAXCONN, "70000");
	struct err of_apply = err;
	int reverted = revert(false, false);

	assert_true(sealed_unlock("/proc/sys"));
	assert_int_equal(applied, -EROFS);
	assert_non_null(strstr(of_apply.text, "read-only"));
	assert_non_null(strstr(of_apply.text, "all is as it was"));
	assert_int_equal(reverted, -EROFS);
	assert_non_null(strstr(why, "read-only"));
	assert_int_equal(journals(), 1);
	assert_int_equal(revert(false, false), 1);
	assert_value(SOMAXCONN, "4096");
}

/* ---- rounding ------------------------------------------------------------------------------- */

static bool rounds(void)
{
	char value[SETTINGS_VALUE_BYTES];

	set_value(RETRANS, "1001");
	assert_true(sysctl_get(RETRANS, value, sizeof(value)) > 0);
	set_value(RETRANS, "1000");
	if (strcmp(value, "1001") != 0)
		return true;
	print_message("skipped: this kernel rounds none of the network's settings (HZ=1000)\n");
	return false;
}

static void rounded_by_kernel(void **state)
{
	static const struct settings_item items[] = {
		{SOMAXCONN, "65535"}, {RETRANS, "2001"}, {RANGE, "10240 65535"}};

	(void)state;
	need_seal();
	if (!rounds())
		skip();
	assert_int_equal(settings_apply(items, COUNT_OF(items), &list, &err), 3);
	assert_true(list.records[1].is_rounded);
	assert_value(RETRANS, list.records[1].rounded);
	assert_int_equal(revert(false, false), 1);
	assert_int_equal(told[SETTINGS_RESTORED], 3);
	assert_value(RETRANS, "1000");
}

/* Killed after the write of the rounded one, before it was journalled. */
static void rounded_and_killed(void **state)
{
	static const char lines[] = "state partial\n" SOMAXCONN " 4096 65535\n" RETRANS
				    " 1000 2001\n" RANGE " 32768%0960999 10240%2065535\n";

	(void)state;
	need_seal();
	if (!rounds())
		skip();
	put_journal(lines);
	set_value(SOMAXCONN, "65535");
	set_value(RETRANS, "2001");
	assert_int_equal(revert(false, false), 1);
	assert_value(RETRANS, "1000");
	assert_value(SOMAXCONN, "4096");
	/* Killed before that write, and somebody else has written since. */
	put_journal(lines);
	set_value(SOMAXCONN, "65535");
	set_value(RETRANS, "3000");
	assert_int_equal(revert(false, false), -ESTALE);
	assert_value(RETRANS, "3000");
	assert_value(SOMAXCONN, "4096");
	set_value(SOMAXCONN, "65535");
	set_value(RETRANS, "2001");
	assert_int_equal(revert(false, false), 1);
	assert_value(RETRANS, "1000");
}

/* A row of new values and one of old ones, wherever it was killed. */
static void partial(void **state)
{
	(void)state;
	need_seal();
	for (int written = 0; written <= 2; written++) {
		put_journal("state partial\n" SOMAXCONN " 4096 65535\n" RANGE
		            " 32768%0960999 10240%2065535\n");
		if (written > 0)
			set_value(SOMAXCONN, "65535");
		if (written > 1)
			set_value(RANGE, "10240 65535");
		assert_int_equal(revert(false, false), 1);
		assert_int_equal(told[SETTINGS_RESTORED], written);
		assert_value(SOMAXCONN, "4096");
		assert_value(RANGE, "32768\t60999");
	}
	/* Applied anew over what the killed one has left. */
	put_journal("state partial\n" SOMAXCONN " 4096 65535\n" RANGE
	            " 32768%0960999 10240%2065535\n");
	set_value(SOMAXCONN, "65535");
	assert_int_equal(apply_one(RANGE, "10240 65535"), 1);
	assert_int_equal(revert(false, false), 2);
	assert_value(SOMAXCONN, "4096");
	assert_value(RANGE, "32768\t60999");
}

/* ---- other journals ------------------------------------------------------------------------- */

static void gone_setting(void **state)
{
	(void)state;
	need_seal();
	put_journal("state complete\nnet.ipv4.conf.gone0.forwarding 0 1\n");
	assert_int_equal(revert(false, false), -ENOENT);
	assert_non_null(strstr(why, "--force goes on without"));
	assert_int_equal(journals(), 1);
	assert_int_equal(revert(true, false), 1);
	assert_int_equal(told[SETTINGS_GONE], 1);
	assert_int_equal(journals(), 0);
}

static void not_understood(void **state)
{
	(void)state;
	need_seal();
	put_journal("hello\n");
	assert_int_equal(revert(true, false), -EBADMSG);
	assert_non_null(strstr(why, "settings-1.journal is no journal that this megaconn "
	                            "understands"));
	assert_non_null(strstr(why, "then remove it"));
	assert_int_equal(journals(), -EBADMSG);
	/* One that is right is reverted nevertheless. */
	assert_int_equal(apply_one(SOMAXCONN, "65535"), 1);
	assert_int_equal(revert(false, false), -EBADMSG);
	assert_value(SOMAXCONN, "4096");
}

/* kernel.shmmni is the IPC namespace's: one that is not the network's, and nobody else's. */
static void other_netns(void **state)
{
	char shmmni[SETTINGS_VALUE_BYTES], lines[2 * SETTINGS_VALUE_BYTES];

	(void)state;
	need_seal();
	assert_int_equal(unshare(CLONE_NEWIPC), 0);
	assert_true(sysctl_get("kernel.shmmni", shmmni, sizeof(shmmni)) > 0);
	snprintf(lines, sizeof(lines),
	         "state complete\n" SOMAXCONN " 4096 65535\nkernel.shmmni %s 5000\n", shmmni);
	put_journal(lines);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	set_value(SOMAXCONN, "65535");
	bool is_set = sysctl_set("kernel.shmmni", "5000") == 0;

	assert_true(is_set || !sealed_is_real_root());
	assert_int_equal(revert(false, false), -EXDEV);
	assert_non_null(strstr(why, "--force removes it"));
	assert_int_equal(told[SETTINGS_PROBLEM], 1);
	assert_int_equal(journals(), 1);
	assert_int_equal(told[SETTINGS_JOURNALLED], 1); /* not that of the other network */
	assert_int_equal(revert(true, false), 1);
	assert_int_equal(told[SETTINGS_OTHER_NETNS], 1);
	assert_int_equal(told[is_set ? SETTINGS_RESTORED : SETTINGS_WAS_BACK], 1);
	assert_value("kernel.shmmni", shmmni);
	assert_value(SOMAXCONN, "65535");
	assert_int_equal(journals(), 0);
}

#define IN_FRESH(name) cmocka_unit_test_setup_teardown(name, fresh, stale)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FRESH(apply_and_revert),   IN_FRESH(stacked),
		IN_FRESH(never_lowered),      IN_FRESH(changed_by_others),
		IN_FRESH(back_already),       IN_FRESH(refused_settings),
		IN_FRESH(read_only_settings), IN_FRESH(rounded_by_kernel),
		IN_FRESH(rounded_and_killed), IN_FRESH(partial),
		IN_FRESH(gone_setting),       IN_FRESH(not_understood),
		IN_FRESH(other_netns),
	};

	return cmocka_run_group_tests(tests, seal, NULL);
}
