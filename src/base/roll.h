/* roll: the runs of clients elsewhere that a server was told of, and what its workers saw of each:
 * which indexes were proved, and how many of its connections are open. All of it is mapped before
 * workers are forked; nothing is added later.
 *
 * Who answers over HTTP alone enters and strikes; workers mark. A place that was given back rests
 * for ROLL_REST_NS, so that a worker which found the run just before does not mark the next one. A
 * run that nobody has asked about for ROLL_STALE_NS gives its place to another where none is free.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROLL_RUNS          64
#define ROLL_ROUNDS        2
#define ROLL_HOST_BYTES    66
#define ROLL_SOURCES_BYTES 6144 /* 64 ranges of IPv6 */
#define ROLL_REST_NS       UINT64_C(1000000000)
#define ROLL_STALE_NS      UINT64_C(60000000000)

/* What a client says of its run. */
struct roll_said {
	uint64_t key;   /* of its tokens */
	uint64_t first; /* its indexes are first .. first + count - 1 */
	uint64_t count;
	bool has_sources;
	char sources[ROLL_SOURCES_BYTES]; /* its source addresses, as in --source */
	char host[ROLL_HOST_BYTES];       /* its name for itself */
};

struct roll_run {
	uint32_t id; /* 0: the place is free; written last, and read first */
	struct roll_said said;
	uint64_t bitmap_bytes;         /* of one round                 */
	uint64_t offset;               /* of its bits in the arena     */
	uint64_t entered_ns, asked_ns; /* when                         */
	uint64_t struck_ns;            /* of a free place; 0: never    */
	uint64_t opened_before;        /* counts of the place when it was entered */
	uint64_t closed_before;
};

/* Of one worker, by place; they only grow. */
struct roll_worker {
	uint64_t opened[ROLL_RUNS], closed[ROLL_RUNS];
};

struct roll {
	uint32_t last_id;
	uint32_t worker_count;
	uint64_t arena_bytes;
	size_t total_bytes;
	struct roll_run runs[ROLL_RUNS];
	struct roll_worker workers[]; /* and after them the arena */
};

/* Room for the bits of `indexes` in all. NULL where there is no memory; to be dropped by the caller
 * (roll_drop, which takes NULL). */
struct roll *roll_make(uint32_t workers, uint64_t indexes);
void roll_drop(struct roll *roll);

/* 0 and the run's id (> 0); -EINVAL, or -ENOSPC where it does not fit, with one line in `err`. */
int roll_enter(struct roll *roll, const struct roll_said *said, uint64_t now_ns, uint32_t *id,
               struct err *err);

/* The run of that number, NULL where there is none; roll_ask also notes that it was asked for. */
const struct roll_run *roll_find(const struct roll *roll, uint32_t id);
const struct roll_run *roll_ask(struct roll *roll, uint32_t id, uint64_t now_ns);

bool roll_strike(struct roll *roll, uint32_t id, uint64_t now_ns);

/* How many there are. */
uint32_t roll_count(const struct roll *roll);

/* --- of workers --------------------------------------------------------------------------- */

/* The next run, from *place on, one of whose indexes this may be; moves *place behind it. NULL:
 * there is none left. */
const struct roll_run *roll_next(const struct roll *roll, uint32_t index, uint32_t *place);

/* A run's id; 0 where it has just been struck. */
uint32_t roll_id(const struct roll_run *run);

/* `index` of the run was proved in `round`. */
void roll_mark(struct roll *roll, const struct roll_run *run, unsigned int round, uint32_t index);

/* A connection is the run's; and one of the run of that id has ended. */
void roll_opened(struct roll *roll, uint32_t worker, uint32_t id);
void roll_closed(struct roll *roll, uint32_t worker, uint32_t id);

/* --- of who answers ----------------------------------------------------------------------- */

/* Bit i is index first + i; count/8 bytes, rounded up, are of use. */
const uint8_t *roll_bits(const struct roll *roll, const struct roll_run *run, unsigned int round);
uint64_t roll_bits_bytes(const struct roll_run *run);
uint64_t roll_proved(const struct roll *roll, const struct roll_run *run, unsigned int round);
uint64_t roll_open(const struct roll *roll, const struct roll_run *run);
