/* utcp_carry: what a segment needs beside what the state machine says is computed here: the
 * 4-tuple, and the bytes of the message. */
#include "utcp/utcp_carry.h"

#include "utcp/packet.h"

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
		.tag = engine_tag((uint8_t)op, u->conns[index].life, index),
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

void utcp_carry(struct utcp *u, const struct about *about, const struct tcp_out *out)
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

struct about utcp_about(const struct utcp *u, uint32_t index)
{
	return (struct about){.index = index, .was_alive = tcp_is_alive(&u->conns[index])};
}

void utcp_carry_stray(struct utcp *u, const struct tuple *tuple, const struct tcp_out *out)
{
	send_emits(u, 0, tuple, NULL, out);
}
