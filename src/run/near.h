/* near: which limits this machine, or the network namespace that is watched, comes near to: rows of
 * the table of limits, with what is in use of them from a sample. Descriptors of a process and
 * source ports of an address are not among them: whose would have to be asked of each process, or
 * socket. */
#pragma once

#include "base/limits.h"
#include "base/near.h"
#include "base/sample.h"

/* Limits of the machine, which a network namespace other than the first does not show: reads them
 * where the caller stands, before it goes into another one. */
void near_start(struct limits *machine);

/* Reads the limits anew (some forty small files, about a millisecond), and says which are near, and
 * what to do so that twice the sockets of now would fit. Not for two threads at once. */
void near_look(const struct limits *machine, const struct sample *sample, struct near_table *out);
