/* neighbour: three rounds of questions, each to those who have not answered yet.
 *
 * On the link both families use a packet socket below IP (packet(7)), with frames whose header the
 * kernel makes (SOCK_DGRAM): IP would not send from no address, and would not show what others ask.
 * A claim counts from whatever packet it comes: replies to us, to others, and probes of a host that
 * is about to take the address. A MAC of this host's own is no conflict. The answer to a
 * solicitation from :: goes to all nodes; the solicitations of others go to a group whose frames
 * the device would filter out, so it takes all multicast as long as the socket is open.
 *
 * A round sends in batches of BATCH with pauses, so that neither the switch nor our receive buffer
 * overflows, and listens meanwhile. RFC 5227 wants a second or two between probes, so as not to
 * load a link on which everybody starts at once; this is one host, asked to do so by its user. */
#include "kernel/neighbour.h"

#include "base/clock.h"
#include "kernel/address.h"
#include "kernel/arp.h"
#include "kernel/icmp.h"
#include "kernel/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS       3
#define SPACING_NS   (300 * NS_PER_MS) /* between two questions for one address    */
#define LAST_WAIT_NS (500 * NS_PER_MS) /* after the last                           */
#define BATCH        50
#define BATCH_NS     (10 * NS_PER_MS) /* 5,000 a second                            */
#define SEND_TRIES   100              /* a millisecond apart, when a queue is full */
#define LINKS_MOST   256
#define BUFFER_BYTES (4 << 20) /* what may wait to be received */

/* While asking: what has still to be asked, besides enum neighbour_state. */
enum { ASK_LINK = 100, ASK_ECHO };

struct asking {
	const struct link *link;
	const struct ranges *ranges;
	struct neighbour *out;
	int family;
	int link_fd, echo_fd; /* -1: not needed */
	bool echo_is_raw;
	uint16_t echo_id;
	uint32_t link_count, echo_count; /* to be asked on the link, and beyond */
	struct link own[LINKS_MOST];     /* whose MACs are this host's          */
	uint32_t own_count;
	struct err *err;
};

static int cannot(const struct asking *a, const char *what, int code)
{
	if (code == -EPERM || code == -EACCES)
		return err_set(a->err, -EPERM, "cannot %s %s: that takes root (CAP_NET_RAW)", what,
		               a->link->name);
	return err_set(a->err, code, "cannot %s %s: %s", what, a->link->name, strerror(-code));
}

/* ---- the sockets ---------------------------------------------------------------------------- */

/* IPv6 packets that are neighbour solicitations or advertisements; ARP needs no choice. */
static int filter_neighbours(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* next header */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40), /* type */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int set_up_link_socket(const struct asking *a, int fd)
{
	const struct packet_mreq all = {.mr_ifindex = (int)a->link->index,
	                                .mr_type = PACKET_MR_ALLMULTI};
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(a->family == AF_INET ? ETH_P_ARP : ETH_P_IPV6),
		.sll_ifindex = (int)a->link->index,
	};
	const int bytes = BUFFER_BYTES;

	/* As much as rmem_max allows where the other is forbidden. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (a->family == AF_INET6 &&
	    (filter_neighbours(fd) != 0 ||
	     setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0))
		return -errno;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ? -errno : 0;
}

static int open_link_socket(struct asking *a)
{
	if (!link_is_running(a->link))
		return err_set(a->err, -ENETDOWN,
		               "%s is down, so nobody can be asked over it: ip link set %s up",
		               a->link->name, a->link->name);
	/* Without a protocol it receives nothing until it is bound. */
	a->link_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed = a->link_fd < 0 ? -errno : set_up_link_socket(a, a->link_fd);

	return failed < 0 ? cannot(a, "ask neighbours over", failed) : 0;
}

/* The ping socket (SOCK_DGRAM) makes the identifier itself, and delivers only what has it. */
static int open_echo_socket(struct asking *a)
{
	int protocol = a->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK, bytes = BUFFER_BYTES;

	a->echo_id = (uint16_t)getpid();
	a->echo_fd = socket(a->family, SOCK_RAW | flags, protocol);
	a->echo_is_raw = a->echo_fd >= 0;
	if (a->echo_fd < 0)
		a->echo_fd = socket(a->family, SOCK_DGRAM | flags, protocol);
	if (a->echo_fd < 0)
		return cannot(a, "send echo requests beyond", -errno);
	if (setsockopt(a->echo_fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(a->echo_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return 0;
}

/* ---- sending -------------------------------------------------------------------------------- */

static ssize_t send_on_link(const struct asking *a, const struct ip *ip)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(a->family == AF_INET ? ETH_P_ARP : ETH_P_IPV6),
		.sll_ifindex = (int)a->link->index,
		.sll_halen = LINK_MAC_BYTES,
	};
	uint8_t packet[ICMP_SOLICIT_BYTES];
	size_t len = a->family == AF_INET ? ARP_BYTES : ICMP_SOLICIT_BYTES;

	if (a->family == AF_INET) {
		memset(to.sll_addr, 0xff, LINK_MAC_BYTES);
		arp_probe(a->link->mac, ip, packet);
	} else {
		icmp_solicit(ip, packet, to.sll_addr);
	}
	return sendto(a->link_fd, packet, len, 0, (const struct sockaddr *)&to, sizeof(to));
}

static ssize_t send_echo(const struct asking *a, const struct ip *ip, uint16_t round)
{
	struct sockaddr_storage to;
	uint8_t packet[ICMP_ECHO_BYTES];
	socklen_t len = ip_sockaddr(ip, 0, &to);

	icmp_echo(a->family, a->echo_id, round, packet);
	return sendto(a->echo_fd, packet, sizeof(packet), 0, (const struct sockaddr *)&to, len);
}

/* An error of the way to one address, which is not there then, and not of our own. */
static bool is_of_the_way(int error)
{
	return error == EHOSTUNREACH || error == ENETUNREACH || error == EINVAL || error == EACCES;
}

static int send_one(const struct asking *a, uint32_t number, uint16_t round)
{
	bool is_echo = a->out[number].state == ASK_ECHO;
	struct ip ip = ranges_at(a->ranges, number);
	char text[IP_TEXT_BYTES];

	for (int tries = 0;; tries++) {
		if ((is_echo ? send_echo(a, &ip, round) : send_on_link(a, &ip)) >= 0)
			return 0;
		if (is_echo && is_of_the_way(errno))
			return 0;
		if ((errno != EAGAIN && errno != ENOBUFS && errno != EINTR) || tries == SEND_TRIES)
			break;
		clock_sleep_ns(NS_PER_MS);
	}
	return err_set(a->err, -errno, "cannot ask for %s over %s: %s", ip_format(&ip, text),
	               a->link->name, strerror(errno));
}

/* ---- receiving ------------------------------------------------------------------------------ */

static bool is_own_mac(const struct asking *a, const uint8_t *mac)
{
	for (uint32_t i = 0; i < a->own_count; i++) {
		if (a->own[i].has_mac && memcmp(a->own[i].mac, mac, LINK_MAC_BYTES) == 0)
			return true;
	}
	return false;
}

static void claimed(const struct asking *a, const struct ip *ip, const uint8_t *mac)
{
	int64_t number = ranges_index(a->ranges, ip);

	if (number < 0 || a->out[number].state != ASK_LINK || is_own_mac(a, mac))
		return;
	a->out[number].state = NEIGHBOUR_TAKEN;
	memcpy(a->out[number].mac, mac, LINK_MAC_BYTES);
}

static void take_frame(const struct asking *a, const uint8_t *packet, size_t len,
                       const struct sockaddr_ll *from)
{
	struct icmp_claim claim;
	struct arp arp;

	if (from->sll_pkttype == PACKET_OUTGOING)
		return;
	if (a->family == AF_INET) {
		if (arp_parse(packet, len, &arp) != 0)
			return;
		const struct ip *ip = arp_claims(&arp);

		if (ip)
			claimed(a, ip, arp.sender_mac);
	} else if (icmp_parse_claim(packet, len, &claim) == 0) {
		claimed(a, &claim.target, claim.has_mac ? claim.mac : from->sll_addr);
	}
}

static void receive_frames(const struct asking *a)
{
	uint8_t packet[2048];
	struct sockaddr_ll from = {.sll_family = AF_UNSPEC};

	for (;;) {
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(a->link_fd, packet, sizeof(packet), 0,
		                       (struct sockaddr *)&from, &from_len);

		if (len < 0)
			return;
		take_frame(a, packet, (size_t)len, &from);
	}
}

static struct ip ip_of(const struct sockaddr_storage *address)
{
	struct ip ip = {.family = (uint8_t)address->ss_family};

	if (ip.family == AF_INET)
		memcpy(ip.bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
	else
		memcpy(ip.bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	return ip;
}

static void take_echo(const struct asking *a, const uint8_t *packet, size_t len,
                      const struct sockaddr_storage *from)
{
	struct ip ip = ip_of(from);
	uint16_t id = a->echo_id;

	if (a->echo_is_raw && a->family == AF_INET)
		packet = icmp_of_ipv4(packet, len, &len);
	if (!packet || len < ICMP_ECHO_BYTES)
		return;
	if (!a->echo_is_raw)
		id = (uint16_t)(packet[4] << 8 | packet[5]);
	if (!icmp_is_reply(a->family, packet, len, id))
		return;
	int64_t number = ranges_index(a->ranges, &ip);

	if (number >= 0 && a->out[number].state == ASK_ECHO)
		a->out[number].state = NEIGHBOUR_ECHOES;
}

static void receive_echoes(const struct asking *a)
{
	uint8_t packet[2048];
	struct sockaddr_storage from;

	for (;;) {
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(a->echo_fd, packet, sizeof(packet), 0,
		                       (struct sockaddr *)&from, &from_len);

		if (len < 0)
			return;
		take_echo(a, packet, (size_t)len, &from);
	}
}

/* An error of a receive is no answer, and is the next send's to report. */
static void listen_until(const struct asking *a, uint64_t until_ns)
{
	struct pollfd fds[2] = {{.fd = a->link_fd, .events = POLLIN},
	                        {.fd = a->echo_fd, .events = POLLIN}};

	do {
		(void)poll(fds, 2, clock_timeout_ms(until_ns));
		if (a->link_fd >= 0)
			receive_frames(a);
		if (a->echo_fd >= 0)
			receive_echoes(a);
	} while (clock_now_ns() < until_ns);
}

/* ---- the rounds ----------------------------------------------------------------------------- */

static int ask_round(const struct asking *a, uint16_t round)
{
	uint64_t now = clock_now_ns(), end = now + SPACING_NS;
	uint32_t sent = 0;

	for (uint32_t i = 0; i < a->ranges->addresses; i++) {
		if (a->out[i].state < ASK_LINK)
			continue;
		int failed = send_one(a, i, round);

		if (failed < 0)
			return failed;
		if (++sent % BATCH == 0)
			listen_until(a, now += BATCH_NS);
	}
	if (round + 1 == ROUNDS)
		end = clock_now_ns() + LAST_WAIT_NS;
	listen_until(a, end);
	return 0;
}

static void put_way(struct asking *a, uint32_t number, enum route_way way)
{
	struct ip ip = ranges_at(a->ranges, number);
	struct neighbour *n = &a->out[number];

	/* fe80::/10 is on every link; the table's first need not be this one. */
	if (way == ROUTE_BEYOND && ip.family == AF_INET6 && ip.bytes[0] == 0xfe &&
	    (ip.bytes[1] & 0xc0) == 0x80)
		way = ROUTE_LINK;
	*n = (struct neighbour){.state = NEIGHBOUR_OURS};
	if (way == ROUTE_LOCAL)
		return;
	if (!link_has_neighbours(a->link)) {
		n->state = NEIGHBOUR_UNASKED;
	} else if (way == ROUTE_BEYOND) {
		n->state = ASK_ECHO;
		a->echo_count++;
	} else {
		n->state = ASK_LINK;
		a->link_count++;
	}
}

static int find_ways(struct asking *a, struct channel *c)
{
	uint8_t ways[CHANNEL_BATCH] = {0};

	for (uint32_t r = 0; r < a->ranges->count; r++) {
		const struct range *range = &a->ranges->at[r];
		uint32_t size;

		for (uint32_t from = 0; from < range->count; from += size) {
			struct ip first = ip_add(&range->first, from);

			size = range->count - from;
			size = size < CHANNEL_BATCH ? size : CHANNEL_BATCH;
			int failed = route_ways(c, &first, size, a->link->index, ways);

			if (failed < 0)
				return failed;
			for (uint32_t i = 0; i < size; i++)
				put_way(a, range->before + from + i, ways[i]);
		}
	}
	return 0;
}

static int prepare(struct asking *a)
{
	struct channel c;
	int failed = channel_open(&c);

	if (failed == 0) {
		failed = find_ways(a, &c);
		channel_close(&c);
	}
	int links = failed < 0 ? failed : link_list(a->own, LINKS_MOST);

	if (links < 0)
		return err_set(a->err, links, "cannot ask the kernel for routes and links: %s",
		               strerror(-links));
	a->own_count = links < LINKS_MOST ? (uint32_t)links : LINKS_MOST;
	if (a->link_count > 0)
		failed = open_link_socket(a);
	if (failed == 0 && a->echo_count > 0)
		failed = open_echo_socket(a);
	return failed;
}

int neighbour_ask(const struct link *link, const struct ranges *ranges, struct neighbour *out,
                  struct err *err)
{
	static struct asking a; /* larger than a stack frame should be */

	a = (struct asking){
		.link = link,
		.ranges = ranges,
		.out = out,
		.family = ranges->at[0].first.family,
		.link_fd = -1,
		.echo_fd = -1,
		.err = err,
	};
	int failed = prepare(&a);

	for (uint16_t round = 0; round < ROUNDS && failed == 0; round++) {
		if (a.link_count + a.echo_count > 0)
			failed = ask_round(&a, round);
	}
	for (uint32_t i = 0; i < ranges->addresses; i++) {
		if (out[i].state >= ASK_LINK)
			out[i].state = NEIGHBOUR_FREE;
	}
	if (a.link_fd >= 0)
		close(a.link_fd);
	if (a.echo_fd >= 0)
		close(a.echo_fd);
	return failed;
}
