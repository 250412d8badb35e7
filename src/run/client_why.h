/* client_why: why a connection was lost or could not be made, where an errno, or that nothing came,
 * does not say it: asked of the kernel then. */
#pragma once

#include "run/client.h"

/* An open connection was not answered in time. `is_sent`: the engine has sent all of what was to be
 * answered. CAUSE_SOURCE_GONE, CAUSE_PATH_GONE where what was sent is not acknowledged, else
 * CAUSE_TIMEOUT: the other end has it. */
enum cause client_why_silent(struct client *c, uint32_t conn, bool is_sent);

/* The same of one on which nothing was sent, as nobody answers any more. */
enum cause client_why_unasked(struct client *c, uint32_t conn);

/* Something has come on a connection: its source is ours, whoever else had it. */
void client_why_heard(struct client *c, uint32_t conn);

/* Whether its source address is known to be gone: not asked before one was found to be. */
bool client_why_is_dead(struct client *c, uint32_t conn);

/* An open connection has ended with this negative errno. */
enum cause client_why_lost(struct client *c, uint32_t conn, int code);

/* A connect has failed for this cause. */
enum cause client_why_failed(struct client *c, uint32_t conn, enum cause cause);
