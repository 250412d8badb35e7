/* wall_kind: what the groups of rows have in common. For plan/walls and the groups alone. */
#pragma once

#include "base/text.h"
#include "plan/walls.h"

/* One row: how it is named, in which roles it is, who judges it. */
struct wall_kind {
	const char *id, *what;
	bool (*is_asked)(const struct walls_case *c); /* NULL: in every role */
	void (*judge)(const struct walls_case *c, struct wall_row *row, struct wall_report *out);
};

/* What is to be appended to: the row's text for people, and its fix. */
struct text wall_shown(struct wall_row *row);
struct text wall_fix(struct wall_row *row);

/* Sets the value and shows it, "28,232"; "unknown", with that state, or "unlimited" where it is no
 * number. Returns whether it is one. */
bool wall_value(struct wall_row *row, uint64_t value);

/* A limit that stops at `allows` connections. */
void wall_bounds(struct wall_row *row, uint64_t allows, uint64_t needed);

/* n, but no more than a run can number: settings are asked for that, as the kernel would refuse
 * values beyond its own, and the row "index" is the wall. */
uint64_t wall_numbered(const struct walls_case *c);

/* Has a kernel setting raised: in the row's fix, and among the report's asks. */
void wall_ask(struct wall_report *out, struct wall_row *row, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A kernel setting that n needs is high enough: only among the report's asks. */
void wall_meets(struct wall_report *out, const struct wall_row *row, const char *name,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A setting that bounds no connections, but slows or cuts bursts where it is small: shows "VALUE:
 * why", and asks for `wanted` where it is less. */
void wall_slows(struct wall_report *out, struct wall_row *row, const char *name, uint64_t value,
                uint64_t wanted, const char *why);

/* wall_kind.is_asked of rows that are of one side. */
bool wall_for_clients(const struct walls_case *c);
bool wall_for_servers(const struct walls_case *c);
