/* figures: what one run says, brought to the same names and units for both designs. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define ROUNDS_MAX    100
#define SOLUTIONS     2
#define RUNS_MAX      400 /* rounds, solutions, designs */
#define RUN_NAME_SIZE 64

enum design { CLASSIC, MEGACONN, DESIGNS };

enum figure {
	RATE,         /* pairs a second */
	CPU_US,       /* of the ramp, a pair */
	KERNEL_BYTES, /* a pair; classic: slabs alone */
	USER_BYTES,   /* a connection, of the side that takes more */
	ALL_BYTES,    /* a pair: kernel, and user memory of both sides */
	LOST_BYTES,   /* a pair: what is free no longer */
	PROOF_S,      /* the slower of the two proofs */
	IDLE_PERCENT, /* of a core, all workers together */
	CLOSE_S,
	FIGURES
};

struct figure_info {
	const char *key;   /* in bench.json */
	const char *title; /* in the table */
	int decimals;
};

extern const struct figure_info figure_infos[FIGURES];
extern const char *const design_names[DESIGNS];

struct run {
	unsigned int round, solution; /* from 1 */
	enum design design;
	int exit_code;
	bool ok;
	bool quiet;              /* nothing else was busy before it */
	json_t *result;          /* as the program wrote it; NULL where it wrote none */
	double figures[FIGURES]; /* NAN: not known */
};

struct spread {
	double median, least, most; /* NAN where there is no value */
	unsigned int count;
};

/* Finds the design of this name; false where there is none. */
bool figures_design(const char *name, enum design *out);

/* Reads a run's result and fills `figures`. `idle_percent` is NAN where it was not measured. */
void figures_read(struct run *run, const char *path, double idle_percent);

/* Median and range of the values that are known; sorts `values`. */
struct spread figures_spread(double *values, unsigned int count);
