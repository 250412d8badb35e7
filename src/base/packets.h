/* packets: what clients with a TCP of their own have counted: each engine where it runs, and the
 * result their sum. */
#pragma once

#include <stdint.h>

/* All of them are uint64_t (packets_add). */
struct packets {
	uint64_t sent, received;
	uint64_t retransmitted; /* segments: SYN, data, FIN                                    */
	uint64_t probes;        /* of zero windows                                             */
	uint64_t challenged;    /* challenge ACKs (RFC 5961)                                   */
	uint64_t out_of_order;  /* data behind a gap, dropped                                  */
	uint64_t unasked;       /* data nobody had asked for, dropped                          */
	uint64_t stray;         /* segments of no connection, answered with RST                */
	uint64_t bad_checksum, malformed, foreign;
	uint64_t dropped;   /* ours that the kernel did not take                               */
	uint64_t conflicts; /* of neighbours on a LAN: frames of another that has one of our
	                     * addresses                                                       */
};

/* Adds each count of `from`, which another process may be counting up. */
void packets_add(struct packets *to, const struct packets *from);
