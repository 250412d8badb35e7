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
 * poll after its event.
 *
 * Two words per connection are all that is kept: its descriptor, and its generation with flags. The
 * free indexes of a server are a list through the descriptors' places.
 *
 * Accepting: several processes may share a listening socket (EPOLLEXCLUSIVE), and one that is full
 * leaves it to the others. After an error it is left alone for a while, as the level would spin. */
#include "engine/epoll.h"

#include "base/clock.h"
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SEND_SLOTS      4096
#define EVENTS          512 /* taken from the kernel at a time; each may lend a buffer */
#define ACCEPT_BATCH    64  /* before others have their turn */
#define ACCEPT_AGAIN_NS (100 * NS_PER_MS)
#define DESCRIPTORS     16 /* a worker's own: standard streams, bells, files it reads */
#define NO_INDEX        UINT32_MAX

/* What epoll's data means, in the place of a tag's operation. */
enum { KEY_CONNECTION, KEY_LISTENER, KEY_WAKE };

/* Flags of a connection's word; its generation lies above them. */
enum {
	CONN_USED = 1,
	CONN_CONNECTING = 2,
	CONN_WANTED = 4,   /* the caller asked for RECEIVED                   */
	CONN_SOON = 8,     /* and does not expect to rest then                */
	CONN_BLOCKED = 16, /* a send waits for room; blocked[] is its slot    */
	CONN_IN = 32,      /* registered with epoll, for reading              */
	CONN_OUT = 64,     /* and for writing                                 */
	CONN_FLAGS = 0xff
};

struct conn {
	int32_t fd; /* free: the next free index, as int32_t */
	uint32_t word;
};

struct send_slot {
	uint32_t len;
	char data[ENGINE_SEND_MAX];
};

struct listener {
	int fd;
	bool armed;
};

struct epoll {
	struct engine base;
	struct engine_config config;
	int fd;
	struct conn *conns;
	uint16_t *blocked; /* of connections with CONN_BLOCKED: the send's slot */
	uint32_t used, fresh, first_free;

	struct engine_event *ready; /* waiting for the next poll */
	uint32_t ready_from, ready_end, ready_size;

	struct send_slot *sends;
	uint16_t *send_free,
		*send_lent; /* numbers of slots; lent to the caller until the next poll */
	uint32_t send_free_count, send_lent_count;
	char (*received)[ENGINE_SEND_MAX]; /* lent likewise */
	uint32_t received_count;

	struct listener *listeners;
	uint32_t listener_count;
	bool accept_off;
	uint64_t accept_again_ns; /* not before, after an error; 0: at once */
};

static struct epoll *epoll_of(struct engine *e)
{
	return (struct epoll *)(void *)e;
}

static uint32_t generation_of(const struct epoll *p, uint32_t index)
{
	return p->conns[index].word >> 8;
}

static uint64_t tag_of(const struct epoll *p, uint8_t op, uint32_t index)
{
	return engine_tag(op, generation_of(p, index), index);
}

/* --- registrations ------------------------------------------------------------------------ */

/* Tells epoll what the flags say. 0 or a negative errno. */
static int register_as(struct epoll *p, uint32_t index, uint32_t flags)
{
	struct conn *c = &p->conns[index];
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
static int update_registration(struct epoll *p, uint32_t index)
{
	const uint32_t word = p->conns[index].word;
	uint32_t flags = word & CONN_IN;

	if (word & CONN_WANTED)
		flags |= CONN_IN;
	if (word & (CONN_CONNECTING | CONN_BLOCKED))
		flags |= CONN_OUT;
	return register_as(p, index, flags);
}

/* --- events that wait for the next poll ----------------------------------------------------- */

static bool is_stale(const struct epoll *p, const struct engine_event *event)
{
	return engine_tag_generation(event->tag) != generation_of(p, engine_tag_index(event->tag));
}

/* Those of connections that were closed since make room: what is left is two a connection. */
static void drop_stale(struct epoll *p)
{
	uint32_t kept = 0;

	for (uint32_t i = p->ready_from; i < p->ready_end; i++) {
		if (!is_stale(p, &p->ready[i]))
			p->ready[kept++] = p->ready[i];
	}
	p->ready_from = 0;
	p->ready_end = kept;
}

static void push(struct epoll *p, struct engine_event event)
{
	if (p->ready_end == p->ready_size)
		drop_stale(p);
	assert(p->ready_end < p->ready_size);
	p->ready[p->ready_end++] = event;
}

/* --- a connection's begin and end ----------------------------------------------------------- */

static void release(struct epoll *p, uint32_t index)
{
	struct conn *c = &p->conns[index];

	if (c->word & CONN_BLOCKED)
		p->send_free[p->send_free_count++] = p->blocked[index];
	c->word = (c->word & ~(uint32_t)CONN_FLAGS) + 0x100;
	p->used--;
	if (p->config.listeners == 0)
		return;
	c->fd = (int32_t)p->first_free;
	p->first_free = index;
}

static void epoll_close(struct engine *e, uint32_t index, enum engine_close how)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	static const int on = 1;
	struct epoll *p = epoll_of(e);
	struct conn *c = &p->conns[index];

	if (!(c->word & CONN_USED))
		return;
	if (c->fd >= 0 && how == ENGINE_CLOSE_RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/* A socket under repair goes without a segment (net/ipv4/tcp.c, __tcp_close). */
	if (c->fd >= 0 && how == ENGINE_CLOSE_SILENT)
		setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
	if (c->fd >= 0)
		close(c->fd);
	release(p, index);
}

static void report_connected(struct epoll *p, uint32_t index, int result)
{
	push(p, (struct engine_event){.tag = tag_of(p, ENGINE_CONNECTED, index), .result = result});
}

/* 0: connected. -EINPROGRESS: under way. */
static int start_connect(int fd, const struct sockaddr *source, const struct sockaddr *target,
                         socklen_t len)
{
	static const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, source, len) != 0)
		return -errno;
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

static void epoll_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                          const struct sockaddr *target, socklen_t len)
{
	struct epoll *p = epoll_of(e);
	struct conn *c = &p->conns[index];

	c->fd = socket(source->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->word |= CONN_USED;
	p->used++;
	if (c->fd < 0) {
		report_connected(p, index, -errno);
		return;
	}
	int code = start_connect(c->fd, source, target, len);

	if (code == -EINPROGRESS) {
		c->word |= CONN_CONNECTING;
		code = update_registration(p, index);
		if (code == 0)
			return;
	}
	if (code == 0)
		report_connected(p, index, 0);
	else
		fail_connect(p, index, code);
}

static void on_connecting(struct epoll *p, uint32_t index)
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
	register_as(p, index, 0);
	report_connected(p, index, 0);
}

/* --- sending and receiving ------------------------------------------------------------------ */

static void report_sent(struct epoll *p, uint32_t index, uint16_t number, ssize_t result)
{
	struct send_slot *slot = &p->sends[number];

	p->conns[index].word &= ~(uint32_t)CONN_BLOCKED;
	p->send_lent[p->send_lent_count++] = number;
	push(p, (struct engine_event){.tag = tag_of(p, ENGINE_SENT, index),
	                              .result = (int32_t)result,
	                              .len = slot->len,
	                              .data = slot->data});
}

/* Gives a slot to the kernel, or leaves it to wait for room. */
static void try_send(struct epoll *p, uint32_t index, uint16_t number)
{
	const struct send_slot *slot = &p->sends[number];
	ssize_t sent = send(p->conns[index].fd, slot->data, slot->len, MSG_NOSIGNAL);
	int code = sent < 0 ? -errno : 0;

	if (code == -EAGAIN) {
		p->conns[index].word |= CONN_BLOCKED;
		p->blocked[index] = number;
		code = update_registration(p, index);
		if (code == 0)
			return;
	}
	report_sent(p, index, number, code < 0 ? code : sent);
}

static int epoll_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	struct epoll *p = epoll_of(e);

	if (p->send_free_count == 0)
		return -EAGAIN;
	uint16_t number = p->send_free[--p->send_free_count];

	p->sends[number].len = len;
	memcpy(p->sends[number].data, data, len);
	try_send(p, index, number);
	return 0;
}

static void on_writable(struct epoll *p, uint32_t index)
{
	p->conns[index].word &= ~(uint32_t)CONN_BLOCKED;
	register_as(p, index, p->conns[index].word & CONN_IN);
	try_send(p, index, p->blocked[index]);
}

static void report_received(struct epoll *p, uint32_t index, ssize_t result, const void *data)
{
	p->conns[index].word &= ~(uint32_t)CONN_WANTED;
	push(p, (struct engine_event){.tag = tag_of(p, ENGINE_RECEIVED, index),
	                              .result = (int32_t)result,
	                              .data = data});
}

static void epoll_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct epoll *p = epoll_of(e);
	struct conn *c = &p->conns[index];

	c->word = (c->word & ~(uint32_t)CONN_SOON) | CONN_WANTED |
	          (wait == ENGINE_WAIT_SOON ? CONN_SOON : 0);
	int code = update_registration(p, index);

	if (code != 0)
		report_received(p, index, code, NULL);
}

static void on_readable(struct epoll *p, uint32_t index)
{
	struct conn *c = &p->conns[index];

	if (!(c->word & CONN_WANTED)) {
		register_as(p, index, c->word & CONN_OUT);
		return;
	}
	if (p->received_count == EVENTS)
		return;
	char *at = p->received[p->received_count];
	ssize_t count = recv(c->fd, at, ENGINE_SEND_MAX, 0);
	int code = count < 0 ? -errno : 0;

	if (code == -EAGAIN)
		return;
	if (count > 0)
		p->received_count++;
	/* Nothing more will come after an end, and the level would not fall. */
	if (count <= 0 || (c->word & CONN_SOON))
		register_as(p, index, c->word & CONN_OUT);
	report_received(p, index, code < 0 ? code : count, at);
}

/* --- accepting ------------------------------------------------------------------------------ */

static void report_accept_error(struct epoll *p, int code, struct engine_event *event)
{
	p->accept_again_ns = clock_now_ns() + ACCEPT_AGAIN_NS;
	*event = (struct engine_event){.tag = engine_tag(ENGINE_ACCEPTED, 0, NO_INDEX),
	                               .result = code};
}

static uint32_t take_index(struct epoll *p)
{
	uint32_t index = p->first_free;

	if (index == NO_INDEX)
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
	int code = update_registration(p, index);

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

static int on_listener(struct epoll *p, uint32_t number, struct engine_event *events, int max)
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

/* Watches the listening sockets exactly while connections can be taken. */
static void update_accepting(struct epoll *p)
{
	if (p->accept_again_ns != 0 && clock_now_ns() >= p->accept_again_ns)
		p->accept_again_ns = 0;
	bool wanted = may_accept(p);

	for (uint32_t i = 0; i < p->listener_count; i++) {
		struct listener *l = &p->listeners[i];
		struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
		                            .data.u64 = engine_tag(KEY_LISTENER, 0, i)};

		if (l->armed != wanted &&
		    epoll_ctl(p->fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->fd, &event) == 0)
			l->armed = wanted;
	}
}

static int epoll_listen(struct engine *e, int fd)
{
	struct epoll *p = epoll_of(e);

	if (p->listener_count == p->config.listeners)
		return -ENOSPC;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return -errno;
	p->listeners[p->listener_count++] = (struct listener){.fd = fd};
	update_accepting(p);
	return p->listeners[p->listener_count - 1].armed ? 0 : -errno;
}

static void epoll_accept(struct engine *e, bool on)
{
	struct epoll *p = epoll_of(e);

	if (p->accept_off == !on)
		return;
	p->accept_off = !on;
	for (uint32_t i = 0; i < p->listener_count; i++)
		listen(p->listeners[i].fd, on ? p->config.backlog : 0);
	update_accepting(p);
}

/* --- the loop ------------------------------------------------------------------------------- */

static int take_ready(struct epoll *p, struct engine_event *events, int max)
{
	int made = 0;

	while (made < max && p->ready_from < p->ready_end) {
		const struct engine_event *event = &p->ready[p->ready_from++];

		if (is_stale(p, event))
			continue;
		events[made++] = *event;
		if (engine_tag_op(event->tag) == ENGINE_CONNECTED && event->result < 0)
			release(p, engine_tag_index(event->tag));
	}
	if (p->ready_from == p->ready_end)
		p->ready_from = p->ready_end = 0;
	return made;
}

/* What was lent, where no event that is still to come shows it. */
static void take_back(struct epoll *p)
{
	if (p->ready_end > 0)
		return;
	while (p->send_lent_count > 0)
		p->send_free[p->send_free_count++] = p->send_lent[--p->send_lent_count];
	p->received_count = 0;
}

static void on_connection(struct epoll *p, const struct epoll_event *woken)
{
	const uint32_t index = engine_tag_index(woken->data.u64);
	const uint32_t word = p->conns[index].word;

	if (engine_tag_generation(woken->data.u64) != word >> 8)
		return;
	if (word & CONN_CONNECTING) {
		on_connecting(p, index);
		return;
	}
	if ((word & CONN_BLOCKED) && (woken->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		on_writable(p, index);
	if (woken->events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
		on_readable(p, index);
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
		return on_listener(p, engine_tag_index(woken->data.u64), events, max);
	default:
		return 0; /* woken: the caller looks why */
	}
}

static int epoll_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	struct epoll *p = epoll_of(e);
	struct epoll_event woken[EVENTS];

	take_back(p);
	update_accepting(p);
	int made = take_ready(p, events, max);

	if (made == max)
		return made;
	if (p->accept_again_ns != 0 && p->accept_again_ns < deadline_ns)
		deadline_ns = p->accept_again_ns;
	int room = max - made < EVENTS ? max - made : EVENTS;
	int count = epoll_wait(p->fd, woken, room, made > 0 ? 0 : clock_timeout_ms(deadline_ns));

	if (count < 0)
		return errno == EINTR ? made : -errno;
	for (int i = 0; i < count; i++)
		made += dispatch(p, &woken[i], events + made, max - made);
	made += take_ready(p, events + made, max - made);
	return made;
}

static void close_listeners(struct epoll *p)
{
	for (uint32_t i = 0; i < p->listener_count; i++)
		close(p->listeners[i].fd);
	p->listener_count = 0;
}

static void epoll_close_all(struct engine *e, enum engine_close how)
{
	struct epoll *p = epoll_of(e);
	uint32_t end = p->config.listeners > 0 ? p->fresh : p->config.connections;

	close_listeners(p);
	for (uint32_t i = 0; i < end && p->used > 0; i++)
		epoll_close(e, i, how);
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
	map_drop(p->sends, SEND_SLOTS * sizeof(*p->sends));
	map_drop(p->send_free, SEND_SLOTS * sizeof(*p->send_free));
	map_drop(p->send_lent, SEND_SLOTS * sizeof(*p->send_lent));
	map_drop(p->received, EVENTS * sizeof(*p->received));
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

static bool map_tables(struct epoll *p)
{
	const size_t n = p->config.connections;

	p->ready_size = (uint32_t)(2 * n + EVENTS);
	p->conns = map_private(n * sizeof(*p->conns));
	p->blocked = map_private(n * sizeof(*p->blocked));
	p->ready = map_private(p->ready_size * sizeof(*p->ready));
	p->sends = map_private(SEND_SLOTS * sizeof(*p->sends));
	p->send_free = map_private(SEND_SLOTS * sizeof(*p->send_free));
	p->send_lent = map_private(SEND_SLOTS * sizeof(*p->send_lent));
	p->received = map_private(EVENTS * sizeof(*p->received));
	p->listeners = map_private(p->config.listeners * sizeof(*p->listeners));
	if (!p->conns || !p->blocked || !p->ready || !p->sends || !p->send_free || !p->send_lent ||
	    !p->received || !p->listeners)
		return false;
	for (uint32_t i = 0; i < SEND_SLOTS; i++)
		p->send_free[i] = (uint16_t)i;
	p->send_free_count = SEND_SLOTS;
	p->first_free = NO_INDEX;
	p->base.index_end = p->config.connections;
	return true;
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
