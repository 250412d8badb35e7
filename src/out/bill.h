/* bill: draws where the bytes went (base/bill.h): for the summary of a run, as a table, as JSON. */
#pragma once

#include "base/bill.h"

#include <stdint.h>
#include <stdio.h>

struct json_t;

/* Under a summary's line: two columns of whole bytes a connection, which add up to the last of
 * them; lines of less than a byte are one. `indent` columns are left free. */
void bill_print_shares(FILE *to, const struct bill *bill, int indent);

/* A line of the bill each: objects, bytes, bytes a connection (or socket), per cent of
 * `memory_bytes` (0: not said), caches; their sum, where slabs are known (else lines overlap);
 * below it the caches of shared lines, which are marked "*". */
void bill_print_table(FILE *to, const struct bill *bill, uint64_t memory_bytes);

/* [{"line", "title", "bytes", "bytes_per_connection", "objects", "of", "shared"}, ...] in the
 * bill's order, and null where there is no bill. Unknown numbers are null. The caller's. */
struct json_t *bill_json(const struct bill *bill);
