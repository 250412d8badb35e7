/* epoll: completions made from readiness.
 *
 * Theory of operation
 *
 * Operations are tried at once, without waiting: most succeed, and their events lie in `ready`
 * until the next poll. Only what would have to wait is given to epoll.
 *
 * A connect to this machine is finished when connect(2) returns, although that says EINPROGRESS;
 * asking a second time tells, and saves the registration, the wake-up and SO_ERROR. One that is
 * really under way waits for EPOLLOUT.
 *
 * Receiving: a connection that rests stays registered for EPOLLIN, and a request while it is costs
 * nothing. An event that nobody has asked for takes it out, so that a level cannot spin. Where an
 * answer is expected at once (ENGINE_WAIT_SOON) it is taken out as soon as that has come, since a
 * registration costs the kernel about 200 bytes.
 *
 * Sending: the data lies in a slot while it waits for room in the socket's buffer, and until the
 * poll after the one that told its event.
 *
 * Two words per connection are all that is kept: its descriptor, and its generation with flags. The
 * free indexes of a server are a list through the descriptors' places.
 *
 * Accepting: several processes may share a listening socket (EPOLLEXCLUSIVE), and one that is full
 * leaves it to the others. It is made non-blocking, as another may be faster. After an error it is
 * left alone for a while, as the level would spin. */
#include "engine/epoll.h"

#include "base/clock.h"
#include "base/map.h"
#include "engine/epoll_accept.h"
#include "engine/epoll_conn.h"
#include "engine/epoll_io.h"
#include "engine/epoll_ready.h"
#include "engine/wait.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DESCRIPTORS 16 /* a worker's own: standard streams, bells, files it reads */

static void on_connection(struct epoll *p, const struct epoll_event *woken)
{
	const uint32_t index = engine_tag_index(woken->data.u64);
	const uint32_t word = p->conns[index].word;

	if (engine_tag_generation(woken->data.u64) != word >> 8)
		return;
	if (word & CONN_CONNECTING) {
		epoll_on_connecting(p, index);
		return;
	}
	if ((word & CONN_BLOCKED) && (woken->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		epoll_on_writable(p, index);
	if (woken->events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
		epoll_on_readable(p, index);
}

/* Returns how many events it writes; others lie in `ready`. */
static int dispatch(struct epoll *p, const struct epoll_event *woken, struct engine_event *events,
                    int max)
{
	switch (engine_tag_op(woken->data.u64)) {
	case KEY_CONNECTION:
		on_connection(p, woken);
		return 0;
	case KEY_LISTENER:
		return epoll_on_listener(p, engine_tag_index(woken->data.u64), events, max);
	default:
		return 0; /* woken: the caller looks why */
	}
}

static int epoll_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	struct epoll *p = epoll_of(e);
	struct epoll_event woken[EPOLL_ROUND];

	epoll_take_back(p);
	epoll_keep_accepting(p);
	int made = epoll_take_ready(p, events, max);

	if (made == max)
		return made;
	if (p->accept_again_ns != 0 && p->accept_again_ns < deadline_ns)
		deadline_ns = p->accept_again_ns;
	int room = max - made < EPOLL_ROUND ? max - made : EPOLL_ROUND;
	int count = wait_events(p->fd, woken, room, made > 0 ? 0 : deadline_ns);

	if (count < 0)
		return errno == EINTR ? made : -errno;
	for (int i = 0; i < count; i++)
		made += dispatch(p, &woken[i], events + made, max - made);
	made += epoll_take_ready(p, events + made, max - made);
	return made;
}

static void close_listeners(struct epoll *p)
{
	for (uint32_t i = 0; i < p->listener_count; i++)
		close(p->listeners[i].fd);
	p->listener_count = p->listener_armed = 0;
}

static void epoll_close_all(struct engine *e, enum engine_close how)
{
	struct epoll *p = epoll_of(e);
	uint32_t end = p->config.listeners > 0 ? p->fresh : p->config.connections;

	close_listeners(p);
	for (uint32_t i = 0; i < end && p->used > 0; i++)
		epoll_close(e, i, how);
}

static void drop_pool(struct epoll_pool *pool, uint32_t count)
{
	map_drop(pool->free, count * sizeof(*pool->free));
	map_drop(pool->lent, count * sizeof(*pool->lent));
}

static void epoll_shut(struct engine *e)
{
	struct epoll *p = epoll_of(e);
	const size_t n = p->config.connections;

	if (p->conns)
		epoll_close_all(e, ENGINE_CLOSE_FIN);
	if (p->fd >= 0)
		close(p->fd);
	map_drop(p->conns, n * sizeof(*p->conns));
	map_drop(p->blocked, n * sizeof(*p->blocked));
	map_drop(p->ready, p->ready_size * sizeof(*p->ready));
	map_drop(p->send_len, EPOLL_SEND_SLOTS * sizeof(*p->send_len));
	map_drop(p->send_data, (size_t)EPOLL_SEND_SLOTS * p->base.send_most);
	drop_pool(&p->send_pool, EPOLL_SEND_SLOTS);
	map_drop(p->received, EPOLL_BUFFERS * p->base.send_most);
	drop_pool(&p->received_pool, EPOLL_BUFFERS);
	map_drop(p->listeners, p->config.listeners * sizeof(*p->listeners));
	map_drop(p, sizeof(*p));
}

static const struct engine_ops epoll_ops = {
	.name = "epoll",
	.listen = epoll_listen,
	.accept = epoll_accept,
	.connect = epoll_connect,
	.send = epoll_send,
	.receive = epoll_receive,
	.close = epoll_close,
	.poll = epoll_poll,
	.close_all = epoll_close_all,
	.shut = epoll_shut,
};

static bool map_pool(struct epoll_pool *pool, uint32_t count)
{
	pool->free = map_private(count * sizeof(*pool->free));
	pool->lent = map_private(count * sizeof(*pool->lent));
	if (!pool->free || !pool->lent)
		return false;
	for (uint32_t i = 0; i < count; i++)
		pool->free[i] = (uint16_t)i;
	pool->free_count = count;
	return true;
}

static bool map_tables(struct epoll *p)
{
	const size_t n = p->config.connections;

	p->ready_size = (uint32_t)(2 * n + EPOLL_ROUND);
	p->conns = map_private(n * sizeof(*p->conns));
	p->blocked = map_private(n * sizeof(*p->blocked));
	p->ready = map_private(p->ready_size * sizeof(*p->ready));
	p->send_len = map_private(EPOLL_SEND_SLOTS * sizeof(*p->send_len));
	p->send_data = map_private((size_t)EPOLL_SEND_SLOTS * p->base.send_most);
	p->received = map_private(EPOLL_BUFFERS * p->base.send_most);
	p->listeners = map_private(p->config.listeners * sizeof(*p->listeners));
	if (!p->conns || !p->blocked || !p->ready || !p->send_len || !p->send_data ||
	    !p->received || !p->listeners)
		return false;
	p->first_free = EPOLL_NO_INDEX;
	p->base.index_end = p->config.connections;
	return map_pool(&p->send_pool, EPOLL_SEND_SLOTS) &&
	       map_pool(&p->received_pool, EPOLL_BUFFERS);
}

static int open_parts(struct epoll *p, struct err *err)
{
	struct epoll_event wake = {.events = EPOLLIN | EPOLLET,
	                           .data.u64 = engine_tag(KEY_WAKE, 0, 0)};

	if (p->config.connections > epoll_most(p->config.listeners, p->config.nofile))
		return err_set(err, -EMFILE,
		               "a process with a limit of %llu descriptors cannot hold %u "
		               "connections: raise it (ulimit -n), or use more workers",
		               (unsigned long long)p->config.nofile, p->config.connections);
	if (!map_tables(p))
		return err_set(err, -ENOMEM, "no memory for the tables of %u connections",
		               p->config.connections);
	p->fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->fd < 0 || epoll_ctl(p->fd, EPOLL_CTL_ADD, p->config.wake_fd, &wake) != 0)
		return err_set(err, -errno, "cannot set up epoll: %s", strerror(errno));
	return 0;
}

int epoll_open(const struct engine_config *config, struct engine **out, struct err *err)
{
	struct epoll *p = map_private(sizeof(*p));

	if (!p)
		return err_set(err, -ENOMEM, "no memory for an engine");
	p->base.ops = &epoll_ops;
	p->base.send_most = engine_send_most(config->message_bytes);
	p->config = *config;
	p->fd = -1;
	int failed = open_parts(p, err);

	if (failed != 0) {
		epoll_shut(&p->base);
		return failed;
	}
	*out = &p->base;
	return 0;
}

uint32_t epoll_most(uint32_t listeners, uint64_t nofile)
{
	uint64_t taken = (uint64_t)listeners + DESCRIPTORS;

	if (nofile <= taken)
		return 0;
	return nofile - taken < UINT32_MAX / 4 ? (uint32_t)(nofile - taken) : UINT32_MAX / 4;
}
