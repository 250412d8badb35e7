/* data: bytes to and fro, ends of streams, and peers that do not read. */
#include "base/clock.h"
#include "unit_engine/groups.h"

#include <stdlib.h>
#include <string.h>

static void test_echo(void **state)
{
	static const uint32_t sizes[] = {1, 16, ENGINE_SEND_MAX};
	struct pair *p = pair_open(&(struct pair_options){0});
	uint8_t data[ENGINE_SEND_MAX];

	(void)state;
	pair_connect(p, 2);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		pair_fill(data, sizes[i], (uint32_t)i);
		pair_echo(p, 2, data, sizes[i]);
	}
	pair_close(p);
}

static void test_both_ways_of_waiting(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	pair_connect(p, 0);
	for (uint32_t i = 0; i < 40; i++) {
		struct seen *seen = &p->client.seen[0];

		/* SOON and IDLE in every order, asked for before and after it is there. */
		enum engine_wait wait = i / 2 % 2 ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE;
		uint32_t bytes = seen->bytes;

		if (i % 4 < 2)
			engine_receive(p->client.engine, 0, wait);
		side_send(&p->client, 0, &i, sizeof(i));
		if (i % 4 >= 2) {
			pair_rest(p, 2 * NS_PER_MS);
			engine_receive(p->client.engine, 0, wait);
		}
		PAIR_UNTIL(p, seen->bytes == bytes + sizeof(i) && !seen->is_out);
		assert_memory_equal(seen->data + bytes, &i, sizeof(i));
	}
	assert_int_equal(p->client.seen[0].received_count, 40);
	pair_close(p);
}

/* More than a poll lends comes in pieces, in order. */
static void test_long_stream(void **state)
{
	enum { LENGTH = 1500 };
	struct pair *p = pair_open(&(struct pair_options){0});
	uint8_t data[LENGTH];
	uint32_t at, given = 0;

	(void)state;
	pair_fill(data, LENGTH, 9);
	at = pair_connect(p, 0);
	while (given < LENGTH) {
		uint32_t len = LENGTH - given < ENGINE_SEND_MAX ? LENGTH - given : ENGINE_SEND_MAX;

		/* The server sends of itself; nobody asks yet. */
		p->server.echoes = false;
		side_send(&p->server, at, data + given, len);
		PAIR_UNTIL(p, !p->server.seen[at].is_out);
		given += len;
	}
	assert_int_equal(p->client.seen[0].received_count, 0);
	while (p->client.seen[0].bytes < LENGTH) {
		uint32_t count = p->client.seen[0].received_count;

		engine_receive(p->client.engine, 0,
		               count % 2 ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE);
		PAIR_UNTIL(p, p->client.seen[0].received_count == count + 1);
		assert_true(p->client.seen[0].received > 0);
	}
	assert_memory_equal(p->client.seen[0].data, data, LENGTH);
	pair_close(p);
}

/* A FIN is told once, and does not keep poll from sleeping. */
static void test_fin(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	uint32_t at;

	(void)state;
	p->server.echoes = false;
	at = pair_connect(p, 0);
	side_end(&p->client, 0, ENGINE_CLOSE_FIN);
	PAIR_UNTIL(p, p->server.seen[at].received_count == 1);
	assert_int_equal(p->server.seen[at].received, 0);
	side_assert_sleeps(&p->server);
	assert_int_equal(p->server.seen[at].received_count, 1);
	side_end(&p->server, at, ENGINE_CLOSE_FIN);

	at = pair_connect(p, 1);
	engine_receive(p->client.engine, 1, ENGINE_WAIT_SOON);
	side_end(&p->server, at, ENGINE_CLOSE_FIN);
	PAIR_UNTIL(p, p->client.seen[1].received_count == 1);
	assert_int_equal(p->client.seen[1].received, 0);
	side_assert_sleeps(&p->client);
	assert_int_equal(p->client.seen[1].received_count, 1);
	pair_close(p);
}

/* Data before a FIN comes first. */
static void test_data_before_fin(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	uint32_t at;

	(void)state;
	p->server.echoes = false;
	at = pair_connect(p, 0);
	side_send(&p->server, at, "last words", 10);
	PAIR_UNTIL(p, !p->server.seen[at].is_out);
	side_end(&p->server, at, ENGINE_CLOSE_FIN);
	pair_rest(p, 5 * NS_PER_MS);
	engine_receive(p->client.engine, 0, ENGINE_WAIT_IDLE);
	PAIR_UNTIL(p, p->client.seen[0].received_count == 1);
	assert_int_equal(p->client.seen[0].bytes, 10);
	engine_receive(p->client.engine, 0, ENGINE_WAIT_IDLE);
	PAIR_UNTIL(p, p->client.seen[0].received_count == 2);
	assert_int_equal(p->client.seen[0].received, 0);
	pair_close(p);
}

/* Nobody asked: nothing is told, and nothing spins, though data and an end are there. */
static void test_not_asked(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	struct seen *seen = &p->client.seen[0];
	uint32_t at;

	(void)state;
	p->server.echoes = false;
	at = pair_connect(p, 0);
	engine_receive(p->client.engine, 0, ENGINE_WAIT_IDLE);
	side_send(&p->server, at, "one", 3);
	PAIR_UNTIL(p, seen->received_count == 1 && !p->server.seen[at].is_out);
	side_send(&p->server, at, "two", 3);
	PAIR_UNTIL(p, !p->server.seen[at].is_out);
	side_assert_sleeps(&p->client);
	assert_int_equal(seen->received_count, 1);
	engine_receive(p->client.engine, 0, ENGINE_WAIT_SOON);
	PAIR_UNTIL(p, seen->received_count == 2);
	assert_memory_equal(seen->data, "onetwo", 6);
	side_send(&p->server, at, "three", 5);
	PAIR_UNTIL(p, !p->server.seen[at].is_out);
	side_end(&p->server, at, ENGINE_CLOSE_FIN);
	side_assert_sleeps(&p->client);
	assert_int_equal(seen->received_count, 2);
	engine_receive(p->client.engine, 0, ENGINE_WAIT_IDLE);
	PAIR_UNTIL(p, seen->received_count == 3);
	assert_memory_equal(seen->data, "onetwothree", 11);
	pair_close(p);
}

/* The byte at `at` of a stream that has no period. */
static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static void send_next(struct side *s, uint32_t index, uint64_t *given)
{
	uint8_t data[ENGINE_SEND_MAX];

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = byte_at(*given + i);
	side_send(s, index, data, sizeof(data));
	*given += sizeof(data);
}

/* Sends until SENT stays out. Returns how many bytes were given. A late ACK (up to 40 ms) lets the
 * send buffer grow once more, and a machine that stands still has not looked: so it is out for
 * longer than that and for many polls. */
static uint64_t send_until_blocked(struct pair *p, uint32_t at)
{
	uint64_t given = 0;

	for (uint64_t moved_ns = clock_now_ns(), moved_in = p->server.polls;;) {
		if (!p->server.seen[at].is_out) {
			send_next(&p->server, at, &given);
			moved_ns = clock_now_ns();
			moved_in = p->server.polls;
		}
		if (clock_now_ns() - moved_ns > 60 * NS_PER_MS && p->server.polls - moved_in > 20)
			return given;
		assert_true(given < 100U << 20);
		side_poll(&p->server, side_soon());
	}
}

static void read_all(struct pair *p, uint64_t given)
{
	struct seen *seen = &p->client.seen[0];

	for (uint64_t at = 0; at < given;) {
		uint32_t count = seen->received_count;

		seen->bytes = 0;
		engine_receive(p->client.engine, 0, ENGINE_WAIT_SOON);
		PAIR_UNTIL(p, seen->received_count == count + 1);
		assert_true(seen->received > 0);
		for (uint32_t i = 0; i < seen->bytes; i++)
			assert_int_equal(seen->data[i], byte_at(at + i));
		at += seen->bytes;
	}
}

static void test_peer_that_does_not_read(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	uint64_t given;
	uint32_t at, sent;

	(void)state;
	at = pair_connect(p, 0);
	p->server.echoes = false;
	given = send_until_blocked(p, at);
	sent = p->server.seen[at].sent_count;
	p->server.echoes = true;
	pair_connect(p, 1);
	pair_echo(p, 1, "others are served", 17);
	p->server.echoes = false;
	side_assert_sleeps(&p->server);
	assert_int_equal(p->server.seen[at].sent_count, sent);
	read_all(p, given);
	PAIR_UNTIL(p, !p->server.seen[at].is_out);
	/* Nothing twice: what comes after all that is the next. */
	side_send(&p->server, at, "next", 4);
	p->client.seen[0].bytes = 0;
	engine_receive(p->client.engine, 0, ENGINE_WAIT_SOON);
	PAIR_UNTIL(p, p->client.seen[0].bytes == 4);
	assert_memory_equal(p->client.seen[0].data, "next", 4);
	pair_close(p);
}

/* A send that waits for room ends with its connection, and gives its place back. */
static void test_close_while_sending(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	p->server.echoes = false;
	for (uint32_t life = 0; life < 2; life++) {
		uint32_t at = pair_connect(p, life);

		send_until_blocked(p, at);
		if (life % 2) {
			side_end(&p->server, at, ENGINE_CLOSE_RESET);
			side_end(&p->client, life, ENGINE_CLOSE_FIN);
			pair_rest(p, 10 * NS_PER_MS);
			continue;
		}
		/* The peer goes, without having read: that is the send's end. */
		side_end(&p->client, life, ENGINE_CLOSE_RESET);
		PAIR_UNTIL(p, !p->server.seen[at].is_out);
		assert_true(p->server.seen[at].sent < 0 || p->server.seen[at].end_count > 0);
		side_assert_sleeps(&p->server);
		side_end(&p->server, at, ENGINE_CLOSE_FIN);
	}
	p->server.echoes = true;
	pair_connect(p, 9);
	pair_echo(p, 9, "goes on", 7);
	pair_close(p);
}

/* More sends than an engine takes: -EAGAIN, and after a poll it takes them again. */
static void test_too_many_sends(void **state)
{
	enum { COUNT = 4200 };
	struct pair *p = pair_open(&(struct pair_options){.connections = COUNT, .resets = true});
	uint32_t refused = 0;

	(void)state;
	pair_connect_many(p, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		side_send(&p->client, i, &i, sizeof(i));
		refused += p->client.seen[i].is_to_retry;
	}
	/* Where it refuses one it does not take it too: the echo would tell. */
	assert_int_equal(refused, COUNT - 4096);
	for (uint32_t i = 0; i < COUNT; i++) {
		PAIR_UNTIL(p, p->client.seen[i].sent_count == 1);
		engine_receive(p->client.engine, i, ENGINE_WAIT_SOON);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		PAIR_UNTIL(p, p->client.seen[i].bytes > 0);
		assert_int_equal(p->client.seen[i].bytes, sizeof(i));
		assert_memory_equal(p->client.seen[i].data, &i, sizeof(i));
	}
	pair_close(p);
}

/* A caller that answers each batch with sends never leaves the engine without something to tell:
 * what was lent must come back all the same. */
static void test_sends_without_pause(void **state)
{
	enum { COUNT = 300, ROUNDS = 60 };
	struct pair *p = pair_open(&(struct pair_options){.connections = COUNT, .resets = true});
	struct side *s = &p->server;
	uint64_t rounds = 0;

	(void)state;
	pair_connect_many(p, COUNT);
	s->echoes = false;
	for (uint32_t i = 0; i < s->seen_count; i++)
		if (s->seen[i].is_open)
			side_send(s, i, "0123456789abcdef", 16);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		side_poll(s, side_soon());
		assert_int_equal(s->retries, 0);
		for (uint32_t i = 0; i < s->seen_count; i++) {
			if (!s->seen[i].is_open || s->seen[i].is_out)
				continue;
			side_send(s, i, "0123456789abcdef", 16);
			rounds++;
			/* As many are under way as there are connections, far fewer than fit. */
			assert_false(s->seen[i].is_to_retry);
		}
	}
	assert_true(rounds > 4096);
	pair_close(p);
}

/* Engines of kernel sockets take as much as they are asked to, up to the next power of two. */
static void test_large_messages(void **state)
{
	static const uint32_t asked[] = {0, 129, 3000, ENGINE_SEND_MOST, UINT32_MAX};
	static const uint32_t most[] = {ENGINE_SEND_MAX, 256, 4096, ENGINE_SEND_MOST,
	                                ENGINE_SEND_MOST};
	static uint8_t data[ENGINE_SEND_MOST];

	(void)state;
	if (variant->is_fake)
		skip();
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		struct pair *p = pair_open(&(struct pair_options){.message_bytes = asked[i]});
		struct seen *seen = &p->client.seen[1];

		assert_int_equal(p->client.engine->send_most, most[i]);
		pair_connect(p, 1);
		pair_fill(data, most[i], (uint32_t)i);
		side_send(&p->client, 1, data, most[i]);
		for (uint32_t at = 0, count; at < most[i]; at += count) {
			seen->bytes = 0;
			engine_receive(p->client.engine, 1, ENGINE_WAIT_SOON);
			PAIR_UNTIL(p, seen->bytes > 0);
			count = seen->bytes;
			assert_true(at + count <= most[i]);
			assert_memory_equal(seen->data, data + at, count < KEPT ? count : KEPT);
		}
		PAIR_UNTIL(p, !seen->is_out);
		pair_close(p);
	}
}

/* More connections have something at a time than there are buffers: none is forgotten, and none is
 * served twice before all are. */
static void test_few_buffers(void **state)
{
	enum { COUNT = 300, ROUNDS = 3 };
	static uint8_t data[ENGINE_SEND_MOST];
	struct pair *p;

	(void)state;
	if (variant->is_fake)
		skip();
	p = pair_open(&(struct pair_options){
		.connections = COUNT, .resets = true, .message_bytes = ENGINE_SEND_MOST});
	pair_connect_many(p, COUNT);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < COUNT; i++) {
			pair_fill(data, 1000, i + round);
			side_send(&p->client, i, data, 1000);
		}
		pair_rest(p, 20 * NS_PER_MS); /* all answers are there before they are asked for */
		for (uint32_t i = 0; i < COUNT; i++) {
			p->client.seen[i].bytes = 0;
			engine_receive(p->client.engine, i,
			               i % 2 ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE);
		}
		for (uint32_t i = 0; i < COUNT; i++) {
			PAIR_UNTIL(p, p->client.seen[i].bytes > 0 && !p->client.seen[i].is_out);
			assert_int_equal(p->client.seen[i].received_count, round + 1);
			pair_fill(data, 1000, i + round);
			assert_int_equal(p->client.seen[i].bytes, 1000);
			assert_memory_equal(p->client.seen[i].data, data, 1000);
		}
	}
	side_assert_sleeps(&p->client);
	pair_close(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_echo),
	cmocka_unit_test(test_both_ways_of_waiting),
	cmocka_unit_test(test_long_stream),
	cmocka_unit_test(test_fin),
	cmocka_unit_test(test_data_before_fin),
	cmocka_unit_test(test_not_asked),
	cmocka_unit_test(test_peer_that_does_not_read),
	cmocka_unit_test(test_close_while_sending),
	cmocka_unit_test(test_too_many_sends),
	cmocka_unit_test(test_sends_without_pause),
	cmocka_unit_test(test_large_messages),
	cmocka_unit_test(test_few_buffers),
};
const struct group group_data = {"data", tests, COUNT_OF(tests)};
