/* figure_json: the table of figures as JSON, for who reads samples: what a key of a line of
 * out/series means. Schema megaconn.figures/1. */
#pragma once

#include <stddef.h>

struct json_t; /* of jansson */

#define FIGURE_KEY_BYTES 64

/* The document: {"schema": ..., "figures": [{"key": "tcp_memory_bytes", "metric":
 * "megaconn_tcp_memory_bytes", "title": ..., "help": ..., "kind": "gauge" or "counter", "unit":
 * "number", "bytes" or "ns", "group": "run", "label": "cache" or null}, ...]}. The caller's; NULL
 * where there is no memory. */
struct json_t *figure_json(void);
