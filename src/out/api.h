/* api: what a server answers other hosts' runs over HTTP (docs/api.md): from method, path and body
 * to status and body. What it says it asks of an api_source (base/api.h).
 *
 *   GET    /api/v1/server                  who it is
 *   GET    /api/v1/bill                    its memory
 *   POST   /api/v1/runs                    a run is announced
 *   GET    /api/v1/runs/ID                 counts
 *   GET    /api/v1/runs/ID/proved/ROUND    which indexes were proved in round 1 or 2: bits
 *   DELETE /api/v1/runs/ID                 the run is over */
#pragma once

#include "base/api.h"

#include <stdbool.h>
#include <stddef.h>

struct api_request {
	const char *method, *path;
	const char *body;
	size_t body_len;
};

struct api_answer {
	unsigned int status;
	const char *type; /* of the content; NULL: there is none */
	char *body;       /* to be freed by the caller; NULL: there is none */
	size_t len;
};

/* Which methods a path has: "GET, HEAD, DELETE"; NULL where it is none of these. */
const char *api_allow(const char *path);

/* False without memory. */
bool api_answer(const struct api_source *source, const struct api_request *request,
                struct api_answer *out);
