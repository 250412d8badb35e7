/* waits: since when those wait that wait: how many began in which part of the last seconds. So that
 * anybody can say how many have waited for longer than some time, and since when, without a look
 * at each. Pure; one writes, others may copy meanwhile (waits_add). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WAITS_SHIFT 26 /* a part is 2^26 ns: 67 ms */
#define WAITS_PARTS 64 /* 4.3 s together; what waits for longer is counted in one sum */
#define WAITS_NEVER UINT64_MAX
#define WAITS_NS    ((uint64_t)WAITS_PARTS << WAITS_SHIFT)

struct waits {
	uint32_t changes; /* odd while parts are moved */
	uint64_t newest;  /* number of the newest part since the clock began */
	uint64_t older;   /* of all parts before these                       */
	uint64_t parts[WAITS_PARTS];
};

/* One begins to wait now, or some time ago; and one that began then waits no more. */
void waits_begin(struct waits *w, uint64_t at_ns);
void waits_end(struct waits *w, uint64_t began_ns);

/* Adds to `sum`, zeroed at first, those of another, which its owner may be writing. False where it
 * was written all the time: nothing was added then. */
bool waits_add(struct waits *sum, const struct waits *one);

/* How many wait; of them, how many began in a part that was over at at_ns, or in one that had begun
 * by then. Of those that are older than all parts nothing more is known: they count. */
uint64_t waits_all(const struct waits *w);
uint64_t waits_before(const struct waits *w, uint64_t at_ns);
uint64_t waits_until(const struct waits *w, uint64_t at_ns);

/* When the part began in which the first `skip` of them were passed; WAITS_NEVER where so many do
 * not wait. Of those older than all parts: when the oldest part began. */
uint64_t waits_since(const struct waits *w, uint64_t skip);
