/* envoy: asks a server on another host for its part of the result (docs/api.md): a process of the
 * run that speaks HTTP, so that the director never waits for another host. It is told what to do by
 * a pipe, leaves the answers in memory that both share, and rings by another pipe; it ends with the
 * director. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "out/fetch.h"
#include "out/http_token.h"
#include "run/experiment.h"
#include "run/shm.h"

#include <stdbool.h>
#include <stdint.h>

/* Which server; base is empty where none is asked. */
struct envoy_options {
	char base[FETCH_BASE_BYTES];
	struct http_token token;
};

struct envoy;

/* Starts it, and announces the run: waits for that, 45 s at most, as nothing may be opened before
 * it is done; or until the lifeline speaks. Called in the director's process before it forks
 * workers. NULL with one line in `err`. */
struct envoy *envoy_start(const struct envoy_options *options, const struct experiment *x,
                          struct shm *shm, int lifeline, struct err *err);

/* Asks for counts and bits: round 0 at the beginning of the hold, 1 at its end. The answer is there
 * when envoy_has_answered says so; the bits of a proof are then those of the servers in `shm`. */
void envoy_ask(struct envoy *envoy, unsigned int round);

/* Whether what was asked for last is answered, or never will be. */
bool envoy_has_answered(struct envoy *envoy);

/* How long it may take until then, where the server answers slowly: the more it has room for, the
 * longer its kernel counts. */
uint64_t envoy_most_ns(const struct envoy *envoy);

/* What it has been told. */
void envoy_fill(const struct envoy *envoy, struct result_server *out);

/* The run is over: the server is told, if it answers soon. */
void envoy_end(struct envoy *envoy);
