/* show: tells a run's view what shared memory says of the run. */
#pragma once

#include "base/api.h"
#include "base/live.h"
#include "base/sample.h"
#include "base/wall.h"
#include "run/experiment.h"
#include "run/shm.h"

#include <stdbool.h>
#include <stdint.h>

/* How a run speaks while it lasts. Each may be NULL. */
struct run_view {
	void *context;
	void (*say)(void *context, const char *line);         /* a line that stays          */
	void (*live)(void *context, const struct live *live); /* several times a second     */
	/* The same, of a run whose live line has words of its own. */
	void (*status)(void *context, const char *line);
	/* Before anything is opened: the table of limits that decided it. */
	void (*walls)(void *context, const struct wall_report *walls);
	/* The same as live, and what the run's network namespace and the host say: once a second,
	 * when a phase begins (what was before it), and when the run has ended. */
	void (*sample)(void *context, const struct sample *sample);
	/* Before that, of a server that other hosts may ask: what answers them; and NULL
	 * when the run has ended, after which nobody may ask it. */
	void (*api)(void *context, const struct api_source *source);
	/* Once: a server listens; a client has opened what it could, and proved it. */
	void (*ready)(void *context);
};

struct show {
	const struct run_view *view; /* or NULL */
	const struct experiment *experiment;
	const struct shm *shm;
	const char *listening; /* a server's line for when it listens, or NULL */
	uint32_t notices;      /* how many were shown */
	uint32_t samples;      /* likewise */
	bool is_ready;
	uint64_t rate_at_ns, rate_from; /* of the live line: when, and from which count */
	uint64_t rate_per_s;
	enum phase rate_phase;
};

/* All of them stay the caller's. */
void show_init(struct show *show, const struct run_view *view, const struct experiment *experiment,
               const struct shm *shm, const char *listening);

/* Tells what is new: called several times a second, and once when the run has ended. */
void show_update(struct show *show);

/* One line that stays. */
void show_say(const struct run_view *view, const char *line);
