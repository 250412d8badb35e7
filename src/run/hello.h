/* hello: asks a server whether it echoes, before anything is asked of it by the million. */
#pragma once

#include "run/experiment.h"

#include <stdint.h>

enum hello {
	HELLO_ECHOES,
	HELLO_MUTE,  /* it took the connection, and answered nothing, or something else */
	HELLO_NOBODY /* there is no connection to be had now                            */
};

/* Where a question goes. */
struct hello_path {
	struct ip source, target;
	uint16_t port;     /* of the target */
	bool binds_source; /* else the source is the kernel's choice           */
	bool freebind;     /* as in experiment                                  */
};

/* Opens one connection, sends one token, waits at most `timeout_ns` for it to come back, and
 * resets. `why`, unless NULL: of HELLO_NOBODY the negative errno of binding or connecting
 * (-ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH ...), else 0. */
enum hello hello_ask_over(const struct hello_path *path, uint64_t key, uint64_t timeout_ns,
                          int *why);

/* The same, to the plan's first target, from its first source and a port of the
 * kernel's (clients of our own TCP: from an address of the kernel's, too). */
enum hello hello_ask(const struct experiment *x, uint64_t key, uint64_t timeout_ns);
