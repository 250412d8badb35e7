/* step: what the parts of the state machine share: one call of tcp.h, and what it may do. Internal
 * to tcp.c and input.c. Pure. */
#pragma once

#include "utcp/tcp.h"

#define STEP_FIN_WAIT_NS (2 * TCP_MSL_NS) /* for the FIN of a peer that nobody reads any more */

struct step {
	struct tcp_conn *c;
	struct tcp_path *path;
	uint64_t now_ns;
	struct tcp_out *out;
	bool needs_ack;  /* what was received is not acknowledged by a segment of this step yet */
	bool has_opened; /* the peer's window was shut, and what was sent into it is lost      */
};

/* The smaller one, as what a byte of the record holds. */
static inline uint8_t step_at_most(uint32_t value, uint8_t most)
{
	return value < most ? (uint8_t)value : most;
}

/* Begins one: nothing to send or to tell, the timer as it was. */
struct step step_begin(struct tcp_conn *c, struct tcp_path *path, uint64_t now_ns,
                       struct tcp_out *out);

/* Whether the FIN of this state has been sent or is to be, and is not acknowledged. */
bool step_has_fin(const struct tcp_conn *c);

/* Whether something of ours waits to be acknowledged, or to be sent. */
bool step_is_unsettled(const struct tcp_conn *c);

/* RFC 6298: times what has just been sent, where nothing else is being timed; forgets what was sent
 * twice (Karn's algorithm); takes a sample where `ack` covers what is timed; sets the timer. */
void step_time(const struct step *s);
void step_forget_time(const struct step *s);
void step_sample(const struct step *s, uint32_t ack);
void step_arm_retransmission(const struct step *s);

/* A state that ends by time. */
void step_linger(const struct step *s, enum tcp_state state, uint64_t for_ns);

/* Segments. A stray reset (RFC 9293 section 3.10.7.1) is for one that nobody here sent for; a
 * challenge ACK (RFC 5961 section 7) goes out so many times a second, for all connections. */
void step_emit_ack(const struct step *s);
void step_emit_syn(const struct step *s);
void step_emit_reset(const struct step *s);
void step_emit_stray_reset(const struct step *s, const struct segment *segment);
void step_emit_challenge(const struct step *s);

/* `len` bytes of the message from byte `from` on, and the FIN behind them where it is theirs. */
void step_emit_data(const struct step *s, uint8_t from, uint8_t len);

/* Whether the caller asks for what is known already. */
bool step_owes(const struct tcp_conn *c);

/* Sends what the window lets, and the FIN when all else is sent. Where the window has opened, what
 * was sent before goes again with it. */
void step_push(struct step *s);

/* The connection is over: what stays is what its next life needs, and whether somebody has it. */
void step_end(const struct step *s);

/* It has ended by itself: told now, or kept as `flag` (TCP_FLAG_RESET, TCP_FLAG_TIMEOUT) until
 * somebody asks. */
void step_fail(const struct step *s, uint8_t flag, int error);

/* Tells an errno, as the answer to a receive or to a send. */
void step_tell_error(const struct step *s, bool was_asked, int error);
