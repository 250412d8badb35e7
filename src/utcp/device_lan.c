/* device_lan: hosts that are only packets, on a LAN with others.
 *
 * Theory of operation
 *
 * A filter (utcp/filter) in front of the socket takes what is for our sources and nothing else; the
 * host's kernel has its own copy of each frame, and is neither asked nor told: there is no address,
 * no route and no neighbour entry of ours in it. ARP and neighbour solicitations are answered here,
 * and the next hop is asked for from one of our sources (utcp/neighbours).
 *
 * Which Ethernet address. The host's kernel sees our frames too, and must not act on them: it would
 * reset our connections, or send them somewhere. For an address that is not its own it does not
 * reset. What it does depends on whether it forwards (ip_forward, ipv6 forwarding; on a host with
 * containers it mostly does):
 *
 *   it does not    It drops them without a word (ip_error, ip6_forward). Then frames have the
 *                  device's own address: switches with port security, wireless access points and
 *                  most hypervisors take no other from a port, and some switch the port off where
 *                  one comes, which would cut the host off.
 *   it does        It would send them on to the link they came from, ask for our source in vain,
 *                  and tell the server "redirect" or "host unreachable". Then each worker takes an
 *                  address of its own, locally administered; to the kernel these are frames for
 *                  another host (PACKET_OTHERHOST), dropped before IP, netfilter and connection
 *                  tracking see them. The device is told to receive for that address
 *                  (PACKET_MR_UNICAST): a card that cannot keep a second one goes promiscuous.
 *
 * rp_filter, arp_ignore, arp_filter and proxy_arp are about addresses and routes of the kernel's,
 * and do not matter.
 *
 * IPv6 solicitations come to multicast groups. The card is told to take these, a few one by one,
 * many by taking all multicast. A switch that snoops MLD may keep them away all the same, as we
 * report no membership; the announcements, and the questions to the next hop, make our sources
 * known there without.
 *
 * All that the socket has asked of the device is undone by the kernel when the socket goes, with
 * the process, however that ends. Our addresses then answer no more: a server finds its connections
 * dead when it next sends, by its time-outs (the neighbour fails first: EHOSTUNREACH). */
#include "utcp/device_lan.h"

#include "base/clock.h"
#include "base/map.h"
#include "kernel/icmp.h"
#include "utcp/filter.h"
#include "utcp/neighbours.h"
#include "utcp/ring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define GROUPS_MOST   16 /* of solicited nodes, one by one                            */
#define ANNOUNCE_EACH 50 /* then a pause, as in kernel/neighbour: 5,000 a second      */
#define ANNOUNCE_NS   (10 * NS_PER_MS)
#define RESOLVE_NS    (3 * NS_PER_S) /* for the next hop to answer: six questions      */

struct device_lan {
	struct device device;
	struct ring ring;
	struct neighbours neighbours;
	uint16_t protocol;
	struct filter filter;
};

static struct device_lan *of(struct device *d)
{
	return (struct device_lan *)d;
}

/* ---- neighbours ----------------------------------------------------------------------------- */

/* One frame, at once; on a wire it may be lost. */
static void say(const struct device_lan *l, const uint8_t *frame, uint32_t len)
{
	if (len > 0)
		(void)send(l->ring.fd, frame, len, MSG_DONTWAIT);
}

static void ask_if_due(struct device_lan *l)
{
	uint8_t frame[NEIGHBOURS_FRAME_BYTES];

	say(l, frame, neighbours_ask(&l->neighbours, clock_now_ns(), frame));
	l->device.wake_ns = neighbours_next_ns(&l->neighbours);
}

static void hear(struct device_lan *l, const struct device_frame *heard)
{
	struct neighbours *n = &l->neighbours;
	uint8_t frame[NEIGHBOURS_FRAME_BYTES], before[NEIGHBOURS_MAC_BYTES];

	memcpy(before, n->hop_mac, sizeof(before));
	say(l, frame, neighbours_take(n, heard->bytes, heard->len, clock_now_ns(), frame));
	l->device.conflicts = n->conflicts;
	if (memcmp(before, n->hop_mac, sizeof(before)) != 0)
		ring_address(&l->ring, n->mac, n->hop_mac, l->protocol);
	l->device.wake_ns = neighbours_next_ns(n);
}

/* ---- packets -------------------------------------------------------------------------------- */

static uint8_t *room(struct device *d)
{
	return ring_room(&of(d)->ring);
}

static void put(struct device *d, uint32_t len)
{
	ring_put(&of(d)->ring, len);
}

/* A link that is down comes back; one that was deleted (ENXIO) does not. */
static int unless_down(int result)
{
	return result == -ENETDOWN ? 0 : result;
}

static int flush(struct device *d)
{
	struct device_lan *l = of(d);

	if (l->ring.put == 0)
		return 0;
	ask_if_due(l);
	int result = unless_down(ring_flush(&l->ring));

	d->dropped = l->ring.dropped;
	return result;
}

/* What is no neighbour's affair is handed on, without its Ethernet header. */
static int receive(struct device_lan *l, struct device_frame *frames, int max)
{
	int count = 0, all = ring_receive(&l->ring, frames, max, ETH_HLEN);

	for (int i = 0; i < all; i++) {
		struct device_frame frame = frames[i];

		if (neighbours_are_meant(frame.bytes, frame.len)) {
			hear(l, &frame);
		} else if (frame.len > ETH_HLEN) {
			frame.bytes += ETH_HLEN;
			frame.len -= ETH_HLEN;
			frames[count++] = frame;
		}
	}
	l->device.dropped = l->ring.dropped;
	return count;
}

static int exchange(struct device *d, struct device_frame *frames, int max)
{
	struct device_lan *l = of(d);
	const bool is_sending = l->ring.put > 0;

	ring_give_back(&l->ring);
	int result = flush(d);

	if (result < 0)
		return result;
	if (d->wake_ns <= clock_now_ns())
		ask_if_due(l);
	result = receive(l, frames, max);
	return result > 0 || is_sending ? result : unless_down(ring_error(&l->ring));
}

static void close_device(struct device *d)
{
	ring_close(&of(d)->ring);
	map_drop(d, sizeof(struct device_lan));
}

static const struct device_ops ops = {
	.room = room,
	.put = put,
	.exchange = exchange,
	.flush = flush,
	.close = close_device,
};

/* ---- opening -------------------------------------------------------------------------------- */

static bool join(const struct device_lan *l, const struct lan *lan, uint16_t type,
                 const uint8_t *mac)
{
	struct packet_mreq request = {.mr_ifindex = (int)lan->link.index, .mr_type = type};

	if (mac) {
		request.mr_alen = ETH_ALEN;
		memcpy(request.mr_address, mac, ETH_ALEN);
	}
	return setsockopt(l->ring.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request,
	                  sizeof(request)) == 0;
}

/* The groups in which our sources are solicited, and that of all nodes. */
static bool join_groups(const struct device_lan *l, const struct lan *lan)
{
	const struct device_config *ours = &l->neighbours.ours;
	static const uint8_t all_nodes[ETH_ALEN] = {0x33, 0x33, 0, 0, 0, 1};
	bool has_joined = join(l, lan, PACKET_MR_MULTICAST, all_nodes);

	if (ours->source_count > GROUPS_MOST)
		return join(l, lan, PACKET_MR_ALLMULTI, NULL);
	for (uint32_t i = 0; i < ours->source_count && has_joined; i++) {
		const struct ip source = pool_at(&ours->tuples->sources, ours->first_source + i);
		const struct ip group = icmp_solicited_group(&source);
		uint8_t mac[ETH_ALEN];

		icmp_group_mac(&group, mac);
		has_joined = join(l, lan, PACKET_MR_MULTICAST, mac);
	}
	return has_joined;
}

static void announce_all(const struct device_lan *l)
{
	uint8_t frame[NEIGHBOURS_FRAME_BYTES];

	for (uint32_t i = 0; i < l->neighbours.ours.source_count; i++) {
		say(l, frame, neighbours_announce(&l->neighbours, i, frame));
		if (i % ANNOUNCE_EACH == ANNOUNCE_EACH - 1)
			clock_sleep_ns(ANNOUNCE_NS);
	}
}

/* Packets that come this early are of an earlier run; they come again. */
static bool find_hop(struct device_lan *l)
{
	struct device_frame frames[DEVICE_BATCH];
	uint64_t end_ns = clock_now_ns() + RESOLVE_NS;

	while (!l->neighbours.is_known && clock_now_ns() < end_ns) {
		struct pollfd one = {.fd = l->ring.fd, .events = POLLIN};

		ask_if_due(l);
		(void)poll(
			&one, 1,
			clock_timeout_ms(l->device.wake_ns < end_ns ? l->device.wake_ns : end_ns));
		ring_give_back(&l->ring);
		(void)receive(l, frames, DEVICE_BATCH);
	}
	return l->neighbours.is_known;
}

static int say_no_hop(const struct device_lan *l, const struct lan *lan, struct err *err)
{
	char hop[IP_TEXT_BYTES], target[IP_TEXT_BYTES], source[IP_TEXT_BYTES];
	const struct device_config *ours = &l->neighbours.ours;
	const struct ip first = pool_at(&ours->tuples->sources, ours->first_source);

	return err_set(err, -EHOSTUNREACH,
	               "%s, the %s%s, does not answer %s for %s on %s: is it there, and does the "
	               "switch (or hypervisor) let %s through?",
	               ip_format(&lan->hop, hop), lan->is_hop_router ? "router to " : "target",
	               lan->is_hop_router ? ip_format(&ours->tuples->target, target) : "",
	               lan->hop.family == AF_INET ? "ARP" : "neighbour solicitations",
	               ip_format(&first, source), lan->link.name,
	               lan->has_own_mac ? "another MAC than the device's" : "it");
}

/* Returns the step that failed, with errno set. */
static const char *open_socket(struct device_lan *l, const struct lan *lan)
{
	const struct sock_fprog program = {.len = (unsigned short)l->filter.len,
	                                   .filter = l->filter.code};
	const struct ring_config ring = {
		.link = lan->link.index, .protocol = ETH_P_ALL, .filter = &program};
	const char *step = ring_open(&l->ring, &ring);

	if (step)
		return step;
	l->device.fd = l->ring.fd;
	if (lan->has_own_mac && !join(l, lan, PACKET_MR_UNICAST, l->neighbours.mac))
		return "a second Ethernet address";
	if (lan->hop.family == AF_INET6 && !join_groups(l, lan))
		return "multicast groups";
	return NULL;
}

static int open_on(struct device_lan *l, const struct lan *lan, struct err *err)
{
	const char *step;

	if (filter_make(&l->neighbours.ours, &lan->hop, &l->filter) < 0)
		return err_set(err, -E2BIG,
		               "too many ranges of source IPs for the filter on %s: give fewer, "
		               "longer ones (--source)",
		               lan->link.name);
	step = open_socket(l, lan);
	if (step)
		return err_set(err, -errno, "cannot open a packet socket on %s (%s: %s)%s",
		               lan->link.name, step, strerror(errno),
		               errno == EPERM ? ": that takes root (CAP_NET_RAW)" : "");
	announce_all(l);
	return find_hop(l) ? 0 : say_no_hop(l, lan, err);
}

int device_lan_open(const struct device_config *config, const struct lan *lan, struct device **out,
                    struct err *err)
{
	struct device_lan *l = map_private(sizeof(*l));

	if (!l)
		return err_set(err, -ENOMEM, "no memory for a device on %s", lan->link.name);
	l->device = (struct device){.ops = &ops, .fd = -1, .wake_ns = UINT64_MAX};
	l->ring.fd = -1;
	l->protocol = lan->hop.family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
	l->neighbours.ours = *config;
	l->neighbours.hop = lan->hop;
	memcpy(l->neighbours.mac, lan->link.mac, NEIGHBOURS_MAC_BYTES);
	const struct ip first = pool_at(&config->tuples->sources, config->first_source);

	if (lan->has_own_mac)
		neighbours_make_mac(lan->link.mac, &first, l->neighbours.mac);
	int result = open_on(l, lan, err);

	if (result < 0) {
		close_device(&l->device);
		return result;
	}
	*out = &l->device;
	return 0;
}
