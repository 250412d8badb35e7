/* account: the difference of two looks at the kernel's accounts.
 *
 * Theory of operation. Memory loses pages; what takes them is looked up in accounts that do not
 * overlap, so that the lines may be added:
 *
 *   slab caches       /proc/slabinfo, whole pages, since pages are what is gone. Each line of it
 *                     belongs to one line of the bill, by the table below.
 *   tables            meminfo's VmallocUsed, and what its Slab grew by beyond all caches:
 *                     allocations of more than two pages have no cache. The kernel takes tables
 *                     from either (kvmalloc): of descriptors, of a ring's files, of hashes.
 *   page tables, stacks, per-CPU memory               meminfo, each its own pages.
 *   user memory       private pages of the workers, which they tell themselves.
 *
 * A merged cache (kernel/slab_alias.h) holds others' objects too; what it has grown by is the
 * run's. Where epoll items and bind buckets are merged, as many objects are epoll items as there
 * are wait entries, since a watched socket has one of each; the rest are bind buckets.
 *
 * Others' doings. Whoever reads /proc/PID/fd makes a dentry and an inode of proc's for each
 * descriptor. A socket has exactly one inode of sock_inode_cache, one dentry, one file and one blob
 * of each kind, so what dentry, filp and lsm_* grew by beyond that is not the sockets'. Nor are
 * caches of files and of /proc, pages that wait to be written, and the anonymous memory of
 * processes that are not workers (our own two or three, of a megabyte, are among them).
 *
 * Receive and send memory. sockstat's mem charges a buffer with all it takes (skb->truesize): its
 * head and its data, which are slab objects here (skbuff_*, kmalloc-*), or page fragments, which
 * are in no account; and it reserves ahead. So it is no line, but a limit: pages outside of slabs
 * are what mem grew by less what these caches grew by, and not more than what memory lost beyond
 * all other lines.
 *
 * Drift. A line that grew steadily before the run goes on, we suppose, for a minute at most: what
 * it would have grown by is taken from the line and put to the others' doings. Where that were more
 * than a tenth of what the line has grown by, it was no drift but a burst of somebody's, of which a
 * tenth of a second does not say how it went on; nothing is taken. Nor where a line shrank: what is
 * freed late comes to an end.
 *
 * The residual is what memory lost beyond all this; where others gave memory back it is negative.
 */
#include "run/account.h"

#include "base/clock.h"
#include "base/limits.h"
#include "run/caches.h"

#include <string.h>

#define DRIFT_MOST_NS   (60 * NS_PER_S)
#define CPU_RESERVE     (INT64_C(1) << 20) /* net/core/sock.c: SK_MEMORY_PCPU_RESERVE, since 5.19 */
#define DRIFT_MOST_PART 10

struct work {
	const struct sample *before, *now;
	const struct account_host *host;
	struct bill *bill;
	struct caches caches;
};

/* --- all other memory of the kernel ------------------------------------------------------- */

static void put_grown(struct work *w, enum bill_line_id id, uint64_t before, uint64_t now)
{
	if (before != PROBE_UNKNOWN && now != PROBE_UNKNOWN)
		bill_put(w->bill, id, bill_grown(before, now), BILL_UNKNOWN);
}

/* Slab pages that no cache has: tables as those of vmalloc. */
static void put_large(struct work *w)
{
	uint64_t before = w->before->memory.slab_bytes, now = w->now->memory.slab_bytes;
	int64_t bytes = bill_add(bill_grown(before, now), -w->caches.all_bytes);

	if (before == PROBE_UNKNOWN || now == PROBE_UNKNOWN)
		return;
	bill_put(w->bill, w->bill->has_slabs ? BILL_VMALLOC : BILL_SLABS, bytes, BILL_UNKNOWN);
	if (w->bill->has_slabs && bytes > 0)
		bill_name(w->bill, BILL_VMALLOC, "large allocations", "large allocations");
}

static void put_kernel(struct work *w)
{
	const struct probe_meminfo *b = &w->before->memory, *n = &w->now->memory;

	for (int i = 0; i < BILL_LINE_COUNT; i++)
		w->bill->lines[i] = (struct bill_line){BILL_UNKNOWN, BILL_UNKNOWN, false, ""};
	w->bill->has_slabs = w->before->has_slabs && w->now->has_slabs;
	w->caches.before = w->before;
	w->caches.now = w->now;
	w->caches.aliases = &w->host->aliases;
	w->caches.bill = w->bill;
	if (w->bill->has_slabs)
		caches_put(&w->caches);
	put_grown(w, BILL_VMALLOC, b->vmalloc_used_bytes, n->vmalloc_used_bytes);
	if (w->bill->lines[BILL_VMALLOC].bytes != BILL_UNKNOWN)
		bill_name(w->bill, BILL_VMALLOC, "VmallocUsed", "VmallocUsed");
	put_large(w);
	put_grown(w, BILL_PAGE_TABLES, b->page_tables_bytes, n->page_tables_bytes);
	put_grown(w, BILL_STACKS, b->kernel_stack_bytes, n->kernel_stack_bytes);
	put_grown(w, BILL_PERCPU, b->percpu_bytes, n->percpu_bytes);
}

/* --- others, drift, and what is left ------------------------------------------------------ */

/* Pages that wait to be written cannot be had; they were no loss before they were dirty. */
static void put_others(struct work *w, const struct account_users *users)
{
	const struct probe_meminfo *b = &w->before->memory, *n = &w->now->memory;

	put_grown(w, BILL_OTHERS, b->dirty_bytes, n->dirty_bytes);
	put_grown(w, BILL_OTHERS, b->shmem_bytes, n->shmem_bytes);
	if (b->anon_bytes == PROBE_UNKNOWN || n->anon_bytes == PROBE_UNKNOWN ||
	    users->server_bytes == BILL_UNKNOWN || users->client_bytes == BILL_UNKNOWN)
		return;
	bill_put(w->bill, BILL_OTHERS,
	         bill_add(bill_grown(b->anon_bytes, n->anon_bytes),
	                  -bill_add(users->server_bytes, users->client_bytes)),
	         BILL_UNKNOWN);
	bill_name(w->bill, BILL_OTHERS, "processes", "processes");
}

static void take_drift(struct work *w)
{
	uint64_t ns = w->now->at_ns - w->before->at_ns;

	if (w->now->at_ns < w->before->at_ns || ns > DRIFT_MOST_NS)
		return;
	for (int i = 0; i <= BILL_SLABS; i++) {
		struct bill_line *line = &w->bill->lines[i];
		double drift = (double)w->host->drift_per_s[i] * ((double)ns / NS_PER_S);

		if (line->bytes <= 0 || drift <= 0 || drift > (double)line->bytes / DRIFT_MOST_PART)
			continue;
		int64_t bytes = (int64_t)drift;

		if (line->objects > 0)
			line->objects = bill_share(line->objects, line->bytes, line->bytes - bytes);
		line->bytes -= bytes;
		bill_put(w->bill, BILL_OTHERS, bytes, BILL_UNKNOWN);
		w->bill->drift_bytes = bill_add(w->bill->drift_bytes, bytes);
	}
}

/* What memory lost beyond all lines so far; BILL_UNKNOWN. */
static int64_t unexplained(const struct bill *bill)
{
	int64_t sum = bill_sum(bill, 0, BILL_LINE_COUNT - 1);

	if (bill->lost_bytes == BILL_UNKNOWN || sum == BILL_UNKNOWN)
		return BILL_UNKNOWN;
	return bill_add(bill->lost_bytes, -sum);
}

static void put_data(struct work *w)
{
	int64_t most = unexplained(w->bill), bytes;

	if (w->before->socket_memory_bytes == PROBE_UNKNOWN ||
	    w->now->socket_memory_bytes == PROBE_UNKNOWN)
		return;
	bytes = bill_grown(w->before->socket_memory_bytes, w->now->socket_memory_bytes);
	bytes = bill_add(bytes, -w->caches.buffer_bytes);
	bytes = bill_add(bytes, -CPU_RESERVE * (int64_t)w->now->cpus.count);
	bytes = most != BILL_UNKNOWN && bytes > most ? most : bytes;
	bill_put(w->bill, BILL_DATA, bytes > 0 ? bytes : 0, BILL_UNKNOWN);
}

static int64_t lost(uint64_t before, uint64_t now)
{
	if (before > INT64_MAX || now > INT64_MAX)
		return BILL_UNKNOWN;
	return (int64_t)before - (int64_t)now;
}

static void make_bill(struct work *w, const struct account_users *users)
{
	struct bill *b = w->bill;

	memset(b, 0, sizeof(*b));
	b->connections = users->connections;
	b->lost_bytes = lost(w->before->memory_left_bytes, w->now->memory_left_bytes);
	b->available_lost_bytes = lost(w->before->memory.available_bytes,
	                               w->now->memory.available_bytes);
	put_kernel(w);
	take_drift(w);
	b->lines[BILL_SERVER_USER].bytes = users->server_bytes;
	b->lines[BILL_CLIENT_USER].bytes = users->client_bytes;
	put_others(w, users);
	put_data(w);
	if (users->server_bytes != BILL_UNKNOWN && users->client_bytes != BILL_UNKNOWN)
		b->lines[BILL_RESIDUAL].bytes = unexplained(b);
}

void account_bill(const struct sample *before, const struct sample *now,
                  const struct account_host *host, const struct account_users *users,
                  struct bill *out)
{
	static struct work w;

	w = (struct work){.before = before, .now = now, .host = host, .bill = out};
	make_bill(&w, users);
}

void account_memory(const struct sample *before, const struct sample *now,
                    const struct account_host *host, const struct account_users *users,
                    struct result_memory *out)
{
	static struct result_slab sorted[PROBE_SLABS_MAX];
	static struct work w;

	memset(out, 0, sizeof(*out));
	w = (struct work){.before = before, .now = now, .host = host, .bill = &out->bill};
	make_bill(&w, users);
	out->connections = users->connections;
	out->kernel_bytes = bill_sum(&out->bill, 0, BILL_SLABS);
	if (out->kernel_bytes <= 0) /* others gave back more than the run took */
		out->kernel_bytes = RESULT_UNKNOWN_BYTES;
	out->server_user_bytes = users->server_bytes;
	out->client_user_bytes = users->client_bytes;
	out->residual_bytes = out->bill.lines[BILL_RESIDUAL].bytes;
	out->cgroup_bytes = before->cgroup_left_bytes >= LIMITS_UNKNOWN
	                            ? RESULT_UNKNOWN_BYTES
	                            : bill_grown(now->cgroup_left_bytes, before->cgroup_left_bytes);
	out->cgroup_client_bytes = RESULT_UNKNOWN_BYTES;
	out->has_slabs = out->bill.has_slabs;
	if (!out->has_slabs)
		return;
	uint32_t count = caches_sort(&w.caches, true, sorted);

	out->slab_count = count < RESULT_SLABS_MAX ? count : RESULT_SLABS_MAX;
	memcpy(out->slabs, sorted, out->slab_count * sizeof(sorted[0]));
}

void account_drift(const struct sample looks[3], struct account_host *host)
{
	static struct bill halves[2];
	static struct work w;

	memset(host->drift_per_s, 0, sizeof(host->drift_per_s));
	for (int half = 0; half < 2; half++) {
		w = (struct work){.before = &looks[half],
		                  .now = &looks[half + 1],
		                  .host = host,
		                  .bill = &halves[half]};
		put_kernel(&w);
	}
	for (int i = 0; i <= BILL_SLABS; i++) {
		double first_ns = (double)(looks[1].at_ns - looks[0].at_ns);
		double second_ns = (double)(looks[2].at_ns - looks[1].at_ns);
		int64_t a = halves[0].lines[i].bytes, b = halves[1].lines[i].bytes;

		if (a <= 0 || b <= 0 || first_ns <= 0 || second_ns <= 0)
			continue;
		double x = (double)a / first_ns, y = (double)b / second_ns;
		double slow = x < y ? x : y, fast = x < y ? y : x;

		if (fast <= 2 * slow && slow * (double)NS_PER_S < (double)INT64_MAX)
			host->drift_per_s[i] = (int64_t)(slow * (double)NS_PER_S);
	}
}

void account_standing(const struct sample *now, const struct account_host *host, struct bill *out)
{
	static const struct sample nothing = {.has_slabs = true};
	static struct work w;

	memset(out, 0, sizeof(*out));
	w = (struct work){.before = &nothing,
	                  .now = now,
	                  .host = host,
	                  .bill = out,
	                  .caches = {.is_standing = true}};
	put_kernel(&w);
	for (int i = BILL_VMALLOC; i < BILL_LINE_COUNT; i++) {
		if (i == BILL_SLABS && !out->has_slabs) /* others' too, but it is what there is */
			continue;
		out->lines[i] = (struct bill_line){BILL_UNKNOWN, BILL_UNKNOWN, false, ""};
	}
	out->lines[BILL_SLABS].is_shared = !out->has_slabs;
	/* mem has skbuff_* in it already, and what is reserved. */
	out->lines[BILL_DATA] = (struct bill_line){BILL_UNKNOWN, BILL_UNKNOWN, false, ""};
	if (now->socket_memory_bytes <= INT64_MAX)
		out->lines[BILL_DATA].bytes = (int64_t)now->socket_memory_bytes;
	if (now->sockets.tcp_alloc != PROBE_UNKNOWN)
		out->connections = now->sockets.tcp_alloc;
	out->lost_bytes = out->available_lost_bytes = BILL_UNKNOWN;
}
