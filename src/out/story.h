/* story: what a report says in words and numbers, whether as HTML or as text: put together here
 * from the result or, where a run left none, from its last sample. */
#pragma once

#include "out/axis.h"
#include "out/report.h"

#include <stdbool.h>
#include <stdint.h>

#define STORY_ROWS_MOST   32
#define STORY_CAUSES_MOST (4 * CAUSE_COUNT)
#define STORY_COUNTS      3

struct story_count {
	const char *name; /* "clients" */
	uint64_t value;   /* RESULT_UNKNOWN */
	bool is_right;    /* it is the target; where there is none: the same as the others */
};

struct story_row {
	const char *name;
	char value[512];
};

struct story_cause {
	const char *what; /* "failed", "retried", "lost", "ended", "accept" */
	enum cause cause;
	uint64_t count;
};

struct story {
	const char *mark;    /* "PASS", "FAIL", "PARTIAL", "REFUSED", "NO RESULT" */
	const char *kind;    /* "pass", "fail", "partial", "refused", "none"      */
	char headline[1024]; /* a sentence */
	char where[384];     /* role, date, kernel, machine */
	const char *counted; /* "at the beginning of the hold" */
	uint64_t target;     /* 0: none */
	bool has_counts;     /* one of them at least: a run that was refused has none */
	struct story_count counts[STORY_COUNTS];
	uint32_t row_count, cause_count;
	struct story_row rows[STORY_ROWS_MOST];
	struct story_cause causes[STORY_CAUSES_MOST];
	bool has_connect;
	uint64_t connect_ns[TRACK_QUANTILES];
};

void story_tell(const struct report *report, struct story *story);

/* How long the series is; 0 where there is none. */
uint64_t story_span_ns(const struct report *report);

/* A number of a figure as people read it: by its unit; "-" where it is not known. */
struct axis_text story_value(const struct figure *figure, uint64_t value);

/* The phase in which a counter grew the most: "ramp"; "" where there is none. */
const char *story_phase(const struct track *track, enum figure_id figure);

/* The name of a figure's group: "run", "sockets", ... */
const char *story_group(enum figure_group group);

/* Words of environment.json: path "cpu.model"; NULL where there are none. */
const char *story_environment(const struct report *report, const char *path);
