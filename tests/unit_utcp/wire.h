/* wire: a device that is the test's: it keeps what is put into it, and gives what the test brings.
 * The clock stands still but for what the test adds. */
#pragma once

#include "plan/tuple.h"
#include "utcp/device.h"
#include "utcp/packet.h"

#define WIRE_MS   UINT64_C(1000000)
#define WIRE_MOST 512

struct wire_sent {
	struct packet packet;
	uint8_t bytes[PACKET_BYTES_MOST];
};

struct wire {
	struct device device;
	uint8_t room[PACKET_BYTES_MOST];
	struct wire_sent sent[WIRE_MOST];
	uint32_t sent_count;
	uint32_t unsent; /* that have been put since it was last flushed */
	uint8_t in[DEVICE_BATCH][PACKET_BYTES_MOST];
	struct device_frame frames[DEVICE_BATCH];
	int frame_count;
	int at_once;      /* that an exchange gives; 0: all */
	uint64_t now_ns;  /* the clock                      */
	uint64_t look_ns; /* that each look at it takes     */
	uint64_t step_ns; /* that each exchange takes       */
	int failed;       /* what an exchange returns       */
	bool is_closed;
	void (*peer)(const struct packet *packet); /* answers what is sent */
};

extern struct wire wire;

/* Begins anew. */
void wire_open(void);

/* A segment of the server's comes, to our end of `tuple`. */
void wire_bring(const struct tuple *tuple, const struct segment *segment);

/* What was put last; and that so many were put since this was asked last. */
const struct packet *wire_last(void);
void wire_expect_puts(uint32_t count);
