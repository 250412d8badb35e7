/* verb: the first operand of a command that has verbs (classic, tune, addr). */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct verb_table {
	const char *command; /* "tune"                                                   */
	const char *ask;     /* what is said where there is none: "which verb?"          */
	const void *rows;    /* structures that begin with the name, a const char *      */
	size_t row_bytes, row_count;
	bool is_alone; /* no verb takes operands */
};

/* The row of the verb argv[at]; NULL with one line in `err` where there is none of that name, or an
 * operand too many. */
const void *verb_find(const struct verb_table *table, int argc, char **argv, int at,
                      struct err *err);
