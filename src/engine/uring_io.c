/* uring_io: bytes out of a pool of send slots, and bytes in through the rings' buffers. */
#include "engine/uring_io.h"

#include "engine/uring_accept.h"

#include <errno.h>
#include <string.h>

int uring_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	struct uring *u = uring_of(e);

	if (u->send_free_count == 0)
		return -EAGAIN;
	uint16_t number = u->send_free[--u->send_free_count];
	uint32_t generation = (uint32_t)number << 12 | (generation_of(u, index) & 0xfff);
	struct io_uring_sqe *sqe = sqe_on_slot(u, index);

	u->conns[index] |= CONN_SENDING;
	u->send_len[number] = len;
	memcpy(send_slot(u, number), data, len);
	io_uring_prep_send(sqe, slot_of(u, index), send_slot(u, number), len,
	                   MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = engine_tag(OP_SEND, generation, index);
	return 0;
}

void uring_take_back_sends(struct uring *u)
{
	while (u->send_lent_count > 0)
		u->send_free[u->send_free_count++] = u->send_lent[--u->send_lent_count];
}

int uring_on_send(struct uring *u, const struct io_uring_cqe *cqe, struct engine_event *event)
{
	uint32_t index = engine_tag_index(cqe->user_data);
	uint32_t generation = engine_tag_generation(cqe->user_data);
	uint16_t number = (uint16_t)(generation >> 12);

	u->send_lent[u->send_lent_count++] = number;
	if ((generation & 0xfff) != (generation_of(u, index) & 0xfff))
		return 0;
	u->conns[index] &= ~(uint32_t)CONN_SENDING;
	*event = (struct engine_event){
		.tag = tag_of(u, ENGINE_SENT, index),
		.result = cqe->res,
		.len = u->send_len[number],
		.data = send_slot(u, number),
	};
	return 1;
}

static struct io_uring_sqe *queue_receive(struct uring *u, uint32_t index, uint8_t op)
{
	struct io_uring_sqe *sqe = sqe_on_slot(u, index);

	io_uring_prep_recv(sqe, slot_of(u, index), NULL, 0,
	                   op == OP_RECEIVE_NOW ? MSG_DONTWAIT : 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = URING_BUFFER_GROUP;
	sqe->user_data = tag_of(u, op, index);
	return sqe;
}

/* Before the kernel looks at those that something comes for now: the first to wait is the first to
 * be served. */
void uring_feed(struct uring *u, uint32_t ring)
{
	for (uint32_t left = uring_ring_can_feed(&u->rings[ring]); left > 0; left--) {
		uint64_t tag = uring_ring_feed(&u->rings[ring]);
		uint32_t index = engine_tag_index(tag);

		if (engine_tag_generation(tag) == generation_of(u, index))
			queue_receive(u, index, engine_tag_op(tag));
	}
}

void uring_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct uring *u = uring_of(e);

	if (wait == ENGINE_WAIT_IDLE) {
		uring_arm_ready(u, index);
		return;
	}
	u->conns[index] |= CONN_PENDING;
	/* It is asked for with the message that is to be answered. */
	queue_receive(u, index, OP_RECEIVE)->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

/* The armed poll says that there is something to read, or that it is over. */
int uring_on_ready(struct uring *u, uint32_t index, int code, struct engine_event *event)
{
	u->conns[index] &= ~(uint32_t)CONN_ARMED;
	if (code < 0) { /* it could not be armed */
		*event = (struct engine_event){.tag = tag_of(u, ENGINE_RECEIVED, index),
		                               .result = code};
		return 1;
	}
	queue_receive(u, index, OP_RECEIVE_NOW);
	return 0;
}

int uring_on_receive(struct uring *u, uint32_t ring, const struct io_uring_cqe *cqe,
                     struct engine_event *event)
{
	const uint8_t op = engine_tag_op(cqe->user_data);
	const uint32_t index = engine_tag_index(cqe->user_data);
	const bool has_buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0;
	const uint32_t buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	if (has_buffer)
		uring_ring_lend(&u->rings[ring], buffer);
	if (engine_tag_generation(cqe->user_data) != generation_of(u, index))
		return 0;
	if (cqe->res == -ENOBUFS) {
		if (!uring_ring_starve(&u->rings[ring], cqe->user_data))
			queue_receive(u, index, op);
		return 0;
	}
	if (cqe->res == -EAGAIN) {
		uring_arm_ready(u, index);
		return 0;
	}
	if (op == OP_RECEIVE)
		u->conns[index] &= ~(uint32_t)CONN_PENDING;
	*event = (struct engine_event){
		.tag = tag_of(u, ENGINE_RECEIVED, index),
		.result = cqe->res,
		.data = has_buffer ? u->rings[ring].buffers + (size_t)buffer * u->base.send_most
	                           : NULL,
	};
	return 1;
}
