/* closing: the eighth check (FIN) and CLOSE, in every state (RFC 9293 sections 3.6, 3.10.4). */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

/* --- by the peer ------------------------------------------------------------------------------ */

SCRIPT(fin_asked)
{
	script_established();
	RECEIVE();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	TELL(TCP_FIN);
	STATE(CLOSE_WAIT);
	TIMER(-1);
}

SCRIPT(fin_not_asked)
{
	script_established();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	STATE(CLOSE_WAIT);
	TIMER(-1);
	AT(3000);
	RECEIVE();
	TIMER(3000);
	AT(3000);
	TELL(TCP_FIN);
	TIMER(-1);
	STATE(CLOSE_WAIT);
}

/* Told at once, whatever else happens between: a send, its ACK, the FIN again. */
SCRIPT(fin_is_told_though_it_is_busy)
{
	script_established();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	RECEIVE();
	TIMER(0);
	SEND(5);
	OUT_DATA(PSH | ACK, 1, 2, 0, 5);
	TIMER(0);
	IN(ACK, 2, 3, SCRIPT_SEND, 0);
	TIMER(0);
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 6, 2);
	TIMER(0);
	IN(ACK, 2, 6, SCRIPT_SEND, 0);
	TELL(TCP_SENT);
	TIMER(0);
	AT(0);
	TELL(TCP_FIN);
	TIMER(-1);
}

SCRIPT(fin_is_told_before_a_retransmission)
{
	script_established();
	SEND(5);
	OUT_DATA(PSH | ACK, 1, 1, 0, 5);
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 6, 2);
	AT(100);
	RECEIVE();
	TIMER(100);
	AT(100);
	TELL(TCP_FIN);
	TIMER(300);
	AT(300);
	OUT_DATA(PSH | ACK, 1, 2, 0, 5);
}

SCRIPT(fin_again)
{
	script_close_wait();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	IN(FIN | ACK, 0, 1, SCRIPT_SEND, 1);
	OUT(ACK, 1, 2);
	STATE(CLOSE_WAIT);
	CLOSE(FIN);
	OUT(FIN | ACK, 1, 2);
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	STATE(LAST_ACK);
}

SCRIPT(fin_out_of_order)
{
	script_established();
	RECEIVE();
	IN(FIN | ACK, 2, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	STATE(ESTABLISHED);
	IN(FIN | ACK, 3, 1, SCRIPT_SEND, 9);
	OUT(ACK, 1, 1);
	STATE(ESTABLISHED);
	COUNTED(out_of_order, 2);
}

SCRIPT(peer_closes_first)
{
	script_last_ack();
	TIMER(200);
	IN(ACK, 2, 1, SCRIPT_SEND, 0); /* not of the FIN */
	STATE(LAST_ACK);
	IN(ACK, 2, 2, SCRIPT_SEND, 0);
	STATE(CLOSED);
	TIMER(-1);
}

/* --- by us ------------------------------------------------------------------------------------ */

SCRIPT(we_close_first)
{
	script_fin_wait_1();
	TIMER(200);
	IN(ACK, 1, 2, SCRIPT_SEND, 0);
	STATE(FIN_WAIT_2);
	TIMER(60000);
	AT(20);
	IN(FIN | ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	STATE(TIME_WAIT);
	TIMER(60020);
	AT(60020);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(fin_with_ack_of_fin)
{
	script_fin_wait_1();
	IN(FIN | ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	STATE(TIME_WAIT);
	TIMER(60000);
}

SCRIPT(simultaneous_close)
{
	script_closing();
	TIMER(200);
	IN(ACK, 2, 1, SCRIPT_SEND, 0);
	STATE(CLOSING);
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0); /* again: our ACK was lost */
	OUT(ACK, 2, 2);
	STATE(CLOSING);
	AT(200);
	OUT(FIN | ACK, 1, 2);
	IN(ACK, 2, 2, SCRIPT_SEND, 0);
	STATE(TIME_WAIT);
	TIMER(60200);
}

SCRIPT(fin_wait_2_fin_out_of_order)
{
	script_fin_wait_2();
	IN(FIN | ACK, 2, 2, SCRIPT_SEND, 0);
	OUT(ACK, 2, 1);
	STATE(FIN_WAIT_2);
	TIMER(60000);
	IN(ACK, 1, 2, SCRIPT_SEND, 0);
	NOTHING();
	TIMER(60000);
}

/* A peer that never closes is not waited for longer than this. */
SCRIPT(fin_wait_2_ends)
{
	script_fin_wait_2();
	AT(60000);
	OUT(RST | ACK, 2, 1);
	STATE(CLOSED);
	TIMER(-1);
}

/* What is under way is sent to its end, and nothing is told. */
SCRIPT(fin_behind_message)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	CLOSE(FIN);
	OUT(FIN | ACK, 17, 1);
	STATE(FIN_WAIT_1);
	TIMER(200);
	AT(200);
	OUT_DATA(FIN | PSH | ACK, 1, 1, 0, 16);
	IN(ACK, 1, 17, SCRIPT_SEND, 0);
	STATE(FIN_WAIT_1);
	TIMER(400);
	AT(400);
	OUT(FIN | ACK, 17, 1);
	IN(ACK, 1, 18, SCRIPT_SEND, 0);
	STATE(FIN_WAIT_2);
}

SCRIPT(fin_behind_message_in_close_wait)
{
	script_close_wait();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 2, 0, 16);
	CLOSE(FIN);
	OUT(FIN | ACK, 17, 2);
	STATE(LAST_ACK);
	IN(ACK, 2, 18, SCRIPT_SEND, 0);
	STATE(CLOSED);
	TIMER(-1);
}

/* A FIN that was there before the close, and told to nobody. */
SCRIPT(close_with_untold_fin)
{
	script_established();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	RECEIVE();
	TIMER(0);
	CLOSE(FIN);
	OUT(FIN | ACK, 1, 2);
	STATE(LAST_ACK);
	TIMER(200);
}

SCRIPT(close_with_untold_fin_and_message)
{
	script_established();
	SEND(5);
	OUT_DATA(PSH | ACK, 1, 1, 0, 5);
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 6, 2);
	AT(100);
	RECEIVE();
	TIMER(100);
	CLOSE(FIN);
	OUT(FIN | ACK, 6, 2);
	STATE(LAST_ACK);
	TIMER(300);
}

static void close_at_once(void (*reach)(void), uint32_t snd_nxt, uint32_t rcv_nxt)
{
	watch_init(script(), SCRIPT_MSS);
	reach();
	CLOSE(RESET);
	OUT(RST | ACK, snd_nxt, rcv_nxt);
	STATE(CLOSED);
	TIMER(-1);
	watch_init(script(), SCRIPT_MSS);
	reach();
	CLOSE(SILENT);
	NOTHING();
	STATE(CLOSED);
	TIMER(-1);
	IN(FIN | ACK, rcv_nxt, snd_nxt, SCRIPT_SEND, 0);
	OUT(RST, snd_nxt, 0);
}

static void sending(void)
{
	script_established();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	RECEIVE();
}

static void sending_in_close_wait(void)
{
	script_close_wait();
	SEND(16);
	OUT_DATA(PSH | ACK, 1, 2, 0, 16);
}

/* RST is where the peer expects it: at SND.NXT. */
SCRIPT(at_once)
{
	close_at_once(script_established, 1, 1);
	close_at_once(sending, 17, 1);
	close_at_once(script_close_wait, 1, 2);
	close_at_once(sending_in_close_wait, 17, 2);
	/* What was closed in order before, and takes too long. */
	close_at_once(script_fin_wait_1, 2, 1);
	close_at_once(script_fin_wait_2, 2, 1);
	close_at_once(script_closing, 2, 2);
	close_at_once(script_last_ack, 2, 2);
}

int run_closing_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fin_asked),
		cmocka_unit_test(fin_not_asked),
		cmocka_unit_test(fin_is_told_though_it_is_busy),
		cmocka_unit_test(fin_is_told_before_a_retransmission),
		cmocka_unit_test(fin_again),
		cmocka_unit_test(fin_out_of_order),
		cmocka_unit_test(peer_closes_first),
		cmocka_unit_test(we_close_first),
		cmocka_unit_test(fin_with_ack_of_fin),
		cmocka_unit_test(simultaneous_close),
		cmocka_unit_test(fin_wait_2_fin_out_of_order),
		cmocka_unit_test(fin_wait_2_ends),
		cmocka_unit_test(fin_behind_message),
		cmocka_unit_test(fin_behind_message_in_close_wait),
		cmocka_unit_test(close_with_untold_fin),
		cmocka_unit_test(close_with_untold_fin_and_message),
		cmocka_unit_test(at_once),
	};

	return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
