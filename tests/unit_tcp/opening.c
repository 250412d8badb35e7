/* opening: CLOSED, SYN-SENT and SYN-RECEIVED (RFC 9293 sections 3.10.7.1, 3.10.7.3, 3.10.7.4). */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

#include <string.h>

/* --- CLOSED, and segments of no connection ---------------------------------------------------- */

static struct tcp_emit one_stray(unsigned int flags, uint32_t seq, uint32_t ack, uint16_t len)
{
	struct segment segment = {.seq = seq, .ack = ack, .len = len, .flags = (uint8_t)flags};
	struct tcp_out out;

	memset(&out, 0xa5, sizeof(out));
	tcp_stray(&segment, &out);
	assert_int_equal(out.emit_count, flags & RST ? 0 : 1);
	assert_int_equal(out.events, 0);
	return out.emits[0];
}

/* With an ACK: RST where that says. Without: RST with ACK behind all of it. */
static void stray(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 32; flags++)
		for (uint16_t len = 0; len < 3; len++) {
			uint32_t behind = 0xffffffff + len + !!(flags & SYN) + !!(flags & FIN);
			struct tcp_emit e = one_stray(flags, 0xffffffff, 77, len);

			if (flags & RST)
				continue;
			assert_int_equal(e.len, 0);
			assert_false(e.has_mss);
			assert_int_equal(e.flags, flags & ACK ? RST : RST | ACK);
			assert_int_equal(e.seq, flags & ACK ? 77 : 0);
			if (!(flags & ACK))
				assert_int_equal(e.ack, behind);
		}
}

SCRIPT(closed_answers_with_reset)
{
	IN(ACK, 0, 9, SCRIPT_SEND, 5);
	OUT(RST, 9, 0);
	IN(SYN | ACK, 0, 9, SCRIPT_SEND, 0);
	OUT(RST, 9, 0);
	IN(RST | ACK, 0, 9, SCRIPT_SEND, 0);
	NOTHING();
	IN(RST, 0, 9, SCRIPT_SEND, 0);
	NOTHING();
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(closed_by_reset_answers_too)
{
	script_established();
	CLOSE(RESET);
	OUT(RST | ACK, 1, 1);
	STATE(CLOSED);
	IN(ACK, 1, 1, SCRIPT_SEND, 5);
	OUT(RST, 1, 0);
	IN(RST, 1, 0, 0, 0);
	STATE(CLOSED);
	TIMER(-1);
}

/* --- SYN-SENT -------------------------------------------------------------------------------- */

SCRIPT(connects)
{
	CONNECT();
	OUT(SYN, 0, 0);
	STATE(SYN_SENT);
	TIMER(1000);
	IN_MSS(SYN | ACK, 0, 1, 64, 100);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	STATE(ESTABLISHED);
	TIMER(-1);
	assert_int_equal(script()->conn.mss, 100);
	assert_int_equal(script()->conn.snd_wnd, 64);
	assert_int_equal(script()->conn.life, 1);
	assert_int_equal(script()->path.mss, SCRIPT_MSS);
}

/* First check: an ACK of what was never sent is answered with RST, and the first of them makes that
 * the SYN is sent again at once: what it was about has ended. */
SCRIPT(syn_sent_bad_ack)
{
	static const uint32_t bad[] = {0, 2, 0x7fffffff, 0x80000001, 0xffffffff};

	CONNECT();
	OUT(SYN, 0, 0);
	IN(RST | ACK, 0, 7, 0, 0);
	TIMER(1000);
	IN(ACK, 0, 7, SCRIPT_SEND, 0);
	OUT(RST, 7, 0);
	TIMER(10);
	AT(10);
	OUT(SYN, 0, 0);
	TIMER(2010);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		IN(ACK, 0, bad[i], SCRIPT_SEND, 0);
		OUT(RST, bad[i], 0);
		IN(SYN | ACK, 0, bad[i], SCRIPT_SEND, 0);
		OUT(RST, bad[i], 0);
		IN(FIN | ACK, 0, bad[i], SCRIPT_SEND, 9);
		OUT(RST, bad[i], 0);
		IN(RST | ACK, 0, bad[i], 0, 0);
		NOTHING();
		STATE(SYN_SENT);
		TIMER(2010);
	}
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
}

/* Second check. */
SCRIPT(syn_sent_refused)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(RST, 0, 0, 0, 0); /* without an ACK it proves nothing */
	NOTHING();
	IN(RST | SYN, 0, 0, 0, 0);
	NOTHING();
	STATE(SYN_SENT);
	TIMER(1000);
	IN(RST | ACK, 0, 1, 0, 0);
	TELL_ERROR(TCP_FAILED, -ECONNREFUSED);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(syn_sent_syn_ack_with_reset)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(RST | SYN | ACK, 0, 1, 0, 0);
	TELL_ERROR(TCP_FAILED, -ECONNREFUSED);
	STATE(CLOSED);
}

/* Fifth check: neither SYN nor RST is dropped, whatever else it is. */
SCRIPT(syn_sent_neither)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(ACK, 0, 1, SCRIPT_SEND, 0);
	NOTHING();
	IN(FIN | ACK | PSH, 0, 1, SCRIPT_SEND, 20);
	NOTHING();
	IN(0, 0, 0, SCRIPT_SEND, 3);
	NOTHING();
	IN(FIN, 0, 0, SCRIPT_SEND, 0);
	NOTHING();
	STATE(SYN_SENT);
	TIMER(1000);
}

/* RFC 9293 section 3.9.2.2, RFC 5927 section 4: only what is said of our SYN, and before an answer.
 */
SCRIPT(unreachable)
{
	UNREACHABLE(0, -EHOSTUNREACH);
	NOTHING();
	CONNECT();
	OUT(SYN, 0, 0);
	UNREACHABLE(1, -EHOSTUNREACH);
	NOTHING();
	UNREACHABLE(0xffffffff, -EHOSTUNREACH);
	NOTHING();
	STATE(SYN_SENT);
	TIMER(1000);
	UNREACHABLE(0, -EHOSTUNREACH);
	TELL_ERROR(TCP_FAILED, -EHOSTUNREACH);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(unreachable_when_open)
{
	script_established();
	SEND(5);
	OUT_DATA(PSH | ACK, 1, 1, 0, 5);
	UNREACHABLE(1, -EHOSTUNREACH);
	NOTHING();
	STATE(ESTABLISHED);
	TIMER(200);
}

/* Data and FIN on a SYN-ACK are not taken, and so not acknowledged: the peer sends them again. */
SCRIPT(syn_ack_with_data)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(SYN | ACK | FIN, 0, 1, SCRIPT_SEND, 4);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	STATE(ESTABLISHED);
	RECEIVE();
	IN(ACK | FIN, 1, 1, SCRIPT_SEND, 4);
	TELL_DATA(0, 4);
	OUT(ACK, 1, 6);
	STATE(CLOSE_WAIT);
}

SCRIPT(syn_ack_again)
{
	script_established();
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0); /* our ACK was lost */
	OUT(ACK, 1, 1);
	STATE(ESTABLISHED);
	TIMER(-1);
}

/* What the peer takes: at least 48, 536 where it does not say (here at most 255). */
SCRIPT(mss)
{
	static const uint16_t said[][2] = {{0, 255}, {1, 48},    {47, 48},    {48, 48},
	                                   {49, 49}, {255, 255}, {65535, 255}};

	for (size_t i = 0; i < COUNT_OF(said); i++) {
		watch_init(script(), SCRIPT_MSS);
		CONNECT();
		OUT(SYN, 0, 0);
		IN_MSS(SYN | ACK, 0, 1, SCRIPT_SEND, said[i][0]);
		OUT(ACK, 1, 1);
		TELL(TCP_CONNECTED);
		assert_int_equal(script()->conn.mss, said[i][1]);
		CLOSE(SILENT);
		STATE(CLOSED);
	}
}

static void close_while_opening(enum tcp_close how)
{
	watch_init(script(), SCRIPT_MSS);
	CONNECT();
	OUT(SYN, 0, 0);
	script_close(HERE, how);
	STATE(CLOSED);
	TIMER(-1);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(RST, 1, 0);
	STATE(CLOSED);
}

SCRIPT(closed_while_opening)
{
	close_while_opening(TCP_CLOSE_FIN);
	close_while_opening(TCP_CLOSE_RESET);
	close_while_opening(TCP_CLOSE_SILENT);
}

/* --- SYN-RECEIVED ---------------------------------------------------------------------------- */

/* RFC 9293 figure 7: both SYNs cross, then both SYN-ACKs. */
SCRIPT(simultaneous_open)
{
	script_syn_received();
	TIMER(1000);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	STATE(ESTABLISHED);
	TIMER(-1);
}

SCRIPT(simultaneous_open_by_ack)
{
	script_syn_received();
	IN(ACK, 1, 1, 99, 0);
	TELL(TCP_CONNECTED);
	STATE(ESTABLISHED);
	TIMER(-1);
	assert_int_equal(script()->conn.snd_wnd, 99);
}

SCRIPT(syn_received_fin)
{
	script_syn_received();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	TELL(TCP_CONNECTED);
	STATE(CLOSE_WAIT);
	RECEIVE();
	TIMER(0);
	AT(0);
	TELL(TCP_FIN);
	TIMER(-1);
}

/* Nobody can have asked for the data yet. */
SCRIPT(syn_received_data)
{
	script_syn_received();
	IN_REFUSED(ACK, 1, 1, SCRIPT_SEND, 8);
	STATE(SYN_RECEIVED);
	IN(ACK, 1, 1, SCRIPT_SEND, 0);
	TELL(TCP_CONNECTED);
	RECEIVE();
	IN(ACK, 1, 1, SCRIPT_SEND, 8);
	OUT(ACK, 1, 9);
	TELL_DATA(0, 8);
}

SCRIPT(syn_received_reset)
{
	script_syn_received();
	IN(RST, 0, 0, 0, 0); /* outside the window */
	NOTHING();
	IN(RST, 2, 0, 0, 0); /* in it (RFC 5961) */
	OUT(ACK, 1, 1);
	STATE(SYN_RECEIVED);
	TIMER(1000);
	IN(RST, 1, 0, 0, 0);
	TELL_ERROR(TCP_FAILED, -ECONNREFUSED);
	STATE(CLOSED);
	TIMER(-1);
}

/* ACKs of anything but our SYN: RST. The SYN again, or one of the window: an ACK. */
SCRIPT(syn_received_bad)
{
	script_syn_received();
	IN(ACK, 1, 0, SCRIPT_SEND, 0);
	OUT(RST, 0, 0);
	IN(ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(RST, 2, 0);
	IN(SYN, 0, 0, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	IN(SYN | ACK, 0, 2, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	IN(SYN, 1, 0, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	IN(0, 1, 0, SCRIPT_SEND, 5); /* without an ACK it is dropped */
	NOTHING();
	STATE(SYN_RECEIVED);
	TIMER(1000);
	IN(ACK, 1, 1, SCRIPT_SEND, 0);
	TELL(TCP_CONNECTED);
}

/* Its back-off and its clock begin anew (Karn: the SYN goes out twice). */
SCRIPT(syn_received_after_tries)
{
	CONNECT();
	OUT(SYN, 0, 0);
	AT(1000);
	OUT(SYN, 0, 0);
	AT(1500);
	IN(SYN, 0, 0, SCRIPT_SEND, 0);
	OUT(SYN | ACK, 0, 1);
	TIMER(2500);
}

SCRIPT(syn_received_is_not_timed)
{
	script_syn_received();
	AT(300);
	IN(ACK, 1, 1, SCRIPT_SEND, 0);
	TELL(TCP_CONNECTED);
	assert_int_equal(script()->path.srtt_ns, 0);
}

SCRIPT(syn_received_again)
{
	script_syn_received();
	AT(1000);
	OUT(SYN | ACK, 0, 1);
	TIMER(3000);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
}

static void close_syn_received(enum tcp_close how)
{
	watch_init(script(), SCRIPT_MSS);
	script_syn_received();
	script_close(HERE, how);
	if (how != TCP_CLOSE_SILENT)
		OUT(RST | ACK, 1, 1);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(syn_received_closed)
{
	close_syn_received(TCP_CLOSE_FIN);
	close_syn_received(TCP_CLOSE_RESET);
	close_syn_received(TCP_CLOSE_SILENT);
}

int run_opening_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stray),
		cmocka_unit_test(closed_answers_with_reset),
		cmocka_unit_test(closed_by_reset_answers_too),
		cmocka_unit_test(connects),
		cmocka_unit_test(syn_sent_bad_ack),
		cmocka_unit_test(syn_sent_refused),
		cmocka_unit_test(syn_sent_syn_ack_with_reset),
		cmocka_unit_test(syn_sent_neither),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(unreachable_when_open),
		cmocka_unit_test(syn_ack_with_data),
		cmocka_unit_test(syn_ack_again),
		cmocka_unit_test(mss),
		cmocka_unit_test(closed_while_opening),
		cmocka_unit_test(simultaneous_open),
		cmocka_unit_test(simultaneous_open_by_ack),
		cmocka_unit_test(syn_received_fin),
		cmocka_unit_test(syn_received_data),
		cmocka_unit_test(syn_received_reset),
		cmocka_unit_test(syn_received_bad),
		cmocka_unit_test(syn_received_after_tries),
		cmocka_unit_test(syn_received_is_not_timed),
		cmocka_unit_test(syn_received_again),
		cmocka_unit_test(syn_received_closed),
	};

	return cmocka_run_group_tests_name("opening", tests, NULL, NULL);
}
