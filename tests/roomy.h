/* roomy: a machine and a plan on which nothing but the width of an index stops connections, to be
 * narrowed in one place; and what holds of every row. For unit tests of plan/walls. */
#pragma once

#include "base/result.h"
#include "base/text.h"
#include "plan/capacity.h"
#include "plan/walls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MIB         (UINT64_C(1) << 20)
#define GIB         (UINT64_C(1) << 30)
#define MANY        (UINT64_C(1) << 50)

static struct limits l;
static struct tuple_plan plan;
static struct walls_case c;
static struct wall_report r;

static inline void roomy_limits(void)
{
	l = (struct limits){
		.cpus = 2,
		.nofile_soft = 1024,
		.nofile_hard = MIB,
		.nr_open = GIB + 1024,
		.memlock_bytes = LIMITS_NONE,
		.file_max = MANY,
		.files_left = LIMITS_NONE,
		.pid_max = 32768,
		.pids_left = LIMITS_NONE,
		.threads_max = 32768,
		.threads_left = LIMITS_NONE,
		.nproc = LIMITS_NONE,
		.nproc_left = LIMITS_NONE,
		.cgroup_pids_left = LIMITS_NONE,
		.memory_total_bytes = MANY,
		.memory_left_bytes = MANY,
		.cgroup_left_bytes = LIMITS_NONE,
		.page_bytes = 4096,
		.somaxconn = 65535,
		.syn_backlog = 65536,
		.syncookies = 1,
		.tcp_mem_pages = {100, 200, 300},
		.tcp_rmem = {4096, 131072, 6291456},
		.tcp_wmem = {4096, 16384, 4194304},
		.max_orphans = MANY,
		.max_tw_buckets = MANY,
		.ehash_entries = 524288,
		.netdev_max_backlog = 65536,
		.neigh4_max = 1024,
		.neigh6_max = 1024,
		.conntrack = LIMITS_USE_NO,
		.conntrack_max = LIMITS_NONE,
		.conntrack_count = LIMITS_NONE,
		.conntrack_buckets = LIMITS_NONE,
		.tun = LIMITS_USE_YES,
	};
}

static inline void roomy(void)
{
	const struct walls_cost pair = {.each_bytes = 8000}, end = {.each_bytes = 4000};

	roomy_limits();
	plan.target = (struct ip){.family = AF_INET, .bytes = {127, 0, 0, 1}};
	plan.target_port_low = 8090;
	plan.target_port_count = 1;
	plan.source_count = 1 << 20;
	plan.port_count = 28232;
	c = (struct walls_case){
		.n = 1000,
		.limits = &l,
		.is_loopback = true,
		.tuples = &plan,
		.ports = {.low = 32768, .high = 60999},
		.ends = 2,
		.cgroup_ends = 2,
		.machine = pair,
		.cgroup = end,
		.reserve_bytes = 512 * MIB,
		.held_by_files = MANY,
		.held = MANY,
		.worker_most = 500000,
		.workers = 2,
		.sides = 2,
		.uring = {.is_there = true},
		.namespaces = {.is_there = true},
	};
}

/* A text is there and was not cut. */
static inline void expect_whole(const char *text, size_t size)
{
	assert_null(strchr(text, '\n'));
	if (strlen(text) >= size - 1)
		fail_msg("%zu bytes are too few for: %s", size, text);
}

static inline void judge_all(void)
{
	memset(&r, 0xff, sizeof(r));
	walls_judge(&c, &r);
	expect_whole(r.words, sizeof(r.words));
	assert_int_equal(r.n, c.n);
	assert_int_equal(r.largest, r.rows[0].allows);
	assert_int_equal(r.fits, c.n <= r.largest);
	for (uint32_t i = 0; i < r.row_count; i++) {
		const struct wall_row *row = &r.rows[i];

		expect_whole(row->shown, sizeof(row->shown));
		expect_whole(row->fix, sizeof(row->fix));
		if (row->shown[0] == '\0')
			fail_msg("%s shows nothing", row->id);
		assert_true(walls_has(row->id));
		assert_ptr_equal(walls_row(&r, row->id), row);
		assert_true(row->state == WALL_UNKNOWN ||
		            (row->state == WALL_STOPS) == (row->allows < c.n));
		assert_true(i == 0 || r.rows[i - 1].allows <= row->allows);
	}
	for (uint32_t i = 0; i < r.ask_count; i++) {
		expect_whole(r.asks[i].value, sizeof(r.asks[i].value));
		assert_non_null(walls_row(&r, r.asks[i].row));
	}
}

static inline const struct wall_row *judge(const char *id)
{
	judge_all();
	const struct wall_row *row = walls_row(&r, id);

	if (!row) {
		fail_msg("no row %s", id);
		return &r.rows[0]; /* never: fail_msg does not return, which linters cannot see */
	}
	return row;
}

/* A refusal says all that there is, in the room of an error and of a result's reason. */
static inline void expect_refused(const char *id)
{
	char named[64] = "; the wall is ", described[384];
	struct result result;
	struct err err;

	assert_int_equal(walls_refuse(&r, NULL), -E2BIG);
	assert_int_equal(walls_refuse(&r, &err), -E2BIG);
	expect_whole(err.text, sizeof(err.text));
	expect_whole(err.text, sizeof(result.reason));
	strncat(named, id, 40);
	strncat(named, " (", 3);
	if (!strstr(err.text, named))
		fail_msg("not '%s' in: %s", named, err.text);
	assert_non_null(strstr(err.text, r.rows[0].shown));
	assert_non_null(strstr(err.text, r.rows[0].fix));
	walls_describe(&r, described, sizeof(described));
	expect_whole(described, sizeof(described));
	assert_memory_equal(described, id, strlen(id));
}

/* The row stops at exactly `most`, and is the wall beyond. */
static inline const struct wall_row *expect_wall(const char *id, uint64_t most)
{
	const struct wall_row *row;

	c.n = most;
	row = judge(id);
	assert_int_equal(row->allows, most);
	assert_int_equal(row->state, WALL_OK);
	assert_true(r.fits);
	assert_int_equal(r.largest, most);
	c.n = most + 1;
	row = judge(id);
	assert_int_equal(row->allows, most);
	assert_int_equal(row->state, WALL_STOPS);
	assert_false(r.fits);
	assert_int_equal(r.largest, most);
	assert_string_equal(r.rows[0].id, id);
	assert_memory_equal(r.words, "this machine stops at ", 22);
	assert_non_null(strstr(r.words, row->shown));
	expect_refused(id);
	return row;
}

static inline const struct wall_ask *find_ask(const char *name)
{
	for (uint32_t i = 0; i < r.ask_count; i++) {
		if (strcmp(r.asks[i].name, name) == 0)
			return &r.asks[i];
	}
	return NULL;
}

/* The row asks for the setting, and its fix is the command. */
static inline void expect_ask(const char *id, const char *name, const char *value)
{
	const struct wall_row *row = judge(id);
	const struct wall_ask *ask = find_ask(name);
	char command[192];
	struct text t;

	text_init(&t, command, sizeof(command));
	text_add(&t, strchr(value, ' ') ? "sysctl -w %s='%s'" : "sysctl -w %s=%s", name, value);
	if (!ask) {
		fail_msg("%s is not asked for", name);
		return;
	}
	assert_ptr_equal(ask->row, row->id);
	assert_string_equal(ask->value, value);
	assert_false(ask->is_met);
	if (!strstr(row->fix, command))
		fail_msg("not '%s' in: %s", command, row->fix);
}

/* The setting is asked for and high enough: no fix. */
static inline void expect_met(const char *id, const char *name, const char *value)
{
	const struct wall_row *row = judge(id);
	const struct wall_ask *ask = find_ask(name);

	if (!ask) {
		fail_msg("%s is not among those that are asked for", name);
		return;
	}
	assert_true(ask->is_met);
	assert_string_equal(ask->value, value);
	assert_null(strstr(row->fix, name));
}

static inline void expect_unknown(const char *id)
{
	const struct wall_row *row = judge(id);

	assert_int_equal(row->state, WALL_UNKNOWN);
	assert_true(row->allows == WALL_NO_BOUND);
	assert_true(r.fits);
}

static inline void expect_no_bound(const char *id, const char *shown)
{
	const struct wall_row *row = judge(id);

	assert_int_equal(row->state, WALL_OK);
	assert_true(row->allows == WALL_NO_BOUND);
	if (!strstr(row->shown, shown))
		fail_msg("%s: not '%s' in: %s", id, shown, row->shown);
}
