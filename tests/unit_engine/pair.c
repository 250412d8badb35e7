/* pair: see the header. */
#include "unit_engine/pair.h"

#include "base/clock.h"
#include "fake_engine.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define REST_NS (40 * NS_PER_MS)
#define RESTS   2ULL

const struct variant *variant;

static void *make(size_t count, size_t size)
{
	void *at = calloc(count, size);

	assert_non_null(at);
	return at;
}

/* --- events against the contract ------------------------------------------------------------ */

static struct seen *seen_at(struct side *s, uint32_t index)
{
	assert_in_range(index, 0, s->seen_count - 1);
	return &s->seen[index];
}

static uint8_t *out_of(const struct side *s, uint32_t index)
{
	return s->out + (size_t)index * s->engine->send_most;
}

static uint8_t *was_of(const struct side *s, uint32_t number)
{
	return s->was + (size_t)number * s->engine->send_most;
}

static void give(struct side *s, uint32_t index)
{
	struct seen *seen = seen_at(s, index);
	int failed = engine_send(s->engine, index, out_of(s, index), seen->out_len);

	assert_true(failed == 0 || failed == -EAGAIN);
	seen->is_to_retry = failed != 0;
	s->retries += failed != 0;
}

static void retry_all(struct side *s)
{
	uint32_t left = s->retries;

	s->retries = 0;
	for (uint32_t i = 0; i < s->seen_count && left > 0; i++) {
		if (!s->seen[i].is_to_retry)
			continue;
		left--;
		give(s, i);
	}
}

void side_send(struct side *s, uint32_t index, const void *data, uint32_t len)
{
	struct seen *seen = seen_at(s, index);

	assert_true(seen->is_open && !seen->is_out);
	seen->is_out = true;
	seen->out_len = len;
	memmove(out_of(s, index), data, len);
	give(s, index);
}

void side_end(struct side *s, uint32_t index, enum engine_close how)
{
	struct seen *seen = seen_at(s, index);

	assert_true(seen->is_open || seen->is_connecting);
	engine_close(s->engine, index, how);
	s->open -= seen->is_open;
	s->retries -= seen->is_to_retry;
	seen->is_open = seen->is_connecting = seen->is_out = seen->is_to_retry = false;
	seen->closed_in = s->polls;
}

void side_connect(struct side *s, uint32_t index, const struct sockaddr_storage *source,
                  const struct sockaddr_storage *target, socklen_t len)
{
	struct seen *seen = seen_at(s, index);

	assert_false(seen->is_open || seen->is_connecting);
	*seen = (struct seen){.is_connecting = true};
	engine_connect(s->engine, index, (const struct sockaddr *)source,
	               (const struct sockaddr *)target, len);
}

static void note_connected(struct side *s, struct seen *seen, const struct engine_event *event)
{
	assert_true(seen->is_connecting);
	assert_true(event->result <= 0);
	seen->is_connecting = false;
	seen->connected_count++;
	seen->connected = event->result;
	seen->is_open = event->result == 0;
	seen->generation = engine_tag_generation(event->tag);
	s->open += seen->is_open;
}

static void note_accepted(struct side *s, const struct engine_event *event)
{
	if (event->result < 0) {
		s->accept_errors++;
		s->accept_error = event->result;
		return;
	}
	struct seen *seen = seen_at(s, engine_tag_index(event->tag));

	assert_false(seen->is_open);
	assert_true(seen->closed_in != s->polls || s->polls == 0);
	*seen = (struct seen){.is_open = true, .generation = engine_tag_generation(event->tag)};
	s->open++;
	s->accepted++;
	s->last_accepted = engine_tag_index(event->tag);
}

static void note_received(struct side *s, uint32_t index, const struct engine_event *event)
{
	struct seen *seen = seen_at(s, index);
	uint32_t count = event->result > 0 ? (uint32_t)event->result : 0;

	assert_true(event->result <= (int)s->engine->send_most);
	seen->received_count++;
	seen->received = event->result;
	seen->end_count += event->result <= 0;
	for (uint32_t i = 0; i < count && seen->bytes + i < KEPT; i++)
		seen->data[seen->bytes + i] = ((const uint8_t *)event->data)[i];
	seen->bytes += count;
	if (s->echoes && count > 0)
		side_send(s, index, event->data, count);
	else if (s->echoes)
		side_end(s, index, ENGINE_CLOSE_FIN);
}

/* What the kernel did not take is sent again. */
static void note_sent(struct side *s, uint32_t index, const struct engine_event *event)
{
	struct seen *seen = seen_at(s, index);
	uint32_t count = event->result > 0 ? (uint32_t)event->result : 0;

	assert_true(seen->is_out);
	assert_int_equal(event->len, seen->out_len);
	assert_memory_equal(event->data, out_of(s, index), event->len);
	assert_true(count <= event->len);
	seen->sent_count++;
	seen->sent = event->result;
	seen->is_out = false;
	if (event->result < 0 && !engine_is_momentary(event->result)) {
		if (s->echoes)
			side_end(s, index, ENGINE_CLOSE_FIN);
		return;
	}
	if (count < event->len)
		side_send(s, index, (const uint8_t *)event->data + count, event->len - count);
	else if (s->echoes)
		engine_receive(s->engine, index, ENGINE_WAIT_IDLE);
}

static void note(struct side *s, const struct engine_event *event)
{
	const uint32_t index = engine_tag_index(event->tag);
	const uint8_t op = engine_tag_op(event->tag);

	if (op == ENGINE_ACCEPTED) {
		note_accepted(s, event);
		return;
	}
	struct seen *seen = seen_at(s, index);

	if (op == ENGINE_CONNECTED) {
		note_connected(s, seen, event);
		return;
	}
	if (!seen->is_open && seen->closed_in == s->polls)
		return; /* of the batch it was closed in */
	if (!seen->is_open || seen->generation != engine_tag_generation(event->tag))
		fail_msg("index %u: a stale event, operation %u", index, op);
	if (op == ENGINE_RECEIVED)
		note_received(s, index, event);
	else if (op == ENGINE_SENT)
		note_sent(s, index, event);
	else
		fail_msg("an event of operation %u", op);
}

/* --- what is lent, stays until the next poll -------------------------------------------------- */

static void remember(struct side *s, const struct engine_event *event)
{
	uint32_t len = engine_tag_op(event->tag) == ENGINE_SENT ? event->len
	               : event->result > 0                      ? (uint32_t)event->result
	                                                        : 0;
	uint32_t number = s->lent_count++;

	s->lent[number] = (struct lent){.data = event->data, .len = len};
	if (len > 0)
		memcpy(was_of(s, number), event->data, len);
}

static void assert_lent_stayed(struct side *s)
{
	for (uint32_t i = 0; i < s->lent_count; i++) {
		if (s->lent[i].len > 0)
			assert_memory_equal(s->lent[i].data, was_of(s, i), s->lent[i].len);
	}
	s->lent_count = 0;
}

int side_poll(struct side *s, uint64_t deadline_ns)
{
	struct engine_event events[BATCH];

	if (s->retries > 0)
		retry_all(s);
	assert_lent_stayed(s);
	int count = engine_poll(s->engine, events, s->max, deadline_ns);

	assert_in_range(count, 0, s->max);
	s->polls++;
	s->events += (uint32_t)count;
	for (int i = 0; i < count; i++) {
		if (engine_tag_op(events[i].tag) != ENGINE_ACCEPTED)
			remember(s, &events[i]);
	}
	for (int i = 0; i < count; i++)
		note(s, &events[i]);
	return count;
}

/* --- waiting ------------------------------------------------------------------------------ */

uint64_t pair_patience(void)
{
	return clock_now_ns() + PATIENCE_S * NS_PER_S;
}

bool pair_is_late(uint64_t end_ns)
{
	return clock_now_ns() > end_ns;
}

uint64_t side_soon(void)
{
	return clock_now_ns() + NS_PER_MS;
}

void pair_turn(struct pair *p)
{
	int count = side_poll(&p->server, 0);

	side_poll(&p->client, count > 0 ? 0 : side_soon());
}

void pair_rest(struct pair *p, uint64_t duration_ns)
{
	uint64_t end_ns = clock_now_ns() + duration_ns;

	while (clock_now_ns() < end_ns)
		pair_turn(p);
}

void side_rest(struct side *s, uint64_t duration_ns)
{
	uint64_t end_ns = clock_now_ns() + duration_ns;

	while (clock_now_ns() < end_ns)
		side_poll(s, end_ns);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void side_assert_sleeps(struct side *s)
{
	uint64_t end_ns = clock_now_ns() + RESTS * REST_NS, cpu = cpu_ns(), polls = s->polls;

	while (clock_now_ns() < end_ns)
		side_poll(s, clock_now_ns() + REST_NS);
	/* One each, and some that return early: one that spins has thousands. */
	if (s->polls - polls > 10 * RESTS)
		fail_msg("%llu polls in %llu sleeps", (unsigned long long)(s->polls - polls),
		         RESTS);
	if (cpu_ns() - cpu > RESTS * REST_NS / 2)
		fail_msg("%llu ms of CPU in %llu sleeps of 40 ms",
		         (unsigned long long)((cpu_ns() - cpu) / NS_PER_MS), RESTS);
}

/* --- opening ------------------------------------------------------------------------------ */

static uint64_t nofile(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur;
}

static void skip_where_refused(void)
{
	if (!variant->is_refused)
		return;
	print_message("%s: not on this kernel\n", variant->name);
	skip();
}

static void side_init(struct side *s)
{
	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(s->wake >= 0);
	s->max = BATCH;
}

static void side_take(struct side *s, struct engine *engine)
{
	s->engine = engine;
	s->seen_count = engine->index_end;
	s->seen = make(s->seen_count, sizeof(*s->seen));
	s->out = make(s->seen_count, engine->send_most);
	s->was = make(COUNT_OF(s->lent), engine->send_most);
	/* So that a CLOSED in poll 0 is none. */
	s->polls = 1;
}

static void open_engine(struct side *s, const struct pair_options *options, uint32_t listeners)
{
	const struct engine_config config = {
		.connections = options->connections > 0 ? options->connections : 64,
		.listeners = listeners,
		.nofile = options->nofile > 0 ? options->nofile : nofile(),
		.memlock_bytes = UINT64_MAX,
		.without = variant->without,
		.backlog = options->backlog > 0 ? options->backlog : 4096,
		.message_bytes = options->message_bytes,
		.wake_fd = s->wake,
	};
	struct engine *engine = NULL;
	struct err err = {{0}};

	if (engine_open(variant->kind, &config, &engine, &err) != 0)
		fail_msg("%s", err.text);
	side_take(s, engine);
}

struct side *side_open(const struct pair_options *options, uint32_t listeners)
{
	skip_where_refused();
	struct side *s = make(1, sizeof(*s));

	side_init(s);
	open_engine(s, options, listeners);
	return s;
}

static void side_shut(struct side *s)
{
	assert_lent_stayed(s);
	engine_shut(s->engine);
	close(s->wake);
	free(s->seen);
	free(s->out);
	free(s->was);
}

void side_close(struct side *s)
{
	side_shut(s);
	free(s);
}

static void open_fakes(struct pair *p, const struct pair_options *options)
{
	const struct fake_faults faults = {.seed = 1, .delay = 200, .send_slots = 4096};
	uint32_t connections = options->connections > 0 ? options->connections : 64;

	p->fake = fake_make(&faults, connections, p->server.wake, p->client.wake);
	side_take(&p->server, fake_engine(p->fake, FAKE_SERVER));
	side_take(&p->client, fake_engine(p->fake, FAKE_CLIENT));
}

struct pair *pair_open(const struct pair_options *options)
{
	const struct pair_options o = *options;
	int fd = -1;

	skip_where_refused();
	struct pair *p = make(1, sizeof(*p));

	side_init(&p->server);
	side_init(&p->client);
	p->server.echoes = true;
	p->resets = o.resets;
	if (variant->is_fake) {
		open_fakes(p, &o);
	} else {
		open_engine(&p->server, &o, o.listeners > 0 ? o.listeners : 1);
		open_engine(&p->client, &o, 0);
	}
	p->len = plain_address(o.is_ipv6, &p->source);
	plain_address(o.is_ipv6, &p->target);
	if (o.does_not_listen)
		return p;
	if (!variant->is_fake)
		fd = plain_listen(&p->target, p->len, o.backlog > 0 ? o.backlog : 4096);
	if (!variant->is_fake && o.resets)
		plain_reset_on_close(fd);
	assert_int_equal(engine_listen(p->server.engine, fd), 0);
	return p;
}

void pair_close(struct pair *p)
{
	/* TIME_WAIT, which the side has that closes first and in order, slows the next tests down:
	 * so it is the server that closes first where a listening socket told it to reset. */
	if (p->resets)
		engine_close_all(p->server.engine, ENGINE_CLOSE_FIN);
	engine_close_all(p->client.engine, ENGINE_CLOSE_RESET);
	side_shut(&p->client);
	side_shut(&p->server);
	if (p->fake) {
		if (fake_breach(p->fake))
			fail_msg("%s", fake_breach(p->fake));
		fake_drop(p->fake);
	}
	free(p);
}

/* --- connections -------------------------------------------------------------------------- */

/* Many addresses, as the kernel's search for a free port grows with those that one has taken. */
static struct sockaddr_storage source_of(const struct pair *p, uint32_t index)
{
	struct sockaddr_storage source = p->source;
	struct sockaddr_in in;

	if (source.ss_family != AF_INET)
		return source;
	memcpy(&in, &source, sizeof(in));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index % 200);
	memcpy(&source, &in, sizeof(in));
	return source;
}

void pair_start(struct pair *p, uint32_t index)
{
	struct sockaddr_storage source = source_of(p, index);

	side_connect(&p->client, index, &source, &p->target, p->len);
}

uint32_t pair_connect(struct pair *p, uint32_t index)
{
	uint32_t accepted = p->server.accepted;

	pair_start(p, index);
	PAIR_UNTIL(p, !p->client.seen[index].is_connecting);
	assert_int_equal(p->client.seen[index].connected, 0);
	PAIR_UNTIL(p, p->server.accepted > accepted);
	assert_int_equal(p->server.accepted, accepted + 1);
	return (uint32_t)p->server.last_accepted;
}

void pair_connect_many(struct pair *p, uint32_t count)
{
	uint32_t client = p->client.open, server = p->server.open;

	for (uint32_t i = 0; i < count; i++) {
		pair_start(p, i);
		if (i % 64 == 63)
			pair_turn(p);
	}
	PAIR_UNTIL(p, p->client.open == client + count && p->server.open == server + count);
}

void pair_start_refused(struct pair *p, uint32_t index)
{
	struct sockaddr_storage nobody = p->target;

	if (p->fake) {
		fake_refuse_next(p->fake, -ECONNREFUSED);
		side_connect(&p->client, index, &p->source, &p->target, p->len);
		return;
	}
	/* Bound, so that nobody else can listen there. */
	plain_address(nobody.ss_family == AF_INET6, &nobody);
	int fd = plain_listen(&nobody, p->len, -1);

	side_connect(&p->client, index, &p->source, &nobody, p->len);
	PAIR_UNTIL(p, !p->client.seen[index].is_connecting);
	close(fd);
}

void pair_fill(uint8_t *out, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		out[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
}

void pair_echo(struct pair *p, uint32_t index, const void *data, uint32_t len)
{
	struct seen *seen = &p->client.seen[index];
	uint32_t from = seen->bytes, end = from + len;
	uint32_t asked = seen->received_count;

	side_send(&p->client, index, data, len);
	for (;;) {
		engine_receive(p->client.engine, index, ENGINE_WAIT_SOON);
		PAIR_UNTIL(p, seen->received_count > asked);
		assert_true(seen->received > 0);
		asked = seen->received_count;
		if (seen->bytes >= end)
			break;
	}
	assert_int_equal(seen->bytes, end);
	assert_memory_equal(seen->data + from, data, len);
	PAIR_UNTIL(p, !seen->is_out);
}
