/* watch: a connection of utcp/tcp.h under watch. Each call goes through here; what comes of it is
 * done with the timer as an engine does it, and held against rules that are true whatever happened.
 *
 * It knows what a caller knows, so it says which calls are legal. */
#pragma once

#include "utcp/tcp.h"

#include <stdbool.h>
#include <stdint.h>

#define WATCH_START_NS UINT64_C(5000000000)

struct watch {
	struct tcp_conn conn;
	struct tcp_path path;
	uint64_t now_ns;
	struct tcp_out out; /* of the last call */
	bool is_connecting; /* TCP_CONNECTED or TCP_FAILED is still to come */
	bool is_held;
	bool is_asked;    /* TCP_DATA, TCP_FIN or TCP_ERROR likewise */
	bool is_sending;  /* TCP_SENT or TCP_ERROR likewise          */
	bool has_ended;   /* TCP_FIN or TCP_ERROR has been told       */
	uint8_t message;  /* bytes of the last that was sent, and of those ... */
	const char *rule; /* the first that was broken; NULL: none   */
};

/* Everything is zero, but for the path and the clock. */
void watch_init(struct watch *w, uint16_t mss);

bool watch_may_connect(const struct watch *w);
bool watch_may_send(const struct watch *w);
bool watch_may_receive(const struct watch *w);

/* At once: also what the caller has closed before. In order: what it has. */
bool watch_may_close(const struct watch *w, enum tcp_close how);
bool watch_is_armed(const struct watch *w);

void watch_connect(struct watch *w, uint32_t iss);
void watch_send(struct watch *w, uint8_t len);
void watch_receive(struct watch *w);
void watch_close(struct watch *w, enum tcp_close how);

/* The network says that it cannot deliver the segment with this sequence number. */
void watch_unreachable(struct watch *w, uint32_t seq, int error);

/* What tcp_input returned. */
bool watch_input(struct watch *w, const struct segment *segment);

/* Fires the timer, which is armed, no earlier than it was set. */
void watch_timer(struct watch *w);

/* Whether the connection rests by itself: nothing will be done before somebody asks or the peer
 * sends. Every other state has a timer. */
bool watch_may_rest(const struct watch *w);

/* Fires the timer until it is armed no more: with a peer that is silent for ever that is the end of
 * every connection that the caller has closed. False where it took too long. */
bool watch_drain(struct watch *w);

/* A program for one connection, in bytes, as a fuzzer makes them. What is illegal is skipped. Ends
 * with a close, and with every timer run out. Returns the rule that was broken, or NULL. */
const char *watch_program(const uint8_t *program, uint32_t len);
