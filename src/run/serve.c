/* serve: the decisions of a server alone: where it listens, and how many it can hold. */
#include "run/serve.h"

#include "base/clock.h"
#include "base/text.h"
#include "plan/capacity.h"
#include "plan/walls.h"
#include "run/gauge.h"
#include "run/listen.h"
#include "run/living.h"
#include "run/verdict.h"
#include "run/workers.h"

#include <errno.h>
#include <string.h>

#define QUIET_NS        NS_PER_S
#define BACKLOG_MOST    65535
#define MESSAGE_MOST    16384 /* of one send or read   */
#define HTTP_HEAD_BYTES 384   /* room for the head of a response, and of a request */
#define DESCRIPTORS     32    /* of a process, beside its listening sockets */

/* How much is sent and read at a time: all of a message where that can be. */
static uint32_t message_bytes(const struct serve_options *options)
{
	switch (options->mode) {
	case SERVE_HTTP:
		return HTTP_HEAD_BYTES +
		       (options->body_bytes < MESSAGE_MOST ? options->body_bytes : MESSAGE_MOST);
	case SERVE_DISCARD:
	case SERVE_CHARGEN:
		return MESSAGE_MOST;
	case SERVE_ECHO:
	case SERVE_PUSH:
		return (uint32_t)options->size.high;
	case SERVE_HOLD:
	case SERVE_MODE_COUNT:
		break;
	}
	return 0;
}

static void set_mode(const struct serve_options *options, struct experiment *x)
{
	bool is_sized = options->size.high > 0;

	x->mode = options->mode;
	x->body_bytes = options->body_bytes;
	x->message_bytes = message_bytes(options);
	x->push = (struct stage){
		.traffic = TRAFFIC_PUSH,
		.every_ns = options->every_ns > 0 ? options->every_ns : LIVING_PUSH_NS,
		.size_least_bytes = is_sized ? (uint32_t)options->size.low : LIVING_SIZE_USUAL,
		.size_most_bytes = is_sized ? (uint32_t)options->size.high : LIVING_SIZE_USUAL,
	};
}

static void set_options(const struct serve_options *options, const struct supervisor *s,
                        struct experiment *x)
{
	x->kind = RUN_SERVE;
	x->asked = x->n = options->n < CAPACITY_INDEX_MOST ? options->n : CAPACITY_INDEX_MOST;
	x->nofile = gauge_nofile(&s->limits);
	x->without = options->without;
	x->backlog = options->backlog > 0 ? (int)options->backlog : BACKLOG_MOST;
	set_mode(options, x);
	x->close = options->close;
	x->has_api = x->watches_path = options->has_api;
	x->reserve_bytes = options->reserve_bytes > 0
	                           ? options->reserve_bytes
	                           : capacity_default_reserve(s->baseline->memory.total_bytes);
	x->listen_count = options->listen_count;
	for (uint32_t i = 0; i < options->listen_count; i++) {
		x->listens[i] = options->listens[i];
		x->listeners +=
			(uint32_t)(options->listens[i].port_high - options->listens[i].port_low) +
			1;
	}
}

/* Cuts n to what fits, and keeps the wall that it will meet. */
static int fit(struct supervisor *s, struct experiment *x, uint64_t workers, struct err *err)
{
	struct gauge gauge = {
		.role = WALL_ROLE_SERVER,
		.ends = 1,
		.workers = workers,
	};
	struct wall_report report;
	struct text t;
	int failed = gauge_run(&gauge, s, &report, err);

	if (failed != 0)
		return failed;
	supervisor_tell_walls(s, &report);
	if (report.largest == 0)
		return walls_refuse(&report, err);
	text_init(&t, x->wall, sizeof(x->wall));
	if (report.fits) {
		text_add(&t, "as many as were asked for (-n)");
	} else {
		walls_describe(&report, x->wall, sizeof(x->wall));
		x->n = report.largest;
	}
	(void)workers_choose(x, &s->limits, workers);
	return 0;
}

static int decide(const struct serve_options *options, struct supervisor *s, struct err *err)
{
	struct experiment *x = s->experiment;
	int failed;

	set_options(options, s, x);
	if (x->listeners + DESCRIPTORS > x->nofile)
		return err_set(
			err, -EMFILE,
			"%u listening ports need as many descriptors, and a process may have "
			"%llu: raise the limit (ulimit -n), or listen on fewer",
			x->listeners, (unsigned long long)x->nofile);
	failed = supervisor_choose_engine(s, options->engine, err);
	return failed == 0 ? fit(s, x, options->workers, err) : failed;
}

static int prepare(struct experiment *x, struct shm *shm, struct err *err)
{
	(void)shm;
	return listen_check(x, err);
}

/* "listening on 127.0.0.1:8090-8119: room for 1,000,000 connections, 2 workers (uring)" */
static void describe_listening(const struct experiment *x, struct text *t)
{
	char address[IP_TEXT_BYTES];

	text_add(t, "listening on ");
	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct experiment_listen *on = &x->listens[i];
		bool is_ipv6 = on->address.family == AF_INET6;

		text_add(t, is_ipv6 ? "%s[%s]:%u" : "%s%s:%u", i > 0 ? ", " : "",
		         ip_format(&on->address, address), on->port_low);
		if (on->port_high > on->port_low)
			text_add(t, "-%u", on->port_high);
	}
	text_add(t, ": room for ");
	text_count(t, x->n);
	text_add(t, " connections, %u worker%s (%s)", x->server_workers,
	         x->server_workers == 1 ? "" : "s", engine_kind_name(x->engine));
	if (x->n < x->asked)
		text_add(t, "; the wall is %s", x->wall);
}

int serve_run(const struct serve_options *options, const struct run_view *view,
              struct result *result)
{
	struct err err = {""};
	struct supervisor s;
	char listening[1024];
	struct text t;
	int failed = supervisor_init(&s, QUIET_NS, view, result, &err), code;

	result->target = options->n;
	if (failed == 0)
		failed = decide(options, &s, &err);
	if (failed == 0) {
		text_init(&t, listening, sizeof(listening));
		describe_listening(s.experiment, &t);
		s.listening = listening;
		s.prepare = prepare;
	}
	code = failed == 0 ? supervisor_run(&s) : supervisor_refuse(&s, failed, &err);
	supervisor_end(&s);
	return code;
}
