/* guard: memory and room that come to an end while a run grows: a ramp is ended before memory is, a
 * server takes no more for as long as there is none. */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

#include <stdbool.h>

/* What was said already: each thing once in a run. Zeroed before. */
struct guard {
	bool said_memory, said_full, said_accept_error;
};

/* Whether the ramp that is on is to be ended now, as memory is down to the reserve. */
bool guard_ends_ramp(const struct experiment *x, const struct shm *shm);

/* Sets shm->accept_off, and puts up notices. True where it has changed, and workers are to be rung.
 */
bool guard_accepting(struct guard *guard, const struct experiment *x, struct shm *shm);
