/* utcp: the engines `tun` and `packet`: clients whose TCP is our own, in 32 bytes a connection,
 * against servers of this host's kernel, or of other hosts on a LAN. Fulfils engine/engine.h, but
 * for listen and accept, which are a server's. */
#pragma once

#include "engine/engine.h"

/* Opens one of ENGINE_TUN and ENGINE_PACKET in the calling process's network namespace, with its
 * device and routes. 0, or a negative errno with one line: -EPERM, -EACCES, -ENOENT (what is
 * missing, and what to do), -ENOMEM. ENGINE_PACKET leaves the calling process in a network
 * namespace of its own, in which its end of the wire is; with config->lan it stays where it is. */
int utcp_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
              struct err *err);

/* The same over a device of the caller's, which the engine owns from now on, also where it fails.
 */
struct device;
int utcp_open_over(struct device *device, const struct engine_config *config, struct engine **out,
                   struct err *err);

/* Whether the kind can be opened here, tried out in a child that has gone when this returns. 0, or
 * a negative errno with one line. `is_private`: in a network namespace of the run's own (made with
 * a user namespace where this process is not root). */
int utcp_probe(enum engine_kind kind, bool is_private, struct err *why);
