/* unit_walls_rows: rows of files, processes, queues and tables: each stops at its number and not
 * before, asks for what it needs and no more than the kernel takes; and none wraps for any N. */
#include "roomy.h"

/* --- files and processes -------------------------------------------------------------------- */

static void test_nofile(void **state)
{
	const struct wall_row *row;

	(void)state;
	roomy();
	expect_no_bound("nofile_soft", "1,024: raised to the hard limit by megaconn");
	c.held_by_files = 4242;
	row = expect_wall("nofile_hard", 4242);
	assert_non_null(strstr(row->fix, "ulimit -n"));
	assert_non_null(strstr(row->shown, "io_uring's direct descriptors need far fewer"));
	assert_true(walls_row(&r, "nr_open")->allows == WALL_NO_BOUND);
	c.takes_descriptors = true;
	assert_non_null(strstr(judge("nofile_hard")->shown, "one a connection"));
	c.n = 1;
	l.nofile_hard = LIMITS_NONE; /* then fs.nr_open is what bounds */
	expect_no_bound("nofile_hard", "unlimited");
	assert_int_equal(walls_row(&r, "nr_open")->allows, 4242);
	l.nofile_hard = LIMITS_UNKNOWN;
	expect_unknown("nofile_hard");
}

static void test_nr_open(void **state)
{
	(void)state;
	roomy();
	l.nr_open = 5000;
	c.held_by_files = 4000;
	assert_int_equal(expect_wall("nr_open", 4000)->needed, 4001 + 1024);
	assert_true(walls_row(&r, "nofile_hard")->allows == WALL_NO_BOUND);
	c.n = 5000 - 1024;
	expect_met("nr_open", "fs.nr_open", "5000");
	c.n++;
	expect_ask("nr_open", "fs.nr_open", "5001");
	c.n = UINT64_MAX; /* no more than a run can number: the kernel takes 2^31 - 64 at most */
	expect_ask("nr_open", "fs.nr_open", "1073742848");
	c.n = 1;
	l.nr_open = LIMITS_UNKNOWN;
	expect_unknown("nr_open");
}

static void test_file_max(void **state)
{
	const uint64_t own = UINT64_C(64) * 6; /* 2 workers of each side, and 2 that lead */

	(void)state;
	roomy();
	expect_no_bound("file_max", "not for CAP_SYS_ADMIN");
	assert_null(find_ask("fs.file-max"));
	l.file_max = 100000;
	l.files_left = 20000 + own;
	assert_int_equal(expect_wall("file_max", 10000)->needed, 20002 + own);
	/* In use: 100,000 - 20,384; needed: 20,386, and an eighth of that. */
	expect_ask("file_max", "fs.file-max", "102550");
	c.n = 10000;
	expect_met("file_max", "fs.file-max", "100000");
	c.ends = 1;
	expect_wall("file_max", 20000);
	l.files_left = own;
	expect_wall("file_max", 0);
	l.files_left = 0;
	expect_wall("file_max", 0);
	c.n = 1;
	l.files_left = LIMITS_UNKNOWN;
	expect_unknown("file_max");
	l.file_max = LIMITS_UNKNOWN;
	expect_unknown("file_max");
	/* As systemd sets it: the most there is. */
	l.file_max = INT64_MAX;
	l.files_left = 0;
	expect_ask("file_max", "fs.file-max", "9223372036854775807");
}

static void test_memlock(void **state)
{
	(void)state;
	roomy();
	expect_no_bound("memlock", "unlimited");
	l.memlock_bytes = 8 * MIB;
	c.held = 7777;
	assert_non_null(strstr(expect_wall("memlock", 7777)->fix, "ulimit -l"));
	assert_non_null(strstr(judge("memlock")->shown, "8.0 MiB for all rings"));
	c.n = 1;
	c.takes_descriptors = true; /* no rings */
	expect_no_bound("memlock", "8.0 MiB");
	c.takes_descriptors = false;
	c.held_by_files = c.held; /* descriptors bind as much: theirs is the row */
	expect_no_bound("memlock", "8.0 MiB");
	l.memlock_bytes = LIMITS_UNKNOWN;
	expect_unknown("memlock");
}

/* A limit of tasks: 2 lead, and each side has `worker_most` connections a worker. */
static void expect_tasks(const char *id, uint64_t *left)
{
	const struct wall_row *row;

	c.worker_most = 1000;
	c.workers = 10;
	c.sides = 2;
	*left = 2 + 2 * 9;
	row = expect_wall(id, 9000);
	assert_int_equal(row->needed, 22);
	*left = 2 + 2 * 9 + 1; /* half a pair is none */
	expect_wall(id, 9000);
	/* All that n takes can be started: whether they hold n is other rows'. */
	*left = 2 + 2 * 10;
	c.n = 12345;
	assert_int_equal(judge(id)->state, WALL_OK);
	*left = 2;
	expect_wall(id, 0);
	*left = 0;
	expect_wall(id, 0);
	c.sides = 1;
	*left = 2 + 9;
	expect_wall(id, 9000);
	/* What may be started is counted, also where n takes less. */
	c.workers = 1;
	c.n = 10;
	*left = 2 + 50;
	assert_int_equal(judge(id)->allows, 50000);
	*left = LIMITS_UNKNOWN - 1;
	assert_true(judge(id)->allows == WALL_NO_BOUND);
	*left = LIMITS_UNKNOWN;
	expect_unknown(id);
}

static void test_tasks(void **state)
{
	(void)state;
	roomy();
	expect_no_bound("pid_max", "32,768: not for this process's rights");
	expect_tasks("pid_max", &l.pids_left);
	roomy();
	expect_tasks("threads_max", &l.threads_left);
	roomy();
	l.nproc = 50;
	expect_tasks("nproc", &l.nproc_left);
	roomy();
	expect_no_bound("nproc", "unlimited");
	expect_no_bound("cgroup_pids", "unlimited");
	expect_tasks("cgroup_pids", &l.cgroup_pids_left);
}

static void test_tasks_asked(void **state)
{
	(void)state;
	roomy();
	c.workers = 10;
	c.n = 5000000;
	l.pids_left = l.threads_left = l.nproc_left = l.cgroup_pids_left = 10;
	l.nproc = 50;
	expect_ask("pid_max", "kernel.pid_max", "32812");
	expect_ask("threads_max", "kernel.threads-max", "32812");
	assert_non_null(strstr(judge("nproc")->fix, "ulimit -u"));
	assert_non_null(strstr(judge("cgroup_pids")->fix, "pids.max"));
	/* Up to what the kernel takes. */
	l.pid_max = (1 << 22) - 1;
	l.threads_max = 0x3ffffffe;
	expect_ask("pid_max", "kernel.pid_max", "4194304");
	expect_ask("threads_max", "kernel.threads-max", "1073741823");
	l.pid_max++;
	l.threads_max++;
	assert_non_null(strstr(judge("pid_max")->fix, "end other processes"));
	assert_non_null(strstr(judge("threads_max")->fix, "end other processes"));
	assert_null(find_ask("kernel.pid_max"));
	assert_null(find_ask("kernel.threads-max"));
	/* Fewer workers hold n as well. */
	c.n = 100;
	assert_string_equal(judge("pid_max")->fix, "");
}

/* --- queues and tables ---------------------------------------------------------------------- */

static const struct slow {
	const char *id, *name;
	size_t offset;
	uint64_t of_5000000; /* what that N wants */
} slows[] = {
	{"somaxconn", "net.core.somaxconn", offsetof(struct limits, somaxconn), 65535},
	{"tcp_max_syn_backlog", "net.ipv4.tcp_max_syn_backlog",
         offsetof(struct limits, syn_backlog), 65536},
	{"tcp_syncookies", "net.ipv4.tcp_syncookies", offsetof(struct limits, syncookies), 1},
	{"netdev_max_backlog", "net.core.netdev_max_backlog",
         offsetof(struct limits, netdev_max_backlog), 65536},
	{"tcp_max_orphans", "net.ipv4.tcp_max_orphans", offsetof(struct limits, max_orphans),
         5000000},
	{"tcp_max_tw_buckets", "net.ipv4.tcp_max_tw_buckets",
         offsetof(struct limits, max_tw_buckets), 5000000},
};

/* They bound nothing, and are asked for where they are smaller than what N wants. */
static void test_slows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(slows); i++) {
		const struct slow *slow = &slows[i];
		uint64_t *value;
		char text[32];
		struct text t;

		roomy();
		value = (uint64_t *)(void *)((char *)&l + slow->offset);
		c.n = 5000000;
		*value = slow->of_5000000;
		text_init(&t, text, sizeof(text));
		text_add(&t, "%llu", (unsigned long long)*value);
		expect_met(slow->id, slow->name, text);
		assert_int_equal(judge(slow->id)->needed, *value);
		(*value)--;
		expect_ask(slow->id, slow->name, text);
		assert_int_equal(judge(slow->id)->state, WALL_OK);
		assert_true(judge(slow->id)->allows == WALL_NO_BOUND);
		*value = LIMITS_UNKNOWN;
		expect_unknown(slow->id);
		assert_null(find_ask(slow->name));
	}
	roomy();
	c.n = UINT64_C(64) * 100;
	l.somaxconn = l.netdev_max_backlog = 1;
	expect_ask("somaxconn", "net.core.somaxconn", "6400");
	expect_ask("netdev_max_backlog", "net.core.netdev_max_backlog", "100");
}

static void test_conntrack(void **state)
{
	static const char *const max = "net.netfilter.nf_conntrack_max";

	(void)state;
	roomy();
	expect_no_bound("conntrack_max", "not in use");
	l.conntrack = LIMITS_USE_YES;
	l.conntrack_max = 65536;
	l.conntrack_count = 5536;
	l.conntrack_buckets = 65536;
	assert_int_equal(expect_wall("conntrack_max", 60000)->needed, 65537);
	expect_ask("conntrack_max", max, "81921");
	c.n = 60000;
	expect_met("conntrack_max", max, "65536");
	l.conntrack_count = 65537;
	expect_wall("conntrack_max", 0);
	c.n = UINT64_MAX;
	expect_ask("conntrack_max", max, "1342259201");
	l.conntrack_count = UINT32_MAX;
	expect_ask("conntrack_max", max, "2147483647");
	c.n = 1;
	l.conntrack_count = LIMITS_UNKNOWN;
	expect_unknown("conntrack_max");
	l.conntrack_max = LIMITS_UNKNOWN;
	expect_unknown("conntrack_max");
	l.conntrack = LIMITS_USE_UNKNOWN;
	expect_unknown("conntrack_max");
	expect_unknown("conntrack_buckets");
	c.is_private = true; /* the host's rules do not reach there */
	expect_no_bound("conntrack_max", "not in use");
}

static void test_conntrack_buckets(void **state)
{
	static const char *const name = "net.netfilter.nf_conntrack_buckets";

	(void)state;
	roomy();
	l.conntrack = LIMITS_USE_YES;
	l.conntrack_max = MANY;
	l.conntrack_count = 0;
	l.conntrack_buckets = 65536;
	c.n = 8 * 65536 + 7;
	expect_met("conntrack_buckets", name, "65536");
	expect_no_bound("conntrack_buckets", "65,536 buckets: 8.0 entries each at N");
	c.n++;
	expect_ask("conntrack_buckets", name, "262144");
	c.n = UINT64_MAX;
	expect_ask("conntrack_buckets", name, "268435456");
	l.conntrack_buckets = 0;
	assert_non_null(strstr(judge("conntrack_buckets")->shown, "0 buckets"));
	c.n = 1;
	l.conntrack_buckets = LIMITS_UNKNOWN;
	expect_unknown("conntrack_buckets");
}

static void test_neighbours(void **state)
{
	static const char *const name = "net.ipv4.neigh.default.gc_thresh3";

	(void)state;
	roomy();
	plan.source_count = 2000;
	expect_no_bound("neigh_gc_thresh3", "no client is on a LAN");
	c.neighbours = 2000;
	l.neigh4_used = 24;
	assert_int_equal(expect_wall("neigh_gc_thresh3", UINT64_C(28232) * 1000)->needed, 2024);
	expect_ask("neigh_gc_thresh3", name, "4048");
	/* Half of them are beyond a router, and need no entry. */
	c.neighbours = 1000;
	expect_met("neigh_gc_thresh3", name, "1024");
	l.neigh4_used = 524;
	expect_wall("neigh_gc_thresh3", UINT64_C(28232) * 1500);
	l.neigh4_used = 2000;
	expect_wall("neigh_gc_thresh3", UINT64_C(28232) * 1000);
	c.neighbours = 2000;
	expect_wall("neigh_gc_thresh3", 0);
	c.n = 1;
	l.neigh4_used = LIMITS_UNKNOWN;
	expect_unknown("neigh_gc_thresh3");
	l.neigh4_max = LIMITS_UNKNOWN;
	expect_unknown("neigh_gc_thresh3");
	plan.target.family = AF_INET6;
	l.neigh6_max = 100;
	l.neigh6_used = 0;
	expect_wall("neigh_gc_thresh3", UINT64_C(28232) * 100);
	expect_ask("neigh_gc_thresh3", "net.ipv6.neigh.default.gc_thresh3", "4000");
}

static void test_hashes(void **state)
{
	(void)state;
	roomy();
	c.n = 1000000;
	expect_no_bound("tcp_ehash", "524,288 buckets: 3.8 sockets each at N");
	assert_string_equal(judge("tcp_ehash")->fix, "");
	expect_no_bound("tcp_bhash", "65,536 buckets: 15.2 local ports each at N");
	c.n = 1048576 + 2;
	assert_non_null(strstr(judge("tcp_ehash")->fix, "thash_entries=2097156;"));
	c.n = UINT64_MAX;
	assert_non_null(strstr(judge("tcp_ehash")->fix, "thash_entries=2147483648;"));
	c.n = 1;
	l.ehash_entries = 1024;
	expect_no_bound("tcp_bhash", "1,024 buckets");
	l.ehash_entries = LIMITS_UNKNOWN;
	expect_unknown("tcp_ehash");
	expect_unknown("tcp_bhash");
}

static void test_features(void **state)
{
	(void)state;
	roomy();
	expect_no_bound("io_uring", "yes");
	expect_no_bound("tun", "yes");
	expect_no_bound("user_namespaces", "yes");
	strncpy(c.namespaces.why, "for this user", sizeof(c.namespaces.why) - 1);
	expect_no_bound("user_namespaces", "yes: for this user");
	c.uring = c.namespaces = (struct walls_feature){.why = "the reason"};
	l.tun = LIMITS_USE_NO;
	strncpy(l.tun_why, "a reason", sizeof(l.tun_why) - 1);
	expect_no_bound("io_uring", "no: the reason");
	expect_no_bound("user_namespaces", "no: the reason");
	expect_no_bound("tun", "no: a reason");
	assert_non_null(strstr(judge("io_uring")->fix, "epoll"));
	assert_non_null(strstr(judge("user_namespaces")->fix, "loopback"));
	strncpy(c.utcp.why, "but packet", sizeof(c.utcp.why) - 1);
	expect_no_bound("tun", "no: a reason; but packet");
	l.tun = LIMITS_USE_UNKNOWN;
	expect_unknown("tun");
	static const char *const words[] = {"is taken for 60 s", "after 1 s", "on loopback"};

	for (uint64_t mode = 0; mode < 3; mode++) {
		l.tw_reuse = mode;
		expect_no_bound("tcp_tw_reuse", words[mode]);
	}
	l.tw_reuse = 3;
	expect_unknown("tcp_tw_reuse");
}

/* --- all of it ------------------------------------------------------------------------------ */

static uint64_t seed = 11;

/* Numbers of all sizes, and both that are none. */
static uint64_t draw(void)
{
	static const uint64_t edges[] = {0, 1, LIMITS_UNKNOWN, LIMITS_NONE, INT64_MAX, UINT32_MAX};

	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	if (seed >> 60 == 0)
		return edges[(seed >> 40) % COUNT_OF(edges)];
	return (seed << 7 | seed >> 57) >> (seed >> 58);
}

static void draw_limits(void)
{
	uint64_t *const numbers[] = {
		&l.nofile_hard,        &l.nr_open,
		&l.memlock_bytes,      &l.file_max,
		&l.files_left,         &l.pid_max,
		&l.pids_left,          &l.threads_max,
		&l.threads_left,       &l.nproc,
		&l.nproc_left,         &l.cgroup_pids_left,
		&l.memory_left_bytes,  &l.cgroup_left_bytes,
		&l.swap_total_bytes,   &l.swap_free_bytes,
		&l.somaxconn,          &l.syn_backlog,
		&l.tcp_mem_pages.most, &l.tcp_rmem.usual,
		&l.tcp_rmem.most,      &l.max_orphans,
		&l.max_tw_buckets,     &l.tw_reuse,
		&l.ehash_entries,      &l.neigh4_max,
		&l.neigh4_used,        &l.conntrack_max,
		&l.conntrack_count,    &l.conntrack_buckets,
	};

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		*numbers[i] = draw();
	l.conntrack = (enum limits_use)(draw() % 3);
	l.tun = (enum limits_use)(draw() % 3);
}

/* Nothing wraps, whatever there is and whatever N: no row that allows too little calls itself
 * enough, and what is needed of memory and files is at least N. */
static void test_anything(void **state)
{
	(void)state;
	for (int tries = 0; tries < 20000; tries++) {
		roomy();
		draw_limits();
		c.n = draw();
		plan.source_count = (uint32_t)(draw() % ((1 << 24) + 1));
		plan.target_port_count = (uint32_t)(draw() % 65536);
		plan.port_count = (uint32_t)(draw() % 65536);
		c.neighbours = plan.source_count > 0 ? (uint32_t)(draw() % plan.source_count) : 0;
		c.ends = 1 + (uint32_t)(draw() % 2);
		c.sides = 1 + (uint32_t)(draw() % 2);
		c.held_by_files = draw() >> 16;
		c.held = c.held_by_files / 2;
		c.worker_most = draw();
		c.workers = (uint32_t)(draw() % 1024);
		c.machine = (struct walls_cost){
			.fixed_bytes = draw(),
			.each_bytes = 1 + draw() / 2,
		};
		judge_all();
		assert_true(r.largest <= CAPACITY_INDEX_MOST);
		assert_true(walls_row(&r, "tcp_ehash")->needed >= c.n);
		assert_true(walls_row(&r, "nr_open")->needed >= c.n ||
		            walls_row(&r, "nr_open")->value == WALL_NO_NUMBER);
		assert_true(walls_row(&r, "memory")->needed >= c.n);
		if (!r.fits)
			expect_refused(r.rows[0].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nofile),
		cmocka_unit_test(test_nr_open),
		cmocka_unit_test(test_file_max),
		cmocka_unit_test(test_memlock),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_tasks_asked),
		cmocka_unit_test(test_slows),
		cmocka_unit_test(test_conntrack),
		cmocka_unit_test(test_conntrack_buckets),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests_name("unit_walls_rows", tests, NULL, NULL);
}
