/* pair: two engines, a server's and a client's, joined over the loopback or in memory, and what
 * came of their connections. Every event goes through side_poll, which holds it against the
 * contract: so each test is one of those sentences too. */
#pragma once

#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define BATCH       512  /* most events of a poll    */
#define KEPT        2048 /* bytes of what came in    */
#define PATIENCE_S  10   /* for whatever must come   */

struct fake;

/* What runs: an engine and what it must do without. */
struct variant {
	const char *name;
	enum engine_kind kind;
	uint32_t without;
	bool is_late;             /* in the full run alone */
	bool is_fake, is_refused; /* is_refused: this kernel does not let us */
};

extern const struct variant *variant; /* of the tests that run now */

/* What came of an index in its present life. */
struct seen {
	uint32_t generation;
	bool is_open, is_connecting;
	int connected;
	uint32_t connected_count, received_count, sent_count, end_count;
	int received, sent; /* the last results */
	uint32_t bytes;     /* received in all  */
	uint8_t data[KEPT]; /* the first of them */
	uint64_t closed_in; /* the poll whose batch it was closed in */
	uint32_t out_len;   /* what is being sent, in the side's out[] */
	bool is_out, is_to_retry;
};

struct lent {
	const void *data;
	uint32_t len;
};

struct side {
	struct engine *engine;
	int wake;
	struct seen *seen;
	uint32_t seen_count;
	bool echoes;
	int max; /* events of a poll */
	uint32_t open, accepted, accept_errors, events, retries;
	int accept_error;
	uint64_t polls, last_accepted;
	struct lent lent[2 * BATCH];
	uint32_t lent_count;
	uint8_t *out, *was; /* send_most bytes of each index; of each that is lent */
};

struct pair {
	struct side server, client;
	struct fake *fake;
	struct sockaddr_storage target, source;
	socklen_t len;
	bool resets;
};

struct pair_options {
	uint32_t connections; /* of either side; 0: 64 */
	uint32_t listeners;   /* 0: one */
	uint64_t nofile;      /* 0: as it is */
	int backlog;          /* 0: 4096 */
	uint32_t message_bytes;
	bool is_ipv6;
	bool does_not_listen;
	bool resets; /* the server closes by RST, so that thousands leave no TIME_WAIT */
};

/* Opens both; skips the test where the kernel has no such engine. The server echoes. */
struct pair *pair_open(const struct pair_options *options);
void pair_close(struct pair *p);

/* One side alone, with `listeners` (0: a client). */
struct side *side_open(const struct pair_options *options, uint32_t listeners);
void side_close(struct side *s);

/* Polls once and notes; returns how many events there were. */
int side_poll(struct side *s, uint64_t deadline_ns);

/* Polls both once; sleeps a moment where nothing happens. */
void pair_turn(struct pair *p);

/* Polls both until it is so. */
#define PAIR_UNTIL(p, condition)                                        \
	do {                                                            \
		uint64_t end_ns = pair_patience();                      \
		while (!(condition)) {                                  \
			if (pair_is_late(end_ns))                       \
				fail_msg("never came: %s", #condition); \
			pair_turn(p);                                   \
		}                                                       \
	} while (0)

/* The same of one side. */
#define SIDE_UNTIL(s, condition)                                        \
	do {                                                            \
		uint64_t end_ns = pair_patience();                      \
		while (!(condition)) {                                  \
			if (pair_is_late(end_ns))                       \
				fail_msg("never came: %s", #condition); \
			side_poll(s, side_soon());                      \
		}                                                       \
	} while (0)

uint64_t pair_patience(void);
bool pair_is_late(uint64_t end_ns);
uint64_t side_soon(void);

/* Polls for a while. */
void pair_rest(struct pair *p, uint64_t duration_ns);
void side_rest(struct side *s, uint64_t duration_ns);

/* Operations of the contract, noted. */
void side_connect(struct side *s, uint32_t index, const struct sockaddr_storage *source,
                  const struct sockaddr_storage *target, socklen_t len);
void side_send(struct side *s, uint32_t index, const void *data, uint32_t len);
void side_end(struct side *s, uint32_t index, enum engine_close how);

/* Connects client `index` and waits for it, and for the server's end of it, whose index it returns:
 * the only one that was accepted meanwhile. */
uint32_t pair_connect(struct pair *p, uint32_t index);
void pair_start(struct pair *p, uint32_t index);

/* Connects 0 .. count - 1 and waits for all on both sides. */
void pair_connect_many(struct pair *p, uint32_t count);

/* The next connect of `index` is to be refused: starts it. */
void pair_start_refused(struct pair *p, uint32_t index);

/* Asks, sends, and waits until it is back. */
void pair_echo(struct pair *p, uint32_t index, const void *data, uint32_t len);
void pair_fill(uint8_t *out, uint32_t len, uint32_t seed);

/* Polls one side until deadlines 40 ms away: it must sleep until then. */
void side_assert_sleeps(struct side *s);

/* --- plain sockets ------------------------------------------------------------------------ */

/* An address of the loopback with port 0. Returns its length. */
socklen_t plain_address(bool is_ipv6, struct sockaddr_storage *out);

/* A listening socket on a port that the kernel chose; -1 in backlog: bound only. */
int plain_listen(struct sockaddr_storage *address, socklen_t len, int backlog);
/* Closing it, or what it accepts, is by RST. */
void plain_reset_on_close(int fd);

/* From an address of the loopback that is not 127.0.0.1. */
int plain_connect(const struct sockaddr_storage *target, socklen_t len);
int plain_accept(int listener);

/* recv(2) that waits 5 s at most: its result, or a negative errno. */
int plain_receive(int fd, void *data, size_t len);
