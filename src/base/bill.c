/* bill: the names of its lines, and sums of them. */
#include "base/bill.h"

#include "base/text.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
	const char *name, *title;
} lines[] = {
	[BILL_TCP] = {"tcp", "TCP socket"},
	[BILL_INODE] = {"inode", "socket inode"},
	[BILL_FILE] = {"file", "file"},
	[BILL_DENTRY] = {"dentry", "dentry"},
	[BILL_WATCH] = {"epoll", "epoll items"},
	[BILL_URING] = {"uring", "io_uring requests"},
	[BILL_BIND] = {"bind", "bind buckets"},
	[BILL_LSM] = {"lsm", "security blobs"},
	[BILL_REQUEST] = {"request", "request sockets"},
	[BILL_TIMEWAIT] = {"time_wait", "TIME_WAIT sockets"},
	[BILL_DATA] = {"data", "receive and send data"},
	[BILL_CONNTRACK] = {"conntrack", "connection tracking"},
	[BILL_VMALLOC] = {"vmalloc", "descriptor tables"},
	[BILL_PAGE_TABLES] = {"page_tables", "page tables"},
	[BILL_STACKS] = {"kernel_stacks", "kernel stacks"},
	[BILL_PERCPU] = {"percpu", "per-CPU memory"},
	[BILL_SLABS] = {"slabs", "other slab caches"},
	[BILL_SERVER_USER] = {"server_user", "servers' user space"},
	[BILL_CLIENT_USER] = {"client_user", "clients' user space"},
	[BILL_RESIDUAL] = {"residual", "residual"},
	[BILL_OTHERS] = {"others", "other programs' doings"},
};
static_assert(sizeof(lines) / sizeof(lines[0]) == BILL_LINE_COUNT, "a title for each line");

const char *bill_line_name(enum bill_line_id id)
{
	return lines[id].name;
}

const char *bill_line_title(const struct bill *bill, enum bill_line_id id)
{
	return id == BILL_SLABS && !bill->has_slabs ? "all slab caches" : lines[id].title;
}

int64_t bill_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a > 0 ? INT64_MAX : -INT64_MAX;
	return sum == BILL_UNKNOWN ? -INT64_MAX : sum;
}

int64_t bill_sum(const struct bill *bill, enum bill_line_id first, enum bill_line_id last)
{
	int64_t sum = BILL_UNKNOWN;

	for (int i = (int)first; i <= (int)last; i++) {
		int64_t bytes = bill->lines[i].bytes;

		if (bytes != BILL_UNKNOWN)
			sum = sum == BILL_UNKNOWN ? bytes : bill_add(sum, bytes);
	}
	return sum;
}

int64_t bill_grown(uint64_t before, uint64_t now)
{
	if (before > INT64_MAX || now > INT64_MAX)
		return 0;
	return (int64_t)now - (int64_t)before;
}

int64_t bill_share(int64_t bytes, int64_t objects, int64_t part)
{
	double ratio = (double)part / (double)objects;

	if (part <= 0)
		return 0;
	return part < objects && ratio < 1 ? (int64_t)((double)bytes * ratio) : bytes;
}

/* + 0.0: what is rounded to nothing has no sign. */
double bill_each(int64_t bytes, uint64_t connections)
{
	return round((double)bytes * 10 / (double)connections) / 10 + 0.0;
}

int64_t bill_each_whole(int64_t bytes, uint64_t connections)
{
	int64_t half = (int64_t)(connections / 2);

	return bill_add(bytes, bytes < 0 ? -half : half) / (int64_t)connections;
}

void bill_put(struct bill *bill, enum bill_line_id id, int64_t bytes, int64_t objects)
{
	struct bill_line *line = &bill->lines[id];

	line->bytes = bill_add(line->bytes == BILL_UNKNOWN ? 0 : line->bytes, bytes);
	if (objects != BILL_UNKNOWN)
		line->objects = bill_add(line->objects == BILL_UNKNOWN ? 0 : line->objects,
		                         objects);
}

void bill_name(struct bill *bill, enum bill_line_id id, const char *cache, const char *in)
{
	struct bill_line *line = &bill->lines[id];
	char of[sizeof(line->of)], place[64] = "";
	size_t len = strlen(line->of), tail = 0;
	struct text t, p;

	text_init(&p, place, sizeof(place));
	if (strcmp(cache, in) != 0)
		text_add(&p, " in %s", in);
	if (p.len > 0 && len > p.len && strcmp(line->of + len - p.len, place) == 0)
		tail = p.len; /* the cache before it is in the same one */
	text_init(&t, of, sizeof(of));
	text_add(&t, "%.*s%s%s%s", (int)(len - tail), line->of,
	         len == 0   ? ""
	         : tail > 0 ? " + "
	                    : ", ",
	         cache, place);
	if (!t.cut)
		memcpy(line->of, of, t.len + 1);
}
