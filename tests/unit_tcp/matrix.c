/* matrix: every state with every kind of segment and every call.
 *
 * A search, breadth first, from a connection that has never been: each state of the record that is
 * found is given all segments (every flag; sequence and ACK numbers before, at, in and beyond;
 * without data, with a byte, with many; window shut and open) and all legal calls, and what comes
 * of it is another state. Numbers are shifted back after each step, so that they wrap everywhere
 * and the search ends. The rules of watch.h hold in each step, and from each state the silence of
 * the peer leads to the end of a connection that is closed. */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MOST 32768
#define SLOTS      131072 /* four a node */
#define SND_BASE   0xfffffffeU
#define RCV_BASE   0xfffffffdU
#define LONG       100 /* three pieces of the least MSS */
#define PEER_MSS   48

enum call { SEGMENT, CALL_CONNECT, CALL_SEND, CALL_RECEIVE, CALL_CLOSE, CALL_TIMER, UNREACHABLE };

struct event {
	enum call call;
	uint32_t number; /* the ISS, how many bytes, or how to close */
	struct segment segment;
};

struct node {
	struct watch w;
	uint32_t parent;
	struct event by; /* what led here from there */
};

static struct {
	struct node *nodes;
	uint32_t *slots; /* node + 1, by hash */
	uint32_t count;
	uint64_t steps;
	uint64_t seen[TCP_STATE_COUNT];
} m;

/* --- nodes ------------------------------------------------------------------------------------ */

/* Of a message: none, one byte, several; of what is in flight: also all that is left. */
static uint64_t class_of(uint8_t bytes)
{
	return bytes < 2 ? bytes : 2;
}

static uint64_t flight_of(const struct tcp_conn *c)
{
	return c->sent > 1 && c->acked + c->sent == c->len ? 3 : class_of(c->sent);
}

/* What makes two of them the same. */
static uint64_t key_of(const struct watch *w)
{
	const struct tcp_conn *c = &w->conn;
	uint64_t key = c->state;

	key = key << 4 | c->tries;
	key = key << 8 | c->flags;
	key = key << 8 | c->snd_wnd;
	key = key << 2 | class_of(c->len);
	key = key << 2 | class_of(c->acked);
	key = key << 2 | class_of((uint8_t)(c->len - c->acked));
	key = key << 2 | flight_of(c);
	key = key << 1 | (c->mss > 0);
	key = key << 1 | w->is_connecting;
	key = key << 1 | w->is_held;
	key = key << 1 | w->is_asked;
	key = key << 1 | w->is_sending;
	key = key << 1 | w->has_ended;
	key = key << 1 | watch_is_armed(w);
	return key << 1 | (w->path.timed != NULL);
}

/* The same state with its numbers where all begin, and nobody challenged yet. */
static struct watch shifted(const struct watch *w)
{
	struct watch to = *w;

	to.now_ns = WATCH_START_NS;
	if (watch_is_armed(&to))
		to.conn.timer.deadline_ns -= w->now_ns - WATCH_START_NS;
	to.path.timed_end += SND_BASE - to.conn.snd_una;
	to.path.timed_ns = WATCH_START_NS;
	to.path.challenges = 0;
	to.conn.snd_una = SND_BASE;
	to.conn.rcv_nxt = RCV_BASE;
	to.conn.life = 0;
	return to;
}

/* A copy that can be worked on: the path knows the connection by its address. */
static void copy(struct watch *to, const struct watch *from)
{
	*to = *from;
	if (to->path.timed)
		to->path.timed = &to->conn;
}

static void add(const struct watch *w, uint32_t parent, const struct event *by)
{
	uint64_t key = key_of(w), hash = key * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t at = (uint32_t)(hash >> 40) % SLOTS;

	while (m.slots[at] > 0) {
		if (key_of(&m.nodes[m.slots[at] - 1].w) == key)
			return;
		at = (at + 1) % SLOTS;
	}
	assert_true(m.count < NODES_MOST);
	m.nodes[m.count] = (struct node){.w = shifted(w), .parent = parent, .by = *by};
	m.slots[at] = ++m.count;
	m.seen[w->conn.state]++;
}

/* --- what went wrong -------------------------------------------------------------------------- */

static void print_event(const struct event *e)
{
	static const char *const names[] = {"segment", "connect", "send",       "receive",
	                                    "close",   "timer",   "unreachable"};

	printf("  %s %u", names[e->call], e->number);
	if (e->call == SEGMENT)
		printf(" flags %#x seq %+d ack %+d len %u window %u", e->segment.flags,
		       (int)(e->segment.seq - RCV_BASE), (int)(e->segment.ack - SND_BASE),
		       e->segment.len, e->segment.window);
	printf("\n");
}

/* The way there, last step first. */
static void wrong(const struct watch *w, uint32_t node, const struct event *e, const char *rule)
{
	const struct tcp_conn *c = &w->conn;

	printf("%s, in state %u (tries %u, flags %#x, window %u, message %u, acked %u, sent %u)\n",
	       rule, c->state, c->tries, c->flags, c->snd_wnd, c->len, c->acked, c->sent);
	print_event(e);
	for (; node > 0; node = m.nodes[node].parent)
		print_event(&m.nodes[node].by);
	fail();
}

/* --- steps ------------------------------------------------------------------------------------ */

static void make(struct watch *w, const struct event *e)
{
	switch (e->call) {
	case SEGMENT:
		(void)watch_input(w, &e->segment);
		break;
	case CALL_CONNECT:
		watch_connect(w, e->number);
		break;
	case CALL_SEND:
		watch_send(w, (uint8_t)e->number);
		break;
	case CALL_RECEIVE:
		watch_receive(w);
		break;
	case CALL_CLOSE:
		watch_close(w, (enum tcp_close)e->number);
		break;
	case CALL_TIMER:
		watch_timer(w);
		break;
	case UNREACHABLE:
		watch_unreachable(w, e->number, -EHOSTUNREACH);
		break;
	}
}

static void try(uint32_t node, const struct event *e)
{
	struct watch w;

	copy(&w, &m.nodes[node].w);
	make(&w, e);
	m.steps++;
	if (w.rule)
		wrong(&w, node, e, w.rule);
	add(&w, node, e);
}

static void try_calls(uint32_t node)
{
	const struct watch *w = &m.nodes[node].w;

	if (watch_may_connect(w)) {
		try(node, &(struct event){.call = CALL_CONNECT, .number = SND_BASE + 9});
		try(node, &(struct event){.call = CALL_CONNECT, .number = SND_BASE - 9});
	}
	if (watch_may_send(w)) {
		try(node, &(struct event){.call = CALL_SEND, .number = 1});
		try(node, &(struct event){.call = CALL_SEND, .number = LONG});
	}
	if (watch_may_receive(w))
		try(node, &(struct event){.call = CALL_RECEIVE});
	for (uint32_t how = 0; how < 3; how++)
		if (watch_may_close(w, (enum tcp_close)how))
			try(node, &(struct event){.call = CALL_CLOSE, .number = how});
	try(node, &(struct event){.call = UNREACHABLE, .number = SND_BASE});
	try(node, &(struct event){.call = UNREACHABLE, .number = SND_BASE + 1});
	if (watch_is_armed(w))
		try(node, &(struct event){.call = CALL_TIMER});
}

static void try_segments(uint32_t node, uint8_t flags)
{
	static const uint8_t data[LONG];
	static const uint16_t lens[] = {0, 1, LONG}, windows[] = {0, 60, 1000};
	uint32_t flight = tcp_snd_nxt(&m.nodes[node].w.conn) - SND_BASE;
	const uint32_t seqs[] = {RCV_BASE - LONG, RCV_BASE - 1, RCV_BASE, RCV_BASE + 1,
	                         RCV_BASE + TCP_WINDOW};
	const uint32_t acks[] = {SND_BASE - 70000,      SND_BASE - 1,      SND_BASE,
	                         SND_BASE + flight / 2, SND_BASE + flight, SND_BASE + flight + 1};
	struct event e = {.segment = {.flags = flags, .data = data}};

	if (flags & SYN)
		e.segment.mss = PEER_MSS;
	for (size_t i = 0; i < COUNT_OF(seqs) * COUNT_OF(acks); i++) {
		e.segment.seq = seqs[i % COUNT_OF(seqs)];
		e.segment.ack = acks[i / COUNT_OF(seqs)];
		if (!(flags & ACK) && i >= COUNT_OF(seqs))
			break; /* nobody looks at it */
		for (size_t k = 0; k < COUNT_OF(lens) * COUNT_OF(windows); k++) {
			e.segment.len = lens[k % COUNT_OF(lens)];
			e.segment.window = windows[k / COUNT_OF(lens)];
			try(node, &e);
		}
	}
}

/* Closed, and with a peer that is silent, every connection ends. */
static void drain(uint32_t node)
{
	const struct event e = {.call = CALL_TIMER};
	struct watch w;

	copy(&w, &m.nodes[node].w);
	if (watch_may_close(&w, TCP_CLOSE_FIN))
		watch_close(&w, TCP_CLOSE_FIN);
	if (!watch_drain(&w) || w.conn.state != TCP_CLOSED || w.rule)
		wrong(&w, node, &e, w.rule ? w.rule : "does not end");
}

/* Tries in a row differ in nothing but at their ends, where the wait and the answer change. */
static bool is_worth_all(const struct tcp_conn *c)
{
	return c->tries < 2 || c->tries == TCP_SYN_TRIES || c->tries == TCP_SYN_TRIES + 1 ||
	       c->tries == TCP_TRIES_MOST;
}

static void every_state_and_event(void **state)
{
	const struct event none = {.call = CALL_CONNECT};
	struct watch w;

	(void)state;
	watch_init(&w, SCRIPT_MSS);
	add(&w, 0, &none);
	for (uint32_t node = 0; node < m.count; node++) {
		drain(node);
		try_calls(node);
		for (unsigned int flags = 0; flags < 32; flags++)
			if (is_worth_all(&m.nodes[node].w.conn))
				try_segments(node, (uint8_t)flags);
	}
	printf("%u states of the record, %lu steps\n", m.count, (unsigned long)m.steps);
	for (int i = 0; i < TCP_STATE_COUNT; i++)
		assert_true(m.seen[i] > 0);
}

static int set_up(void **state)
{
	(void)state;
	m.nodes = calloc(NODES_MOST, sizeof(m.nodes[0]));
	m.slots = calloc(SLOTS, sizeof(m.slots[0]));
	return m.nodes && m.slots ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(m.nodes);
	free(m.slots);
	return 0;
}

int run_matrix_tests(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_state_and_event)};

	return cmocka_run_group_tests_name("matrix", tests, set_up, tear_down);
}
