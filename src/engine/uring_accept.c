/* uring_accept: multishot accepts into one ring after the other. */
#include "engine/uring_accept.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>

#define ACCEPT_AGAIN_NS \
	100000000ULL /* after an error, so that a wall is not run into at full speed */

static void arm_listener(struct uring *u, uint32_t number)
{
	struct io_uring_sqe *sqe = uring_ring_sqe(&u->rings[u->accept_ring]);

	io_uring_prep_multishot_accept_direct(sqe, u->listeners[number].fd, NULL, NULL, 0);
	sqe->user_data = engine_tag(OP_ACCEPT, 0, number);
	u->listeners[number].armed = true;
	u->listener_armed++;
}

void uring_cancel_accepts(struct uring *u)
{
	for (uint32_t i = 0; i < u->listener_count; i++) {
		if (!u->listeners[i].armed)
			continue;
		struct io_uring_sqe *sqe = uring_ring_sqe(&u->rings[u->accept_ring]);

		io_uring_prep_cancel64(sqe, engine_tag(OP_ACCEPT, 0, i), 0);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = engine_tag(OP_SILENT, 0, 0);
	}
}

static bool ring_has_room(const struct uring *u, uint32_t ring)
{
	return u->rings[ring].used < u->layout.usable;
}

/* Moves accepting to another ring before the present one can fill, and arms what is not armed. */
void uring_keep_accepting(struct uring *u)
{
	if (u->listener_count == 0 || u->accept_off)
		return;
	if (!u->accept_moving && !ring_has_room(u, u->accept_ring)) {
		u->accept_moving = true;
		uring_cancel_accepts(u);
		io_uring_submit(&u->rings[u->accept_ring].io);
	}
	if (u->accept_moving) {
		uint32_t next = 0;

		while (next < u->layout.rings && !ring_has_room(u, next))
			next++;
		/* Where all are full, connections wait in the listen queue until one is closed. */
		if (u->listener_armed > 0 || next == u->layout.rings)
			return;
		u->accept_ring = next;
		u->accept_moving = false;
	}
	if (u->listener_armed == u->listener_count)
		return;
	if (u->accept_again_ns != 0 && clock_now_ns() < u->accept_again_ns)
		return;
	u->accept_again_ns = 0;
	for (uint32_t i = 0; i < u->listener_count; i++) {
		if (!u->listeners[i].armed)
			arm_listener(u, i);
	}
}

uint64_t uring_accept_again_ns(const struct uring *u)
{
	bool waits = u->accept_again_ns != 0 && !u->accept_off && !u->accept_moving &&
	             u->listener_armed < u->listener_count;

	return waits ? u->accept_again_ns : UINT64_MAX;
}

void uring_arm_ready(struct uring *u, uint32_t index)
{
	struct io_uring_sqe *sqe = sqe_on_slot(u, index);

	io_uring_prep_poll_add(sqe, slot_of(u, index), POLLIN | POLLRDHUP);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = tag_of(u, OP_READY, index);
	u->conns[index] |= CONN_ARMED;
}

int uring_on_accept(struct uring *u, uint32_t ring, const struct io_uring_cqe *cqe,
                    struct engine_event *event)
{
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		u->listeners[engine_tag_index(cqe->user_data)].armed = false;
		u->listener_armed--;
	}
	if (cqe->res == -ECANCELED)
		return 0;
	if (cqe->res < 0) {
		u->accept_again_ns = clock_now_ns() + ACCEPT_AGAIN_NS;
		*event = (struct engine_event){.tag = engine_tag(ENGINE_ACCEPTED, 0, UINT32_MAX),
		                               .result = cqe->res};
		return 1;
	}
	uint32_t index = ring * u->layout.slots + (uint32_t)cqe->res;

	u->conns[index] |= CONN_USED;
	u->rings[ring].used++;
	uring_arm_ready(u, index);
	*event = (struct engine_event){.tag = tag_of(u, ENGINE_ACCEPTED, index)};
	return 1;
}

void uring_accept(struct engine *e, bool on)
{
	struct uring *u = uring_of(e);

	if (u->accept_off == !on)
		return;
	u->accept_off = !on;
	for (uint32_t i = 0; i < u->listener_count; i++)
		listen(u->listeners[i].fd, on ? u->config.backlog : 0);
	if (on) {
		uring_keep_accepting(u);
		return;
	}
	uring_cancel_accepts(u);
	io_uring_submit(&u->rings[u->accept_ring].io);
}

int uring_listen(struct engine *e, int fd)
{
	struct uring *u = uring_of(e);

	if (u->listener_count == u->config.listeners)
		return -ENOSPC;
	u->listeners[u->listener_count++] = (struct listener){.fd = fd};
	uring_keep_accepting(u);
	return 0;
}
