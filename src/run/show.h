/* show: tells a run's view what shared memory says of the run. */
#pragma once

#include "base/live.h"
#include "base/sample.h"
#include "run/experiment.h"
#include "run/shm.h"

#include <stdbool.h>
#include <stdint.h>

/* How a run speaks while it lasts. Each may be NULL. */
struct run_view {
	void *context;
	void (*say)(void *context, const char *line);         /* a line that stays          */
	void (*live)(void *context, const struct live *live); /* several times a second     */
	/* Once a second: the same, and what the run's network namespace and the host say. */
	void (*sample)(void *context, const struct sample *sample);
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
	struct sample sample; /* the last one, completed */
};

/* All of them stay the caller's. */
void show_init(struct show *show, const struct run_view *view, const struct experiment *experiment,
               const struct shm *shm, const char *listening);

/* Tells what is new: called several times a second, and once when the run has ended. */
void show_update(struct show *show);

/* One line that stays. */
void show_say(const struct run_view *view, const char *line);
