/* api: what a server tells hosts of other runs of theirs (docs/api.md): filled by run/serve_api,
 * spoken by out/api and out/api_json, heard by run/envoy. Both ends use these structures.
 *
 * Clocks of two hosts need not agree: there are only durations. No pointers, but in api_source. */
#pragma once

#include "base/err.h"
#include "base/path.h"
#include "base/roll.h"

#include <stdbool.h>
#include <stdint.h>

#define API_UNKNOWN     UINT64_MAX
#define API_WORD_BYTES  66
#define API_PORTS_BYTES 256
#define API_BODY_MOST   16384  /* of what a client says       */
#define API_ANSWER_MOST 262144 /* of an answer, but of bitmaps */
#define API_ROUNDS      ROLL_ROUNDS

/* GET /api/v1/server. */
struct api_server {
	char version[API_WORD_BYTES], host[API_WORD_BYTES], kernel[API_WORD_BYTES];
	char engine[API_WORD_BYTES], mode[API_WORD_BYTES];
	char ports[API_PORTS_BYTES]; /* "8090-8119,9000" */
	uint64_t room;               /* connections that it can hold at once */
	uint64_t workers, uptime_ns;
	uint64_t runs; /* announced now */
	bool has_bill;
};

/* GET /api/v1/runs/ID. What is not known is API_UNKNOWN. */
struct api_look {
	uint64_t open, accepted;     /* of the whole server: whoever's                        */
	uint64_t run_open;           /* open, and by their tokens of this run                 */
	uint64_t proved[API_ROUNDS]; /* indexes of this run whose tokens came, by round       */
	uint64_t kernel;             /* sock_diag: ESTABLISHED on the server's ports, whoever's */
	uint64_t kernel_of_sources;  /* of these, whose peer is a source of this run          */
	uint64_t age_ns;             /* since the run was announced                           */
	struct path_end path;        /* what the server has counted since then, whoever's     */
};

struct result_memory;

/* What the thread that answers asks; called there, one at a time. */
struct api_source {
	void *context;
	struct roll *roll;
	void (*describe)(void *context, struct api_server *out);
	/* 0 and the run's id; -EINVAL, -ENOSPC (it is too large, or there are too many) with one
	 * line in `err`. */
	int (*enter)(void *context, const struct roll_said *said, uint32_t *id, struct err *err);
	/* False where there is no such run. */
	bool (*look)(void *context, uint32_t id, struct api_look *out);
	bool (*strike)(void *context, uint32_t id);
	/* False where none was taken yet. */
	bool (*bill)(void *context, struct result_memory *out);
};
