/* wall: the table of limits, judged: one row a limit, and the settings that it asks for.
 * plan/walls fills it; out/ draws it; a run asks it before it starts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WALL_NO_BOUND  UINT64_MAX /* of allows: this limit stops no connection   */
#define WALL_NO_NUMBER UINT64_MAX /* of value and needed                         */
#define WALL_ROWS_MOST 48
#define WALL_ASKS_MOST 24

enum wall_role { WALL_ROLE_BOTH, WALL_ROLE_SERVER, WALL_ROLE_CLIENT, WALL_ROLE_COUNT };

enum wall_state {
	WALL_OK,
	WALL_STOPS,  /* "wall": allows < n           */
	WALL_UNKNOWN /* it could not be read         */
};

struct wall_row {
	const char *id;   /* stable: "source_ports", "nofile_hard", ...                     */
	const char *what; /* "source ports", "open files of a process"                      */
	uint64_t value;   /* the limit now, or WALL_NO_NUMBER where it is not one number    */
	char shown[160];  /* the same for people: "128.0 KiB, grown to 32.0 MiB at most: ..."  */
	uint64_t allows;  /* connections in this topology, or WALL_NO_BOUND                 */
	uint64_t needed;  /* of the value's unit for n, or WALL_NO_NUMBER                   */
	enum wall_state state;
	char fix[224]; /* what to do, a command where there is one; "" where nothing     */
};

/* A kernel setting that n needs: one that a row asks to be raised, or that is high enough already,
 * which matters to who keeps settings for the next start. */
struct wall_ask {
	const char *row;  /* id */
	const char *name; /* "net.core.somaxconn" */
	char value[96];   /* as it is written; where it is met, what it is now */
	bool is_met;
};

struct wall_report {
	uint64_t n;       /* that was asked about                                          */
	uint64_t largest; /* N that fits                                                   */
	bool fits;        /* n <= largest                                                  */
	char words[384];  /* "this machine stops at 28,232: ..."                           */
	uint32_t row_count, ask_count;
	struct wall_row rows[WALL_ROWS_MOST]; /* the wall first, then by what they allow */
	struct wall_ask asks[WALL_ASKS_MOST];
};
