/* watch: the monitor: samples of this host at an interval, on a screen or as lines. No run of ours
 * is needed, and nothing is changed. */
#pragma once

#include "base/err.h"
#include "out/http_token.h"
#include "out/screen.h"

#include <stdbool.h>
#include <stdint.h>

struct watch_options {
	uint64_t interval_ns;    /* WATCH_INTERVAL_LEAST_NS ... _MOST_NS                     */
	uint64_t count;          /* samples after the first one, then it ends; 0: no end     */
	const char *netns;       /* NULL: our own; else see sampler_enter_netns              */
	struct http_token token; /* of who asks there                                      */
	const char *http;        /* ADDR:PORT of metrics and live page, checked; NULL: none  */
	enum screen_sort sort;   /* of slab caches, at first                                 */
	bool has_ports;          /* sockets by port from the beginning                       */
	bool is_plain;           /* lines, also on a terminal                                */
};

#define WATCH_INTERVAL_LEAST_NS 100000000ULL
#define WATCH_INTERVAL_MOST_NS  3600000000000ULL

/* Watches until told to end: by q, SIGINT, SIGTERM, SIGHUP, or the count. `say` gets lines that are
 * no samples. 0; or a negative errno with one line in `err`: what sampler_enter_netns and http_open
 * say, -EIO where lines cannot be written. */
int watch_run(const struct watch_options *options, void (*say)(const char *line), struct err *err);
