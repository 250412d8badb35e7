/* wall_memory: connections are kernel memory: it is never swapped, and what is left of it is less
 * than MemAvailable says (kernel/probe.h). */
#include "plan/wall_memory.h"

#include "plan/saturate.h"

/* `left` less the reserve and what a run costs before its first connection. */
static uint64_t allowed(const struct walls_case *c, uint64_t left, const struct walls_cost *cost)
{
	uint64_t kept = saturate_plus(c->reserve_bytes, cost->fixed_bytes);

	return left <= kept ? 0 : (left - kept) / cost->each_bytes;
}

static void judge_left(const struct walls_case *c, struct wall_row *row, uint64_t left,
                       const struct walls_cost *cost, uint32_t ends)
{
	struct text t = wall_shown(row);

	row->value = left;
	text_bytes(&t, left);
	text_add(&t, " left less a reserve of ");
	text_bytes(&t, c->reserve_bytes);
	text_add(&t, ", at ");
	text_count(&t, cost->each_bytes);
	text_add(&t, " bytes a connection%s%s", ends == 2 ? " with both its ends" : "",
	         c->is_measured ? " (measured now)" : "");
	wall_bounds(row, allowed(c, left, cost),
	            saturate_plus(saturate_plus(c->reserve_bytes, cost->fixed_bytes),
	                          saturate_times(c->n, cost->each_bytes)));
}

static void judge_memory(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct text t;

	(void)out;
	if (c->limits->memory_left_bytes >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	judge_left(c, row, c->limits->memory_left_bytes, &c->machine, c->ends);
	if (row->allows < c->n) {
		t = wall_fix(row);
		text_add(&t, "free memory, lower --reserve, or use a machine with more");
	}
}

static void judge_cgroup_memory(const struct walls_case *c, struct wall_row *row,
                                struct wall_report *out)
{
	uint64_t left = c->limits->cgroup_left_bytes;
	struct text t;

	(void)out;
	if (left >= LIMITS_UNKNOWN) {
		wall_value(row, left);
		return;
	}
	judge_left(c, row, left, &c->cgroup, c->cgroup_ends);
	if (row->allows < c->n) {
		t = wall_fix(row);
		text_add(&t, "raise the cgroup's memory limit (memory.max), or lower --reserve");
	}
}

static void judge_swap(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	const struct limits *l = c->limits;
	struct text t = wall_shown(row);

	(void)out;
	if (l->swap_total_bytes >= LIMITS_UNKNOWN || l->swap_free_bytes >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->value = l->swap_total_bytes;
	if (l->swap_total_bytes == 0) {
		text_add(&t, "none: nothing is lost, sockets are never swapped");
		return;
	}
	text_bytes(&t, l->swap_free_bytes);
	text_add(&t, " of ");
	text_bytes(&t, l->swap_total_bytes);
	text_add(&t, " free: for other programs; sockets are never swapped");
}

static void judge_overcommit(const struct walls_case *c, struct wall_row *row,
                             struct wall_report *out)
{
	static const char *const words[] = {"0: refuses only what is obviously too much",
	                                    "1: never refuses",
	                                    "2: refuses beyond CommitLimit; sockets do not count"};
	uint64_t mode = c->limits->overcommit;
	struct text t = wall_shown(row);

	(void)out;
	if (mode > 2) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->value = mode;
	text_add(&t, "%s", words[mode]);
}

/* What queues may take, if each connection had data waiting. */
static void judge_buffers(const struct walls_case *c, struct wall_row *row,
                          const struct limits_triple *buffer)
{
	struct text t;

	if (buffer->most >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->value = buffer->usual;
	t = wall_shown(row);
	text_bytes(&t, buffer->usual);
	text_add(&t, ", grown to ");
	text_bytes(&t, buffer->most);
	text_add(&t, " at most: taken only while data waits, if at all ends ");
	text_bytes(&t, saturate_times(saturate_times(c->n, c->ends), buffer->usual));
}

static void judge_rmem(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	(void)out;
	judge_buffers(c, row, &c->limits->tcp_rmem);
}

static void judge_wmem(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	(void)out;
	judge_buffers(c, row, &c->limits->tcp_wmem);
}

static void judge_tcp_mem(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	const struct limits_triple *mem = &c->limits->tcp_mem_pages;
	struct text t;

	(void)out;
	if (mem->most >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->value = mem->most;
	t = wall_shown(row);
	text_bytes(&t, saturate_times(mem->most, c->limits->page_bytes));
	text_add(&t, " of data in all queues together; idle connections have none");
}

const struct wall_kind wall_memory[] = {
	{"memory", "memory", NULL, judge_memory},
	{"cgroup_memory", "memory.max of the cgroup", NULL, judge_cgroup_memory},
	{"swap", "swap", NULL, judge_swap},
	{"overcommit", "vm.overcommit_memory", NULL, judge_overcommit},
	{"tcp_mem", "tcp_mem", NULL, judge_tcp_mem},
	{"tcp_rmem", "tcp_rmem", NULL, judge_rmem},
	{"tcp_wmem", "tcp_wmem", NULL, judge_wmem},
	{0},
};
