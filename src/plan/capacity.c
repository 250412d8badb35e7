/* capacity: each wall as a number of connections; the smallest is the one. */
#include "plan/capacity.h"

#include <assert.h>
#include <errno.h>

#define RESERVE_LEAST (UINT64_C(512) << 20)

static const char *const advice[] = {
	[WALL_MEMORY] = "free memory, lower --reserve, or use a machine with more",
	[WALL_CGROUP_MEMORY] = "raise the cgroup's memory limit (memory.max)",
	[WALL_FILES] = "raise fs.file-max",
	[WALL_PORTS] =
		"add source IPs or server ports (in a lab: --solution mixed), or widen --ports",
	[WALL_DESCRIPTORS] =
		"raise the limit of open files (ulimit -n) or of locked memory (ulimit -l)",
	[WALL_INDEX] = "no more can be numbered",
};
static_assert(sizeof(advice) / sizeof(advice[0]) == WALL_COUNT, "each wall has its advice");

uint64_t capacity_connection_bytes(uint32_t ends, bool is_ipv6)
{
	if (ends == 1)
		return is_ipv6 ? CAPACITY_END_BYTES_IPV6 : CAPACITY_END_BYTES_IPV4;
	return is_ipv6 ? CAPACITY_PAIR_BYTES_IPV6 : CAPACITY_PAIR_BYTES_IPV4;
}

static uint64_t by_memory(const struct capacity_limits *l, uint64_t left_bytes)
{
	if (left_bytes == CAPACITY_NO_LIMIT)
		return CAPACITY_NO_LIMIT;
	return left_bytes <= l->reserve_bytes
	               ? 0
	               : (left_bytes - l->reserve_bytes) / l->connection_bytes;
}

uint64_t capacity_allows(const struct capacity_limits *l, enum wall wall)
{
	switch (wall) {
	case WALL_MEMORY:
		return by_memory(l, l->memory_left_bytes);
	case WALL_CGROUP_MEMORY:
		return by_memory(l, l->cgroup_left_bytes);
	case WALL_FILES:
		return l->files_left == CAPACITY_NO_LIMIT
		               ? CAPACITY_NO_LIMIT
		               : l->files_left / l->ends; /* a struct file for each end */
	case WALL_PORTS:
		return l->tuples;
	case WALL_DESCRIPTORS:
		return l->process_most * l->workers_most;
	case WALL_INDEX:
	case WALL_COUNT:
		break;
	}
	return CAPACITY_INDEX_MOST;
}

uint64_t capacity_largest(const struct capacity_limits *l, enum wall *first)
{
	uint64_t largest = CAPACITY_NO_LIMIT;

	for (int wall = 0; wall < WALL_COUNT; wall++) {
		uint64_t allows = capacity_allows(l, (enum wall)wall);

		if (allows < largest) {
			largest = allows;
			*first = (enum wall)wall;
		}
	}
	return largest;
}

static void name(struct text *t, const struct capacity_limits *l, enum wall wall)
{
	switch (wall) {
	case WALL_MEMORY:
	case WALL_CGROUP_MEMORY:
		text_add(t, wall == WALL_MEMORY ? "memory: " : "the cgroup's memory limit: ");
		text_bytes(t, wall == WALL_MEMORY ? l->memory_left_bytes : l->cgroup_left_bytes);
		text_add(t, " left less a reserve of ");
		text_bytes(t, l->reserve_bytes);
		text_add(t, ", at ");
		text_count(t, l->connection_bytes);
		text_add(t, " bytes a connection%s", l->ends == 2 ? " with both its ends" : "");
		break;
	case WALL_FILES:
		text_add(t, "fs.file-max: ");
		text_count(t, l->files_left);
		text_add(t, " open files left, %u a connection", l->ends);
		break;
	case WALL_PORTS:
		text_add(t, "4-tuples: ");
		text_count(t, l->tuples);
		text_add(t, " of source IPs, source ports and server ports");
		break;
	case WALL_DESCRIPTORS:
		text_add(t, "descriptors and locked memory: ");
		text_count(t, l->process_most);
		text_add(t, " connections a worker, %llu worker%s",
		         (unsigned long long)l->workers_most, l->workers_most == 1 ? "" : "s");
		break;
	case WALL_INDEX:
	case WALL_COUNT:
		text_add(t, "the index of a connection");
		break;
	}
}

void capacity_describe(const struct capacity_limits *l, enum wall wall, struct text *out)
{
	assert(wall < WALL_COUNT);
	name(out, l, wall);
	text_add(out, ": %s", advice[wall]);
}

int capacity_check(const struct capacity_limits *l, uint64_t n, struct err *err)
{
	char buffer[sizeof(err->text)] = "";
	struct text t;
	enum wall wall = WALL_INDEX;
	uint64_t largest = capacity_largest(l, &wall);

	if (n <= largest)
		return 0;
	text_init(&t, buffer, sizeof(buffer));
	text_count(&t, n);
	text_add(&t, " connections do not fit; the wall is ");
	name(&t, l, wall);
	text_add(&t, "; the largest N that fits is ");
	text_count(&t, largest);
	assert(wall < WALL_COUNT);
	text_add(&t, ": %s", advice[wall]);
	return err_set(err, -E2BIG, "%s", buffer);
}

uint64_t capacity_default_reserve(uint64_t memory_total_bytes)
{
	uint64_t twentieth = memory_total_bytes / 20;

	return twentieth > RESERVE_LEAST ? twentieth : RESERVE_LEAST;
}
