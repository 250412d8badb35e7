/* lab: the decisions of a whole experiment on this machine.
 *
 * Addresses: in a namespace, sources 198.18.0.1 ... and the server 198.19.0.1 (RFC 2544), or
 * 2001:2::1:1 ... and 2001:2::1 (RFC 5180); on the host's network, 127.0.0.2 ... and 127.0.0.1, or
 * ::1 alone.
 *
 * Clients: kernel sockets, or our own TCP, whose source IPs no link has: its devices have routes to
 * them. There are at least as many of these as client workers, but with solution 2, where there is
 * one and hence one client.
 *
 * As many as fit are what the table of limits allows, less what it may be wrong by. */
#include "run/lab.h"

#include "base/clock.h"
#include "base/text.h"
#include "kernel/diag.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "plan/capacity.h"
#include "plan/walls.h"
#include "run/engines.h"
#include "run/flights.h"
#include "run/gauge.h"
#include "run/listen.h"
#include "run/spare.h"
#include "run/verdict.h"
#include "run/via.h"
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
#define ERROR_MEASURED        100 /* a wall that was measured is exact to a hundredth */
#define ERROR_ASSUMED         5   /* one by earlier figures to a fifth                */

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

/* Devices are one a client and have source IPs of their own: enough for as many clients as there
 * may be. */
static void allow_clients(const struct lab_options *options, const struct limits *limits,
                          struct experiment *x, uint32_t sources_most)
{
	uint64_t clients = options->workers > 0 ? options->workers : limits->cpus;

	clients = clients < x->n ? clients : x->n;
	clients = clients < sources_most ? clients : sources_most;
	if (options->solution != SOLUTION_PORTS && x->tuples.source_count < clients)
		x->tuples.source_count = (uint32_t)clients;
}

static int choose_tuples(const struct lab_options *options, const struct limits *limits,
                         struct experiment *x, struct err *err)
{
	uint32_t sources_most = networks[options->ipv6][x->has_netns].sources_most;
	struct ip first;
	int failed = ip_parse(networks[options->ipv6][x->has_netns].source_first, &first);

	if (failed == 0)
		failed = ip_parse(networks[options->ipv6][x->has_netns].target, &x->tuples.target);
	if (failed != 0)
		return err_set(err, failed, "an address of the lab is malformed");
	via_aim(x);
	pool_set(&x->tuples.sources, &first, sources_most);
	x->tuples.target_port_low = SERVER_PORT;
	failed = choose_ports(options, x, err);
	if (failed != 0)
		return failed;
	x->rest_ns = x->has_netns ? SPARE_REUSE_NS : spare_rest_ns(x);
	x->spares = spare_wanted(x, x->rest_ns, limits->cpus);
	tuple_shape(&x->tuples, options->solution, x->n + x->spares, sources_most,
	            target_ports_most(&x->tuples));
	if (engine_is_utcp(x->clients))
		allow_clients(options, limits, x, sources_most);
	return 0;
}

static void listen_on_targets(struct experiment *x)
{
	const struct tuple_plan *plan = &x->tuples;

	x->listen_count = 1;
	x->listeners = plan->target_port_count;
	x->listens[0] = (struct experiment_listen){
		.address = x->via.server,
		.port_low = plan->target_port_low,
		.port_high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1),
	};
}

static int set_options(const struct lab_options *options, const struct supervisor *s,
                       struct experiment *x, struct err *err)
{
	x->kind = RUN_LAB;
	x->via.box = options->via;
	x->watches_path = options->via.kind != VIA_NONE;
	x->asked = x->n = options->n == LAB_N_MOST ? CAPACITY_INDEX_MOST : options->n;
	x->solution = options->solution;
	x->has_netns = s->kind != NETNS_HOST;
	x->is_measurement = options->is_measurement;
	x->nofile = gauge_nofile(&s->limits);
	x->without = options->without;
	x->backlog = options->backlog > 0 ? (int)options->backlog : BACKLOG_MOST;
	x->knows_tokens = x->has_same_clock = x->proof = true;
	x->start_at_unix_ns = options->start_at_unix_ns;
	x->rate_per_s = options->rate_per_s;
	x->in_flight = FLIGHTS_USUAL;
	x->timeout_ns = options->timeout_ns;
	x->retries = (uint32_t)options->retries;
	x->close = x->has_netns ? ENGINE_CLOSE_SILENT : ENGINE_CLOSE_RESET;
	x->reserve_bytes = options->reserve_bytes > 0
	                           ? options->reserve_bytes
	                           : capacity_default_reserve(s->baseline->memory.total_bytes);
	return living_set(&options->living, options->hold_ns, "megaconn.lab:80", x, err);
}

/* Plans n connections with the clients that were chosen, and judges them. */
static int plan(const struct lab_options *options, struct supervisor *s, bool is_assumed,
                struct wall_report *report, struct err *err)
{
	struct experiment *x = s->experiment;
	struct gauge gauge = {
		.role = WALL_ROLE_BOTH,
		.is_private = x->has_netns,
		.ends = engine_is_utcp(x->clients) ? 1 : 2,
		.workers = options->workers,
		.is_assumed = is_assumed || options->is_measurement,
	};
	int failed = choose_tuples(options, &s->limits, x, err);

	if (failed != 0)
		return failed;
	listen_on_targets(x);
	return gauge_run(&gauge, s, report, err);
}

/* --- who the clients are -------------------------------------------------------------------- */

/* Our own TCP in place of sockets: of the wanted kind, or AUTO. */
static int take_utcp(struct supervisor *s, enum engine_kind wanted, struct err *why)
{
	if (s->kind == NETNS_HOST)
		return err_set(why, -EPERM,
		               "clients of our own TCP need a private network: where namespaces "
		               "are allowed, without --no-netns; or --clients sockets");
	return engines_choose_utcp(wanted, true, &s->experiment->clients, why);
}

/* The row of memory that stops it, or NULL. By assumed figures only the machine's, when it does by
 * far: which end the kernel charges a cgroup for is known by measuring alone. */
static const struct wall_row *short_memory(const struct wall_report *report, bool is_assumed)
{
	const struct wall_row *machine = walls_row(report, "memory");
	const struct wall_row *cgroup = walls_row(report, "cgroup_memory");
	uint64_t n = report->n;

	if (is_assumed)
		return machine && machine->allows < n - n / ERROR_ASSUMED ? machine : NULL;
	if (report->fits)
		return NULL;
	return machine && machine->allows < n ? machine
	       : cgroup && cgroup->allows < n ? cgroup
	                                      : NULL;
}

/* "3,000,000 pairs of kernel sockets take 23.6 GiB, and 15.1 GiB are left beside the reserve:
 * clients are our own TCP (tun)" */
static void say_utcp(const struct supervisor *s, const struct wall_row *memory, const char *why)
{
	uint64_t reserve_bytes = s->experiment->reserve_bytes;
	char line[640];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_count(&t, s->experiment->n);
	text_add(&t, " pairs of kernel sockets take ");
	text_bytes(&t, memory->needed - reserve_bytes);
	text_add(&t, ", and ");
	text_bytes(&t, memory->value > reserve_bytes ? memory->value - reserve_bytes : 0);
	text_add(&t, " are left beside the reserve: clients are our own TCP (%s%s%s)",
	         engine_kind_name(s->experiment->clients), why[0] ? ", as " : "", why);
	supervisor_say(s, line);
}

/* Where memory is too short for sockets at both ends. True, and said why, where clients are our own
 * TCP from now on. */
static bool is_utcp_better(const struct lab_options *options, struct supervisor *s,
                           const struct wall_report *report, bool is_assumed)
{
	const struct wall_row *memory = short_memory(report, is_assumed);
	struct err why = {""};

	if (options->clients != LAB_CLIENTS_AUTO || !memory || s->kind == NETNS_HOST ||
	    options->via.kind != VIA_NONE)
		return false;
	if (take_utcp(s, ENGINE_AUTO, &why) != 0) {
		s->experiment->clients = s->experiment->engine;
		return false;
	}
	say_utcp(s, memory, why.text);
	return true;
}

/* Sockets by what they are known to cost; where these are far too many, our own TCP; where that is
 * not sure, what they cost is measured. */
static int plan_auto(const struct lab_options *options, struct supervisor *s,
                     struct wall_report *report, struct err *err)
{
	int failed = plan(options, s, true, report, err);

	if (failed != 0)
		return failed;
	if (is_utcp_better(options, s, report, true))
		return plan(options, s, false, report, err);
	failed = plan(options, s, false, report, err);
	if (failed == 0 && is_utcp_better(options, s, report, false))
		return plan(options, s, false, report, err);
	return failed;
}

/* The clients that were asked for; with AUTO sockets for now, but for as many as fit those that
 * take less. */
static int choose_clients(const struct lab_options *options, struct supervisor *s, struct err *err)
{
	struct err why = {""};

	switch (options->clients) {
	case LAB_CLIENTS_TUN:
		return take_utcp(s, ENGINE_TUN, err);
	case LAB_CLIENTS_PACKET:
		return take_utcp(s, ENGINE_PACKET, err);
	case LAB_CLIENTS_AUTO:
		if (options->n == LAB_N_MOST && take_utcp(s, ENGINE_AUTO, &why) != 0)
			s->experiment->clients = s->experiment->engine;
		return 0;
	case LAB_CLIENTS_SOCKETS:
	case LAB_CLIENTS_COUNT:
		break;
	}
	return 0;
}

/* Between networks of the run's own. */
static int choose_box(const struct lab_options *options, struct supervisor *s, struct err *err)
{
	if (options->via.kind == VIA_NONE)
		return 0;
	if (s->kind == NETNS_HOST)
		return err_set(
			err, -EPERM,
			"--via needs private networks: where namespaces are allowed, without "
			"--no-netns");
	if (options->clients == LAB_CLIENTS_TUN || options->clients == LAB_CLIENTS_PACKET)
		return err_set(
			err, -EINVAL,
			"--via takes clients that are sockets: our own TCP has devices where "
			"the servers are (--clients sockets)");
	s->experiment->clients = s->experiment->engine;
	return via_choose(&options->via, &s->limits, s->experiment, err);
}

/* --- how many ------------------------------------------------------------------------------- */

static int plan_most(const struct lab_options *options, struct supervisor *s,
                     const struct wall_report *report, struct err *err)
{
	struct experiment *x = s->experiment;
	int failed;

	x->asked = x->n = report->largest - report->largest / ERROR_MEASURED;
	failed = choose_tuples(options, &s->limits, x, err);
	listen_on_targets(x);
	return failed;
}

/* Who has which part; source IPs in equal parts, where they can be more. */
static void choose_workers(const struct lab_options *options, struct supervisor *s)
{
	struct experiment *x = s->experiment;
	uint32_t most = x->tuples.sources.count, clients;

	(void)workers_choose(x, &s->limits, options->workers);
	if (!engine_is_utcp(x->clients))
		return;
	clients = x->client_workers;
	if (options->solution != SOLUTION_PORTS && x->tuples.source_count <= most - clients)
		x->tuples.source_count = (x->tuples.source_count + clients - 1) / clients * clients;
	tuple_spread(&x->tuples, x->n);
	(void)workers_choose(x, &s->limits, options->workers);
}

static void say_unproved(const struct supervisor *s)
{
	if (!s->experiment->proof)
		supervisor_say(s, "servers of HTTP do not echo: connections are held and counted, "
		                  "no echo proof is possible");
}

/* Decides everything that is decided before a run. 0; -E2BIG where n does not fit, with the wall in
 * `err`; -EINVAL where options contradict this machine. */
static int decide(const struct lab_options *options, struct supervisor *s, struct err *err)
{
	struct wall_report report;
	int failed = set_options(options, s, s->experiment, err);

	if (failed == 0)
		failed = supervisor_choose_engine(s, options->engine, err);
	if (failed == 0)
		failed = choose_clients(options, s, err);
	if (failed == 0)
		failed = choose_box(options, s, err);
	if (failed != 0)
		return failed;
	failed = engine_is_utcp(s->experiment->clients) || options->clients != LAB_CLIENTS_AUTO
	                 ? plan(options, s, false, &report, err)
	                 : plan_auto(options, s, &report, err);
	if (failed != 0)
		return failed;
	supervisor_tell_walls(s, &report);
	if (options->n == LAB_N_MOST && report.largest > 0)
		failed = plan_most(options, s, &report, err);
	else if (!report.fits)
		failed = walls_refuse(&report, err);
	if (failed != 0)
		return failed;
	choose_workers(options, s);
	say_unproved(s);
	return 0;
}

/* --- the run -------------------------------------------------------------------------------- */

static int add_sources(const struct experiment *x)
{
	return netlink_add_addresses("lo", &x->tuples.sources.ranges[0].first,
	                             x->tuples.source_count);
}

/* Our own TCP's source IPs are behind its devices. */
static int add_addresses(const struct experiment *x, struct err *err)
{
	const struct tuple_plan *plan = &x->tuples;
	int failed = netlink_add_addresses("lo", &x->via.server, 1);

	if (failed == 0 && !engine_is_utcp(x->clients) && x->via.box.kind == VIA_NONE)
		failed = add_sources(x);
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
	/* Both ends are ours: a tuple may leave TIME_WAIT early, but not before its time. */
	(void)sysctl_set("net.ipv4.tcp_tw_reuse", "1");
	(void)sysctl_raise_u64("net.ipv4.tcp_max_tw_buckets", x->spares);
}

/* The plan has gone by what the kernel was to be set to. */
static void learn_rest(struct experiment *x, struct shm *shm)
{
	char line[160];

	x->rest_ns = spare_rest_ns(x);
	if (x->spares == 0 || x->rest_ns < SPARE_REST_NS)
		return;
	snprintf(line, sizeof(line),
	         "net.ipv4.tcp_tw_reuse cannot be set here: churn by FIN is at most %llu/s; "
	         "--churn-by rst has no bound",
	         (unsigned long long)spare_rate(x->spares, x->rest_ns));
	shm_notice(shm, line);
}

/* Clients of a box are in a network of their own, and so is the box. */
static int prepare_box(struct experiment *x, struct err *err)
{
	int failed = via_open(x, err);

	if (failed != 0)
		return failed;
	failed = via_go(x, VIA_BOX);
	set_kernel(x);
	if (failed == 0)
		failed = via_go(x, VIA_CLIENTS);
	set_kernel(x);
	if (failed == 0)
		failed = add_sources(x);
	if (failed == 0)
		failed = via_go(x, VIA_SERVERS);
	return failed == 0 ? via_start(x, err)
	                   : err_set(err, failed, "cannot add the addresses of clients: %s",
	                             strerror(-failed));
}

/* Inside the namespaces: kernel settings and addresses for the run. */
static int prepare_network(struct experiment *x, struct shm *shm, struct err *err)
{
	if (!x->has_netns)
		return listen_check(x, err);
	set_kernel(x);
	learn_rest(x, shm);
	int failed = add_addresses(x, err);

	return failed == 0 && x->via.box.kind != VIA_NONE ? prepare_box(x, err) : failed;
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

	result->target = options->n == LAB_N_MOST ? 0 : options->n;
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
