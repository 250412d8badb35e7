/* step: segments, the clock and the end of a connection. See utcp/tcp.c for the theory. */
#include "utcp/step.h"

#include <errno.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

struct step step_begin(struct tcp_conn *c, struct tcp_path *path, uint64_t now_ns,
                       struct tcp_out *out)
{
	memset(out, 0, sizeof(*out));
	out->timer_ns = TCP_TIMER_SAME;
	return (struct step){.c = c, .path = path, .now_ns = now_ns, .out = out};
}

/* --- sequence numbers ------------------------------------------------------------------------ */

uint32_t tcp_snd_nxt(const struct tcp_conn *c)
{
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		return c->snd_una + 1;
	return c->snd_una + c->sent + ((c->flags & TCP_FLAG_FIN_OUT) != 0);
}

bool tcp_is_alive(const struct tcp_conn *c)
{
	return c->state != TCP_CLOSED && c->state != TCP_TIME_WAIT;
}

/* Whether the FIN of this state has been sent or is to be, and is not acknowledged. */
bool step_has_fin(const struct tcp_conn *c)
{
	return c->state == TCP_FIN_WAIT_1 || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

bool step_owes(const struct tcp_conn *c)
{
	const uint8_t known = TCP_FLAG_FIN | TCP_FLAG_RESET | TCP_FLAG_TIMEOUT;

	return (c->flags & TCP_FLAG_ASKED) && (c->flags & known);
}

static uint8_t unsent(const struct tcp_conn *c)
{
	return (uint8_t)(c->len - c->acked - c->sent);
}

/* Something of ours waits to be acknowledged, or to be sent. */
bool step_is_unsettled(const struct tcp_conn *c)
{
	return c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED || step_has_fin(c) ||
	       (c->state != TCP_CLOSED && c->len > c->acked);
}

/* --- the clock of a path (RFC 6298) ---------------------------------------------------------- */

void tcp_path_init(struct tcp_path *path, uint16_t mss)
{
	memset(path, 0, sizeof(*path));
	path->rto_ns = TCP_RTO_FIRST_NS;
	path->mss = mss;
}

/* Starts to time what has just been sent, where nothing else is being timed. */
void step_time(const struct step *s)
{
	if (s->path->timed)
		return;
	s->path->timed = s->c;
	s->path->timed_end = tcp_snd_nxt(s->c);
	s->path->timed_ns = s->now_ns;
}

/* Karn's algorithm: what was sent twice tells nothing. */
void step_forget_time(const struct step *s)
{
	if (s->path->timed == s->c)
		s->path->timed = NULL;
}

static void take_sample(struct tcp_path *path, uint64_t r_ns)
{
	uint64_t margin_ns;

	if (path->srtt_ns == 0) {
		path->srtt_ns = r_ns;
		path->rttvar_ns = r_ns / 2;
	} else {
		uint64_t off = r_ns > path->srtt_ns ? r_ns - path->srtt_ns : path->srtt_ns - r_ns;

		path->rttvar_ns = path->rttvar_ns / 4 * 3 + off / 4;
		path->srtt_ns = path->srtt_ns / 8 * 7 + r_ns / 8;
	}
	margin_ns = 4 * path->rttvar_ns;
	path->rto_ns = path->srtt_ns + (margin_ns > TCP_GRAIN_NS ? margin_ns : TCP_GRAIN_NS);
	if (path->rto_ns < TCP_RTO_LEAST_NS)
		path->rto_ns = TCP_RTO_LEAST_NS;
	if (path->rto_ns > TCP_RTO_MOST_NS)
		path->rto_ns = TCP_RTO_MOST_NS;
}

void step_sample(const struct step *s, uint32_t ack)
{
	struct tcp_path *path = s->path;

	if (path->timed != s->c || segment_before(ack, path->timed_end))
		return;
	path->timed = NULL;
	take_sample(path, s->now_ns > path->timed_ns ? s->now_ns - path->timed_ns : 1);
}

void step_arm_retransmission(const struct step *s)
{
	const struct tcp_conn *c = s->c;
	bool is_syn = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED;
	uint64_t rto_ns = (is_syn ? TCP_RTO_FIRST_NS : s->path->rto_ns) << c->tries;

	s->out->timer_ns = s->now_ns + (rto_ns < TCP_RTO_MOST_NS ? rto_ns : TCP_RTO_MOST_NS);
}

/* --- what is sent ---------------------------------------------------------------------------- */

static struct tcp_emit *emit(const struct step *s, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tcp_emit *e = &s->out->emits[s->out->emit_count++];

	assert(s->out->emit_count <= TCP_EMITS_MOST);
	*e = (struct tcp_emit){.seq = seq, .ack = ack, .flags = flags};
	return e;
}

void step_emit_ack(const struct step *s)
{
	emit(s, SEGMENT_ACK, tcp_snd_nxt(s->c), s->c->rcv_nxt);
}

void step_emit_syn(const struct step *s)
{
	bool is_answer = s->c->state == TCP_SYN_RECEIVED;

	emit(s, is_answer ? SEGMENT_SYN | SEGMENT_ACK : SEGMENT_SYN, s->c->snd_una,
	     is_answer ? s->c->rcv_nxt : 0)
		->has_mss = true;
}

void step_emit_reset(const struct step *s)
{
	emit(s, SEGMENT_RST | SEGMENT_ACK, tcp_snd_nxt(s->c), s->c->rcv_nxt);
}

/* RFC 9293 section 3.10.7.1: for a segment that no connection of ours sent for. */
void step_emit_stray_reset(const struct step *s, const struct segment *segment)
{
	if (segment->flags & SEGMENT_RST)
		return;
	if (segment->flags & SEGMENT_ACK)
		emit(s, SEGMENT_RST, segment->ack, 0);
	else
		emit(s, SEGMENT_RST | SEGMENT_ACK, 0, segment->seq + segment_len(segment));
}

/* RFC 5961 section 7: so many a second, of all connections. */
void step_emit_challenge(const struct step *s)
{
	struct tcp_path *path = s->path;

	if (s->now_ns - path->challenge_ns >= NS_PER_S) {
		path->challenge_ns = s->now_ns;
		path->challenges = 0;
	}
	if (path->challenges >= TCP_CHALLENGES_MOST)
		return;
	path->challenges++;
	path->challenged++;
	step_emit_ack(s);
}

/* `len` bytes of the message from byte `from` on, and the FIN behind them where it is theirs. */
void step_emit_data(const struct step *s, uint8_t from, uint8_t len)
{
	struct tcp_conn *c = s->c;
	bool is_last = from + len == c->len;
	struct tcp_emit *e = emit(s, SEGMENT_ACK, c->snd_una + (uint32_t)(from - c->acked),
	                          c->rcv_nxt);

	e->from = from;
	e->len = len;
	if (is_last && len > 0)
		e->flags |= SEGMENT_PSH;
	if (is_last && step_has_fin(c)) {
		e->flags |= SEGMENT_FIN;
		c->flags |= TCP_FLAG_FIN_OUT;
	}
}

static void push_new(struct step *s)
{
	struct tcp_conn *c = s->c;
	bool was_quiet = tcp_snd_nxt(c) == c->snd_una;
	uint8_t emits = s->out->emit_count;

	while (unsent(c) > 0 && c->sent < c->snd_wnd) {
		uint8_t len = step_at_most(unsent(c),
		                           step_at_most((uint32_t)(c->snd_wnd - c->sent), c->mss));

		c->sent = (uint8_t)(c->sent + len);
		step_emit_data(s, (uint8_t)(c->acked + c->sent - len), len);
	}
	if (unsent(c) == 0 && step_has_fin(c) && !(c->flags & TCP_FLAG_FIN_OUT))
		step_emit_data(s, c->len, 0);
	if (s->out->emit_count == emits)
		return;
	s->needs_ack = false;
	step_time(s);
	if (was_quiet)
		step_arm_retransmission(s);
}

void step_push(struct step *s)
{
	struct tcp_conn *c = s->c;
	uint8_t sent = c->sent, fin_out = c->flags & TCP_FLAG_FIN_OUT;

	if (!s->has_opened) {
		push_new(s);
		return;
	}
	c->sent = 0;
	c->flags &= (uint8_t)~TCP_FLAG_FIN_OUT;
	push_new(s);
	step_forget_time(s);
	/* SND.NXT does not go back: the peer may have it all the same. */
	if (c->sent < sent)
		c->sent = sent;
	c->flags |= fin_out;
}

/* --- the end --------------------------------------------------------------------------------- */

/* What stays is what the next life needs, and what the caller is still to be told. */
void step_end(const struct step *s)
{
	struct tcp_conn *c = s->c;

	step_forget_time(s);
	c->snd_una = tcp_snd_nxt(c);
	c->state = TCP_CLOSED;
	c->flags &= TCP_FLAG_HELD | TCP_FLAG_LIVED | TCP_FLAG_ASKED;
	c->tries = 0;
	c->len = c->acked = c->sent = 0;
	s->out->timer_ns = TCP_TIMER_OFF;
}

void step_tell_error(const struct step *s, bool was_asked, int error)
{
	s->out->events |= TCP_ERROR;
	s->out->was_asked = was_asked;
	s->out->error = error;
	if (was_asked)
		s->c->flags &= (uint8_t)~TCP_FLAG_ASKED;
}

/* It has ended by itself. `flag` keeps why where nobody can be told now. */
void step_fail(const struct step *s, uint8_t flag, int error)
{
	struct tcp_conn *c = s->c;
	bool was_open = c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECEIVED;
	bool was_sending = c->len > 0;

	step_end(s);
	if (!(c->flags & TCP_FLAG_HELD))
		return;
	if (!was_open) {
		c->flags = TCP_FLAG_LIVED;
		s->out->events |= TCP_FAILED;
		s->out->error = error == -ECONNRESET ? -ECONNREFUSED : error;
	} else if ((c->flags & TCP_FLAG_ASKED) || was_sending) {
		step_tell_error(s, (c->flags & TCP_FLAG_ASKED) != 0, error);
	} else {
		c->flags |= flag;
	}
}

/* A state that ends by time: TIME_WAIT, and the wait for the peer's FIN. */
void step_linger(const struct step *s, enum tcp_state state, uint64_t for_ns)
{
	s->c->state = (unsigned int)state & 0xfU;
	s->c->tries = 0;
	s->out->timer_ns = s->now_ns + for_ns;
}
