/* ip: an IPv4 or IPv6 address as a number that can be counted up. Pure. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct ip {
	uint8_t family;    /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order; IPv4 uses the first 4, the rest is 0 */
	uint32_t scope;    /* the interface's index of an IPv6 link-local address; 0: none */
};

#define IP_TEXT_BYTES 46

/* "198.18.0.1" or "2001:2::1", without a scope. Returns 0 or -EINVAL. */
int ip_parse(const char *text, struct ip *out);

/* Writes the address as text, without its scope; returns `text`. */
const char *ip_format(const struct ip *ip, char text[IP_TEXT_BYTES]);

/* The address `n` after `ip` (the low 64 bits are counted; wraps within them, IPv4 in its 32). */
struct ip ip_add(const struct ip *ip, uint64_t n);

/* How far `ip` is after `first`, at most INT64_MAX; -1 where the family or the part above the low
 * 64 bits (IPv4: 32) differs or it is before it. Scopes are not looked at. */
int64_t ip_distance(const struct ip *first, const struct ip *ip);

/* Whether family and bytes are the same, whatever the scopes. */
bool ip_equal(const struct ip *a, const struct ip *b);

/* Whether an address may be somebody else's in the Internet. Not: "this host" (0.0.0.0, ::),
 * loopback, private (RFC 1918, fc00::/7), shared (100.64.0.0/10), link-local, benchmarking
 * (198.18.0.0/15, 2001:2::/48), documentation, and IPv6 addresses that hold such an IPv4 address
 * (::ffff:0:0/96). All others are, also those that no host can have, as multicast. */
bool ip_is_public(const struct ip *ip);

/* Whether it is of 127.0.0.0/8, or ::1. */
bool ip_is_loopback(const struct ip *ip);

/* Whether it is an address that one host may have: neither unspecified nor multicast nor broadcast.
 */
bool ip_is_host(const struct ip *ip);

/* An IPv4 address where it is one as IPv6 has it (::ffff:0:0/96, RFC 4291 section 2.5.5.2), as
 * peers of a server on :: are; else the same. */
struct ip ip_unmapped(const struct ip *ip);

/* Fills `out` for bind(2) and connect(2); returns the length of the address. */
socklen_t ip_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out);
