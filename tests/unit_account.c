/* unit_account: bills of made samples: they add up to the byte, whoever's the memory is. */
#include "run/account.h"

#include "base/clock.h"
#include "base/figure.h"
#include "kernel/probe.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE        INT64_C(4096)
#define MIB         (INT64_C(1) << 20)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define N           1000

static struct sample before, now, looks[3];
static struct account_host host;
static struct account_users users;
static struct bill bill;
static struct result_memory memory;

static void add_cache(struct sample *s, const char *name, uint64_t objects, uint64_t bytes)
{
	struct probe_slab *slab = &s->slabs.slabs[s->slabs.count++];

	snprintf(slab->name, sizeof(slab->name), "%s", name);
	slab->objects = objects;
	slab->bytes = bytes;
}

/* A cache that is empty before, and in `now` has so much; meminfo's Slab goes with it. */
static void grow(const char *name, uint64_t objects, uint64_t bytes)
{
	add_cache(&before, name, 10, 4096);
	add_cache(&now, name, 10 + objects, 4096 + bytes);
	now.memory.slab_bytes += bytes;
	now.memory_left_bytes -= bytes;
}

static void fill_host(struct sample *s)
{
	figure_clear(s);
	s->at_ns = NS_PER_S;
	s->has_slabs = true;
	s->memory.slab_bytes = (uint64_t)(100 * MIB);
	s->memory.vmalloc_used_bytes = (uint64_t)(10 * MIB);
	s->memory.page_tables_bytes = (uint64_t)(5 * MIB);
	s->memory.kernel_stack_bytes = (uint64_t)(4 * MIB);
	s->memory.percpu_bytes = (uint64_t)MIB;
	s->memory.anon_bytes = (uint64_t)(50 * MIB);
	s->memory.dirty_bytes = 0;
	s->memory.shmem_bytes = (uint64_t)(8 * MIB);
	s->memory_left_bytes = (uint64_t)(2000 * MIB);
	s->memory.available_bytes = (uint64_t)(2100 * MIB);
	s->socket_memory_bytes = 0;
}

static int set_up(void **state)
{
	(void)state;
	fill_host(&before);
	fill_host(&now);
	now.at_ns = 11 * NS_PER_S;
	memset(&host, 0, sizeof(host));
	users = (struct account_users){.connections = N};
	return 0;
}

static void assert_adds_up(const struct bill *b)
{
	int64_t sum = 0;

	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		if (b->lines[i].bytes != BILL_UNKNOWN)
			sum += b->lines[i].bytes;
	}
	if (sum != b->lost_bytes)
		fail_msg("lines are %" PRId64 ", lost %" PRId64, sum, b->lost_bytes);
}

static void make(void)
{
	account_bill(&before, &now, &host, &users, &bill);
	assert_adds_up(&bill);
}

static int64_t bytes_of(enum bill_line_id id)
{
	return bill.lines[id].bytes;
}

/* --- lines -------------------------------------------------------------------------------- */

static void each_cache_on_its_line(void **state)
{
	static const struct {
		const char *cache;
		enum bill_line_id line;
	} cases[] = {
		{"TCP", BILL_TCP},
		{"TCPv6", BILL_TCP},
		{"sock_inode_cache", BILL_INODE},
		{"io_kiocb", BILL_URING},
		{"eventpoll_epi", BILL_WATCH},
		{"eventpoll_pwq", BILL_WATCH},
		{"tcp_bind_bucket", BILL_BIND},
		{"tcp_bind2_bucket", BILL_BIND},
		{"request_sock_TCP", BILL_REQUEST},
		{"tw_sock_TCPv6", BILL_TIMEWAIT},
		{"skbuff_head_cache", BILL_DATA},
		{"nf_conntrack", BILL_CONNTRACK},
		{"nf_conntrack_ffffffff81ce1a80", BILL_CONNTRACK},
		{"kmalloc-192", BILL_SLABS},
		{"nobody_knows_it", BILL_SLABS},
		{"proc_inode_cache", BILL_OTHERS},
		{"ext4_inode_cache", BILL_OTHERS},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		set_up(state);
		grow(cases[i].cache, N, 64 * PAGE);
		make();
		if (bytes_of(cases[i].line) != 64 * PAGE)
			fail_msg("%s is not on line %s", cases[i].cache,
			         bill_line_name(cases[i].line));
		assert_int_equal(bytes_of(BILL_RESIDUAL), 0);
		assert_non_null(strstr(bill.lines[cases[i].line].of,
		                       cases[i].line == BILL_CONNTRACK ? "" : cases[i].cache));
	}
}

static void objects_are_counted(void **state)
{
	(void)state;
	grow("TCP", UINT64_C(2) * N, 200 * PAGE);
	grow("TCPv6", 3, PAGE);
	grow("kmalloc-64", 77, PAGE);
	make();
	assert_int_equal(bill.lines[BILL_TCP].objects, 2 * N + 3);
	assert_int_equal(bytes_of(BILL_TCP), 201 * PAGE);
	assert_true(bill.lines[BILL_SLABS].objects == BILL_UNKNOWN);
	assert_string_equal(bill.lines[BILL_TCP].of, "TCP, TCPv6");
	assert_false(bill.lines[BILL_TCP].is_shared);
}

/* What shrank is a negative line, and the sum holds. */
static void caches_may_shrink(void **state)
{
	(void)state;
	add_cache(&before, "TCP", 5000, (uint64_t)(100 * PAGE));
	add_cache(&now, "TCP", 4000, (uint64_t)(60 * PAGE));
	now.memory.slab_bytes -= (uint64_t)(40 * PAGE);
	now.memory_left_bytes += (uint64_t)(40 * PAGE);
	make();
	assert_int_equal(bytes_of(BILL_TCP), -40 * PAGE);
	assert_int_equal(bill.lines[BILL_TCP].objects, -1000);
	assert_int_equal(bytes_of(BILL_RESIDUAL), 0);
}

static void meminfo_has_lines(void **state)
{
	(void)state;
	now.memory.vmalloc_used_bytes += 3 * PAGE;
	now.memory.page_tables_bytes += 5 * PAGE;
	now.memory.kernel_stack_bytes += 7 * PAGE;
	now.memory.percpu_bytes += 11 * PAGE;
	now.memory.slab_bytes += 13 * PAGE; /* no cache has them */
	users.server_bytes = 17 * PAGE;
	users.client_bytes = 19 * PAGE;
	now.memory.anon_bytes += 36 * PAGE;
	now.memory_left_bytes -= 80 * PAGE;
	make();
	assert_int_equal(bytes_of(BILL_VMALLOC), (3 + 13) * PAGE);
	assert_string_equal(bill.lines[BILL_VMALLOC].of, "VmallocUsed, large allocations");
	assert_int_equal(bytes_of(BILL_PAGE_TABLES), 5 * PAGE);
	assert_int_equal(bytes_of(BILL_STACKS), 7 * PAGE);
	assert_int_equal(bytes_of(BILL_PERCPU), 11 * PAGE);
	assert_int_equal(bytes_of(BILL_SERVER_USER), 17 * PAGE);
	assert_int_equal(bytes_of(BILL_CLIENT_USER), 19 * PAGE);
	assert_int_equal(bytes_of(BILL_OTHERS), 0);
	assert_int_equal(bytes_of(BILL_RESIDUAL), 5 * PAGE);
}

/* --- merged caches ------------------------------------------------------------------------ */

/* As on Linux 6.18. */
static void merge(void)
{
	slab_alias_add(&host.aliases, "eventpoll_epi", ":A-0000128");
	slab_alias_add(&host.aliases, "tcp_bind_bucket", ":A-0000128");
	slab_alias_add(&host.aliases, "tcp_bind2_bucket", ":A-0000128");
	slab_alias_add(&host.aliases, "eventpoll_pwq", ":A-0000064");
	slab_alias_add(&host.aliases, "anon_vma_chain", ":A-0000064");
}

static void aliases_are_found(void **state)
{
	const struct probe_slab *slab;

	(void)state;
	merge();
	slab_alias_add(&host.aliases, "own", "own");
	slab_alias_add(&host.aliases, "a_name_that_is_longer_than_there_is_room", ":x");
	assert_int_equal(host.aliases.count, 5);
	add_cache(&now, "eventpoll_epi", 1, PAGE);
	slab = slab_alias_find(&host.aliases, &now.slabs, "tcp_bind2_bucket");
	assert_ptr_equal(slab, &now.slabs.slabs[0]);
	assert_null(slab_alias_find(&host.aliases, &now.slabs, "eventpoll_pwq"));
	assert_null(slab_alias_find(&host.aliases, &now.slabs, "own"));
	assert_string_equal(slab_alias_other(&host.aliases, "tcp_bind_bucket", 0), "eventpoll_epi");
	assert_string_equal(slab_alias_other(&host.aliases, "tcp_bind_bucket", 1),
	                    "tcp_bind2_bucket");
	assert_null(slab_alias_other(&host.aliases, "tcp_bind_bucket", 2));
	assert_null(slab_alias_other(&host.aliases, "TCP", 0));
	for (uint32_t i = 0; i < SLAB_ALIASES_MAX + 5; i++)
		slab_alias_add(&host.aliases, "many", ":many");
	assert_int_equal(host.aliases.count, SLAB_ALIASES_MAX);
}

/* Groups of this kernel have a line in slabinfo, where both can be read and names are not cut. */
static void aliases_here(void **state)
{
	static struct slab_aliases here;
	static struct probe_slabinfo slabs;
	uint32_t found = 0;

	(void)state;
	if (slab_alias_read(&here) != 0 || here.count == 0 || probe_read_slabinfo(&slabs) != 0)
		skip(); /* not SLUB, nothing merged, or not root */
	for (uint32_t i = 0; i < here.count; i++) {
		assert_int_equal(here.aliases[i].group[0], ':');
		found += slab_alias_find(&here, &slabs, here.aliases[i].name) != NULL;
	}
	assert_true(found >= here.count - here.count / 10);
}

static void buckets_and_items_in_one_cache(void **state)
{
	(void)state;
	merge();
	grow("eventpoll_epi", 3000, 100 * PAGE); /* 1,000 items, 2,000 buckets */
	grow("anon_vma_chain", 1000, 16 * PAGE);
	make();
	assert_int_equal(bill.lines[BILL_WATCH].objects, 1000);
	assert_int_equal(bill.lines[BILL_BIND].objects, 2000);
	assert_int_equal(bytes_of(BILL_WATCH), 100 * PAGE / 3 + 16 * PAGE);
	assert_int_equal(bytes_of(BILL_BIND), 100 * PAGE - 100 * PAGE / 3);
	assert_string_equal(bill.lines[BILL_BIND].of,
	                    "tcp_bind_bucket + tcp_bind2_bucket in eventpoll_epi");
	assert_true(bill.lines[BILL_BIND].is_shared && bill.lines[BILL_WATCH].is_shared);
}

/* Nothing is watched: others' VMAs are not epoll's, and buckets are not items. */
static void buckets_without_items(void **state)
{
	(void)state;
	merge();
	grow("eventpoll_epi", 2000, 100 * PAGE);
	add_cache(&before, "anon_vma_chain", 9000, (uint64_t)(90 * PAGE));
	add_cache(&now, "anon_vma_chain", 8000, (uint64_t)(90 * PAGE));
	make();
	assert_int_equal(bytes_of(BILL_WATCH), 0);
	assert_int_equal(bytes_of(BILL_BIND), 100 * PAGE);
}

static void strangers_keep_their_part(void **state)
{
	(void)state;
	merge();
	grow("eventpoll_epi", 100, 4 * PAGE);
	grow("anon_vma_chain", 400, 8 * PAGE); /* 100 wait entries, 300 others */
	make();
	assert_int_equal(bytes_of(BILL_WATCH), 4 * PAGE + 2 * PAGE);
	assert_int_equal(bytes_of(BILL_SLABS), 6 * PAGE);
}

/* --- others ------------------------------------------------------------------------------- */

/* As a monitor that reads /proc/PID/fd makes them. */
static void readers_of_proc_are_others(void **state)
{
	(void)state;
	grow("sock_inode_cache", 2000, 400 * PAGE);
	grow("dentry", 8000, 400 * PAGE);
	grow("lsm_inode_cache", 4000, 60 * PAGE);
	grow("filp", 2000, 100 * PAGE);
	grow("proc_inode_cache", 6000, 1000 * PAGE);
	make();
	assert_int_equal(bytes_of(BILL_DENTRY), 100 * PAGE);
	assert_int_equal(bill.lines[BILL_DENTRY].objects, 2000);
	assert_int_equal(bytes_of(BILL_LSM), 30 * PAGE);
	assert_int_equal(bytes_of(BILL_FILE), 100 * PAGE);
	assert_int_equal(bytes_of(BILL_OTHERS), 300 * PAGE + 30 * PAGE + 1000 * PAGE);
	assert_int_equal(bytes_of(BILL_RESIDUAL), 0);
	assert_string_equal(bill.lines[BILL_OTHERS].of,
	                    "dentry, lsm_inode_cache, proc_inode_cache, processes");
}

/* Sockets of others that went take nothing off the line by which files grew. */
static void fewer_sockets_than_before(void **state)
{
	(void)state;
	add_cache(&before, "sock_inode_cache", 9000, (uint64_t)(900 * PAGE));
	add_cache(&now, "sock_inode_cache", 8000, (uint64_t)(900 * PAGE));
	grow("dentry", 500, 20 * PAGE);
	make();
	assert_int_equal(bytes_of(BILL_DENTRY), 20 * PAGE);
	assert_int_equal(bytes_of(BILL_OTHERS), 0);
}

static void other_processes_are_others(void **state)
{
	(void)state;
	users.server_bytes = 10 * PAGE;
	users.client_bytes = 20 * PAGE;
	now.memory.anon_bytes += 130 * PAGE;
	now.memory.dirty_bytes += 5 * PAGE;
	now.memory.shmem_bytes -= 3 * PAGE;
	now.memory_left_bytes -= 140 * PAGE;
	make();
	assert_int_equal(bytes_of(BILL_OTHERS), 100 * PAGE + 5 * PAGE - 3 * PAGE);
	assert_int_equal(bytes_of(BILL_RESIDUAL), 140 * PAGE - 132 * PAGE);
}

/* --- data --------------------------------------------------------------------------------- */

static void data_is_not_counted_twice(void **state)
{
	(void)state;
	grow("skbuff_head_cache", 100, 10 * PAGE);
	grow("kmalloc-2k", 100, 30 * PAGE);
	grow("kmalloc-cg-64", 100, 2 * PAGE);
	now.socket_memory_bytes = (uint64_t)(100 * PAGE);
	now.memory_left_bytes -= (uint64_t)(200 * PAGE);
	make();
	assert_int_equal(bytes_of(BILL_DATA), 10 * PAGE + (100 - 40) * PAGE);
	assert_int_equal(bytes_of(BILL_SLABS), 32 * PAGE);
	assert_int_equal(bytes_of(BILL_RESIDUAL), 140 * PAGE);
}

/* What is only reserved is no loss. */
static void data_is_at_most_what_was_lost(void **state)
{
	(void)state;
	now.socket_memory_bytes = (uint64_t)(100 * PAGE);
	now.memory_left_bytes -= (uint64_t)(30 * PAGE);
	make();
	assert_int_equal(bytes_of(BILL_DATA), 30 * PAGE);
	assert_int_equal(bytes_of(BILL_RESIDUAL), 0);
	now.cpus.count = 1; /* a CPU may have reserved all of it */
	make();
	assert_int_equal(bytes_of(BILL_DATA), 0);
	now.cpus.count = 0;
	now.memory_left_bytes += (uint64_t)(60 * PAGE);
	make();
	assert_int_equal(bytes_of(BILL_DATA), 0);
	assert_int_equal(bytes_of(BILL_RESIDUAL), -30 * PAGE);
}

/* --- drift -------------------------------------------------------------------------------- */

/* Three looks, 50 ms apart, in which a cache grows by so many pages each time. */
static void look(int64_t first, int64_t second)
{
	int64_t bytes[] = {100 * PAGE, (100 + first) * PAGE, (100 + first + second) * PAGE};

	for (uint64_t i = 0; i < 3; i++) {
		fill_host(&looks[i]);
		looks[i].at_ns = NS_PER_S + i * 50 * NS_PER_MS;
		add_cache(&looks[i], "TCP", 100, (uint64_t)bytes[i]);
		looks[i].memory.slab_bytes += (uint64_t)bytes[i];
	}
	account_drift(looks, &host);
}

static void drift_is_what_is_steady(void **state)
{
	static const struct {
		int64_t first, second, pages_per_s;
	} cases[] = {{2, 2, 40}, {2, 4, 40}, {4, 2, 40},  {2, 5, 0},
	             {0, 4, 0},  {4, 0, 0},  {-4, -4, 0}, {4, -4, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		look(cases[i].first, cases[i].second);
		assert_int_equal(host.drift_per_s[BILL_TCP], cases[i].pages_per_s * PAGE);
		assert_int_equal(host.drift_per_s[BILL_SLABS], 0);
	}
}

static void drift_is_taken_off(void **state)
{
	(void)state;
	look(2, 2);
	grow("TCP", 50000, 5000 * PAGE);
	make(); /* 10 s: 400 pages */
	assert_int_equal(bytes_of(BILL_TCP), 4600 * PAGE);
	assert_int_equal(bill.lines[BILL_TCP].objects, 46000);
	assert_int_equal(bytes_of(BILL_OTHERS), 400 * PAGE);
	assert_int_equal(bill.drift_bytes, 400 * PAGE);
}

static void drift_is_bounded(void **state)
{
	look(2, 2);
	grow("TCP", 50000, 4000 * PAGE);
	make();
	assert_int_equal(bill.drift_bytes, 400 * PAGE); /* a tenth */
	now.at_ns += NS_PER_S;
	make();
	assert_int_equal(bill.drift_bytes, 0); /* a burst */
	set_up(state);
	look(2, 2);
	grow("TCP", 50000, 50000 * PAGE);
	now.at_ns = before.at_ns + 60 * NS_PER_S;
	make();
	assert_int_equal(bill.drift_bytes, 2400 * PAGE);
	now.at_ns += 1;
	make();
	assert_int_equal(bill.drift_bytes, 0);
	set_up(state);
	look(200, 200);
	make(); /* a line that did not grow */
	assert_int_equal(bill.drift_bytes, 0);
}

/* --- what is not known -------------------------------------------------------------------- */

static void without_slabs(void **state)
{
	(void)state;
	grow("TCP", 2000, 500 * PAGE);
	now.has_slabs = false;
	make();
	assert_false(bill.has_slabs);
	assert_true(bytes_of(BILL_TCP) == BILL_UNKNOWN);
	assert_int_equal(bytes_of(BILL_SLABS), 500 * PAGE);
	account_memory(&before, &now, &host, &users, &memory);
	assert_int_equal(memory.kernel_bytes, 500 * PAGE);
	assert_int_equal(memory.residual_bytes, 0);
	assert_int_equal(memory.slab_count, 0);
}

static void without_users(void **state)
{
	(void)state;
	grow("TCP", 2000, 500 * PAGE);
	users.client_bytes = BILL_UNKNOWN;
	account_bill(&before, &now, &host, &users, &bill);
	assert_true(bytes_of(BILL_RESIDUAL) == BILL_UNKNOWN);
	assert_int_equal(bytes_of(BILL_TCP), 500 * PAGE);
}

/* Nothing could be read: nothing is said, and nothing is 0. */
static void without_anything(void **state)
{
	(void)state;
	figure_clear(&before);
	figure_clear(&now);
	memset(&before.memory, 0xff, sizeof(before.memory));
	memset(&now.memory, 0xff, sizeof(now.memory));
	account_memory(&before, &now, &host, &users, &memory);
	assert_true(memory.kernel_bytes == RESULT_UNKNOWN_BYTES);
	assert_true(memory.residual_bytes == RESULT_UNKNOWN_BYTES);
	assert_true(memory.bill.lost_bytes == BILL_UNKNOWN);
	assert_true(memory.bill.lines[BILL_VMALLOC].bytes == BILL_UNKNOWN);
	assert_true(memory.bill.lines[BILL_OTHERS].bytes == BILL_UNKNOWN ||
	            memory.bill.lines[BILL_OTHERS].bytes == 0);
}

/* Numbers that a damaged record may have: no overflow, and a bill that can be drawn. */
static void numbers_that_overflow(void **state)
{
	static const uint64_t values[] = {
		0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};

	for (size_t i = 0; i < COUNT_OF(values); i++) {
		for (size_t k = 0; k < COUNT_OF(values); k++) {
			set_up(state);
			host.drift_per_s[BILL_TCP] = INT64_MAX;
			for (int cache = 0; cache < 3; cache++) {
				add_cache(&before, cache == 0 ? "TCP" : "dentry", values[i],
				          values[k]);
				add_cache(&now, cache == 0 ? "TCP" : "dentry", values[k],
				          values[i]);
			}
			now.memory.slab_bytes = values[i];
			before.memory_left_bytes = values[k];
			now.socket_memory_bytes = values[k];
			account_memory(&before, &now, &host, &users, &memory);
			account_standing(&now, &host, &bill);
		}
	}
}

/* --- the result, and a host --------------------------------------------------------------- */

static void result_has_the_bills_sums(void **state)
{
	(void)state;
	grow("TCP", 2000, 500 * PAGE);
	grow("kmalloc-192", 300, 20 * PAGE);
	grow("proc_inode_cache", 300, 900 * PAGE);
	users.server_bytes = 10 * PAGE;
	users.client_bytes = 20 * PAGE;
	now.memory.anon_bytes += 30 * PAGE;
	now.memory_left_bytes -= 34 * PAGE;
	now.memory.available_bytes -= 99 * PAGE;
	account_memory(&before, &now, &host, &users, &memory);
	assert_adds_up(&memory.bill);
	assert_int_equal(memory.connections, N);
	assert_int_equal(memory.bill.connections, N);
	assert_int_equal(memory.kernel_bytes, 520 * PAGE);
	assert_int_equal(result_bytes(&memory), 550 * PAGE);
	assert_int_equal(memory.residual_bytes, 4 * PAGE);
	assert_int_equal(memory.bill.available_lost_bytes, 99 * PAGE);
	assert_int_equal(memory.slab_count, 2);
	assert_string_equal(memory.slabs[0].name, "TCP");
	assert_string_equal(memory.slabs[1].name, "kmalloc-192");
	assert_int_equal(memory.slabs[1].objects, 300);
}

static void standing_sockets(void **state)
{
	(void)state;
	merge();
	grow("TCP", 990, 300 * PAGE); /* 1,000, and one page, with what is there before */
	grow("sock_inode_cache", 1990, 399 * PAGE);
	grow("dentry", 9990, 499 * PAGE);
	grow("filp", 490, 49 * PAGE);
	grow("eventpoll_epi", 90, 3 * PAGE);
	grow("anon_vma_chain", 290, 5 * PAGE);
	grow("kmalloc-192", 990, 77 * PAGE);
	now.sockets.tcp_alloc = 1000;
	now.socket_memory_bytes = (uint64_t)(6 * PAGE);
	account_standing(&now, &host, &bill);
	assert_int_equal(bill.connections, 1000);
	assert_int_equal(bytes_of(BILL_TCP), 301 * PAGE);
	assert_int_equal(bytes_of(BILL_INODE), 200 * PAGE);
	assert_int_equal(bytes_of(BILL_DENTRY), 50 * PAGE);
	assert_int_equal(bytes_of(BILL_FILE), 50 * PAGE);
	assert_int_equal(bill.lines[BILL_FILE].objects, 500);
	assert_int_equal(bill.lines[BILL_WATCH].objects, 100);
	assert_int_equal(bytes_of(BILL_DATA), 6 * PAGE);
	assert_true(bytes_of(BILL_SLABS) == BILL_UNKNOWN);
	assert_true(bytes_of(BILL_OTHERS) == BILL_UNKNOWN);
	now.has_slabs = false;
	account_standing(&now, &host, &bill);
	assert_true(bytes_of(BILL_TCP) == BILL_UNKNOWN);
	assert_int_equal(bytes_of(BILL_DATA), 6 * PAGE);
	assert_int_equal(bytes_of(BILL_SLABS), (int64_t)now.memory.slab_bytes);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_cache_on_its_line),
		TEST(objects_are_counted),
		TEST(caches_may_shrink),
		TEST(meminfo_has_lines),
		TEST(aliases_are_found),
		TEST(aliases_here),
		TEST(buckets_and_items_in_one_cache),
		TEST(buckets_without_items),
		TEST(strangers_keep_their_part),
		TEST(readers_of_proc_are_others),
		TEST(fewer_sockets_than_before),
		TEST(other_processes_are_others),
		TEST(data_is_not_counted_twice),
		TEST(data_is_at_most_what_was_lost),
		TEST(drift_is_what_is_steady),
		TEST(drift_is_taken_off),
		TEST(drift_is_bounded),
		TEST(without_slabs),
		TEST(without_users),
		TEST(without_anything),
		TEST(numbers_that_overflow),
		TEST(result_has_the_bills_sums),
		TEST(standing_sockets),
	};

	return cmocka_run_group_tests_name("unit_account", tests, NULL, NULL);
}
