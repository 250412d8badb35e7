/* bench: a device in a child, told over a pipe what to do with it, and what the host's side of it
 * looks like meanwhile. */
#pragma once

#include "base/err.h"
#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_OPEN_PORT    28900
#define BENCH_LARGE        10000 /* bytes: of ten segments, that a server sends unacknowledged */
#define BENCH_NO_NAMESPACE 1

enum bench_device { BENCH_PACKET, BENCH_TUN };

enum bench_task {
	BENCH_OPEN,    /* what a child does first                                   */
	BENCH_ASK,     /* a SYN from each source to a closed port: RST comes back   */
	BENCH_FLOOD,   /* likewise, but nothing is received until all are sent      */
	BENCH_CONNECT, /* a handshake from the first source to BENCH_OPEN_PORT      */
	BENCH_COLLECT, /* takes what the server sends, and acknowledges nothing     */
	BENCH_WATCH,   /* sends nothing, until an exchange fails                    */
	BENCH_CLOSE
};

/* What a ring of the next worker is like. */
enum bench_ring {
	BENCH_RING_AS_IT_IS,
	BENCH_RING_OLD,  /* a kernel before 5.17: it knows no IOSQE_CQE_SKIP_SUCCESS */
	BENCH_RING_SHORT /* half of what is submitted is taken at a time             */
};

/* In memory that both have. */
struct bench_report {
	int opened; /* 0, a negative errno with err, BENCH_NO_NAMESPACE */
	struct err err;
	uint32_t answered;  /* sources, once each                                  */
	uint32_t bad;       /* frames that are cut, or have a wrong checksum       */
	uint32_t strangers; /* frames to addresses that are not this device's      */
	bool is_quiet;      /* after the last answer poll(2) says that there is none */
	uint32_t flooded;   /* frames that were there after a flood                   */
	uint64_t dropped;   /* the device's, after ASK                                */
	bool is_connected;
	uint32_t collected, longest; /* bytes in order from the first; of an IP packet */
	int watched;
};

struct bench {
	pid_t pid;
	int down, up; /* pipes: tasks, and that they are done */
	struct ip host;
	struct ip first; /* of the worker's sources */
	struct bench_report *report;
};

/* Group set-up: apart_set_up, with 198.19.0.1 and 2001:2:0:2::1 as the host's addresses. */
int bench_set_up(void **state);

/* After a test nothing of it is left, even where it has failed. */
int bench_tear_down(void **state);

/* Whether this process was root before it went into its network. */
bool bench_is_root(void);

void bench_set_ring(enum bench_ring ring);

/* Starts a worker for `count` (at most as many as there are) of the sources from `from` on; returns
 * when it has opened its device, or could not. bench_end ends it, by SIGKILL. */
void bench_start(struct bench *b, enum bench_device device, const char *sources, uint32_t from,
                 uint32_t count);

/* Likewise: a packet device, by nobody in a user namespace with a host of its own. */
void bench_start_as_nobody(struct bench *b, const char *sources, uint32_t from, uint32_t count);

/* Likewise: by nobody, in no namespace of its own. */
void bench_start_without_rights(struct bench *b, enum bench_device device, const char *sources);

/* Lets it do a task; returns when it is done. */
void bench_tell(struct bench *b, enum bench_task task);
void bench_end(struct bench *b);

/* The byte at this place of a server's answer. */
uint8_t bench_byte(uint32_t at);

/* The host's side: how many links of devices there are, the entries of the neighbour table,
 * whether the worker's first source has a route. */
int bench_links(void);
int bench_neighbours(void);
bool bench_is_routed(const struct bench *b);
void bench_delete_link(void);

/* Waits until what a dead process had is gone. */
void bench_await_no_link(void);
