/* table: the report in Markdown. */
#pragma once

#include "figures.h"
#include "host.h"

#include <stddef.h>
#include <stdio.h>

struct bench {
	const char *n;        /* as it was asked for */
	const char *revision; /* of the source */
	struct host host;
	unsigned int rounds;
	size_t count;
	struct run runs[RUNS_MAX];
};

/* Of all good runs of a design and a solution (from 1). */
struct spread table_figure(const struct bench *b, enum design design, unsigned int solution,
                           enum figure figure);

/* megaconn's figure divided by classic's in the same round, of the rounds where both are good. */
struct spread table_ratio(const struct bench *b, unsigned int solution, enum figure figure);

/* A number with its thousands apart, "-" for NAN. */
void table_number(FILE *to, double value, int decimals);

void table_write(FILE *to, const struct bench *b);
