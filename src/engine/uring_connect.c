/* uring_connect: a connection's begin and end: the chain of a connect, and closing. */
#include "engine/uring_connect.h"

#include "engine/sock.h"
#include "engine/uring_abi.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Lent to the kernel. */
static const int on = 1;
static const struct linger reset_on_close = {.l_onoff = 1, .l_linger = 0};

/* A setsockopt. `value` must stay. */
static void queue_option(struct uring *u, uint32_t index, int level, int option, const void *value,
                         uint32_t len, uint64_t tag)
{
	struct io_uring_sqe *sqe = sqe_on_slot(u, index);

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, slot_of(u, index), NULL, 0,
	                 URING_ABI_SETSOCKOPT_CMD);
	sqe->addr = (uint64_t)option << 32 | (uint32_t)level;
	sqe->file_index = len; /* the same place as the option's length */
	sqe->addr3 = (uint64_t)(uintptr_t)value;
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = tag;
}

static void release(struct uring *u, uint32_t index)
{
	u->conns[index] = (u->conns[index] & ~(uint32_t)CONN_FLAGS) + 0x100;
	ring_of(u, index)->used--;
}

static void queue_close(struct uring *u, uint32_t index)
{
	struct io_uring_sqe *sqe;

	/* A request that waits on the socket would keep it alive. */
	if (u->conns[index] & CONN_ARMED) {
		sqe = sqe_on_slot(u, index);
		io_uring_prep_poll_remove(sqe, tag_of(u, OP_READY, index));
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = engine_tag(OP_SILENT, 0, 0);
	}
	if (u->conns[index] & (CONN_PENDING | CONN_SENDING)) {
		sqe = sqe_on_slot(u, index);
		io_uring_prep_cancel_fd(sqe, slot_of(u, index),
		                        IORING_ASYNC_CANCEL_FD_FIXED | IORING_ASYNC_CANCEL_ALL);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = engine_tag(OP_SILENT, 0, 0);
	}
	sqe = sqe_on_slot(u, index);
	io_uring_prep_close_direct(sqe, (unsigned int)slot_of(u, index));
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = engine_tag(OP_SILENT, 0, 0);
}

/* Tells a socket how to close. */
static void queue_manner(struct uring *u, uint32_t index, enum engine_close how)
{
	const uint64_t tag = engine_tag(OP_SILENT, 0, 0);

	if (how == ENGINE_CLOSE_RESET)
		queue_option(u, index, SOL_SOCKET, SO_LINGER, &reset_on_close,
		             sizeof(reset_on_close), tag);
	/* A socket under repair goes without a segment (net/ipv4/tcp.c, __tcp_close). */
	if (how == ENGINE_CLOSE_SILENT)
		queue_option(u, index, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on), tag);
}

/* A linked connect runs after all that was submitted with it. Were its slot closed and used anew by
 * then, it would connect the next life's socket, to where this one wanted to go. */
static void run_connect(struct uring_ring *ring)
{
	for (int i = 0; i < URING_ENTRIES_MOST && uring_ring_wants_turn(ring); i++)
		io_uring_submit_and_get_events(&ring->io);
}

void uring_close(struct engine *e, uint32_t index, enum engine_close how)
{
	struct uring *u = uring_of(e);

	if (!(u->conns[index] & CONN_USED))
		return;
	if ((u->conns[index] & CONN_CONNECTING) && u->has_bind)
		run_connect(ring_of(u, index));
	if (u->has_bind)
		queue_manner(u, index, how);
	queue_close(u, index);
	release(u, index);
}

void uring_submit_all(struct uring *u)
{
	for (uint32_t i = 0; i < u->layout.rings; i++) {
		if (io_uring_sq_ready(&u->rings[i].io))
			io_uring_submit(&u->rings[i].io);
	}
	u->staged_count = 0;
}

static struct staged *stage(struct uring *u, const struct sockaddr *source,
                            const struct sockaddr *target, socklen_t len)
{
	if (u->staged_count == URING_STAGED_MAX)
		uring_submit_all(u);
	struct staged *s = &u->staged[u->staged_count++];

	memcpy(&s->source, source, len);
	memcpy(&s->target, target, len);
	return s;
}

static void queue_setup(struct io_uring_sqe *sqe, uint64_t tag)
{
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = tag;
}

static void queue_socket_and_bind(struct uring *u, uint32_t index, const struct staged *s,
                                  socklen_t len)
{
	/* The link from bind to connect holds within one submission only. */
	if (io_uring_sq_space_left(&ring_of(u, index)->io) < 5)
		io_uring_submit(&ring_of(u, index)->io);

	const uint64_t tag = tag_of(u, OP_SETUP, index);
	const int slot = slot_of(u, index);
	struct io_uring_sqe *sqe = sqe_on_slot(u, index);

	io_uring_prep_socket_direct(sqe, s->source.ss_family, SOCK_STREAM, 0, (unsigned int)slot,
	                            0);
	queue_setup(sqe, tag);
	queue_option(u, index, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), tag);
	if (u->config.freebind)
		queue_option(u, index, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on), tag);
	sqe = sqe_on_slot(u, index);
	io_uring_prep_rw(URING_ABI_OP_BIND, sqe, slot, &s->source, 0, len);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	queue_setup(sqe, tag);
}

/* For kernels without a bind operation. Returns 0 or a negative errno. */
static int bind_by_hand(struct uring *u, uint32_t index, const struct staged *s, socklen_t len)
{
	int failed;
	int fd = socket(s->source.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	failed = sock_bind_source(fd, (const struct sockaddr *)&s->source, len, u->config.freebind);
	if (failed == 0) {
		/* An earlier close of the slot may still be queued. */
		io_uring_submit(&ring_of(u, index)->io);
		int updated = io_uring_register_files_update(
			&ring_of(u, index)->io, (unsigned int)slot_of(u, index), &fd, 1);
		failed = updated < 0 ? updated : 0;
	}
	close(fd);
	return failed;
}

void uring_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                   const struct sockaddr *target, socklen_t len)
{
	struct uring *u = uring_of(e);
	struct staged *s = stage(u, source, target, len);
	struct io_uring_sqe *sqe;

	u->conns[index] |= CONN_USED | CONN_PENDING | CONN_CONNECTING;
	ring_of(u, index)->used++;
	if (u->has_bind) {
		queue_socket_and_bind(u, index, s, len);
	} else {
		int failed = bind_by_hand(u, index, s, len);

		if (failed != 0) {
			sqe = sqe_on_slot(u, index);
			io_uring_prep_nop(sqe);
			sqe->user_data = engine_tag(
				OP_UNMADE,
				(uint32_t)-failed << 12 | (generation_of(u, index) & 0xfff), index);
			return;
		}
	}
	sqe = sqe_on_slot(u, index);
	io_uring_prep_connect(sqe, slot_of(u, index), (const struct sockaddr *)&s->target, len);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = tag_of(u, OP_CONNECT, index);
}

int uring_on_connect_failed(struct uring *u, uint32_t index, int code, struct engine_event *event)
{
	uint64_t tag = tag_of(u, ENGINE_CONNECTED, index);

	queue_close(u, index);
	release(u, index);
	*event = (struct engine_event){.tag = tag, .result = code};
	return 1;
}

int uring_on_unmade(struct uring *u, uint32_t index, uint32_t generation,
                    struct engine_event *event)
{
	if ((generation & 0xfff) != (generation_of(u, index) & 0xfff))
		return 0;
	return uring_on_connect_failed(u, index, -(int)(generation >> 12), event);
}

int uring_on_connect(struct uring *u, uint32_t index, int code, struct engine_event *event)
{
	/* Its bind failed and broke the link; that one's own completion says why. */
	if (code == -ECANCELED)
		return 0;
	u->conns[index] &= ~(uint32_t)(CONN_PENDING | CONN_CONNECTING);
	if (code < 0)
		return uring_on_connect_failed(u, index, code, event);
	*event = (struct engine_event){.tag = tag_of(u, ENGINE_CONNECTED, index)};
	return 1;
}
