/* via_rules: what makes a router of a lab a box: rules of nftables, set by nft(8). */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "base/text.h"
#include "run/experiment.h"

/* Sets them, in the network the caller is in: connections are tracked, and what is of none is
 * dropped; with a limit of the table's own, or with one source address, `outside`, for all. 0, or a
 * negative errno with what nft says. */
int via_rules_set(const struct experiment *x, const struct ip *outside, struct err *err);

/* Fills `refused` and `invalid`. */
void via_rules_look(const struct experiment *x, struct result_via *out);

/* Pure: the rules as text; and the packets of a counter, in what "nft list counters" says:
 * RESULT_UNKNOWN where it has none of that name. */
void via_rules_write(const struct experiment *x, const struct ip *outside, struct text *t);
uint64_t via_rules_packets(const char *said, const char *counter);
