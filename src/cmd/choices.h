/* choices: options that several commands have: their rows of the table, and their values in the
 * order of what they mean. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>

/* --engine: enum engine_kind. */
extern const char *const choices_engine[];

/* --without: features of the kernel to do without. */
extern const char *const choices_without[];

/* --role: enum wall_role. */
extern const char *const choices_role[];

/* --start-at: NULL is 0, at once. 0, or -EINVAL with one line in `err`. It is not of a search,
 * which is many runs. */
int choices_start_at(const char *text, bool is_search, uint64_t *unix_ns, struct err *err);

/* The chosen one's bits of ENGINE_WITHOUT_... */
uint32_t choices_without_mask(int choice);

/* Rows for a table of `struct opt`, where AT(field) is the offset in the command's structure. Those
 * without a parameter mean its engine, without, tell and help. */
#define CHOICES_ROW_ENGINE                                                      \
	{                                                                       \
		"engine", 0, OPT_CHOICE, AT(engine), 0, 0, choices_engine, "E", \
			"auto, uring (io_uring) or epoll"                       \
	}
#define CHOICES_ROW_ROLE(field)                                                   \
	{                                                                         \
		"role", 0, OPT_CHOICE, AT(field), 0, 0, choices_role, "R",        \
			"what this machine is: server, client, or both (default)" \
	}
#define CHOICES_ROW_SOURCE(field)                                                         \
	{                                                                                 \
		"source", 's', OPT_TEXT, AT(field), 0, 0, NULL, "POOL",                   \
			"source addresses: 198.18.0.1-198.18.0.20, 198.18.0.0/24, a list" \
	}
#define CHOICES_ROW_PORTS(field)                                                             \
	{                                                                                    \
		"ports", 0, OPT_PORTS, AT(field), 0, 0, NULL, "LO-HI",                       \
			"source ports of each source address (default: ip_local_port_range)" \
	}
#define CHOICES_ROW_WORKERS(field, most, what)                            \
	{                                                                 \
		"workers", 'w', OPT_COUNT, AT(field), 1, most, NULL, "N", \
			what " (default: one a CPU, more where needed)"   \
	}
#define CHOICES_ROW_BACKLOG(field, more)                                  \
	{                                                                 \
		"backlog", 0, OPT_COUNT, AT(field), 1, 65535, NULL, "N",  \
			"length of listen queues (default 65535" more ")" \
	}
#define CHOICES_ROW_RESERVE(field, what)                               \
	{                                                              \
		"reserve", 0, OPT_SIZE, AT(field), 1, 0, NULL, "SIZE", \
			what " (default: 5 % of it, at least 512MiB)"  \
	}
#define CHOICES_ROW_RATE(field, more)                                                \
	{                                                                            \
		"rate", 'r', OPT_RATE, AT(field), 1, 0, NULL, "R",                   \
			"connections a second" more " (default: as fast as it goes)" \
	}
#define CHOICES_ROW_START_AT                                                               \
	{                                                                                  \
		"start-at", 0, OPT_TEXT, AT(start_at), 0, 0, NULL, "TIME",                 \
			"begin the ramp then: 2026-11-23T18:00:00Z, 18:00:00, +30s, @UNIX" \
	}
#define CHOICES_ROW_TIMEOUT(field)                                                            \
	{                                                                                     \
		"timeout", 0, OPT_DURATION, AT(field), NS_PER_MS, 3600 * NS_PER_S, NULL, "T", \
			"of a connect and of an echo (default 5s)"                            \
	}
#define CHOICES_ROW_RETRIES(field)                                                        \
	{                                                                                 \
		"retries", 0, OPT_COUNT, AT(field), 0, 100, NULL, "N",                    \
			"further tries of a connect, or an echo, that failed (default 3)" \
	}
#define CHOICES_ROW_WITHOUT                                                        \
	{                                                                          \
		"without", 0, OPT_CHOICE, AT(without), 0, 0, choices_without, "F", \
			"do without a kernel feature: bind, defer, bind+defer"     \
	}
#define CHOICES_ROW_JSON(what)                                                                   \
	{                                                                                        \
		"json", 'j', OPT_TEXT, AT(tell.json), 0, 0, NULL, "FILE", what " (- for stdout)" \
	}
#define CHOICES_ROW_HTTP                                                     \
	{                                                                    \
		"http", 0, OPT_TEXT, AT(tell.http), 0, 0, NULL, "ADDR:PORT", \
			"live page and Prometheus metrics: 127.0.0.1:9464"   \
	}
#define CHOICES_ROW_HTTP_TOKEN                                                           \
	{                                                                                \
		"http-token-file", 0, OPT_TEXT, AT(tell.token_file), 0, 0, NULL, "FILE", \
			"token of who asks --http; else $MEGACONN_TOKEN, or made"        \
	}
#define CHOICES_ROW_OUT                                                                     \
	{                                                                                   \
		"out", 'o', OPT_TEXT, AT(tell.out), 0, 0, NULL, "DIR",                      \
			"record the run in a new directory: result, series, latencies, ..." \
	}
#define CHOICES_ROW_QUIET                                                 \
	{                                                                 \
		"quiet", 'q', OPT_FLAG, AT(tell.quiet), 0, 0, NULL, NULL, \
			"no live line, no summary"                        \
	}
#define CHOICES_ROW_HELP                                                       \
	{                                                                      \
		"help", 'h', OPT_FLAG, AT(help), 0, 0, NULL, NULL, "this text" \
	}
