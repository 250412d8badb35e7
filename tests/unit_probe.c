/* unit_probe: the parsers of kernel/probe.h on captured and hand-written files, whole and cut at
 * every byte. Cut files are exact-size copies without a NUL, so that the address sanitizer sees a
 * read too far; each number of a cut file must be that of the whole file, or unknown. */
#include "fixture.h"

#include "kernel/probe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE        4096
#define KB(n)       ((uint64_t)(n)*1024)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char fixture_text[64 * 1024];
static struct probe_slabinfo slabs, cut_slabs;

static size_t load(const char *name)
{
	return fixture_load(name, fixture_text, sizeof(fixture_text));
}

static void fixture_meminfo(void **state)
{
	struct probe_meminfo m;
	size_t len = load("meminfo");

	(void)state;
	assert_int_equal(probe_parse_meminfo(fixture_text, len, &m), 0);
	assert_int_equal(m.total_bytes, KB(24684084));
	assert_int_equal(m.free_bytes, KB(24236312));
	assert_int_equal(m.available_bytes, KB(24272924));
	assert_int_equal(m.active_file_bytes, KB(151884));
	assert_int_equal(m.inactive_file_bytes, KB(120684));
	assert_int_equal(m.shmem_bytes, KB(8872));
	assert_int_equal(m.dirty_bytes, KB(660));
	assert_int_equal(m.anon_bytes, KB(20412));
	assert_int_equal(m.slab_bytes, KB(48052));
	assert_int_equal(m.slab_reclaimable_bytes, KB(24744));
	assert_int_equal(m.slab_unreclaim_bytes, KB(23308));
	assert_int_equal(m.kernel_stack_bytes, KB(1388));
	assert_int_equal(m.page_tables_bytes, KB(1124));
	assert_int_equal(m.vmalloc_used_bytes, KB(14172));
	assert_int_equal(m.percpu_bytes, KB(688));
	assert_int_equal(m.swap_total_bytes, 0);
	assert_int_equal(m.swap_free_bytes, 0);
	assert_int_equal(probe_memory_left_bytes(&m), KB(24236312 + 151884 + 120684 - 660));
}

static void fixture_zoneinfo(void **state)
{
	uint64_t pages;
	size_t len = load("zoneinfo");

	(void)state;
	assert_int_equal(probe_parse_zoneinfo(fixture_text, len, &pages), 0);
	assert_int_equal(pages, 7294 + 6650);
	assert_int_equal(probe_parse_zoneinfo(fixture_text, 20, &pages), -EINVAL);
	assert_true(pages == PROBE_UNKNOWN);
}

static void fixture_meminfo_old(void **state)
{
	struct probe_meminfo m;
	size_t len = load("meminfo_2.6");

	(void)state;
	assert_int_equal(probe_parse_meminfo(fixture_text, len, &m), 0);
	assert_int_equal(m.total_bytes, KB(8167848));
	assert_int_equal(m.slab_bytes, KB(800112));
	assert_true(m.available_bytes == PROBE_UNKNOWN);
	assert_true(m.percpu_bytes == PROBE_UNKNOWN);
	assert_int_equal(probe_memory_left_bytes(&m), KB(1409696 + 2600000 + 2500000 - 100000));
}

static void memory_left_edges(void **state)
{
	struct probe_meminfo m;

	(void)state;
	memset(&m, 0xff, sizeof(m));
	assert_true(probe_memory_left_bytes(&m) == PROBE_UNKNOWN);
	m.free_bytes = 10;
	assert_int_equal(probe_memory_left_bytes(&m), 10);
	m.active_file_bytes = 5;
	m.inactive_file_bytes = 6;
	assert_int_equal(probe_memory_left_bytes(&m), 21);
	m.dirty_bytes = 4;
	assert_int_equal(probe_memory_left_bytes(&m), 17);
	m.dirty_bytes = 12;
	assert_int_equal(probe_memory_left_bytes(&m), 10);
	m.active_file_bytes = UINT64_MAX - 1;
	assert_true(probe_memory_left_bytes(&m) == PROBE_UNKNOWN);
}

static void assert_slab(const char *name, uint64_t objects, uint64_t object_bytes, uint64_t pages)
{
	const struct probe_slab *slab = probe_find_slab(&slabs, name);

	if (!slab) {
		fail_msg("no slab %s", name);
		return;
	}
	assert_int_equal(slab->objects, objects);
	assert_int_equal(slab->object_bytes, object_bytes);
	assert_int_equal(slab->bytes, pages * PAGE);
}

static void fixture_slabinfo(void **state)
{
	size_t len = load("slabinfo");

	(void)state;
	assert_int_equal(probe_parse_slabinfo(fixture_text, len, PAGE, &slabs), 0);
	assert_int_equal(slabs.count, 235);
	assert_slab("TCP", 53, 2368, 8ULL * 8);
	assert_slab("TCPv6", 26, 2496, 2ULL * 8);
	assert_slab("tw_sock_TCP", 176, 256, 15);
	assert_slab("request_sock_TCP", 144, 320, 12);
	assert_slab("sock_inode_cache", 186, 832, 17ULL * 4);
	assert_slab("dentry", 16527, 192, 787);
	assert_slab("kmem_cache", 256, 256, 16);
	assert_null(probe_find_slab(&slabs, "TC"));
	assert_null(probe_find_slab(&slabs, "#"));
}

static void fixture_slabinfo_5_10(void **state)
{
	size_t len = load("slabinfo_5.10");

	(void)state;
	assert_int_equal(probe_parse_slabinfo(fixture_text, len, PAGE, &slabs), 0);
	assert_int_equal(slabs.count, 12);
	assert_slab("TCP", 1000140, 2240, 71439ULL * 8);
	assert_slab("tw_sock_TCP", 264, 248, 8ULL * 2);
	assert_slab("MPTCPv6", 0, 1856, 0);
	assert_slab("dentry(27:system.slice)", 168, 192, 8);
	assert_slab("a_cache_whose_name_is_longer_th", 10, 64, 1);
	assert_slab("filp", 1003120, 256, 31352ULL * 2);
}

static void slabinfo_too_many(void **state)
{
	static char text[PROBE_SLABS_MAX * 128];
	size_t at = 0;
	int i;

	(void)state;
	at += (size_t)snprintf(text, sizeof(text), "slabinfo - version: 2.1\n");
	for (i = 0; i < PROBE_SLABS_MAX + 8; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		                       "s%d 1 2 3 4 5 : tunables 0 0 0 : slabdata 6 7 0\n", i);
	assert_int_equal(probe_parse_slabinfo(text, at, PAGE, &slabs), 0);
	assert_int_equal(slabs.count, PROBE_SLABS_MAX);
	assert_slab("s511", 1, 3, 35);
}

static void fixture_sockstat(void **state)
{
	struct probe_sockstat s;
	size_t len = load("sockstat");

	(void)state;
	memset(&s, 0xff, sizeof(s));
	assert_int_equal(probe_parse_sockstat(fixture_text, len, &s), 0);
	assert_true(s.tcp6_inuse == PROBE_UNKNOWN);
	len = load("sockstat6");
	assert_int_equal(probe_parse_sockstat(fixture_text, len, &s), 0);
	assert_int_equal(s.tcp_inuse, 8);
	assert_int_equal(s.tcp_orphan, 0);
	assert_int_equal(s.tcp_tw, 1);
	assert_int_equal(s.tcp_alloc, 13);
	assert_int_equal(s.tcp_mem_pages, 287);
	assert_int_equal(s.tcp6_inuse, 5);
}

static void fixture_tcp(void **state)
{
	struct probe_tcp t;
	size_t len = load("snmp");

	(void)state;
	memset(&t, 0xff, sizeof(t));
	assert_int_equal(probe_parse_tcp(fixture_text, len, &t), 0);
	assert_true(t.listen_drops == PROBE_UNKNOWN);
	len = load("netstat");
	assert_int_equal(probe_parse_tcp(fixture_text, len, &t), 0);
	assert_int_equal(t.active_opens, 19);
	assert_int_equal(t.passive_opens, 8);
	assert_int_equal(t.attempt_fails, 0);
	assert_int_equal(t.estab_resets, 0);
	assert_int_equal(t.curr_estab, 10);
	assert_int_equal(t.retrans_segs, 0);
	assert_int_equal(t.in_segs, 494);
	assert_int_equal(t.out_segs, 321);
	assert_int_equal(t.in_errs, 0);
	assert_int_equal(t.out_rsts, 2);
	assert_int_equal(t.syn_retrans, 0);
	assert_int_equal(t.syncookies_recv, 0);
	assert_int_equal(t.timeouts, 2);
	assert_int_equal(t.listen_overflows, 0);
	assert_int_equal(t.listen_drops, 0);
	assert_int_equal(t.syncookies_sent, 0);
	assert_int_equal(t.abort_on_timeout, 0);
	assert_int_equal(t.abort_on_memory, 0);
	assert_int_equal(t.req_q_full_drop, 0);
	assert_int_equal(t.req_q_full_do_cookies, 0);
	assert_int_equal(t.backlog_drop, 0);
}

static void fixture_tcp_old(void **state)
{
	struct probe_tcp t;
	size_t len = load("snmp_old");

	(void)state;
	memset(&t, 0xff, sizeof(t));
	assert_int_equal(probe_parse_tcp(fixture_text, len, &t), 0);
	len = load("netstat_old");
	assert_int_equal(probe_parse_tcp(fixture_text, len, &t), 0);
	assert_int_equal(t.active_opens, 52817);
	assert_int_equal(t.passive_opens, 1204);
	assert_int_equal(t.attempt_fails, 310);
	assert_int_equal(t.estab_resets, 87);
	assert_int_equal(t.curr_estab, 1000003);
	assert_int_equal(t.retrans_segs, 4321);
	assert_true(t.out_rsts == PROBE_UNKNOWN);
	assert_int_equal(t.syncookies_sent, 17);
	assert_int_equal(t.listen_overflows, 29);
	assert_int_equal(t.listen_drops, 31);
	assert_int_equal(t.timeouts, 202);
	assert_int_equal(t.abort_on_memory, 6);
	assert_int_equal(t.abort_on_timeout, 44);
	assert_true(t.backlog_drop == PROBE_UNKNOWN);
	assert_true(t.req_q_full_drop == PROBE_UNKNOWN);
	assert_true(t.req_q_full_do_cookies == PROBE_UNKNOWN);
}

static void fixture_smaps(void **state)
{
	struct probe_smaps s;
	size_t len = load("smaps_rollup");

	(void)state;
	assert_int_equal(probe_parse_smaps(fixture_text, len, &s), 0);
	assert_int_equal(s.rss_bytes, KB(14484));
	assert_int_equal(s.pss_bytes, KB(13128));
	assert_int_equal(s.private_bytes, KB(5300 + 7520));
}

static void fixture_neighbours(void **state)
{
	uint64_t entries;
	size_t len = load("arp_cache");

	(void)state;
	assert_int_equal(probe_parse_neighbours(fixture_text, len, &entries), 0);
	assert_int_equal(entries, 2);
	len = load("ndisc_cache");
	assert_int_equal(probe_parse_neighbours(fixture_text, len, &entries), 0);
	assert_int_equal(entries, 5);
}

static void neighbours_texts(void **state)
{
	static const struct {
		const char *text;
		uint64_t entries; /* PROBE_UNKNOWN: refused */
	} cases[] = {
		{"entries  allocs\n000004d2 00000735\n", 0x4d2},
		{"allocs entries\n1 ffffffff\n", 0xffffffff},
		{"entries\nffffffffffffffff0\n", PROBE_UNKNOWN},
		{"entries\n0x10\n", PROBE_UNKNOWN},
		{"entries\n-1\n", PROBE_UNKNOWN},
		{"entries\n\n", PROBE_UNKNOWN},
		{"entries\n12", PROBE_UNKNOWN},
		{"entries", PROBE_UNKNOWN},
		{"allocs\n1\n", PROBE_UNKNOWN},
		{"", PROBE_UNKNOWN},
	};
	uint64_t entries;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *text = cases[i].text;
		int result = probe_parse_neighbours(text, strlen(text), &entries);

		assert_int_equal(result, cases[i].entries == PROBE_UNKNOWN ? -EINVAL : 0);
		assert_true(entries == cases[i].entries);
	}
}

/* The parsers with one shape: structs of uint64_t alone, all unknown before. */
static int run_meminfo(const char *text, size_t len, void *out)
{
	return probe_parse_meminfo(text, len, out);
}

static int run_sockstat(const char *text, size_t len, void *out)
{
	return probe_parse_sockstat(text, len, out);
}

static int run_tcp(const char *text, size_t len, void *out)
{
	return probe_parse_tcp(text, len, out);
}

static int run_neighbours(const char *text, size_t len, void *out)
{
	return probe_parse_neighbours(text, len, out);
}

static int run_smaps(const char *text, size_t len, void *out)
{
	return probe_parse_smaps(text, len, out);
}

struct numbers {
	uint64_t at[32];
};

static const struct parser {
	const char *file;
	int (*run)(const char *text, size_t len, void *out);
} parsers[] = {
	{"meminfo", run_meminfo},    {"meminfo_2.6", run_meminfo},
	{"sockstat", run_sockstat},  {"sockstat6", run_sockstat},
	{"snmp", run_tcp},           {"snmp_old", run_tcp},
	{"netstat", run_tcp},        {"netstat_old", run_tcp},
	{"snmp_3.10", run_tcp},      {"netstat_3.10", run_tcp},
	{"snmp_4.19", run_tcp},      {"netstat_4.19", run_tcp},
	{"smaps_rollup", run_smaps}, {"arp_cache", run_neighbours},
};

/* An exact-size copy, with no NUL behind it. */
static char *exact_copy(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static void assert_cut_numbers(const struct parser *p, size_t cut, const struct numbers *whole)
{
	struct numbers numbers;
	char *copy = exact_copy(fixture_text, cut);
	bool known = false;
	int result;
	size_t i;

	memset(&numbers, 0xff, sizeof(numbers));
	result = p->run(copy, cut, &numbers);
	free(copy);
	for (i = 0; i < COUNT_OF(numbers.at); i++) {
		if (numbers.at[i] == PROBE_UNKNOWN)
			continue;
		known = true;
		if (numbers.at[i] != whole->at[i])
			fail_msg("%s cut at %zu: number %zu is wrong", p->file, cut, i);
	}
	if (known)
		assert_int_equal(result, 0);
	assert_true(!result || result == -EINVAL);
}

static void cut_everywhere(void **state)
{
	struct numbers whole;
	size_t i, cut, len;

	(void)state;
	for (i = 0; i < COUNT_OF(parsers); i++) {
		len = load(parsers[i].file);
		memset(&whole, 0xff, sizeof(whole));
		assert_int_equal(parsers[i].run(fixture_text, len, &whole), 0);
		for (cut = 0; cut <= len; cut++)
			assert_cut_numbers(&parsers[i], cut, &whole);
	}
}

static void cut_slabinfo_everywhere(const char *file)
{
	size_t cut, len = load(file);
	char *copy;
	int result;

	assert_int_equal(probe_parse_slabinfo(fixture_text, len, PAGE, &slabs), 0);
	for (cut = 0; cut <= len; cut++) {
		copy = exact_copy(fixture_text, cut);
		result = probe_parse_slabinfo(copy, cut, PAGE, &cut_slabs);
		free(copy);
		assert_int_equal(result, cut_slabs.count ? 0 : -EINVAL);
		assert_true(cut_slabs.count <= slabs.count);
		assert_memory_equal(cut_slabs.slabs, slabs.slabs,
		                    cut_slabs.count * sizeof(slabs.slabs[0]));
	}
	assert_int_equal(cut_slabs.count, slabs.count);
}

static void cut_slabinfo(void **state)
{
	(void)state;
	cut_slabinfo_everywhere("slabinfo_5.10");
	cut_slabinfo_everywhere("slabinfo");
}

static void garbage(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"\n\n\n",
		" \t \n",
		"MemFree:\n",
		"MemFree: kB\n",
		"MemFree: -1 kB\n",
		"MemFree: 12x kB\n",
		"MemFree: 12 MB\n",
		"MemFree: 18446744073709551616 kB\n",
		"MemFree: 18446744073709551615 kB\n",
		"TCP:\n",
		"TCP: inuse\n",
		"TCP: inuse x\n",
		"Tcp:\n",
		"Tcp: ActiveOpens\n",
		"Tcp: ActiveOpens\nUdp: 1\n",
		"Tcp: ActiveOpens\nTcp:\n",
		"Tcp: ActiveOpens\nTcp: -1\n",
		"Rss: 1\n",
		"Rss: 4 k\n",
		"slabinfo - version: 2.1\n",
		"slabinfo - version: 1.1\nTCP 1 1 1\n",
		"slabinfo - version: 2.1\nTCP 1 2 3 4 5 : slabdata 6\n",
		"slabinfo - version: 2.1\nTCP 1 2 3 4 4294967296 : slabdata 6 4294967296\n",
	};
	struct numbers numbers;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT_OF(texts); i++) {
		size_t len = strlen(texts[i]);
		char *copy = exact_copy(texts[i], len);

		for (k = 0; k < COUNT_OF(parsers); k++)
			assert_int_equal(parsers[k].run(copy, len, &numbers), -EINVAL);
		assert_int_equal(probe_parse_slabinfo(copy, len, PAGE, &cut_slabs), -EINVAL);
		free(copy);
	}
}

static void random_bytes(void **state)
{
	static const char alphabet[] = "TCP: inuse 19\n\n\t\0MemFree kBTcpExt:slabdata-:\xff";
	struct numbers numbers;
	uint32_t seed = 1;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		size_t len = (size_t)round % 97, i;
		char *copy = exact_copy(fixture_text, len);

		for (i = 0; i < len; i++) {
			seed = (uint32_t)(seed * UINT64_C(1664525) + 1013904223);
			copy[i] = alphabet[(seed >> 16) % sizeof(alphabet)];
		}
		for (i = 0; i < COUNT_OF(parsers); i++)
			parsers[i].run(copy, len, &numbers);
		probe_parse_slabinfo(copy, len, PAGE, &cut_slabs);
		free(copy);
	}
}

static void read_here(void **state)
{
	struct probe_meminfo m;
	struct probe_sockstat s;
	struct probe_tcp t;
	struct probe_smaps smaps;
	int result;

	(void)state;
	assert_int_equal(probe_read_meminfo(&m), 0);
	assert_in_range(m.total_bytes, 1 << 20, UINT64_C(1) << 50);
	assert_in_range(probe_memory_left_bytes(&m), 1, m.total_bytes);
	assert_int_equal(probe_read_sockstat(&s), 0);
	assert_true(s.tcp_mem_pages != PROBE_UNKNOWN);
	assert_int_equal(probe_read_tcp(&t), 0);
	assert_true(t.curr_estab != PROBE_UNKNOWN && t.listen_drops != PROBE_UNKNOWN);
	assert_int_equal(probe_read_smaps(&smaps), 0);
	assert_in_range(smaps.private_bytes, 4096, smaps.rss_bytes);
	result = probe_read_slabinfo(&slabs);
	if (geteuid())
		assert_true(result == -EACCES || result == 0);
	else if (!result)
		assert_non_null(probe_find_slab(&slabs, "TCP"));
}

static void read_file(void **state)
{
	char text[5];

	(void)state;
	assert_int_equal(probe_read_file("/proc/self/no_such_file", text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");
	assert_int_equal(probe_read_file("/proc", text, sizeof(text)), -EISDIR);
	assert_int_equal(probe_read_file("/proc/meminfo", text, 0), -EINVAL);
	assert_int_equal(probe_read_file("/proc/meminfo", text, sizeof(text)), 4);
	assert_string_equal(text, "MemT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixture_meminfo),     cmocka_unit_test(fixture_zoneinfo),
		cmocka_unit_test(fixture_meminfo_old), cmocka_unit_test(memory_left_edges),
		cmocka_unit_test(fixture_slabinfo),    cmocka_unit_test(fixture_slabinfo_5_10),
		cmocka_unit_test(slabinfo_too_many),   cmocka_unit_test(fixture_sockstat),
		cmocka_unit_test(fixture_tcp),         cmocka_unit_test(fixture_tcp_old),
		cmocka_unit_test(fixture_smaps),       cmocka_unit_test(fixture_neighbours),
		cmocka_unit_test(neighbours_texts),    cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(cut_slabinfo),        cmocka_unit_test(garbage),
		cmocka_unit_test(random_bytes),        cmocka_unit_test(read_here),
		cmocka_unit_test(read_file),
	};

	return cmocka_run_group_tests_name("unit_probe", tests, NULL, NULL);
}
