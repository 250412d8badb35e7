/* layout: the arithmetic of rings. Sizes follow io_uring/io_uring.c (rings_size) and
 * io_uring/kbuf.c; all regions are whole pages and are accounted as such. */
#include "engine/layout.h"

#include <errno.h>

#define PAGE_BYTES           4096U
#define SLOTS_MAX            32768U /* larger tables save nothing, and cost more to grow into     */
#define SQ_ENTRIES_MAX       512U
#define SQ_ENTRIES_MIN       4U
#define CQ_PER_SQ            4U /* an entry of the queue may yield several completions        */
#define SPARE_DESCRIPTORS    24 /* standard streams, epoll, control, libraries, /proc readers */
#define DESCRIPTORS_PER_RING 2U

static uint64_t pages(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* What one ring counts against RLIMIT_MEMLOCK: submission entries of 64 bytes, the queues' heads
 * with completions of 16 and an index array of 4, and a buffer ring of 16 an entry. */
static uint64_t ring_bytes(uint32_t sq_entries)
{
	uint64_t queues = 320 + (uint64_t)sq_entries * (CQ_PER_SQ * 16 + 4);

	return pages((uint64_t)sq_entries * 64) + pages(queues) + pages((uint64_t)sq_entries * 16);
}

static uint32_t rings_most(uint32_t listeners, uint64_t nofile)
{
	uint64_t taken = SPARE_DESCRIPTORS + (uint64_t)listeners;

	if (nofile <= taken)
		return 0;
	uint64_t rings = (nofile - taken) / DESCRIPTORS_PER_RING;

	return rings > 4096 ? 4096 : (uint32_t)rings;
}

/* The sizes of one ring for a table of `slots`, without the count of rings. */
static int ring_shape(uint32_t listeners, uint32_t slots, uint32_t sq_entries, struct layout *out)
{
	uint32_t reserve = listeners > 0 ? sq_entries * CQ_PER_SQ + listeners : 0;

	if (slots <= reserve)
		return -EMFILE;
	out->slots = slots;
	out->usable = slots - reserve;
	out->sq_entries = sq_entries;
	out->cq_entries = sq_entries * CQ_PER_SQ;
	return 0;
}

int layout_plan(uint32_t connections, uint32_t listeners, uint64_t nofile, uint64_t memlock_bytes,
                struct layout *out)
{
	uint32_t slots = nofile < SLOTS_MAX ? (uint32_t)nofile : SLOTS_MAX;
	uint32_t most = rings_most(listeners, nofile);
	int failed = -EMFILE;

	for (uint32_t sq = SQ_ENTRIES_MAX; sq >= SQ_ENTRIES_MIN; sq /= 2) {
		/* The reserve for a burst must not eat the table. */
		if (sq > SQ_ENTRIES_MIN && sq * CQ_PER_SQ > slots / 4)
			continue;
		if (ring_shape(listeners, slots, sq, out) != 0)
			continue;
		uint32_t rings =
			(uint32_t)(((uint64_t)connections + out->usable - 1) / out->usable);

		if (rings == 0 || rings > most)
			continue;
		out->rings = rings;
		out->locked_bytes = rings * ring_bytes(sq);
		if (out->locked_bytes <= memlock_bytes) {
			/* A table need not be larger than what it is for. */
			uint32_t needed = (connections + rings - 1) / rings + slots - out->usable;

			if (needed < out->slots) {
				out->usable -= out->slots - needed;
				out->slots = needed;
			}
			return 0;
		}
		failed = -ENOMEM;
	}
	return failed;
}

uint32_t layout_most(uint32_t listeners, uint64_t nofile, uint64_t memlock_bytes)
{
	struct layout l;
	uint32_t low = 0, high = UINT32_MAX / 2;

	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (layout_plan(middle, listeners, nofile, memlock_bytes, &l) == 0)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}
