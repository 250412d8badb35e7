/* segment: a TCP segment as the state machine sees it (RFC 9293 section 3.1), and arithmetic of
 * sequence numbers, which wrap. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Control bits, as they are on the wire. */
#define SEGMENT_FIN 0x01
#define SEGMENT_SYN 0x02
#define SEGMENT_RST 0x04
#define SEGMENT_PSH 0x08
#define SEGMENT_ACK 0x10

struct segment {
	uint32_t seq, ack; /* SEG.SEQ, SEG.ACK                                            */
	uint16_t window;   /* SEG.WND, not scaled: we offer no scaling                    */
	uint16_t mss;      /* the option of a SYN, 0: none                                */
	uint16_t len;      /* bytes of data; SEG.LEN is these and one each for SYN and FIN */
	uint8_t flags;
	const uint8_t *data; /* lent: it lies in the packet                               */
};

/* a < b, a <= b: where b is less than 2^31 ahead of a. */
static inline bool segment_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool segment_not_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

/* SEG.LEN. */
static inline uint32_t segment_len(const struct segment *s)
{
	uint32_t syn = (s->flags & SEGMENT_SYN) != 0, fin = (s->flags & SEGMENT_FIN) != 0;

	return s->len + syn + fin;
}
