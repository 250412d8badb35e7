/* sock: what a listening socket is told before it listens. Accepted sockets inherit SO_LINGER from
 * it (net/core/sock.c, sk_clone_lock), which saves a call per connection. */
#include "engine/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static int set_option(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_SOCKET, name, value, len) == 0 ? 0 : -errno;
}

static int set_options(int fd, const struct sock_listen *how)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	const int on = 1;
	int failed = set_option(fd, SO_REUSEADDR, &on, sizeof(on));

	if (failed == 0 && how->shared)
		failed = set_option(fd, SO_REUSEPORT, &on, sizeof(on));
	if (failed == 0 && how->reset_on_close)
		failed = set_option(fd, SO_LINGER, &reset, sizeof(reset));
	/* A preference only: a kernel that refuses it spreads by hash. */
	if (failed == 0 && how->cpu >= 0)
		(void)set_option(fd, SO_INCOMING_CPU, &how->cpu, sizeof(how->cpu));
	return failed;
}

static const char *advice(int code)
{
	switch (code) {
	case -EADDRINUSE:
		return "another program listens there: end it first";
	case -EACCES:
		return "ports below net.ipv4.ip_unprivileged_port_start need root";
	case -EADDRNOTAVAIL:
		return "this host has no such address";
	default:
		return "see the kernel's reason";
	}
}

static int fail(const struct sock_listen *how, int code, struct err *err)
{
	char address[INET6_ADDRSTRLEN] = "?";
	uint16_t port = 0;

	if (how->address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, how->address, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, address, sizeof(address));
		port = ntohs(in.sin_port);
	} else {
		struct sockaddr_in6 in6;

		memcpy(&in6, how->address, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, address, sizeof(address));
		port = ntohs(in6.sin6_port);
	}
	return err_set(err, code, "cannot listen on %s port %u: %s: %s", address, port,
	               strerror(-code), advice(code));
}

int sock_listen(const struct sock_listen *how, struct err *err)
{
	int fd = socket(how->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(how, -errno, err);
	int failed = set_options(fd, how);

	if (failed == 0 && bind(fd, how->address, how->address_len) != 0)
		failed = -errno;
	if (failed == 0 && listen(fd, how->backlog) != 0)
		failed = -errno;
	if (failed == 0)
		return fd;
	close(fd);
	return fail(how, failed, err);
}

int sock_bind_source(int fd, const struct sockaddr *source, socklen_t len, bool freebind)
{
	static const int on = 1;
	int failed = set_option(fd, SO_REUSEADDR, &on, sizeof(on));

	if (failed == 0 && freebind &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) != 0)
		failed = -errno;
	if (failed == 0 && bind(fd, source, len) != 0)
		failed = -errno;
	return failed;
}
