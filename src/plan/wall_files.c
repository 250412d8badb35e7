/* wall_files: what processes may have.
 *
 * An ordinary descriptor for each connection is bounded thrice: RLIMIT_NOFILE for a process,
 * fs.nr_open for any process's limit, fs.file-max for all files of the machine (fs/file_table.c;
 * not for CAP_SYS_ADMIN). io_uring's direct descriptors are no entries of the process's table, but
 * each is a file still. What each row of processes allows is what so many workers would hold. */
#include "plan/wall_files.h"

#include "plan/capacity.h"
#include "plan/saturate.h"

#define OTHER_FILES 1024 /* of a server of somebody's, beside its connections */
#define OWN_TASKS   2    /* holder, director; who asks is there already       */
#define OWN_FILES   64   /* of one of our processes, beside its connections   */

/* The most that the kernel takes of a setting. */
#define FILE_MAX_MOST    ((uint64_t)INT64_MAX) /* fs/file_table.c */
#define PID_MAX_MOST     (UINT64_C(1) << 22)   /* linux/threads.h, PID_MAX_LIMIT */
#define THREADS_MAX_MOST UINT64_C(0x3fffffff)  /* kernel/fork.c, MAX_THREADS */

static uint64_t tasks_needed(const struct walls_case *c)
{
	return (uint64_t)c->workers * c->sides + OWN_TASKS;
}

static void judge_nofile_soft(const struct walls_case *c, struct wall_row *row,
                              struct wall_report *out)
{
	struct text t;

	(void)out;
	wall_value(row, c->limits->nofile_soft);
	t = wall_shown(row);
	text_add(&t, ": raised to the hard limit by megaconn; other programs stop here");
}

static void judge_nofile_hard(const struct walls_case *c, struct wall_row *row,
                              struct wall_report *out)
{
	uint64_t ceiling = c->limits->nr_open;
	struct text t;

	(void)out;
	if (!wall_value(row, c->limits->nofile_hard))
		return;
	t = wall_shown(row);
	text_add(&t, c->takes_descriptors
	                     ? " a process, one a connection (no io_uring)"
	                     : " a process; io_uring's direct descriptors need far fewer");
	if (ceiling < c->limits->nofile_hard)
		return; /* then it is the other row's */
	wall_bounds(row, c->held_by_files, WALL_NO_NUMBER);
	if (row->allows < c->n) {
		t = wall_fix(row);
		text_add(&t, "raise it: ulimit -n, or megaconn tune persist");
	}
}

static void judge_nr_open(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	uint64_t nr_open = c->limits->nr_open, one_process = saturate_plus(c->n, OTHER_FILES);
	struct text t;

	if (!wall_value(row, nr_open))
		return;
	t = wall_shown(row);
	text_add(&t, ": the highest that RLIMIT_NOFILE of any process can be");
	row->needed = one_process;
	if (nr_open < c->limits->nofile_hard)
		row->allows = c->held_by_files;
	if (nr_open < one_process)
		wall_ask(out, row, "fs.nr_open", "%llu",
		         (unsigned long long)wall_numbered(c) + OTHER_FILES);
	else
		wall_meets(out, row, "fs.nr_open", "%llu", (unsigned long long)nr_open);
}

/* As many as are in use already, and an eighth for others. */
static void ask_files(const struct walls_case *c, struct wall_row *row, struct wall_report *out,
                      uint64_t needed)
{
	uint64_t left = c->limits->files_left, most = c->limits->file_max;
	uint64_t wanted = saturate_plus(most > left ? most - left : 0, needed + needed / 8);

	wall_ask(out, row, "fs.file-max", "%llu",
	         (unsigned long long)(wanted < FILE_MAX_MOST ? wanted : FILE_MAX_MOST));
}

static void judge_file_max(const struct walls_case *c, struct wall_row *row,
                           struct wall_report *out)
{
	uint64_t own = tasks_needed(c) * OWN_FILES, left = c->limits->files_left;
	uint64_t needed = saturate_plus(saturate_times(c->n, c->ends), own);
	struct text t;

	if (!wall_value(row, c->limits->file_max))
		return;
	t = wall_shown(row);
	if (left == LIMITS_NONE) {
		text_add(&t, ": not for CAP_SYS_ADMIN, which this process has");
		return;
	}
	if (left == LIMITS_UNKNOWN) {
		row->state = WALL_UNKNOWN;
		return;
	}
	text_add(&t, ", of which ");
	text_count(&t, left);
	text_add(&t, " are left; a file for each end");
	wall_bounds(row,
	            left < own     ? 0
	            : c->ends == 0 ? UINT64_MAX /* no connection takes any */
	                           : (left - own) / c->ends,
	            needed);
	if (left < needed)
		ask_files(c, row, out, wall_numbered(c) * c->ends + own);
	else
		wall_meets(out, row, "fs.file-max", "%llu", (unsigned long long)row->value);
}

static void judge_memlock(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct text t;

	(void)out;
	if (c->limits->memlock_bytes >= LIMITS_UNKNOWN) {
		wall_value(row, c->limits->memlock_bytes);
		return;
	}
	row->value = c->limits->memlock_bytes;
	t = wall_shown(row);
	text_bytes(&t, row->value);
	text_add(&t, " for all rings of this user");
	if (c->takes_descriptors || c->held >= c->held_by_files)
		return;
	row->allows = c->held;
	if (row->allows < c->n) {
		t = wall_fix(row);
		text_add(&t, "ulimit -l, or --engine epoll");
	}
}

/* How many connections so many processes hold; all that n takes hold n, as far as it is theirs. */
static uint64_t held_by_tasks(const struct walls_case *c, uint64_t left)
{
	uint64_t each_side = left > OWN_TASKS ? (left - OWN_TASKS) / c->sides : 0;
	uint64_t held = saturate_times(each_side, c->worker_most);

	if (left >= tasks_needed(c) && held < c->n)
		held = c->n;
	return held < CAPACITY_INDEX_MOST ? held : WALL_NO_BOUND;
}

/* A limit of tasks, of which `left` may still be started. Whether n fits. */
static bool judge_tasks(const struct walls_case *c, struct wall_row *row, uint64_t value,
                        uint64_t left)
{
	struct text t;

	if (!wall_value(row, value))
		return true;
	t = wall_shown(row);
	if (left == LIMITS_NONE) {
		text_add(&t, ": not for this process's rights");
		return true;
	}
	if (left == LIMITS_UNKNOWN) {
		row->state = WALL_UNKNOWN;
		return true;
	}
	text_add(&t, ", of which ");
	text_count(&t, left);
	text_add(&t, " are left");
	wall_bounds(row, held_by_tasks(c, left), tasks_needed(c));
	return row->allows >= c->n;
}

/* Asks for what is missing, and as much again for others; up to what the kernel takes. */
static void ask_tasks(const struct walls_case *c, struct wall_row *row, struct wall_report *out,
                      const char *name, uint64_t most)
{
	uint64_t wanted = saturate_plus(row->value, 2 * tasks_needed(c));
	struct text t;

	if (row->value < most) {
		wall_ask(out, row, name, "%llu",
		         (unsigned long long)(wanted < most ? wanted : most));
		return;
	}
	t = wall_fix(row);
	text_add(&t, "end other processes: it cannot be raised further");
}

static void judge_pid_max(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	if (!judge_tasks(c, row, c->limits->pid_max, c->limits->pids_left))
		ask_tasks(c, row, out, "kernel.pid_max", PID_MAX_MOST);
}

static void judge_threads_max(const struct walls_case *c, struct wall_row *row,
                              struct wall_report *out)
{
	if (!judge_tasks(c, row, c->limits->threads_max, c->limits->threads_left))
		ask_tasks(c, row, out, "kernel.threads-max", THREADS_MAX_MOST);
}

static void judge_nproc(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct text t;

	(void)out;
	if (judge_tasks(c, row, c->limits->nproc, c->limits->nproc_left))
		return;
	t = wall_fix(row);
	text_add(&t, "ulimit -u, or end other processes of this user");
}

static void judge_cgroup_pids(const struct walls_case *c, struct wall_row *row,
                              struct wall_report *out)
{
	uint64_t left = c->limits->cgroup_pids_left;
	struct text t;

	(void)out;
	if (judge_tasks(c, row, left, left))
		return;
	t = wall_fix(row);
	text_add(&t, "raise pids.max of the cgroup");
}

const struct wall_kind wall_files[] = {
	{"nofile_soft", "RLIMIT_NOFILE, soft", NULL, judge_nofile_soft},
	{"nofile_hard", "RLIMIT_NOFILE, hard", NULL, judge_nofile_hard},
	{"nr_open", "fs.nr_open", NULL, judge_nr_open},
	{"file_max", "fs.file-max", NULL, judge_file_max},
	{"memlock", "RLIMIT_MEMLOCK", NULL, judge_memlock},
	{"pid_max", "kernel.pid_max", NULL, judge_pid_max},
	{"threads_max", "kernel.threads-max", NULL, judge_threads_max},
	{"nproc", "RLIMIT_NPROC", NULL, judge_nproc},
	{"cgroup_pids", "pids.max of the cgroup", NULL, judge_cgroup_pids},
	{0},
};
