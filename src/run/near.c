/* near: doctor's table (plan/walls), asked about a server with twice the sockets that there are,
 * says what to do; what is in use says how near it is. */
#include "run/near.h"

#include "base/text.h"
#include "kernel/limits.h"
#include "plan/capacity.h"
#include "plan/walls.h"
#include "run/cost.h"

#include <stddef.h>
#include <string.h>

/* Rows that are one figure against one setting. */
static const struct {
	const char *id;
	enum figure_id used;
	size_t most; /* offset of it in struct limits */
} rows[] = {
	{"file_max", FIGURE_FILES, offsetof(struct limits, file_max)},
	{"tcp_max_orphans", FIGURE_TCP_ORPHANS, offsetof(struct limits, max_orphans)},
	{"tcp_max_tw_buckets", FIGURE_TCP_TIME_WAIT, offsetof(struct limits, max_tw_buckets)},
	{"conntrack_max", FIGURE_CONNTRACK, offsetof(struct limits, conntrack_max)},
};

static uint64_t known(uint64_t limit)
{
	return limit >= LIMITS_UNKNOWN ? PROBE_UNKNOWN : limit;
}

/* What of `most` is gone where `left` is left, and the other way round. */
static uint64_t used_of(uint64_t most, uint64_t left)
{
	if (most >= LIMITS_UNKNOWN || left >= LIMITS_UNKNOWN)
		return PROBE_UNKNOWN;
	return most > left ? most - left : 0;
}

static void fill(uint64_t *unknown, uint64_t with)
{
	if (*unknown == LIMITS_UNKNOWN)
		*unknown = with;
}

/* What this namespace does not show. */
static void complete(struct limits *limits, const struct limits *machine,
                     const struct sample *sample)
{
	uint64_t count = sample->vitals.conntrack, most = sample->vitals.conntrack_max;

	fill(&limits->max_orphans, machine->max_orphans);
	fill(&limits->neigh4_max, machine->neigh4_max);
	fill(&limits->neigh6_max, machine->neigh6_max);
	fill(&limits->tcp_mem_pages.most, machine->tcp_mem_pages.most);
	fill(&limits->netdev_max_backlog, machine->netdev_max_backlog);
	limits->files_left = LIMITS_UNKNOWN;
	if (sample->vitals.files != PROBE_UNKNOWN)
		limits->files_left = used_of(limits->file_max, sample->vitals.files);
	limits->conntrack = LIMITS_USE_NO;
	if (count == PROBE_UNKNOWN || count == 0 || most == PROBE_UNKNOWN)
		return;
	limits->conntrack = LIMITS_USE_YES;
	limits->conntrack_count = count;
	limits->conntrack_max = most > 0 ? most : LIMITS_NONE;
}

/* The table for a server of any program, from anywhere, with twice the sockets. */
static void judge(const struct limits *limits, const struct sample *sample,
                  struct wall_report *report)
{
	const struct cost_case of = {ENGINE_EPOLL, ENGINE_EPOLL, false};
	uint64_t sockets = sample->sockets.tcp_alloc == PROBE_UNKNOWN ? 0
	                                                              : sample->sockets.tcp_alloc;
	struct cost cost;

	cost_assume(&of, &cost);
	const struct walls_case c = {
		.n = sockets > 0 ? 2 * sockets : 1,
		.limits = limits,
		.ports = {.are_given = true},
		.ends = 1,
		.cgroup_ends = 1,
		.machine = cost_of_ends(&cost, 1),
		.cgroup = cost.cgroup[WALL_ROLE_SERVER],
		.held_by_files = CAPACITY_INDEX_MOST,
		.held = CAPACITY_INDEX_MOST,
		.worker_most = CAPACITY_INDEX_MOST,
		.workers = 1,
		.sides = 1,
		.role = WALL_ROLE_SERVER,
		.is_lab = true,
		.takes_descriptors = true,
	};

	walls_judge(&c, report);
}

static void add(struct near_table *out, const struct wall_report *report, struct near_row row)
{
	const struct wall_row *wall = walls_row(report, row.id);
	struct text t;

	text_init(&t, row.fix, sizeof(row.fix));
	if (wall)
		text_add(&t, "%s", wall->fix);
	near_add(out, &row);
}

static void add_memory(struct near_table *out, const struct sample *sample)
{
	struct near_row row = {
		.id = "memory",
		.used = used_of(sample->memory.total_bytes, sample->memory_left_bytes),
		.most = sample->memory.total_bytes,
		.unit = FIGURE_BYTES,
	};

	near_add(out, &row);
}

static void add_limits(struct near_table *out, const struct wall_report *report,
                       const struct limits *l, const struct sample *sample)
{
	uint64_t tcp_mem = l->tcp_mem_pages.most;

	add(out, report,
	    (struct near_row){.id = "tcp_mem",
	                      .used = sample->socket_memory_bytes,
	                      .most = tcp_mem < LIMITS_UNKNOWN / l->page_bytes
	                                      ? tcp_mem * l->page_bytes
	                                      : PROBE_UNKNOWN,
	                      .unit = FIGURE_BYTES});
	add(out, report,
	    (struct near_row){.id = "pid_max",
	                      .used = used_of(l->pid_max, l->pids_left),
	                      .most = known(l->pid_max)});
	add(out, report,
	    (struct near_row){.id = "threads_max",
	                      .used = used_of(l->threads_max, l->threads_left),
	                      .most = known(l->threads_max)});
	add(out, report,
	    (struct near_row){.id = "neigh_gc_thresh3",
	                      .used = known(l->neigh4_used),
	                      .most = known(l->neigh4_max)});
	add(out, report,
	    (struct near_row){.id = "neigh_gc_thresh3",
	                      .used = known(l->neigh6_used),
	                      .most = known(l->neigh6_max)});
}

void near_start(struct limits *machine)
{
	limits_read_settings(machine);
}

void near_look(const struct limits *machine, const struct sample *sample, struct near_table *out)
{
	static struct wall_report report;
	struct limits limits;

	limits_read_settings(&limits);
	complete(&limits, machine, sample);
	judge(&limits, sample, &report);
	out->count = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t most;

		memcpy(&most, (const char *)&limits + rows[i].most, sizeof(most));
		add(out, &report,
		    (struct near_row){.id = rows[i].id,
		                      .used = figure_sum(figure_at(rows[i].used), sample),
		                      .most = known(most)});
	}
	add_memory(out, sample);
	add_limits(out, &report, &limits, sample);
}
