/* engine: THE contract between the experiment and how connections are made and driven.
 *
 * An engine belongs to one worker (one process, one thread) and holds up to `connections` of them.
 * A connection is named by its index, 0 .. connections-1, in this engine. On a client the caller
 * chooses the index when it connects; on a server the engine chooses one when it accepts.
 *
 *   index state   legal operations                     leaves it by
 *   -----------   ----------------------------------   ------------------------------------------
 *   free          connect                              connect -> connecting; ACCEPTED -> open
 *   connecting    close                                CONNECTED 0 -> open; CONNECTED <0 -> free
 *   open          send, receive (clients), close       close -> free
 *
 * An operation may only queue work, which poll does, many in one system call; what came of it is
 * returned by poll as events. An event's tag is (operation 8, generation 24, index 32): the
 * generation changes each time an index becomes free, and events of an earlier life of an index are
 * dropped by the engine, so that the caller never sees a completion of something it closed before
 * it polled. (Events of one poll are a batch: after a close, what remains in the batch for that
 * index is to be ignored.)
 *
 * Receiving needs no buffer per connection. The caller asks with receive, and gets one RECEIVED
 * event; a connection that was accepted has been asked for already. So a caller that does not ask
 * again before it has sent its answer is never overrun. RECEIVED carries data that is lent until
 * the next poll; result is its length, 0 for the peer's FIN, or a negative errno. After result <= 0
 * the connection is still open here: the caller closes it. An engine with a TCP of its own keeps
 * nothing of what comes before it is asked for, and does not see the acknowledgement that it may
 * bring: who sends asks for the answer at once.
 *
 * Sending copies the data, and yields one SENT event: how many bytes the kernel took. These may be
 * fewer than were given (a short send): `data` and `len` of the event are what was given, lent
 * until the next poll, and the caller sends the rest. -ENOBUFS and -ENOMEM are of the moment: none
 * of it was sent, the connection lives. Any other errno is the connection's end; it is closed by
 * the caller. One send of a connection is under way at a time.
 *
 * Events of different connections come in any order, and of one connection, SENT may come after the
 * RECEIVED that answers it.
 *
 * An engine with a TCP of its own keeps no copy of what it sends: to send it again it asks
 * config->message, which writes the same bytes until SENT has come. Its SENT comes when the peer
 * has acknowledged all of it.
 *
 * No engine allocates after open. Timers are not the engine's: the caller keeps a base/wheel and
 * tells poll until when it may sleep. */
#pragma once

#include "base/err.h"
#include "base/packets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENGINE_SEND_MAX  128   /* bytes of one send; engines copy them                  */
#define ENGINE_SEND_MOST 16384 /* where engines of kernel sockets are asked for as much */

enum engine_op {
	ENGINE_ACCEPTED =
		1,        /* server: index is open; <0: accepting met an errno, it goes on later */
	ENGINE_CONNECTED, /* client: 0, or why not; index is free again where it failed           */
	ENGINE_RECEIVED,  /* data, 0 for FIN, or a negative errno                                 */
	ENGINE_SENT,      /* how many bytes, or a negative errno                                  */
	ENGINE_OP_COUNT
};

enum engine_close {
	ENGINE_CLOSE_FIN,   /* in order                                                        */
	ENGINE_CLOSE_RESET, /* by RST, without TIME_WAIT; in order where that cannot be had    */
	ENGINE_CLOSE_SILENT /* without a word to the peer, which is ours and does the same:
	                     * takes CAP_NET_ADMIN in the network's user namespace; else by FIN */
};

/* How soon something is expected to come in. */
enum engine_wait {
	ENGINE_WAIT_SOON, /* at once: an answer is on its way                                 */
	ENGINE_WAIT_IDLE  /* some time: costs as little memory as can be while nothing comes  */
};

/* Errors of a send that are of the moment: the same may be sent again. */
static inline bool engine_is_momentary(int code)
{
	return code == -ENOBUFS || code == -ENOMEM;
}

struct engine_event {
	uint64_t tag;
	int32_t result;
	uint32_t len;     /* of SENT: how many bytes were given                         */
	const void *data; /* of RECEIVED and SENT: lent until the next poll             */
};

#define ENGINE_GENERATION_MASK 0xffffffU

static inline uint64_t engine_tag(uint8_t op, uint32_t generation, uint32_t index)
{
	return (uint64_t)op << 56 | (uint64_t)(generation & ENGINE_GENERATION_MASK) << 32 | index;
}

static inline uint8_t engine_tag_op(uint64_t tag)
{
	return (uint8_t)(tag >> 56);
}

static inline uint32_t engine_tag_generation(uint64_t tag)
{
	return (uint32_t)(tag >> 32) & ENGINE_GENERATION_MASK;
}

static inline uint32_t engine_tag_index(uint64_t tag)
{
	return (uint32_t)tag;
}

/* Features an engine may use where the kernel has them; a set bit forbids one (for tests). */
#define ENGINE_WITHOUT_BIND  1U /* io_uring's own bind (6.11)           */
#define ENGINE_WITHOUT_DEFER 2U /* io_uring's deferred task work (6.1)  */

enum engine_kind {
	ENGINE_AUTO, /* the best that works here */
	ENGINE_URING,
	ENGINE_EPOLL,
	ENGINE_TUN,    /* our own TCP over a TUN device: clients only (utcp/utcp.h)              */
	ENGINE_PACKET, /* the same over a packet socket on a veth pair, or on a LAN              */
	ENGINE_KIND_COUNT
};

static inline bool engine_is_utcp(enum engine_kind kind)
{
	return kind == ENGINE_TUN || kind == ENGINE_PACKET;
}

struct bits;       /* base/bits.h */
struct tuple_plan; /* plan/tuple.h */
struct lan;        /* utcp/device_lan.h */

/* Writes what is being sent on `index`, the whole message, to `out` (ENGINE_SEND_MAX). */
typedef void (*engine_message)(void *context, uint32_t index, uint8_t *out);

struct engine_config {
	uint32_t connections;   /* that are open at once; a server may take in some more       */
	uint32_t listeners;     /* how many listening sockets will be given; 0 for a client    */
	uint64_t nofile;        /* the descriptor limit of this process                        */
	uint64_t memlock_bytes; /* what this engine may lock; UINT64_MAX where nothing bounds it */
	uint32_t without;       /* ENGINE_WITHOUT_...                                          */
	bool freebind; /* clients: source addresses are this host's by a route alone (AnyIP over
	                * IPv6, which is bound with IPV6_FREEBIND) */
	int backlog;   /* what the listening sockets were given                       */
	int wake_fd;   /* an eventfd: a write to it ends a sleeping poll              */
	uint32_t message_bytes; /* of kernel sockets: what a send should carry (engine_send_most) */

	/* For engines with a TCP of their own, which keep neither tuples nor what they send. */
	const struct tuple_plan *tuples; /* by_source; index 0 is number `first` of it          */
	uint32_t first;
	engine_message message; /* asked between send and SENT, to send it again                */
	void *message_context;
	struct packets *packets; /* the caller's; the engine counts there                */
	/* On a LAN: numbers of the plan's sources that another host was seen to have, too. The
	 * caller's; NULL: nobody asks. */
	struct bits *taken;
	const struct lan
		*lan; /* ENGINE_PACKET: the LAN that its device is on; NULL: this host alone */
};

struct engine;

struct engine_ops {
	const char *name;
	int (*listen)(struct engine *e, int fd);
	void (*accept)(struct engine *e, bool on);
	void (*connect)(struct engine *e, uint32_t index, const struct sockaddr *source,
	                const struct sockaddr *target, socklen_t len);
	int (*send)(struct engine *e, uint32_t index, const void *data, uint32_t len);
	void (*receive)(struct engine *e, uint32_t index, enum engine_wait wait);
	void (*close)(struct engine *e, uint32_t index, enum engine_close how);
	void (*flush)(struct engine *e); /* NULL: everything is done at once */
	int (*poll)(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns);
	void (*close_all)(struct engine *e, enum engine_close how);
	void (*shut)(struct engine *e);
};

/* What every engine's own structure begins with. */
struct engine {
	const struct engine_ops *ops;
	uint32_t index_end; /* every index is below it (a server chooses them with gaps) */
	uint32_t send_most; /* bytes of one send, and of one RECEIVED, at most */
};

/* Starts to accept on a listening socket, which the engine owns from now on. 0, or a negative errno
 * and the socket is still the caller's. */
static inline int engine_listen(struct engine *e, int fd)
{
	return e->ops->listen(e, fd);
}

/* Stops to accept, or goes on. Where it stops, the kernel soon makes no more connections for these
 * sockets either: their listen queues are made as short as can be. What is being accepted now still
 * comes in, what waits in the queues when it goes on. */
static inline void engine_accept(struct engine *e, bool on)
{
	e->ops->accept(e, on);
}

/* Starts to connect `index` (free) from `source`, address and port, to `target`. The addresses may
 * go when this returns. One CONNECTED event follows, unless it is closed before. */
static inline void engine_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                                  const struct sockaddr *target, socklen_t len)
{
	e->ops->connect(e, index, source, target, len);
}

/* Sends 1 .. e->send_most bytes, copied. 0 with a SENT event to follow, or -EAGAIN: too many
 * sends are under way, try again after the next poll. */
static inline int engine_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	return e->ops->send(e, index, data, len);
}

/* Asks for one RECEIVED event (at most one request at a time per connection, and none after one
 * that was an end). */
static inline void engine_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	e->ops->receive(e, index, wait);
}

/* Ends a connection, or an attempt to connect. No event follows; the index is free at once. */
static inline void engine_close(struct engine *e, uint32_t index, enum engine_close how)
{
	e->ops->close(e, index, how);
}

/* Does what was queued without a look at what comes of it: before something else than a poll is
 * done. */
static inline void engine_flush(struct engine *e)
{
	if (e->ops->flush)
		e->ops->flush(e);
}

/* Does what was queued, and returns up to `max` (> 0) events, at once where there are some. Sleeps
 * until deadline_ns (CLOCK_MONOTONIC; UINT64_MAX: for ever) otherwise; may return 0 early, and does
 * where wake_fd was written. A negative errno is the end of this engine. */
static inline int engine_poll(struct engine *e, struct engine_event *events, int max,
                              uint64_t deadline_ns)
{
	return e->ops->poll(e, events, max, deadline_ns);
}

/* Stops to listen and closes every connection there is. Returns when done. */
static inline void engine_close_all(struct engine *e, enum engine_close how)
{
	e->ops->close_all(e, how);
}

/* Stops to listen and gives back all that the engine holds. Connections that are still open are
 * closed; the kernel may go on with that after this returns. */
static inline void engine_shut(struct engine *e)
{
	e->ops->shut(e);
}

/* "auto", "uring", "epoll", "tun", "packet". */
const char *engine_kind_name(enum engine_kind kind);

/* The send_most of engines of kernel sockets: the power of two from ENGINE_SEND_MAX to
 * ENGINE_SEND_MOST that holds `message_bytes`, or the last. */
uint32_t engine_send_most(uint32_t message_bytes);

/* Which engine of kernel sockets a run takes: the wanted one, or for AUTO the best that works here.
 * 0 with it in *out, and in `why` a line where AUTO had to take another than io_uring (""
 * otherwise); a negative errno with the reason in `why` where the wanted one does not work here.
 * Opens and closes one small ring. */
int engine_choose(enum engine_kind wanted, enum engine_kind *out, struct err *why);

/* Opens an engine of a kind that engine_choose gave. 0 with it in *out, to be ended with
 * engine_shut; a negative errno with one line in `err`: -EMFILE (the descriptor limit cannot hold
 * that many), -ENOMEM (also where RLIMIT_MEMLOCK is used up), -ENOSYS, -EPERM, -EOPNOTSUPP (no
 * io_uring). */
int engine_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
                struct err *err);

/* The most connections that one process can hold with `listeners` listening sockets (0: a client)
 * under a descriptor limit and a budget of locked memory. 0 where none. */
uint32_t engine_most(enum engine_kind kind, uint32_t listeners, uint64_t nofile,
                     uint64_t memlock_bytes);
