/* tcp: a client's TCP: (connection, segment, now) -> what to send, what to tell, when to be woken.
 * Pure: no system call, no allocation, no clock. See the source for its theory of operation and for
 * what is left out. */
#pragma once

#include "base/wheel.h"
#include "utcp/segment.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define TCP_MESSAGE_MOST 128   /* bytes of one message: what the caller sends at a time */
#define TCP_WINDOW       65535 /* RCV.WND, always: what is received is handed on at once */

/* RFC 9293 section 3.3.2. LISTEN is a server's. */
enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED, /* by a simultaneous open */
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_STATE_COUNT
};

/* One connection: 32 bytes, all of it. What can be computed from its index is not kept: the
 * 4-tuple, the initial sequence number, the bytes of the message that is being sent.
 *
 * All zero is a connection that has never been. Nobody but tcp.c writes to it, but for the wheel,
 * which owns the timer. */
struct tcp_conn {
	struct wheel_entry timer; /* 16 bytes: deadline and links                         */
	uint32_t snd_una;         /* SND.UNA                                              */
	uint32_t rcv_nxt;         /* RCV.NXT                                              */
	uint8_t state : 4;        /* enum tcp_state                                       */
	uint8_t tries : 4;        /* retransmissions, or probes, in a row                 */
	uint8_t flags;            /* TCP_FLAG_...                                         */
	uint8_t snd_wnd;          /* SND.WND, at most 255: more is never sent             */
	uint8_t mss;              /* what the peer takes, at most 255                     */
	uint8_t len;              /* of the message that is being sent; 0: none           */
	uint8_t acked;            /* of it: SND.UNA is behind these                       */
	uint8_t sent;             /* of it: in flight beyond SND.UNA                      */
	uint8_t life;             /* how often it was connected, modulo 256               */
};
static_assert(sizeof(struct tcp_conn) == 32, "32 bytes a connection are the promise");

#define TCP_FLAG_HELD    0x01 /* the caller has it: connected, and not closed by it since    */
#define TCP_FLAG_ASKED   0x02 /* the caller asked to be told what comes                      */
#define TCP_FLAG_FIN     0x04 /* the peer's FIN came, and the caller has not been told       */
#define TCP_FLAG_FIN_OUT 0x08 /* our FIN has been sent, and is not acknowledged              */
#define TCP_FLAG_RESET   0x10 /* ended by the peer's RST, and the caller has not been told   */
#define TCP_FLAG_TIMEOUT 0x20 /* ended since nobody answered, likewise                       */
#define TCP_FLAG_LIVED   0x40 /* snd_una is where its last life ended (TIME_WAIT assassination) */

/* What all connections of an engine share: they go the same way, to the same host. So there is one
 * estimate of the round-trip time (RFC 6298 computed over all of them, as RFC 9040 allows), taken
 * from one segment at a time, as a single connection would. */
struct tcp_path {
	uint64_t srtt_ns, rttvar_ns;  /* 0: no sample yet                                      */
	uint64_t rto_ns;              /* what the first retransmission waits for               */
	const struct tcp_conn *timed; /* whose segment is being timed; NULL: nobody's         */
	uint32_t timed_end;           /* acknowledged from here on, the sample is there        */
	uint64_t timed_ns;            /* when it was sent                                      */
	uint16_t mss;                 /* what we offer                                         */
	uint64_t challenge_ns;        /* challenge ACKs of this second (RFC 5961 section 7) ... */
	uint32_t challenges;          /* ... and how many                                      */
	/* counted */
	uint64_t retransmitted, probes, challenged, out_of_order, resets_ignored;
};

#define TCP_RTO_FIRST_NS    UINT64_C(1000000000)  /* RFC 6298 (2.1)                           */
#define TCP_RTO_LEAST_NS    UINT64_C(200000000)   /* where RFC 6298 (2.4) has 1 s: as Linux   */
#define TCP_RTO_MOST_NS     UINT64_C(60000000000) /* RFC 6298 (2.5)                           */
#define TCP_GRAIN_NS        UINT64_C(10000000)    /* G of RFC 6298 (2.2): a tick of the wheel */
#define TCP_TRIES_MOST      15 /* of data and FIN (R2 of RFC 9293 section 3.8.3)              */
#define TCP_SYN_TRIES       7  /* of a SYN: 183 s, as R2 is to be at least three minutes      */
#define TCP_MSL_NS          UINT64_C(30000000000) /* TIME_WAIT lasts for two of them           */
#define TCP_CHALLENGES_MOST 1000 /* a second                                                */

/* What is to be told, in this order. */
enum tcp_event {
	TCP_CONNECTED = 1 << 0, /* by connect: it is open                                     */
	TCP_FAILED = 1 << 1,    /* by connect: out->error; the connection is closed           */
	TCP_SENT = 1 << 2,      /* by send: all of the message is acknowledged                */
	TCP_DATA = 1 << 3,      /* by receive: out->data_len bytes of the segment from data_at on */
	TCP_FIN = 1 << 4,       /* by receive: the peer sends no more                         */
	TCP_ERROR = 1 << 5      /* by receive, or by send where nobody receives: out->error   */
};

/* A segment to send: `len` bytes of the message from byte `from` on. */
struct tcp_emit {
	uint32_t seq, ack;
	uint8_t flags;
	uint8_t from, len;
	bool has_mss; /* with the path's MSS as an option */
};

#define TCP_EMITS_MOST 3 /* a message in pieces of 48 bytes */

/* What a step wants done. Filled from scratch by each of the functions below. */
struct tcp_out {
	struct tcp_emit emits[TCP_EMITS_MOST];
	uint8_t emit_count;
	uint8_t events; /* enum tcp_event */
	bool was_asked; /* TCP_ERROR: by a receive (else it answers a send)                */
	int error;      /* negative errno: -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -EPIPE,
	                 * and what tcp_unreachable was given */
	uint16_t data_at, data_len;
	uint8_t sent_len;  /* TCP_SENT: how long the message was */
	uint64_t timer_ns; /* when tcp_timer is to be called; TCP_TIMER_OFF: not at all;
	                    * TCP_TIMER_SAME: as it was                                      */
};

#define TCP_TIMER_SAME UINT64_MAX
#define TCP_TIMER_OFF  UINT64_C(0)

/* Sets a path up; `mss` is what is offered in a SYN. */
void tcp_path_init(struct tcp_path *path, uint16_t mss);

/* Opens a connection that is not held: sends a SYN. `iss` is by utcp/iss; where the last life of
 * the connection ended behind it, the new one begins beyond that (RFC 6191 and RFC 9293
 * section 3.4.1: a peer in TIME_WAIT takes only a larger one). Where its last life is not over for
 * the peer (FIN under way), that is ended by RST first. */
void tcp_connect(struct tcp_conn *c, struct tcp_path *path, uint32_t iss, uint64_t now_ns,
                 struct tcp_out *out);

/* Sends a message of 1 .. TCP_MESSAGE_MOST bytes on a held connection that has none under way. One
 * TCP_SENT follows when all of it is acknowledged, or TCP_ERROR (-EPIPE where it has ended, and the
 * caller was told). Where the message's bytes are is nothing to this: an emit names them. */
void tcp_send(struct tcp_conn *c, struct tcp_path *path, uint8_t len, uint64_t now_ns,
              struct tcp_out *out);

/* Asks to be told once: TCP_DATA, TCP_FIN or TCP_ERROR. What is known already is told by the next
 * tcp_timer, for which out->timer_ns is now_ns. */
void tcp_receive(struct tcp_conn *c, uint64_t now_ns, struct tcp_out *out);

enum tcp_close { TCP_CLOSE_FIN, TCP_CLOSE_RESET, TCP_CLOSE_SILENT };

/* The caller wants it no more, connected or not: nothing is told from here on. FIN: in order, what
 * is unsent of a message is sent first; the connection goes on by itself until the peer's FIN is
 * there, or nobody answers. */
void tcp_close(struct tcp_conn *c, struct tcp_path *path, enum tcp_close how, uint64_t now_ns,
               struct tcp_out *out);

/* A segment for the connection (RFC 9293 section 3.10.7, RFC 5961). False, with nothing changed and
 * nothing to do, where it has data that the caller has not asked for: it may be given again later,
 * or be dropped, and the peer sends it again. */
bool tcp_input(struct tcp_conn *c, struct tcp_path *path, const struct segment *segment,
               uint64_t now_ns, struct tcp_out *out);

/* The network says that it cannot deliver the segment with this sequence number (utcp/unreachable).
 * That ends a connection which is being opened; for one that is open it is no more than a hint (RFC
 * 9293 section 3.9.2.2). An error about anything but the SYN is somebody's guess (RFC 5927 section
 * 4). */
void tcp_unreachable(struct tcp_conn *c, struct tcp_path *path, uint32_t seq, int error,
                     uint64_t now_ns, struct tcp_out *out);

/* The timer that was set has run out. */
void tcp_timer(struct tcp_conn *c, struct tcp_path *path, uint64_t now_ns, struct tcp_out *out);

/* A segment for which there is no connection: RST, unless it is one (RFC 9293 section 3.10.7.1). */
void tcp_stray(const struct segment *segment, struct tcp_out *out);

/* Whether the peer may still have it: a SYN, data or FIN of either side is not settled. Neither
 * CLOSED nor TIME_WAIT. */
bool tcp_is_alive(const struct tcp_conn *c);

/* SND.NXT. */
uint32_t tcp_snd_nxt(const struct tcp_conn *c);
