/* flights: what a client has under way: connects, pauses before the next try, echoes. There are a
 * fixed number of them, each with a timer; connections at rest have none, and cost two bytes. */
#pragma once

#include "base/wheel.h"

#include <stdbool.h>
#include <stdint.h>

#define FLIGHTS_MOST  65000 /* a number is 16 bits */
#define FLIGHTS_USUAL 256   /* more are not faster, and each waits for more */

enum flight_kind { FLIGHT_CONNECT, FLIGHT_BACKOFF, FLIGHT_PROOF };

struct flight {
	uint64_t started_ns;
	uint32_t conn; /* within this client: index - first */
	uint8_t kind;  /* enum flight_kind */
	uint8_t tries;
	uint8_t sent;   /* bytes of the token that the engine has sent */
	uint8_t echoed; /* bytes of the token that came back */
	bool is_due;    /* the engine could not take its rest: again after the next poll */
	uint8_t again;  /* of a connect: why it is not the first one (enum again) */
};

struct flights {
	uint32_t count, free_count;
	uint16_t *free;
	uint16_t *of; /* connection -> its flight */
	struct flight *all;
	struct wheel_entry *timers;
	struct wheel wheel;
};

/* Maps room for `count` (1 .. FLIGHTS_MOST) flights of `connections`. False where there is no
 * memory. */
bool flights_init(struct flights *f, uint32_t count, uint32_t connections);

/* Begins one; there must be a free one, and the connection must have none. */
struct flight *flights_take_off(struct flights *f, uint32_t conn, enum flight_kind kind);

/* Ends it, and its timer. */
void flights_land(struct flights *f, struct flight *flight);

/* The connection's flight, or NULL. */
struct flight *flights_of(struct flights *f, uint32_t conn);

/* Flight number 0 .. count-1 where it is under way, else NULL. */
struct flight *flights_at(struct flights *f, uint32_t number);

/* Whether any is under way. */
bool flights_any(const struct flights *f);

/* Sets its timer, in place of an earlier one; wheel_expire on f->wheel yields its number. */
void flights_arm(struct flights *f, const struct flight *flight, uint64_t deadline_ns);
