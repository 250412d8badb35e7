/* world: see the header. */
#include "unit_tcp_lossy/world.h"

#include "plan/ip.h"
#include "unit_tcp_lossy/queue.h"
#include "unit_tcp_lossy/server.h"
#include "utcp/packet.h"
#include "utcp/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS            UINT64_C(1000000)
#define START_NS      (1000 * MS)
#define MESSAGES_MOST 4
#define PATIENCE_NS   (3600000 * MS)
#define STEPS_MOST    UINT64_C(20000000)

_Static_assert(PACKET_BYTES_MOST <= QUEUE_BYTES_MOST, "a packet must fit");

/* A client: our TCP, and an application that sends messages and wants them back. */
struct client {
	struct tcp_conn conn;
	uint64_t seed;             /* of its bytes */
	uint8_t messages, message; /* how many, and which is under way */
	uint8_t len[MESSAGES_MOST];
	uint8_t echoed; /* of the message that is under way */
	bool is_sent, is_asked, is_held;
	bool server_closes; /* after the last message; it waits for that */
	enum tcp_close how;
	bool is_done, is_proved;
	uint8_t tries;
	int error;                      /* of the last try */
	uint8_t kept[QUEUE_BYTES_MOST]; /* a packet that was refused, and is given again */
	uint32_t kept_len;
	struct server server;
	struct world *world;
};

struct world {
	const struct world_wire *wire;
	struct world_result *result;
	struct queue queue;
	struct tcp_path path;
	uint64_t now_ns, random;
	struct ip source, target;
	struct client clients[WORLD_CONNECTIONS];
};

/* splitmix64. */
static uint64_t draw(struct world *w)
{
	uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool happens(struct world *w, unsigned int thousandths)
{
	return draw(w) % 1000 < thousandths;
}

static uint32_t index_of(const struct client *c)
{
	return (uint32_t)(c - c->world->clients);
}

/* --- the wire ----------------------------------------------------------------------------------
 */

static struct tuple tuple_of(const struct client *c, bool is_ours)
{
	const struct world *w = c->world;
	uint16_t port = (uint16_t)(10000 + index_of(c));

	if (is_ours)
		return (struct tuple){w->source, w->target, port, 8090};
	return (struct tuple){w->target, w->source, 8090, port};
}

static bool is_same_segment(const struct segment *a, const struct segment *b)
{
	return a->seq == b->seq && a->ack == b->ack && a->window == b->window && a->mss == b->mss &&
	       a->len == b->len && a->flags == b->flags &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* One byte becomes another, or the end is missing. What is parsed all the same is what was sent:
 * only IPv6 has fields outside of every checksum. */
static void corrupt(struct world *w, struct queue_event *e)
{
	uint8_t intact[QUEUE_BYTES_MOST];
	struct packet was, is;

	memcpy(intact, e->bytes, e->len);
	if (happens(w, 100))
		e->len = (uint32_t)(draw(w) % e->len);
	else
		e->bytes[draw(w) % e->len] ^= (uint8_t)(1 + draw(w) % 255);
	w->result->corrupt++;
	if (packet_parse(e->bytes, e->len, false, &is) != PACKET_TCP) {
		w->result->caught++;
		return;
	}
	(void)packet_parse(intact, QUEUE_BYTES_MOST, false, &was);
	if (!is_same_segment(&was.segment, &is.segment) ||
	    was.tuple.source_port != is.tuple.source_port ||
	    was.tuple.target_port != is.tuple.target_port ||
	    !ip_equal(&was.tuple.source, &is.tuple.source))
		w->result->changed++;
}

static uint64_t delay_ns(struct world *w)
{
	if (w->wire->is_quick)
		return MS;
	return MS + draw(w) % (happens(w, w->wire->late) ? 500 * MS : 20 * MS);
}

static void transmit(struct client *c, bool is_ours, const struct segment *segment)
{
	struct world *w = c->world;
	struct tuple tuple = tuple_of(c, is_ours);
	struct queue_event e = {
		.kind = is_ours ? TO_SERVER : TO_CLIENT,
		.connection = index_of(c),
	};

	e.len = packet_build(e.bytes, &tuple, segment);
	w->result->packets++;
	if (happens(w, w->wire->lost)) {
		w->result->lost++;
		return;
	}
	for (int copies = happens(w, w->wire->twice) ? 2 : 1; copies > 0; copies--) {
		struct queue_event one = e;

		if (happens(w, w->wire->corrupt))
			corrupt(w, &one);
		one.at_ns = w->now_ns + delay_ns(w);
		queue_add(&w->queue, &one);
	}
}

static void wake(struct client *c, enum queue_kind kind, uint64_t at_ns)
{
	queue_add(&c->world->queue,
	          &(struct queue_event){.at_ns = at_ns, .kind = kind, .connection = index_of(c)});
}

/* --- the server's side --------------------------------------------------------------------------
 */

static void server_sends(void *context, const struct segment *segment)
{
	transmit(context, false, segment);
}

static void wake_server(struct client *c)
{
	if (c->server.timer_ns)
		wake(c, SERVER_TIMER, c->server.timer_ns);
	if (c->server.read_ns)
		wake(c, SERVER_READ, c->server.read_ns);
}

static void at_server(struct client *c, const struct queue_event *e)
{
	struct world *w = c->world;
	struct packet packet;

	if (packet_parse(e->bytes, e->len, false, &packet) != PACKET_TCP)
		return;
	server_input(&c->server, &packet.segment, (uint32_t)draw(w), w->now_ns);
	wake_server(c);
}

/* --- the client's side --------------------------------------------------------------------------
 */

static void message_of(const struct client *c, uint8_t bytes[TCP_MESSAGE_MOST])
{
	for (uint32_t i = 0; i < TCP_MESSAGE_MOST; i++)
		bytes[i] = (uint8_t)((uint32_t)(c->seed >> (i % 8 * 8)) + i * 7 + c->message * 31U);
}

static void do_out(struct client *c, const struct tcp_out *out)
{
	uint8_t bytes[TCP_MESSAGE_MOST];

	message_of(c, bytes);
	for (int i = 0; i < out->emit_count; i++) {
		const struct tcp_emit *e = &out->emits[i];
		struct segment segment = {
			.seq = e->seq,
			.ack = e->ack,
			.window = TCP_WINDOW,
			.mss = e->has_mss ? c->world->path.mss : 0,
			.len = e->len,
			.flags = e->flags,
			.data = bytes + e->from,
		};

		transmit(c, true, &segment);
	}
	if (out->timer_ns == TCP_TIMER_SAME)
		return;
	c->conn.timer.deadline_ns = out->timer_ns;
	if (out->timer_ns != TCP_TIMER_OFF)
		wake(c, CLIENT_TIMER, out->timer_ns);
}

static void open_client(struct client *c)
{
	struct tcp_out out;

	c->tries++;
	c->message = c->echoed = 0;
	c->is_sent = c->is_asked = c->is_held = false;
	c->kept_len = 0;
	queue_add(&c->world->queue, &(struct queue_event){.at_ns = c->world->now_ns + PATIENCE_NS,
	                                                  .kind = CLIENT_PATIENCE,
	                                                  .connection = index_of(c),
	                                                  .len = c->tries});
	tcp_connect(&c->conn, &c->world->path, (uint32_t)draw(c->world), c->world->now_ns, &out);
	do_out(c, &out);
}

static void close_client(struct client *c, enum tcp_close how)
{
	struct tcp_out out;

	tcp_close(&c->conn, &c->world->path, how, c->world->now_ns, &out);
	c->is_held = c->is_asked = false;
	do_out(c, &out);
}

static void fail_client(struct client *c, int error)
{
	c->error = error;
	if (c->is_held)
		close_client(c, TCP_CLOSE_RESET);
	if (c->tries == c->world->wire->tries) {
		c->is_done = true;
		return;
	}
	c->world->result->reconnected++;
	wake(c, CLIENT_TURN, c->world->now_ns + 100 * MS);
}

static void send_message(struct client *c)
{
	struct tcp_out out;

	c->echoed = 0;
	c->is_sent = false;
	tcp_send(&c->conn, &c->world->path, c->len[c->message], c->world->now_ns, &out);
	do_out(c, &out);
}

static void prove_client(struct client *c)
{
	c->is_done = c->is_proved = true;
	if (!c->server_closes)
		close_client(c, c->how);
}

/* Asks for more: at once, or only after a while. */
static void receive_client(struct client *c)
{
	struct queue_event again = {.at_ns = c->world->now_ns,
	                            .kind = TO_CLIENT,
	                            .connection = index_of(c),
	                            .len = c->kept_len};
	struct tcp_out out;

	if (!c->is_held || c->is_asked)
		return;
	c->is_asked = true;
	tcp_receive(&c->conn, c->world->now_ns, &out);
	do_out(c, &out);
	c->kept_len = 0;
	memcpy(again.bytes, c->kept, sizeof(again.bytes));
	if (again.len > 0)
		queue_add(&c->world->queue, &again);
}

static void receive_soon(struct client *c)
{
	struct world *w = c->world;

	if (w->wire->is_quick || happens(w, 700))
		receive_client(c);
	else
		wake(c, CLIENT_TURN, w->now_ns + draw(w) % (600 * MS));
}

static void next_message(struct client *c)
{
	if (!c->is_sent || c->echoed < c->len[c->message])
		return;
	if (c->message + 1 == c->messages) {
		prove_client(c);
		return;
	}
	c->message++;
	send_message(c);
}

static void take_data(struct client *c, const uint8_t *data, uint32_t len)
{
	uint8_t bytes[TCP_MESSAGE_MOST];

	message_of(c, bytes);
	if (len > (uint32_t)c->len[c->message] - c->echoed ||
	    memcmp(bytes + c->echoed, data, len) != 0) {
		c->world->result->wrong++;
		return;
	}
	c->echoed = (uint8_t)(c->echoed + len);
}

/* The peer has closed: what was awaited, or the end of this try. */
static void take_fin(struct client *c)
{
	if (c->is_done)
		close_client(c, c->how);
	else
		fail_client(c, -EPIPE);
}

static void take_events(struct client *c, const struct tcp_out *out, const uint8_t *data)
{
	if (out->events & TCP_FAILED) {
		fail_client(c, out->error);
		return;
	}
	if (out->events & TCP_CONNECTED) {
		c->is_held = true;
		send_message(c);
		receive_soon(c);
	}
	if (out->events & TCP_SENT)
		c->is_sent = true;
	if (out->events & TCP_DATA) {
		c->is_asked = false;
		take_data(c, data + out->data_at, out->data_len);
	}
	if (out->events & TCP_ERROR) {
		if (c->is_done) /* the server did not wait for our FIN */
			close_client(c, TCP_CLOSE_RESET);
		else
			fail_client(c, out->error);
		return;
	}
	if (out->events & (TCP_SENT | TCP_DATA) && !c->is_done)
		next_message(c);
	if (out->events & TCP_FIN)
		take_fin(c);
	else if (out->events & TCP_DATA)
		receive_soon(c);
}

static void input_client(struct client *c, const uint8_t *bytes, uint32_t len)
{
	struct world *w = c->world;
	struct packet packet;
	struct tcp_out out;

	if (packet_parse(bytes, len, false, &packet) != PACKET_TCP)
		return;
	if (!tcp_input(&c->conn, &w->path, &packet.segment, w->now_ns, &out)) {
		w->result->refused++;
		if (w->wire->is_quick || happens(w, 500)) {
			memcpy(c->kept, bytes, len);
			c->kept_len = len;
		}
		return;
	}
	do_out(c, &out);
	take_events(c, &out, packet.segment.data);
}

static void client_timer(struct client *c)
{
	struct tcp_out out;

	if (c->conn.timer.deadline_ns != c->world->now_ns)
		return; /* it was set anew, or off, since */
	c->conn.timer.deadline_ns = 0;
	tcp_timer(&c->conn, &c->world->path, c->world->now_ns, &out);
	do_out(c, &out);
	take_events(c, &out, (const uint8_t *)""); /* which has no data */
}

/* The application: a new try, or a receive that was put off. */
static void client_turn(struct client *c)
{
	if (c->is_held)
		receive_client(c);
	else if (!c->is_done && !(c->conn.flags & TCP_FLAG_HELD))
		open_client(c);
}

/* A server that has given up says nothing: who only waits has to end it. */
static void client_patience(struct client *c, uint32_t try)
{
	if (!c->is_held || c->tries != try)
		return;
	if (c->is_done) {
		close_client(c, c->how);
		return;
	}
	c->world->result->impatient++;
	fail_client(c, -ETIMEDOUT);
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void make_client(struct world *w, uint32_t index)
{
	struct client *c = &w->clients[index];
	uint32_t sum = 0;

	c->world = w;
	c->seed = draw(w);
	c->messages = (uint8_t)(1 + draw(w) % MESSAGES_MOST);
	for (int i = 0; i < c->messages; i++) {
		c->len[i] = (uint8_t)(1 + draw(w) % TCP_MESSAGE_MOST);
		sum += c->len[i];
	}
	c->how = (enum tcp_close)(happens(w, 600) ? TCP_CLOSE_FIN : draw(w) % 3);
	c->server_closes = happens(w, 200);
	c->server = (struct server){
		.room = (uint16_t)(happens(w, 700) ? SERVER_ROOM : 1 + draw(w) % 100),
		.reads_after = (uint32_t)(happens(w, 100) && !w->wire->is_quick ? draw(w) % 3000
	                                                                        : 0),
		.echoes = c->server_closes ? sum : 0,
		.send = server_sends,
		.context = c,
	};
	wake(c, CLIENT_TURN, START_NS + draw(w) % (1000 * MS));
}

static void step(struct world *w, const struct queue_event *e)
{
	struct client *c = &w->clients[e->connection];

	switch (e->kind) {
	case TO_SERVER:
		at_server(c, e);
		break;
	case TO_CLIENT:
		input_client(c, e->bytes, e->len);
		break;
	case SERVER_TIMER:
		if (c->server.timer_ns == w->now_ns) {
			server_timer(&c->server, w->now_ns);
			wake_server(c);
		}
		break;
	case SERVER_READ:
		if (c->server.read_ns == w->now_ns) {
			server_read(&c->server, w->now_ns);
			wake_server(c);
		}
		break;
	case CLIENT_TIMER:
		client_timer(c);
		break;
	case CLIENT_TURN:
		client_turn(c);
		break;
	case CLIENT_PATIENCE:
		client_patience(c, e->len);
		break;
	}
}

static void count(const struct world *w)
{
	struct world_result *r = w->result;

	for (uint32_t i = 0; i < WORLD_CONNECTIONS; i++) {
		const struct client *c = &w->clients[i];

		r->unended += !c->is_done || c->conn.state != TCP_CLOSED ||
		              c->conn.timer.deadline_ns != 0 || (c->conn.flags & TCP_FLAG_HELD);
		r->proved += c->is_proved;
		r->failed += c->is_done && !c->is_proved;
		if (!c->is_done || c->is_proved)
			continue;
		r->by_error[0] += c->error == -ECONNREFUSED;
		r->by_error[1] += c->error == -ECONNRESET || c->error == -EPIPE;
		r->by_error[2] += c->error == -ETIMEDOUT;
		r->unnamed += c->error != -ECONNREFUSED && c->error != -ECONNRESET &&
		              c->error != -EPIPE && c->error != -ETIMEDOUT;
	}
	r->retransmitted = w->path.retransmitted;
	r->probes = w->path.probes;
}

void world_run(const struct world_wire *wire, uint64_t seed, struct world_result *result)
{
	struct world *w = calloc(1, sizeof(*w));
	struct queue_event e;

	if (!w)
		abort();
	*result = (struct world_result){0};
	w->wire = wire;
	w->result = result;
	w->random = seed;
	if (ip_parse(wire->is_ipv6 ? "2001:2::1:1" : "198.18.0.1", &w->source) != 0 ||
	    ip_parse(wire->is_ipv6 ? "2001:2::1" : "198.19.0.1", &w->target) != 0)
		abort();
	tcp_path_init(&w->path, 1460);
	for (uint32_t i = 0; i < WORLD_CONNECTIONS; i++)
		make_client(w, i);
	while (result->steps < STEPS_MOST && queue_take(&w->queue, &e)) {
		w->now_ns = e.at_ns;
		if (e.kind != CLIENT_PATIENCE)
			result->simulated_ms = (w->now_ns - START_NS) / MS;
		step(w, &e);
		result->steps++;
	}
	count(w);
	queue_drop(&w->queue);
	free(w);
}
