/* server: see the header. */
#include "unit_tcp_lossy/server.h"

#include <string.h>

#define MS         UINT64_C(1000000)
#define RTO_NS     (300 * MS)
#define RTO_MOST   (60000 * MS)
#define TRIES_MOST 15
#define SYN_TRIES  5
#define TIME_WAIT  (60000 * MS)

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* --- out ---------------------------------------------------------------------------------------
 */

static void transmit(struct server *s, unsigned int flags, uint32_t seq, const uint8_t *data,
                     uint32_t len)
{
	struct segment segment = {
		.seq = seq,
		.ack = s->rcv_nxt,
		.window = (uint16_t)(s->room - s->in_len),
		.mss = flags & SEGMENT_SYN ? 1460 : 0,
		.len = (uint16_t)len,
		.flags = (uint8_t)flags,
		.data = data,
	};

	s->send(s->context, &segment);
}

static void acknowledge(struct server *s)
{
	transmit(s, SEGMENT_ACK, s->snd_nxt, NULL, 0);
}

static void reset(struct server *s, const struct segment *segment)
{
	struct segment answer = {.seq = segment->ack, .flags = SEGMENT_RST};

	if (segment->flags & SEGMENT_RST)
		return;
	if (!(segment->flags & SEGMENT_ACK))
		answer = (struct segment){.ack = segment->seq + segment_len(segment),
		                          .flags = SEGMENT_RST | SEGMENT_ACK};
	s->send(s->context, &answer);
}

static void arm(struct server *s, uint64_t now_ns)
{
	uint64_t rto_ns = RTO_NS << s->tries;

	s->timer_ns = now_ns + (rto_ns < RTO_MOST ? rto_ns : RTO_MOST);
}

static void listen_again(struct server *s)
{
	s->state = SERVER_LISTEN;
	s->timer_ns = 0;
	s->read_ns = 0;
}

/* One segment from SND.NXT on, as the peer's window lets. */
static bool push_one(struct server *s)
{
	uint32_t from = s->snd_nxt - s->snd_una;
	uint32_t room = s->snd_wnd > from ? s->snd_wnd - from : 0;
	uint32_t len = from < s->out_len ? least(least(s->out_len - from, s->mss), room) : 0;
	bool is_fin = s->has_fin && from + len == s->out_len;

	if (len == 0 && !is_fin)
		return false;
	transmit(s, SEGMENT_ACK | (len > 0 ? SEGMENT_PSH : 0) | (is_fin ? SEGMENT_FIN : 0),
	         s->snd_nxt, s->out + from, len);
	s->snd_nxt += len + is_fin;
	if (segment_before(s->snd_max, s->snd_nxt))
		s->snd_max = s->snd_nxt;
	return true;
}

static bool push(struct server *s, uint64_t now_ns)
{
	bool has_sent = false;

	if (s->state == SERVER_SYN_RECEIVED || s->state == SERVER_LISTEN)
		return false;
	while (push_one(s))
		has_sent = true;
	if (has_sent && s->timer_ns == 0)
		arm(s, now_ns);
	return has_sent;
}

/* --- the application ---------------------------------------------------------------------------
 */

static void close_own(struct server *s)
{
	s->has_fin = true;
	if (s->state == SERVER_ESTABLISHED) {
		s->closes_first = true;
		s->state = SERVER_FIN_WAIT;
	} else {
		s->state = SERVER_CLOSING;
	}
}

void server_read(struct server *s, uint64_t now_ns)
{
	uint32_t count = least(s->in_len, SERVER_ROOM - s->out_len);
	bool was_full = s->in_len == s->room;

	s->read_ns = 0;
	if (s->state != SERVER_ESTABLISHED && s->state != SERVER_CLOSE_WAIT)
		return;
	memcpy(s->out + s->out_len, s->in, count);
	memmove(s->in, s->in + count, s->in_len - count);
	s->out_len = (uint16_t)(s->out_len + count);
	s->in_len = (uint16_t)(s->in_len - count);
	s->echoed += count;
	if ((s->is_peer_done && s->in_len == 0) || (s->echoes > 0 && s->echoed >= s->echoes))
		close_own(s);
	if (!push(s, now_ns) && was_full && count > 0)
		acknowledge(s); /* the window is open again */
}

/* --- in ----------------------------------------------------------------------------------------
 */

static void input_listen(struct server *s, const struct segment *segment, uint32_t iss,
                         uint64_t now_ns)
{
	if (segment->flags & SEGMENT_RST)
		return;
	if (segment->flags & SEGMENT_ACK || !(segment->flags & SEGMENT_SYN)) {
		reset(s, segment);
		return;
	}
	s->state = SERVER_SYN_RECEIVED;
	s->iss = s->snd_una = iss;
	s->snd_nxt = s->snd_max = iss + 1;
	s->irs = segment->seq;
	s->rcv_nxt = segment->seq + 1;
	s->mss = segment->mss > 0 ? segment->mss : 536;
	s->out_len = s->in_len = 0;
	s->has_fin = s->is_peer_done = s->closes_first = false;
	s->tries = 0;
	s->echoed = 0;
	s->read_ns = 0;
	memset(s->has_ahead, 0, sizeof(s->has_ahead));
	transmit(s, SEGMENT_SYN | SEGMENT_ACK, iss, NULL, 0);
	arm(s, now_ns);
}

static bool is_acceptable(const struct server *s, const struct segment *segment)
{
	uint32_t window = (uint32_t)(s->room - s->in_len), len = segment_len(segment);
	uint32_t first = segment->seq - s->rcv_nxt, last = first + len - 1;

	if (len == 0)
		return window == 0 ? first == 0 : first < window;
	return window > 0 && (first < window || last < window);
}

/* What the peer's ACK of our FIN leads to. */
static void fin_is_acknowledged(struct server *s, uint64_t now_ns)
{
	s->has_fin = false;
	if (s->state != SERVER_CLOSING)
		return;
	if (!s->closes_first) {
		listen_again(s);
		return;
	}
	s->state = SERVER_TIME_WAIT;
	s->timer_ns = now_ns + TIME_WAIT;
}

static void take_ack(struct server *s, const struct segment *segment, uint64_t now_ns)
{
	uint32_t count = segment->ack - s->snd_una;
	uint32_t data = least(count, s->out_len);

	s->snd_wnd = segment->window;
	if (count == 0)
		return;
	memmove(s->out, s->out + data, s->out_len - data);
	s->out_len = (uint16_t)(s->out_len - data);
	s->snd_una = segment->ack;
	if (segment_before(s->snd_nxt, s->snd_una))
		s->snd_nxt = s->snd_una;
	s->tries = 0;
	s->timer_ns = 0;
	if (count > data)
		fin_is_acknowledged(s, now_ns);
	else if (s->snd_una != s->snd_max || s->out_len > 0)
		arm(s, now_ns);
}

static void store(struct server *s, const struct segment *segment)
{
	uint32_t window = (uint32_t)(s->room - s->in_len);

	for (uint32_t i = 0; i < segment->len; i++) {
		uint32_t at = segment->seq + i - s->rcv_nxt;

		if (at < window) {
			s->ahead[at] = segment->data[i];
			s->has_ahead[at] = true;
		}
	}
}

/* Moves what is in order to where the application reads. */
static void assemble(struct server *s)
{
	uint32_t count = 0;

	while (count < SERVER_ROOM && s->has_ahead[count])
		s->in[s->in_len++] = s->ahead[count++];
	memmove(s->ahead, s->ahead + count, SERVER_ROOM - count);
	memmove(s->has_ahead, s->has_ahead + count, SERVER_ROOM - count);
	memset(s->has_ahead + SERVER_ROOM - count, 0, count);
	s->rcv_nxt += count;
}

static void take_text(struct server *s, const struct segment *segment, uint64_t now_ns)
{
	bool has_fin = segment->flags & SEGMENT_FIN;

	if (segment->len == 0 && !has_fin)
		return;
	if (!s->is_peer_done) {
		store(s, segment);
		assemble(s);
		if (has_fin && s->rcv_nxt == segment->seq + segment->len) {
			s->rcv_nxt++;
			s->is_peer_done = true;
			if (s->state == SERVER_ESTABLISHED)
				s->state = SERVER_CLOSE_WAIT;
			else if (s->has_fin)
				s->state = SERVER_CLOSING;
			else
				s->state = SERVER_TIME_WAIT;
			if (s->state == SERVER_TIME_WAIT)
				s->timer_ns = now_ns + TIME_WAIT;
		}
	}
	acknowledge(s);
	if (s->read_ns == 0 && (s->in_len > 0 || s->is_peer_done))
		s->read_ns = now_ns + s->reads_after * MS;
}

static void input_synchronized(struct server *s, const struct segment *segment, uint64_t now_ns)
{
	if (!is_acceptable(s, segment)) {
		/* A shut window still takes ACKs, or the way out would be shut with it. */
		if (!(segment->flags & (SEGMENT_RST | SEGMENT_SYN)) &&
		    segment->flags & SEGMENT_ACK && s->room == s->in_len &&
		    segment->seq == s->rcv_nxt && s->state != SERVER_SYN_RECEIVED &&
		    segment->ack - s->snd_una <= s->snd_max - s->snd_una)
			take_ack(s, segment, now_ns);
		if (!(segment->flags & SEGMENT_RST))
			acknowledge(s);
		return;
	}
	if (segment->flags & SEGMENT_RST) {
		if (segment->seq == s->rcv_nxt)
			listen_again(s);
		else
			acknowledge(s);
		return;
	}
	if (segment->flags & SEGMENT_SYN) {
		acknowledge(s);
		return;
	}
	if (!(segment->flags & SEGMENT_ACK))
		return;
	if (s->state == SERVER_SYN_RECEIVED) {
		if (segment->ack != s->snd_max) {
			reset(s, segment);
			return;
		}
		s->state = SERVER_ESTABLISHED;
		s->snd_una = s->snd_max;
		s->snd_wnd = segment->window;
		s->tries = 0;
		s->timer_ns = 0;
	} else if (segment_before(s->snd_max, segment->ack)) {
		acknowledge(s);
		return;
	} else if (segment_not_after(s->snd_una, segment->ack)) {
		take_ack(s, segment, now_ns);
	}
	if (s->state != SERVER_LISTEN)
		take_text(s, segment, now_ns);
}

void server_input(struct server *s, const struct segment *segment, uint32_t iss, uint64_t now_ns)
{
	bool is_syn = (segment->flags & (SEGMENT_SYN | SEGMENT_ACK | SEGMENT_RST)) == SEGMENT_SYN;

	if (s->state == SERVER_TIME_WAIT && is_syn && segment_before(s->rcv_nxt, segment->seq))
		listen_again(s); /* RFC 6191 */
	if (s->state == SERVER_LISTEN) {
		input_listen(s, segment, iss, now_ns);
		return;
	}
	if (s->state == SERVER_SYN_RECEIVED && is_syn && segment->seq == s->irs) {
		transmit(s, SEGMENT_SYN | SEGMENT_ACK, s->iss, NULL, 0);
		return;
	}
	input_synchronized(s, segment, now_ns);
	push(s, now_ns);
}

/* --- the timer ----------------------------------------------------------------------------------
 */

void server_timer(struct server *s, uint64_t now_ns)
{
	bool is_opening = s->state == SERVER_SYN_RECEIVED;

	s->timer_ns = 0;
	if (s->state == SERVER_TIME_WAIT || s->tries == (is_opening ? SYN_TRIES : TRIES_MOST)) {
		listen_again(s);
		return;
	}
	s->tries++;
	if (is_opening) {
		transmit(s, SEGMENT_SYN | SEGMENT_ACK, s->iss, NULL, 0);
		arm(s, now_ns);
		return;
	}
	s->snd_nxt = s->snd_una;
	push(s, now_ns);
}
