/* unit_sysctl: port lists, and settings of this machine. Nothing is changed, except in a network
 * namespace of our own. */
#include "kernel/sysctl.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static uint8_t ports[8192];

static int count_ports(void)
{
	size_t i;
	int count = 0;

	for (i = 0; i < sizeof(ports); i++)
		count += __builtin_popcount(ports[i]);
	return count;
}

static bool has_port(uint32_t port)
{
	return ports[port / 8] >> port % 8 & 1;
}

static void parse(const char *text, int result, int count)
{
	memset(ports, 0, sizeof(ports));
	if (sysctl_parse_ports(text, ports) != result)
		fail_msg("\"%s\" should give %d", text, result);
	assert_int_equal(count_ports(), count);
}

static void ports_forms(void **state)
{
	(void)state;
	parse("", 0, 0);
	parse("8080", 0, 1);
	assert_true(has_port(8080));
	parse("8080,9000-9010", 0, 12);
	assert_true(has_port(8080) && has_port(9000) && has_port(9010));
	assert_false(has_port(8999) || has_port(9011) || has_port(8081));
	parse("0", 0, 1);
	parse("65535", 0, 1);
	assert_true(has_port(65535));
	parse("0-65535", 0, 65536);
	parse("7-7,7,6-8", 0, 3);
}

static void ports_errors(void **state)
{
	static const char *const bad[] = {
		",",    "80,",   ",80",   "80,,81", "-",
		"80-",  "-80",   "80-79", "65536",  "1-65536",
		"a",    "80 ",   " 80",   "80, 81", "1-2-3",
		"80\n", "0x50",  "+80",   "80;81",  "99999999999999999999999",
		"80,x", "1,2-1",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(bad); i++)
		parse(bad[i], -EINVAL, 0);
}

static void ports_are_added(void **state)
{
	(void)state;
	memset(ports, 0, sizeof(ports));
	assert_int_equal(sysctl_parse_ports("80", ports), 0);
	assert_int_equal(sysctl_parse_ports("82", ports), 0);
	assert_int_equal(count_ports(), 2);
}

static void get_known(void **state)
{
	char text[64];
	uint64_t number;
	uint16_t low, high;

	(void)state;
	assert_int_equal(sysctl_get("kernel.ostype", text, sizeof(text)), 5);
	assert_string_equal(text, "Linux");
	assert_int_equal(sysctl_get("kernel.ostype", text, 6), -ENOBUFS);
	assert_int_equal(sysctl_get("kernel.ostype", text, 7), 5);
	assert_int_equal(sysctl_get_u64("fs.file-max", &number), 0);
	assert_true(number > 100);
	assert_int_equal(sysctl_get_u64("fs.file-nr", &number), 0);
	assert_int_equal(sysctl_get_u64("kernel.ostype", &number), -EINVAL);
	assert_int_equal(sysctl_get("net.ipv4.conf.lo.forwarding", text, sizeof(text)), 1);
	assert_int_equal(sysctl_port_range(&low, &high), 0);
	assert_true(low < high);
	assert_int_equal(sysctl_reserved_ports(ports), 0);
}

static void numbers_forms(void **state)
{
	uint64_t three[3] = {7, 7, 7};

	(void)state;
	assert_int_equal(sysctl_parse_numbers("287898\t383867\t575796", three, 3), 0);
	assert_true(three[0] == 287898 && three[1] == 383867 && three[2] == 575796);
	assert_int_equal(sysctl_parse_numbers(" 1  2 3", three, 3), 0);
	assert_true(three[0] == 1 && three[1] == 2 && three[2] == 3);
	assert_int_equal(sysctl_parse_numbers("9 8 7 6", three, 2), 0);
	assert_true(three[0] == 9 && three[1] == 8 && three[2] == 3);
	/* Nothing is written of what is refused. */
	assert_int_equal(sysctl_parse_numbers("4 5", three, 3), -EINVAL);
	assert_int_equal(sysctl_parse_numbers("4 5 -6", three, 3), -EINVAL);
	assert_int_equal(sysctl_parse_numbers("4 5 18446744073709551616", three, 3), -ERANGE);
	assert_int_equal(sysctl_parse_numbers("", three, 1), -EINVAL);
	assert_true(three[0] == 9 && three[1] == 8 && three[2] == 3);
}

static void get_numbers(void **state)
{
	uint64_t three[3], range[2], magnitude, file_max;
	uint16_t low, high;

	(void)state;
	assert_int_equal(sysctl_get_numbers("net.ipv4.tcp_rmem", three, 3), 0);
	assert_true(three[0] > 0 && three[2] >= three[0]);
	assert_int_equal(sysctl_get_numbers("net.ipv4.ip_local_port_range", range, 2), 0);
	assert_int_equal(sysctl_port_range(&low, &high), 0);
	assert_true(range[0] == low && range[1] == high);
	assert_int_equal(sysctl_get_numbers("fs.file-max", three, 3), -EINVAL);
	assert_int_equal(sysctl_get_numbers("no.such", three, 3), -ENOENT);
	assert_int_equal(sysctl_get_u64("fs.file-max", &file_max), 0);
	assert_int_equal(sysctl_get_magnitude("fs.file-max", &magnitude), 0);
	assert_true(magnitude == file_max);
	assert_int_equal(sysctl_get_magnitude("kernel.ostype", &magnitude), -EINVAL);
	assert_int_equal(sysctl_get_magnitude("no.such", &magnitude), -ENOENT);
}

static void get_missing(void **state)
{
	char text[64];
	uint64_t number;

	(void)state;
	assert_int_equal(sysctl_get("net.ipv4.no_such_setting", text, sizeof(text)), -ENOENT);
	assert_int_equal(sysctl_get_u64("no.such", &number), -ENOENT);
	assert_int_equal(sysctl_set("net.ipv4.no_such_setting", "1"), -ENOENT);
	assert_int_equal(sysctl_raise_u64("net.ipv4.no_such_setting", 1), -ENOENT);
}

static void bad_names(void **state)
{
	static const char *const bad[] = {
		"", ".", "/", "net.", ".net", "net..ipv4", "net//x", "//.//.etc.passwd", "net./x"};
	static char long_name[400];
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(sysctl_get(bad[i], text, sizeof(text)), -EINVAL);
		assert_int_equal(sysctl_set(bad[i], "1"), -EINVAL);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	assert_int_equal(sysctl_get(long_name, text, sizeof(text)), -EINVAL);
}

/* The hash of the first namespace, which others share: its size is negative there. */
static void get_negative(void **state)
{
	uint64_t magnitude;
	char text[32];

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET) ||
	    sysctl_get("net.ipv4.tcp_ehash_entries", text, sizeof(text)) <= 0 || text[0] != '-') {
		print_message("needs root, and a kernel (6.1) that tells the size of its hash\n");
		skip();
	}
	assert_int_equal(sysctl_get_u64("net.ipv4.tcp_ehash_entries", &magnitude), -EINVAL);
	assert_int_equal(sysctl_get_magnitude("net.ipv4.tcp_ehash_entries", &magnitude), 0);
	assert_int_equal(magnitude, strtoull(text + 1, NULL, 10));
}

/* As root, in a namespace of our own, where these settings are its own. */
static void set_and_raise(void **state)
{
	uint64_t number;
	uint16_t low, high;

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET)) {
		print_message("needs root for a network namespace and its settings\n");
		skip();
	}
	assert_int_equal(sysctl_set("net.ipv4.ip_local_port_range", "20000 30001"), 0);
	assert_int_equal(sysctl_port_range(&low, &high), 0);
	assert_int_equal(low, 20000);
	assert_int_equal(high, 30001);
	assert_int_equal(sysctl_set("net.ipv4.ip_local_reserved_ports", "8080,9000-9010"), 0);
	memset(ports, 0, sizeof(ports));
	assert_int_equal(sysctl_reserved_ports(ports), 0);
	assert_int_equal(count_ports(), 12);
	assert_int_equal(sysctl_set("net.core.somaxconn", "1000"), 0);
	assert_int_equal(sysctl_raise_u64("net.core.somaxconn", 2000), 0);
	assert_int_equal(sysctl_get_u64("net.core.somaxconn", &number), 0);
	assert_int_equal(number, 2000);
	assert_int_equal(sysctl_raise_u64("net.core.somaxconn", 0), 0);
	assert_int_equal(sysctl_get_u64("net.core.somaxconn", &number), 0);
	assert_int_equal(number, 2000);
	assert_int_equal(sysctl_set("net.core.somaxconn", "not a number"), -EINVAL);
}

/* A list as long as the kernel takes in one write: a page less a byte. */
static void reserved_long(void **state)
{
	static char text[4096];
	size_t at = 0;
	int port;

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET)) {
		print_message("needs root for a network namespace and its settings\n");
		skip();
	}
	for (port = 10001; port < 11300; port += 2)
		at += (size_t)snprintf(text + at, sizeof(text) - at, at ? ",%d" : "%d", port);
	parse(text, 0, 650);
	assert_int_equal(sysctl_set("net.ipv4.ip_local_reserved_ports", text), 0);
	memset(ports, 0, sizeof(ports));
	assert_int_equal(sysctl_reserved_ports(ports), 0);
	assert_int_equal(count_ports(), 650);
	assert_true(has_port(10001) && has_port(11299));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_forms),     cmocka_unit_test(ports_errors),
		cmocka_unit_test(ports_are_added), cmocka_unit_test(get_known),
		cmocka_unit_test(get_missing),     cmocka_unit_test(numbers_forms),
		cmocka_unit_test(get_numbers),     cmocka_unit_test(bad_names),
		cmocka_unit_test(get_negative),    cmocka_unit_test(set_and_raise),
		cmocka_unit_test(reserved_long),
	};

	return cmocka_run_group_tests_name("unit_sysctl", tests, NULL, NULL);
}
