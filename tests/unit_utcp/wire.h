/* wire: a device of the test's own, and the test's time: what is put into it is kept, what is to
 * come out of it is laid into its frames. */
#pragma once

#include "utcp/device.h"
#include "utcp/packet.h"

#include <stdbool.h>
#include <stdint.h>

#define WIRE_SENT_MOST 512

extern uint64_t now_ns;
extern uint64_t look_ns; /* that each look at the clock takes */

struct sent {
	struct packet packet;
	uint8_t bytes[PACKET_BYTES_MOST];
};

extern struct wire {
	struct device device;
	uint8_t room[PACKET_BYTES_MOST];
	struct sent sent[WIRE_SENT_MOST];
	uint32_t sent_count;
	uint32_t unsent; /* that have been put since it was last flushed */
	uint8_t in[DEVICE_BATCH][PACKET_BYTES_MOST];
	struct device_frame frames[DEVICE_BATCH];
	int frame_count;
	uint64_t step_ns; /* that each exchange takes */
	int failed;       /* what an exchange returns */
	bool is_closed;
	void (*peer)(const struct packet *packet); /* answers what is sent */
} wire;

extern const struct device_ops wire_ops;
