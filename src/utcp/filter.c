/* filter: a program that goes forward only: each check that fails ends it. All protocols end at one
 * comparison with our sources, of the address that X points to, so that there is one of these: the
 * kernel counts what a program takes as the socket's (net.core.optmem_max, 20 KiB before 6.6).
 *
 * Offsets are of the frame as a raw packet socket has it, with its Ethernet header. The tag of a
 * VLAN is not in it but beside it: the kernel has taken it off (SKF_AD_VLAN_TAG). A number of 0 is
 * a priority and no VLAN.
 *
 * Addresses are compared word by word: a range of IPv6 addresses is cut where its last word would
 * overflow. */
#include "utcp/filter.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>

#define TAKE UINT32_MAX /* all of the frame */

#define AT_TYPE 12
#define AT_NET  14 /* the packet */

#define AT_ARP_SENDER (AT_NET + 14)
#define AT_ARP_TARGET (AT_NET + 24)

#define AT_IPV4_FRAGMENT (AT_NET + 6)
#define AT_IPV4_PROTOCOL (AT_NET + 9)
#define AT_IPV4_SOURCE   (AT_NET + 12)
#define AT_IPV4_TARGET   (AT_NET + 16)
#define FRAGMENT_BITS    0x3fff /* more fragments, and the offset */

#define AT_IPV6_NEXT     (AT_NET + 6)
#define AT_IPV6_SOURCE   (AT_NET + 8)
#define AT_IPV6_TARGET   (AT_NET + 24)
#define AT_IPV6_PAYLOAD  (AT_NET + 40)
#define AT_ICMPV6_TARGET (AT_IPV6_PAYLOAD + 8) /* of a neighbour message */

#define ICMP_UNREACHABLE   3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER     12
#define ICMPV6_ERROR_LAST  127
#define ICMPV6_SOLICIT     135
#define ICMPV6_ADVERTISE   136
#define TCP_SOURCE         0
#define TCP_TARGET         2
#define LOAD_PACKET_TYPE   (BPF_LD | BPF_B | BPF_ABS), (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)
#define LOAD_VLAN          (BPF_LD | BPF_H | BPF_ABS), (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)
#define VLAN_NUMBER        0x0fff

static void add_jump(struct filter *f, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (f->len < FILTER_MOST)
		f->code[f->len] = (struct sock_filter){code, yes, no, k};
	f->len++;
}

static void add(struct filter *f, uint16_t code, uint32_t k)
{
	add_jump(f, code, k, 0, 0);
}

static void load(struct filter *f, uint16_t size, uint32_t at)
{
	add(f, (uint16_t)(BPF_LD | size | BPF_ABS), at);
}

/* Goes on where the last load compares so, and drops the frame where not. */
static void need(struct filter *f, uint16_t compare, uint32_t k)
{
	add_jump(f, (uint16_t)(BPF_JMP | compare | BPF_K), k, 1, 0);
	add(f, BPF_RET | BPF_K, 0);
}

static void need_not(struct filter *f, uint16_t compare, uint32_t k)
{
	add_jump(f, (uint16_t)(BPF_JMP | compare | BPF_K), k, 0, 1);
	add(f, BPF_RET | BPF_K, 0);
}

static void need_between(struct filter *f, uint32_t low, uint32_t high)
{
	need(f, BPF_JGE, low);
	need_not(f, BPF_JGT, high);
}

/* Goes on behind what is added until `end_here` where the last load is not `k`. */
static uint32_t begin_if(struct filter *f, uint32_t k)
{
	add_jump(f, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
	add(f, BPF_JMP | BPF_JA, 0);
	return f->len - 1;
}

static void end_here(struct filter *f, uint32_t jump)
{
	if (jump < FILTER_MOST)
		f->code[jump].k = f->len - jump - 1;
}

/* ---- addresses ------------------------------------------------------------------------------ */

static uint32_t word_of(const struct ip *ip, uint32_t number)
{
	const uint8_t *at = ip->bytes + (size_t)number * 4;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t words_of(const struct ip *ip)
{
	return ip->family == AF_INET ? 1 : 4;
}

/* The address at X is compared with ranges: those that have all but the last word in common are a
 * group, for which that is loaded once. */
struct group {
	struct ip first; /* family 0: none has begun */
	uint32_t ends[3];
};

static bool is_of_group(const struct group *g, const struct ip *ip)
{
	return g->first.family == ip->family &&
	       memcmp(g->first.bytes, ip->bytes, ((size_t)words_of(ip) - 1) * 4) == 0;
}

static void end_group(struct filter *f, const struct group *g)
{
	for (uint32_t i = 0; g->first.family == AF_INET6 && i < 3; i++)
		end_here(f, g->ends[i]);
}

static void begin_group(struct filter *f, struct group *g, const struct ip *first)
{
	uint32_t last = words_of(first) - 1;

	end_group(f, g);
	g->first = *first;
	for (uint32_t i = 0; i < last; i++) {
		add(f, BPF_LD | BPF_W | BPF_IND, i * 4);
		g->ends[i] = begin_if(f, word_of(first, i));
	}
	add(f, BPF_LD | BPF_W | BPF_IND, last * 4);
}

/* Takes the frame where it is one of first .. first+count-1. */
static void take_if_range(struct filter *f, struct group *g, struct ip first, uint32_t count)
{
	while (count > 0) {
		uint32_t low = word_of(&first, words_of(&first) - 1), room = UINT32_MAX - low;
		uint32_t run = count - 1 > room ? room + 1 : count;

		if (!is_of_group(g, &first))
			begin_group(f, g, &first);
		add_jump(f, BPF_JMP | BPF_JGE | BPF_K, low, 0, 2);
		add_jump(f, BPF_JMP | BPF_JGT | BPF_K, low + run - 1, 1, 0);
		add(f, BPF_RET | BPF_K, TAKE);
		first = ip_add(&first, run);
		count -= run;
	}
}

static void take_if_ours(struct filter *f, const struct device_config *config)
{
	const struct pool *pool = &config->tuples->sources;
	const uint64_t begin = config->first_source, end = begin + config->source_count;
	struct group group = {.first.family = 0};

	for (uint32_t i = 0; i < pool->range_count; i++) {
		const struct pool_range *range = &pool->ranges[i];
		const uint64_t range_end = (uint64_t)range->before + range->count;
		const uint64_t from = begin > range->before ? begin : range->before;
		const uint64_t to = end < range_end ? end : range_end;

		if (from < to)
			take_if_range(f, &group, ip_add(&range->first, from - range->before),
			              (uint32_t)(to - from));
	}
	end_group(f, &group);
}

static void take_if_hop(struct filter *f, const struct ip *hop)
{
	struct group group = {.first.family = 0};

	take_if_range(f, &group, *hop, 1);
	end_group(f, &group);
}

/* X: where the address is. */
static void point_to(struct filter *f, uint32_t at)
{
	add(f, BPF_LDX | BPF_IMM, at); /* a word */
}

/* Goes to where end_here will be said. */
static uint32_t go(struct filter *f)
{
	add(f, BPF_JMP | BPF_JA, 0);
	return f->len - 1;
}

static void need_address(struct filter *f, uint32_t at, const struct ip *ip)
{
	for (uint32_t i = 0; i < words_of(ip); i++) {
		load(f, BPF_W, at + i * 4);
		need(f, BPF_JEQ, word_of(ip, i));
	}
}

/* ---- protocols ------------------------------------------------------------------------------ */

static void lowest_and_highest(const struct tuple_plan *plan, uint32_t *low, uint32_t *high)
{
	*low = UINT16_MAX;
	*high = 0;
	for (uint32_t i = 0; i < plan->port_count; i++) {
		*low = plan->ports[i] < *low ? plan->ports[i] : *low;
		*high = plan->ports[i] > *high ? plan->ports[i] : *high;
	}
}

/* With the length of an IPv4 header in X; `at`: what is before the TCP header beside it. */
static void need_ports(struct filter *f, uint16_t mode, uint32_t at, const struct tuple_plan *plan)
{
	uint32_t low, high;

	lowest_and_highest(plan, &low, &high);
	add(f, (uint16_t)(BPF_LD | BPF_H | mode), at + TCP_SOURCE);
	need_between(f, plan->target_port_low, plan->target_port_low + plan->target_port_count - 1);
	add(f, (uint16_t)(BPF_LD | BPF_H | mode), at + TCP_TARGET);
	need_between(f, low, high);
}

/* All that is taken by where it goes to comes here, with X pointing to that. */
static void put_end(struct filter *f, const struct device_config *config)
{
	take_if_ours(f, config);
	add(f, BPF_RET | BPF_K, 0);
}

/* Returns a jump to put_end. */
static uint32_t put_arp(struct filter *f, const struct device_config *config, const struct ip *hop)
{
	point_to(f, AT_ARP_SENDER);
	take_if_hop(f, hop);
	take_if_ours(f, config);
	point_to(f, AT_ARP_TARGET);
	return go(f);
}

static void put_ipv4(struct filter *f, const struct device_config *config, const struct ip *hop)
{
	uint32_t other = begin_if(f, ETH_P_ARP), arp, tcp;

	arp = put_arp(f, config, hop);
	end_here(f, other);
	need(f, BPF_JEQ, ETH_P_IP);
	load(f, BPF_H, AT_IPV4_FRAGMENT);
	need_not(f, BPF_JSET, FRAGMENT_BITS);
	add(f, BPF_LDX | BPF_B | BPF_MSH, AT_NET);
	load(f, BPF_B, AT_IPV4_PROTOCOL);
	other = begin_if(f, IPPROTO_TCP);
	need_address(f, AT_IPV4_SOURCE, &config->tuples->target);
	need_ports(f, BPF_IND, AT_NET, config->tuples);
	tcp = go(f);
	end_here(f, other);
	need(f, BPF_JEQ, IPPROTO_ICMP);
	add(f, BPF_LD | BPF_B | BPF_IND, AT_NET);
	add_jump(f, BPF_JMP | BPF_JEQ | BPF_K, ICMP_UNREACHABLE, 3, 0);
	add_jump(f, BPF_JMP | BPF_JEQ | BPF_K, ICMP_TIME_EXCEEDED, 2, 0);
	need(f, BPF_JEQ, ICMP_PARAMETER);
	end_here(f, tcp);
	point_to(f, AT_IPV4_TARGET);
	end_here(f, arp);
	put_end(f, config);
}

static void put_ipv6(struct filter *f, const struct device_config *config, const struct ip *hop)
{
	uint32_t other, tcp, advertised, solicited;

	need(f, BPF_JEQ, ETH_P_IPV6);
	load(f, BPF_B, AT_IPV6_NEXT);
	other = begin_if(f, IPPROTO_TCP);
	need_address(f, AT_IPV6_SOURCE, &config->tuples->target);
	need_ports(f, BPF_ABS, AT_IPV6_PAYLOAD, config->tuples);
	tcp = go(f);
	end_here(f, other);
	need(f, BPF_JEQ, IPPROTO_ICMPV6);
	point_to(f, AT_ICMPV6_TARGET);
	load(f, BPF_B, AT_IPV6_PAYLOAD);
	other = begin_if(f, ICMPV6_ADVERTISE);
	take_if_hop(f, hop);
	advertised = go(f);
	end_here(f, other);
	other = begin_if(f, ICMPV6_SOLICIT);
	point_to(f, AT_IPV6_SOURCE);
	take_if_ours(f, config);
	point_to(f, AT_ICMPV6_TARGET);
	solicited = go(f);
	end_here(f, other);
	need_not(f, BPF_JGT, ICMPV6_ERROR_LAST);
	end_here(f, tcp);
	point_to(f, AT_IPV6_TARGET);
	end_here(f, advertised);
	end_here(f, solicited);
	put_end(f, config);
}

int filter_make(const struct device_config *config, const struct ip *hop, struct filter *out)
{
	memset(out, 0, sizeof(*out));
	add(out, LOAD_PACKET_TYPE);
	need_not(out, BPF_JEQ, PACKET_OUTGOING);
	add(out, LOAD_VLAN);
	need_not(out, BPF_JSET, VLAN_NUMBER);
	load(out, BPF_H, AT_TYPE);
	if (config->tuples->target.family == AF_INET)
		put_ipv4(out, config, hop);
	else
		put_ipv6(out, config, hop);
	return out->len > FILTER_MOST ? -E2BIG : 0;
}
