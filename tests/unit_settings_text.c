/* unit_settings_text: values of settings merged, and the lines of their journals. */
#include "kernel/settings_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define RANGE       "net.ipv4.ip_local_port_range"
#define RESERVED    "net.ipv4.ip_local_reserved_ports"
#define SOMAXCONN   "net.core.somaxconn"
#define RMEM        "net.ipv4.tcp_rmem"

static struct settings_list list, list_again;
static char text[SETTINGS_TEXT_BYTES];

static void same(void **state)
{
	(void)state;
	assert_true(settings_same("1\t2 3", " 1 2\t\t3 "));
	assert_true(settings_same("", " \t"));
	assert_false(settings_same("1 2", "1 2 3"));
	assert_false(settings_same("12", "1 2"));
	assert_false(settings_same("1", ""));
	assert_false(settings_same("10", "1"));
}

static void merged(void **state)
{
	static const struct {
		const char *name, *now, *wanted, *out; /* NULL: -EINVAL */
	} cases[] = {
		{SOMAXCONN, "4096", "65535", "65535"},
		{SOMAXCONN, "65536", "65535", "65536"},
		{SOMAXCONN, "4096", "4096", "4096"},
		{SOMAXCONN, "-1", "0", "0"},
		{SOMAXCONN, "0", "-5", "0"},
		{"fs.file-max", "9223372036854775807", "1000000", "9223372036854775807"},
		{"a.b", "-9223372036854775808", "-9223372036854775807", "-9223372036854775807"},
		{SOMAXCONN, "4096", "9223372036854775808", NULL},
		{SOMAXCONN, "4096", "1 2", NULL},
		{SOMAXCONN, "4096", "", NULL},
		{SOMAXCONN, "", "1", NULL},
		{SOMAXCONN, "4096", "4096x", NULL},
		{SOMAXCONN, "4096", "+1", NULL},
		{SOMAXCONN, "4096", "-", NULL},
		{SOMAXCONN, "cubic", "reno", NULL},
		{"net.ipv4.tcp_mem", "1\t2\t3", "0 5 3", "1 5 3"},
		{"net.ipv4.tcp_mem", "1\t2\t3", "0 2 3", "1\t2\t3"},
		{"net.ipv4.tcp_mem", "1\t2\t3", "9", NULL},
		{"x.y", "1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 9", NULL},
		{RANGE, "32768\t60999", "10240 65535", "10240 65535"},
		{RANGE, "32768\t60999", "40000 65535", "32768 65535"},
		{RANGE, "32768\t60999", "1024 60000", "1024 60999"},
		{RANGE, "1024\t65535", "10240 65000", "1024\t65535"},
		{RANGE, "32768\t60999", "1024", NULL},
		{RESERVED, "", "8090-8119", "8090-8119"},
		{RESERVED, "8080,9000-9010", "9005-9020", "8080,9000-9020"},
		{RESERVED, "1-3", "2", "1-3"},
		{RESERVED, "1,2,3", "2", "1,2,3"},
		{RESERVED, "", "", ""},
		{RESERVED, "0,65535", "65534", "0,65534-65535"},
		{RESERVED, "1", "x", NULL},
		{RESERVED, "1", "1 2", NULL},
	};
	char out[SETTINGS_VALUE_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int rc = settings_merge(cases[i].name, cases[i].now, cases[i].wanted, out);

		if (rc != (cases[i].out ? 0 : -EINVAL) ||
		    (cases[i].out && strcmp(out, cases[i].out) != 0))
			fail_msg("%s %s + %s: %d %s", cases[i].name, cases[i].now, cases[i].wanted,
			         rc, out);
	}
}

/* More ports than fit one write. */
static void merged_too_long(void **state)
{
	static char odd[65536];
	char out[SETTINGS_VALUE_BYTES];
	size_t len = 0;

	(void)state;
	for (int port = 20001; port < 21999; port += 2)
		len += (size_t)snprintf(odd + len, sizeof(odd) - len, "%d,", port);
	odd[len - 1] = '\0';
	assert_int_equal(settings_merge(RESERVED, "", odd, out), -EFBIG);
	odd[680 * 6 - 1] = '\0'; /* 4,079 bytes */
	assert_int_equal(settings_merge(RESERVED, "", odd, out), 0);
	assert_string_equal(out, odd);
	assert_int_equal(settings_merge(RESERVED, odd, "30000,30002", out), 0);
	assert_int_equal(strlen(out), 4079 + 12);
	assert_int_equal(settings_merge(RESERVED, odd, "30000,30002,30004", out), -EFBIG);
}

static void good_names(void **state)
{
	static const char *const bad[] = {"",     ".",     "a.",   ".a",      "a..b", "a./b",
	                                  "a//b", "/a",    "a/",   "a b",     "a\n",  "a%",
	                                  "a./.", "../..", "a.*b", "a.b\x80", "a=b"};
	char name[SETTINGS_NAME_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (settings_name_is_good(bad[i]))
			fail_msg("%s", bad[i]);
	}
	assert_true(settings_name_is_good("net.ipv4.conf.eth0/1.forwarding"));
	assert_true(settings_name_is_good("fs.file-max"));
	memset(name, 'a', sizeof(name));
	name[SETTINGS_NAME_BYTES] = '\0';
	assert_false(settings_name_is_good(name));
	name[SETTINGS_NAME_BYTES - 1] = '\0';
	assert_true(settings_name_is_good(name));
}

static void add(struct settings_list *to, const char *name, const char *old, const char *raised,
                const char *rounded)
{
	struct settings_record *record = &to->records[to->count++];

	snprintf(record->name, sizeof(record->name), "%s", name);
	snprintf(record->old, sizeof(record->old), "%s", old);
	snprintf(record->raised, sizeof(record->raised), "%s", raised);
	record->is_rounded = rounded != NULL;
	snprintf(record->rounded, sizeof(record->rounded), "%s", rounded ? rounded : "");
}

static void lines_forth_and_back(void **state)
{
	(void)state;
	list = (struct settings_list){.is_complete = true};
	add(&list, RMEM, "4096\t131072\t33554432", "4096 131072 67108864", NULL);
	add(&list, RESERVED, "", "8090", NULL);
	add(&list, "net.netfilter.nf_conntrack_buckets", "65536", "1000000", "1000448");
	add(&list, "a.b", "100%", "\x01\xff", "");
	long len = settings_format(&list, text, sizeof(text));

	assert_string_equal(text, "state complete\n" RMEM
	                          " 4096%09131072%0933554432 4096%20131072%2067108864\n" RESERVED
	                          " % 8090\n"
	                          "net.netfilter.nf_conntrack_buckets 65536 1000000 1000448\n"
	                          "a.b 100%25 %01%FF %\n");
	assert_int_equal(len, strlen(text));
	assert_int_equal(settings_parse(text, (size_t)len, &list_again), 0);
	assert_true(list_again.is_complete);
	assert_int_equal(list_again.count, list.count);
	for (uint32_t i = 0; i < list.count; i++) {
		const struct settings_record *a = &list.records[i], *b = &list_again.records[i];

		assert_string_equal(a->name, b->name);
		assert_string_equal(a->old, b->old);
		assert_string_equal(a->raised, b->raised);
		assert_int_equal(a->is_rounded, b->is_rounded);
		if (a->is_rounded)
			assert_string_equal(a->rounded, b->rounded);
	}
	assert_int_equal(settings_format(&list, text, (size_t)len), -ENOBUFS);
	assert_int_equal(settings_format(&list, text, (size_t)len + 1), len);
}

static void largest_list(void **state)
{
	char value[SETTINGS_VALUE_BYTES], name[SETTINGS_NAME_BYTES];

	(void)state;
	memset(value, '\t', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	list.count = 0;
	for (int i = 0; i < SETTINGS_MOST; i++)
		add(&list, name, value, value, value);
	long len = settings_format(&list, text, sizeof(text));

	assert_true(len > 0);
	assert_true((size_t)len < 8U << 20);
	assert_int_equal(settings_parse(text, (size_t)len, &list_again), 0);
	assert_string_equal(list_again.records[SETTINGS_MOST - 1].rounded, value);
	len += snprintf(text + len, sizeof(text) - (size_t)len, "a 1 2\n");
	assert_int_equal(settings_parse(text, (size_t)len, &list_again), -EBADMSG);
}

static void lines_damaged(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"state complete\n",
		"state complete\na 1\n",
		"state complete\na 1 2",
		"state complete\na 1 2 3 4\n",
		"state complete\na 1 2 \n",
		"state complete\na  2\n",
		"state complete\na 1 %0\n",
		"state complete\na 1 %0a\n",
		"state complete\na 1 %0A\n",
		"state complete\na 1 %00\n",
		"state complete\na 1 %%\n",
		"state complete\na 1 %",
		"state complete\n../etc 1 2\n",
		"state complete\na./b 1 2\n",
		"state complete\n\n",
		"state other\na 1 2\n",
		"state complete a 1 2\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (settings_parse(bad[i], strlen(bad[i]), &list) != -EBADMSG)
			fail_msg("\"%s\"", bad[i]);
	}
	assert_int_equal(settings_parse("state partial\na 1 2\n", 20, &list), 0);
	assert_false(list.is_complete);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same),
		cmocka_unit_test(merged),
		cmocka_unit_test(merged_too_long),
		cmocka_unit_test(good_names),
		cmocka_unit_test(lines_forth_and_back),
		cmocka_unit_test(largest_list),
		cmocka_unit_test(lines_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
