/* utcp: the loop: device -> packet -> tcp -> packet -> device.
 *
 * Theory of operation
 *
 * The table has a record of 32 bytes for each index, mapped and zero; what is never used costs
 * nothing. A packet's 4-tuple gives the index (plan/tuple), the index the record; there is no hash
 * table, and nothing is allocated.
 *
 * A poll exchanges a batch with the device: what has been put since the last one goes out, what has
 * come is taken frame by frame through the state machine, whose wishes are carried out: segments
 * are put, events told, the timer set. Calls between polls put segments, and tell nothing: what
 * they have to tell is told by the timer, at once.
 *
 * A frame that brings data before the caller has asked for it is kept, where the caller is yet to
 * see other events: it may ask when it has. Else it is dropped, and the peer sends it again. */
#include "utcp/utcp.h"

#include "base/clock.h"
#include "base/map.h"
#include "plan/tuple.h"
#include "utcp/device_packet.h"
#include "utcp/device_tun.h"
#include "utcp/iss.h"
#include "utcp/packet.h"
#include "utcp/tcp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define TICK_NS        (10 * NS_PER_MS)
#define EXPIRED        64
#define EVENTS_OF_ONE  3 /* that one frame or timer can tell */
#define MTU            1500
#define HEADERS_IPV4   40
#define HEADERS_IPV6   60
#define CLOSE_STILL_NS (2 * NS_PER_S) /* without progress, then the rest is reset */
#define CLOSE_BATCH    64

static_assert(TCP_MESSAGE_MOST == ENGINE_SEND_MAX && TCP_MESSAGE_MOST == PACKET_DATA_MOST,
              "a send is a message, and fits into a packet");

struct utcp {
	struct engine engine;
	struct device *device;
	const struct tuple_plan *tuples;
	uint32_t first, count;
	engine_message message;
	void *message_context;
	struct engine_packets *packets;
	int wake_fd, sleep_fd;
	uint64_t key[2]; /* of initial sequence numbers */
	uint64_t now_ns;
	struct tcp_conn *conns;
	struct wheel wheel;
	struct tcp_path path;
	uint32_t alive; /* connections that a peer may still have */

	/* frames of the last exchange that are yet to be taken */
	struct device_frame frames[DEVICE_BATCH];
	int frame_next, frame_count;

	/* what poll returns; and what one step told beyond its room, for the next one */
	struct engine_event *events;
	int event_count, event_max;
	struct engine_event left[EVENTS_OF_ONE];
	int left_count;
};

static struct utcp *utcp_of(struct engine *e)
{
	return (struct utcp *)(void *)e;
}

/* --- carrying out a step --------------------------------------------------------------------- */

static uint8_t *make_room(struct utcp *u)
{
	uint8_t *room = device_room(u->device);

	if (room)
		return room;
	(void)device_flush(u->device); /* where it fails, so does the next exchange */
	return device_room(u->device);
}

static void send_segment(struct utcp *u, const struct tuple *tuple, const struct segment *segment)
{
	uint8_t *room = make_room(u);

	if (!room)
		return;
	device_put(u->device, packet_build(room, tuple, segment));
	u->packets->sent++;
}

static void send_emits(struct utcp *u, uint32_t index, const struct tuple *tuple,
                       const uint8_t *message, const struct tcp_out *out)
{
	uint8_t again[TCP_MESSAGE_MOST];

	for (uint8_t i = 0; i < out->emit_count; i++) {
		const struct tcp_emit *e = &out->emits[i];

		if (e->len > 0 && !message) {
			u->message(u->message_context, index, again);
			message = again;
		}
		const struct segment segment = {
			.seq = e->seq,
			.ack = e->ack,
			.window = e->flags & SEGMENT_RST ? 0 : TCP_WINDOW,
			.mss = e->has_mss ? u->path.mss : 0,
			.len = e->len,
			.flags = e->flags,
			.data = e->len > 0 ? message + e->from : NULL,
		};

		send_segment(u, tuple, &segment);
	}
}

static void tell(struct utcp *u, uint32_t index, enum engine_op op, int32_t result, uint32_t len,
                 const void *data)
{
	const struct engine_event event = {
		.tag = engine_tag(op, u->conns[index].life, index),
		.result = result,
		.len = len,
		.data = data,
	};

	if (u->event_count < u->event_max)
		u->events[u->event_count++] = event;
	else
		u->left[u->left_count++] = event;
}

static void tell_events(struct utcp *u, uint32_t index, const struct segment *segment,
                        const struct tcp_out *out)
{
	if (out->events & TCP_CONNECTED)
		tell(u, index, ENGINE_CONNECTED, 0, 0, NULL);
	if (out->events & TCP_FAILED)
		tell(u, index, ENGINE_CONNECTED, out->error, 0, NULL);
	if (out->events & TCP_SENT)
		tell(u, index, ENGINE_SENT, out->sent_len, out->sent_len, NULL);
	if (out->events & TCP_DATA)
		tell(u, index, ENGINE_RECEIVED, out->data_len, 0, segment->data + out->data_at);
	if (out->events & TCP_FIN)
		tell(u, index, ENGINE_RECEIVED, 0, 0, NULL);
	if (out->events & TCP_ERROR)
		tell(u, index, out->was_asked ? ENGINE_RECEIVED : ENGINE_SENT, out->error, 0, NULL);
}

static void set_timer(struct utcp *u, uint32_t index, uint64_t timer_ns)
{
	if (timer_ns == TCP_TIMER_SAME)
		return;
	if (timer_ns == TCP_TIMER_OFF)
		wheel_cancel(&u->wheel, index);
	else
		wheel_arm(&u->wheel, index, timer_ns);
}

/* What a step is about: its connection, and what is at hand so that it need not be computed. */
struct about {
	uint32_t index;
	const struct tuple *tuple;     /* NULL: to be computed                    */
	const struct segment *segment; /* that came                               */
	const uint8_t *message;        /* that is being sent                      */
	bool was_alive;
};

static void carry_out(struct utcp *u, const struct about *about, const struct tcp_out *out)
{
	bool is_alive = tcp_is_alive(&u->conns[about->index]);
	struct tuple tuple;

	if (out->emit_count > 0) {
		if (!about->tuple)
			tuple = tuple_at(u->tuples, (uint64_t)u->first + about->index);
		send_emits(u, about->index, about->tuple ? about->tuple : &tuple, about->message,
		           out);
	}
	if (out->events != 0)
		tell_events(u, about->index, about->segment, out);
	set_timer(u, about->index, out->timer_ns);
	u->alive += (uint32_t)is_alive;
	u->alive -= (uint32_t)about->was_alive;
}

static struct about about_index(const struct utcp *u, uint32_t index)
{
	return (struct about){.index = index, .was_alive = tcp_is_alive(&u->conns[index])};
}

/* --- what comes ------------------------------------------------------------------------------ */

static void count_refused(struct utcp *u, enum packet_kind kind)
{
	switch (kind) {
	case PACKET_FOREIGN:
		u->packets->foreign++;
		break;
	case PACKET_MALFORMED:
		u->packets->malformed++;
		break;
	case PACKET_BAD_CHECKSUM:
		u->packets->bad_checksum++;
		break;
	case PACKET_TCP:
		break;
	}
}

/* Of an earlier run, or of nobody: this host shall not keep it open. */
static void refuse_stray(struct utcp *u, const struct packet *packet)
{
	struct tcp_out out;

	u->packets->stray++;
	tcp_stray(&packet->segment, &out);
	send_emits(u, 0, &packet->tuple, NULL, &out);
}

/* The record of a packet's connection; -1 where it is of none. */
static int64_t find(const struct utcp *u, const struct packet *packet)
{
	int64_t index = tuple_index(u->tuples, &packet->tuple) - (int64_t)u->first;

	return index >= 0 && index < (int64_t)u->count ? index : -1;
}

/* False where it is to be kept for the next poll. */
static bool take_frame(struct utcp *u, const struct device_frame *frame)
{
	struct packet packet;
	struct tcp_out out;
	enum packet_kind kind = packet_parse(frame->bytes, frame->len, frame->is_checked, &packet);
	int64_t index;

	if (kind != PACKET_TCP) {
		count_refused(u, kind);
		return true;
	}
	index = find(u, &packet);
	if (index < 0 || u->conns[index].state == TCP_CLOSED) {
		refuse_stray(u, &packet);
		return true;
	}
	struct about about = about_index(u, (uint32_t)index);

	about.tuple = &packet.tuple;
	about.segment = &packet.segment;
	if (!tcp_input(&u->conns[index], &u->path, &packet.segment, u->now_ns, &out)) {
		if (u->event_count > 0)
			return false;
		u->packets->unasked++;
		return true;
	}
	carry_out(u, &about, &out);
	return true;
}

static bool has_room(const struct utcp *u)
{
	return u->event_count < u->event_max && u->left_count == 0;
}

static void take_frames(struct utcp *u)
{
	while (u->frame_next < u->frame_count && has_room(u)) {
		if (!take_frame(u, &u->frames[u->frame_next]))
			return;
		u->frame_next++;
		u->packets->received++;
	}
}

static void run_timers(struct utcp *u)
{
	uint32_t expired[EXPIRED];
	size_t count;

	do {
		size_t room = has_room(u) ? (size_t)(u->event_max - u->event_count) : 0;

		count = wheel_expire(&u->wheel, u->now_ns, expired,
		                     room < EXPIRED ? room : EXPIRED);
		for (size_t i = 0; i < count; i++) {
			const struct about about = about_index(u, expired[i]);
			struct tcp_out out;

			tcp_timer(&u->conns[expired[i]], &u->path, u->now_ns, &out);
			carry_out(u, &about, &out);
		}
	} while (count == EXPIRED);
}

/* --- poll ------------------------------------------------------------------------------------ */

static void publish_counts(struct utcp *u)
{
	u->packets->retransmitted = u->path.retransmitted;
	u->packets->probes = u->path.probes;
	u->packets->challenged = u->path.challenged;
	u->packets->out_of_order = u->path.out_of_order;
	u->packets->dropped = u->device->dropped;
}

static void return_left(struct utcp *u)
{
	int count = u->left_count < u->event_max ? u->left_count : u->event_max;

	memcpy(u->events, u->left, (size_t)count * sizeof(*u->left));
	u->event_count = count;
	u->left_count -= count;
	memmove(u->left, u->left + count, (size_t)u->left_count * sizeof(*u->left));
}

/* One exchange and what comes of it. How many frames there were, or a negative errno. */
static int turn(struct utcp *u)
{
	int count = 0;

	u->now_ns = clock_now_ns();
	if (u->frame_next == u->frame_count) {
		count = device_exchange(u->device, u->frames, DEVICE_BATCH);
		if (count < 0)
			return count;
		u->frame_next = 0;
		u->frame_count = count;
	}
	take_frames(u);
	run_timers(u);
	return count;
}

static int sleep_until(const struct utcp *u, uint64_t deadline_ns)
{
	uint64_t timer_ns = wheel_next_ns(&u->wheel);
	struct epoll_event events[2];
	int count = epoll_wait(u->sleep_fd, events, 2,
	                       clock_timeout_ms(timer_ns < deadline_ns ? timer_ns : deadline_ns));

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == u->wake_fd)
			return 1;
	}
	return 0;
}

static int utcp_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	struct utcp *u = utcp_of(e);
	int failed = 0;

	u->events = events;
	u->event_max = max;
	u->event_count = 0;
	if (u->left_count > 0) {
		return_left(u);
		return u->event_count;
	}
	while (failed == 0) {
		int count = turn(u);

		publish_counts(u);
		if (count < 0)
			return count;
		if (u->event_count > 0 || clock_now_ns() >= deadline_ns)
			return u->event_count;
		if (count == 0)
			failed = sleep_until(u, deadline_ns);
	}
	return failed < 0 ? failed : 0; /* woken */
}

/* --- what the caller does -------------------------------------------------------------------- */

static int utcp_listen(struct engine *e, int fd)
{
	(void)e;
	(void)fd;
	return -EOPNOTSUPP;
}

static void utcp_accept(struct engine *e, bool on)
{
	(void)e;
	(void)on;
}

/* The plan says from where to where. */
static void utcp_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                         const struct sockaddr *target, socklen_t len)
{
	struct utcp *u = utcp_of(e);
	struct about about = about_index(u, index);
	const struct tuple tuple = tuple_at(u->tuples, (uint64_t)u->first + index);
	uint64_t now_ns = clock_now_ns();
	struct tcp_out out;

	(void)source;
	(void)target;
	(void)len;
	about.tuple = &tuple;
	tcp_connect(&u->conns[index], &u->path, iss_of(u->key, &tuple, now_ns), now_ns, &out);
	carry_out(u, &about, &out);
}

static int utcp_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	struct utcp *u = utcp_of(e);
	struct about about = about_index(u, index);
	struct tcp_out out;

	about.message = data;
	tcp_send(&u->conns[index], &u->path, (uint8_t)len, clock_now_ns(), &out);
	carry_out(u, &about, &out);
	return 0;
}

static void utcp_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct utcp *u = utcp_of(e);
	const struct about about = about_index(u, index);
	struct tcp_out out;

	(void)wait; /* it costs nothing either way */
	tcp_receive(&u->conns[index], clock_now_ns(), &out);
	carry_out(u, &about, &out);
}

static const enum tcp_close closes[] = {
	[ENGINE_CLOSE_FIN] = TCP_CLOSE_FIN,
	[ENGINE_CLOSE_RESET] = TCP_CLOSE_RESET,
	[ENGINE_CLOSE_SILENT] = TCP_CLOSE_SILENT,
};

static void utcp_close(struct engine *e, uint32_t index, enum engine_close how)
{
	struct utcp *u = utcp_of(e);
	const struct about about = about_index(u, index);
	struct tcp_out out;

	tcp_close(&u->conns[index], &u->path, closes[how], clock_now_ns(), &out);
	carry_out(u, &about, &out);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Takes what comes, and tells nobody. */
static int turn_unheard(struct utcp *u)
{
	struct engine_event unheard[EXPIRED];

	u->events = unheard;
	u->event_max = EXPIRED;
	u->event_count = 0;
	u->left_count = 0;
	return turn(u);
}

static int close_each(struct utcp *u, enum engine_close how)
{
	int failed = 0;

	for (uint32_t i = 0, closed = 0; i < u->count && failed >= 0; i++) {
		if (!tcp_is_alive(&u->conns[i]))
			continue;
		utcp_close(&u->engine, i, how);
		if (++closed % CLOSE_BATCH == 0)
			failed = turn_unheard(u);
	}
	return failed < 0 ? failed : device_flush(u->device);
}

/* Until every peer has closed, too, or none has for a while. */
static int await_closed(struct utcp *u)
{
	uint32_t fewest = u->alive;
	uint64_t since_ns = clock_now_ns();
	int count = 0;

	while (u->alive > 0 && count >= 0) {
		count = turn_unheard(u);
		if (u->alive < fewest) {
			fewest = u->alive;
			since_ns = u->now_ns;
		} else if (u->now_ns - since_ns > CLOSE_STILL_NS) {
			break;
		}
		if (count == 0)
			count = sleep_until(u, since_ns + CLOSE_STILL_NS);
	}
	return count;
}

static void utcp_close_all(struct engine *e, enum engine_close how)
{
	struct utcp *u = utcp_of(e);
	int failed = close_each(u, how);

	if (how == ENGINE_CLOSE_FIN && failed >= 0)
		failed = await_closed(u);
	if (u->alive > 0 && failed >= 0)
		(void)close_each(u, ENGINE_CLOSE_RESET);
	publish_counts(u);
}

static void utcp_shut(struct engine *e)
{
	struct utcp *u = utcp_of(e);

	if (u->device)
		device_close(u->device);
	if (u->sleep_fd >= 0)
		close(u->sleep_fd);
	if (u->conns)
		map_drop(u->conns, u->count * sizeof(*u->conns));
	map_drop(u, sizeof(*u));
}

static const struct engine_ops ops = {
	.name = "utcp",
	.listen = utcp_listen,
	.accept = utcp_accept,
	.connect = utcp_connect,
	.send = utcp_send,
	.receive = utcp_receive,
	.close = utcp_close,
	.poll = utcp_poll,
	.close_all = utcp_close_all,
	.shut = utcp_shut,
};

/* --- opening --------------------------------------------------------------------------------- */

static int add_to_sleep(const struct utcp *u, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.fd = fd}};

	return epoll_ctl(u->sleep_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_device(struct utcp *u, enum engine_kind kind, struct err *err)
{
	uint64_t each = tuple_per_source(u->tuples);
	uint64_t first = u->first / each, end = ((uint64_t)u->first + u->count + each - 1) / each;
	const struct device_config config = {
		.tuples = u->tuples,
		.first_source = (uint32_t)first,
		.source_count = (uint32_t)(end - first),
	};

	return kind == ENGINE_TUN ? device_tun_open(&config, &u->device, err)
	                          : device_packet_open(&config, &u->device, err);
}

/* The wake-up is watched for edges: all who share it are woken by a write, and nobody reads it. */
static int open_sleep(struct utcp *u)
{
	int failed;

	u->sleep_fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->sleep_fd < 0)
		return -errno;
	failed = add_to_sleep(u, u->device->fd, EPOLLIN);
	return failed == 0 ? add_to_sleep(u, u->wake_fd, EPOLLIN | EPOLLET) : failed;
}

static struct utcp *make(const struct engine_config *config)
{
	struct utcp *u = map_private(sizeof(*u));

	if (!u)
		return NULL;
	u->engine = (struct engine){.ops = &ops, .index_end = config->connections};
	u->tuples = config->tuples;
	u->first = config->first;
	u->count = config->connections;
	u->message = config->message;
	u->message_context = config->message_context;
	u->packets = config->packets;
	u->wake_fd = config->wake_fd;
	u->sleep_fd = -1;
	if (getrandom(u->key, sizeof(u->key), 0) < 0)
		u->key[0] = clock_now_ns();
	u->conns = map_private(u->count * sizeof(*u->conns));
	wheel_init(&u->wheel, &u->conns->timer, sizeof(*u->conns), u->count, TICK_NS,
	           clock_now_ns());
	tcp_path_init(&u->path, config->tuples->target.family == AF_INET6 ? MTU - HEADERS_IPV6
	                                                                  : MTU - HEADERS_IPV4);
	return u;
}

int utcp_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
              struct err *err)
{
	struct utcp *u = make(config);
	int failed;

	assert(engine_is_utcp(kind) && config->tuples->by_source);
	if (!u || !u->conns)
		return err_set(err, -ENOMEM, "no memory for the clients' table");
	failed = open_device(u, kind, err);
	if (failed == 0) {
		failed = open_sleep(u);
		if (failed != 0)
			err_set(err, failed, "cannot watch the device: %s", strerror(-failed));
	}
	if (failed != 0) {
		utcp_shut(&u->engine);
		return failed;
	}
	*out = &u->engine;
	return 0;
}
