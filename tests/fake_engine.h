/* fake_engine: two engines of the contract (engine/engine.h), a server's and a client's, joined in
 * memory: no kernel, no threads. What goes wrong is drawn from a seed, so that each run of a test
 * is the same again.
 *
 * The fake judges its caller too: what the contract forbids is noted in `breach`, and what was lent
 * is poisoned and freed at the next poll, so that a sanitizer sees a late look at it. */
#pragma once

#include "base/cause.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

enum fake_role { FAKE_SERVER, FAKE_CLIENT, FAKE_ROLES };

/* How often something goes wrong, each in a thousand. */
struct fake_faults {
	uint64_t seed;
	unsigned int delay;       /* an event comes a poll later, so that they change places     */
	unsigned int short_send;  /* SENT with 1 .. len - 1                                      */
	unsigned int no_buffers;  /* SENT -ENOBUFS or -ENOMEM                                    */
	unsigned int try_again;   /* engine_send returns -EAGAIN                                 */
	unsigned int one_byte;    /* RECEIVED with a single byte                                 */
	unsigned int connect;     /* CONNECTED with one of many errnos                           */
	unsigned int unanswered;  /* CONNECTED never comes                                       */
	unsigned int accept;      /* ACCEPTED -EMFILE                                            */
	unsigned int reset;       /* a send is cut, and the connection reset                     */
	unsigned int finish;      /* a send is cut, and FIN follows                              */
	unsigned int corrupt;     /* a send has one bit wrong                                    */
	unsigned int mute;        /* from now on nothing arrives                                 */
	uint32_t send_slots;      /* sends under way, before -EAGAIN; 0: no bound                */
	uint64_t *now_ns;         /* the time, which a sleep moves on; NULL: the real one        */
	uint64_t polls_most;      /* more than that is a breach: a hang; 0: no bound             */
	void (*pump)(void *with); /* is called in each poll: lets the other side do its part     */
	void *with;
};

/* What one side's caller was told. */
struct fake_tally {
	uint64_t connected, accepted;
	uint64_t refused[CAUSE_COUNT]; /* CONNECTED <0                                           */
	uint64_t ended[CAUSE_COUNT];   /* connections, by the first event that says it is over   */
	uint64_t given_up;             /* closed before CONNECTED                                */
	uint64_t accept_errors, momentary, tried_again, short_sends, sent_bytes, received_bytes;
};

struct fake;

/* Makes both for so many connections. */
struct fake *fake_make(const struct fake_faults *faults, uint32_t connections, int server_wake,
                       int client_wake);
struct engine *fake_engine(struct fake *fake, enum fake_role role);
const struct fake_tally *fake_tally(const struct fake *fake, enum fake_role role);

/* The first thing that a caller did and must not do; NULL where all was right. */
const char *fake_breach(const struct fake *fake);

/* Other faults from now on. */
void fake_set_faults(struct fake *fake, const struct fake_faults *faults);

/* The next connect gets this code. */
void fake_refuse_next(struct fake *fake, int code);

/* Connections that are open at a side. */
uint32_t fake_open(const struct fake *fake, enum fake_role role);

/* Both engines must have been shut. */
void fake_drop(struct fake *fake);
