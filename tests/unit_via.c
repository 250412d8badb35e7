/* unit_via: what a box is told to be: the option, the rules, the configuration of proxies; and what
 * is read of its counters. */
#include "base/text.h"
#include "base/via.h"
#include "kernel/conntrack.h"
#include "out/result_via.h"
#include "plan/ip.h"
#include "run/via_proxy.h"
#include "run/via_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static struct experiment x;
static char written[VIA_PROXY_TEXT_BYTES];

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

/* ---- the option ------------------------------------------------------------------------------ */

static void options(void **state)
{
	static const struct {
		const char *text;
		enum via_kind kind;
		uint64_t limit;
	} good[] = {
		{"nat", VIA_NAT, 0},
		{"nat:10k", VIA_NAT, 10000},
		{"nat:64512", VIA_NAT, 64512},
		{"conntrack", VIA_CONNTRACK, 0},
		{"conntrack:1", VIA_CONNTRACK, 1},
		{"haproxy:256", VIA_HAPROXY, 256},
		{"nginx-stream:1M", VIA_NGINX_STREAM, 1000000},
	};
	static const char *const bad[] = {"",
	                                  "nats",
	                                  "nat:",
	                                  "nat:0",
	                                  "nat:64513",
	                                  "haproxy:255",
	                                  "nginx-stream:63",
	                                  "conntrack:x",
	                                  ":10",
	                                  "na",
	                                  "nginx",
	                                  "conntrack:5G"};
	struct via via;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(via_parse(good[i].text, &via, &err), 0);
		assert_int_equal(via.kind, good[i].kind);
		assert_int_equal(via.limit, good[i].limit);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		err.text[0] = '\0';
		assert_true(via_parse(bad[i], &via, &err) < 0);
		assert_non_null(strstr(err.text, "--via"));
	}
}

/* ---- rules ----------------------------------------------------------------------------------- */

static const char *rules(enum via_kind kind, uint64_t limit, const char *outside)
{
	const struct ip ip = ip_of(outside);
	struct text t;

	x.via.box = (struct via){kind, limit};
	text_init(&t, written, sizeof(written));
	via_rules_write(&x, &ip, &t);
	assert_false(t.cut);
	return written;
}

static void rules_of_a_router(void **state)
{
	(void)state;
	assert_string_equal(rules(VIA_CONNTRACK, 1000, "198.18.255.3"),
	                    "table ip megaconn {\n"
	                    "\tcounter refused { }\n"
	                    "\tcounter invalid { }\n"
	                    "\tchain through {\n"
	                    "\t\ttype filter hook forward priority 0;\n"
	                    "\t\tct state invalid counter name invalid drop\n"
	                    "\t\tct state new ct count over 1000 counter name refused drop\n"
	                    "\t}\n"
	                    "}\n");
	assert_null(strstr(rules(VIA_CONNTRACK, 0, "198.18.255.3"), "ct count"));
	assert_non_null(strstr(rules(VIA_NAT, 0, "198.18.255.3"), "snat to 198.18.255.3\n"));
	assert_non_null(
		strstr(rules(VIA_NAT, 10, "198.18.255.3"), "snat to 198.18.255.3:1024-1033\n"));
	assert_non_null(strstr(rules(VIA_NAT, VIA_PORTS_MOST, "2001:2::ff:3"),
	                       "snat to [2001:2::ff:3]:1024-65535\n"));
	assert_non_null(strstr(written, "table ip6 megaconn"));
	assert_null(strstr(written, "ct count"));
}

static void counters_of_rules(void **state)
{
	static const char said[] = "table ip megaconn {\n"
				   "\tcounter refused {\n\t\tpackets 5400 bytes 324000\n\t}\n"
				   "\tcounter invalid {\n\t\tpackets 7 bytes 280\n\t}\n}\n";

	(void)state;
	assert_int_equal(via_rules_packets(said, "refused"), 5400);
	assert_int_equal(via_rules_packets(said, "invalid"), 7);
	assert_int_equal(via_rules_packets(said, "other"), RESULT_UNKNOWN);
	assert_int_equal(via_rules_packets("", "refused"), RESULT_UNKNOWN);
	assert_int_equal(via_rules_packets("counter refused {", "refused"), RESULT_UNKNOWN);
}

/* ---- proxies --------------------------------------------------------------------------------- */

static const char *configuration(enum via_kind kind, const char *target, const char *server,
                                 const char *from)
{
	const struct ip ip = ip_of(from);
	struct text t;

	x.via.box = (struct via){.kind = kind};
	x.via.nofile = 1000;
	x.via.server = ip_of(server);
	x.tuples.target = ip_of(target);
	text_init(&t, written, sizeof(written));
	via_proxy_write(&x, &ip, &t);
	assert_false(t.cut);
	return written;
}

static void configurations(void **state)
{
	const char *text;

	(void)state;
	x.via.source_ips = 2;
	x.tuples.target_port_low = 8090;
	x.tuples.target_port_count = 1;
	text = configuration(VIA_HAPROXY, "198.19.1.1", "198.19.0.1", "198.18.254.1");
	assert_non_null(strstr(text, "bind 198.19.1.1:8090\n"));
	assert_non_null(strstr(text, "server s1 198.19.0.1:+0 source 198.18.254.2\n"));
	assert_null(strstr(text, "server s2"));
	x.tuples.target_port_count = 30;
	text = configuration(VIA_HAPROXY, "2001:2::fd:1", "2001:2::1", "2001:2::fc:1");
	assert_non_null(strstr(text, "bind [2001:2::fd:1]:8090-8119\n"));
	assert_non_null(strstr(text, "server s0 [2001:2::1]:+0 source [2001:2::fc:1]\n"));
	text = configuration(VIA_NGINX_STREAM, "198.19.1.1", "198.19.0.1", "198.18.254.1");
	assert_non_null(strstr(text, "worker_connections 1000;"));
	assert_non_null(strstr(text, "50.00% 198.18.254.1;\n\t\t* 198.18.254.2;\n"));
	assert_non_null(strstr(text, "listen 198.19.1.1:8090-8119 reuseport;"));
	assert_non_null(strstr(text, "proxy_pass 198.19.0.1:$server_port;"));
	assert_null(strstr(text, "load_module"));
	memcpy(x.via.module, "/a/b.so", sizeof("/a/b.so"));
	text = configuration(VIA_NGINX_STREAM, "2001:2::fd:1", "2001:2::1", "2001:2::fc:1");
	assert_ptr_equal(strstr(text, "load_module /a/b.so;\n"), text);
	assert_non_null(strstr(text, "listen [2001:2::fd:1]:8090-8119 reuseport;"));
	x.via.source_ips = 250;
	(void)configuration(VIA_NGINX_STREAM, "2001:2::fd:1", "2001:2::1", "2001:2::fc:1");
	(void)configuration(VIA_HAPROXY, "2001:2::fd:1", "2001:2::1", "2001:2::fc:1");
}

/* ---- counters -------------------------------------------------------------------------------- */

static void stat_of_the_table(void **state)
{
	static const char text[] =
		"entries  clashres found new invalid ignore delete chainlength insert "
		"insert_failed drop early_drop icmp_error  expect_new expect_create "
		"expect_delete search_restart\n"
		"0000c350  00000000 00000000 00000000 00000001 00000000 00000000 00000000 "
		"00000000 00000010 000000ff 00000000 00000000  00000000 00000000 00000000 "
		"00000000\n"
		"0000c350  00000000 00000000 00000000 00000001 00000000 00000000 00000000 "
		"00000000 00000001 00000001 00000000 00000000  00000000 00000000 00000000 "
		"00000000\n";
	struct conntrack_stat stat;

	(void)state;
	conntrack_parse_stat(text, &stat);
	assert_int_equal(stat.insert_failed, 17);
	assert_int_equal(stat.drop, 256);
	conntrack_parse_stat("", &stat);
	assert_int_equal(stat.insert_failed, LIMITS_UNKNOWN);
	conntrack_parse_stat("entries drops\n1 2\n", &stat);
	assert_int_equal(stat.drop, LIMITS_UNKNOWN);
	conntrack_parse_stat("drop\n", &stat);
	assert_int_equal(stat.drop, 0);
	conntrack_parse_stat("entries drop\n1\n", &stat);
	assert_int_equal(stat.drop, 0);
}

static void result_both_ways(void **state)
{
	const struct result_via is = {.kind = VIA_NAT,
	                              .limit = 1000,
	                              .is_given = true,
	                              .entries = 999,
	                              .refused = 0,
	                              .invalid = 3,
	                              .dropped = 700,
	                              .insert_failed = 600,
	                              .processes = RESULT_UNKNOWN,
	                              .descriptors = RESULT_UNKNOWN};
	const struct result_via none = {.kind = VIA_NONE};
	struct result_via read;
	json_t *json = result_via_json(&is);
	struct err err;

	(void)state;
	assert_true(json_is_null(json_object_get(json, "processes")));
	assert_int_equal(result_via_read(json, "a", &read, &err), 0);
	assert_int_equal(read.kind, VIA_NAT);
	assert_true(read.is_given);
	assert_memory_equal(&read.entries, &is.entries,
	                    sizeof(is) - offsetof(struct result_via, entries));
	json_object_set_new(json, "entries", json_string("many"));
	assert_true(result_via_read(json, "a", &read, &err) < 0);
	assert_string_equal(err.text, "a: via.entries is no count");
	json_object_set_new(json, "kind", json_string("vpn"));
	assert_true(result_via_read(json, "a", &read, &err) < 0);
	json_decref(json);
	json = result_via_json(&none);
	assert_true(json_is_null(json));
	assert_int_equal(result_via_read(json, "a", &read, &err), 0);
	assert_int_equal(read.kind, VIA_NONE);
	assert_int_equal(result_via_read(NULL, "a", &read, &err), 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),           cmocka_unit_test(rules_of_a_router),
		cmocka_unit_test(counters_of_rules), cmocka_unit_test(configurations),
		cmocka_unit_test(stat_of_the_table), cmocka_unit_test(result_both_ways),
	};

	return cmocka_run_group_tests_name("via", tests, NULL, NULL);
}
