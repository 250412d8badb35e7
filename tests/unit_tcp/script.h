/* script: inject and expect, in the manner of packetdrill, against one connection.
 *
 * Numbers are relative: what we send counts from our ISS, what the peer sends from his, so that the
 * SYNs are at 0 and the first byte of data at 1. Each test runs with several pairs of them, which
 * wrap in a SYN, a message or a FIN. Time is in milliseconds from the beginning.
 *
 * All that a step does is expected line by line below it: before the next step, and at the end,
 * nothing may be left over. */
#pragma once

#include "watch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SYN SEGMENT_SYN
#define ACK SEGMENT_ACK
#define FIN SEGMENT_FIN
#define RST SEGMENT_RST
#define PSH SEGMENT_PSH

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

struct here {
	const char *file;
	int line;
};

#define HERE ((struct here){__FILE__, __LINE__})

/* Steps. CONNECT_AT asks for another ISS, relative to ours. AT runs the timer where it is due just
 * then; it must not be due before. IN is taken; IN_REFUSED is given back, since it has data that
 * nobody asked for; IN_MSS is IN of a segment without data and with that option. */
#define CONNECT()                            script_connect(HERE, 0)
#define CONNECT_AT(to)                       script_connect(HERE, to)
#define SEND(len)                            script_send(HERE, len)
#define RECEIVE()                            script_receive(HERE)
#define CLOSE(how)                           script_close(HERE, TCP_CLOSE_##how)
#define AT(ms)                               script_at(HERE, ms)
#define IN(flags, seq, ack, window, len)     script_in(HERE, flags, seq, ack, window, len, 0, true)
#define IN_MSS(flags, seq, ack, window, mss) script_in(HERE, flags, seq, ack, window, 0, mss, true)
#define UNREACHABLE(seq, code)               script_unreachable(HERE, seq, code)
#define IN_REFUSED(flags, seq, ack, window, len) \
	script_in(HERE, flags, seq, ack, window, len, 0, false)

/* Expectations. OUT_DATA names its first byte in the message. TIMER is when it is due, -1: not
 * armed. */
#define OUT(flags, seq, ack)                 script_out(HERE, flags, seq, ack, 0, 0)
#define OUT_DATA(flags, seq, ack, from, len) script_out(HERE, flags, seq, ack, from, len)
#define TELL(event)                          script_tell(HERE, event, 0)
#define TELL_ERROR(event, code)              script_tell(HERE, event, code)
#define TELL_DATA(at, len)                   script_tell_data(HERE, at, len)
#define STATE(name)                          script_state(HERE, TCP_##name)
#define TIMER(ms)                            script_timer(HERE, ms)
#define NOTHING()                            script_settled(HERE)
#define COUNTED(what, n)                     script_counted(HERE, #what, script()->path.what, n)

/* Runs a test once for each pair of sequence numbers; NAME(void) is its body. */
#define SCRIPT(name)                          \
	static void script_of_##name(void);   \
	static void name(void **state)        \
	{                                     \
		(void)state;                  \
		script_run(script_of_##name); \
	}                                     \
	static void script_of_##name(void)

#define SCRIPT_MSS  536
#define SCRIPT_SEND 128 /* where a test does not mind: a window that takes any message */

void script_run(void (*body)(void));
struct watch *script(void);

/* Connected, with a window; the state's own last segments have been expected already. */
void script_established(void);
void script_fin_wait_1(void);
void script_fin_wait_2(void);
void script_closing(void);
void script_close_wait(void);
void script_last_ack(void);
void script_time_wait(void);
void script_syn_received(void);

void script_connect(struct here at, uint32_t iss);
void script_unreachable(struct here at, uint32_t seq, int error);
void script_send(struct here at, uint8_t len);
void script_receive(struct here at);
void script_close(struct here at, enum tcp_close how);
void script_at(struct here at, int64_t ms);
void script_in(struct here at, unsigned int flags, uint32_t seq, uint32_t ack, uint16_t window,
               uint16_t len, uint16_t mss, bool is_taken);
void script_out(struct here at, unsigned int flags, uint32_t seq, uint32_t ack, uint8_t from,
                uint8_t len);
void script_tell(struct here at, unsigned int event, int code);
void script_tell_data(struct here at, uint16_t from, uint16_t len);
void script_state(struct here at, enum tcp_state state);
void script_timer(struct here at, int64_t ms);
void script_settled(struct here at);
void script_counted(struct here at, const char *what, uint64_t is, uint64_t expected);
