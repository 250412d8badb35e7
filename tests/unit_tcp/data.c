/* data: the seventh check: text, asked for and not, in order and not. */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

SCRIPT(asked)
{
	script_established();
	RECEIVE();
	TIMER(-1);
	IN(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	TELL_DATA(0, 16);
	OUT(ACK, 1, 17);
	RECEIVE();
	IN(ACK, 17, 1, SCRIPT_SEND, 65535);
	TELL_DATA(0, 65535);
	OUT(ACK, 1, 17 + 65535);
}

SCRIPT(not_asked)
{
	script_established();
	IN_REFUSED(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	IN_REFUSED(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	IN_REFUSED(FIN | ACK, 1, 1, SCRIPT_SEND, 16);
	IN_REFUSED(ACK, 0, 1, SCRIPT_SEND, 3); /* a part is new */
	RECEIVE();
	IN(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	TELL_DATA(0, 16);
	OUT(ACK, 1, 17);
	IN_REFUSED(PSH | ACK, 17, 1, SCRIPT_SEND, 1);
}

/* Old data is acknowledged again, asked for or not. */
SCRIPT(duplicate)
{
	script_established();
	RECEIVE();
	IN(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	TELL_DATA(0, 16);
	OUT(ACK, 1, 17);
	IN(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	OUT(ACK, 1, 17);
	RECEIVE();
	IN(PSH | ACK, 1, 1, SCRIPT_SEND, 16);
	OUT(ACK, 1, 17);
	IN(ACK, 16, 1, SCRIPT_SEND, 1);
	OUT(ACK, 1, 17);
	IN(ACK, 5, 1, SCRIPT_SEND, 3);
	OUT(ACK, 1, 17);
	IN(ACK, 17, 1, SCRIPT_SEND, 2);
	TELL_DATA(0, 2);
	OUT(ACK, 1, 19);
}

/* Of what overlaps RCV.NXT the new part is taken. */
SCRIPT(overlapping)
{
	script_established();
	RECEIVE();
	IN(ACK, 1, 1, SCRIPT_SEND, 10);
	TELL_DATA(0, 10);
	OUT(ACK, 1, 11);
	RECEIVE();
	IN(ACK, 1, 1, SCRIPT_SEND, 20);
	TELL_DATA(10, 10);
	OUT(ACK, 1, 21);
	RECEIVE();
	IN(ACK, 20, 1, SCRIPT_SEND, 2);
	TELL_DATA(1, 1);
	OUT(ACK, 1, 22);
	RECEIVE();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 22);
	TELL_DATA(21, 1);
	OUT(ACK, 1, 24);
	STATE(CLOSE_WAIT);
}

/* Behind a gap: dropped, and asked for by a duplicate ACK, also where nobody has asked yet. */
SCRIPT(out_of_order)
{
	script_established();
	IN(ACK, 2, 1, SCRIPT_SEND, 16);
	OUT(ACK, 1, 1);
	RECEIVE();
	IN(ACK, 17, 1, SCRIPT_SEND, 16);
	OUT(ACK, 1, 1);
	IN(FIN | ACK, 33, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	IN(FIN | ACK, 17, 1, SCRIPT_SEND, 16);
	OUT(ACK, 1, 1);
	STATE(ESTABLISHED);
	COUNTED(out_of_order, 4);
	IN(ACK, 1, 1, SCRIPT_SEND, 16);
	TELL_DATA(0, 16);
	OUT(ACK, 1, 17);
	RECEIVE();
	IN(FIN | ACK, 17, 1, SCRIPT_SEND, 16);
	TELL_DATA(0, 16);
	OUT(ACK, 1, 34);
	STATE(CLOSE_WAIT);
}

/* Its ACK and window count all the same. */
SCRIPT(out_of_order_ack)
{
	script_established();
	SEND(8);
	OUT_DATA(PSH | ACK, 1, 1, 0, 8);
	IN(ACK, 2, 9, 77, 1);
	TELL(TCP_SENT);
	OUT(ACK, 9, 1);
	TIMER(-1);
	assert_int_equal(script()->conn.snd_wnd, 77);
}

/* Data that opens the window: what is sent then acknowledges it. */
SCRIPT(data_opens_window)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN_MSS(SYN | ACK, 0, 1, 0, 48);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	RECEIVE();
	SEND(128);
	NOTHING();
	IN(ACK, 1, 1, 1000, 7);
	TELL_DATA(0, 7);
	OUT_DATA(ACK, 1, 8, 0, 48);
	OUT_DATA(ACK, 49, 8, 48, 48);
	OUT_DATA(PSH | ACK, 97, 8, 96, 32);
}

/* RFC 1122 section 4.2.2.13: who has closed and is sent data says so by RST. */
static void after_close(void (*reach)(void), uint32_t snd_nxt)
{
	watch_init(script(), SCRIPT_MSS);
	reach();
	IN(ACK, 1, script()->conn.state == TCP_FIN_WAIT_1 ? 1 : 2, SCRIPT_SEND, 3);
	OUT(RST | ACK, snd_nxt, 1);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(data_after_close)
{
	after_close(script_fin_wait_1, 2);
	after_close(script_fin_wait_2, 2);
}

SCRIPT(data_after_close_opens_window)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN_MSS(SYN | ACK, 0, 1, 0, 48);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	SEND(128);
	CLOSE(FIN);
	STATE(FIN_WAIT_1);
	IN(ACK, 1, 1, 1000, 7);
	OUT(RST | ACK, 1, 1);
	STATE(CLOSED);
	TIMER(-1);
}

/* After the peer's FIN there is no text. */
SCRIPT(data_after_fin)
{
	script_close_wait();
	IN(ACK, 2, 1, SCRIPT_SEND, 5);
	NOTHING();
	IN(FIN | ACK, 2, 1, SCRIPT_SEND, 5);
	NOTHING();
	STATE(CLOSE_WAIT);
	assert_false(watch_may_receive(script()));
}

int run_data_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked),
		cmocka_unit_test(not_asked),
		cmocka_unit_test(duplicate),
		cmocka_unit_test(overlapping),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(out_of_order_ack),
		cmocka_unit_test(data_opens_window),
		cmocka_unit_test(data_after_close),
		cmocka_unit_test(data_after_close_opens_window),
		cmocka_unit_test(data_after_fin),
	};

	return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
