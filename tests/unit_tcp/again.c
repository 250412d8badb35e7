/* again: retransmission, its back-off and its end (RFC 6298, RFC 9293 section 3.8). */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

#define MS UINT64_C(1000000)

/* --- when ------------------------------------------------------------------------------------- */

SCRIPT(syn_again)
{
	static const int64_t at[] = {1000, 3000, 7000, 15000, 31000, 63000, 123000};

	CONNECT();
	OUT(SYN, 0, 0);
	for (size_t i = 0; i < COUNT_OF(at); i++) {
		TIMER(at[i]);
		AT(at[i]);
		OUT(SYN, 0, 0);
		STATE(SYN_SENT);
	}
	TIMER(123000 + 60000); /* 128 s, capped */
	AT(183000);
	TELL_ERROR(TCP_FAILED, -ETIMEDOUT);
	STATE(CLOSED);
	TIMER(-1);
	COUNTED(retransmitted, TCP_SYN_TRIES);
}

SCRIPT(syn_received_ends)
{
	static const int64_t at[] = {1000, 3000, 7000, 15000, 31000, 63000, 123000};

	script_syn_received();
	for (size_t i = 0; i < COUNT_OF(at); i++) {
		AT(at[i]);
		OUT(SYN | ACK, 0, 1);
		STATE(SYN_RECEIVED);
	}
	AT(183000);
	TELL_ERROR(TCP_FAILED, -ETIMEDOUT);
	STATE(CLOSED);
}

/* Goes through all tries from `ms` on, with an RTO of 200 ms; returns when the last wait ends. */
static int64_t all_tries(int64_t ms, unsigned int flags, uint32_t ack, uint8_t len)
{
	int64_t wait = 200;

	for (int i = 0; i < TCP_TRIES_MOST; i++) {
		ms += wait;
		TIMER(ms);
		AT(ms);
		OUT_DATA(flags, 1, ack, 0, len);
		wait = 2 * wait < 60000 ? 2 * wait : 60000;
	}
	TIMER(ms + wait);
	return ms + wait;
}

SCRIPT(data_again)
{
	script_established();
	AT(1000);
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(all_tries(1000, PSH | ACK, 1, 16));
	OUT(RST | ACK, 17, 1);
	TELL_ERROR(TCP_ERROR, -ETIMEDOUT);
	assert_false(script()->out.was_asked);
	STATE(CLOSED);
	TIMER(-1);
	COUNTED(retransmitted, TCP_TRIES_MOST);
}

SCRIPT(data_again_asked)
{
	script_established();
	RECEIVE();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(all_tries(0, PSH | ACK, 1, 16));
	OUT(RST | ACK, 17, 1);
	TELL_ERROR(TCP_ERROR, -ETIMEDOUT);
	assert_true(script()->out.was_asked);
	STATE(CLOSED);
}

/* Of what was closed nobody is told. */
SCRIPT(fin_wait_1_again)
{
	script_fin_wait_1();
	AT(all_tries(0, FIN | ACK, 1, 0));
	OUT(RST | ACK, 2, 1);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(closing_again)
{
	script_closing();
	AT(all_tries(0, FIN | ACK, 2, 0));
	OUT(RST | ACK, 2, 2);
	STATE(CLOSED);
}

SCRIPT(last_ack_again)
{
	script_last_ack();
	AT(all_tries(0, FIN | ACK, 2, 0));
	OUT(RST | ACK, 2, 2);
	STATE(CLOSED);
}

/* An ACK of something new begins anew; one of nothing new does not. */
SCRIPT(tries_in_a_row)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(200);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(600);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	IN(ACK, 1, 1, SCRIPT_SEND, 0);
	NOTHING();
	TIMER(1400);
	IN(ACK, 1, 5, SCRIPT_SEND, 0);
	TIMER(800);
	AT(800);
	OUT_DATA(PSH | ACK, 5, 1, 4, 12);
	TIMER(1200);
}

/* An ACK of nothing new is no progress: it does not put the end off. */
SCRIPT(duplicate_acks)
{
	int64_t ms = 0;

	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	for (int i = 0; i < TCP_TRIES_MOST; i++) {
		ms = (int64_t)(script()->conn.timer.deadline_ns - WATCH_START_NS) / 1000000;
		AT(ms);
		OUT_DATA(PSH | ACK, 1, 1, 0, 16);
		IN(ACK, 1, 1, SCRIPT_SEND, 0);
		NOTHING();
	}
	AT(ms + 60000);
	OUT(RST | ACK, 17, 1);
	TELL_ERROR(TCP_ERROR, -ETIMEDOUT);
}

/* What answers a retransmission may come twice. */
SCRIPT(late_acks)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(200);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	NOTHING();
	TIMER(-1);
}

/* --- the estimate ------------------------------------------------------------------------------
 */

static void clock_is(uint64_t srtt_ns, uint64_t rttvar_ns, uint64_t rto_ns)
{
	const struct tcp_path *p = &script()->path;

	assert_int_equal(p->srtt_ns, srtt_ns);
	assert_int_equal(p->rttvar_ns, rttvar_ns);
	assert_int_equal(p->rto_ns, rto_ns);
}

static void established_after(int64_t ms)
{
	CONNECT();
	OUT(SYN, 0, 0);
	AT(ms);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
}

SCRIPT(samples)
{
	clock_is(0, 0, 1000 * MS);
	established_after(400); /* (2.2) */
	clock_is(400 * MS, 200 * MS, 1200 * MS);
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	TIMER(1600);
	AT(400 + 320); /* (2.3): alpha 1/8, beta 1/4 */
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	clock_is(390 * MS, 170 * MS, 1070 * MS);
	SEND(16);
	OUT_DATA(PSH | ACK, 17, 1, 0, 16);
	AT(720 + 790);
	IN(ACK, 1, 33, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	clock_is(440 * MS, 2275 * MS / 10, 1350 * MS);
}

/* Nothing is measured that was sent twice (section 3), nor by an ACK of less. */
SCRIPT(karn)
{
	established_after(400);
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(1600);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(1601);
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	clock_is(400 * MS, 200 * MS, 1200 * MS);
	SEND(16);
	OUT_DATA(PSH | ACK, 17, 1, 0, 16);
	AT(1602);
	IN(ACK, 1, 20, SCRIPT_SEND, 0);
	clock_is(400 * MS, 200 * MS, 1200 * MS);
	AT(1601 + 320);
	IN(ACK, 1, 33, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	clock_is(390 * MS, 170 * MS, 1070 * MS);
}

/* One segment is timed at a time, and the timer runs from the first that is in flight (5.1). */
SCRIPT(one_at_a_time)
{
	established_after(400);
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	TIMER(1600);
	AT(500);
	CLOSE(FIN);
	OUT(FIN | ACK, 17, 1);
	TIMER(1600);
	AT(400 + 320);
	IN(ACK, 1, 18, SCRIPT_SEND, 0);
	STATE(FIN_WAIT_2);
	clock_is(390 * MS, 170 * MS, 1070 * MS);
}

/* Nor what went into a shut window, and again when that opened. */
SCRIPT(karn_of_probe)
{
	CONNECT();
	OUT(SYN, 0, 0);
	AT(400);
	IN(SYN | ACK, 0, 1, 0, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	SEND(1);
	AT(1600);
	OUT_DATA(PSH | ACK, 1, 1, 0, 1);
	AT(1700);
	IN(ACK, 1, 1, 10, 0);
	OUT_DATA(PSH | ACK, 1, 1, 0, 1);
	AT(1701);
	IN(ACK, 1, 2, 10, 0);
	TELL(TCP_SENT);
	clock_is(400 * MS, 200 * MS, 1200 * MS);
}

SCRIPT(karn_of_syn)
{
	CONNECT();
	OUT(SYN, 0, 0);
	AT(1000);
	OUT(SYN, 0, 0);
	AT(1001);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	clock_is(0, 0, 1000 * MS);
	SEND(1);
	OUT_DATA(PSH | ACK, 1, 1, 0, 1);
	TIMER(2001);
	AT(1101);
	IN(ACK, 1, 2, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	clock_is(100 * MS, 50 * MS, 300 * MS);
}

/* Between the least and the most; on an even path the clock's grain is what is left of the margin.
 */
SCRIPT(bounds)
{
	established_after(2);
	clock_is(2 * MS, 1 * MS, TCP_RTO_LEAST_NS);
	for (uint32_t i = 0; i < 200; i++) {
		int64_t now = 2 + i * 500;

		AT(now);
		SEND(1);
		OUT_DATA(PSH | ACK, 1 + i, 1, 0, 1);
		AT(now + 150);
		IN(ACK, 1, 2 + i, SCRIPT_SEND, 0);
		TELL(TCP_SENT);
	}
	assert_in_range(script()->path.srtt_ns, 149 * MS, 150 * MS);
	assert_int_equal(script()->path.rto_ns, TCP_RTO_LEAST_NS);
}

SCRIPT(grain)
{
	established_after(900);
	for (uint32_t i = 0; i < 200; i++) {
		int64_t now = 900 + i * 1000;

		AT(now);
		SEND(1);
		OUT_DATA(PSH | ACK, 1 + i, 1, 0, 1);
		AT(now + 900);
		IN(ACK, 1, 2 + i, SCRIPT_SEND, 0);
		TELL(TCP_SENT);
	}
	assert_in_range(script()->path.srtt_ns, 899 * MS, 900 * MS);
	assert_int_equal(script()->path.rto_ns, script()->path.srtt_ns + TCP_GRAIN_NS);
}

SCRIPT(most)
{
	CONNECT();
	OUT(SYN, 0, 0);
	script()->now_ns += 50000 * MS; /* who waits for it was late */
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	clock_is(50000 * MS, 25000 * MS, TCP_RTO_MOST_NS);
	SEND(1);
	OUT_DATA(PSH | ACK, 1, 1, 0, 1);
	TIMER(110000);
	AT(110000);
	OUT_DATA(PSH | ACK, 1, 1, 0, 1);
	TIMER(170000);
}

/* --- a clock for all ---------------------------------------------------------------------------
 */

static void open_at(struct tcp_conn *c, struct tcp_path *path, uint64_t now_ns)
{
	struct tcp_out out;

	tcp_connect(c, path, 1000, now_ns, &out);
	assert_int_equal(out.timer_ns, now_ns + TCP_RTO_FIRST_NS);
}

static void answer_at(struct tcp_conn *c, struct tcp_path *path, uint8_t flags, uint64_t now_ns)
{
	const struct segment segment = {.seq = 5, .ack = 1001, .window = 100, .flags = flags};
	struct tcp_out out;

	assert_true(tcp_input(c, path, &segment, now_ns, &out));
	assert_int_equal(out.events, flags & RST ? TCP_FAILED : TCP_CONNECTED);
}

/* One segment of one connection is timed; what the others get back tells nothing. Whoever ends
 * while it is timed leaves the clock to the next. */
static void shared(void **state)
{
	struct tcp_conn a = {0}, b = {0}, c = {0};
	struct tcp_path path;

	(void)state;
	tcp_path_init(&path, 1460);
	open_at(&a, &path, 100 * MS);
	open_at(&b, &path, 110 * MS);
	assert_ptr_equal(path.timed, &a);
	answer_at(&b, &path, SYN | ACK, 120 * MS);
	assert_int_equal(path.srtt_ns, 0);
	answer_at(&a, &path, SYN | ACK, 140 * MS);
	assert_int_equal(path.srtt_ns, 40 * MS);
	assert_null(path.timed);
	open_at(&c, &path, 200 * MS);
	assert_ptr_equal(path.timed, &c);
	answer_at(&c, &path, RST | ACK, 300 * MS);
	assert_null(path.timed);
	assert_int_equal(path.srtt_ns, 40 * MS);
}

int run_again_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_again),
		cmocka_unit_test(syn_received_ends),
		cmocka_unit_test(data_again),
		cmocka_unit_test(data_again_asked),
		cmocka_unit_test(fin_wait_1_again),
		cmocka_unit_test(closing_again),
		cmocka_unit_test(last_ack_again),
		cmocka_unit_test(tries_in_a_row),
		cmocka_unit_test(duplicate_acks),
		cmocka_unit_test(late_acks),
		cmocka_unit_test(samples),
		cmocka_unit_test(karn),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(karn_of_probe),
		cmocka_unit_test(karn_of_syn),
		cmocka_unit_test(bounds),
		cmocka_unit_test(grain),
		cmocka_unit_test(most),
		cmocka_unit_test(shared),
	};

	return cmocka_run_group_tests_name("again", tests, NULL, NULL);
}
