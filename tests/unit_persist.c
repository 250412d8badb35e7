/* unit_persist: which limits are decided, and what the files say. Nothing is written. */
#include "kernel/persist.h"

#include "kernel/sysctl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static struct settings_list list;
static struct persist persist;
static struct err err;

static void limits(void **state)
{
	struct rlimit now;
	uint64_t nr_open = 0;

	(void)state;
	assert_int_equal(sysctl_get_u64("fs.nr_open", &nr_open), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	/* What is chosen holds, what is only needed lowers nothing. */
	assert_int_equal(persist_init(&persist, &list, 1024, true, &err), 0);
	assert_int_equal(persist.nofile_soft, 1024);
	assert_int_equal(persist.nofile_hard, 1024);
	assert_int_equal(persist_init(&persist, &list, 1, false, &err), 0);
	assert_int_equal(persist.nofile_soft, now.rlim_cur < nr_open ? now.rlim_cur : nr_open);
	assert_int_equal(persist.nofile_hard, now.rlim_max < nr_open ? now.rlim_max : nr_open);
	assert_int_equal(persist_init(&persist, &list, nr_open, false, &err), 0);
	assert_int_equal(persist.nofile_soft, nr_open);
	assert_int_equal(persist.nofile_hard, nr_open);
	assert_int_equal(persist_init(&persist, &list, nr_open + 1, false, &err), -EPERM);
	assert_non_null(strstr(err.text, "nobody could log in"));
	assert_non_null(strstr(err.text, "sysctl -w fs.nr_open="));
	assert_int_equal(persist_init(&persist, &list, nr_open + 1, true, &err), -EPERM);
	assert_int_equal(persist_init(&persist, &list, UINT64_MAX, false, &err), -EPERM);
	assert_non_null(strstr(err.text, "no process can have more than 2147483584"));
}

static void add(const char *name, const char *raised)
{
	struct settings_record *record = &list.records[list.count++];

	snprintf(record->name, sizeof(record->name), "%s", name);
	snprintf(record->raised, sizeof(record->raised), "%s", raised);
}

#define FIRST "# Written by megaconn tune persist. To take it back: megaconn tune unpersist\n"

static void texts(void **state)
{
	struct persist what = {.settings = &list,
	                       .nofile_soft = 30000,
	                       .nofile_hard = 1048576,
	                       .nr_open = 1048576};

	(void)state;
	list.count = 0;
	assert_string_equal(persist_text(&what, PERSIST_SYSCTL), FIRST);
	add("net.core.somaxconn", "65535");
	add("net.ipv4.ip_local_reserved_ports", "");
	add("net.ipv4.tcp_rmem", "4096\t131072\t6291456");
	assert_string_equal(persist_text(&what, PERSIST_SYSCTL),
	                    FIRST "net.core.somaxconn = 65535\n"
	                          "net.ipv4.tcp_rmem = 4096 131072 6291456\n");
	assert_string_equal(persist_text(&what, PERSIST_LIMITS),
	                    FIRST "*     soft  nofile  30000\n*     hard  nofile  1048576\n"
	                          "root  soft  nofile  30000\nroot  hard  nofile  1048576\n");
	/* Limits above what a kernel starts with need the setting that allows them. */
	what.nofile_hard = 1048577;
	what.nr_open = 2000000;
	assert_non_null(strstr(persist_text(&what, PERSIST_SYSCTL), "\nfs.nr_open = 2000000\n"));
	add("fs.nr_open", "3000000");
	assert_non_null(strstr(persist_text(&what, PERSIST_SYSCTL), "\nfs.nr_open = 3000000\n"));
	assert_null(strstr(persist_text(&what, PERSIST_SYSCTL), "2000000"));
}

/* The longest list is not cut. */
static void longest(void **state)
{
	const struct persist what = {.settings = &list, .nofile_hard = 1};
	char name[SETTINGS_NAME_BYTES], value[SETTINGS_VALUE_BYTES];

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(value, '1', sizeof(value));
	name[sizeof(name) - 1] = '\0';
	value[sizeof(value) - 1] = '\0';
	for (list.count = 0; list.count < SETTINGS_MOST;)
		add(name, value);
	assert_int_equal(strlen(persist_text(&what, PERSIST_SYSCTL)),
	                 strlen(FIRST) +
	                         SETTINGS_MOST * (sizeof(name) - 1 + sizeof(value) - 1 + 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),
		cmocka_unit_test(texts),
		cmocka_unit_test(longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
