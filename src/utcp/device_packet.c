/* device_packet: PACKET_RX_RING and sendmmsg(2) (net/packet/af_packet.c).
 *
 * The wire is a veth pair: one end is the host's, with a route to the sources; the other is in a
 * network namespace of this process, where only our socket looks at it. It is bound to the plan's
 * protocol (so it does not see what it sends, nor ARP), and what it has seen is dropped by the
 * kernel as a frame for somebody else (kernel/veth).
 *
 * Receiving. TPACKET_V2: each frame is handed over as it comes, by a status word in its slot; V3
 * hands over blocks, and a block that is not full waits for a timer. A frame lies in the ring as
 * long as it is lent. A checksum that the host's kernel has left to its device (CSUMNOTREADY) is
 * never computed by anybody.
 *
 * Sending. No ring: its packets are pages of that ring, and before one of them crosses a veth pair
 * the kernel copies it to a page that it must find first (skb_copy_ubufs), while sendmmsg(2) copies
 * it to where the header is. It is one system call for a batch either way. The queueing discipline
 * is passed by (PACKET_QDISC_BYPASS): the host's kernel has dealt with a packet, mostly, before the
 * next one is sent. */
#include "utcp/device_packet.h"

#include "base/map.h"
#include "kernel/veth.h"
#include "utcp/packet.h"
#include "utcp/subnet.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_PATTERN "mcveth%d"
#define SLOT_BYTES   2048  /* a frame of an MTU of 1500, and what the kernel puts before it */
#define SLOTS        1024  /* a power of two; resident, so no more than are needed          */
#define BLOCK_BYTES  65536 /* what the kernel has in one piece                              */
#define RING_BYTES   ((size_t)SLOT_BYTES * SLOTS)
#define SEND_BYTES   425984 /* SO_SNDBUF, as far as wmem_max lets: a batch is a quarter of it */

/* A frame to send: the IP packet lies at a multiple of 4. */
struct outgoing {
	uint8_t gap[2];
	uint8_t bytes[ETH_HLEN + PACKET_BYTES_MOST];
};

struct device_packet {
	struct device device;
	struct channel here;     /* to the host's network     */
	unsigned int here_index; /* of the pair's end there   */
	uint8_t *ring;
	uint32_t next; /* the slot that is looked at next          */
	uint32_t lent; /* slots before it that are not given back  */
	uint32_t put;  /* frames to be sent                        */
	struct outgoing out[DEVICE_BATCH];
	struct iovec vectors[DEVICE_BATCH];
	struct mmsghdr messages[DEVICE_BATCH];
};

static struct device_packet *of(struct device *d)
{
	return (struct device_packet *)d;
}

/* ---- sending -------------------------------------------------------------------------------- */

static uint8_t *room(struct device *d)
{
	struct device_packet *p = of(d);

	return p->put < DEVICE_BATCH ? p->out[p->put].bytes + ETH_HLEN : NULL;
}

static void put(struct device *d, uint32_t len)
{
	struct device_packet *p = of(d);

	p->vectors[p->put++].iov_len = ETH_HLEN + len;
}

/* Sends what was put. ENOBUFS: the host's kernel has dropped one; EAGAIN: it has not yet dealt with
 * those before, nor will while we wait. Both are a wire's loss. */
static int flush(struct device *d)
{
	struct device_packet *p = of(d);
	uint32_t sent = 0;
	int result = 0;

	while (sent < p->put && result == 0) {
		int n = sendmmsg(d->fd, p->messages + sent, p->put - sent, MSG_DONTWAIT);

		if (n > 0) {
			sent += (uint32_t)n;
		} else if (errno == ENOBUFS) {
			sent++;
			d->dropped++;
		} else if (errno == EAGAIN) {
			d->dropped += p->put - sent;
			sent = p->put;
		} else if (errno != EINTR) {
			result = -errno;
		}
	}
	p->put = 0;
	return result;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static struct tpacket2_hdr *slot_of(const struct device_packet *p, uint32_t number)
{
	return (struct tpacket2_hdr *)(void *)(p->ring + (size_t)(number % SLOTS) * SLOT_BYTES);
}

static void give_back(struct device_packet *p)
{
	for (; p->lent > 0; p->lent--)
		__atomic_store_n(&slot_of(p, p->next - p->lent)->tp_status, TP_STATUS_KERNEL,
		                 __ATOMIC_RELEASE);
}

/* The ring was full: how many frames did not fit is counted by the kernel, and reset by asking. */
static void count_lost(struct device *d)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(d->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		d->dropped += stats.tp_drops;
}

/* False where the frame was cut to fit into its slot, or has nothing in it. */
static bool take(const struct tpacket2_hdr *slot, uint32_t status, struct device_frame *out)
{
	const uint32_t before = (uint32_t)slot->tp_net - slot->tp_mac;

	if (slot->tp_snaplen < slot->tp_len || slot->tp_snaplen <= before)
		return false;
	out->bytes = (const uint8_t *)slot + slot->tp_net;
	out->len = slot->tp_snaplen - before;
	out->is_checked = (status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0;
	return true;
}

static int receive(struct device_packet *p, struct device_frame *frames, int max)
{
	bool is_losing = false;
	int count = 0;

	while (count < max && p->lent < SLOTS) {
		struct tpacket2_hdr *slot = slot_of(p, p->next);
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);

		if (!(status & TP_STATUS_USER))
			break;
		if (take(slot, status, &frames[count]))
			count++;
		else
			p->device.dropped++;
		is_losing |= (status & TP_STATUS_LOSING) != 0;
		p->next++;
		p->lent++;
	}
	if (is_losing)
		count_lost(&p->device);
	return count;
}

/* Slots are given back first: the answers to what is sent may come before sendmmsg returns. Where
 * there is nothing to do either way, it is asked whether the link is gone, or poll(2) would go on
 * saying that something is there. */
static int exchange(struct device *d, struct device_frame *frames, int max)
{
	struct device_packet *p = of(d);
	const bool is_sending = p->put > 0;
	int error = 0;
	socklen_t len = sizeof(error);

	give_back(p);
	int result = is_sending ? flush(d) : 0;

	if (result < 0)
		return result;
	result = receive(p, frames, max);
	if (result > 0 || is_sending)
		return result;
	return getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? -error : -errno;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void drop(struct device_packet *p)
{
	if (p->ring)
		munmap(p->ring, RING_BYTES);
	if (p->device.fd >= 0)
		close(p->device.fd);
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

/* All frames go from one end's hardware address to the other's. */
static void fill_frames(struct device_packet *p, const struct veth *veth, uint16_t protocol)
{
	struct ethhdr header = {.h_proto = htons(protocol)};

	memcpy(header.h_dest, veth->here.mac, ETH_ALEN);
	memcpy(header.h_source, veth->there.mac, ETH_ALEN);
	for (uint32_t i = 0; i < DEVICE_BATCH; i++) {
		memcpy(p->out[i].bytes, &header, sizeof(header));
		p->vectors[i].iov_base = p->out[i].bytes;
		p->messages[i].msg_hdr = (struct msghdr){.msg_iov = &p->vectors[i],
		                                         .msg_iovlen = 1};
	}
}

/* Returns the step that failed, with errno set; NULL where none has. */
static const char *open_socket(struct device_packet *p, unsigned int link, uint16_t protocol)
{
	const int on = 1, version = TPACKET_V2, send_bytes = SEND_BYTES;
	const struct tpacket_req ring = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = (unsigned int)(RING_BYTES / BLOCK_BYTES),
		.tp_frame_size = SLOT_BYTES,
		.tp_frame_nr = SLOTS,
	};
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)link,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	p->device.fd = fd;
	if (fd < 0)
		return "a packet socket";
	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0)
		return "TPACKET_V2";
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) != 0)
		return "a ring to receive";
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0)
		return "PACKET_QDISC_BYPASS";
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)) != 0)
		return "room to send";
	void *at = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return "the ring's pages";
	p->ring = at;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ? "bind" : NULL;
}

/* With the pair in place: the socket first, so that nothing is routed to where nobody looks. */
static int open_on(struct device_packet *p, const struct veth *veth,
                   const struct device_config *config, struct err *err)
{
	const int family = config->tuples->target.family;
	const uint16_t protocol = family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
	const struct ip gateway = subnet_gateway(family);
	const char *step = open_socket(p, veth->there.index, protocol);

	if (step)
		return err_set(err, -errno, "cannot open the engine packet's device (%s: %s)", step,
		               strerror(errno));
	fill_frames(p, veth, protocol);
	return subnet_route(&p->here, veth->here.index, config, &gateway, err);
}

int device_packet_open(const struct device_config *config, struct device **out, struct err *err)
{
	struct device_packet *p = map_private(sizeof(*p));
	struct veth veth;

	if (!p)
		return err_set(err, -ENOMEM, "no memory for the engine packet's device");
	p->device.ops = &ops;
	p->device.fd = -1;
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
