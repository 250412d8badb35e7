/* living: the rows of options that lab and connect have for what connections do while they are
 * held (run/living). */
#pragma once

#include "base/clock.h"
#include "base/opt.h"
#include "base/stage.h"

/* --traffic: enum traffic_kind. --churn-by. */
extern const char *const living_traffic[];
extern const char *const living_churn_by[];

#define LIVING_MOST_NS (UINT64_C(30) * 86400 * NS_PER_S)

/* Rows for a table of `struct opt`, where AT(field) is the offset in the command's structure. */
#define LIVING_ROW_TRAFFIC(field)                                                          \
	{                                                                                  \
		"traffic", 0, OPT_CHOICE, AT(field.traffic), 0, 0, living_traffic, "KIND", \
			"hold (default), echo, push, http or script"                       \
	}
#define LIVING_ROW_MESSAGE_RATE(field)                                                      \
	{                                                                                   \
		"message-rate", 0, OPT_RATE, AT(field.message_rate_per_s), 1, 0, NULL, "R", \
			"messages a second on all connections together, answered or not"    \
	}
#define LIVING_ROW_EVERY(field)                                                                   \
	{                                                                                         \
		"every", 0, OPT_DURATION, AT(field.every_ns), NS_PER_MS, LIVING_MOST_NS, NULL,    \
			"T", "a message on each connection every T, spread evenly; push: a round" \
	}
#define LIVING_ROW_MESSAGE_SIZE(field)                                                      \
	{                                                                                   \
		"message-size", 0, OPT_SIZES, AT(field.size), 1, STAGE_MESSAGE_MOST, NULL,  \
			"S[-S]", "of an echo or a push (default 64), or evenly between two" \
	}
#define LIVING_ROW_CHURN(field)                                                            \
	{                                                                                  \
		"churn", 0, OPT_RATE_MAX, AT(field.churn_per_s), 1, 0, NULL, "R",          \
			"close and replace so many a second, or max: one exchange on each" \
	}
#define LIVING_ROW_CHURN_BY(field)                                                           \
	{                                                                                    \
		"churn-by", 0, OPT_CHOICE, AT(field.churn_by), 0, 0, living_churn_by, "HOW", \
			"fin (default; leaves TIME_WAIT) or rst"                             \
	}
#define LIVING_ROW_STORM(field)                                                \
	{                                                                      \
		"storm", 0, OPT_PERCENT, AT(field.storm), 1, 0, NULL, "P%",    \
			"cut that part of them at once, and let all come back" \
	}
#define LIVING_ROW_AT(field)                                                                \
	{                                                                                   \
		"at", 0, OPT_DURATION, AT(field.storm_at_ns), 0, LIVING_MOST_NS, NULL, "T", \
			"when the storm comes (default: at the beginning of the hold)"      \
	}

/* A closed loop's exchanges. connect bounds its connects by an option of this name, too. */
#define LIVING_ROW_IN_FLIGHT(field)                                                            \
	{                                                                                      \
		"in-flight", 0, OPT_COUNT, AT(field), 1, 0, NULL, "N",                         \
			"messages without an answer at most (default: one on each connection)" \
	}
#define LIVING_ROW_PATH(field)                                            \
	{                                                                 \
		"path", 0, OPT_TEXT, AT(field.path), 0, 0, NULL, "/PATH", \
			"what http asks for (default /)"                  \
	}
#define LIVING_ROW_SCRIPT(field)                                                             \
	{                                                                                    \
		"script", 0, OPT_TEXT, AT(field.script), 0, 0, NULL, "FILE",                 \
			"a conversation of lines (docs/script.md); implies --traffic script" \
	}
#define LIVING_ROW_P99(field)                                                                 \
	{                                                                                     \
		"p99", 0, OPT_DURATION, AT(field.p99_most_ns), 1, 3600 * NS_PER_S, NULL, "T", \
			"99 % of the answers come within T, else exit code 3"                 \
	}
#define LIVING_ROW_FAIL(field)                                                            \
	{                                                                                 \
		"fail", 0, OPT_PERCENT, AT(field.failed_most), 0, 0, NULL, "P%",          \
			"no more than that part of what is tried fails, else exit code 3" \
	}

#define LIVING_ROW_FIND_MAX(field)                                                     \
	{                                                                              \
		"find-max", 0, OPT_FLAG, AT(field.find_max), 0, 0, NULL, NULL,         \
			"search the highest rate (of messages, of churn) or the most " \
			"connections that pass"                                        \
	}

#define LIVING_STAGE_COUNT 8 /* rows of LIVING_ROWS_STAGE */
#define LIVING_RUN_COUNT   5 /* and of LIVING_ROWS_RUN */

/* Of one stage, a struct living_stage at `field`: of the hold, or of a scenario (cmd/run). */
#define LIVING_ROWS_STAGE(field)                                                            \
	LIVING_ROW_TRAFFIC(field), LIVING_ROW_MESSAGE_RATE(field), LIVING_ROW_EVERY(field), \
		LIVING_ROW_MESSAGE_SIZE(field), LIVING_ROW_CHURN(field),                    \
		LIVING_ROW_CHURN_BY(field), LIVING_ROW_STORM(field), LIVING_ROW_AT(field)

/* Of the whole run, a struct living_options at `field`. */
#define LIVING_ROWS_RUN(field)                                                   \
	LIVING_ROW_PATH(field), LIVING_ROW_SCRIPT(field), LIVING_ROW_P99(field), \
		LIVING_ROW_FAIL(field), LIVING_ROW_FIND_MAX(field)
