/* uring: the engine over io_uring with direct descriptors.
 *
 * Theory of operation
 *
 * A direct descriptor is a slot in a ring's own table; it never enters the process's descriptor
 * table. The table of one ring is bounded by RLIMIT_NOFILE, the number of rings is not, so this
 * engine holds its connections in as many rings as it takes. Index i lies in ring i / slots, slot
 * i % slots.
 *
 * One word per connection is all that is kept: its generation and four flags. Completions carry a
 * tag (engine.h) in their user data; one whose generation is not the connection's is from an
 * earlier life and is dropped.
 *
 * Connecting is four entries of one submission: socket, SO_REUSEADDR, bind, and connect linked to
 * bind so that a failed bind does not connect from some other port. The first three are silent
 * where they succeed. On loopback the whole handshake runs inside that one system call. Where the
 * kernel has no bind operation (before 6.11), an ordinary socket is bound and moved into the table.
 *
 * Accepting: one multishot accept per listener, all in the accepting ring. An accept into a full
 * table drops the connection, so before the table can fill (layout.h) the accepts are cancelled and
 * started anew in the next ring with room; until then connections wait in the listen queue.
 *
 * Receiving where nothing is expected soon is armed with a poll, which holds 256 bytes in the
 * kernel and no buffer (a multishot receive holds more than twice that); when it fires, a receive
 * that does not wait takes a buffer from the ring. It is not a multishot poll: that one would have
 * to be cancelled when the peer closes, and the kernel searches for it in buckets of a hundred.
 * Where an answer is on its way, a receive waits by itself.
 * Where there is no buffer for what has come, the receive waits in a line (uring_ring_starve).
 *
 * With several rings one cannot wait in one of them. While there is work, poll looks at all rings'
 * shared memory and enters the kernel only where there is something to do; before it sleeps it
 * switches the rings' eventfds on, looks once more, and waits in epoll for any of them.
 *
 * Limits: one thread; sends of at most ENGINE_SEND_MOST bytes, SEND_SLOTS of them under way. */
#include "engine/uring.h"

#include "base/clock.h"
#include "base/map.h"
#include "engine/uring_abi.h"
#include "engine/uring_accept.h"
#include "engine/uring_connect.h"
#include "engine/uring_io.h"
#include "engine/wait.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WAKE_KEY UINT32_MAX

/* Connections closed at a time: few enough for their sockets to stay in the cache until freed. */
#define CLOSE_BATCH 64

/* Returns how many events (0 or 1) came of a completion. */
static int dispatch(struct uring *u, uint32_t ring, const struct io_uring_cqe *cqe,
                    struct engine_event *event)
{
	const uint8_t op = engine_tag_op(cqe->user_data);
	const uint32_t index = engine_tag_index(cqe->user_data);
	const bool is_stale = op != OP_SILENT && op != OP_ACCEPT && op != OP_UNMADE &&
	                      engine_tag_generation(cqe->user_data) != generation_of(u, index);

	switch ((enum op)op) {
	case OP_ACCEPT:
		return uring_on_accept(u, ring, cqe, event);
	case OP_SEND:
		return uring_on_send(u, cqe, event);
	case OP_RECEIVE:
	case OP_RECEIVE_NOW:
		return uring_on_receive(u, ring, cqe, event);
	case OP_CONNECT:
		return is_stale ? 0 : uring_on_connect(u, index, cqe->res, event);
	case OP_SETUP:
		return is_stale ? 0 : uring_on_connect_failed(u, index, cqe->res, event);
	case OP_UNMADE:
		return uring_on_unmade(u, index, engine_tag_generation(cqe->user_data), event);
	case OP_READY:
		return is_stale ? 0 : uring_on_ready(u, index, cqe->res, event);
	case OP_SILENT:
		break;
	}
	return 0;
}

/* Out of memory for a moment, or interrupted, is tried again; anything else is the end. */
static void note_failure(struct uring *u, int code)
{
	if (code < 0 && code != -EAGAIN && code != -EBUSY && code != -EINTR)
		u->failed = code;
}

static int turn(struct uring *u, uint32_t number, struct engine_event *events, int max)
{
	struct uring_ring *ring = &u->rings[number];
	struct io_uring_cqe *cqe;
	unsigned int head, taken = 0;
	int made = 0;

	for (int i = 0; i < URING_ENTRIES_MOST && uring_ring_wants_turn(ring); i++)
		note_failure(u, uring_ring_enter(ring));
	io_uring_for_each_cqe (&ring->io, head, cqe) {
		if (made == max)
			break;
		made += dispatch(u, number, cqe, &events[made]);
		taken++;
	}
	io_uring_cq_advance(&ring->io, taken);
	return made;
}

static void toggle_eventfds(struct uring *u, bool on)
{
	for (uint32_t i = 0; i < u->layout.rings; i++)
		io_uring_cq_eventfd_toggle(&u->rings[i].io, on);
}

static bool any_ring_wants(struct uring *u)
{
	for (uint32_t i = 0; i < u->layout.rings; i++) {
		if (uring_ring_wants_turn(&u->rings[i]) || uring_ring_is_ready(&u->rings[i]))
			return true;
	}
	return false;
}

/* Sleeps until a ring has something, wake_fd is written, or the deadline. */
static int sleep_until(struct uring *u, uint64_t deadline_ns)
{
	struct epoll_event woken[16];
	int failed = 0;

	if (uring_accept_again_ns(u) < deadline_ns)
		deadline_ns = uring_accept_again_ns(u);
	toggle_eventfds(u, true);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the switch is seen before we look again */
	if (!any_ring_wants(u) && wait_events(u->epoll_fd, woken, 16, deadline_ns) < 0 &&
	    errno != EINTR)
		failed = -errno;
	toggle_eventfds(u, false);
	return failed;
}

/* One turn of each ring. Another one is the first each time: the events of a busy one may be all
 * that a caller takes. */
static int turn_all(struct uring *u, struct engine_event *events, int max)
{
	int made = 0;

	for (uint32_t n = 0; n < u->layout.rings; n++) {
		uint32_t i = (u->first_turn + n) % u->layout.rings;

		uring_feed(u, i);
		if (made < max)
			made += turn(u, i, events + made, max - made);
		uring_keep_accepting(u); /* before another ring's turn brings in more */
	}
	u->first_turn = u->first_turn + 1 < u->layout.rings ? u->first_turn + 1 : 0;
	uring_submit_all(u); /* also of rings that had no turn, as addresses are reused */
	return made;
}

static int uring_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	struct uring *u = uring_of(e);
	int made = 0;

	uring_take_back_sends(u);
	for (uint32_t i = 0; i < u->layout.rings; i++)
		uring_ring_take_back(&u->rings[i]);
	for (int pass = 0; pass < 2; pass++) {
		made += turn_all(u, events + made, max - made);
		if (u->failed != 0)
			return u->failed;
		if (made > 0 || pass > 0 || any_ring_wants(u))
			return made;
		int failed = sleep_until(u, deadline_ns);

		if (failed != 0)
			return failed;
	}
	return made;
}

static void uring_flush(struct engine *e)
{
	uring_submit_all(uring_of(e));
}

/* Does all that is queued and takes what comes of it. */
static void settle(struct uring *u)
{
	struct engine_event ignored[64];

	while (any_ring_wants(u) && u->failed == 0)
		uring_poll(&u->base, ignored, 64, 0);
}

/* From the last armed to the first: the kernel finds a poll to remove at the head of its bucket. */
static void uring_close_all(struct engine *e, enum engine_close how)
{
	struct uring *u = uring_of(e);
	uint32_t count = u->listener_count;

	uring_cancel_accepts(u);
	u->listener_count = 0;
	settle(u);
	for (uint32_t i = 0; i < count; i++)
		close(u->listeners[i].fd);
	for (uint32_t i = u->conn_count; i-- > 0;) {
		uring_close(e, i, how);
		if (i % CLOSE_BATCH == 0)
			settle(u);
	}
}

static void uring_shut(struct engine *e)
{
	struct uring *u = uring_of(e);

	for (uint32_t i = 0; i < u->layout.rings; i++)
		uring_ring_shut(&u->rings[i]);
	for (uint32_t i = 0; i < u->listener_count; i++)
		close(u->listeners[i].fd);
	if (u->epoll_fd >= 0)
		close(u->epoll_fd);
	map_drop(u->rings, u->layout.rings * sizeof(*u->rings));
	map_drop(u->conns, u->conn_count * sizeof(*u->conns));
	map_drop(u->staged, URING_STAGED_MAX * sizeof(*u->staged));
	map_drop(u->send_len, URING_SEND_SLOTS * sizeof(*u->send_len));
	map_drop(u->send_data, (size_t)URING_SEND_SLOTS * u->base.send_most);
	map_drop(u->send_free, URING_SEND_SLOTS * sizeof(*u->send_free));
	map_drop(u->send_lent, URING_SEND_SLOTS * sizeof(*u->send_lent));
	map_drop(u->listeners, u->config.listeners * sizeof(*u->listeners));
	map_drop(u, sizeof(*u));
}

static const struct engine_ops uring_ops = {
	.name = "uring",
	.listen = uring_listen,
	.accept = uring_accept,
	.connect = uring_connect,
	.send = uring_send,
	.receive = uring_receive,
	.close = uring_close,
	.flush = uring_flush,
	.poll = uring_poll,
	.close_all = uring_close_all,
	.shut = uring_shut,
};

static bool has_bind_op(struct io_uring *io)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(io);
	bool has = probe && io_uring_opcode_supported(probe, URING_ABI_OP_BIND);

	io_uring_free_probe(probe);
	return has;
}

static int watch(struct uring *u, int fd, uint32_t key)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = key};

	return epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int map_tables(struct uring *u)
{
	u->conn_count = u->layout.rings * u->layout.slots;
	u->base.index_end = u->conn_count;
	u->rings = map_private(u->layout.rings * sizeof(*u->rings));
	u->conns = map_private(u->conn_count * sizeof(*u->conns));
	u->staged = map_private(URING_STAGED_MAX * sizeof(*u->staged));
	u->send_len = map_private(URING_SEND_SLOTS * sizeof(*u->send_len));
	u->send_data = map_private((size_t)URING_SEND_SLOTS * u->base.send_most);
	u->send_free = map_private(URING_SEND_SLOTS * sizeof(*u->send_free));
	u->send_lent = map_private(URING_SEND_SLOTS * sizeof(*u->send_lent));
	u->listeners = map_private(u->config.listeners * sizeof(*u->listeners));
	if (!u->rings || !u->conns || !u->staged || !u->send_len || !u->send_data ||
	    !u->send_free || !u->send_lent || !u->listeners)
		return -ENOMEM;
	for (uint32_t i = 0; i < URING_SEND_SLOTS; i++)
		u->send_free[i] = (uint16_t)i;
	u->send_free_count = URING_SEND_SLOTS;
	return 0;
}

static int open_rings(struct uring *u, struct err *err)
{
	int failed = 0;

	for (uint32_t i = 0; i < u->layout.rings && failed == 0; i++) {
		failed = uring_ring_open(&u->rings[i], &u->layout, u->base.send_most,
		                         u->config.without, err);
		if (failed == 0)
			failed = watch(u, u->rings[i].event_fd, i);
	}
	return failed;
}

static int open_parts(struct uring *u, struct err *err)
{
	int failed = layout_plan(u->config.connections, u->config.listeners, u->config.nofile,
	                         u->config.memlock_bytes, &u->layout);

	if (failed == -EMFILE)
		return err_set(
			err, failed,
			"a process with a limit of %llu descriptors cannot hold %u connections: "
			"raise it (ulimit -n), or use more workers",
			(unsigned long long)u->config.nofile, u->config.connections);
	if (failed != 0)
		return uring_ring_explain(failed, err);
	u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->epoll_fd < 0 || map_tables(u) != 0)
		return err_set(err, -ENOMEM, "no memory for the tables of %u connections",
		               u->config.connections);
	failed = watch(u, u->config.wake_fd, WAKE_KEY);
	if (failed == 0)
		failed = open_rings(u, err);
	if (failed == 0)
		u->has_bind = !(u->config.without & ENGINE_WITHOUT_BIND) &&
		              has_bind_op(&u->rings[0].io);
	return failed;
}

int uring_open(const struct engine_config *config, struct engine **out, struct err *err)
{
	struct uring *u = map_private(sizeof(*u));

	if (!u)
		return err_set(err, -ENOMEM, "no memory for an engine");
	u->base.ops = &uring_ops;
	u->base.send_most = engine_send_most(config->message_bytes);
	u->config = *config;
	int failed = open_parts(u, err);

	if (failed != 0) {
		uring_shut(&u->base);
		return failed;
	}
	*out = &u->base;
	return 0;
}

int uring_probe(struct err *err)
{
	const struct layout smallest = {
		.rings = 1, .slots = 4, .usable = 4, .sq_entries = 4, .cq_entries = 16};
	struct uring_ring ring;
	int failed = uring_ring_open(&ring, &smallest, ENGINE_SEND_MAX, 0, err);

	if (failed == 0)
		uring_ring_shut(&ring);
	return failed;
}
