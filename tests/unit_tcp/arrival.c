/* arrival: the first four checks of the synchronized states (RFC 9293 section 3.10.7.4): sequence
 * number, RST, SYN, each in every state (RFC 5961 sections 3 and 4). */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

/* The states with what they have sent, what of it is acknowledged, and what they have received. */
static const struct place {
	void (*reach)(void);
	enum tcp_state state;
	uint32_t snd_nxt, snd_una, rcv_nxt;
} places[] = {
	{script_established, TCP_ESTABLISHED, 1, 1, 1},
	{script_fin_wait_1, TCP_FIN_WAIT_1, 2, 1, 1},
	{script_fin_wait_2, TCP_FIN_WAIT_2, 2, 2, 1},
	{script_closing, TCP_CLOSING, 2, 1, 2},
	{script_close_wait, TCP_CLOSE_WAIT, 1, 1, 2},
	{script_last_ack, TCP_LAST_ACK, 2, 1, 2},
	{script_time_wait, TCP_TIME_WAIT, 2, 2, 2},
	{script_syn_received, TCP_SYN_RECEIVED, 1, 0, 1},
};

static void everywhere(void (*at)(const struct place *p))
{
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		watch_init(script(), SCRIPT_MSS);
		places[i].reach();
		at(&places[i]);
		script_settled(HERE);
	}
}

/* --- first: the sequence number --------------------------------------------------------------- */

/* Relative to RCV.NXT: the four rows of the acceptability table, of which a window that is never
 * shut needs two. A refused segment is answered with where we are. */
static const struct {
	int32_t seq;
	uint16_t len;
	bool is_acceptable;
} acceptability[] = {
	{0, 0, true},
	{1, 0, true},
	{65534, 0, true},
	{65535, 0, false},
	{65536, 0, false},
	{-1, 0, false}, /* a keep-alive probe without garbage */
	{-2, 0, false},
	{INT32_MAX, 0, false},
	{INT32_MIN, 0, false},
	{1, 1, true},
	{65534, 1, true},
	{65534, 1000, true}, /* begins in the window */
	{65535, 1, false},
	{-1, 1, false}, /* a keep-alive probe with a byte of garbage */
	{-10, 10, false},
	{-10, 9, false},
	{-65535, 65535, false},
	{INT32_MAX, 100, false},
	{INT32_MIN, 100, false},
};

static void sequence_at(const struct place *p)
{
	for (size_t i = 0; i < COUNT_OF(acceptability); i++) {
		uint32_t seq = p->rcv_nxt + (uint32_t)acceptability[i].seq;
		bool is_ahead = acceptability[i].seq > 0 && acceptability[i].len > 0;
		/* Data ahead of RCV.NXT is asked for again by those who may still get some. */
		bool receives = p->state == TCP_ESTABLISHED || p->state == TCP_FIN_WAIT_1 ||
		                p->state == TCP_FIN_WAIT_2;

		if (p->state == TCP_SYN_RECEIVED && acceptability[i].is_acceptable)
			continue; /* whose ACK opens it */
		IN(ACK, seq, p->snd_una, 10, acceptability[i].len);
		if (!acceptability[i].is_acceptable || (is_ahead && receives))
			OUT(ACK, p->snd_nxt, p->rcv_nxt);
		script_state(HERE, p->state);
	}
}

SCRIPT(sequence)
{
	everywhere(sequence_at);
}

/* The same without ACK, or with one that is not usable: the sequence number comes first. */
static void sequence_first_at(const struct place *p)
{
	static const unsigned int flags[] = {0, FIN, SYN, SYN | FIN, PSH};

	if (p->state == TCP_TIME_WAIT)
		return; /* where a FIN does more */
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		IN(flags[i], p->rcv_nxt + 65535, 0, 10, 0);
		OUT(ACK, p->snd_nxt, p->rcv_nxt);
		IN(flags[i], p->rcv_nxt - 3, 0, 10, 1);
		OUT(ACK, p->snd_nxt, p->rcv_nxt);
		IN(flags[i] | ACK, p->rcv_nxt - 3, 77777, 10, 1);
		OUT(ACK, p->snd_nxt, p->rcv_nxt);
		script_state(HERE, p->state);
	}
}

SCRIPT(sequence_comes_first)
{
	everywhere(sequence_first_at);
}

SCRIPT(keep_alive)
{
	script_established();
	for (int64_t i = 1; i < 100; i++) {
		AT(7000 * i);
		IN(ACK, 0, 1, SCRIPT_SEND, 0);
		OUT(ACK, 1, 1);
		IN(ACK, 0, 1, SCRIPT_SEND, 1);
		OUT(ACK, 1, 1);
	}
	TIMER(-1);
}

/* --- second: RST ------------------------------------------------------------------------------ */

/* Outside the window: nothing. */
static void reset_outside_at(const struct place *p)
{
	IN(RST, p->rcv_nxt - 1, 0, 0, 0);
	NOTHING();
	IN(RST | ACK, p->rcv_nxt - 1, p->snd_nxt, 0, 0);
	NOTHING();
	IN(RST, p->rcv_nxt + 65535, 0, 0, 0);
	NOTHING();
	IN(RST, p->rcv_nxt + 0x80000000, 0, 0, 0);
	NOTHING();
	script_state(HERE, p->state);
	COUNTED(resets_ignored, 4);
	COUNTED(challenged, 0);
}

SCRIPT(reset_outside)
{
	everywhere(reset_outside_at);
}

/* In the window, but not where it should be: a challenge ACK. */
static void reset_inside_at(const struct place *p)
{
	IN(RST, p->rcv_nxt + 1, 0, 0, 0);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	IN(RST | ACK, p->rcv_nxt + 65534, p->snd_nxt, 0, 0);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	script_state(HERE, p->state);
	COUNTED(challenged, 2);
}

SCRIPT(reset_inside)
{
	everywhere(reset_inside_at);
}

/* Exactly there: the end, without a word to the peer. Its ACK is not looked at. */
static void reset_at(const struct place *p)
{
	IN(RST | ACK, p->rcv_nxt, 0x12345678, 0, 0);
	if (p->state == TCP_SYN_RECEIVED)
		TELL_ERROR(TCP_FAILED, -ECONNREFUSED);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(reset_exactly)
{
	everywhere(reset_at);
}

SCRIPT(reset_answers_receive)
{
	script_established();
	RECEIVE();
	IN(RST, 1, 0, 0, 0);
	TELL_ERROR(TCP_ERROR, -ECONNRESET);
	assert_true(script()->out.was_asked);
	STATE(CLOSED);
	SEND(5);
	TIMER(0);
	AT(0);
	TELL_ERROR(TCP_ERROR, -EPIPE);
	assert_false(script()->out.was_asked);
	TIMER(-1);
	CLOSE(FIN);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(reset_answers_send)
{
	script_established();
	SEND(5);
	OUT_DATA(PSH | ACK, 1, 1, 0, 5);
	IN(RST, 1, 0, 0, 0);
	TELL_ERROR(TCP_ERROR, -ECONNRESET);
	assert_false(script()->out.was_asked);
	STATE(CLOSED);
	TIMER(-1);
}

SCRIPT(reset_is_told_late)
{
	script_established();
	IN(RST, 1, 0, 0, 0);
	NOTHING();
	STATE(CLOSED);
	TIMER(-1);
	AT(500);
	RECEIVE();
	TIMER(500);
	AT(500);
	TELL_ERROR(TCP_ERROR, -ECONNRESET);
	assert_true(script()->out.was_asked);
	TIMER(-1);
	SEND(1);
	AT(500);
	TELL_ERROR(TCP_ERROR, -EPIPE);
}

SCRIPT(reset_is_told_to_a_send)
{
	script_established();
	IN(RST, 1, 0, 0, 0);
	SEND(1);
	TIMER(0);
	AT(0);
	TELL_ERROR(TCP_ERROR, -ECONNRESET);
	assert_false(script()->out.was_asked);
	TIMER(-1);
}

SCRIPT(reset_of_what_was_closed_is_not_told)
{
	script_established();
	IN(RST, 1, 0, 0, 0);
	CLOSE(FIN);
	NOTHING();
	STATE(CLOSED);
	TIMER(-1);
}

/* The answer to a challenge: RST exactly there. */
SCRIPT(reset_after_challenge)
{
	script_established();
	RECEIVE();
	IN(RST, 100, 0, 0, 0);
	OUT(ACK, 1, 1);
	IN(RST, 1, 0, 0, 0);
	TELL_ERROR(TCP_ERROR, -ECONNRESET);
}

/* --- fourth: SYN ------------------------------------------------------------------------------ */

static void syn_at(const struct place *p)
{
	IN(SYN, p->rcv_nxt, 0, 10, 0);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	IN(SYN, p->rcv_nxt + 1000, 0, 10, 0);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	IN(SYN, p->rcv_nxt + 100000, 0, 10, 0);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	IN(SYN | ACK, p->rcv_nxt, p->snd_nxt, 10, 0);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	IN(SYN | FIN | ACK, p->rcv_nxt, p->snd_nxt, 10, 9);
	OUT(ACK, p->snd_nxt, p->rcv_nxt);
	script_state(HERE, p->state);
	COUNTED(challenged, 4);
	assert_int_not_equal(script()->conn.snd_wnd, 10);
}

SCRIPT(syn)
{
	everywhere(syn_at);
}

/* --- RFC 5961 section 7 ----------------------------------------------------------------------- */

static void challenges(int64_t ms, int count)
{
	for (int i = 0; i < count; i++) {
		AT(ms);
		IN(SYN, 1, 0, 0, 0);
		OUT(ACK, 1, 1);
	}
	IN(SYN, 1, 0, 0, 0);
	NOTHING();
	IN(RST, 2, 0, 0, 0);
	NOTHING();
	IN(ACK, 1, 2, 0, 0);
	NOTHING();
}

SCRIPT(challenges_are_limited)
{
	script_established();
	challenges(0, TCP_CHALLENGES_MOST);
	AT(999);
	IN(SYN, 1, 0, 0, 0);
	NOTHING();
	challenges(1000, TCP_CHALLENGES_MOST);
	challenges(60000, TCP_CHALLENGES_MOST);
	COUNTED(challenged, UINT64_C(3) * TCP_CHALLENGES_MOST);
}

/* Answers to what is outside of the window are limited where they could answer each other; those to
 * probes, data, SYN and FIN never are. */
SCRIPT(answers_are_limited)
{
	script_established();
	for (int i = 0; i < TCP_CHALLENGES_MOST; i++) {
		IN(ACK, 70000, 1, 0, 0);
		OUT(ACK, 1, 1);
	}
	IN(ACK, 70000, 1, 0, 0);
	NOTHING();
	IN(ACK, 1U - 2, 1, 0, 0);
	NOTHING();
	IN(ACK, 0, 1, 0, 0);
	OUT(ACK, 1, 1);
	IN(ACK, 0, 1, 0, 1);
	OUT(ACK, 1, 1);
	IN(SYN | ACK, 0, 1, 0, 0);
	OUT(ACK, 1, 1);
	IN(FIN | ACK, 0, 1, 0, 0);
	OUT(ACK, 1, 1);
	AT(1000);
	IN(ACK, 70000, 1, 0, 0);
	OUT(ACK, 1, 1);
}

int run_arrival_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence),
		cmocka_unit_test(sequence_comes_first),
		cmocka_unit_test(keep_alive),
		cmocka_unit_test(reset_outside),
		cmocka_unit_test(reset_inside),
		cmocka_unit_test(reset_exactly),
		cmocka_unit_test(reset_answers_receive),
		cmocka_unit_test(reset_answers_send),
		cmocka_unit_test(reset_is_told_late),
		cmocka_unit_test(reset_is_told_to_a_send),
		cmocka_unit_test(reset_of_what_was_closed_is_not_told),
		cmocka_unit_test(reset_after_challenge),
		cmocka_unit_test(syn),
		cmocka_unit_test(challenges_are_limited),
		cmocka_unit_test(answers_are_limited),
	};

	return cmocka_run_group_tests_name("arrival", tests, NULL, NULL);
}
