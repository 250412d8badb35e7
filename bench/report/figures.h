/* figures: what one run says, brought to the same names and units for all designs. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SOLUTIONS 2

/* classic: blocking processes. epoll, uring: a lab with that engine. apart: serve and connect in
 * two programs on 127.0.0.1 of the host, by io_uring. tun, packet: a lab whose server is by
 * io_uring and whose clients are our own TCP. */
enum design { CLASSIC, EPOLL, URING, APART, TUN, PACKET, DESIGNS };

enum figure {
	RATE,           /* pairs a second */
	CPU_US,         /* of the ramp, a pair, all workers */
	KERNEL_BYTES,   /* a pair; tun, packet: a server's socket alone */
	USER_BYTES,     /* a pair: both sides */
	ALL_BYTES,      /* a pair: both of these */
	LOST_BYTES,     /* a pair: what is free no longer */
	CONNECT_P50_US, /* from connect to connected */
	CONNECT_P99_US,
	PROOF_S, /* the slower of the two proofs */
	CLOSE_S,
	IDLE_PERCENT, /* of a core, all workers together */
	COLUMNS,      /* of the table; what follows is derived, and for growth and targets */
	USER_SIDE_BYTES = COLUMNS, /* a connection, of the side that takes more */
	CLIENT_BYTES,              /* of user space, a connection */
	CLOSE_US,                  /* a pair */
	FIGURES
};

struct figure_info {
	const char *key;   /* in bench.json */
	const char *title; /* in the tables */
	const char *unit;  /* in the line of one run; NULL: not in it */
	int decimals;
};

extern const struct figure_info figure_infos[FIGURES];
extern const char *const design_names[DESIGNS];

struct run {
	uint64_t n;                   /* as it was asked for */
	unsigned int round, solution; /* from 1 */
	enum design design;
	int exit_code;
	bool ok;
	bool quiet;              /* nothing else was busy before it */
	json_t *result;          /* as the program wrote it; NULL where it wrote none */
	json_t *served;          /* apart: the server's */
	double figures[FIGURES]; /* NAN: not known */
};

/* Finds the design of this name; false where there is none. */
bool figures_design(const char *name, enum design *out);

/* Reads a run's result, `base`.json and for apart `base`.serve.json, and fills `figures`.
 * `idle_percent` is NAN where it was not measured. */
void figures_read(struct run *run, const char *base, double idle_percent);
