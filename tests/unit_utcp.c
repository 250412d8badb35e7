/* unit_utcp: the engine over a device of the test's own: what is put into it, what comes out of it,
 * and in which order it is told. Time is the test's. */
#include "utcp/utcp.h"

#include "unit_utcp/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CONNECTIONS 40
#define FIRST       80 /* of the plan: the worker's sources are the third and fourth */
#define EACH        20
#define SERVER_ISS  UINT32_C(0xfffffff0) /* it wraps soon */

/* --- the engine on it ----------------------------------------------------------------------- */

static struct tuple_plan plan;
static struct packets packets;
static struct engine *engine;
static struct engine_event events[16];
static int wake;

static void message(void *context, uint32_t index, uint8_t *out)
{
	assert_ptr_equal(context, &wire);
	memset(out, (int)('a' + index), ENGINE_SEND_MAX);
}

static void make_plan(void)
{
	struct ip first;

	assert_int_equal(ip_parse("198.18.0.1", &first), 0);
	assert_int_equal(ip_parse("198.19.0.1", &plan.target), 0);
	pool_set(&plan.sources, &first, 8);
	plan.source_count = 8;
	plan.target_port_low = 8090;
	plan.target_port_count = 1;
	plan.by_source = true;
	assert_int_equal(tuple_set_ports(&plan, 20000, 30000, NULL, EACH), EACH);
}

static int open_engine(void **state)
{
	struct err err;

	(void)state;
	memset(&packets, 0, sizeof(packets));
	make_plan();
	wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	wire_open();
	const struct engine_config config = {
		.connections = CONNECTIONS,
		.tuples = &plan,
		.first = FIRST,
		.message = message,
		.message_context = &wire,
		.packets = &packets,
		.wake_fd = wake,
	};

	return utcp_open_over(&wire.device, &config, &engine, &err);
}

static int shut_engine(void **state)
{
	(void)state;
	engine_shut(engine);
	close(wake);
	return wire.is_closed ? 0 : -1;
}

static void bring_to(uint32_t index, uint8_t flags, uint32_t seq, uint32_t ack, const char *text)
{
	const struct tuple tuple = tuple_at(&plan, FIRST + index);
	const struct segment segment = {
		.seq = seq,
		.ack = ack,
		.window = 1000,
		.flags = flags,
		.len = text ? (uint16_t)strlen(text) : 0,
		.data = (const uint8_t *)text,
	};

	wire_bring(&tuple, &segment);
}

static int poll_now(void)
{
	return engine_poll(engine, events, 16, 0);
}

static void expect_event(int number, enum engine_op op, uint32_t index, int result)
{
	assert_int_equal(engine_tag_op(events[number].tag), op);
	assert_int_equal(engine_tag_index(events[number].tag), index);
	assert_int_equal(events[number].result, result);
}

static void start(uint32_t index)
{
	struct sockaddr_storage source, target;
	const struct tuple t = tuple_at(&plan, FIRST + index);
	socklen_t len = ip_sockaddr(&t.source, t.source_port, &source);

	ip_sockaddr(&t.target, t.target_port, &target);
	engine_connect(engine, index, (const struct sockaddr *)&source,
	               (const struct sockaddr *)&target, len);
}

/* Opens a connection; returns the first sequence number of its data. */
static uint32_t open_one(uint32_t index)
{
	start(index);
	uint32_t iss = wire_last()->segment.seq;

	bring_to(index, SEGMENT_SYN | SEGMENT_ACK, SERVER_ISS, iss + 1, NULL);
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_CONNECTED, index, 0);
	wire_expect_puts(2);
	return iss + 1;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void test_connect(void **state)
{
	const struct tuple expected = tuple_at(&plan, FIRST + 7);

	(void)state;
	start(7);
	const struct packet *syn = wire_last();
	uint32_t iss = syn->segment.seq;

	assert_true(ip_equal(&syn->tuple.target, &expected.source)); /* as the receiver sees it */
	assert_true(ip_equal(&syn->tuple.source, &expected.target));
	assert_int_equal(syn->tuple.target_port, expected.source_port);
	assert_int_equal(syn->tuple.source_port, 8090);
	assert_int_equal(syn->segment.flags, SEGMENT_SYN);
	assert_int_equal(syn->segment.mss, 1460);
	bring_to(7, SEGMENT_SYN | SEGMENT_ACK, SERVER_ISS, iss + 1, NULL);
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_CONNECTED, 7, 0);
	assert_int_equal(wire_last()->segment.flags, SEGMENT_ACK);
	assert_int_equal(wire_last()->segment.seq, iss + 1);
	assert_int_equal(wire_last()->segment.ack, SERVER_ISS + 1);
	assert_int_equal(packets.sent, 2);
	assert_int_equal(packets.received, 1);
}

static void test_refused(void **state)
{
	(void)state;
	start(3);
	bring_to(3, SEGMENT_RST | SEGMENT_ACK, 0, wire_last()->segment.seq + 1, NULL);
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_CONNECTED, 3, -ECONNREFUSED);
	uint32_t life = engine_tag_generation(events[0].tag);

	start(3); /* the index is free again, and another life */
	bring_to(3, SEGMENT_SYN | SEGMENT_ACK, SERVER_ISS, wire_last()->segment.seq + 1, NULL);
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_CONNECTED, 3, 0);
	assert_int_not_equal(engine_tag_generation(events[0].tag), life);
}

/* The answer acknowledges the question: SENT, then RECEIVED, whose data is the packet's. */
static void test_echo(void **state)
{
	uint32_t seq = open_one(5);

	(void)state;
	assert_int_equal(engine_send(engine, 5, "sixteen bytes ok", 16), 0);
	engine_receive(engine, 5, ENGINE_WAIT_SOON);
	assert_int_equal(wire_last()->segment.len, 16);
	assert_memory_equal(wire_last()->segment.data, "sixteen bytes ok", 16);
	bring_to(5, SEGMENT_ACK | SEGMENT_PSH, SERVER_ISS + 1, seq + 16, "sixteen bytes ok");
	assert_int_equal(poll_now(), 2);
	expect_event(0, ENGINE_SENT, 5, 16);
	expect_event(1, ENGINE_RECEIVED, 5, 16);
	assert_memory_equal(events[1].data, "sixteen bytes ok", 16);
	assert_int_equal(wire_last()->segment.ack, SERVER_ISS + 17);
	wire_expect_puts(2);
}

/* What is sent again is asked for: nothing of it was kept. */
static void test_message_is_asked_for_again(void **state)
{
	uint8_t expected[4];
	uint32_t seq = open_one(2);

	(void)state;
	memset(expected, 'a' + 2, sizeof(expected));
	assert_int_equal(engine_send(engine, 2, "cccc", 4), 0);
	wire.now_ns += 100 * WIRE_MS;
	assert_int_equal(poll_now(), 0);
	wire_expect_puts(1);
	wire.now_ns += 2000 * WIRE_MS;
	assert_int_equal(poll_now(), 0);
	assert_int_equal(wire_last()->segment.seq, seq);
	assert_memory_equal(wire_last()->segment.data, expected, 4);
	wire_expect_puts(1);
	assert_int_equal(packets.retransmitted, 1);
}

/* Three in one batch, for a caller who takes one event at a time. */
static void test_events_one_by_one(void **state)
{
	uint32_t seq = open_one(1);
	struct engine_event one;

	(void)state;
	assert_int_equal(engine_send(engine, 1, "x", 1), 0);
	engine_receive(engine, 1, ENGINE_WAIT_SOON);
	bring_to(1, SEGMENT_ACK, SERVER_ISS + 1, seq + 1, "answer");
	assert_int_equal(engine_poll(engine, &one, 1, 0), 1);
	assert_int_equal(engine_tag_op(one.tag), ENGINE_SENT);
	assert_int_equal(engine_poll(engine, &one, 1, 0), 1);
	assert_int_equal(engine_tag_op(one.tag), ENGINE_RECEIVED);
	assert_memory_equal(one.data, "answer", 6);
	assert_int_equal(engine_poll(engine, &one, 1, 0), 0);
}

/* What waits for the next poll is not told of a connection that was closed meanwhile, nor of its
 * next life. */
static void test_nothing_is_told_of_what_was_closed(void **state)
{
	struct engine_event one;
	uint32_t index;

	(void)state;
	for (index = 1; index < 3; index++) {
		uint32_t seq = open_one(index);

		assert_int_equal(engine_send(engine, index, "x", 1), 0);
		engine_receive(engine, index, ENGINE_WAIT_SOON);
		bring_to(index, SEGMENT_ACK, SERVER_ISS + 1, seq + 1, "answer");
		assert_int_equal(engine_poll(engine, &one, 1, 0), 1);
		assert_int_equal(engine_tag_op(one.tag), ENGINE_SENT);
		engine_close(engine, index, ENGINE_CLOSE_RESET);
		if (index == 2)
			start(index);
		assert_int_equal(engine_poll(engine, &one, 1, 0), 0);
		wire.sent_count = 0;
	}
}

/* Data in two packets of a batch: the second waits until the caller asks for it. */
static void test_data_waits_for_who_asks(void **state)
{
	uint32_t seq = open_one(9);

	(void)state;
	engine_receive(engine, 9, ENGINE_WAIT_IDLE);
	bring_to(9, SEGMENT_ACK, SERVER_ISS + 1, seq, "first");
	bring_to(9, SEGMENT_ACK, SERVER_ISS + 6, seq, "second");
	assert_int_equal(poll_now(), 1);
	assert_memory_equal(events[0].data, "first", 5);
	engine_receive(engine, 9, ENGINE_WAIT_IDLE);
	assert_int_equal(poll_now(), 1);
	assert_memory_equal(events[0].data, "second", 6);
	assert_int_equal(packets.unasked, 0);
}

/* Where nobody asks it is dropped, not acknowledged, and taken when it comes again. */
static void test_data_nobody_asks_for(void **state)
{
	uint32_t seq = open_one(9);

	(void)state;
	bring_to(9, SEGMENT_ACK, SERVER_ISS + 1, seq, "greeting");
	assert_int_equal(poll_now(), 0);
	wire_expect_puts(0);
	assert_int_equal(packets.unasked, 1);
	engine_receive(engine, 9, ENGINE_WAIT_IDLE);
	bring_to(9, SEGMENT_ACK, SERVER_ISS + 1, seq, "greeting");
	assert_int_equal(poll_now(), 1);
	assert_memory_equal(events[0].data, "greeting", 8);
}

/* A FIN and an RST that came before anybody asked are told then. */
static void test_ends_are_told_late(void **state)
{
	uint32_t seq = open_one(4);

	(void)state;
	bring_to(4, SEGMENT_ACK | SEGMENT_FIN, SERVER_ISS + 1, seq, NULL);
	assert_int_equal(poll_now(), 0);
	engine_receive(engine, 4, ENGINE_WAIT_SOON);
	wire.now_ns += 20 * WIRE_MS;
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_RECEIVED, 4, 0);
	wire_expect_puts(1); /* it was acknowledged when it came */
	open_one(6);
	bring_to(6, SEGMENT_RST, SERVER_ISS + 1, 0, NULL);
	assert_int_equal(poll_now(), 0);
	assert_int_equal(engine_send(engine, 6, "x", 1), 0);
	wire.now_ns += 20 * WIRE_MS;
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_SENT, 6, -ECONNRESET);
}

/* Of an earlier run, of a port of nobody's, of another worker's index: RST. */
static void test_strays(void **state)
{
	struct tuple tuple = tuple_at(&plan, FIRST + 1);
	const struct segment segment = {.seq = 5, .ack = 77, .flags = SEGMENT_ACK};

	(void)state;
	bring_to(1, SEGMENT_SYN | SEGMENT_ACK, 1, 1000, NULL);
	assert_int_equal(poll_now(), 0);
	assert_int_equal(wire_last()->segment.flags, SEGMENT_RST);
	assert_int_equal(wire_last()->segment.seq, 1000);
	tuple.source_port = 1;
	wire_bring(&tuple, &segment);
	assert_int_equal(poll_now(), 0);
	assert_int_equal(wire_last()->segment.seq, 77);
	assert_int_equal(wire_last()->tuple.target_port, 1);
	tuple = tuple_at(&plan, FIRST - 1);
	wire_bring(&tuple, &segment);
	assert_int_equal(poll_now(), 0);
	bring_to(1, SEGMENT_RST, 5, 0, NULL); /* but not to an RST */
	assert_int_equal(poll_now(), 0);
	wire_expect_puts(3);
	assert_int_equal(packets.stray, 4);
}

static void test_others_packets_are_counted(void **state)
{
	(void)state;
	open_one(0);
	for (int i = 0; i < 3; i++)
		bring_to(0, SEGMENT_RST, SERVER_ISS + 1, 0, NULL);
	wire.in[0][25] ^= 1; /* the TCP checksum no longer fits */
	wire.in[1][9] = 17;  /* UDP, with the header's checksum ... */
	wire.in[1][10] = wire.in[1][11] = 0;
	uint16_t sum = packet_fold(packet_sum(wire.in[1], 20, 0));

	wire.in[1][10] = (uint8_t)(sum >> 8); /* ... made right */
	wire.in[1][11] = (uint8_t)sum;
	wire.frames[2].len = 30; /* cut off */
	assert_int_equal(poll_now(), 0);
	assert_int_equal(packets.bad_checksum, 1);
	assert_int_equal(packets.foreign, 1);
	assert_int_equal(packets.malformed, 1);
	wire_expect_puts(0);
}

static void answer_fins(const struct packet *packet)
{
	struct segment segment = {.flags = SEGMENT_ACK | SEGMENT_FIN,
	                          .seq = packet->segment.ack,
	                          .ack = packet->segment.seq + 1};
	const struct tuple ours = {.source = packet->tuple.target,
	                           .target = packet->tuple.source,
	                           .source_port = packet->tuple.target_port,
	                           .target_port = packet->tuple.source_port};

	if (packet->segment.flags & SEGMENT_FIN)
		wire_bring(&ours, &segment);
}

static uint32_t count_sent(uint8_t flag)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < wire.sent_count; i++)
		count += (wire.sent[i].packet.segment.flags & flag) != 0;
	return count;
}

static void test_close_in_order(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CONNECTIONS; i++)
		open_one(i);
	wire.step_ns = WIRE_MS;
	wire.peer = answer_fins;
	engine_close_all(engine, ENGINE_CLOSE_FIN);
	assert_int_equal(count_sent(SEGMENT_FIN), CONNECTIONS);
	assert_int_equal(count_sent(SEGMENT_RST), 0);
	wire_expect_puts(2 * CONNECTIONS); /* and the ACK of the peer's */
	assert_int_equal(wire.unsent, 0);
}

/* A wire that has lost a segment may lose the last ACK: the peer's FIN that comes again after all
 * are closed is acknowledged again. */
static void test_close_in_order_over_a_bad_wire(void **state)
{
	uint64_t before_ns;

	(void)state;
	start(4);
	wire.now_ns += 1010 * WIRE_MS;
	assert_int_equal(poll_now(), 0);
	assert_int_equal(packets.retransmitted, 1);
	bring_to(4, SEGMENT_SYN | SEGMENT_ACK, SERVER_ISS, wire_last()->segment.seq + 1, NULL);
	assert_int_equal(poll_now(), 1);
	wire.look_ns = 1;
	wire.step_ns = WIRE_MS;
	wire.peer = answer_fins;
	before_ns = wire.now_ns;
	engine_close_all(engine, ENGINE_CLOSE_FIN);
	assert_int_equal(count_sent(SEGMENT_RST), 0);
	assert_in_range(wire.now_ns - before_ns, 1000 * WIRE_MS, 2000 * WIRE_MS);
}

/* What the caller has closed already is not cut off: its FIN is to be acknowledged. */
static void test_close_in_order_goes_on(void **state)
{
	uint32_t seq = open_one(3);

	(void)state;
	bring_to(3, SEGMENT_ACK | SEGMENT_FIN, SERVER_ISS + 1, seq, NULL);
	assert_int_equal(poll_now(), 0);
	engine_close(engine, 3, ENGINE_CLOSE_FIN);
	wire_expect_puts(2);
	bring_to(3, SEGMENT_ACK, SERVER_ISS + 2, seq + 1, NULL);
	engine_close_all(engine, ENGINE_CLOSE_FIN);
	assert_int_equal(wire.frame_count, 0); /* it was waited for */
	wire_expect_puts(0);
}

/* A peer that does not close is reset in the end, so that it has nothing left of ours. */
static void test_close_of_a_mute_peer(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CONNECTIONS; i++)
		open_one(i);
	wire.step_ns = 100 * WIRE_MS;
	engine_close_all(engine, ENGINE_CLOSE_FIN);
	assert_int_equal(count_sent(SEGMENT_RST), CONNECTIONS);
}

static void test_close_by_reset(void **state)
{
	(void)state;
	open_one(11);
	open_one(12);
	engine_close(engine, 11, ENGINE_CLOSE_SILENT);
	wire_expect_puts(0);
	engine_close_all(engine, ENGINE_CLOSE_RESET);
	assert_int_equal(wire_last()->segment.flags & SEGMENT_RST, SEGMENT_RST);
	wire_expect_puts(1);
}

/* What a timer sends is sent before a sleep, not after it. */
static void test_nothing_is_put_off(void **state)
{
	const uint64_t one = 1;

	(void)state;
	start(9);
	assert_int_equal(poll_now(), 0);
	wire_expect_puts(1);
	wire.now_ns += 1010 * WIRE_MS;
	assert_int_equal(write(wake, &one, sizeof(one)), sizeof(one));
	assert_int_equal(engine_poll(engine, events, 16, wire.now_ns + 60000 * WIRE_MS), 0);
	assert_int_equal(wire_last()->segment.flags, SEGMENT_SYN);
	wire_expect_puts(1);
	assert_int_equal(wire.unsent, 0);
}

/* After a while in which this process did not run: an answer that waits behind others has come in
 * time. But a timer does not wait for ever. */
static void test_answers_before_timers(void **state)
{
	const uint32_t busy = 70; /* exchanges, each with something */

	(void)state;
	start(9);
	uint32_t iss = wire_last()->segment.seq;

	wire_expect_puts(1);
	wire.at_once = 1;
	bring_to(8, SEGMENT_RST, 1, 0, NULL);
	bring_to(9, SEGMENT_SYN | SEGMENT_ACK, SERVER_ISS, iss + 1, NULL);
	wire.now_ns += 5000 * WIRE_MS;
	assert_int_equal(poll_now(), 0);
	assert_int_equal(poll_now(), 1);
	expect_event(0, ENGINE_CONNECTED, 9, 0);
	wire_expect_puts(1);
	start(10);
	wire.now_ns += 5000 * WIRE_MS;
	for (uint32_t i = 0; i < busy; i++) {
		bring_to(8, SEGMENT_RST, 1, 0, NULL);
		assert_int_equal(poll_now(), 0);
	}
	wire_expect_puts(2);
	assert_int_equal(packets.retransmitted, 1);
}

static void test_wake_and_failure(void **state)
{
	const uint64_t one = 1;

	(void)state;
	assert_int_equal(write(wake, &one, sizeof(one)), sizeof(one));
	assert_int_equal(engine_poll(engine, events, 16, UINT64_MAX), 0);
	wire.failed = -ENODEV;
	assert_int_equal(engine_poll(engine, events, 16, UINT64_MAX), -ENODEV);
}

static void test_is_a_clients(void **state)
{
	(void)state;
	assert_int_equal(engine_listen(engine, 0), -EOPNOTSUPP);
	engine_accept(engine, true);
	assert_int_equal(poll_now(), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_engine, shut_engine)
	const struct CMUnitTest tests[] = {
		TEST(test_connect),
		TEST(test_refused),
		TEST(test_echo),
		TEST(test_message_is_asked_for_again),
		TEST(test_events_one_by_one),
		TEST(test_nothing_is_told_of_what_was_closed),
		TEST(test_data_waits_for_who_asks),
		TEST(test_data_nobody_asks_for),
		TEST(test_ends_are_told_late),
		TEST(test_strays),
		TEST(test_others_packets_are_counted),
		TEST(test_close_in_order),
		TEST(test_close_in_order_over_a_bad_wire),
		TEST(test_close_in_order_goes_on),
		TEST(test_close_of_a_mute_peer),
		TEST(test_close_by_reset),
		TEST(test_nothing_is_put_off),
		TEST(test_answers_before_timers),
		TEST(test_wake_and_failure),
		TEST(test_is_a_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
