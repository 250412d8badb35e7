/* epoll_accept: accepting while there is room, and not for a while after an error. */
#include "engine/epoll_accept.h"

#include "base/clock.h"
#include "engine/epoll_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPT_BATCH    64 /* before others have their turn */
#define ACCEPT_AGAIN_NS (100 * NS_PER_MS)

static void report_accept_error(struct epoll *p, int code, struct engine_event *event)
{
	p->accept_again_ns = clock_now_ns() + ACCEPT_AGAIN_NS;
	*event = (struct engine_event){.tag = engine_tag(ENGINE_ACCEPTED, 0, EPOLL_NO_INDEX),
	                               .result = code};
}

static uint32_t take_index(struct epoll *p)
{
	uint32_t index = p->first_free;

	if (index == EPOLL_NO_INDEX)
		return p->fresh++;
	p->first_free = (uint32_t)p->conns[index].fd;
	return index;
}

/* Returns how many events (0 or 1) it makes. -EAGAIN: nobody waits. */
static int accept_one(struct epoll *p, int listener, struct engine_event *event)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
		return -errno;
	if (fd < 0) {
		report_accept_error(p, -errno, event);
		return 1;
	}
	uint32_t index = take_index(p);

	p->conns[index].fd = fd;
	p->conns[index].word |= CONN_USED | CONN_WANTED;
	p->used++;
	int code = epoll_update_registration(p, index);

	if (code != 0) {
		epoll_close(&p->base, index, ENGINE_CLOSE_RESET);
		report_accept_error(p, code, event);
		return 1;
	}
	*event = (struct engine_event){.tag = tag_of(p, ENGINE_ACCEPTED, index)};
	return 1;
}

static bool may_accept(const struct epoll *p)
{
	return !p->accept_off && p->accept_again_ns == 0 && p->used < p->config.connections;
}

int epoll_on_listener(struct epoll *p, uint32_t number, struct engine_event *events, int max)
{
	int made = 0;

	for (int i = 0; i < ACCEPT_BATCH && made < max && may_accept(p); i++) {
		int count = accept_one(p, p->listeners[number].fd, &events[made]);

		if (count == -EAGAIN)
			break;
		made += count > 0 ? count : 0;
	}
	return made;
}

static void watch(struct epoll *p, uint32_t number, bool on)
{
	struct epoll_listener *l = &p->listeners[number];
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
	                            .data.u64 = engine_tag(KEY_LISTENER, 0, number)};

	if (l->armed == on)
		return;
	if (epoll_ctl(p->fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->fd, &event) != 0) {
		/* No memory for it now: without a time to try again, poll might sleep for ever. */
		p->accept_again_ns = clock_now_ns() + ACCEPT_AGAIN_NS;
		return;
	}
	l->armed = on;
	p->listener_armed += on ? 1U : -1U;
}

void epoll_keep_accepting(struct epoll *p)
{
	if (p->accept_again_ns != 0 && clock_now_ns() >= p->accept_again_ns)
		p->accept_again_ns = 0;
	bool wanted = may_accept(p);

	if (p->listener_armed == (wanted ? p->listener_count : 0))
		return;
	for (uint32_t i = 0; i < p->listener_count; i++)
		watch(p, i, wanted);
}

int epoll_listen(struct engine *e, int fd)
{
	struct epoll *p = epoll_of(e);
	int flags = fcntl(fd, F_GETFL);

	if (p->listener_count == p->config.listeners)
		return -ENOSPC;
	/* Another process may take what the kernel said is there. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return -errno;
	p->listeners[p->listener_count++] = (struct epoll_listener){.fd = fd};
	epoll_keep_accepting(p);
	return 0;
}

void epoll_accept(struct engine *e, bool on)
{
	struct epoll *p = epoll_of(e);

	if (p->accept_off == !on)
		return;
	p->accept_off = !on;
	for (uint32_t i = 0; i < p->listener_count; i++)
		listen(p->listeners[i].fd, on ? p->config.backlog : 0);
	epoll_keep_accepting(p);
}
