/* ring: a packet socket (packet(7)) with a mapped ring to receive (TPACKET_V2,
 * Documentation/networking/packet_mmap.rst), and batches of frames to send: what the devices over
 * packet sockets share. */
#pragma once

#include "utcp/device.h"
#include "utcp/packet.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RING_LARGE_BYTES (65536 + 256) /* the longest frame that an offload makes of many */

/* A frame to send: the IP packet lies at a multiple of 4. */
struct ring_outgoing {
	uint8_t gap[2];
	uint8_t bytes[ETH_HLEN + PACKET_BYTES_MOST];
};

struct ring {
	int fd; /* -1: not open. poll(2) says POLLIN once too often where frames are lent */
	uint8_t *slots;
	uint32_t next;    /* the slot that is looked at next          */
	uint32_t lent;    /* slots before it that are not given back  */
	uint32_t put;     /* frames to be sent                        */
	uint64_t dropped; /* of either direction, as far as is known  */
	int wait_ms;      /* for the device to have room again        */
	uint8_t *large;   /* one frame that is longer than a slot; NULL: those are dropped */
	struct ring_outgoing out[DEVICE_BATCH];
	struct iovec vectors[DEVICE_BATCH];
	struct mmsghdr messages[DEVICE_BATCH];
};

struct ring_config {
	unsigned int link;
	uint16_t protocol; /* ETH_P_..., host order */
	/* A wire of our own: nothing waits in queues, frames are never longer than a slot. Else a
	 * device that is others' too: its queueing discipline is used, which is fair to them and
	 * shows what we send to who captures; what is sent there is not seen here. */
	bool is_own_wire;
	const struct sock_fprog *filter; /* NULL: all frames of the protocol */
};

/* Opens the socket, bound to the link. Returns the step that failed, with errno set; NULL where
 * none has. ring_close closes it in either case; the structure is zeroed, but for fd = -1. */
const char *ring_open(struct ring *r, const struct ring_config *config);
void ring_close(struct ring *r);

/* The frames to be sent go from `from` to `to` (Ethernet addresses) from now on. */
void ring_address(struct ring *r, const uint8_t *from, const uint8_t *to, uint16_t protocol);

/* As device_room, device_put and device_flush. */
uint8_t *ring_room(struct ring *r);
void ring_put(struct ring *r, uint32_t len);
int ring_flush(struct ring *r);

/* Gives back what was lent. */
void ring_give_back(struct ring *r);

/* Receives up to `max` frames; `offset` bytes before the IP header are theirs, too: 0, or ETH_HLEN.
 * They are lent until ring_give_back. */
int ring_receive(struct ring *r, struct device_frame *frames, int max, uint32_t offset);

/* What is wrong with the socket: 0 or a negative errno, said once. */
int ring_error(const struct ring *r);
