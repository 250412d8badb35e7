/* tcp: see the header for what each function does.
 *
 * Theory of operation
 *
 * A connection has at most one message under way, of at most 128 bytes, and it keeps none of them:
 * `len` is how long the message is, the first `acked` bytes of it are acknowledged, the next `sent`
 * are in flight, the rest waits for the window. So SND.NXT is SND.UNA + sent, and one for a SYN or
 * FIN in flight. What is sent again is named by its place in the message; who calls computes it.
 *
 * Each function is a step: it changes the record, and fills `out` with what to send and to tell and
 * with the next deadline. Every connection has one timer, whose meaning is given by its state: what
 * is told late (at once), TIME_WAIT, the wait for the peer's FIN, or else retransmission. A zero
 * window is probed by the same timer: what it sends again is then one byte at least (RFC 9293
 * section 3.8.6.1), and each answer to it takes back so many tries that it is never given up.
 *
 * A step that receives follows RFC 9293 section 3.10.7.4 check by check, with the stricter ones of
 * RFC 5961 for RST, SYN and ACK.
 *
 * Nothing received is kept. Data is handed on while the packet is there, and only where the caller
 * has asked for it; a segment that came too early is left to the caller to give again, or to the
 * peer to send again. Data behind a gap is dropped, and asked for by the duplicate ACK. A FIN, RST
 * or time-out that nobody has asked for is kept as a flag.
 *
 * Where this differs from a full TCP, on purpose:
 *
 *   - no congestion control beyond the back-off: a message fits into the initial window (RFC 6928)
 *   - no timestamps, window scaling or SACK: none is offered, so a peer uses none (RFC 7323, 2018)
 *   - no fast retransmit: there is nothing in flight behind a message that could tell of its loss
 *   - no delayed ACK, no Nagle: a message is sent whole, and what comes is acknowledged at once
 *   - no urgent pointer, no ECN, no Fast Open: data and FIN on a SYN are ignored, and sent again
 *   - the window is updated by every acceptable ACK, since there are no WL1 and WL2: those tell old
 *     from new where data flows both ways in bulk
 *   - an MSS below 48 is taken for 48, as Linux does
 *   - no PAWS: a connection sends far less than 2^31 bytes in the life of a segment
 *   - the least RTO is 200 ms, a SYN's first always 1 s
 *   - a half-closed peer that never closes is reset after 60 s, as it is where it sends to a
 *     connection that nobody reads any more (RFC 9293 section 3.6.1, RFC 1122 section 4.2.2.13) */
#include "utcp/tcp.h"

#include "utcp/input.h"
#include "utcp/step.h"

#include <errno.h>

/* --- what the caller does -------------------------------------------------------------------- */

void tcp_connect(struct tcp_conn *c, struct tcp_path *path, uint32_t iss, uint64_t now_ns,
                 struct tcp_out *out)
{
	struct step s = step_begin(c, path, now_ns, out);
	bool has_lived = (c->flags & TCP_FLAG_LIVED) != 0;

	assert(!(c->flags & TCP_FLAG_HELD));
	if (tcp_is_alive(c))
		step_emit_reset(&s);
	step_end(&s);
	if (has_lived && segment_not_after(iss, c->snd_una))
		iss = c->snd_una + TCP_WINDOW + 2;
	c->snd_una = iss;
	c->rcv_nxt = 0;
	c->state = TCP_SYN_SENT;
	c->flags = TCP_FLAG_HELD | TCP_FLAG_LIVED;
	c->snd_wnd = 0;
	c->mss = 0;
	c->life++;
	step_emit_syn(&s);
	step_time(&s);
	step_arm_retransmission(&s);
}

/* What is owed is told before the timer is needed for anything else. */
static void tell_first(const struct step *s)
{
	if (s->out->timer_ns != TCP_TIMER_SAME && step_owes(s->c))
		s->out->timer_ns = s->now_ns;
}

void tcp_send(struct tcp_conn *c, struct tcp_path *path, uint8_t len, uint64_t now_ns,
              struct tcp_out *out)
{
	struct step s = step_begin(c, path, now_ns, out);

	assert(len > 0 && len <= TCP_MESSAGE_MOST && c->len == 0);
	c->len = len;
	if (c->state == TCP_CLOSED) {
		out->timer_ns = now_ns; /* which tells that it is */
		return;
	}
	step_push(&s);
	if (c->sent == 0)
		step_arm_retransmission(&s);
	tell_first(&s);
}

void tcp_receive(struct tcp_conn *c, uint64_t now_ns, struct tcp_out *out)
{
	(void)step_begin(c, NULL, now_ns, out);
	c->flags |= TCP_FLAG_ASKED;
	if (step_owes(c))
		out->timer_ns = now_ns;
}

static void close_in_order(struct step *s)
{
	struct tcp_conn *c = s->c;

	if (c->state != TCP_ESTABLISHED && c->state != TCP_CLOSE_WAIT) {
		if (c->state == TCP_SYN_RECEIVED)
			step_emit_reset(s);
		step_end(s);
		return;
	}
	c->state = c->state == TCP_ESTABLISHED ? TCP_FIN_WAIT_1 : TCP_LAST_ACK;
	step_push(s);
}

void tcp_close(struct tcp_conn *c, struct tcp_path *path, enum tcp_close how, uint64_t now_ns,
               struct tcp_out *out)
{
	struct step s = step_begin(c, path, now_ns, out);
	bool was_owed = step_owes(c);

	c->flags &= TCP_FLAG_LIVED | TCP_FLAG_FIN_OUT;
	if (how == TCP_CLOSE_FIN) {
		close_in_order(&s);
		if (was_owed && out->timer_ns == TCP_TIMER_SAME)
			step_arm_retransmission(&s); /* the timer was to tell */
		return;
	}
	/* A SYN-ACK that still comes is a stray, and is answered with RST. */
	if (how == TCP_CLOSE_RESET && tcp_is_alive(c) && c->state != TCP_SYN_SENT)
		step_emit_reset(&s);
	step_end(&s);
}

/* --- what comes ------------------------------------------------------------------------------ */

/* Whether it brings data in order to a caller who has not asked for any. */
static bool is_unasked(const struct tcp_conn *c, const struct segment *segment)
{
	return segment->len > 0 && (c->flags & TCP_FLAG_HELD) && !(c->flags & TCP_FLAG_ASKED) &&
	       (segment->flags & (SEGMENT_RST | SEGMENT_SYN | SEGMENT_ACK)) == SEGMENT_ACK &&
	       (c->state == TCP_ESTABLISHED || c->state == TCP_SYN_RECEIVED) &&
	       segment_not_after(segment->seq, c->rcv_nxt) &&
	       segment_before(c->rcv_nxt, segment->seq + segment->len);
}

bool tcp_input(struct tcp_conn *c, struct tcp_path *path, const struct segment *segment,
               uint64_t now_ns, struct tcp_out *out)
{
	struct step s = step_begin(c, path, now_ns, out);

	if (is_unasked(c, segment))
		return false;
	switch ((enum tcp_state)c->state) {
	case TCP_CLOSED:
		step_emit_stray_reset(&s, segment);
		break;
	case TCP_SYN_SENT:
		input_syn_sent(&s, segment);
		break;
	default:
		input_synchronized(&s, segment);
		break;
	}
	tell_first(&s);
	return true;
}

void tcp_unreachable(struct tcp_conn *c, struct tcp_path *path, uint32_t seq, int error,
                     uint64_t now_ns, struct tcp_out *out)
{
	struct step s = step_begin(c, path, now_ns, out);

	if (c->state == TCP_SYN_SENT && seq == c->snd_una)
		step_fail(&s, TCP_FLAG_RESET, error);
}

void tcp_stray(const struct segment *segment, struct tcp_out *out)
{
	struct step s = step_begin(NULL, NULL, 0, out);

	step_emit_stray_reset(&s, segment);
}

/* --- the timer ------------------------------------------------------------------------------- */

/* It ended before the caller asked, or sent. */
static void tell_end(struct step *s)
{
	struct tcp_conn *c = s->c;
	bool is_reset = (c->flags & TCP_FLAG_RESET) != 0;
	bool is_timeout = (c->flags & TCP_FLAG_TIMEOUT) != 0;
	bool is_asked = (c->flags & TCP_FLAG_ASKED) && (is_reset || is_timeout);

	s->out->timer_ns = TCP_TIMER_OFF;
	if (!is_asked && c->len == 0)
		return;
	step_tell_error(s, is_asked, is_reset ? -ECONNRESET : is_timeout ? -ETIMEDOUT : -EPIPE);
	c->flags &= (uint8_t) ~(TCP_FLAG_RESET | TCP_FLAG_TIMEOUT);
	c->len = 0;
}

static void tell_fin(struct step *s)
{
	s->c->flags &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_ASKED);
	s->out->events |= TCP_FIN;
	if (step_is_unsettled(s->c))
		step_arm_retransmission(s);
	else
		s->out->timer_ns = TCP_TIMER_OFF;
}

static void retransmit_syn(struct step *s)
{
	if (s->c->tries == TCP_SYN_TRIES) {
		step_fail(s, TCP_FLAG_TIMEOUT, -ETIMEDOUT);
		return;
	}
	s->c->tries++;
	s->path->retransmitted++;
	step_forget_time(s);
	step_emit_syn(s);
	step_arm_retransmission(s);
}

/* What is in flight, from its first byte on, or one byte into a shut window. */
static void retransmit_data(struct step *s)
{
	struct tcp_conn *c = s->c;
	uint8_t rest = (uint8_t)(c->len - c->acked);

	if (c->tries == TCP_TRIES_MOST) {
		step_emit_reset(s);
		step_fail(s, TCP_FLAG_TIMEOUT, -ETIMEDOUT);
		return;
	}
	c->tries++;
	if (c->snd_wnd == 0 && rest > 0)
		s->path->probes++;
	else
		s->path->retransmitted++;
	if (rest > 0 && c->sent == 0)
		c->sent = 1;
	step_forget_time(s);
	step_emit_data(s, c->acked, step_at_most(c->sent, c->mss));
	step_arm_retransmission(s);
}

void tcp_timer(struct tcp_conn *c, struct tcp_path *path, uint64_t now_ns, struct tcp_out *out)
{
	struct step s = step_begin(c, path, now_ns, out);
	const uint8_t told = TCP_FLAG_FIN | TCP_FLAG_ASKED;

	if ((c->flags & told) == told) {
		tell_fin(&s);
		return;
	}
	switch ((enum tcp_state)c->state) {
	case TCP_CLOSED:
		tell_end(&s);
		break;
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
		retransmit_syn(&s);
		break;
	case TCP_FIN_WAIT_2:
		step_emit_reset(&s);
		step_end(&s);
		break;
	case TCP_TIME_WAIT:
		step_end(&s);
		break;
	default:
		if (step_is_unsettled(c))
			retransmit_data(&s);
		else
			out->timer_ns = TCP_TIMER_OFF;
		break;
	}
}
