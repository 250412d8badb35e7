/* serve: a server alone, for whoever comes. */
#pragma once

#include "base/opt.h"
#include "base/result.h"
#include "run/supervisor.h"

#include <stdbool.h>
#include <stdint.h>

struct serve_options {
	struct experiment_listen listens[EXPERIMENT_LISTENS_MAX];
	uint32_t listen_count;
	uint64_t n; /* connections at once, at most; fewer where not so many fit */
	enum engine_kind engine;
	uint64_t workers; /* 0: as many as it takes */
	enum serve_mode mode;
	uint32_t body_bytes;     /* of http: of each response */
	uint64_t every_ns;       /* of push: between rounds; 0: the default */
	struct opt_sizes size;   /* of push; of echo: what is read at once; 0: the default */
	enum engine_close close; /* how what is open at the end is closed */
	uint64_t reserve_bytes;  /* 0: the default */
	uint64_t backlog;        /* 0: as large as the kernel lets it be */
	uint32_t without;        /* ENGINE_WITHOUT_... */
	bool has_api;            /* other hosts may ask it of their runs: it is served over HTTP */
};

/* Serves until it is interrupted. `result` is filled in any case: where it was refused or could not
 * start, its verdict says so, and its reason why and what to do. Returns the exit code of the
 * program; see supervisor_run for signals. */
int serve_run(const struct serve_options *options, const struct run_view *view,
              struct result *result);
