/* epoll_conn: connecting, closing, and what epoll is told of a connection. */
#include "engine/epoll_conn.h"

#include "engine/epoll_ready.h"
#include "engine/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

int epoll_register(struct epoll *p, uint32_t index, uint32_t flags)
{
	struct epoll_conn *c = &p->conns[index];
	const uint32_t before = c->word & (CONN_IN | CONN_OUT);
	struct epoll_event event = {
		.events = (flags & CONN_IN ? EPOLLIN | EPOLLRDHUP : 0) |
	                  (flags & CONN_OUT ? EPOLLOUT : 0),
		.data.u64 = tag_of(p, KEY_CONNECTION, index),
	};
	int op = before == 0 ? EPOLL_CTL_ADD : flags == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (flags == before)
		return 0;
	if (epoll_ctl(p->fd, op, c->fd, &event) != 0)
		return -errno;
	c->word = (c->word & ~(uint32_t)(CONN_IN | CONN_OUT)) | flags;
	return 0;
}

/* What its state asks for. A registration for reading stays while it may be asked for again. */
int epoll_update_registration(struct epoll *p, uint32_t index)
{
	const uint32_t word = p->conns[index].word;
	uint32_t flags = word & CONN_IN;

	if (word & CONN_WANTED)
		flags |= CONN_IN;
	if (word & (CONN_CONNECTING | CONN_BLOCKED))
		flags |= CONN_OUT;
	return epoll_register(p, index, flags);
}

void epoll_release(struct epoll *p, uint32_t index)
{
	struct epoll_conn *c = &p->conns[index];

	if (c->word & CONN_BLOCKED)
		epoll_pool_give(&p->send_pool, p->blocked[index]);
	c->word = (c->word & ~(uint32_t)CONN_FLAGS) + 0x100;
	p->used--;
	if (p->config.listeners == 0)
		return;
	c->fd = (int32_t)p->first_free;
	p->first_free = index;
}

void epoll_close(struct engine *e, uint32_t index, enum engine_close how)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	static const int on = 1;
	struct epoll *p = epoll_of(e);
	struct epoll_conn *c = &p->conns[index];

	if (!(c->word & CONN_USED))
		return;
	if (c->fd >= 0 && how == ENGINE_CLOSE_RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/* A socket under repair goes without a segment (net/ipv4/tcp.c, __tcp_close). */
	if (c->fd >= 0 && how == ENGINE_CLOSE_SILENT)
		setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
	if (c->fd >= 0)
		close(c->fd);
	epoll_release(p, index);
}

static void report_connected(struct epoll *p, uint32_t index, int result)
{
	epoll_push(p, (struct engine_event){.tag = tag_of(p, ENGINE_CONNECTED, index),
	                                    .result = result});
}

/* 0: connected. -EINPROGRESS: under way. */
static int start_connect(int fd, bool freebind, const struct sockaddr *source,
                         const struct sockaddr *target, socklen_t len)
{
	int failed = sock_bind_source(fd, source, len, freebind);

	if (failed != 0)
		return failed;
	if (connect(fd, target, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (connect(fd, target, len) == 0 || errno == EISCONN)
		return 0;
	return errno == EALREADY ? -EINPROGRESS : -errno;
}

/* The index is free when the caller has seen that. */
static void fail_connect(struct epoll *p, uint32_t index, int code)
{
	close(p->conns[index].fd);
	p->conns[index].fd = -1;
	report_connected(p, index, code);
}

void epoll_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                   const struct sockaddr *target, socklen_t len)
{
	struct epoll *p = epoll_of(e);
	struct epoll_conn *c = &p->conns[index];

	c->fd = socket(source->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->word |= CONN_USED;
	p->used++;
	if (c->fd < 0) {
		report_connected(p, index, -errno);
		return;
	}
	int code = start_connect(c->fd, p->config.freebind, source, target, len);

	if (code == -EINPROGRESS) {
		c->word |= CONN_CONNECTING;
		code = epoll_update_registration(p, index);
		if (code == 0)
			return;
	}
	if (code == 0)
		report_connected(p, index, 0);
	else
		fail_connect(p, index, code);
}

void epoll_on_connecting(struct epoll *p, uint32_t index)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(p->conns[index].fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
		code = errno;
	if (code != 0) {
		fail_connect(p, index, -code);
		return;
	}
	p->conns[index].word &= ~(uint32_t)CONN_CONNECTING;
	epoll_register(p, index, 0);
	report_connected(p, index, 0);
}
