/* unit_workers: how many processes are taken, with any of the limits of tasks; and that what they
 * hold is what is said. */
#include "run/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LEADERS 2 /* holder, director: the supervisor is there already */

static struct experiment x;
static struct limits l;

static void prepare(enum run_kind kind, uint64_t n, uint64_t nofile)
{
	memset(&x, 0, sizeof(x));
	x.kind = kind;
	x.engine = x.clients = ENGINE_EPOLL;
	x.n = n;
	x.nofile = nofile;
	x.listeners = kind == RUN_CONNECT ? 0 : 1;
	l = (struct limits){
		.cpus = 2,
		.memlock_bytes = LIMITS_NONE,
		.pids_left = LIMITS_NONE,
		.threads_left = LIMITS_NONE,
		.nproc_left = LIMITS_NONE,
		.cgroup_pids_left = LIMITS_NONE,
	};
}

/* One a CPU, fewer where they are not worth it, more where one cannot hold its share. */
static void test_unbounded(void **state)
{
	(void)state;
	prepare(RUN_LAB, 100000, 1000000);
	assert_int_equal(workers_choose(&x, &l, 0) >= x.n, 1);
	assert_int_equal(x.server_workers, 2);
	assert_int_equal(x.client_workers, 2);
	assert_true(x.pinned);
	prepare(RUN_LAB, 2000, 1000000);
	assert_true(workers_choose(&x, &l, 0) >= x.n);
	assert_int_equal(x.client_workers, 1);
	prepare(RUN_CONNECT, 100000, 1024);
	assert_true(workers_choose(&x, &l, 0) >= x.n);
	assert_int_equal(x.server_workers, 0);
	/* 16 of its descriptors are a worker's own. */
	assert_int_equal(x.client_workers, (100000 + 1007) / 1008);
	assert_int_equal(x.clients_at_once, 2);
	prepare(RUN_SERVE, 100000, 1024);
	assert_true(workers_choose(&x, &l, 0) >= x.n);
	assert_int_equal(x.client_workers, 0);
	assert_true(x.server_workers >= 100);
	assert_int_equal(x.listen_groups, 1);
}

/* No more processes than may be started, whichever limit says so. */
static void expect_bounded(uint64_t *left)
{
	for (uint64_t tasks = 0; tasks < 30; tasks++) {
		uint64_t held, most = tasks > LEADERS ? tasks - LEADERS : 0;

		prepare(RUN_CONNECT, 100000, 1024);
		*left = tasks;
		held = workers_choose(&x, &l, 0);
		assert_int_equal(x.client_workers, most > 1 ? most : 1);
		assert_int_equal(held, x.client_workers * UINT64_C(1008));
		prepare(RUN_LAB, 100000, 1024);
		*left = tasks;
		held = workers_choose(&x, &l, 0);
		assert_true(held < x.n);
		assert_int_equal(x.client_workers, most / 2 > 1 ? most / 2 : 1);
		assert_int_equal(x.server_workers, x.client_workers);
	}
	/* As many as it takes are enough. */
	prepare(RUN_CONNECT, 100000, 1024);
	*left = LEADERS + 100;
	assert_true(workers_choose(&x, &l, 0) >= x.n);
	assert_int_equal(x.client_workers, 100);
	(*left)--;
	assert_int_equal(workers_choose(&x, &l, 0), 99 * 1008);
	/* What cannot be known stops nobody. */
	*left = LIMITS_UNKNOWN;
	assert_true(workers_choose(&x, &l, 0) >= x.n);
}

static void test_tasks(void **state)
{
	(void)state;
	expect_bounded(&l.pids_left);
	expect_bounded(&l.threads_left);
	expect_bounded(&l.nproc_left);
	expect_bounded(&l.cgroup_pids_left);
}

/* Exactly as many as were wanted, but none without a connection. */
static void test_wanted(void **state)
{
	(void)state;
	prepare(RUN_LAB, 100000, 1000000);
	assert_true(workers_choose(&x, &l, 5) >= x.n);
	assert_int_equal(x.client_workers, 5);
	assert_int_equal(x.clients_at_once, 5);
	l.pids_left = 0;
	(void)workers_choose(&x, &l, 5);
	assert_int_equal(x.client_workers, 5);
	prepare(RUN_CONNECT, 3, 1024);
	(void)workers_choose(&x, &l, 5);
	assert_int_equal(x.client_workers, 3);
	prepare(RUN_CONNECT, 0, 1024);
	(void)workers_choose(&x, &l, 5);
	assert_int_equal(x.client_workers, 1);
}

/* Locked memory is the user's: more workers have less each. */
static void test_memlock(void **state)
{
	(void)state;
	prepare(RUN_LAB, 100000, 1000000);
	l.memlock_bytes = 10 << 20;
	(void)workers_choose(&x, &l, 4);
	assert_int_equal(x.memlock_bytes, (10 << 20) / 10 * 9 / 8);
	prepare(RUN_CONNECT, 100000, 1000000);
	l.memlock_bytes = 10 << 20;
	(void)workers_choose(&x, &l, 4);
	assert_int_equal(x.memlock_bytes, (10 << 20) / 10 * 9 / 4);
}

/* Indexes are shared out without a gap, and nobody has one twice. */
static void test_describe(void **state)
{
	static struct shm shm;

	(void)state;
	prepare(RUN_LAB, 100001, 1000000);
	(void)workers_choose(&x, &l, 7);
	workers_describe(&x, &shm);
	uint32_t next = 0;

	assert_int_equal(shm.worker_count, 14);
	for (uint32_t i = 0; i < 14; i++) {
		const struct shm_worker *w = &shm.workers[i];

		assert_int_equal(w->role, i < 7 ? ROLE_SERVER : ROLE_CLIENT);
		assert_int_equal(w->number, i % 7);
		if (w->role == ROLE_SERVER) {
			assert_int_equal(w->count, x.server_worker_most);
			continue;
		}
		assert_int_equal(w->first, next);
		assert_in_range(w->count, 100001 / 7, 100001 / 7 + 1);
		next += w->count;
	}
	assert_int_equal(next, 100001);
}

static void set_plan(uint32_t sources, uint32_t targets)
{
	struct ip first;

	assert_int_equal(ip_parse("198.18.0.1", &first), 0);
	pool_set(&x.tuples.sources, &first, sources);
	x.tuples.source_count = sources;
	x.tuples.target_port_count = targets;
	x.engine = ENGINE_URING;
	x.clients = ENGINE_TUN;
	x.listeners = targets;
	(void)tuple_set_ports(&x.tuples, 10240, 65535, NULL, 50000);
}

/* Clients with a TCP of their own: no two have a source IP in common, all of them are at work, and
 * nobody is left out. */
static void expect_parts(uint64_t wanted, uint32_t clients)
{
	static struct shm shm;
	uint64_t next = 0, last_source = 0;

	assert_true(workers_choose(&x, &l, wanted) >= x.n);
	tuple_spread(&x.tuples, x.n);
	assert_true(workers_choose(&x, &l, wanted) >= x.n);
	assert_int_equal(x.client_workers, clients);
	workers_describe(&x, &shm);
	for (uint32_t i = x.server_workers; i < shm.worker_count; i++) {
		const struct shm_worker *w = &shm.workers[i];
		uint64_t each = tuple_per_source(&x.tuples);

		assert_int_equal(w->first, next);
		assert_int_equal(w->first % each, 0);
		assert_true(w->count > 0);
		assert_true(i == x.server_workers || w->first / each > last_source);
		/* What is joined to a server of its own fits into that. */
		assert_true(x.server_workers != clients || !x.pinned ||
		            w->count <= x.server_worker_most);
		next += w->count;
		last_source = (next - 1) / each;
	}
	assert_int_equal(next, x.n);
}

static void test_utcp_parts(void **state)
{
	static const uint64_t sizes[] = {1, 19, 1300, 4000, 9100, 10000, 20001, 300000, 1000000};
	static const uint32_t targets[] = {1, 30};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t t = 0; t < 2; t++) {
			prepare(RUN_LAB, sizes[i], 1000000);
			set_plan(20, targets[t]);
			expect_parts(0, sizes[i] > 2000 ? 2 : 1);
			prepare(RUN_CONNECT, sizes[i], 1000000);
			set_plan(131070, targets[t]);
			expect_parts(0, sizes[i] > 2000 ? 2 : 1);
		}
	}
	prepare(RUN_CONNECT, 1000000, 1000000);
	set_plan(131070, 1);
	expect_parts(7, 7);
}

/* One source IP has one device, hence one client; servers are as many as ever, and the kernel
 * spreads connections over them. */
static void test_utcp_one_source(void **state)
{
	(void)state;
	prepare(RUN_LAB, 100000, 1000000);
	set_plan(1, 30);
	expect_parts(0, 1);
	assert_int_equal(x.server_workers, 2);
	assert_false(x.pinned);
	/* Server ports that all are used at one port of a few source IPs. */
	prepare(RUN_LAB, 10, 1000000);
	set_plan(5, 3);
	expect_parts(5, 4);
}

/* They have no descriptors, and lock no memory. */
static void test_utcp_holds(void **state)
{
	(void)state;
	prepare(RUN_CONNECT, 5000000, 64);
	set_plan(200, 1);
	expect_parts(0, 2);
	prepare(RUN_LAB, 100000, 1000000);
	set_plan(20, 1);
	l.memlock_bytes = 10 << 20;
	(void)workers_choose(&x, &l, 4);
	assert_int_equal(x.memlock_bytes, (10 << 20) / 10 * 9 / 4);
	/* Servers that are many for want of descriptors do not make clients many. */
	prepare(RUN_LAB, 100000, 1024);
	set_plan(20, 1);
	x.engine = ENGINE_EPOLL;
	expect_parts(0, 2);
	assert_true(x.server_workers > 90);
	assert_true(x.pinned);
	set_plan(1, 2);
	x.engine = ENGINE_EPOLL;
	expect_parts(0, 1);
	assert_false(x.pinned);
	assert_int_equal(x.listen_groups, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unbounded),       cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_wanted),          cmocka_unit_test(test_memlock),
		cmocka_unit_test(test_describe),        cmocka_unit_test(test_utcp_parts),
		cmocka_unit_test(test_utcp_one_source), cmocka_unit_test(test_utcp_holds),
	};

	return cmocka_run_group_tests_name("unit_workers", tests, NULL, NULL);
}
