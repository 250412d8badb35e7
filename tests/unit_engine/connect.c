/* connect: begin and end of connections, stale events, sleeping. */
#include "base/clock.h"
#include "unit_engine/groups.h"

#include <string.h>
#include <unistd.h>

static void test_index_is_the_callers(void **state)
{
	static const uint32_t indexes[] = {3, 0, 63, 17, 62};
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	for (size_t i = 0; i < COUNT_OF(indexes); i++) {
		uint32_t at = pair_connect(p, indexes[i]);

		assert_true(p->client.seen[indexes[i]].is_open);
		assert_in_range(at, 0, p->server.engine->index_end - 1);
	}
	assert_int_equal(p->client.open, COUNT_OF(indexes));
	assert_int_equal(p->server.open, COUNT_OF(indexes));
	pair_close(p);
}

static void test_refused(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	for (int i = 0; i < 5; i++) {
		pair_start_refused(p, 7);
		PAIR_UNTIL(p, !p->client.seen[7].is_connecting);
		assert_int_equal(p->client.seen[7].connected, -ECONNREFUSED);
		assert_int_equal(p->client.seen[7].connected_count, 1);
	}
	/* The index is free again. */
	pair_connect(p, 7);
	pair_echo(p, 7, "again", 5);
	pair_close(p);
}

static void test_close_while_connecting(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	for (uint32_t i = 0; i < 32; i++) {
		pair_start(p, i);
		if (i % 2)
			side_end(&p->client, i, ENGINE_CLOSE_FIN);
	}
	PAIR_UNTIL(p, p->client.open == 16);
	pair_rest(p, 50 * NS_PER_MS); /* an event of those closed would fail in side_poll */
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(p->client.seen[i].connected_count, i % 2 ? 0 : 1);
	pair_close(p);
}

/* What was connected, closed and connected anew before a poll is one connection. */
static void test_close_and_connect_in_a_batch(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){.connections = 300});

	(void)state;
	for (int i = 0; i < 50; i++) {
		pair_start(p, 5);
		side_end(&p->client, 5, i % 2 ? ENGINE_CLOSE_FIN : ENGINE_CLOSE_RESET);
	}
	pair_start(p, 5);
	PAIR_UNTIL(p, p->client.open == 1);
	pair_echo(p, 5, "the last", 8);
	pair_rest(p, 20 * NS_PER_MS);
	assert_int_equal(p->client.seen[5].connected_count, 1);
	pair_close(p);
}

/* A connect that fails at once, closed before its event, says nothing to the next life. */
static void test_failed_then_closed_is_silent(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	struct sockaddr_storage taken;
	int fd = -1;

	(void)state;
	if (!p->fake) {
		plain_address(false, &taken);
		fd = plain_listen(&taken, p->len, 1); /* its port cannot be a source */
	}
	for (uint32_t i = 0; i < 20; i++) {
		if (p->fake)
			pair_start_refused(p, i);
		else
			side_connect(&p->client, i, &taken, &p->target, p->len);
		side_end(&p->client, i, ENGINE_CLOSE_FIN);
		pair_start(p, i);
	}
	PAIR_UNTIL(p, p->client.open == 20);
	pair_rest(p, 20 * NS_PER_MS);
	assert_int_equal(p->client.open, 20);
	pair_echo(p, 19, "lives", 5);
	if (!p->fake) {
		side_connect(&p->client, 33, &taken, &p->target, p->len);
		PAIR_UNTIL(p, !p->client.seen[33].is_connecting);
		assert_int_equal(p->client.seen[33].connected, -EADDRINUSE);
		close(fd);
	}
	pair_close(p);
}

/* Lives of one index follow each other with everything under way: each must see its own only. */
static void test_no_stale_events(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){.connections = 64});
	uint8_t data[16];

	(void)state;
	for (uint32_t life = 0; life < 100; life++) {
		uint32_t count = 8;

		PAIR_UNTIL(p, p->server.open == 0);
		pair_connect_many(p, count);
		for (uint32_t i = 0; i < count; i++) {
			pair_fill(data, sizeof(data), life * count + i);
			engine_receive(p->client.engine, i,
			               i % 2 ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE);
			side_send(&p->client, i, data, sizeof(data));
		}
		for (uint32_t turn = 0; turn < life % 3; turn++)
			pair_turn(p);
		for (uint32_t i = 0; i < count; i++) {
			struct seen *seen = &p->client.seen[i];

			pair_fill(data, sizeof(data), life * count + i);
			if (seen->bytes > 0)
				assert_memory_equal(seen->data, data, seen->bytes);
			side_end(&p->client, i, life % 2 ? ENGINE_CLOSE_RESET : ENGINE_CLOSE_FIN);
		}
	}
	pair_close(p);
}

static void test_many(void **state)
{
	enum { COUNT = 2000 };
	struct pair *p = pair_open(&(struct pair_options){.connections = COUNT, .resets = true});

	(void)state;
	pair_connect_many(p, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		engine_receive(p->client.engine, i, i % 3 ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE);
		side_send(&p->client, i, &i, sizeof(i));
		if (i % 100 == 99)
			pair_turn(p);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		PAIR_UNTIL(p, p->client.seen[i].bytes == sizeof(i));
		assert_memory_equal(p->client.seen[i].data, &i, sizeof(i));
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(p->client.seen[i].received_count, 1);
		PAIR_UNTIL(p, p->client.seen[i].sent_count == 1);
	}
	pair_close(p);
}

static void test_close_all(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	pair_connect_many(p, 20);
	pair_start(p, 40); /* and one under way */
	engine_close_all(p->client.engine, ENGINE_CLOSE_FIN);
	memset(p->client.seen, 0, p->client.seen_count * sizeof(*p->client.seen));
	p->client.open = 0;
	PAIR_UNTIL(p, p->server.open == 0);
	pair_rest(p, 20 * NS_PER_MS);
	pair_connect(p, 3); /* every index is free again */
	pair_echo(p, 3, "after", 5);
	p->server.echoes = false;
	engine_receive(p->client.engine, 3, ENGINE_WAIT_IDLE);
	engine_close_all(p->server.engine, ENGINE_CLOSE_FIN);
	memset(p->server.seen, 0, p->server.seen_count * sizeof(*p->server.seen));
	SIDE_UNTIL(&p->client, p->client.seen[3].end_count == 1);
	pair_start_refused(p, 9);
	PAIR_UNTIL(p, !p->client.seen[9].is_connecting);
	assert_int_equal(p->client.seen[9].connected, -ECONNREFUSED);
	pair_close(p);
}

static void ring(int bell)
{
	const uint64_t one = 1;

	assert_int_equal(write(bell, &one, sizeof(one)), sizeof(one));
}

static void test_wake(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	pair_connect(p, 0);
	for (int i = 0; i < 3; i++) {
		uint64_t begin_ns = clock_now_ns();

		/* A sleeping poll may end early for other reasons: all must end, and soon. */
		ring(p->client.wake);
		side_poll(&p->client, UINT64_MAX);
		ring(p->server.wake);
		side_poll(&p->server, UINT64_MAX);
		assert_in_range(clock_now_ns() - begin_ns, 0, NS_PER_S);
	}
	side_assert_sleeps(&p->client);
	side_assert_sleeps(&p->server);
	pair_close(p);
}

/* The bell is rung by another process while this one sleeps. */
static void test_wake_from_sleep(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	uint64_t begin_ns = clock_now_ns();
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		const uint64_t one = 1;

		clock_sleep_ns(100 * NS_PER_MS);
		_exit(write(p->server.wake, &one, sizeof(one)) == sizeof(one) ? 0 : 1);
	}
	while (clock_now_ns() - begin_ns < 80 * NS_PER_MS)
		side_poll(&p->server, begin_ns + 5 * NS_PER_S);
	assert_in_range(clock_now_ns() - begin_ns, 80 * NS_PER_MS, 2 * NS_PER_S);
	pair_close(p);
}

static void test_deadlines(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});
	uint64_t begin_ns;

	(void)state;
	pair_connect(p, 0);
	pair_rest(p, 10 * NS_PER_MS);
	begin_ns = clock_now_ns();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(side_poll(&p->client, 0), 0);
		assert_int_equal(side_poll(&p->server, begin_ns - 1), 0);
	}
	assert_in_range(clock_now_ns() - begin_ns, 0, NS_PER_S / 2);
	side_assert_sleeps(&p->client);
	side_assert_sleeps(&p->server);
	pair_close(p);
}

static void test_ipv6(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){.is_ipv6 = true});

	(void)state;
	pair_connect(p, 1);
	pair_connect(p, 0);
	pair_echo(p, 1, "one", 3);
	pair_echo(p, 0, "nought", 6);
	pair_close(p);
}

/* Events wait where poll takes fewer than there are; none is lost, none comes twice. */
static void test_one_event_a_poll(void **state)
{
	enum { COUNT = 200 };
	struct pair *p = pair_open(&(struct pair_options){.connections = COUNT, .resets = true});

	(void)state;
	p->client.max = p->server.max = 1;
	pair_connect_many(p, COUNT);
	for (uint32_t round = 1; round <= 3; round++) {
		for (uint32_t i = 0; i < COUNT; i++) {
			uint32_t word = i * 1000 + round;

			engine_receive(p->client.engine, i, ENGINE_WAIT_SOON);
			side_send(&p->client, i, &word, sizeof(word));
		}
		for (uint32_t i = 0; i < COUNT; i++) {
			struct seen *seen = &p->client.seen[i];
			uint32_t word = i * 1000 + round;

			PAIR_UNTIL(p, seen->bytes == round * sizeof(word) && !seen->is_out);
			assert_memory_equal(seen->data + (round - 1) * sizeof(word), &word,
			                    sizeof(word));
			assert_int_equal(seen->sent_count, round);
			assert_int_equal(seen->received_count, round);
		}
	}
	pair_close(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_index_is_the_callers),
	cmocka_unit_test(test_refused),
	cmocka_unit_test(test_close_while_connecting),
	cmocka_unit_test(test_close_and_connect_in_a_batch),
	cmocka_unit_test(test_failed_then_closed_is_silent),
	cmocka_unit_test(test_no_stale_events),
	cmocka_unit_test(test_many),
	cmocka_unit_test(test_close_all),
	cmocka_unit_test(test_wake),
	cmocka_unit_test(test_wake_from_sleep),
	cmocka_unit_test(test_deadlines),
	cmocka_unit_test(test_ipv6),
	cmocka_unit_test(test_one_event_a_poll),
};
const struct group group_connect = {"connect", tests, COUNT_OF(tests)};
