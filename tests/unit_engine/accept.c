/* accept: stopping and going on, a server that is full. */
#include "base/clock.h"
#include "unit_engine/groups.h"

#include <string.h>

static void test_stop_and_go_on(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){0});

	(void)state;
	pair_connect_many(p, 4);
	for (uint32_t round = 0; round < 3; round++) {
		engine_accept(p->server.engine, false);
		engine_accept(p->server.engine, false); /* twice is once */
		pair_rest(p, 5 * NS_PER_MS);
		/* The kernel still makes the first that fits its queue. */
		pair_start(p, 10 + round);
		pair_rest(p, 15 * NS_PER_MS);
		assert_int_equal(p->server.accepted, 4 + round);
		if (round == 0)
			side_assert_sleeps(&p->server);
		pair_echo(p, 2, "still here", 10);
		engine_accept(p->server.engine, true);
		PAIR_UNTIL(p, p->server.accepted == 5 + round);
		PAIR_UNTIL(p, p->client.open == 5 + round);
	}
	/* Off and on at once changes nothing. */
	engine_accept(p->server.engine, false);
	engine_accept(p->server.engine, true);
	pair_connect(p, 20);
	engine_accept(p->server.engine, false);
	side_poll(&p->server, 0);
	engine_accept(p->server.engine, true);
	pair_connect(p, 21);
	pair_close(p);
}

/* One that holds all it can lets others wait, asleep; where one goes, others come. */
static void test_full(void **state)
{
	enum { MOST = 32, COUNT = 100 };

	(void)state;
	if (variant->is_fake) /* its sides are of one size */
		skip();
	struct pair *p =
		pair_open(&(struct pair_options){.connections = COUNT, .does_not_listen = true});
	struct side *s = side_open(&(struct pair_options){.connections = MOST, .nofile = 128}, 1);
	int fd = plain_listen(&p->target, p->len, 4096);

	assert_int_equal(engine_listen(s->engine, fd), 0);
	for (uint32_t i = 0; i < COUNT; i++)
		pair_start(p, i);
	PAIR_UNTIL(p, p->client.open == COUNT);
	SIDE_UNTIL(s, s->open >= MOST);
	side_assert_sleeps(s);
	/* io_uring may bring in what was under way when it became full. */
	assert_in_range(s->open, MOST, variant->kind == ENGINE_EPOLL ? MOST : COUNT - 1);
	for (uint32_t left = COUNT; left > 0;) {
		uint32_t accepted = s->accepted;

		for (uint32_t i = 0; i < s->seen_count; i++) {
			if (s->seen[i].is_open) {
				side_end(s, i, ENGINE_CLOSE_FIN);
				left--;
			}
		}
		if (left > 0)
			SIDE_UNTIL(s, s->accepted > accepted);
	}
	assert_int_equal(s->accepted, COUNT);
	side_close(s);
	pair_close(p);
}

static void test_several_listeners(void **state)
{
	enum { LISTENERS = 5 };
	struct sockaddr_storage at[LISTENERS + 1];
	socklen_t len = 0;

	(void)state;
	if (variant->is_fake)
		skip();
	struct pair *p =
		pair_open(&(struct pair_options){.listeners = LISTENERS, .does_not_listen = true});

	for (uint32_t i = 0; i < LISTENERS; i++) {
		len = plain_address(false, &at[i]);
		int fd = plain_listen(&at[i], len, 64);

		assert_int_equal(engine_listen(p->server.engine, fd), 0);
	}
	plain_address(false, &at[LISTENERS]);
	assert_int_equal(engine_listen(p->server.engine, plain_listen(&at[LISTENERS], len, 64)),
	                 -ENOSPC);
	for (uint32_t i = 0; i < 40; i++)
		side_connect(&p->client, i, &p->source, &at[i % LISTENERS], len);
	PAIR_UNTIL(p, p->client.open == 40 && p->server.open == 40);
	for (uint32_t i = 0; i < 40; i++)
		pair_echo(p, i, &i, sizeof(i));
	pair_close(p);
}

/* A server that was told not to accept takes a listening socket all the same. */
static void test_listen_while_off(void **state)
{
	struct pair *p = pair_open(&(struct pair_options){.does_not_listen = true});
	int fd = -1;

	(void)state;
	engine_accept(p->server.engine, false);
	if (!variant->is_fake)
		fd = plain_listen(&p->target, p->len, 64);
	assert_int_equal(engine_listen(p->server.engine, fd), 0);
	if (!variant->is_fake) {
		pair_start(p, 0);
		pair_rest(p, 20 * NS_PER_MS);
		assert_int_equal(p->server.accepted, 0);
		engine_accept(p->server.engine, true);
		PAIR_UNTIL(p, p->server.accepted == 1);
	}
	pair_close(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_stop_and_go_on),
	cmocka_unit_test(test_full),
	cmocka_unit_test(test_several_listeners),
	cmocka_unit_test(test_listen_while_off),
};
const struct group group_accept = {"accept", tests, COUNT_OF(tests)};
