/* window: the peer's window, shut and small (RFC 9293 section 3.8.6). */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

static void established_with(uint16_t window)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN_MSS(SYN | ACK, 0, 1, window, 100);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
}

/* A byte at a time is asked whether it is open, with back-off. */
SCRIPT(shut)
{
	established_with(0);
	SEND(16);
	NOTHING();
	TIMER(200);
	AT(200);
	OUT_DATA(ACK, 1, 1, 0, 1);
	TIMER(600);
	IN(ACK, 1, 1, 0, 0);
	NOTHING();
	TIMER(600);
	AT(600);
	OUT_DATA(ACK, 1, 1, 0, 1);
	TIMER(1400);
	COUNTED(probes, 2);
	COUNTED(retransmitted, 0);
	IN(ACK, 1, 1, 1000, 0); /* opens: what was not taken goes with the rest */
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	TIMER(800);
	IN(ACK, 1, 17, 1000, 0);
	TELL(TCP_SENT);
	TIMER(-1);
}

SCRIPT(probe_is_taken)
{
	established_with(0);
	SEND(16);
	AT(200);
	OUT_DATA(ACK, 1, 1, 0, 1);
	IN(ACK, 1, 2, 0, 0);
	NOTHING();
	TIMER(400);
	AT(400);
	OUT_DATA(ACK, 2, 1, 1, 1);
	IN(ACK, 1, 3, 20, 0);
	OUT_DATA(PSH | ACK, 3, 1, 2, 14);
	IN(ACK, 1, 17, 20, 0);
	TELL(TCP_SENT);
}

/* Never given up while it is answered. */
SCRIPT(shut_for_long)
{
	int64_t last = 0;

	established_with(0);
	SEND(16);
	for (int i = 0; i < 1000; i++) {
		int64_t due = (int64_t)(script()->conn.timer.deadline_ns - WATCH_START_NS) /
		              1000000;

		assert_in_range(due - last, i < 6 ? 200 << i : 12800, 60000);
		AT(due);
		OUT_DATA(ACK, 1, 1, 0, 1);
		IN(ACK, 1, 1, 0, 0);
		NOTHING();
		last = due;
	}
	STATE(ESTABLISHED);
	IN(ACK, 1, 1, 1000, 0);
	OUT_DATA(PSH | ACK, 1, 1, 0, 16);
	TIMER(last + 200);
}

SCRIPT(shut_and_silent)
{
	int64_t ms = 0, wait = 200;

	established_with(0);
	SEND(16);
	for (int i = 0; i < TCP_TRIES_MOST; i++) {
		ms += wait;
		AT(ms);
		OUT_DATA(ACK, 1, 1, 0, 1);
		wait = 2 * wait < 60000 ? 2 * wait : 60000;
	}
	AT(ms + wait);
	OUT(RST | ACK, 2, 1);
	TELL_ERROR(TCP_ERROR, -ETIMEDOUT);
	STATE(CLOSED);
}

/* Pieces of a small window; what is beyond waits. */
SCRIPT(small)
{
	established_with(10);
	SEND(128);
	OUT_DATA(ACK, 1, 1, 0, 10);
	IN(ACK, 1, 11, 10, 0);
	OUT_DATA(ACK, 11, 1, 10, 10);
	IN(ACK, 1, 21, 200, 0);
	OUT_DATA(ACK, 21, 1, 20, 100);
	OUT_DATA(PSH | ACK, 121, 1, 120, 8);
	IN(ACK, 1, 129, 200, 0);
	TELL(TCP_SENT);
}

/* A window that grows without anything being acknowledged. */
SCRIPT(grows)
{
	established_with(10);
	SEND(50);
	OUT_DATA(ACK, 1, 1, 0, 10);
	IN(ACK, 1, 1, 30, 0);
	OUT_DATA(ACK, 11, 1, 10, 20);
	IN(ACK, 1, 1, 60, 0);
	OUT_DATA(PSH | ACK, 31, 1, 30, 20);
	TIMER(200);
}

/* One that shrinks below what is in flight, and shuts: the peer may have all of it all the same. */
SCRIPT(shrinks)
{
	established_with(50);
	SEND(40);
	OUT_DATA(PSH | ACK, 1, 1, 0, 40);
	CLOSE(FIN);
	OUT(FIN | ACK, 41, 1);
	IN(ACK, 1, 1, 0, 0);
	NOTHING();
	IN(ACK, 1, 1, 5,
	   0); /* of what is in flight, the first that the window takes is sent again */
	OUT_DATA(ACK, 1, 1, 0, 5);
	IN(ACK, 1, 42, 5, 0);
	STATE(FIN_WAIT_2);
}

SCRIPT(shut_fin)
{
	established_with(0);
	SEND(16);
	CLOSE(FIN);
	NOTHING();
	STATE(FIN_WAIT_1);
	TIMER(200);
	AT(200);
	OUT_DATA(ACK, 1, 1, 0, 1);
	IN(ACK, 1, 1, 100, 0);
	OUT_DATA(FIN | PSH | ACK, 1, 1, 0, 16);
	IN(ACK, 1, 18, 100, 0);
	STATE(FIN_WAIT_2);
}

/* The peer's FIN while our message waits for its window. */
SCRIPT(shut_closing)
{
	established_with(0);
	SEND(16);
	CLOSE(FIN);
	IN(FIN | ACK, 1, 1, 0, 0);
	OUT(ACK, 1, 2);
	STATE(CLOSING);
	TIMER(200);
	IN(ACK, 2, 1, 100, 0);
	OUT_DATA(FIN | PSH | ACK, 1, 2, 0, 16);
	IN(ACK, 2, 18, 100, 0);
	STATE(TIME_WAIT);
}

int run_window_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shut),          cmocka_unit_test(probe_is_taken),
		cmocka_unit_test(shut_for_long), cmocka_unit_test(shut_and_silent),
		cmocka_unit_test(small),         cmocka_unit_test(grows),
		cmocka_unit_test(shrinks),       cmocka_unit_test(shut_fin),
		cmocka_unit_test(shut_closing),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
