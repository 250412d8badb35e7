/* epoll_io: bytes out of a pool of send slots, and bytes in through a pool of buffers. */
#include "engine/epoll_io.h"

#include "engine/epoll_conn.h"
#include "engine/epoll_ready.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void report_sent(struct epoll *p, uint32_t index, uint16_t number, ssize_t result)
{
	p->conns[index].word &= ~(uint32_t)CONN_BLOCKED;
	epoll_push(p, (struct engine_event){.tag = tag_of(p, ENGINE_SENT, index),
	                                    .result = (int32_t)result,
	                                    .len = p->send_len[number],
	                                    .data = send_slot(p, number)});
}

/* Gives a slot to the kernel, or leaves it to wait for room. */
static void try_send(struct epoll *p, uint32_t index, uint16_t number)
{
	ssize_t sent = send(p->conns[index].fd, send_slot(p, number), p->send_len[number],
	                    MSG_NOSIGNAL);
	int code = sent < 0 ? -errno : 0;

	if (code == -EAGAIN) {
		p->conns[index].word |= CONN_BLOCKED;
		p->blocked[index] = number;
		code = epoll_update_registration(p, index);
		if (code == 0)
			return;
	}
	report_sent(p, index, number, code < 0 ? code : sent);
}

int epoll_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	struct epoll *p = epoll_of(e);
	uint16_t number;

	if (!epoll_pool_take(&p->send_pool, &number))
		return -EAGAIN;
	p->send_len[number] = len;
	memcpy(send_slot(p, number), data, len);
	try_send(p, index, number);
	return 0;
}

void epoll_on_writable(struct epoll *p, uint32_t index)
{
	p->conns[index].word &= ~(uint32_t)CONN_BLOCKED;
	epoll_register(p, index, p->conns[index].word & CONN_IN);
	try_send(p, index, p->blocked[index]);
}

static void report_received(struct epoll *p, uint32_t index, ssize_t result, const void *data)
{
	p->conns[index].word &= ~(uint32_t)CONN_WANTED;
	epoll_push(p, (struct engine_event){.tag = tag_of(p, ENGINE_RECEIVED, index),
	                                    .result = (int32_t)result,
	                                    .data = data});
}

void epoll_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct epoll *p = epoll_of(e);
	struct epoll_conn *c = &p->conns[index];

	c->word = (c->word & ~(uint32_t)CONN_SOON) | CONN_WANTED |
	          (wait == ENGINE_WAIT_SOON ? CONN_SOON : 0);
	int code = epoll_update_registration(p, index);

	if (code != 0)
		report_received(p, index, code, NULL);
}

void epoll_on_readable(struct epoll *p, uint32_t index)
{
	struct epoll_conn *c = &p->conns[index];
	uint16_t number;

	if (!(c->word & CONN_WANTED)) {
		epoll_register(p, index, c->word & CONN_OUT);
		return;
	}
	if (!epoll_pool_take(&p->received_pool, &number))
		return;
	char *at = p->received + (size_t)number * p->base.send_most;
	ssize_t count = recv(c->fd, at, p->base.send_most, 0);
	int code = count < 0 ? -errno : 0;

	if (count <= 0)
		epoll_pool_give(&p->received_pool, number);
	if (code == -EAGAIN)
		return;
	/* Nothing more will come after an end, and the level would not fall. */
	if (count <= 0 || (c->word & CONN_SOON))
		epoll_register(p, index, c->word & CONN_OUT);
	report_received(p, index, code < 0 ? code : count, count > 0 ? at : NULL);
}
