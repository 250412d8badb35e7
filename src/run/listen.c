/* listen: opening many listening sockets alike. */
#include "run/listen.h"

#include "base/clock.h"
#include "engine/sock.h"
#include "run/spare.h"

#include <errno.h>
#include <unistd.h>

#define GIVEN_UP_NS (3 * NS_PER_S) /* for a port of a server that was killed */
#define STEP_NS     (50 * NS_PER_MS)

static int open_port(const struct experiment *x, const struct experiment_listen *on, uint32_t port,
                     const struct sock_listen *like, struct err *err)
{
	struct sockaddr_storage address;
	struct sock_listen how = *like;

	how.address = (const struct sockaddr *)&address;
	how.address_len = ip_sockaddr(&on->address, (uint16_t)port, &address);
	/* On a private network both ends are ours and drop theirs without a word; but a churn by
	 * FIN is in order from both sides. */
	how.reset_on_close = x->kind == RUN_LAB && !spare_churns_by_fin(x);
	return sock_listen(&how, err);
}

int listen_open(const struct experiment *x, int cpu, int *fds, struct err *err)
{
	const struct sock_listen like = {
		.backlog = x->backlog,
		.cpu = cpu,
		.shared = x->listen_groups > 1,
	};
	uint32_t count = 0;

	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct experiment_listen *on = &x->listens[i];

		for (uint32_t port = on->port_low; port <= on->port_high; port++) {
			int fd = open_port(x, on, port, &like, err);

			if (fd >= 0) {
				fds[count++] = fd;
				continue;
			}
			while (count > 0)
				close(fds[--count]);
			return fd;
		}
	}
	return 0;
}

void listen_close(const struct experiment *x, int *fds)
{
	for (uint32_t i = 0; i < x->listeners; i++)
		close(fds[i]);
}

/* The kernel takes a killed server's rings apart after its end, and its listening sockets with
 * them: a port may be in use for a while that no program has. */
static int open_port_in_time(const struct experiment *x, const struct experiment_listen *on,
                             uint32_t port, uint64_t end_ns, struct err *err)
{
	const struct sock_listen alone = {.backlog = 1, .cpu = -1};
	int fd = open_port(x, on, port, &alone, err);

	while (fd == -EADDRINUSE && clock_now_ns() < end_ns) {
		clock_sleep_ns(STEP_NS);
		fd = open_port(x, on, port, &alone, err);
	}
	return fd;
}

int listen_check(const struct experiment *x, struct err *err)
{
	uint64_t end_ns = clock_now_ns() + GIVEN_UP_NS;

	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct experiment_listen *on = &x->listens[i];

		for (uint32_t port = on->port_low; port <= on->port_high; port++) {
			int fd = open_port_in_time(x, on, port, end_ns, err);

			if (fd < 0)
				return fd;
			close(fd);
		}
	}
	return 0;
}
