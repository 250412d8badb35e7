/* engines: an engine of any kind: of kernel sockets (engine/) or with a TCP of its own (utcp/). Who
 * runs an experiment asks here, and does not know which one it is. */
#pragma once

#include "engine/engine.h"

/* Opens an engine of a kind that was chosen (not AUTO). As engine_open and utcp_open. */
int engines_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
                 struct err *err);

/* The most connections that one process can hold with it: as engine_most. Our own TCP takes neither
 * descriptors nor locked memory for them. */
uint32_t engines_most(enum engine_kind kind, uint32_t listeners, uint64_t nofile,
                      uint64_t memlock_bytes);

/* Which kind clients of our own TCP would be: the wanted one, or for AUTO the best that works here;
 * `is_private` as in utcp_probe. 0 with it in *out; a negative errno with one line in `why` where
 * neither does, or the wanted one does not. */
int engines_choose_utcp(enum engine_kind wanted, bool is_private, enum engine_kind *out,
                        struct err *why);
