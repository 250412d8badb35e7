/* lab: the decisions of a whole experiment on this machine.
 *
 * Addresses: in a namespace, sources 198.18.0.1 ... and the server 198.19.0.1 (RFC 2544), or
 * 2001:2::1:1 ... and 2001:2::1 (RFC 5180); on the host's network, 127.0.0.2 ... and 127.0.0.1, or
 * ::1 alone. */
#include "run/lab.h"

#include "base/clock.h"
#include "base/text.h"
#include "kernel/diag.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "plan/capacity.h"
#include "plan/walls.h"
#include "run/flights.h"
#include "run/gauge.h"
#include "run/listen.h"
#include "run/verdict.h"
#include "run/workers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define QUIET_NS              (20 * NS_PER_S)
#define SERVER_PORT           8090
#define SERVER_PORTS          30 /* 8090-8119 are never source ports */
#define SERVER_PORTS_MOST     2048
#define LAB_PORT_LOW          10240
#define LAB_PORT_HIGH         65535
#define PORTS_PER_SOURCE      50000
#define LAB_SOURCES_MOST      60000
#define LOOPBACK_SOURCES_MOST 16000000
#define BACKLOG_MOST          65535

static const char *const kind_names[] = {
	[NETNS_HOST] = "host",
	[NETNS_ROOT] = "netns",
	[NETNS_USER] = "user+netns",
};

static const struct {
	const char *source_first, *target;
	uint32_t sources_most;
} networks[2][2] = {
	/* on the host's network                            in a namespace of its own */
	{{"127.0.0.2", "127.0.0.1", LOOPBACK_SOURCES_MOST},
         {"198.18.0.1", "198.19.0.1", LAB_SOURCES_MOST}},
	{{"::1", "::1", 1}, {"2001:2::1:1", "2001:2::1", LAB_SOURCES_MOST}},
};

static int choose_ports(const struct lab_options *options, struct experiment *x, struct err *err)
{
	uint8_t excluded[TUPLE_PORT_BYTES] = {0};
	uint16_t low = options->port_low, high = options->port_high;

	for (uint16_t i = 0; i < SERVER_PORTS; i++)
		tuple_port_mark(excluded, (uint16_t)(SERVER_PORT + i));
	if (low == 0 && x->has_netns) {
		low = LAB_PORT_LOW;
		high = LAB_PORT_HIGH;
	} else if (low == 0 && sysctl_port_range(&low, &high) != 0) {
		return err_set(err, -EINVAL,
		               "cannot read net.ipv4.ip_local_port_range: give --ports LO-HI");
	}
	if (!x->has_netns) {
		(void)sysctl_reserved_ports(excluded);
		(void)diag_listening_ports(excluded);
	}
	if (tuple_set_ports(&x->tuples, low, high, excluded, PORTS_PER_SOURCE) == 0)
		return err_set(err, -EINVAL, "no source port is left in %u-%u: widen --ports", low,
		               high);
	return 0;
}

/* Server ports beyond the first 30 go up to where source ports begin. */
static uint32_t target_ports_most(const struct tuple_plan *plan)
{
	uint32_t first = plan->ports[0];

	if (first < SERVER_PORT + SERVER_PORTS)
		return SERVER_PORTS;
	return first - SERVER_PORT < SERVER_PORTS_MOST ? first - SERVER_PORT : SERVER_PORTS_MOST;
}

static int choose_tuples(const struct lab_options *options, struct experiment *x, struct err *err)
{
	uint32_t sources_most = networks[options->ipv6][x->has_netns].sources_most;
	struct ip first;
	int failed = ip_parse(networks[options->ipv6][x->has_netns].source_first, &first);

	if (failed == 0)
		failed = ip_parse(networks[options->ipv6][x->has_netns].target, &x->tuples.target);
	if (failed != 0)
		return err_set(err, failed, "an address of the lab is malformed");
	pool_set(&x->tuples.sources, &first, sources_most);
	x->tuples.target_port_low = SERVER_PORT;
	failed = choose_ports(options, x, err);
	if (failed == 0)
		tuple_shape(&x->tuples, options->solution, options->n, sources_most,
		            target_ports_most(&x->tuples));
	return failed;
}

static int check(const struct lab_options *options, struct supervisor *s, struct err *err)
{
	struct experiment *x = s->experiment;
	struct gauge gauge = {
		.role = WALL_ROLE_BOTH,
		.is_private = x->has_netns,
		.ends = 2,
		.workers = options->workers,
		.is_assumed = options->is_measurement,
	};
	struct wall_report report;
	int failed = gauge_run(&gauge, s, &report, err);

	if (failed == 0 && !report.fits)
		failed = walls_refuse(&report, err);
	if (failed == 0)
		(void)workers_choose(x, &s->limits, options->workers);
	return failed;
}

static void listen_on_targets(struct experiment *x)
{
	const struct tuple_plan *plan = &x->tuples;

	x->listen_count = 1;
	x->listeners = plan->target_port_count;
	x->listens[0] = (struct experiment_listen){
		.address = plan->target,
		.port_low = plan->target_port_low,
		.port_high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1),
	};
}

static void set_options(const struct lab_options *options, const struct supervisor *s,
                        struct experiment *x)
{
	x->kind = RUN_LAB;
	x->asked = x->n = options->n;
	x->solution = options->solution;
	x->has_netns = s->kind != NETNS_HOST;
	x->is_measurement = options->is_measurement;
	x->nofile = gauge_nofile(&s->limits);
	x->without = options->without;
	x->backlog = options->backlog > 0 ? (int)options->backlog : BACKLOG_MOST;
	x->echo = x->knows_tokens = x->proof = true;
	x->rate_per_s = options->rate_per_s;
	x->in_flight = FLIGHTS_USUAL;
	x->hold_ns = options->hold_ns;
	x->timeout_ns = options->timeout_ns;
	x->retries = (uint32_t)options->retries;
	x->close = x->has_netns ? ENGINE_CLOSE_SILENT : ENGINE_CLOSE_RESET;
	x->reserve_bytes = options->reserve_bytes > 0
	                           ? options->reserve_bytes
	                           : capacity_default_reserve(s->baseline->memory.total_bytes);
}

/* Decides everything that is decided before a run. 0; -E2BIG where n does not fit, with the wall in
 * `err`; -EINVAL where options contradict this machine. */
static int decide(const struct lab_options *options, struct supervisor *s, struct err *err)
{
	struct experiment *x = s->experiment;
	int failed;

	set_options(options, s, x);
	failed = supervisor_choose_engine(s, options->engine, err);
	if (failed == 0)
		failed = choose_tuples(options, x, err);
	if (failed != 0)
		return failed;
	listen_on_targets(x);
	return check(options, s, err);
}

static int add_addresses(const struct tuple_plan *plan, struct err *err)
{
	int failed = netlink_add_addresses("lo", &plan->target, 1);

	if (failed == 0)
		failed = netlink_add_addresses("lo", &plan->sources.ranges[0].first,
		                               plan->source_count);
	if (failed == 0)
		return 0;
	return err_set(err, failed, "cannot add addresses to the lab's loopback link: %s%s",
	               strerror(-failed),
	               plan->target.family == AF_INET6 ? " (is IPv6 switched off in this kernel?)"
	                                               : "");
}

/* Settings of the namespace. One that this kernel has not, or keeps for the host, stays as it is.
 */
static void set_kernel(const struct experiment *x)
{
	char range[16];

	snprintf(range, sizeof(range), "%d %d", LAB_PORT_LOW, LAB_PORT_HIGH);
	(void)sysctl_raise_u64("net.core.somaxconn", BACKLOG_MOST);
	(void)sysctl_raise_u64("net.ipv4.tcp_max_syn_backlog", x->n > 65536 ? x->n : 65536);
	(void)sysctl_set("net.ipv4.ip_local_port_range", range);
	/* Connections of a lab are never continued, so there is nothing to remember. */
	(void)sysctl_set("net.ipv4.tcp_no_metrics_save", "1");
}

/* Inside the namespaces: kernel settings and addresses for the run. */
static int prepare_network(struct experiment *x, struct shm *shm, struct err *err)
{
	(void)shm;
	if (!x->has_netns)
		return listen_check(x, err);
	set_kernel(x);
	return add_addresses(&x->tuples, err);
}

static void choose_kind(struct supervisor *s, const struct lab_options *options)
{
	struct err why = {""};
	char line[640];
	struct text t;

	s->kind = options->no_netns ? NETNS_HOST : netns_probe(&why);
	if (s->kind != NETNS_HOST || options->no_netns)
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "%s: running on the host's network, %s, with its settings as they are",
	         why.text[0] ? why.text : "private namespaces are not available",
	         options->ipv6 ? "::1" : "127.0.0.0/8");
	supervisor_say(s, line);
}

int lab_run(const struct lab_options *options, const struct run_view *view, struct result *result)
{
	struct err err = {""};
	struct supervisor s;
	struct text t;
	int failed = supervisor_init(&s, QUIET_NS, view, result, &err), code;

	result->target = options->n;
	if (failed == 0) {
		choose_kind(&s, options);
		text_init(&t, result->network, sizeof(result->network));
		text_add(&t, "%s", kind_names[s.kind]);
		failed = decide(options, &s, &err);
	}
	s.prepare = prepare_network;
	code = failed == 0 ? supervisor_run(&s) : supervisor_refuse(&s, failed, &err);
	supervisor_end(&s);
	return code;
}
