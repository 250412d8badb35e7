/* server: one connection of a model server: a plain TCP of its own (RFC 9293, by none of the code
 * under test), with retransmission, reassembly, a small receive buffer, and an application that
 * echoes what it reads and closes when the peer has, or first. */
#pragma once

#include "utcp/segment.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVER_ROOM 256 /* bytes of each of its buffers */

enum server_state {
	SERVER_LISTEN,
	SERVER_SYN_RECEIVED,
	SERVER_ESTABLISHED,
	SERVER_FIN_WAIT, /* 1 and 2: its FIN goes out or is out, the peer's has not come */
	SERVER_CLOSE_WAIT,
	SERVER_CLOSING, /* and LAST_ACK: both FINs are there, its own is not acknowledged */
	SERVER_TIME_WAIT
};

struct server {
	enum server_state state;
	uint32_t iss, irs, snd_una, snd_nxt, snd_max, rcv_nxt;
	uint16_t snd_wnd, mss;
	uint8_t out[SERVER_ROOM]; /* from SND.UNA on                                   */
	uint16_t out_len;
	bool has_fin;            /* behind them                                        */
	uint8_t in[SERVER_ROOM]; /* received in order, and not read                    */
	uint16_t in_len;
	uint8_t ahead[SERVER_ROOM]; /* from RCV.NXT on, where `has_ahead`              */
	bool has_ahead[SERVER_ROOM];
	bool is_peer_done; /* its FIN came, in order                                   */
	uint8_t tries;
	bool closes_first; /* TIME_WAIT is its own                                     */
	uint64_t timer_ns; /* when server_timer is to be called; 0: not at all         */
	uint64_t read_ns;  /* likewise server_read                                     */

	/* Set by who makes it. */
	uint16_t room;        /* of `in`, at most SERVER_ROOM                          */
	uint32_t reads_after; /* how long its application waits, in ms                 */
	uint32_t echoes;      /* it closes after so many bytes; 0: only when the peer does */
	uint32_t echoed;
	void (*send)(void *context, const struct segment *segment);
	void *context;
};

/* A segment has come. `iss`: what it takes for its own where that opens a connection. */
void server_input(struct server *s, const struct segment *segment, uint32_t iss, uint64_t now_ns);

void server_timer(struct server *s, uint64_t now_ns);

/* The application reads, and echoes what there is room for. */
void server_read(struct server *s, uint64_t now_ns);
