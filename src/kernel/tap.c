/* tap: AF_PACKET, SOCK_DGRAM (net/packet/af_packet.c: packet_rcv).
 *
 * What comes in is asked for by its protocol, so that it is seen once, where the devices below are
 * done with it, and nothing that goes out is looked at for it. What goes out is seen only by
 * sockets of all protocols (ETH_P_ALL).
 *
 * A socket sees packets from the moment it is made, or bound: it is made for no protocol, gets its
 * filter, and is bound then. */
#include "kernel/tap.h"

#include "kernel/link.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MOST 256

static const struct {
	size_t field; /* of struct path_end */
	bool of_clients, of_servers;
} counts[TAP_COUNT] = {
	[TAP_SYN_OUT] = {offsetof(struct path_end, syns_out), true, false},
	[TAP_SYN_IN] = {offsetof(struct path_end, syns_in), false, true},
	[TAP_SYN_ACK_OUT] = {offsetof(struct path_end, syn_acks_out), false, true},
	[TAP_SYN_ACK_IN] = {offsetof(struct path_end, syn_acks_in), true, false},
	[TAP_RESET_OUT] = {offsetof(struct path_end, resets_out), true, true},
	[TAP_RESET_IN] = {offsetof(struct path_end, resets_in), true, true},
	[TAP_ICMP_IN] = {offsetof(struct path_end, icmp_in), true, false},
	[TAP_ICMP_REFUSED_IN] = {offsetof(struct path_end, icmp_refused_in), true, false},
};

void tap_init(struct tap *tap)
{
	memset(tap, 0, sizeof(*tap));
	for (int i = 0; i < TAP_COUNT; i++)
		tap->fds[i] = -1;
}

static void find_passed_over(struct tap_spec *spec)
{
	struct link links[LINKS_MOST];
	int count = link_list(links, LINKS_MOST);

	spec->passed_over_count = 0;
	for (int i = 0; i < count && i < LINKS_MOST; i++) {
		if (links[i].master > 0 && spec->passed_over_count < TAP_PASSED_OVER)
			spec->passed_over[spec->passed_over_count++] = links[i].index;
	}
}

static uint16_t protocol_of(const struct tap_spec *spec, enum tap_what what)
{
	if (tap_is_out(what) || spec->family == AF_UNSPEC)
		return ETH_P_ALL;
	return spec->family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
}

static int set_up(int fd, const struct tap_spec *spec, enum tap_what what)
{
	struct sock_filter code[TAP_FILTER_MOST];
	const struct sock_fprog program = {
		.len = (unsigned short)tap_filter_make(spec, what, code),
		.filter = code,
	};
	const struct sockaddr_ll where = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol_of(spec, what)),
	};
	const int least = 1, one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return -errno;
	if (!tap_is_out(what) && protocol_of(spec, what) == ETH_P_ALL)
		(void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	return bind(fd, (const struct sockaddr *)&where, sizeof(where)) == 0 ? 0 : -errno;
}

static int open_one(struct tap *tap, const struct tap_spec *spec, enum tap_what what)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), failed;

	if (fd < 0)
		return -errno;
	failed = set_up(fd, spec, what);
	if (failed != 0)
		close(fd);
	else
		tap->fds[what] = fd;
	tap->is_known[what] = failed == 0;
	return failed;
}

int tap_open(struct tap *tap, struct tap_spec *spec, struct err *err)
{
	int failed = 0;

	tap_init(tap);
	find_passed_over(spec);
	for (int i = 0; i < TAP_COUNT && failed == 0; i++) {
		if (spec->is_server ? counts[i].of_servers : counts[i].of_clients)
			failed = open_one(tap, spec, (enum tap_what)i);
	}
	if (failed == 0)
		return 0;
	tap_close(tap);
	tap_init(tap);
	return err_set(err, failed, "cannot count packets on the wire: %s%s", strerror(-failed),
	               failed == -EPERM ? " (it takes CAP_NET_RAW)" : "");
}

/* Reading them sets the kernel's counts, of 32 bits, to 0. */
static void take(struct tap *tap, int i)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (tap->fds[i] >= 0 &&
	    getsockopt(tap->fds[i], SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		tap->counts[i] += stats.tp_packets;
}

void tap_read(struct tap *tap, struct path_end *end)
{
	for (int i = 0; i < TAP_COUNT; i++) {
		take(tap, i);
		*(uint64_t *)(void *)((char *)end + counts[i].field) = tap->is_known[i]
		                                                               ? tap->counts[i]
		                                                               : PATH_UNKNOWN;
	}
}

static void close_one(struct tap *tap, int i)
{
	if (tap->fds[i] < 0)
		return;
	take(tap, i);
	close(tap->fds[i]);
	tap->fds[i] = -1;
}

void tap_close(struct tap *tap)
{
	for (int i = 0; i < TAP_COUNT; i++)
		close_one(tap, i);
}
