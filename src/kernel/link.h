/* link: network devices: of the calling process's network namespace, or where a channel is given,
 * of the one it talks to. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define LINK_MAC_BYTES 6

struct link {
	unsigned int index;
	char name[IF_NAMESIZE];
	uint16_t type;               /* ARPHRD_...                            */
	uint32_t flags;              /* IFF_...                               */
	uint8_t mac[LINK_MAC_BYTES]; /* of Ethernet; else 0                   */
	bool has_mac;
	uint8_t state;       /* IF_OPER_...: what the flags call running may be unknown yet */
	unsigned int peer;   /* of a veth pair: the other end's index, in its own network */
	unsigned int master; /* the bridge or bond that it is a part of; 0: none */
};

/* By name, or by index. -ENODEV where there is none. */
struct channel;
int link_find(const char *name, struct link *out);
int link_at(unsigned int index, struct link *out);
int link_read(struct channel *c, unsigned int index, struct link *out);

/* Fills `out` with up to `most` links; returns how many there are, or a negative errno. */
int link_list(struct link *out, uint32_t most);

/* Whether addresses on it have neighbours that can be asked for: Ethernet with ARP, not the
 * loopback. */
bool link_has_neighbours(const struct link *link);

/* Whether frames can be sent over it: up, with a carrier. */
bool link_is_running(const struct link *link);

/* How a device of ours is set up before it goes up. */
struct link_setup {
	uint32_t queue_packets; /* txqueuelen; 0: as it is                                     */
	bool no_arp;            /* IFF_NOARP                                                   */
	bool no_queue;          /* no queueing discipline ("noqueue"): what is sent goes at once */
	bool no_ipv6_address;   /* the kernel makes no link-local address for it, and asks nobody */
};

/* Applies the setup to the link of an index and sets it up (IFF_UP), by a conversation with the
 * network that it is in. What this kernel lacks of no_queue and no_ipv6_address (IPv6 switched off)
 * is no error. 0 or a negative errno. */
int link_set_up(struct channel *c, unsigned int index, const struct link_setup *setup);

/* Deletes it, with its routes; of a veth pair, both ends. -ENODEV where there is none. */
int link_delete(struct channel *c, unsigned int index);
