/* serve_api: what a server says of itself to other hosts' runs (base/api.h): of its workers by
 * shared memory, of the kernel by sock_diag. It lives in the supervisor. */
#pragma once

#include "base/api.h"
#include "run/experiment.h"
#include "run/shm.h"

struct serve_api {
	const struct experiment *x;
	struct shm *shm;
	uint64_t start_ns;
	struct { /* what the path had seen when a run was announced, by its place */
		uint32_t id;
		struct path_end path;
	} begun[ROLL_RUNS];
};

/* Makes the table of runs (shm->roll), before workers are forked. 0 or -ENOMEM. */
int serve_api_make(struct serve_api *api, const struct experiment *x, struct shm *shm);
void serve_api_drop(struct serve_api *api);

/* The source for who answers; valid as long as `api` is. */
struct api_source serve_api_source(struct serve_api *api);
