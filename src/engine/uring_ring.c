/* uring_ring: setting up one ring, and the few lines of bookkeeping that are per ring.
 *
 * Task work is deferred to when we ask for it (IORING_SETUP_DEFER_TASKRUN, 6.1) or, before that, at
 * least not forced by interrupts (COOP_TASKRUN, 5.19). Both announce waiting work in the
 * submission queue's flags (TASKRUN_FLAG), so that an idle ring is recognised without a system
 * call.
 *
 * With DEFER_TASKRUN the ring's own descriptor does not wake an epoll set; its eventfd does. */
#include "engine/uring_ring.h"

#include "base/map.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define MEMLOCK_WAIT_TRIES 40
#define MEMLOCK_WAIT_NS    50000000L
#define BUFFERS_BYTES_MOST                                                    \
	(1U << 20) /* of one ring; they are taken in turn, and so all of them \
	            */

int uring_ring_explain(int code, struct err *err)
{
	switch (code) {
	case -ENOSYS:
		return err_set(err, code, "this kernel has no io_uring");
	case -EPERM:
	case -EACCES:
		return err_set(err, code,
		               "io_uring is forbidden here (kernel.io_uring_disabled, or a "
		               "container's seccomp profile): allow it");
	case -ENOMEM:
		return err_set(err, code,
		               "no locked memory left for io_uring's rings: raise the limit "
		               "(ulimit -l), or wait until an ended run has given its share back");
	case -EINVAL:
	case -EOPNOTSUPP:
		return err_set(
			err, -EOPNOTSUPP,
			"this kernel's io_uring lacks direct descriptors, multishot accept or "
			"buffer rings: Linux 5.19 or newer is needed");
	default:
		return err_set(err, code, "cannot set up io_uring: %s", strerror(-code));
	}
}

/* Asks for the best way of running task work first. */
static int setup(struct io_uring *io, const struct layout *layout, uint32_t without)
{
	const unsigned int base = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
	                          IORING_SETUP_TASKRUN_FLAG;
	struct io_uring_params deferred = {
		.flags = base | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = layout->cq_entries,
	};
	struct io_uring_params cooperative = {
		.flags = base | IORING_SETUP_COOP_TASKRUN,
		.cq_entries = layout->cq_entries,
	};
	int failed = -EINVAL;

	if (!(without & ENGINE_WITHOUT_DEFER))
		failed = io_uring_queue_init_params(layout->sq_entries, io, &deferred);
	if (failed == -EINVAL)
		failed = io_uring_queue_init_params(layout->sq_entries, io, &cooperative);
	return failed;
}

/* An ended process gives its locked memory back late (rings die asynchronously): wait for it. */
static int setup_patiently(struct io_uring *io, const struct layout *layout, uint32_t without)
{
	const struct timespec pause = {.tv_nsec = MEMLOCK_WAIT_NS};
	int failed = setup(io, layout, without);

	for (int i = 0; failed == -ENOMEM && i < MEMLOCK_WAIT_TRIES; i++) {
		nanosleep(&pause, NULL);
		failed = setup(io, layout, without);
	}
	return failed;
}

/* One for each entry of the queue, but large ones are fewer: who finds none asks again. */
static uint32_t count_buffers(const struct layout *layout, uint32_t bytes)
{
	uint32_t most = BUFFERS_BYTES_MOST / bytes;

	return layout->sq_entries < most ? layout->sq_entries : most;
}

static int add_buffers(struct uring_ring *ring, uint32_t count, uint32_t bytes)
{
	ring->buffer_count = count;
	ring->buffer_bytes = bytes;
	ring->buffer_ring = map_private(count * sizeof(struct io_uring_buf));
	ring->buffers = map_private((size_t)count * bytes);
	ring->lent = map_private(count * sizeof(*ring->lent));
	if (!ring->buffer_ring || !ring->buffers || !ring->lent)
		return -ENOMEM;

	struct io_uring_buf_reg reg = {
		.ring_addr = (uint64_t)(uintptr_t)ring->buffer_ring,
		.ring_entries = count,
		.bgid = URING_BUFFER_GROUP,
	};
	int failed = io_uring_register_buf_ring(&ring->io, &reg, 0);

	if (failed != 0)
		return failed;
	for (uint32_t i = 0; i < count; i++)
		ring->lent[i] = (uint16_t)i;
	ring->lent_count = count;
	uring_ring_take_back(ring);
	return 0;
}

static int add_starved(struct uring_ring *ring, uint32_t slots)
{
	ring->starved = map_private(slots * sizeof(*ring->starved));
	ring->starved_size = slots;
	return ring->starved ? 0 : -ENOMEM;
}

static int add_event_fd(struct uring_ring *ring)
{
	ring->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ring->event_fd < 0)
		return -errno;
	int failed = io_uring_register_eventfd(&ring->io, ring->event_fd);

	if (failed == 0)
		failed = io_uring_cq_eventfd_toggle(&ring->io, false);
	return failed;
}

int uring_ring_open(struct uring_ring *ring, const struct layout *layout, uint32_t buffer_bytes,
                    uint32_t without, struct err *err)
{
	int failed;

	memset(ring, 0, sizeof(*ring));
	ring->event_fd = -1;
	failed = setup_patiently(&ring->io, layout, without);
	if (failed != 0)
		return uring_ring_explain(failed, err);
	ring->open = true;
	failed = io_uring_register_files_sparse(&ring->io, layout->slots);
	if (failed == 0)
		failed = add_buffers(ring, count_buffers(layout, buffer_bytes), buffer_bytes);
	if (failed == 0)
		failed = add_starved(ring, layout->slots);
	if (failed == 0)
		failed = add_event_fd(ring);
	if (failed == 0)
		return 0;
	uring_ring_shut(ring);
	return uring_ring_explain(failed, err);
}

void uring_ring_shut(struct uring_ring *ring)
{
	if (!ring->open)
		return;
	io_uring_queue_exit(&ring->io);
	if (ring->event_fd >= 0)
		close(ring->event_fd);
	map_drop(ring->buffer_ring, ring->buffer_count * sizeof(struct io_uring_buf));
	map_drop(ring->buffers, (size_t)ring->buffer_count * ring->buffer_bytes);
	map_drop(ring->lent, ring->buffer_count * sizeof(*ring->lent));
	map_drop(ring->starved, ring->starved_size * sizeof(*ring->starved));
	ring->open = false;
}

struct io_uring_sqe *uring_ring_sqe(struct uring_ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->io);

	while (!sqe) {
		io_uring_submit(&ring->io);
		sqe = io_uring_get_sqe(&ring->io);
	}
	return sqe;
}

/* The kernel says that work waits (TASKRUN) after it has put it there (io_uring/io_uring.c,
 * io_req_local_work_add). Where we come in between, from another CPU, the work is done before it is
 * announced, and the flag stands for nothing until there is other work: who waits for it to go
 * would wait for ever. So it is taken back here before the kernel looks; what comes after that
 * sets it again. */
int uring_ring_enter(struct uring_ring *ring)
{
	__atomic_fetch_and(ring->io.sq.kflags, ~IORING_SQ_TASKRUN, __ATOMIC_SEQ_CST);
	return io_uring_submit_and_get_events(&ring->io);
}

static bool has_kernel_work(struct uring_ring *ring)
{
	unsigned int flags = IO_URING_READ_ONCE(*ring->io.sq.kflags);

	return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

bool uring_ring_wants_turn(struct uring_ring *ring)
{
	return io_uring_sq_ready(&ring->io) != 0 || has_kernel_work(ring);
}

bool uring_ring_is_ready(struct uring_ring *ring)
{
	return io_uring_cq_ready(&ring->io) != 0 || has_kernel_work(ring);
}

bool uring_ring_starve(struct uring_ring *ring, uint64_t tag)
{
	if (ring->starved_count == ring->starved_size)
		return false;
	ring->starved[(ring->starved_from + ring->starved_count++) % ring->starved_size] = tag;
	return true;
}

/* Completions that nobody has looked at yet hold buffers, too. */
static uint32_t count_unseen_buffers(struct uring_ring *ring)
{
	const struct io_uring_cqe *cqe;
	unsigned int head;
	uint32_t count = 0;

	io_uring_for_each_cqe (&ring->io, head, cqe)
		count += (cqe->flags & IORING_CQE_F_BUFFER) != 0;
	return count;
}

uint32_t uring_ring_can_feed(struct uring_ring *ring)
{
	if (ring->starved_count == 0)
		return 0;
	uint32_t held = ring->lent_count + count_unseen_buffers(ring);
	uint32_t left = held < ring->buffer_count ? ring->buffer_count - held : 0;

	return left < ring->starved_count ? left : ring->starved_count;
}

uint64_t uring_ring_feed(struct uring_ring *ring)
{
	uint64_t tag = ring->starved[ring->starved_from];

	ring->starved_from = (ring->starved_from + 1) % ring->starved_size;
	ring->starved_count--;
	return tag;
}

void uring_ring_lend(struct uring_ring *ring, uint32_t number)
{
	ring->lent[ring->lent_count++] = (uint16_t)number;
}

void uring_ring_take_back(struct uring_ring *ring)
{
	int mask = io_uring_buf_ring_mask(ring->buffer_count);

	for (uint32_t i = 0; i < ring->lent_count; i++) {
		uint16_t number = ring->lent[i];

		io_uring_buf_ring_add(ring->buffer_ring,
		                      ring->buffers + (size_t)number * ring->buffer_bytes,
		                      ring->buffer_bytes, number, mask, (int)i);
	}
	if (ring->lent_count > 0)
		io_uring_buf_ring_advance(ring->buffer_ring, (int)ring->lent_count);
	ring->lent_count = 0;
}
