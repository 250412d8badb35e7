/* figure: the table of all that is measured: for each figure where it stands in a sample, its name,
 * unit and kind, and its words. Metrics, the series of a record, the live page, the monitor and the
 * report are drawn from it. To add a figure: a field in the sample, whoever fills it, and a row
 * here.
 *
 * A figure is one number, or a family of them, one for each cause, answer, CPU or slab
 * cache. */
#pragma once

#include "base/sample.h"

#include <stddef.h>
#include <stdint.h>

enum figure_kind {
	FIGURE_GAUGE,
	FIGURE_COUNTER /* only grows; what is of interest is its rate */
};

enum figure_unit { FIGURE_NUMBER, FIGURE_BYTES, FIGURE_NS, FIGURE_UNIT_COUNT };

/* What it is about: sections of a page. */
enum figure_group {
	FIGURE_RUN, /* known only where has_run */
	FIGURE_SOCKETS,
	FIGURE_TROUBLE, /* drops, resets, retransmits: counters that should rest */
	FIGURE_MEMORY,
	FIGURE_SLABS, /* known only where has_slabs */
	FIGURE_CPU,
	FIGURE_GROUP_COUNT
};

enum figure_family {
	FIGURE_ONE,
	FIGURE_BY_CAUSE,
	FIGURE_BY_ANSWER,
	FIGURE_BY_CPU,
	FIGURE_BY_CACHE,
	FIGURE_FAMILY_COUNT
};

/* Rows that are drawn at a place of their own, by name. */
enum figure_id {
	FIGURE_RUN_TARGET,
	FIGURE_RUN_CLIENTS,
	FIGURE_RUN_SERVERS,
	FIGURE_RUN_CONNECTED,
	FIGURE_RUN_ACCEPTED,
	FIGURE_RUN_PROVED,
	FIGURE_RUN_FAILED,
	FIGURE_RUN_LOST,
	FIGURE_RUN_RETRIED,
	FIGURE_RUN_RECONNECTED,
	FIGURE_RUN_RECEIVED,
	FIGURE_RUN_SAID,
	FIGURE_RUN_ANSWERS,
	FIGURE_RUN_HEARD,
	FIGURE_RUN_CHURNED,
	FIGURE_RUN_STORM_CUT,
	FIGURE_RUN_STORM_BACK,
	FIGURE_RUN_USER,
	FIGURE_RUN_KERNEL_EACH,
	FIGURE_TCP_ESTABLISHED,
	FIGURE_TCP_INUSE,
	FIGURE_TCP6_INUSE,
	FIGURE_TCP_TIME_WAIT,
	FIGURE_TCP_ORPHANS,
	FIGURE_TCP_ALLOCATED,
	FIGURE_TCP_MEMORY,
	FIGURE_TCP_ACTIVE_OPENS,
	FIGURE_TCP_PASSIVE_OPENS,
	FIGURE_TCP_IN_SEGMENTS,
	FIGURE_TCP_OUT_SEGMENTS,
	FIGURE_TCP_RETRANSMITS,
	FIGURE_TCP_SYN_RETRANSMITS,
	FIGURE_TCP_TIMEOUTS,
	FIGURE_TCP_ABORTS_ON_TIMEOUT,
	FIGURE_TCP_ABORTS_ON_MEMORY,
	FIGURE_TCP_ATTEMPT_FAILS,
	FIGURE_TCP_RESETS,
	FIGURE_TCP_RESETS_SENT,
	FIGURE_TCP_IN_ERRORS,
	FIGURE_LISTEN_OVERFLOWS,
	FIGURE_LISTEN_DROPS,
	FIGURE_SYN_QUEUE_DROPS,
	FIGURE_SYN_COOKIES_SENT,
	FIGURE_SYN_COOKIES_RECEIVED,
	FIGURE_SYN_COOKIES_FAILED,
	FIGURE_SOCKET_BACKLOG_DROPS,
	FIGURE_CPU_BACKLOG_DROPS,
	FIGURE_CPU_SQUEEZES,
	FIGURE_CONNTRACK,
	FIGURE_CONNTRACK_MAX,
	FIGURE_FILES,
	FIGURE_MEMORY_TOTAL,
	FIGURE_MEMORY_FREE,
	FIGURE_MEMORY_AVAILABLE,
	FIGURE_MEMORY_LEFT,
	FIGURE_CGROUP_LEFT,
	FIGURE_MEMORY_SLAB,
	FIGURE_MEMORY_SLAB_RECLAIMABLE,
	FIGURE_MEMORY_PAGE_TABLES,
	FIGURE_MEMORY_KERNEL_STACKS,
	FIGURE_MEMORY_VMALLOC,
	FIGURE_MEMORY_PERCPU,
	FIGURE_SLAB,
	FIGURE_SLAB_OBJECTS,
	FIGURE_CPU_BUSY,
	FIGURE_CPU_SOFTIRQ,
	FIGURE_CPU_IDLE,
	FIGURE_COUNT
};

struct figure {
	const char *name; /* "tcp_listen_overflows": stable; without unit and "_total" */
	enum figure_kind kind;
	enum figure_unit unit;
	enum figure_group group;
	enum figure_family family;
	size_t offset;     /* of the uint64_t in struct sample; of a family's first one */
	const char *title; /* "listen overflows": on a screen */
	const char *help;  /* one sentence */
};

/* The row; `id` below FIGURE_COUNT. */
const struct figure *figure_at(enum figure_id id);

/* The row of that name, or NULL. */
const struct figure *figure_find(const char *name);

/* "cause", "answer", "cpu", "cache"; NULL for a single number. */
const char *figure_label_name(const struct figure *figure);

/* How many numbers it has in this sample: 1, or the family's; 0 where its group is not known in it.
 */
uint32_t figure_count(const struct figure *figure, const struct sample *sample);

/* The i-th number (i < figure_count), or PROBE_UNKNOWN; and what it is of: "refused", "3", "TCP";
 * "" for a single number. The text is static, or the sample's. */
uint64_t figure_value(const struct figure *figure, const struct sample *sample, uint32_t i);
const char *figure_label(const struct figure *figure, const struct sample *sample, uint32_t i);

/* The sum of the known numbers; PROBE_UNKNOWN where none is. */
uint64_t figure_sum(const struct figure *figure, const struct sample *sample);

/* Of a counter: how much its sum has grown in a second between two samples; < 0 where that is not
 * known (a counter that fell was started anew). */
double figure_rate_per_s(const struct figure *figure, const struct sample *before,
                         const struct sample *now);

/* A sample in which nothing is known. */
void figure_clear(struct sample *sample);

/* Puts a value where figure_value finds it: a cache or CPU that the sample has not yet is added.
 * False where there is no such label, or no room. For samples that are read from a record. */
bool figure_put(const struct figure *figure, struct sample *sample, const char *label,
                uint64_t value);
