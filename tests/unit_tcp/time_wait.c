/* time_wait: TIME_WAIT, and connections that are opened again (RFC 9293 sections 3.4.1, 3.10.7.4,
 * RFC 6191). */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

SCRIPT(lasts)
{
	script_time_wait();
	TIMER(60000);
	assert_false(tcp_is_alive(&script()->conn));
	AT(30000);
	IN(ACK, 2, 2, SCRIPT_SEND, 0);
	NOTHING();
	TIMER(60000);
	AT(60000);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(fin_begins_it_anew)
{
	script_time_wait();
	AT(59999);
	IN(FIN | ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	TIMER(119999);
	AT(60001);
	IN(FIN | ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	TIMER(120001);
	AT(120001);
	STATE(CLOSED);
}

/* Old data and SYNs do not. */
SCRIPT(others_do_not)
{
	script_time_wait();
	AT(1000);
	IN(ACK, 0, 1, SCRIPT_SEND, 1);
	OUT(ACK, 2, 2);
	IN(SYN, 0, 0, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	IN(SYN, 1000, 0, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	TIMER(60000);
	STATE(TIME_WAIT);
}

/* --- opened again ------------------------------------------------------------------------------
 */

SCRIPT(again_with_a_larger_iss)
{
	script_time_wait();
	CONNECT_AT(1000000);
	OUT(SYN, 1000000, 0);
	STATE(SYN_SENT);
	TIMER(1000);
	IN(SYN | ACK, 77777, 1000001, SCRIPT_SEND, 0);
	OUT(ACK, 1000001, 77778);
	TELL(TCP_CONNECTED);
	assert_int_equal(script()->conn.life, 2);
}

/* An ISS that is not beyond what the peer has seen, nor beyond what it may take for its window. */
SCRIPT(again_with_a_smaller_iss)
{
	static const uint32_t small[] = {0, 1, 2, 0xfffffff0, 0x80000003};

	for (size_t i = 0; i < COUNT_OF(small); i++) {
		watch_init(script(), SCRIPT_MSS);
		script_time_wait();
		CONNECT_AT(small[i]);
		OUT(SYN, 2 + TCP_WINDOW + 2, 0);
	}
}

SCRIPT(again_after_time_wait)
{
	script_time_wait();
	AT(60000);
	STATE(CLOSED);
	CONNECT_AT(2);
	OUT(SYN, 2 + TCP_WINDOW + 2, 0);
}

/* Where the peer still has it, it is told first that it has not. */
static void again_from(void (*reach)(void), uint32_t snd_nxt, uint32_t rcv_nxt)
{
	watch_init(script(), SCRIPT_MSS);
	reach();
	CONNECT_AT(1);
	OUT(RST | ACK, snd_nxt, rcv_nxt);
	OUT(SYN, snd_nxt + TCP_WINDOW + 2, 0);
	STATE(SYN_SENT);
	TIMER(1000);
	watch_init(script(), SCRIPT_MSS);
	reach();
	CONNECT_AT(5000);
	OUT(RST | ACK, snd_nxt, rcv_nxt);
	OUT(SYN, 5000, 0);
	IN(FIN | ACK, rcv_nxt, snd_nxt, SCRIPT_SEND, 0); /* of the old life */
	OUT(RST, snd_nxt, 0);
	STATE(SYN_SENT);
	IN(SYN | ACK, 0, 5001, SCRIPT_SEND, 0);
	OUT(ACK, 5001, 1);
	TELL(TCP_CONNECTED);
	IN(ACK, 1, snd_nxt, SCRIPT_SEND, 0);
	NOTHING();
}

static void fin_wait_1_sending(void)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	CLOSE(FIN);
	OUT(FIN | ACK, 17, 1);
}

SCRIPT(again_while_closing)
{
	again_from(script_fin_wait_1, 2, 1);
	again_from(script_fin_wait_2, 2, 1);
	again_from(script_closing, 2, 2);
	again_from(script_last_ack, 2, 2);
	again_from(fin_wait_1_sending, 18, 1);
}

static void again_after(void (*reach)(void), enum tcp_close how, uint32_t snd_nxt)
{
	watch_init(script(), SCRIPT_MSS);
	reach();
	script_close(HERE, how);
	if (how == TCP_CLOSE_RESET)
		OUT(RST | ACK, snd_nxt, 1);
	STATE(CLOSED);
	CONNECT_AT(0);
	OUT(SYN, snd_nxt + TCP_WINDOW + 2, 0);
}

static void sending(void)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
}

SCRIPT(again_after_close)
{
	again_after(script_established, TCP_CLOSE_RESET, 1);
	again_after(script_established, TCP_CLOSE_SILENT, 1);
	again_after(sending, TCP_CLOSE_RESET, 17);
	again_after(sending, TCP_CLOSE_SILENT, 17);
}

/* A first life begins where it is told, also at 0. */
SCRIPT(first)
{
	CONNECT();
	OUT(SYN, 0, 0);
	CLOSE(RESET);
	CONNECT();
	OUT(SYN, 1 + TCP_WINDOW + 2, 0);
}

/* A peer that still has the old life in ESTABLISHED answers the SYN with a challenge ACK. It gets
 * an RST, and the SYN again finds the way (RFC 9293 section 3.5.1, half-open). */
SCRIPT(half_open)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(ACK, 4000, 0x7000, SCRIPT_SEND, 0);
	OUT(RST, 0x7000, 0);
	STATE(SYN_SENT);
	TIMER(10);
	AT(10);
	OUT(SYN, 0, 0);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
}

/* All that is kept of a life is where it ended. */
SCRIPT(nothing_stays)
{
	struct tcp_conn clean;

	sending();
	IN_REFUSED(ACK, 1, 1, 9, 5);
	IN(FIN | ACK, 1, 1, 7, 0);
	OUT(ACK, 17, 2);
	RECEIVE();
	CLOSE(RESET);
	OUT(RST | ACK, 17, 2);
	CONNECT_AT(500000);
	OUT(SYN, 500000, 0);
	clean = script()->conn;
	assert_int_equal(clean.snd_una, tcp_snd_nxt(&clean) - 1);
	assert_int_equal(clean.len + clean.acked + clean.sent + clean.tries, 0);
	assert_int_equal(clean.snd_wnd + clean.mss, 0);
	assert_int_equal(clean.flags & ~(TCP_FLAG_HELD | TCP_FLAG_LIVED), 0);
	IN(SYN | ACK, 0, 500001, SCRIPT_SEND, 0);
	OUT(ACK, 500001, 1);
	TELL(TCP_CONNECTED);
	TIMER(-1);
	RECEIVE();
	TIMER(-1);
}

int run_time_wait_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lasts),
		cmocka_unit_test(fin_begins_it_anew),
		cmocka_unit_test(others_do_not),
		cmocka_unit_test(again_with_a_larger_iss),
		cmocka_unit_test(again_with_a_smaller_iss),
		cmocka_unit_test(again_after_time_wait),
		cmocka_unit_test(again_while_closing),
		cmocka_unit_test(again_after_close),
		cmocka_unit_test(first),
		cmocka_unit_test(half_open),
		cmocka_unit_test(nothing_stays),
	};

	return cmocka_run_group_tests_name("time_wait", tests, NULL, NULL);
}
