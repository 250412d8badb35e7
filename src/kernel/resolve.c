/* resolve: getaddrinfo(3) for names; a connected UDP socket for the kernel's choice of a source. */
#include "kernel/resolve.h"

#include "base/text.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANY_PORT 1 /* routes do not depend on it, but 0 would be none */

/* Takes IPv4 and IPv6; false for anything else. */
static bool take_address(const struct sockaddr *address, struct ip *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*out = (struct ip){.family = (uint8_t)address->sa_family};
	if (address->sa_family == AF_INET) {
		memcpy(&in, address, sizeof(in));
		memcpy(out->bytes, &in.sin_addr, sizeof(in.sin_addr));
		return true;
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		memcpy(out->bytes, &in6.sin6_addr, sizeof(in6.sin6_addr));
		out->scope = in6.sin6_scope_id;
		return true;
	}
	return false;
}

/* The first answer. Returns 0 or getaddrinfo's error. */
static int look_up(const char *host, int family, struct ip *out)
{
	const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *answers = NULL;
	int why = getaddrinfo(host, NULL, &hints, &answers);
	bool found = false;

	if (why != 0)
		return why;
	for (struct addrinfo *at = answers; at && !found; at = at->ai_next)
		found = take_address(at->ai_addr, out);
	freeaddrinfo(answers);
	return found ? 0 : EAI_NODATA;
}

/* What getaddrinfo says of a host without an address of the family: which of them differs by the
 * source of the answer, and EAI_NONAME is also said of a host that is not known at all. Not
 * EAI_AGAIN: nobody has said yet that there is none. */
static bool may_have_others(int why)
{
	return why == EAI_NONAME || why == EAI_NODATA || why == EAI_ADDRFAMILY;
}

static int code_of(int why, int system_errno)
{
	switch (why) {
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_SYSTEM:
		return system_errno > 0 ? -system_errno : -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_FAMILY:
		return -EAFNOSUPPORT;
	default:
		return -EHOSTUNREACH;
	}
}

static const char *family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

static int has_only(const char *host, const struct ip *other, struct err *err)
{
	char text[IP_TEXT_BYTES];

	return err_set(err, -EAFNOSUPPORT, "%s has no %s address, only %s (%s)",
	               text_quote(host, strlen(host)).text,
	               family_name(other->family == AF_INET ? AF_INET6 : AF_INET),
	               family_name(other->family), ip_format(other, text));
}

int resolve_host(const char *host, int family, struct ip *out, struct err *err)
{
	struct ip ip, other;
	int why = look_up(host, family, &ip);
	int system_errno = errno;

	if (why == 0) {
		*out = ip;
		return 0;
	}
	if (family != AF_UNSPEC && may_have_others(why) && look_up(host, AF_UNSPEC, &other) == 0 &&
	    other.family != family)
		return has_only(host, &other, err);
	return err_set(err, code_of(why, system_errno), "cannot find the host %s: %s%s",
	               text_quote(host, strlen(host)).text,
	               why == EAI_SYSTEM ? strerror(system_errno) : gai_strerror(why),
	               why == EAI_AGAIN ? " (does the name server answer?)" : "");
}

/* Connecting a UDP socket asks for the route and takes its source address, and sends nothing. */
static int ask_source(const struct ip *target, struct ip *out)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(target, ANY_PORT, &address);
	int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int failed = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, len) != 0)
		failed = -errno;
	len = sizeof(address);
	if (failed == 0 && getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		failed = -errno;
	if (failed == 0 && !take_address((const struct sockaddr *)&address, out))
		failed = -EAFNOSUPPORT;
	close(fd);
	return failed;
}

/* fe80::/10: each link has its own, so there is no route without the interface. */
static bool lacks_scope(const struct ip *ip)
{
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80 &&
	       ip->scope == 0;
}

int resolve_source(const struct ip *target, struct ip *out, struct err *err)
{
	char text[IP_TEXT_BYTES];
	struct ip source;
	int failed;

	ip_format(target, text);
	if (lacks_scope(target))
		return err_set(err, -EINVAL, "%s is link-local: name its interface (%s%%eth0)",
		               text, text);
	failed = ask_source(target, &source);
	if (failed == 0) {
		*out = source;
		return 0;
	}
	/* With its link down, a network is said to be one or the other. */
	if (failed == -EHOSTUNREACH || failed == -EADDRNOTAVAIL)
		failed = -ENETUNREACH;
	if (failed == -ENETUNREACH)
		return err_set(err, failed, "no route leads from this host to %s", text);
	return err_set(err, failed, "cannot choose a source address for %s: %s", text,
	               strerror(-failed));
}
