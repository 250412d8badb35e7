/* device: batches of IP packets out of and into a network: the wire between our own TCP and a
 * kernel's. utcp/device_tun, utcp/device_packet and utcp/device_lan fulfil it.
 *
 * A device belongs to one worker. The first two have routes to that worker's source addresses, so
 * that what this host's kernel sends there comes out of it, and what is sent into it arrives as if
 * from outside; the third is on a LAN, where it answers for these addresses. All of it is gone with
 * its descriptors, however the process ends.
 *
 * As on a wire, packets may be lost: the kernel drops those that it cannot queue. */
#pragma once

#include "base/err.h"
#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_BATCH 256 /* packets at once, in each direction */

struct device_frame {
	const uint8_t *bytes; /* an IP packet; lent until the next receive          */
	uint32_t len;
	bool is_checked; /* its TCP checksum need not be looked at (packet_parse)  */
};

struct bits;
struct device;

struct device_ops {
	uint8_t *(*room)(struct device *d);
	void (*put)(struct device *d, uint32_t len);
	int (*exchange)(struct device *d, struct device_frame *frames, int max);
	int (*flush)(struct device *d);
	void (*close)(struct device *d);
};

/* What every device's own structure begins with. */
struct device {
	const struct device_ops *ops;
	int fd;           /* poll(2) says POLLIN where a packet can be received; not to be read */
	uint64_t dropped; /* packets, of either direction, that the device is known to have lost */
	uint64_t conflicts; /* frames of another host that has one of its addresses */
	uint64_t wake_ns;   /* when it wants an exchange though nothing comes; UINT64_MAX: never  */
};

/* What a device leads to: sources `first` .. first+count-1 of the plan's pool. */
struct device_config {
	const struct tuple_plan *tuples;
	uint32_t first_source, source_count;
	struct bits *taken; /* as in engine_config */
};

/* Room for one packet of PACKET_BYTES_MOST bytes to be sent, or NULL: flush first. It is sent by
 * the next exchange or flush once it has been `put` with its length. */
static inline uint8_t *device_room(struct device *d)
{
	return d->ops->room(d);
}

static inline void device_put(struct device *d, uint32_t len)
{
	d->ops->put(d, len);
}

/* Sends what was put, then receives what there is, without waiting: up to `max` (<= DEVICE_BATCH)
 * frames. Returns how many, 0 where there are none, or a negative errno: the device is of no use
 * any more. */
static inline int device_exchange(struct device *d, struct device_frame *frames, int max)
{
	return d->ops->exchange(d, frames, max);
}

/* Sends what was put. Frames of the last exchange stay lent. 0 or a negative errno. */
static inline int device_flush(struct device *d)
{
	return d->ops->flush(d);
}

/* Takes device and routes away. */
static inline void device_close(struct device *d)
{
	d->ops->close(d);
}
