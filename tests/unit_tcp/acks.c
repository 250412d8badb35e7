/* acks: the fifth check (RFC 9293 section 3.10.7.4, RFC 5961 section 5), and what is sent. */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

SCRIPT(sends)
{
	script_established();
	AT(50);
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	TIMER(50 + 200);
	assert_int_equal(tcp_snd_nxt(&script()->conn) - script()->conn.snd_una, 16);
	AT(51);
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	TIMER(-1);
	SEND(128);
	OUT_DATA(PSH | ACK, 17, 1, 0, 128);
	IN(ACK, 1, 145, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	TIMER(-1);
}

SCRIPT(every_length)
{
	uint32_t at = 1;

	script_established();
	for (uint8_t len = 1; len <= TCP_MESSAGE_MOST; len++) {
		SEND(len);
		OUT_DATA(PSH | ACK, at, 1, 0, len);
		at += len;
		IN(ACK, 1, at, SCRIPT_SEND, 0);
		TELL(TCP_SENT);
	}
}

/* Without ACK a segment is dropped, whatever it brings. */
SCRIPT(without_ack)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	RECEIVE();
	IN(PSH, 1, 0, 3, 10);
	NOTHING();
	IN(FIN, 1, 0, 3, 0);
	NOTHING();
	STATE(ESTABLISHED);
	assert_int_equal(script()->conn.snd_wnd, SCRIPT_SEND);
}

SCRIPT(partial)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	AT(100);
	IN(ACK, 1, 6, SCRIPT_SEND, 0);
	NOTHING();
	TIMER(100 + 200); /* RFC 6298 (5.3) */
	AT(300);
	OUT_DATA(PSH | ACK, 6, 1, 5, 11);
	IN(ACK, 1, 16, SCRIPT_SEND, 0);
	NOTHING();
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	TIMER(-1);
}

/* Old and duplicate ones change nothing, not even the window. */
SCRIPT(old)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	IN(ACK, 1, 10, 40, 0);
	NOTHING();
	TIMER(200);
	AT(100);
	IN(ACK, 1, 9, 0, 0);
	NOTHING();
	IN(ACK, 1, 1, 0, 0);
	NOTHING();
	IN(ACK, 1, 10U - 65535, 0, 0); /* SND.UNA - MAX.SND.WND */
	NOTHING();
	assert_int_equal(script()->conn.snd_wnd, 40);
	COUNTED(challenged, 0);
	TIMER(200);
}

/* RFC 5961 section 5.2: too old, and not yet sent. */
SCRIPT(unusable)
{
	static const uint32_t bad[] = {10U - 65536, 18, 100, 0x7fffffff, 0x80000000};

	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	IN(ACK, 1, 10, 40, 0);
	RECEIVE();
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		IN(ACK | FIN, 1, bad[i], 0, 5); /* none of it is looked at */
		OUT(ACK, 17, 1);
		assert_int_equal(script()->conn.snd_wnd, 40);
		STATE(ESTABLISHED);
	}
	COUNTED(challenged, COUNT_OF(bad));
}

SCRIPT(beyond_snd_nxt_when_nothing_is_sent)
{
	script_established();
	IN(ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	IN(ACK, 1, 1, SCRIPT_SEND, 0);
	NOTHING();
	COUNTED(challenged, 1);
}

/* An ACK with data and FIN does all three. */
SCRIPT(ack_data_fin)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	RECEIVE();
	IN(ACK | FIN | PSH, 1, 17, SCRIPT_SEND, 16);
	TELL(TCP_SENT);
	TELL_DATA(0, 16);
	OUT(ACK, 17, 18);
	STATE(CLOSE_WAIT);
	RECEIVE();
	AT(0);
	TELL(TCP_FIN);
	TIMER(-1);
}

/* After the peer's FIN we may still send. */
SCRIPT(close_wait_sends)
{
	script_close_wait();
	SEND(4);
	OUT_DATA(PSH | ACK, 1, 2, 0, 4);
	AT(200);
	OUT_DATA(PSH | ACK, 1, 2, 0, 4);
	TIMER(600);
	IN(ACK, 2, 5, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	TIMER(-1);
	STATE(CLOSE_WAIT);
}

/* The message goes in pieces of the MSS; the last is pushed. */
SCRIPT(pieces)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN_MSS(SYN | ACK, 0, 1, 65535, 48);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	SEND(128);
	OUT_DATA(ACK, 1, 1, 0, 48);
	OUT_DATA(ACK, 49, 1, 48, 48);
	OUT_DATA(PSH | ACK, 97, 1, 96, 32);
	IN(ACK, 1, 49, 65535, 0);
	NOTHING();
	TIMER(200);
	AT(200);
	OUT_DATA(ACK, 49, 1, 48, 48); /* the first that is missing */
	IN(ACK, 1, 129, 65535, 0);
	TELL(TCP_SENT);
}

SCRIPT(fin_behind_pieces)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN_MSS(SYN | ACK, 0, 1, 0, 48);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	SEND(128);
	NOTHING();
	CLOSE(FIN);
	NOTHING();
	STATE(FIN_WAIT_1);
	IN(ACK, 1, 1, 1000, 0);
	OUT_DATA(ACK, 1, 1, 0, 48);
	OUT_DATA(ACK, 49, 1, 48, 48);
	OUT_DATA(FIN | PSH | ACK, 97, 1, 96, 32);
	IN(ACK, 1, 130, 1000, 0);
	STATE(FIN_WAIT_2);
}

int run_ack_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends),
		cmocka_unit_test(every_length),
		cmocka_unit_test(without_ack),
		cmocka_unit_test(partial),
		cmocka_unit_test(old),
		cmocka_unit_test(unusable),
		cmocka_unit_test(beyond_snd_nxt_when_nothing_is_sent),
		cmocka_unit_test(ack_data_fin),
		cmocka_unit_test(close_wait_sends),
		cmocka_unit_test(pieces),
		cmocka_unit_test(fin_behind_pieces),
	};

	return cmocka_run_group_tests_name("acks", tests, NULL, NULL);
}
