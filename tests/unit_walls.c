/* unit_walls: the table of limits as a whole: which rows there are, their order, the words, the
 * refusal; and the rows of ports and memory, each stopping at its number and not before. */
#include "roomy.h"

/* Stable: they stand in documents, tests and results. */
static const struct {
	const char *id;
	bool of_server, of_client;
} ids[] = {
	{"source_ports", true, true},
	{"source_addresses", false, true},
	{"port_search", false, true},
	{"reserved_ports", false, true},
	{"listening_ports", false, true},
	{"index", true, true},
	{"nofile_soft", true, true},
	{"nofile_hard", true, true},
	{"nr_open", true, true},
	{"file_max", true, true},
	{"memlock", true, true},
	{"pid_max", true, true},
	{"threads_max", true, true},
	{"nproc", true, true},
	{"cgroup_pids", true, true},
	{"memory", true, true},
	{"cgroup_memory", true, true},
	{"swap", true, true},
	{"overcommit", true, true},
	{"tcp_mem", true, true},
	{"tcp_rmem", true, true},
	{"tcp_wmem", true, true},
	{"conntrack_max", true, true},
	{"conntrack_buckets", true, true},
	{"neigh_gc_thresh3", true, true},
	{"somaxconn", true, false},
	{"tcp_max_syn_backlog", true, false},
	{"tcp_syncookies", true, false},
	{"netdev_max_backlog", true, true},
	{"tcp_max_orphans", true, true},
	{"tcp_max_tw_buckets", true, true},
	{"tcp_tw_reuse", false, true},
	{"tcp_ehash", true, true},
	{"tcp_bhash", false, true},
	{"io_uring", true, true},
	{"user_namespaces", true, true},
	{"tun", true, true},
};

static void test_roles(void **state)
{
	(void)state;
	roomy();
	for (int role = 0; role < WALL_ROLE_COUNT; role++) {
		uint32_t count = 0;

		c.role = (enum wall_role)role;
		judge_all();
		for (size_t i = 0; i < COUNT_OF(ids); i++) {
			bool is_there = role == WALL_ROLE_BOTH ||
			                (role == WALL_ROLE_SERVER ? ids[i].of_server
			                                          : ids[i].of_client);

			assert_int_equal(walls_row(&r, ids[i].id) != NULL, is_there);
			assert_true(walls_has(ids[i].id));
			count += is_there;
		}
		assert_int_equal(r.row_count, count);
		assert_true(r.row_count <= WALL_ROWS_MOST);
	}
	assert_false(walls_has(""));
	assert_false(walls_has("source_port"));
	assert_false(walls_has("index2"));
	assert_null(walls_row(&r, "nothing"));
}

static void test_words(void **state)
{
	struct err err;

	(void)state;
	roomy();
	c.n = 1;
	judge_all();
	assert_string_equal(r.words, "1 connection fits; this machine would stop at 1,073,741,824: "
	                             "1,073,741,824: no more can be numbered by one run");
	c.n = 28233;
	plan.source_count = 1;
	judge_all();
	assert_string_equal(r.words,
	                    "this machine stops at 28,232: one source IP to one server port, "
	                    "ip_local_port_range 32768-60999. To go further: add one source IP "
	                    "(--source) or one server port; sysctl -w "
	                    "net.ipv4.ip_local_port_range='10240 65535'");
	assert_int_equal(walls_refuse(&r, &err), -E2BIG);
	assert_string_equal(err.text,
	                    "28,233 connections do not fit; the wall is source_ports (one source "
	                    "IP to one server port, ip_local_port_range 32768-60999); the largest "
	                    "N that fits is 28,232: add one source IP (--source) or one server "
	                    "port; sysctl -w net.ipv4.ip_local_port_range='10240 65535'");
}

/* Those that bound first, the smallest on top; those that allow the same, and those that bound
 * none, in the order of the table. */
static void test_order(void **state)
{
	(void)state;
	roomy();
	c.n = 50000;
	plan.source_count = 2;
	c.held_by_files = 30000;
	l.files_left = 2 * 20000 + 64 * 7;
	l.memory_left_bytes = c.reserve_bytes + UINT64_C(8000) * 30000;
	judge_all();
	assert_string_equal(r.rows[0].id, "file_max");
	assert_string_equal(r.rows[1].id, "nofile_hard");
	assert_string_equal(r.rows[2].id, "memory");
	assert_string_equal(r.rows[3].id, "source_ports");
	assert_string_equal(r.rows[4].id, "index");
	assert_string_equal(r.rows[5].id, "source_addresses");
	assert_string_equal(r.rows[r.row_count - 1].id, "tun");
}

static void test_index(void **state)
{
	(void)state;
	roomy();
	expect_wall("index", CAPACITY_INDEX_MOST);
}

/* A churn by FIN leaves fewer for connections. */
static void test_spares(void **state)
{
	const struct wall_row *row;

	(void)state;
	roomy();
	plan.source_count = 2;
	c.spares = 28232;
	row = expect_wall("source_ports", 28232);
	assert_non_null(strstr(row->shown, "less 28,232 that rest in TIME_WAIT"));
	assert_memory_equal(row->fix, "add one source IP", 17);
	c.is_lab = true;
	assert_non_null(strstr(judge("source_ports")->fix, "or --churn-by rst"));
	c.spares = 2 * 28232 + 1;
	assert_int_equal(judge("source_ports")->allows, 0);
}

static void test_source_ports(void **state)
{
	const struct wall_row *row;

	(void)state;
	roomy();
	plan.source_count = 1;
	row = expect_wall("source_ports", 28232);
	assert_int_equal(row->needed, 28233);
	expect_ask("source_ports", "net.ipv4.ip_local_port_range", "10240 65535");
	c.n = 1000000;
	row = judge("source_ports");
	assert_memory_equal(row->fix, "add 35 source IPs (--source) or 35 server ports; sysctl",
	                    55);
	c.is_loopback = false;
	assert_non_null(strstr(judge("source_ports")->fix, "(--source, megaconn addr up)"));
	c.is_lab = true;
	assert_null(strstr(judge("source_ports")->fix, "--source"));
	c.is_lab = false;
	plan.source_count = 20;
	plan.target_port_count = 30;
	expect_wall("source_ports", UINT64_C(28232) * 600);
	/* Server ports end at 65,535. */
	plan.source_count = plan.target_port_count = 1;
	c.n = UINT64_C(28232) * 65535;
	assert_non_null(strstr(judge("source_ports")->fix, "65,534 server ports"));
	c.n++;
	assert_null(strstr(judge("source_ports")->fix, "server port"));
	c.n = UINT64_MAX;
	assert_non_null(strstr(judge("source_ports")->fix, " source IPs"));
}

static void test_source_ports_few(void **state)
{
	const struct wall_row *row;

	(void)state;
	roomy();
	plan.source_count = 1;
	plan.port_count = 7;
	c.ports = (struct walls_ports){.low = 20000, .high = 20007, .are_given = true};
	row = expect_wall("source_ports", 7);
	assert_string_equal(row->shown, "one source IP to one server port, source ports "
	                                "20000-20007, 7 of it free");
	assert_null(find_ask("net.ipv4.ip_local_port_range"));
	plan.port_count = 0;
	row = expect_wall("source_ports", 0);
	assert_string_equal(row->fix, "choose --ports where ports are free");
	plan.port_count = 8;
	plan.source_count = 0;
	row = expect_wall("source_ports", 0);
	assert_string_equal(row->fix, "add one source IP (--source)");
	plan.source_count = 1;
	plan.target_port_count = 0;
	row = expect_wall("source_ports", 0);
	assert_string_equal(row->fix, "choose --ports where ports are free");
	c.tuples = NULL;
	expect_no_bound("source_ports", "2^32 source IPs x 2^16 ports");
}

/* Only what is narrower is asked for; what is as wide is kept. */
static void test_port_range(void **state)
{
	static const char *const name = "net.ipv4.ip_local_port_range";

	(void)state;
	roomy();
	judge_all();
	assert_null(find_ask(name));
	c.ports.low = 1024;
	c.ports.high = 65535;
	expect_met("source_ports", name, "1024 65535");
	plan.source_count = 1;
	c.n = 30000;
	expect_met("source_ports", name, "1024 65535");
	c.ports.high = 65000;
	expect_ask("source_ports", name, "1024 65535");
	c.ports.low = c.ports.high = 0;
	judge_all();
	assert_null(find_ask(name));
}

static void test_source_addresses(void **state)
{
	const struct wall_row *row;

	(void)state;
	roomy();
	plan.source_count = 20;
	judge_all();
	assert_true(walls_row(&r, "source_addresses")->allows == WALL_NO_BOUND);
	c.sources_missing = 15;
	row = expect_wall("source_addresses", UINT64_C(28232) * 5);
	assert_string_equal(row->shown, "5 of 20 source IPs are this host's");
	assert_string_equal(row->fix, "megaconn addr up POOL --dev DEV");
	assert_int_equal(row->value, 5);
	assert_int_equal(row->needed, 20);
	c.sources_missing = 20;
	expect_wall("source_addresses", 0);
	plan.sources.ranges[0].first = plan.target;
	assert_string_equal(expect_wall("source_addresses", 0)->fix, "ip link set lo up");
	plan.sources.ranges[0].first = (struct ip){0};
	c.sources_missing = 21; /* more than there are is all */
	expect_wall("source_addresses", 0);
	/* Our own TCP's are nobody's. */
	c.is_utcp = true;
	expect_no_bound("source_addresses", "20 source IPs of our own TCP: none has to be");
	c.is_utcp = false;
	c.tuples = NULL;
	expect_no_bound("source_addresses", "whatever clients come from");
	c.tuples = &plan;
	plan.source_count = 0;
	assert_string_equal(judge("source_addresses")->shown, "whatever clients come from");
}

static void test_ports_shown(void **state)
{
	static const char *const reserve = "net.ipv4.ip_local_reserved_ports";

	(void)state;
	roomy();
	c.ports.reserved = 12;
	expect_no_bound("reserved_ports", "12 of 32768-60999 are never source ports");
	expect_no_bound("port_search", "slowly beyond 14,116 a target");
	assert_int_equal(judge("port_search")->value, 14116);
	expect_no_bound("listening_ports", "0 of 32768-60999 are listened on");
	assert_null(find_ask(reserve));
	c.ports.listening = 3;
	c.ports.first_listening = 40000;
	expect_no_bound("listening_ports", "3 of 32768-60999 are listened on, as 40000:");
	c.ports.targets_within = 1;
	plan.target_port_low = 40000;
	expect_ask("listening_ports", reserve, "40000");
	c.ports.targets_within = 30;
	plan.target_port_count = 30;
	expect_ask("listening_ports", reserve, "40000-40029");
	c.tuples = NULL;
	judge_all();
	assert_null(find_ask(reserve));
	c.ports.low = 0;
	expect_unknown("port_search");
}

static void test_memory(void **state)
{
	const struct wall_row *row;

	(void)state;
	roomy();
	c.machine.fixed_bytes = 3 * MIB;
	l.memory_left_bytes = 515 * MIB + UINT64_C(8000) * 123456;
	row = expect_wall("memory", 123456);
	assert_int_equal(row->needed, 515 * MIB + UINT64_C(8000) * 123457);
	assert_int_equal(row->value, l.memory_left_bytes);
	assert_string_equal(row->shown, "1.4 GiB left less a reserve of 512.0 MiB, at 8,000 bytes "
	                                "a connection with both its ends");
	assert_string_equal(row->fix, "free memory, lower --reserve, or use a machine with more");
	l.memory_left_bytes += 7999;
	expect_wall("memory", 123456);
	l.memory_left_bytes++;
	expect_wall("memory", 123457);
	l.memory_left_bytes = 515 * MIB;
	expect_wall("memory", 0);
	l.memory_left_bytes = 0;
	expect_wall("memory", 0);
	c.machine.is_measured = true;
	c.ends = 1;
	assert_non_null(strstr(judge("memory")->shown, "8,000 bytes a connection (measured now)"));
	c.reserve_bytes = UINT64_MAX;
	l.memory_left_bytes = MANY;
	expect_wall("memory", 0);
	l.memory_left_bytes = LIMITS_UNKNOWN;
	expect_unknown("memory");
}

static void test_cgroup_memory(void **state)
{
	(void)state;
	roomy();
	expect_no_bound("cgroup_memory", "unlimited");
	l.cgroup_left_bytes = 512 * MIB + UINT64_C(4000) * 77;
	assert_non_null(strstr(expect_wall("cgroup_memory", 77)->fix, "memory.max"));
	l.cgroup_left_bytes--;
	expect_wall("cgroup_memory", 76);
	l.cgroup_left_bytes = 0;
	expect_wall("cgroup_memory", 0);
	c.n = 1;
	l.cgroup_left_bytes = LIMITS_UNKNOWN;
	expect_unknown("cgroup_memory");
}

static void test_memory_shown(void **state)
{
	(void)state;
	roomy();
	expect_no_bound("swap", "none: nothing is lost");
	l.swap_total_bytes = 2 * GIB;
	l.swap_free_bytes = GIB;
	expect_no_bound("swap", "1.0 GiB of 2.0 GiB free");
	l.swap_free_bytes = LIMITS_UNKNOWN;
	expect_unknown("swap");
	for (uint64_t mode = 0; mode < 3; mode++) {
		const char digit[] = {(char)('0' + mode), ':', '\0'};

		l.overcommit = mode;
		expect_no_bound("overcommit", digit);
	}
	l.overcommit = 3;
	expect_unknown("overcommit");
	expect_no_bound("tcp_mem", "1.2 MiB of data in all queues");
	expect_no_bound("tcp_rmem", "128.0 KiB, grown to 6.0 MiB at most");
	expect_no_bound("tcp_rmem", "if at all ends 250.0 MiB");
	expect_no_bound("tcp_wmem", "if at all ends 31.3 MiB");
	l.tcp_mem_pages.most = l.tcp_rmem.most = l.tcp_wmem.most = LIMITS_UNKNOWN;
	expect_unknown("tcp_mem");
	expect_unknown("tcp_rmem");
	expect_unknown("tcp_wmem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_spares),
		cmocka_unit_test(test_source_ports),
		cmocka_unit_test(test_source_ports_few),
		cmocka_unit_test(test_port_range),
		cmocka_unit_test(test_source_addresses),
		cmocka_unit_test(test_ports_shown),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_cgroup_memory),
		cmocka_unit_test(test_memory_shown),
	};

	return cmocka_run_group_tests_name("unit_walls", tests, NULL, NULL);
}
