/* idle_rest: plain sockets and poll(2), in one process: there are hundreds, and they rest.
 *
 * Theory of operation
 *
 * A connection is opened, and where the server echoes it says its token once, so that it is known
 * to work both ways before it rests; the rest begins when that is back. When its time is over it
 * is spoken to. A server that does not echo is asked by TCP itself: a keepalive segment carries
 * nothing, and any TCP that still has the connection must answer it (RFC 9293, 3.8.4). It is sent
 * by the kernel when TCP_KEEPIDLE is set to less than what the connection has rested
 * (tcp_sock_set_keepidle_locked); that it was answered shows in how many segments came in.
 *
 * The same number shows whether the other end has spoken while the connection was to rest: then it
 * was no rest for what lies between.
 *
 * Each has a 4-tuple that none before it had: the server may still hold what was forgotten on the
 * way. All are closed by RST. */
#include "run/idle_rest.h"

#include "base/clock.h"
#include "base/map.h"
#include "behave/token.h"
#include "engine/sock.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define OPENING_MOST  64
#define TUPLES_TRIED  64 /* for one connection: others may have the port */
#define TICK_NS       (200 * NS_PER_MS)
#define LOOK_NS       (10 * NS_PER_MS) /* how often segments are counted, where one is awaited */
#define BANNER_NS     NS_PER_S         /* a server may speak first, so long: the rest follows */
#define KEEPIDLE_MOST 32767            /* seconds: tcp(7); longer than any rest */
#define KEEPIDLE_NS   NS_PER_S         /* the shortest rest before a keepalive segment */

enum state {
	WAITING, /* to be opened                                                  */
	OPENING,
	GREETING, /* its first token is under way                                 */
	RESTING,
	ASKED, /* it was spoken to                                                */
	ENDED
};

struct idle_conn {
	int fd;
	enum state state;
	uint32_t rung, number; /* number: of its token */
	uint32_t tries;
	uint32_t segments; /* that had come in when it began to rest, or was asked */
	uint64_t opened_ns;
	uint64_t rest_ns;   /* since when it rests */
	uint64_t rested_ns; /* how long it has, when it was asked */
	uint64_t due_ns;    /* end of the rest; or of patience */
	bool is_kept;
	uint8_t heard; /* bytes of the token that is awaited */
};

/* ---- opening -------------------------------------------------------------------------------- */

/* Without it an ICMP error would be as good as silence. */
static void set_options(const struct idle_rest *r, int fd)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	static const int on = 1, late = KEEPIDLE_MOST, every = 1, often = 127;
	bool is_ipv6 = r->tuples->target.family == AF_INET6;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, is_ipv6 ? IPV6_RECVERR : IP_RECVERR,
	           &on, sizeof(on));
	if (r->by_echo)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &late, sizeof(late));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &often, sizeof(often));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static int dial(const struct idle_rest *r, int fd, const struct tuple *tuple)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(&tuple->source, tuple->source_port, &address);
	int failed = sock_bind_source(fd, (const struct sockaddr *)&address, len, r->freebind);

	if (failed != 0)
		return failed;
	len = ip_sockaddr(&tuple->target, tuple->target_port, &address);
	if (connect(fd, (const struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS)
		return 0;
	return -errno;
}

/* A socket on its way, or a negative errno. */
static int open_one(struct idle_rest *r)
{
	uint64_t room = tuple_room(r->tuples);
	int failed = -EADDRNOTAVAIL;

	for (int i = 0; i < TUPLES_TRIED && r->taken < room; i++) {
		const struct tuple tuple = tuple_at(r->tuples,
		                                    (r->first_tuple + r->taken++) % room);
		int fd = socket(tuple.target.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		set_options(r, fd);
		failed = dial(r, fd, &tuple);
		if (failed == 0)
			return fd;
		close(fd);
		if (failed != -EADDRINUSE && failed != -EADDRNOTAVAIL)
			break;
	}
	return failed;
}

static void drop(struct idle_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* It was not to be had: again, or never. */
static void fail(struct idle_rest *r, struct idle_conn *c, enum cause cause)
{
	drop(c);
	if (c->state == OPENING || c->state == GREETING)
		r->opening--;
	if (c->tries <= r->retries) {
		r->retried++;
		r->retried_by_cause[cause]++;
		c->state = WAITING;
		r->waiting++;
		return;
	}
	r->failed++;
	r->failed_by_cause[cause]++;
	r->left--;
	c->state = ENDED;
	idle_skip(r->ladder, c->rung);
}

static void start(struct idle_rest *r, struct idle_conn *c)
{
	int fd = open_one(r);

	c->tries++;
	r->waiting--;
	c->fd = fd;
	if (fd < 0) {
		fail(r, c, cause_of_errno(fd));
		return;
	}
	r->opening++;
	c->state = OPENING;
	c->opened_ns = clock_now_ns();
	c->due_ns = c->opened_ns + r->timeout_ns;
}

/* ---- resting -------------------------------------------------------------------------------- */

/* How many segments have come in; 0 where this kernel does not say. */
static uint32_t segments_in(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	return info.tcpi_segs_in;
}

static bool say_token(const struct idle_rest *r, struct idle_conn *c)
{
	uint8_t token[TOKEN_BYTES];

	token_make(token, r->key, c->number, TOKEN_HELLO);
	c->heard = 0;
	return send(c->fd, token, sizeof(token), MSG_NOSIGNAL) == (ssize_t)sizeof(token);
}

static void rest(struct idle_rest *r, struct idle_conn *c, uint64_t now_ns)
{
	static const int on = 1;
	uint64_t rest_ns = r->ladder->rungs[c->rung].rest_ns;

	if (!r->by_echo && rest_ns < KEEPIDLE_NS)
		rest_ns = KEEPIDLE_NS;
	if (c->state != RESTING) {
		r->opening--;
		r->opened++;
	}
	/* The last that is said before the rest is an acknowledgement: now, not later. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	c->state = RESTING;
	c->segments = segments_in(c->fd);
	c->rest_ns = now_ns;
	c->due_ns = now_ns + rest_ns;
}

static void end(struct idle_rest *r, struct idle_conn *c, enum idle_end how, uint64_t now_ns)
{
	uint64_t rested_ns = c->state == ASKED ? c->rested_ns : now_ns - c->rest_ns;

	drop(c);
	r->left--;
	c->state = ENDED;
	idle_note(r->ladder, c->rung, how, rested_ns, c->is_kept);
}

/* Its time is over. */
static void ask(struct idle_rest *r, struct idle_conn *c, uint64_t now_ns)
{
	static const int soon = 1;
	uint32_t segments = segments_in(c->fd);
	bool is_said;

	c->is_kept |= segments != c->segments;
	c->segments = segments;
	c->rested_ns = now_ns - c->rest_ns;
	if (r->by_echo)
		is_said = say_token(r, c);
	else
		is_said = setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &soon, sizeof(soon)) == 0;
	if (!is_said) { /* it has ended just now */
		end(r, c, IDLE_CUT, now_ns);
		return;
	}
	c->state = ASKED;
	c->due_ns = now_ns + r->timeout_ns;
}

/* ---- what comes ----------------------------------------------------------------------------- */

static void on_connected(struct idle_rest *r, struct idle_conn *c, uint64_t now_ns)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0 || code != 0) {
		fail(r, c, cause_of_errno(-code));
	} else if (!r->by_echo) {
		rest(r, c, now_ns);
	} else if (!say_token(r, c)) {
		fail(r, c, CAUSE_RESET);
	} else {
		c->state = GREETING;
		c->due_ns = now_ns + r->timeout_ns;
	}
}

static void on_data(struct idle_rest *r, struct idle_conn *c, size_t len, uint64_t now_ns)
{
	size_t heard = c->heard + len;

	c->heard = heard < TOKEN_BYTES ? (uint8_t)heard : TOKEN_BYTES;
	bool is_greeted = c->state == GREETING && c->heard == TOKEN_BYTES;
	bool is_banner = c->state == RESTING && !r->by_echo && now_ns - c->opened_ns < BANNER_NS;

	if (is_greeted || is_banner)
		rest(r, c, now_ns);
	else if (c->state == RESTING)
		c->is_kept = true;
	else if (c->state == ASKED && (!r->by_echo || c->heard == TOKEN_BYTES))
		end(r, c, IDLE_LIVES, now_ns);
}

/* `code`: 0 (FIN) or an errno. */
static void on_end(struct idle_rest *r, struct idle_conn *c, int code, uint64_t now_ns)
{
	bool is_asked = c->state == ASKED;

	if (c->state == GREETING)
		fail(r, c, code == 0 ? CAUSE_CLOSED : cause_of_errno(-code));
	else if (code == 0)
		end(r, c, is_asked ? IDLE_CLOSED_AFTER : IDLE_CLOSED, now_ns);
	else if (code == EHOSTUNREACH || code == ENETUNREACH || code == ECONNREFUSED)
		end(r, c, IDLE_UNREACHABLE, now_ns);
	else if (code == ETIMEDOUT)
		end(r, c, IDLE_SILENT, now_ns);
	else
		end(r, c, is_asked ? IDLE_RESET : IDLE_CUT, now_ns);
}

static void on_readable(struct idle_rest *r, struct idle_conn *c, uint64_t now_ns)
{
	uint8_t buffer[4096];

	while (c->state == GREETING || c->state == RESTING || c->state == ASKED) {
		ssize_t len = recv(c->fd, buffer, sizeof(buffer), 0);

		if (len > 0)
			on_data(r, c, (size_t)len, now_ns);
		else if (len == 0)
			on_end(r, c, 0, now_ns);
		else if (errno != EAGAIN && errno != EINTR)
			on_end(r, c, errno, now_ns);
		else
			return;
	}
}

/* Its time, or its patience, is over. */
static void on_time(struct idle_rest *r, struct idle_conn *c, uint64_t now_ns)
{
	switch (c->state) {
	case OPENING:
	case GREETING:
		fail(r, c, CAUSE_TIMEOUT);
		break;
	case RESTING:
		ask(r, c, now_ns);
		break;
	case ASKED:
		end(r, c, IDLE_SILENT, now_ns);
		break;
	case WAITING:
	case ENDED:
		break;
	}
}

/* ---- a turn --------------------------------------------------------------------------------- */

/* Says when something is to be done next. */
static uint64_t survey(struct idle_rest *r, uint64_t now_ns)
{
	uint64_t next_ns = now_ns + TICK_NS;

	r->resting = r->asked = 0;
	r->next_ns = UINT64_MAX;
	r->last_ns = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		const struct idle_conn *c = &r->conns[i];

		r->polls[i].fd = c->fd;
		r->polls[i].events = c->state == OPENING ? POLLOUT : POLLIN;
		if (c->state == WAITING || c->state == ENDED)
			continue;
		next_ns = c->due_ns < next_ns ? c->due_ns : next_ns;
		if (c->state == RESTING) {
			r->resting++;
			r->next_ns = c->due_ns < r->next_ns ? c->due_ns : r->next_ns;
			r->last_ns = c->due_ns > r->last_ns ? c->due_ns : r->last_ns;
		}
		r->asked += c->state == ASKED;
	}
	if (r->asked > 0 && !r->by_echo && next_ns > now_ns + LOOK_NS)
		next_ns = now_ns + LOOK_NS;
	return next_ns;
}

static void open_some(struct idle_rest *r)
{
	for (uint32_t i = 0; i < r->count && r->waiting > 0 && r->opening < OPENING_MOST; i++) {
		if (r->conns[i].state == WAITING)
			start(r, &r->conns[i]);
	}
}

static void serve_one(struct idle_rest *r, struct idle_conn *c, short events, uint64_t now_ns)
{
	if (c->state == OPENING && events != 0)
		on_connected(r, c, now_ns);
	else if (events != 0)
		on_readable(r, c, now_ns);
	if (c->state == ASKED && !r->by_echo && segments_in(c->fd) != c->segments)
		end(r, c, IDLE_LIVES, now_ns);
	if (c->fd >= 0 && c->due_ns <= now_ns)
		on_time(r, c, now_ns);
}

static void turn(struct idle_rest *r)
{
	uint64_t now_ns = clock_now_ns();

	open_some(r);
	uint64_t next_ns = survey(r, now_ns);

	r->polls[r->count] = (struct pollfd){.fd = r->signals, .events = POLLIN};
	if (poll(r->polls, r->count + 1, clock_timeout_ms(next_ns)) < 0)
		return; /* a signal that is none of ours; nothing of polls is set */
	now_ns = clock_now_ns();
	r->is_interrupted = r->polls[r->count].revents != 0;
	for (uint32_t i = 0; i < r->count; i++) {
		if (r->conns[i].fd >= 0)
			serve_one(r, &r->conns[i], r->polls[i].revents, now_ns);
	}
	if (r->tick)
		r->tick(r->context, r);
}

/* ---- a pass --------------------------------------------------------------------------------- */

int idle_rest_init(struct idle_rest *r)
{
	r->conns = map_private(r->most * sizeof(*r->conns));
	r->polls = map_private((r->most + 1) * sizeof(*r->polls));
	return r->conns && r->polls ? 0 : -ENOMEM;
}

void idle_rest_end(struct idle_rest *r)
{
	map_drop(r->conns, r->most * sizeof(*r->conns));
	map_drop(r->polls, (r->most + 1) * sizeof(*r->polls));
}

/* Those that rest longest are opened first. */
static void place(struct idle_rest *r)
{
	r->count = r->opening = 0;
	for (uint32_t i = r->ladder->count; i > 0; i--) {
		for (uint32_t k = 0; k < r->ladder->rungs[i - 1].wanted && r->count < r->most;
		     k++) {
			r->conns[r->count] =
				(struct idle_conn){.fd = -1, .rung = i - 1, .number = r->count};
			r->count++;
		}
	}
	r->waiting = r->left = r->count;
}

void idle_rest_pass(struct idle_rest *r)
{
	place(r);
	do
		turn(r);
	while (!r->is_interrupted && r->left > 0 && !idle_is_decided(r->ladder));
	for (uint32_t i = 0; i < r->count; i++)
		drop(&r->conns[i]);
	r->resting = r->asked = r->waiting = r->opening = 0;
}
