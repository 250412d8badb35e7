/* watch: see the header. */
#include "watch.h"

#include <string.h>

#define DRAIN_STEPS_MOST 64
#define WORD_BYTES       4

/* Before a call: what it may have changed. */
struct before {
	struct tcp_conn conn;
	struct tcp_path path;
	bool was_connecting, was_held, was_asked, was_sending;
	const struct segment *segment; /* NULL: not by one */
	bool is_connect;               /* a new life */
};

void watch_init(struct watch *w, uint16_t mss)
{
	memset(w, 0, sizeof(*w));
	w->now_ns = WATCH_START_NS;
	tcp_path_init(&w->path, mss);
}

bool watch_may_connect(const struct watch *w)
{
	return !w->is_held && !w->is_connecting;
}

bool watch_may_send(const struct watch *w)
{
	return w->is_held && !w->is_sending;
}

bool watch_may_receive(const struct watch *w)
{
	return w->is_held && !w->is_asked && !w->has_ended;
}

bool watch_may_close(const struct watch *w, enum tcp_close how)
{
	return w->is_held || w->is_connecting || how != TCP_CLOSE_FIN;
}

bool watch_is_armed(const struct watch *w)
{
	return w->conn.timer.deadline_ns != 0;
}

static void rule(struct watch *w, bool holds, const char *text)
{
	if (!holds && !w->rule)
		w->rule = text;
}

/* A segment that goes out: of what it is made, and whether it may be said at all. */
static void rule_emit(struct watch *w, const struct before *b, const struct tcp_emit *e)
{
	const struct tcp_conn *c = &w->conn;
	bool is_syn = e->flags & SEGMENT_SYN, is_rst = e->flags & SEGMENT_RST;

	rule(w, !(e->flags & ~0x1f), "flags that there are not");
	rule(w, !(b->segment && is_rst && (b->segment->flags & SEGMENT_RST)), "RST for RST");
	rule(w, (e->flags & (SEGMENT_SYN | SEGMENT_RST | SEGMENT_ACK)) != 0, "neither SYN nor ACK");
	rule(w, !is_syn || !(e->flags & (SEGMENT_FIN | SEGMENT_RST)), "SYN with FIN or RST");
	rule(w, !is_rst || !(e->flags & SEGMENT_FIN), "RST with FIN");
	rule(w, is_syn == e->has_mss, "a SYN has an MSS, nothing else");
	rule(w, !is_syn || c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED,
	     "SYN of a connection that is open");
	rule(w, is_syn || e->len == 0 || e->flags == (SEGMENT_ACK | (e->flags & 0x09)),
	     "data without ACK");
	if (e->len > 0) {
		rule(w, !is_syn && !is_rst, "data with SYN or RST");
		rule(w, e->from + e->len <= w->message, "data beyond the message");
		rule(w, e->len <= c->mss, "more data than the MSS");
		rule(w, e->seq == c->snd_una - c->acked + e->from, "data at another place");
	}
	if (!is_rst && !is_syn) {
		rule(w, e->ack == c->rcv_nxt, "acknowledges another than RCV.NXT");
		rule(w, segment_not_after(e->seq, tcp_snd_nxt(c)), "beyond SND.NXT");
	}
}

static void rule_emits(struct watch *w, const struct before *b)
{
	rule(w, w->out.emit_count <= TCP_EMITS_MOST, "too many emits");
	for (int i = 0; i < w->out.emit_count && i < TCP_EMITS_MOST; i++)
		rule_emit(w, b, &w->out.emits[i]);
}

/* Of the numbers that a step leaves. */
static void rule_conn(struct watch *w, const struct before *b)
{
	const struct tcp_conn *c = &w->conn;
	uint32_t flight = tcp_snd_nxt(c) - c->snd_una;

	rule(w, c->state < TCP_STATE_COUNT, "no such state");
	rule(w, tcp_is_alive(c) == (c->state != TCP_CLOSED && c->state != TCP_TIME_WAIT),
	     "tcp_is_alive");
	rule(w, c->acked <= c->len && c->acked + c->sent <= c->len, "more in flight than there is");
	rule(w, c->len <= TCP_MESSAGE_MOST, "too long a message");
	rule(w, flight <= TCP_MESSAGE_MOST + 2U, "SND.NXT is far away");
	rule(w, c->state == TCP_CLOSED || c->state == TCP_SYN_SENT || c->mss > 0, "no MSS");
	rule(w, (w->is_held || w->is_connecting) == ((c->flags & TCP_FLAG_HELD) != 0), "held");
	if (b->is_connect || b->conn.state == TCP_CLOSED || c->state == TCP_CLOSED)
		return;
	rule(w, segment_not_after(b->conn.snd_una, c->snd_una), "SND.UNA went back");
	rule(w, segment_not_after(c->snd_una, tcp_snd_nxt(&b->conn)) || b->conn.sent < c->sent,
	     "SND.UNA went beyond SND.NXT");
	if (b->conn.state != TCP_SYN_SENT)
		rule(w, segment_not_after(b->conn.rcv_nxt, c->rcv_nxt), "RCV.NXT went back");
}

/* Of the path, which is everybody's. */
static void rule_path(struct watch *w, const struct before *b)
{
	const struct tcp_path *p = &w->path;

	rule(w, p->rto_ns >= TCP_RTO_LEAST_NS && p->rto_ns <= TCP_RTO_MOST_NS, "RTO");
	rule(w, !p->timed || p->timed == &w->conn, "times somebody else");
	rule(w, !p->timed || w->conn.state != TCP_CLOSED, "times a closed connection");
	rule(w,
	     p->retransmitted >= b->path.retransmitted && p->probes >= b->path.probes &&
	             p->challenged >= b->path.challenged &&
	             p->out_of_order >= b->path.out_of_order &&
	             p->resets_ignored >= b->path.resets_ignored,
	     "a count went back");
}

bool watch_may_rest(const struct watch *w)
{
	const struct tcp_conn *c = &w->conn;

	switch (c->state) {
	case TCP_CLOSED:
		return true;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return w->is_held && !w->is_sending;
	default:
		return false;
	}
}

/* Asked for something that is known already: it is told by the timer. */
static bool is_owed(const struct watch *w)
{
	uint8_t known = TCP_FLAG_FIN | TCP_FLAG_RESET | TCP_FLAG_TIMEOUT;

	return (w->is_asked && (w->conn.flags & known)) ||
	       ((w->is_sending || w->is_connecting) && w->conn.state == TCP_CLOSED);
}

static void rule_timer(struct watch *w)
{
	rule(w, watch_is_armed(w) || watch_may_rest(w), "waits with no timer");
	rule(w, !is_owed(w) || (watch_is_armed(w) && w->conn.timer.deadline_ns <= w->now_ns),
	     "owes an event, and not at once");
	rule(w, !watch_is_armed(w) || w->conn.state != TCP_CLOSED || is_owed(w),
	     "closed, with a timer");
	rule(w, !watch_is_armed(w) || w->conn.timer.deadline_ns <= w->now_ns + TCP_RTO_MOST_NS,
	     "a timer further off than there are");
}

/* One answer for one request, and none after a close. */
static void rule_events(struct watch *w, const struct before *b)
{
	uint8_t e = w->out.events;
	int received = !!(e & TCP_DATA) + !!(e & TCP_FIN) + ((e & TCP_ERROR) && w->out.was_asked);

	rule(w, !(e & ~0x3f), "an event that there is not");
	rule(w, !(e & TCP_CONNECTED) || b->was_connecting, "connected twice");
	rule(w, !(e & TCP_FAILED) || b->was_connecting, "failed, and was connected");
	rule(w, !(e & TCP_FAILED) || e == TCP_FAILED, "failed, and more");
	rule(w, !(e & TCP_FAILED) || w->conn.state == TCP_CLOSED, "failed, and not closed");
	rule(w, !(e & TCP_SENT) || b->was_sending, "sent nothing");
	rule(w, received <= b->was_asked, "told without being asked");
	rule(w, !(e & TCP_ERROR) || b->was_asked || b->was_sending, "an error for nobody");
	rule(w, !(e & TCP_ERROR) || w->out.was_asked == b->was_asked, "an error by whom");
	rule(w, !(e & (TCP_ERROR | TCP_FAILED)) == (w->out.error == 0), "errors have an errno");
	rule(w, w->out.error <= 0, "a positive errno");
	if (e & TCP_DATA)
		rule(w,
		     b->segment && w->out.data_len > 0 &&
		             w->out.data_at + w->out.data_len <= b->segment->len,
		     "data that the segment has not");
	else
		rule(w, w->out.data_len == 0, "data without an event");
}

/* What the caller knows now. */
static void take_events(struct watch *w)
{
	uint8_t e = w->out.events;

	if (e & TCP_CONNECTED)
		w->is_held = true;
	if (e & (TCP_CONNECTED | TCP_FAILED))
		w->is_connecting = false;
	if (e & TCP_SENT)
		w->is_sending = false;
	if ((e & (TCP_DATA | TCP_FIN)) || ((e & TCP_ERROR) && w->out.was_asked))
		w->is_asked = false;
	if (e & (TCP_FIN | TCP_ERROR))
		w->has_ended = true;
	/* A message is lost with its connection, whoever was told. */
	if (e & TCP_ERROR)
		w->is_sending = false;
}

static void take_timer(struct watch *w)
{
	if (w->out.timer_ns == TCP_TIMER_SAME)
		return;
	rule(w, w->out.timer_ns == TCP_TIMER_OFF || w->out.timer_ns >= w->now_ns,
	     "a timer in the past");
	w->conn.timer.deadline_ns = w->out.timer_ns;
}

/* Fills what each call must fill from scratch. */
static struct before begin(struct watch *w, const struct segment *segment)
{
	memset(&w->out, 0xa5, sizeof(w->out));
	return (struct before){
		.conn = w->conn,
		.path = w->path,
		.was_connecting = w->is_connecting,
		.was_held = w->is_held,
		.was_asked = w->is_asked,
		.was_sending = w->is_sending,
		.segment = segment,
	};
}

static void end(struct watch *w, const struct before *b)
{
	take_events(w);
	take_timer(w);
	rule_events(w, b);
	rule_emits(w, b);
	rule_conn(w, b);
	rule_path(w, b);
	rule_timer(w);
}

void watch_connect(struct watch *w, uint32_t iss)
{
	struct before b = begin(w, NULL);

	b.is_connect = b.was_connecting = w->is_connecting = true;
	w->is_asked = w->is_sending = w->has_ended = false;
	w->message = 0;
	tcp_connect(&w->conn, &w->path, iss, w->now_ns, &w->out);
	end(w, &b);
	rule(w, w->conn.state == TCP_SYN_SENT || w->out.events, "connect did nothing");
}

void watch_send(struct watch *w, uint8_t len)
{
	struct before b = begin(w, NULL);

	w->message = len;
	b.was_sending = w->is_sending = true;
	tcp_send(&w->conn, &w->path, len, w->now_ns, &w->out);
	end(w, &b);
}

void watch_receive(struct watch *w)
{
	struct before b = begin(w, NULL);

	w->is_asked = true;
	tcp_receive(&w->conn, w->now_ns, &w->out);
	end(w, &b);
}

void watch_close(struct watch *w, enum tcp_close how)
{
	struct before b = begin(w, NULL);

	w->is_connecting = w->is_held = w->is_asked = w->is_sending = false;
	b.was_connecting = b.was_asked = b.was_sending = false;
	tcp_close(&w->conn, &w->path, how, w->now_ns, &w->out);
	end(w, &b);
	rule(w, how == TCP_CLOSE_FIN || w->conn.state == TCP_CLOSED, "closed, and is not");
	rule(w, how != TCP_CLOSE_SILENT || w->out.emit_count == 0, "not silent");
}

void watch_unreachable(struct watch *w, uint32_t seq, int error)
{
	struct before b = begin(w, NULL);

	tcp_unreachable(&w->conn, &w->path, seq, error, w->now_ns, &w->out);
	end(w, &b);
	rule(w, w->out.emit_count == 0, "unreachable, and answered");
	rule(w, b.conn.state == TCP_SYN_SENT || w->conn.state == b.conn.state,
	     "ended by an error of the network");
}

static bool is_same_path(const struct tcp_path *a, const struct tcp_path *b)
{
	return a->srtt_ns == b->srtt_ns && a->rttvar_ns == b->rttvar_ns && a->rto_ns == b->rto_ns &&
	       a->timed == b->timed && a->timed_end == b->timed_end && a->timed_ns == b->timed_ns &&
	       a->challenge_ns == b->challenge_ns && a->challenges == b->challenges &&
	       a->retransmitted == b->retransmitted && a->probes == b->probes &&
	       a->challenged == b->challenged && a->out_of_order == b->out_of_order &&
	       a->resets_ignored == b->resets_ignored;
}

bool watch_input(struct watch *w, const struct segment *segment)
{
	struct before b = begin(w, segment);
	bool is_taken = tcp_input(&w->conn, &w->path, segment, w->now_ns, &w->out);

	end(w, &b);
	if (!is_taken) {
		rule(w, memcmp(&b.conn, &w->conn, sizeof(b.conn)) == 0, "refused, but changed");
		rule(w, is_same_path(&b.path, &w->path), "refused, but counted");
		rule(w, w->out.emit_count == 0 && w->out.events == 0, "refused, but answered");
		rule(w, segment->len > 0 && !b.was_asked, "refused without a reason");
	}
	return is_taken;
}

void watch_timer(struct watch *w)
{
	struct before b;

	if (w->now_ns < w->conn.timer.deadline_ns)
		w->now_ns = w->conn.timer.deadline_ns;
	w->conn.timer.deadline_ns = 0;
	b = begin(w, NULL);
	tcp_timer(&w->conn, &w->path, w->now_ns, &w->out);
	end(w, &b);
}

bool watch_drain(struct watch *w)
{
	for (int i = 0; i < DRAIN_STEPS_MOST && watch_is_armed(w); i++)
		watch_timer(w);
	return !watch_is_armed(w);
}
