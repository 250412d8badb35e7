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
 * Every operation only queues work; poll does it, many in one system call, and returns what came of
 * it as events. An event's tag is (operation 8, generation 24, index 32): the generation changes
 * each time an index becomes free, and events of an earlier life of an index are dropped by the
 * engine, so that the caller never sees a completion of something it closed before it polled.
 * (Events of one poll are a batch: after a close, what remains in the batch for that index is to be
 * ignored.)
 *
 * Receiving needs no buffer per connection. A server's connections are armed for good when they are
 * accepted; a client asks with receive, which yields one RECEIVED event. RECEIVED carries data that
 * is lent until the next poll; result is its length, 0 for the peer's FIN, or a negative errno.
 * After result <= 0 the connection is still open here: the caller closes it.
 *
 * No engine allocates after open. Timers are not the engine's: the caller keeps a base/wheel and
 * tells poll until when it may sleep. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENGINE_SEND_MAX 128 /* bytes of one send; engines copy them */

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

struct engine_event {
	uint64_t tag;
	int32_t result;
	const void *data; /* of RECEIVED: lent until the next poll */
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

struct engine_config {
	uint32_t connections;   /* most that are open at once                                  */
	uint32_t listeners;     /* how many listening sockets will be given; 0 for a client    */
	uint64_t nofile;        /* the descriptor limit of this process                        */
	uint64_t memlock_bytes; /* what this engine may lock; UINT64_MAX where nothing bounds it */
	uint32_t without;       /* ENGINE_WITHOUT_...                                          */
	int wake_fd;            /* an eventfd: a write to it ends a sleeping poll              */
};

struct engine;

struct engine_ops {
	const char *name;
	int (*listen)(struct engine *e, int fd);
	void (*connect)(struct engine *e, uint32_t index, const struct sockaddr *source,
	                const struct sockaddr *target, socklen_t len);
	int (*send)(struct engine *e, uint32_t index, const void *data, uint32_t len);
	void (*receive)(struct engine *e, uint32_t index);
	void (*close)(struct engine *e, uint32_t index, enum engine_close how);
	int (*poll)(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns);
	void (*close_all)(struct engine *e, enum engine_close how);
	void (*shut)(struct engine *e);
};

/* What every engine's own structure begins with. */
struct engine {
	const struct engine_ops *ops;
	uint32_t index_end; /* every index is below it (a server chooses them with gaps) */
};

/* Starts to accept on a listening socket, which the engine owns from now on. 0 or a negative errno.
 */
static inline int engine_listen(struct engine *e, int fd)
{
	return e->ops->listen(e, fd);
}

/* Starts to connect `index` (free) from `source`, address and port, to `target`. The addresses may
 * go when this returns. One CONNECTED event follows, unless it is closed before. */
static inline void engine_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                                  const struct sockaddr *target, socklen_t len)
{
	e->ops->connect(e, index, source, target, len);
}

/* Sends up to ENGINE_SEND_MAX bytes, copied. 0 with a SENT event to follow, or -EAGAIN: too many
 * sends are under way, try again after the next poll. */
static inline int engine_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	return e->ops->send(e, index, data, len);
}

/* Asks for one RECEIVED event (clients; at most one request at a time per connection). */
static inline void engine_receive(struct engine *e, uint32_t index)
{
	e->ops->receive(e, index);
}

/* Ends a connection, or an attempt to connect. No event follows; the index is free at once. */
static inline void engine_close(struct engine *e, uint32_t index, enum engine_close how)
{
	e->ops->close(e, index, how);
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
