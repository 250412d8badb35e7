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

/* Rows for a table of `struct opt`, where AT_STAGE(in_flight) is the offset in the command's
 * structure. */
#define LIVING_ROW_TRAFFIC                                                                 \
	{                                                                                  \
		"traffic", 0, OPT_CHOICE, AT_STAGE(traffic), 0, 0, living_traffic, "KIND", \
			"hold (default), echo, push, http or script"                       \
	}
#define LIVING_ROW_MESSAGE_RATE                                                             \
	{                                                                                   \
		"message-rate", 0, OPT_RATE, AT_STAGE(message_rate_per_s), 1, 0, NULL, "R", \
			"messages a second on all connections together, answered or not"    \
	}
#define LIVING_ROW_EVERY                                                                          \
	{                                                                                         \
		"every", 0, OPT_DURATION, AT_STAGE(every_ns), NS_PER_MS, LIVING_MOST_NS, NULL,    \
			"T", "a message on each connection every T, spread evenly; push: a round" \
	}
#define LIVING_ROW_MESSAGE_SIZE                                                             \
	{                                                                                   \
		"message-size", 0, OPT_SIZES, AT_STAGE(size), 1, STAGE_MESSAGE_MOST, NULL,  \
			"S[-S]", "of an echo or a push (default 64), or evenly between two" \
	}
#define LIVING_ROW_CHURN                                                                   \
	{                                                                                  \
		"churn", 0, OPT_RATE_MAX, AT_STAGE(churn_per_s), 1, 0, NULL, "R",          \
			"close and replace so many a second, or max: one exchange on each" \
	}
#define LIVING_ROW_CHURN_BY                                                                  \
	{                                                                                    \
		"churn-by", 0, OPT_CHOICE, AT_STAGE(churn_by), 0, 0, living_churn_by, "HOW", \
			"fin (default; leaves TIME_WAIT) or rst"                             \
	}
#define LIVING_ROW_STORM                                                       \
	{                                                                      \
		"storm", 0, OPT_PERCENT, AT_STAGE(storm), 1, 0, NULL, "P%",    \
			"cut that part of them at once, and let all come back" \
	}
#define LIVING_ROW_AT_STAGE(in_flight)                                                      \
	{                                                                                   \
		"at", 0, OPT_DURATION, AT_STAGE(storm_at_ns), 0, LIVING_MOST_NS, NULL, "T", \
			"when the storm comes (default: at the beginning of the hold)"      \
	}

/* A closed loop's exchanges. connect bounds its connects by an option of this name, too. */
#define LIVING_ROW_IN_FLIGHT                                                                   \
	{                                                                                      \
		"in-flight", 0, OPT_COUNT, AT_STAGE(in_flight), 1, 0, NULL, "N",               \
			"messages without an answer at most (default: one on each connection)" \
	}
#define LIVING_ROW_PATH                                                 \
	{                                                               \
		"path", 0, OPT_TEXT, AT_RUN(path), 0, 0, NULL, "/PATH", \
			"what http asks for (default /)"                \
	}
#define LIVING_ROW_SCRIPT                                                                    \
	{                                                                                    \
		"script", 0, OPT_TEXT, AT_RUN(script), 0, 0, NULL, "FILE",                   \
			"a conversation of lines (docs/script.md); implies --traffic script" \
	}
#define LIVING_ROW_P99                                                                      \
	{                                                                                   \
		"p99", 0, OPT_DURATION, AT_RUN(p99_most_ns), 1, 3600 * NS_PER_S, NULL, "T", \
			"99 % of the answers come within T, else exit code 3"               \
	}
#define LIVING_ROW_FAIL                                                                   \
	{                                                                                 \
		"fail", 0, OPT_PERCENT, AT_RUN(failed_most), 0, 0, NULL, "P%",            \
			"no more than that part of what is tried fails, else exit code 3" \
	}

#define LIVING_ROW_FIND_MAX                                                             \
	{                                                                               \
		"find-max", 0, OPT_FLAG, AT_RUN(find_max), 0, 0, NULL, NULL,            \
			"search the highest rate, or the most connections, that passes" \
	}

#define LIVING_STAGE_COUNT 8 /* rows of LIVING_ROWS_STAGE */
#define LIVING_RUN_COUNT   5 /* and of LIVING_ROWS_RUN */

/* Of one stage: of the hold, or of a scenario (cmd/scenario). */
#define LIVING_ROWS_STAGE                                                                       \
	LIVING_ROW_TRAFFIC, LIVING_ROW_MESSAGE_RATE, LIVING_ROW_EVERY, LIVING_ROW_MESSAGE_SIZE, \
		LIVING_ROW_CHURN, LIVING_ROW_CHURN_BY, LIVING_ROW_STORM,                        \
		LIVING_ROW_AT_STAGE(in_flight)

/* Of the whole run. */
#define LIVING_ROWS_RUN \
	LIVING_ROW_PATH, LIVING_ROW_SCRIPT, LIVING_ROW_P99, LIVING_ROW_FAIL, LIVING_ROW_FIND_MAX
