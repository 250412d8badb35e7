/* reconcile: what two hosts say of the same connections, beside each other: counts, and index by
 * index. Pure, but for the run's shared memory. */
#pragma once

#include "base/result.h"
#include "base/text.h"
#include "run/experiment.h"
#include "run/shm.h"

#include <stdbool.h>

/* From what the server has told (result->server, the servers' bits in shm) to established.server
 * and .server_kernel, is_translated and the indexes that differ. */
void reconcile_fill(const struct experiment *x, const struct shm *shm, struct result *result);

/* Puts up one line about what the server has just said, of a proof's round: "the server has 9,997
 * open, its kernel 9,997, proved 9,997, client 10,000; 3 are proved at one end only, ...". */
void reconcile_notice(const struct experiment *x, struct shm *shm, unsigned int round);

/* Whether the server has said all that it was to be asked for. */
bool reconcile_is_known(const struct result *result);

/* Whether the server's counts were the client's, `wanted` when the hold began, and open_at_end at
 * its end; else what they were, in a sentence. Where connections that were lost are opened again
 * only the proofs tell. */
bool reconcile_agrees(const struct result *result, uint64_t wanted, struct text *why);

/* "; 12 connections are proved at one end only, the first: index ..."; nothing where there are
 * none. */
void reconcile_add(const struct result *result, struct text *t);
