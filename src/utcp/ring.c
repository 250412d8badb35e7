/* ring: PACKET_RX_RING and sendmmsg(2) (net/packet/af_packet.c).
 *
 * Receiving. TPACKET_V2: each frame is handed over as it comes, by a status word in its slot; V3
 * hands over blocks, and a block that is not full waits for a timer. A frame lies in the ring as
 * long as it is lent. A checksum that a kernel on this machine has left to its device
 * (CSUMNOTREADY) is never computed by anybody.
 *
 * On a device of the host's a frame may be longer than a slot, as receive offload (GRO, LRO) makes
 * one frame of many segments. The kernel then leaves the whole of it in the socket's queue
 * (PACKET_COPY_THRESH), to be read by a system call of its own; a batch ends with it. Where the
 * queue is full it is dropped, and the peer sends its segments again.
 *
 * Sending. No ring: its packets are pages of that ring, and before one of them crosses a veth pair
 * the kernel copies it to a page that it must find first (skb_copy_ubufs), while sendmmsg(2) copies
 * it to where the header is. It is one system call for a batch either way. On a wire of our own the
 * queueing discipline is passed by (PACKET_QDISC_BYPASS): the host's kernel has dealt with a
 * packet, mostly, before the next one is sent. */
#include "utcp/ring.h"

#include "base/map.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define SLOT_BYTES  2048  /* a frame of an MTU of 1500, and what the kernel puts before it */
#define SLOTS       1024  /* a power of two; resident, so no more than are needed          */
#define BLOCK_BYTES 65536 /* what the kernel has in one piece                              */
#define RING_BYTES  ((size_t)SLOT_BYTES * SLOTS)
#define SEND_BYTES  425984 /* SO_SNDBUF, as far as wmem_max lets: a batch is a quarter of it */
#define WAIT_MS     5      /* for a network card to have sent some                          */

/* ---- sending -------------------------------------------------------------------------------- */

uint8_t *ring_room(struct ring *r)
{
	return r->put < DEVICE_BATCH ? r->out[r->put].bytes + ETH_HLEN : NULL;
}

void ring_put(struct ring *r, uint32_t len)
{
	r->vectors[r->put++].iov_len = ETH_HLEN + len;
}

static bool may_go_on(const struct ring *r)
{
	struct pollfd one = {.fd = r->fd, .events = POLLOUT};

	return r->wait_ms > 0 && poll(&one, 1, r->wait_ms) > 0 && (one.revents & POLLOUT) != 0;
}

/* Sends what was put. ENOBUFS: the host's kernel has dropped one; EAGAIN: it has not yet dealt with
 * those before. Both are a wire's loss, the latter where waiting does not help. */
int ring_flush(struct ring *r)
{
	uint32_t sent = 0;
	int result = 0;

	while (sent < r->put && result == 0) {
		int n = sendmmsg(r->fd, r->messages + sent, r->put - sent, MSG_DONTWAIT);

		if (n > 0) {
			sent += (uint32_t)n;
		} else if (errno == ENOBUFS) {
			sent++;
			r->dropped++;
		} else if (errno == EAGAIN && !may_go_on(r)) {
			r->dropped += r->put - sent;
			sent = r->put;
		} else if (errno != EINTR && errno != EAGAIN) {
			result = -errno;
		}
	}
	r->dropped += r->put - sent;
	r->put = 0;
	return result;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static struct tpacket2_hdr *slot_of(const struct ring *r, uint32_t number)
{
	return (struct tpacket2_hdr *)(void *)(r->slots + (size_t)(number % SLOTS) * SLOT_BYTES);
}

void ring_give_back(struct ring *r)
{
	for (; r->lent > 0; r->lent--)
		__atomic_store_n(&slot_of(r, r->next - r->lent)->tp_status, TP_STATUS_KERNEL,
		                 __ATOMIC_RELEASE);
}

/* The ring was full: how many frames did not fit is counted by the kernel, and reset by asking. */
static void count_lost(struct ring *r)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		r->dropped += stats.tp_drops;
}

/* The whole of a frame that was cut in its slot; it must be taken out of the queue in any case. */
static const uint8_t *take_large(const struct ring *r, const struct tpacket2_hdr *slot)
{
	ssize_t len = recv(r->fd, r->large, RING_LARGE_BYTES, MSG_DONTWAIT | MSG_TRUNC);

	return len == (ssize_t)slot->tp_len && len <= RING_LARGE_BYTES ? r->large : NULL;
}

/* False where the frame was cut to fit into its slot, or has nothing in it. */
static bool take(const struct ring *r, const struct tpacket2_hdr *slot, uint32_t status,
                 uint32_t offset, struct device_frame *out)
{
	const uint32_t before = (uint32_t)slot->tp_net - slot->tp_mac - offset;
	const uint8_t *frame = (const uint8_t *)slot + slot->tp_mac;
	uint32_t len = slot->tp_snaplen;

	if (slot->tp_snaplen < slot->tp_len) {
		frame = r->large && (status & TP_STATUS_COPY) ? take_large(r, slot) : NULL;
		len = slot->tp_len;
	}
	if (!frame || len <= before)
		return false;
	out->bytes = frame + before;
	out->len = len - before;
	out->is_checked = (status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0;
	return true;
}

int ring_receive(struct ring *r, struct device_frame *frames, int max, uint32_t offset)
{
	bool is_losing = false, is_large = false;
	int count = 0;

	while (count < max && r->lent < SLOTS && !is_large) {
		struct tpacket2_hdr *slot = slot_of(r, r->next);
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);

		if (!(status & TP_STATUS_USER))
			break;
		if (take(r, slot, status, offset, &frames[count])) {
			is_large = slot->tp_snaplen < slot->tp_len;
			count++;
		} else {
			r->dropped++;
		}
		is_losing |= (status & TP_STATUS_LOSING) != 0;
		r->next++;
		r->lent++;
	}
	if (is_losing)
		count_lost(r);
	return count;
}

int ring_error(const struct ring *r)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? -error : -errno;
}

/* ---- opening -------------------------------------------------------------------------------- */

void ring_close(struct ring *r)
{
	if (r->slots)
		munmap(r->slots, RING_BYTES);
	map_drop(r->large, RING_LARGE_BYTES);
	if (r->fd >= 0)
		close(r->fd);
}

void ring_address(struct ring *r, const uint8_t *from, const uint8_t *to, uint16_t protocol)
{
	struct ethhdr header = {.h_proto = htons(protocol)};

	memcpy(header.h_dest, to, ETH_ALEN);
	memcpy(header.h_source, from, ETH_ALEN);
	for (uint32_t i = 0; i < DEVICE_BATCH; i++)
		memcpy(r->out[i].bytes, &header, sizeof(header));
}

static bool set(const struct ring *r, int level, int name, const void *value, socklen_t len)
{
	return setsockopt(r->fd, level, name, value, len) == 0;
}

/* Our own frames, and the host's, are not to be received; a kernel before 4.20 leaves that to the
 * filter. */
static const char *set_up_shared(struct ring *r)
{
	const int on = 1;

	r->large = map_private(RING_LARGE_BYTES);
	r->wait_ms = WAIT_MS;
	if (!r->large)
		return "memory for large frames";
	(void)set(r, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	return set(r, SOL_PACKET, PACKET_COPY_THRESH, &on, sizeof(on)) ? NULL
	                                                               : "PACKET_COPY_THRESH";
}

static const char *set_up(struct ring *r, const struct ring_config *config)
{
	const int on = 1, version = TPACKET_V2, send_bytes = SEND_BYTES;
	const struct tpacket_req ring = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = (unsigned int)(RING_BYTES / BLOCK_BYTES),
		.tp_frame_size = SLOT_BYTES,
		.tp_frame_nr = SLOTS,
	};

	if (config->filter &&
	    !set(r, SOL_SOCKET, SO_ATTACH_FILTER, config->filter, sizeof(*config->filter)))
		return "its filter";
	if (!set(r, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)))
		return "TPACKET_V2";
	if (!set(r, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)))
		return "a ring to receive";
	if (config->is_own_wire && !set(r, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		return "PACKET_QDISC_BYPASS";
	if (!set(r, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)))
		return "room to send";
	return config->is_own_wire ? NULL : set_up_shared(r);
}

const char *ring_open(struct ring *r, const struct ring_config *config)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(config->protocol),
		.sll_ifindex = (int)config->link,
	};

	for (uint32_t i = 0; i < DEVICE_BATCH; i++) {
		r->vectors[i].iov_base = r->out[i].bytes;
		r->messages[i].msg_hdr = (struct msghdr){.msg_iov = &r->vectors[i],
		                                         .msg_iovlen = 1};
	}
	/* Without a protocol it receives nothing until it is bound. */
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return "a packet socket";
	const char *failed = set_up(r, config);

	if (failed)
		return failed;
	void *at = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (at == MAP_FAILED)
		return "the ring's pages";
	r->slots = at;
	return bind(r->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ? "bind" : NULL;
}
