/* walls: the one table of limits: how many connections each allows in a topology, what n needs of
 * it, and what to do. doctor prints it; lab, serve and connect ask it before they start; tune
 * applies what it asks for. Pure.
 *
 * Rows are judged by the functions of plan/wall_ports, wall_files, wall_memory and wall_queues. */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "base/wall.h"
#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>

/* What connections cost: `fixed` once, and `each` (> 0) for every one, with the ends that are
 * meant. */
struct walls_cost {
	uint64_t fixed_bytes, each_bytes;
	bool is_measured; /* on this kernel, just now; else by earlier figures */
};

#define WALLS_PORTS_UNKNOWN UINT32_MAX

/* Whose source ports cannot be used, of the range that clients take them from. */
struct walls_ports {
	uint16_t low, high;
	bool are_given; /* by --ports, not by net.ipv4.ip_local_port_range           */
	uint32_t reserved, listening, taken; /* reserved, listening: or WALLS_PORTS_UNKNOWN  */
	uint16_t first_listening;            /* one of them, for the text */
	uint32_t targets_within;             /* server ports in the range, not reserved */
};

/* Something of the kernel's that is there or is not. */
struct walls_feature {
	bool is_there;
	char why[160]; /* where it is not, or with what */
};

struct walls_case {
	uint64_t n;
	const struct limits *limits;

	/* Where from and where to; tuples is NULL where clients may come from anywhere. */
	const struct tuple_plan *tuples;
	struct walls_ports ports;
	uint32_t sources_missing; /* source IPs that this host has not (yet)             */
	uint64_t spares;          /* tuples beyond n that a churn by FIN takes           */
	uint32_t neighbours;      /* source IPs on this host's links, each an entry there */

	/* Memory. */
	uint32_t ends;        /* sockets of a connection on this host: 1 or 2       */
	uint32_t cgroup_ends; /* in this cgroup: programs apart may be in others */
	struct walls_cost machine, cgroup;
	uint64_t reserve_bytes;

	/* Processes: what all that can be started would hold together ... */
	uint64_t held_by_files; /* ... as RLIMIT_NOFILE has it      */
	uint64_t held;          /* ... and RLIMIT_MEMLOCK           */
	uint64_t worker_most;   /* one worker (of each side)        */
	uint32_t workers;       /* of a side that n takes           */
	uint32_t sides;         /* that are started: 1 or 2         */

	enum wall_role role;
	bool is_private; /* in namespaces of its own: the host's rules do not reach there */
	bool is_loopback;
	bool is_lab;            /* which chooses its addresses itself                       */
	bool is_measured;       /* costs: on this kernel, just now; else by earlier figures */
	bool takes_descriptors; /* one a connection; not so with io_uring's direct ones    */
	bool is_utcp;           /* clients are our own TCP: their source IPs are nobody's  */
	struct walls_feature uring, namespaces;
	struct walls_feature utcp; /* whether clients can be our own TCP; why "": not asked  */
};

/* Judges every row that the role has. */
void walls_judge(const struct walls_case *c, struct wall_report *out);

/* The row of an id, or NULL. */
const struct wall_row *walls_row(const struct wall_report *report, const char *id);

/* Whether a row of this id exists in some role: for who names rows elsewhere. */
bool walls_has(const char *id);

/* "ID: what it is and why": the wall of the report, for a reason. */
void walls_describe(const struct wall_report *report, char *out, unsigned long size);

/* -E2BIG with one line: n does not fit, the wall, the largest N that does, what to do. */
int walls_refuse(const struct wall_report *report, struct err *err);
