/* fake: the judge is judged: what the contract forbids is noted, each by itself. */
#include "unit_behaviour/groups.h"
#include "unit_behaviour/world.h"

#include <string.h>

/* A connection, index 0 at both ends, and what is done to it. */
struct bench {
	struct fake *fake;
	struct engine *server, *client;
	uint32_t accepted;
	struct sockaddr_storage address;
};

static int turn(struct engine *e, struct engine_event *event)
{
	return engine_poll(e, event, 1, 0);
}

static void connect_one(struct bench *b)
{
	struct engine_event event;

	engine_connect(b->client, 0, (const struct sockaddr *)&b->address,
	               (const struct sockaddr *)&b->address, sizeof(b->address));
	assert_int_equal(turn(b->client, &event), 1);
	assert_int_equal(turn(b->server, &event), 1);
	assert_int_equal(engine_tag_op(event.tag), ENGINE_ACCEPTED);
	b->accepted = engine_tag_index(event.tag);
}

static void send_twice(struct bench *b)
{
	engine_send(b->client, 0, "one", 3);
	engine_send(b->client, 0, "two", 3);
}

static void send_nothing(struct bench *b)
{
	engine_send(b->client, 0, "", 0);
}

static void send_too_much(struct bench *b)
{
	static const char much[ENGINE_SEND_MAX + 1];

	engine_send(b->client, 0, much, sizeof(much));
}

static void send_on_free(struct bench *b)
{
	engine_send(b->client, 1, "one", 3);
}

static void receive_twice(struct bench *b)
{
	engine_receive(b->client, 0, ENGINE_WAIT_SOON);
	engine_receive(b->client, 0, ENGINE_WAIT_IDLE);
}

static void receive_unneeded(struct bench *b)
{
	engine_receive(b->server, b->accepted, ENGINE_WAIT_IDLE);
}

static void receive_on_free(struct bench *b)
{
	engine_close(b->client, 0, ENGINE_CLOSE_FIN);
	engine_receive(b->client, 0, ENGINE_WAIT_SOON);
}

static void close_twice(struct bench *b)
{
	engine_close(b->client, 0, ENGINE_CLOSE_FIN);
	engine_close(b->client, 0, ENGINE_CLOSE_FIN);
}

static void connect_twice(struct bench *b)
{
	engine_connect(b->client, 0, (const struct sockaddr *)&b->address,
	               (const struct sockaddr *)&b->address, sizeof(b->address));
}

static void rightly(struct bench *b)
{
	struct engine_event event;

	engine_send(b->client, 0, "right", 5);
	engine_receive(b->client, 0, ENGINE_WAIT_SOON);
	for (int i = 0; i < 10 && turn(b->server, &event) == 0; i++)
		continue;
	assert_int_equal(event.result, 5);
	assert_memory_equal(event.data, "right", 5);
	engine_close(b->server, b->accepted, ENGINE_CLOSE_FIN);
}

static void test_breaches(void **state)
{
	static const struct {
		void (*do_it)(struct bench *b);
		bool is_breach;
	} cases[] = {
		{rightly, false},        {send_twice, true},    {send_nothing, true},
		{send_too_much, true},   {send_on_free, true},  {receive_twice, true},
		{close_twice, true},     {connect_twice, true}, {receive_unneeded, true},
		{receive_on_free, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct fake_faults none = {.seed = i};
		struct bench b = {.fake = fake_make(&none, 4, -1, -1)};

		b.address.ss_family = AF_INET;
		b.server = fake_engine(b.fake, FAKE_SERVER);
		b.client = fake_engine(b.fake, FAKE_CLIENT);
		assert_int_equal(engine_listen(b.server, -1), 0);
		connect_one(&b);
		cases[i].do_it(&b);
		assert_int_equal(fake_breach(b.fake) != NULL, cases[i].is_breach);
		engine_shut(b.client);
		engine_shut(b.server);
		fake_drop(b.fake);
	}
}

int run_fake_tests(void)
{
	static const struct CMUnitTest fake_tests[] = {cmocka_unit_test(test_breaches)};

	return cmocka_run_group_tests_name("fake", fake_tests, NULL, NULL);
}
