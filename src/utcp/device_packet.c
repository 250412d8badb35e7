/* device_packet: a ring (utcp/ring) on one end of a veth pair.
 *
 * The wire is a veth pair: one end is the host's, with a route to the sources; the other is in a
 * network namespace of this process, where only our socket looks at it. It is bound to the plan's
 * protocol (so it does not see what it sends, nor ARP), and what it has seen is dropped by the
 * kernel as a frame for somebody else (kernel/veth). */
#include "utcp/device_packet.h"

#include "base/map.h"
#include "kernel/veth.h"
#include "utcp/ring.h"
#include "utcp/subnet.h"

#include <errno.h>
#include <string.h>

#define NAME_PATTERN "mcveth%d"

struct device_packet {
	struct device device;
	struct channel here;     /* to the host's network     */
	unsigned int here_index; /* of the pair's end there   */
	struct ring ring;
};

static struct device_packet *of(struct device *d)
{
	return (struct device_packet *)d;
}

static uint8_t *room(struct device *d)
{
	return ring_room(&of(d)->ring);
}

static void put(struct device *d, uint32_t len)
{
	ring_put(&of(d)->ring, len);
}

static int flush(struct device *d)
{
	struct ring *r = &of(d)->ring;
	int result = ring_flush(r);

	d->dropped = r->dropped;
	return result;
}

/* Slots are given back first: the answers to what is sent may come before sendmmsg returns. Where
 * there is nothing to do either way, it is asked whether the link is gone, or poll(2) would go on
 * saying that something is there. */
static int exchange(struct device *d, struct device_frame *frames, int max)
{
	struct ring *r = &of(d)->ring;
	const bool is_sending = r->put > 0;

	ring_give_back(r);
	int result = is_sending ? flush(d) : 0;

	if (result < 0)
		return result;
	result = ring_receive(r, frames, max, 0);
	d->dropped = r->dropped;
	return result > 0 || is_sending ? result : ring_error(r);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void drop(struct device_packet *p)
{
	ring_close(&p->ring);
	map_drop(p, sizeof(*p));
}

static void close_device(struct device *d)
{
	struct device_packet *p = of(d);

	(void)link_delete(&p->here, p->here_index); /* where it fails, somebody else was first */
	channel_close(&p->here);
	drop(p);
}

static const struct device_ops ops = {
	.room = room,
	.put = put,
	.exchange = exchange,
	.flush = flush,
	.close = close_device,
};

/* With the pair in place: the socket first, so that nothing is routed to where nobody looks. All
 * frames go from one end's hardware address to the other's. */
static int open_on(struct device_packet *p, const struct veth *veth,
                   const struct device_config *config, struct err *err)
{
	const int family = config->tuples->target.family;
	const struct ip gateway = subnet_gateway(family);
	const struct ring_config ring = {
		.link = veth->there.index,
		.protocol = family == AF_INET ? ETH_P_IP : ETH_P_IPV6,
		.is_own_wire = true,
	};
	const char *step = ring_open(&p->ring, &ring);

	if (step)
		return err_set(err, -errno, "cannot open the engine packet's device (%s: %s)", step,
		               strerror(errno));
	p->device.fd = p->ring.fd;
	ring_address(&p->ring, veth->there.mac, veth->here.mac, ring.protocol);
	return subnet_route(&p->here, veth->here.index, config, &gateway, err);
}

int device_packet_open(const struct device_config *config, struct device **out, struct err *err)
{
	struct device_packet *p = map_private(sizeof(*p));
	struct veth veth;

	if (!p)
		return err_set(err, -ENOMEM, "no memory for the engine packet's device");
	p->device.ops = &ops;
	p->device.wake_ns = UINT64_MAX;
	p->device.fd = p->ring.fd = -1;
	int result = veth_open(NAME_PATTERN, &veth, &p->here, err);

	if (result < 0) {
		drop(p);
		return result;
	}
	p->here_index = veth.here.index;
	result = open_on(p, &veth, config, err);
	if (result < 0) {
		close_device(&p->device);
		return result;
	}
	*out = &p->device;
	return 0;
}
