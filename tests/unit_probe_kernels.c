/* unit_probe_kernels: what older and newer kernels, and larger machines, have in the files that
 * kernel/probe.h parses. */
#include "fixture.h"

#include "kernel/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096

static char fixture_text[64 * 1024];
static struct probe_slabinfo slabs;

static size_t load(const char *name)
{
	return fixture_load(name, fixture_text, sizeof(fixture_text));
}

static void assert_slab(const char *name, uint64_t objects, uint64_t pages)
{
	const struct probe_slab *slab = probe_find_slab(&slabs, name);

	if (!slab) {
		fail_msg("no slab %s", name);
		return;
	}
	assert_int_equal(slab->objects, objects);
	assert_int_equal(slab->bytes, pages * PAGE);
}

/* The kernel lists the newest first, so the last ones are those that count: the largest stay. */
static void slabinfo_too_many_keeps_largest(void **state)
{
	static char text[PROBE_SLABS_MAX * 128];
	size_t at = (size_t)snprintf(text, sizeof(text), "slabinfo - version: 2.1\n");

	(void)state;
	for (int i = 0; i < PROBE_SLABS_MAX + 8; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		                       "s%d 1 2 3 4 1 : tunables 0 0 0 : slabdata 1 %d 0\n", i,
		                       i + 1);
	assert_int_equal(probe_parse_slabinfo(text, at, PAGE, &slabs), 0);
	assert_int_equal(slabs.count, PROBE_SLABS_MAX);
	assert_slab("s519", 1, 520);
	assert_slab("s8", 1, 9);
	assert_null(probe_find_slab(&slabs, "s7"));
}

static void slabinfo_same_name(void **state)
{
	static const char text[] =
		"slabinfo - version: 2.1\n"
		"bio 5 6 64 64 2 : tunables 0 0 0 : slabdata 3 3 0\n"
		"TCP 1 2 3 4 5 : tunables 0 0 0 : slabdata 6 7 0\n"
		"bio 7 8 64 64 1 : tunables 0 0 0 : slabdata 4 4 0\n"
		"TCP 18446744073709551615 2 3 4 5 : tunables 0 0 0 : slabdata 6 7 0\n";

	(void)state;
	assert_int_equal(probe_parse_slabinfo(text, sizeof(text) - 1, PAGE, &slabs), 0);
	assert_int_equal(slabs.count, 2);
	assert_slab("bio", 12, 10);
	assert_true(probe_find_slab(&slabs, "TCP")->objects == PROBE_UNKNOWN);
}

/* Both files of a kernel. */
static void load_tcp(const char *snmp, const char *netstat, struct probe_tcp *t)
{
	memset(t, 0xff, sizeof(*t));
	assert_int_equal(probe_parse_tcp(fixture_text, load(snmp), t), 0);
	assert_int_equal(probe_parse_tcp(fixture_text, load(netstat), t), 0);
}

static void fixture_tcp_3_10(void **state)
{
	struct probe_tcp t;

	(void)state;
	load_tcp("snmp_3.10", "netstat_3.10", &t);
	assert_int_equal(t.active_opens, 7000);
	assert_int_equal(t.in_segs, 7005);
	assert_int_equal(t.out_segs, 7006);
	assert_int_equal(t.retrans_segs, 7007);
	assert_int_equal(t.in_errs, 7008);
	assert_int_equal(t.out_rsts, 7009);
	assert_int_equal(t.syncookies_sent, 3000);
	assert_int_equal(t.syncookies_recv, 3001);
	assert_int_equal(t.syncookies_failed, 3002);
	assert_int_equal(t.listen_overflows, 3019);
	assert_int_equal(t.listen_drops, 3020);
	assert_int_equal(t.timeouts, 3047);
	assert_int_equal(t.abort_on_memory, 3060);
	assert_int_equal(t.abort_on_timeout, 3061);
	assert_int_equal(t.backlog_drop, 3074);
	assert_int_equal(t.req_q_full_do_cookies, 3079);
	assert_int_equal(t.req_q_full_drop, 3080);
	assert_true(t.syn_retrans == PROBE_UNKNOWN); /* came with 3.15 */
}

static void fixture_tcp_4_19(void **state)
{
	struct probe_tcp t;

	(void)state;
	load_tcp("snmp_4.19", "netstat_4.19", &t);
	assert_int_equal(t.passive_opens, 8001);
	assert_int_equal(t.curr_estab, 8004);
	assert_int_equal(t.in_errs, 8008);
	assert_int_equal(t.out_rsts, 8009);
	assert_int_equal(t.syncookies_failed, 4002);
	assert_int_equal(t.listen_overflows, 4018);
	assert_int_equal(t.listen_drops, 4019);
	assert_int_equal(t.timeouts, 4039);
	assert_int_equal(t.abort_on_memory, 4051);
	assert_int_equal(t.abort_on_timeout, 4052);
	assert_int_equal(t.backlog_drop, 4067);
	assert_int_equal(t.req_q_full_drop, 4074);
	assert_int_equal(t.syn_retrans, 4095);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slabinfo_too_many_keeps_largest),
		cmocka_unit_test(slabinfo_same_name),
		cmocka_unit_test(fixture_tcp_3_10),
		cmocka_unit_test(fixture_tcp_4_19),
	};

	return cmocka_run_group_tests_name("unit_probe_kernels", tests, NULL, NULL);
}
