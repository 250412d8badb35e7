/* hello: asks a server whether it echoes, before anything is asked of it by the million. */
#pragma once

#include "run/experiment.h"

#include <stdint.h>

enum hello {
	HELLO_ECHOES,
	HELLO_MUTE,  /* it took the connection, and answered nothing, or something else */
	HELLO_NOBODY /* there is no connection to be had now                            */
};

/* Opens one connection to the plan's first target, from its first source and a port of the
 * kernel's (clients of our own TCP: from an address of the kernel's, too), sends one token, waits
 * at most `timeout_ns` for it to come back, and resets. */
enum hello hello_ask(const struct experiment *x, uint64_t key, uint64_t timeout_ns);
