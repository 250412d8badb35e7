/* input: the checks of RFC 9293 section 3.10.7 in their order, with the stricter ones of RFC 5961
 * for RST, SYN and ACK. See utcp/tcp.c for the theory. */
#include "utcp/input.h"

#include <errno.h>

#define MSS_LEAST    48
#define MSS_DEFAULT  536 /* RFC 9293 section 3.7.1 */
#define BYTE_MOST    255
#define WINDOW_MOST  65535 /* MAX.SND.WND of RFC 5961 section 5.2 */
#define PROBED_TRIES 6     /* back to so many by an answer to a probe */

/* --- what comes: a connection being opened (RFC 9293 section 3.10.7.3) ----------------------- */

static void take_window(struct tcp_conn *c, const struct segment *segment)
{
	c->snd_wnd = step_at_most(segment->window, BYTE_MOST);
}

static void take_mss(struct tcp_conn *c, const struct segment *segment)
{
	uint32_t mss = segment->mss > 0 ? segment->mss : MSS_DEFAULT;

	c->mss = step_at_most(mss > MSS_LEAST ? mss : MSS_LEAST, BYTE_MOST);
}

static void establish(struct step *s, const struct segment *segment)
{
	struct tcp_conn *c = s->c;

	step_sample(s, segment->ack);
	c->snd_una++;
	c->state = TCP_ESTABLISHED;
	c->tries = 0;
	take_window(c, segment);
	s->out->events |= TCP_CONNECTED;
	s->out->timer_ns = TCP_TIMER_OFF;
}

/* An earlier connection that the peer still has, perhaps in TIME_WAIT, perhaps of an earlier run.
 * The RST ends it there; so the SYN goes out again at once, but once only, as Linux does it
 * (tcp_rcv_synsent_state_process). */
static void refuse_ack(struct step *s, const struct segment *segment)
{
	step_emit_stray_reset(s, segment);
	if (s->c->tries == 0 && !(segment->flags & SEGMENT_RST))
		s->out->timer_ns = s->now_ns + TCP_GRAIN_NS;
}

void input_syn_sent(struct step *s, const struct segment *segment)
{
	struct tcp_conn *c = s->c;
	bool has_ack = (segment->flags & SEGMENT_ACK) != 0;

	if (has_ack && segment->ack != tcp_snd_nxt(c)) {
		refuse_ack(s, segment);
		return;
	}
	if (segment->flags & SEGMENT_RST) {
		if (has_ack)
			step_fail(s, TCP_FLAG_RESET, -ECONNRESET);
		return;
	}
	if (!(segment->flags & SEGMENT_SYN))
		return;
	c->rcv_nxt = segment->seq + 1;
	take_mss(c, segment);
	if (has_ack) {
		establish(s, segment);
		step_emit_ack(s);
		return;
	}
	c->state = TCP_SYN_RECEIVED;
	c->tries = 0;
	step_forget_time(s);
	step_emit_syn(s);
	step_arm_retransmission(s);
}

/* --- what comes: the eight checks (RFC 9293 section 3.10.7.4) -------------------------------- */

/* First: sequence number. */
static bool is_in_window(const struct tcp_conn *c, uint32_t seq)
{
	return seq - c->rcv_nxt < TCP_WINDOW;
}

static bool is_acceptable(const struct tcp_conn *c, const struct segment *segment)
{
	uint32_t len = segment_len(segment);

	return is_in_window(c, segment->seq) ||
	       (len > 0 && is_in_window(c, segment->seq + len - 1));
}

/* The peer's SYN-ACK of a simultaneous open: its SYN is an old one, and its ACK is what we wait for
 * (RFC 9293 figure 7). */
static bool is_crossed_syn_ack(const struct tcp_conn *c, const struct segment *segment)
{
	const uint8_t both = SEGMENT_SYN | SEGMENT_ACK;

	return c->state == TCP_SYN_RECEIVED && (segment->flags & (both | SEGMENT_RST)) == both &&
	       segment->seq + 1 == c->rcv_nxt && segment->ack == tcp_snd_nxt(c);
}

/* Answered with where we are, so that the peer sees it. An empty segment that is no keep-alive
 * probe may itself be such an answer, to one of ours: those are limited, or two ends that have
 * nothing of each other would never stop (Linux limits its own, tcp_invalid_ratelimit). */
static void refuse_sequence(struct step *s, const struct segment *segment)
{
	bool may_be_answer = segment_len(segment) == 0 && segment->seq + 1 != s->c->rcv_nxt;

	if (segment->flags & SEGMENT_RST) {
		s->path->resets_ignored++;
		return;
	}
	if (s->c->state == TCP_TIME_WAIT && (segment->flags & SEGMENT_FIN))
		s->out->timer_ns = s->now_ns + 2 * TCP_MSL_NS;
	if (may_be_answer)
		step_emit_challenge(s);
	else
		step_emit_ack(s);
}

/* Second: RST, exactly where it is expected, or else asked back (RFC 5961 section 3.2). */
static void take_reset(struct step *s, const struct segment *segment)
{
	if (segment->seq == s->c->rcv_nxt) {
		step_fail(s, TCP_FLAG_RESET, -ECONNRESET);
		return;
	}
	s->path->resets_ignored++;
	step_emit_challenge(s);
}

/* Fifth: ACK. Whether the segment is to be looked at any further. */
static bool is_ack_usable(struct step *s, const struct segment *segment)
{
	const struct tcp_conn *c = s->c;
	uint32_t nxt = tcp_snd_nxt(c);

	if (c->state == TCP_SYN_RECEIVED) {
		if (segment->ack == nxt)
			return true;
		step_emit_stray_reset(s, segment);
		return false;
	}
	if (nxt - segment->ack <= nxt - c->snd_una + WINDOW_MOST)
		return true;
	step_emit_challenge(s);
	return false;
}

static void enter_after_fin(struct step *s)
{
	switch ((enum tcp_state)s->c->state) {
	case TCP_FIN_WAIT_1:
		step_linger(s, TCP_FIN_WAIT_2, STEP_FIN_WAIT_NS);
		break;
	case TCP_CLOSING:
		step_linger(s, TCP_TIME_WAIT, 2 * TCP_MSL_NS);
		break;
	case TCP_LAST_ACK:
		step_end(s);
		break;
	default:
		break;
	}
}

/* Moves SND.UNA to `ack`, which is beyond it. */
static void advance(struct step *s, uint32_t ack)
{
	struct tcp_conn *c = s->c;
	uint32_t count = ack - c->snd_una;
	uint8_t data = step_at_most(count, c->sent);
	bool is_fin = count > data;

	step_sample(s, ack);
	c->snd_una = ack;
	c->acked = (uint8_t)(c->acked + data);
	c->sent = (uint8_t)(c->sent - data);
	c->tries = 0;
	if (c->len > 0 && c->acked == c->len) {
		s->out->sent_len = c->len;
		s->out->events |= c->flags & TCP_FLAG_HELD ? TCP_SENT : 0;
		c->len = c->acked = 0;
	}
	if (is_fin) {
		c->flags &= (uint8_t)~TCP_FLAG_FIN_OUT;
		enter_after_fin(s);
	} else if (step_is_unsettled(c)) {
		step_arm_retransmission(s);
	} else if (c->state != TCP_TIME_WAIT && c->state != TCP_FIN_WAIT_2) {
		s->out->timer_ns = TCP_TIMER_OFF;
	}
}

static void take_ack(struct step *s, const struct segment *segment)
{
	struct tcp_conn *c = s->c;
	bool was_shut = c->snd_wnd == 0;

	if (c->state == TCP_SYN_RECEIVED)
		establish(s, segment);
	if (segment_before(segment->ack, c->snd_una))
		return; /* an old one */
	take_window(c, segment);
	if (segment->ack != c->snd_una) {
		advance(s, segment->ack);
	} else if (c->snd_wnd == 0 && c->tries > PROBED_TRIES) {
		c->tries = PROBED_TRIES;
	} else if (was_shut && c->snd_wnd > 0 && c->len > c->acked) {
		s->has_opened = true;
		c->tries = 0;
	}
}

/* Seventh: data. What of it is new is handed on. */
static void take_data(struct step *s, const struct segment *segment)
{
	struct tcp_conn *c = s->c;
	uint32_t old = c->rcv_nxt - segment->seq;

	if (!(c->flags & TCP_FLAG_HELD)) { /* nobody reads it any more */
		step_emit_reset(s);
		step_end(s);
		return;
	}
	s->out->events |= TCP_DATA;
	s->out->data_at = (uint16_t)old;
	s->out->data_len = (uint16_t)(segment->len - old);
	c->rcv_nxt = segment->seq + segment->len;
	c->flags &= (uint8_t)~TCP_FLAG_ASKED;
	s->needs_ack = true;
}

/* Eighth: FIN. */
static void take_fin(struct step *s)
{
	struct tcp_conn *c = s->c;

	c->rcv_nxt++;
	s->needs_ack = true;
	switch ((enum tcp_state)c->state) {
	case TCP_ESTABLISHED:
		c->state = TCP_CLOSE_WAIT;
		if (c->flags & TCP_FLAG_ASKED) {
			c->flags &= (uint8_t)~TCP_FLAG_ASKED;
			s->out->events |= TCP_FIN;
		} else {
			c->flags |= TCP_FLAG_FIN;
		}
		break;
	case TCP_FIN_WAIT_1:
		c->state = TCP_CLOSING;
		break;
	case TCP_FIN_WAIT_2:
		step_linger(s, TCP_TIME_WAIT, 2 * TCP_MSL_NS);
		break;
	default:
		break;
	}
}

/* Whether the peer may send in this state: it has not sent its FIN. */
static bool is_receiving(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 ||
	       c->state == TCP_FIN_WAIT_2;
}

static void take_text(struct step *s, const struct segment *segment)
{
	struct tcp_conn *c = s->c;
	bool has_fin_bit = (segment->flags & SEGMENT_FIN) != 0;

	if (!is_receiving(c) || (segment->len == 0 && !has_fin_bit))
		return;
	if (segment_before(c->rcv_nxt, segment->seq)) { /* behind a gap */
		s->path->out_of_order++;
		s->needs_ack = true;
		return;
	}
	if (segment_before(c->rcv_nxt, segment->seq + segment->len))
		take_data(s, segment);
	if (has_fin_bit && c->state != TCP_CLOSED && c->rcv_nxt == segment->seq + segment->len)
		take_fin(s);
}

void input_synchronized(struct step *s, const struct segment *segment)
{
	bool is_crossed = is_crossed_syn_ack(s->c, segment);

	if (!is_crossed && !is_acceptable(s->c, segment)) {
		refuse_sequence(s, segment);
		return;
	}
	if (segment->flags & SEGMENT_RST) {
		take_reset(s, segment);
		return;
	}
	if ((segment->flags & SEGMENT_SYN) && !is_crossed) { /* RFC 5961 section 4.2 */
		step_emit_challenge(s);
		return;
	}
	if (!(segment->flags & SEGMENT_ACK) || !is_ack_usable(s, segment))
		return;
	take_ack(s, segment);
	if (s->c->state != TCP_CLOSED && !is_crossed)
		take_text(s, segment);
	if (s->c->state != TCP_CLOSED) /* last: it acknowledges what came */
		step_push(s);
	if (s->needs_ack || is_crossed)
		step_emit_ack(s);
}
