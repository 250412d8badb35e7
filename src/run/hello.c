/* hello: one plain socket and poll(2).
 *
 * The token's round says that it is only a question, so that a server of ours does not count the
 * connection it comes on (run/server.c). */
#include "run/hello.h"

#include "base/clock.h"
#include "behave/token.h"
#include "engine/sock.h"
#include "plan/tuple.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Waits for `events`; false when the time is over. */
static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd one = {.fd = fd, .events = events};
	int count;

	do {
		count = poll(&one, 1, clock_timeout_ms(deadline_ns));
	} while (count < 0 && errno == EINTR);
	return count > 0;
}

static int bind_source(int fd, const struct hello_path *path)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(&path->source, 0, &address);

	return sock_bind_source(fd, (const struct sockaddr *)&address, len, path->freebind);
}

/* 0 or a negative errno. */
static int connect_to(int fd, const struct hello_path *path, uint64_t deadline_ns)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(&path->target, path->port, &address);
	int code = 0;
	socklen_t code_len = sizeof(code);
	int failed = path->binds_source ? bind_source(fd, path) : 0;

	if (failed < 0)
		return failed;
	if (connect(fd, (const struct sockaddr *)&address, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(fd, POLLOUT, deadline_ns))
		return -ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_len) == 0 ? -code : -errno;
}

static bool echoes(int fd, uint64_t key, uint64_t deadline_ns)
{
	uint8_t token[TOKEN_BYTES], back[TOKEN_BYTES];
	size_t have = 0;

	token_make(token, key, 0, TOKEN_HELLO);
	if (send(fd, token, sizeof(token), MSG_NOSIGNAL) != (ssize_t)sizeof(token))
		return false;
	while (have < sizeof(back) && wait_for(fd, POLLIN, deadline_ns)) {
		ssize_t count = recv(fd, back + have, sizeof(back) - have, 0);

		if (count <= 0)
			return false;
		have += (size_t)count;
	}
	return have == sizeof(back) && memcmp(token, back, sizeof(token)) == 0;
}

enum hello hello_ask_over(const struct hello_path *path, uint64_t key, uint64_t timeout_ns,
                          int *why)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	enum hello answer = HELLO_NOBODY;
	int fd = socket(path->target.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int failed = fd < 0 ? -errno : 0;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		failed = connect_to(fd, path, deadline_ns);
		if (failed == 0)
			answer = echoes(fd, key, deadline_ns) ? HELLO_ECHOES : HELLO_MUTE;
		close(fd);
	}
	if (why)
		*why = failed;
	return answer;
}

enum hello hello_ask(const struct experiment *x, uint64_t key, uint64_t timeout_ns)
{
	const struct tuple first = tuple_at(&x->tuples, 0);
	const struct hello_path path = {
		.source = first.source,
		.target = first.target,
		.port = first.target_port,
		.binds_source = !engine_is_utcp(x->clients),
		.freebind = x->freebind,
	};

	return hello_ask_over(&path, key, timeout_ns, NULL);
}
