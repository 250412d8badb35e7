/* unit_resolve: hosts and sources, asked in a network namespace that has nothing but its loopback
 * link, so that no question leaves this machine; where namespaces are refused, in the host's. */
#include "kernel/netlink.h"
#include "kernel/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool have_namespace;
static struct err err;

static int enter_namespace(void **state)
{
	int flags = geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET;

	(void)state;
	/* A name server that does not answer is not waited for. */
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	have_namespace = !unshare(flags);
	return 0;
}

static void need_namespace(void)
{
	if (have_namespace)
		return;
	print_message("a network namespace is not allowed here\n");
	skip();
}

static bool have_ipv6(void)
{
	const struct ip loopback = {.family = AF_INET6, .bytes = {[15] = 1}};
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(&loopback, 0, &address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0;

	if (fd >= 0)
		close(fd);
	return bound;
}

static struct ip parsed(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void expect_host(const char *host, int family, const char *expected)
{
	struct ip ip;
	char text[IP_TEXT_BYTES];
	int code;

	memset(&ip, 0x5a, sizeof(ip));
	code = resolve_host(host, family, &ip, &err);
	if (code != 0)
		fail_msg("%s: %s", host, err.text);
	assert_string_equal(ip_format(&ip, text), expected);
	assert_int_equal(ip.scope, 0);
}

/* Returns the code; *out must stay as it is, and the host be named. */
static int refused_host(const char *host, int family)
{
	struct ip ip, before;
	int code;

	memset(&ip, 0x5a, sizeof(ip));
	memcpy(&before, &ip, sizeof(ip));
	err.text[0] = '\0';
	code = resolve_host(host, family, &ip, &err);
	assert_true(code < 0);
	assert_memory_equal(&before, &ip, sizeof(ip));
	assert_non_null(strstr(err.text, host));
	assert_int_equal(resolve_host(host, family, &ip, NULL), code);
	return code;
}

/* --- before the loopback link is up: a host without any route ------------------------------- */

static void expect_no_route(const char *text)
{
	struct ip target = parsed(text), source, before;
	char expected[128];

	memset(&source, 0x5a, sizeof(source));
	memcpy(&before, &source, sizeof(source));
	snprintf(expected, sizeof(expected), "no route leads from this host to %s", text);
	assert_int_equal(resolve_source(&target, &source, &err), -ENETUNREACH);
	assert_string_equal(err.text, expected);
	assert_memory_equal(&before, &source, sizeof(source));
	assert_int_equal(resolve_source(&target, &source, NULL), -ENETUNREACH);
}

static void test_no_route(void **state)
{
	int fd;

	(void)state;
	need_namespace();
	expect_no_route("198.18.0.1");
	expect_no_route("8.8.8.8");
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return; /* a kernel without IPv6 */
	close(fd);
	expect_no_route("2001:2::1");
}

/* --- hosts -------------------------------------------------------------------------------- */

static void test_link_up(void **state)
{
	(void)state;
	need_namespace();
	assert_int_equal(netlink_link_up("lo"), 0);
}

static void test_numeric(void **state)
{
	(void)state;
	expect_host("127.0.0.1", AF_UNSPEC, "127.0.0.1");
	expect_host("127.0.0.1", AF_INET, "127.0.0.1");
	expect_host("198.18.0.1", AF_UNSPEC, "198.18.0.1");
	expect_host("::1", AF_UNSPEC, "::1");
	expect_host("::1", AF_INET6, "::1");
	expect_host("2001:2::1", AF_UNSPEC, "2001:2::1");
	expect_host("::ffff:127.0.0.1", AF_UNSPEC, "::ffff:127.0.0.1");
}

static void test_scope(void **state)
{
	struct ip ip;
	char text[IP_TEXT_BYTES];

	(void)state;
	assert_int_equal(resolve_host("fe80::1%lo", AF_UNSPEC, &ip, &err), 0);
	assert_string_equal(ip_format(&ip, text), "fe80::1");
	assert_int_equal(ip.scope, if_nametoindex("lo"));
	assert_true(ip.scope > 0);
	ip.scope = 0;
	assert_int_equal(resolve_host("fe80::1%1", AF_INET6, &ip, &err), 0);
	assert_int_equal(ip.scope, 1);
	assert_int_equal(refused_host("fe80::1%no_such_link", AF_UNSPEC), -EHOSTUNREACH);
}

static void test_other_family(void **state)
{
	(void)state;
	assert_int_equal(refused_host("127.0.0.1", AF_INET6), -EAFNOSUPPORT);
	assert_string_equal(err.text, "127.0.0.1 has no IPv6 address, only IPv4 (127.0.0.1)");
	assert_int_equal(refused_host("::1", AF_INET), -EAFNOSUPPORT);
	assert_string_equal(err.text, "::1 has no IPv4 address, only IPv6 (::1)");
	assert_int_equal(refused_host("fe80::1%lo", AF_INET), -EAFNOSUPPORT);
}

/* Whether localhost has an IPv6 address is the machine's to say; where its files do not, glibc asks
 * a name server. */
static void test_localhost(void **state)
{
	struct ip ip = {.family = AF_UNSPEC};
	int code;

	(void)state;
	expect_host("localhost", AF_INET, "127.0.0.1");
	assert_int_equal(resolve_host("localhost", AF_UNSPEC, &ip, &err), 0);
	assert_false(ip_is_public(&ip));
	code = resolve_host("localhost", AF_INET6, &ip, &err);
	if (code == 0) {
		assert_int_equal(ip.family, AF_INET6);
		assert_false(ip_is_public(&ip));
	} else if (code != -EAGAIN) {
		assert_int_equal(code, -EAFNOSUPPORT);
		assert_string_equal(err.text,
		                    "localhost has no IPv6 address, only IPv4 (127.0.0.1)");
	}
}

/* Not known where somebody could be asked (or the system's own files are all there is), not to be
 * asked for where the namespace leads to no name server. */
static void test_unknown(void **state)
{
	static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		int code = refused_host("no-such-name.invalid", families[i]);

		assert_true(code == -EHOSTUNREACH || code == -EAGAIN);
		assert_ptr_equal(strstr(err.text, "cannot find the host no-such-name.invalid: "),
		                 err.text);
	}
	assert_int_equal(refused_host("", AF_UNSPEC), -EHOSTUNREACH);
}

static void test_bad_family(void **state)
{
	(void)state;
	assert_int_equal(refused_host("127.0.0.1", AF_UNIX), -EAFNOSUPPORT);
}

/* What comes from a user cannot break the line. */
static void test_quoting(void **state)
{
	struct ip ip;

	(void)state;
	assert_true(resolve_host("fe80::1%\x1b[0m", AF_INET6, &ip, &err) < 0);
	assert_non_null(strstr(err.text, "fe80::1%\\x1b[0m"));
}

/* --- sources ------------------------------------------------------------------------------ */

static void expect_source(const char *target_text, const char *expected)
{
	struct ip target = parsed(target_text), source;
	char text[IP_TEXT_BYTES];
	int code;

	memset(&source, 0x5a, sizeof(source));
	code = resolve_source(&target, &source, &err);
	if (code != 0)
		fail_msg("%s: %s", target_text, err.text);
	assert_string_equal(ip_format(&source, text), expected);
}

static void test_source(void **state)
{
	(void)state;
	expect_source("127.0.0.1", "127.0.0.1");
	if (have_ipv6())
		expect_source("::1", "::1");
}

/* Addresses that are added are chosen from: to oneself one comes from there. */
static void test_source_of_several(void **state)
{
	struct ip first = parsed("198.18.0.1");

	(void)state;
	need_namespace();
	assert_int_equal(netlink_add_addresses("lo", &first, 3), 0);
	expect_source("198.18.0.2", "198.18.0.2");
	if (!have_ipv6())
		return;
	first = parsed("2001:2::1");
	assert_int_equal(netlink_add_addresses("lo", &first, 3), 0);
	expect_source("2001:2::2", "2001:2::2");
}

static void test_source_link_local(void **state)
{
	struct ip target = parsed("fe80::1"), source;

	(void)state;
	assert_int_equal(resolve_source(&target, &source, &err), -EINVAL);
	assert_string_equal(err.text, "fe80::1 is link-local: name its interface (fe80::1%eth0)");
	need_namespace();
	if (!have_ipv6())
		return;
	/* The interface has one: it is the source, and stays with its interface. */
	assert_int_equal(netlink_add_addresses("lo", &target, 1), 0);
	target.scope = if_nametoindex("lo");
	assert_int_equal(resolve_source(&target, &source, &err), 0);
	assert_true(ip_equal(&source, &target));
	assert_int_equal(source.scope, target.scope);
}

static void test_source_refused(void **state)
{
	struct ip broadcast = parsed("255.255.255.255"), nothing = {.family = AF_UNSPEC}, source;
	int code;

	(void)state;
	code = resolve_source(&nothing, &source, &err);
	assert_true(code < 0);
	assert_non_null(strstr(err.text, "cannot choose a source address for ?: "));
	/* No route, or not allowed (EACCES): the words are there either way. */
	err.text[0] = '\0';
	code = resolve_source(&broadcast, &source, &err);
	assert_true(code == -EACCES || code == -ENETUNREACH);
	assert_non_null(strstr(err.text, "255.255.255.255"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_route),          cmocka_unit_test(test_link_up),
		cmocka_unit_test(test_numeric),           cmocka_unit_test(test_scope),
		cmocka_unit_test(test_other_family),      cmocka_unit_test(test_localhost),
		cmocka_unit_test(test_unknown),           cmocka_unit_test(test_bad_family),
		cmocka_unit_test(test_quoting),           cmocka_unit_test(test_source),
		cmocka_unit_test(test_source_of_several), cmocka_unit_test(test_source_link_local),
		cmocka_unit_test(test_source_refused),
	};

	return cmocka_run_group_tests_name("unit_resolve", tests, enter_namespace, NULL);
}
