/* utcp_poll: frame -> packet -> tcp, until there is something to tell. */
#include "utcp/utcp_poll.h"

#include "base/clock.h"
#include "utcp/packet.h"
#include "utcp/unreachable.h"
#include "utcp/utcp_carry.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define EXPIRED    64
#define BUSY_TURNS 64 /* as many batches as a device's queue has */

/* The record of a 4-tuple; -1 where it is of none. */
static int64_t find(const struct utcp *u, const struct tuple *tuple)
{
	int64_t index = tuple_index(u->tuples, tuple) - (int64_t)u->first;

	return index >= 0 && index < (int64_t)u->count ? index : -1;
}

static void take_unreachable(struct utcp *u, const struct unreachable *error)
{
	int64_t index = find(u, &error->tuple);
	struct tcp_out out;

	if (index < 0)
		return;
	const struct about about = utcp_about(u, (uint32_t)index);

	tcp_unreachable(&u->conns[index], &u->path, error->seq, error->error, u->now_ns, &out);
	utcp_carry(u, &about, &out);
}

/* What is no segment: an error about one of ours, or somebody else's affair. */
static void take_other(struct utcp *u, const struct device_frame *frame, enum packet_kind kind)
{
	struct unreachable error;

	switch (kind) {
	case PACKET_FOREIGN:
		if (unreachable_parse(frame->bytes, frame->len, &error))
			take_unreachable(u, &error);
		else
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
	utcp_carry_stray(u, &packet->tuple, &out);
}

/* False where it is to be kept for the next poll. */
static bool take_frame(struct utcp *u, const struct device_frame *frame)
{
	struct packet packet;
	struct tcp_out out;
	enum packet_kind kind = packet_parse(frame->bytes, frame->len, frame->is_checked, &packet);
	int64_t index;

	if (kind != PACKET_TCP) {
		take_other(u, frame, kind);
		return true;
	}
	index = find(u, &packet.tuple);
	if (index < 0 || u->conns[index].state == TCP_CLOSED) {
		refuse_stray(u, &packet);
		return true;
	}
	struct about about = utcp_about(u, (uint32_t)index);

	about.tuple = &packet.tuple;
	about.segment = &packet.segment;
	if (!tcp_input(&u->conns[index], &u->path, &packet.segment, u->now_ns, &out)) {
		if (u->event_count > 0)
			return false;
		u->packets->unasked++;
		return true;
	}
	utcp_carry(u, &about, &out);
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
			const struct about about = utcp_about(u, expired[i]);
			struct tcp_out out;

			tcp_timer(&u->conns[expired[i]], &u->path, u->now_ns, &out);
			utcp_carry(u, &about, &out);
		}
	} while (count == EXPIRED);
}

void utcp_publish_counts(struct utcp *u)
{
	u->packets->retransmitted = u->path.retransmitted;
	u->packets->probes = u->path.probes;
	u->packets->challenged = u->path.challenged;
	u->packets->out_of_order = u->path.out_of_order;
	u->packets->dropped = u->device->dropped;
	u->packets->conflicts = u->device->conflicts;
}

/* Whether the caller has closed it since. */
static bool is_stale(const struct utcp *u, const struct engine_event *event)
{
	const struct tcp_conn *c = &u->conns[engine_tag_index(event->tag)];

	return !(c->flags & TCP_FLAG_HELD) || c->life != engine_tag_generation(event->tag);
}

static void return_left(struct utcp *u)
{
	int next = 0;

	for (; next < u->left_count && u->event_count < u->event_max; next++) {
		if (!is_stale(u, &u->left[next]))
			u->events[u->event_count++] = u->left[next];
	}
	u->left_count -= next;
	memmove(u->left, u->left + next, (size_t)u->left_count * sizeof(*u->left));
}

/* Whether timers may run: what they wait for is not among what has come and was not read yet, as it
 * may be where this process has not run for a while. */
static bool has_caught_up(struct utcp *u, bool is_drained)
{
	if (!is_drained && ++u->busy_turns < BUSY_TURNS)
		return false;
	u->busy_turns = 0;
	return true;
}

/* One exchange and what comes of it. How many frames there were, or a negative errno. */
int utcp_turn(struct utcp *u)
{
	bool is_drained = false;
	int count = 0;

	u->now_ns = clock_now_ns();
	if (u->frame_next == u->frame_count) {
		count = device_exchange(u->device, u->frames, DEVICE_BATCH);
		if (count < 0)
			return count;
		u->frame_next = 0;
		u->frame_count = count;
		is_drained = count == 0;
	}
	take_frames(u);
	if (has_caught_up(u, is_drained))
		run_timers(u);
	return count;
}

/* The device is watched only while we sleep: a watcher that is there all the time is called by the
 * kernel for each packet. */
int utcp_sleep_until(const struct utcp *u, uint64_t deadline_ns)
{
	uint64_t timer_ns = wheel_next_ns(&u->wheel);
	struct pollfd fds[2] = {{.fd = u->device->fd, .events = POLLIN},
	                        {.fd = u->bell_fd, .events = POLLIN}};
	struct epoll_event rung;
	struct timespec left;
	int result = device_flush(u->device); /* what timers have put */

	if (result < 0)
		return result;
	if (u->device->wake_ns < timer_ns)
		timer_ns = u->device->wake_ns;
	result = ppoll(fds, 2,
	               clock_timeout(timer_ns < deadline_ns ? timer_ns : deadline_ns, &left), NULL);
	if (result < 0)
		return errno == EINTR ? 0 : -errno;
	return fds[1].revents != 0 && epoll_wait(u->bell_fd, &rung, 1, 0) > 0;
}

int utcp_poll(struct utcp *u, struct engine_event *events, int max, uint64_t deadline_ns)
{
	int failed = 0;

	u->events = events;
	u->event_max = max;
	u->event_count = 0;
	return_left(u);
	if (u->event_count > 0)
		return u->event_count;
	while (failed == 0) {
		int count = utcp_turn(u);

		utcp_publish_counts(u);
		if (count < 0)
			return count;
		if (u->event_count > 0 || clock_now_ns() >= deadline_ns)
			return u->event_count;
		if (count == 0)
			failed = utcp_sleep_until(u, deadline_ns);
	}
	return failed < 0 ? failed : 0; /* woken */
}
