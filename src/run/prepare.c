/* prepare: the decisions of a lab.
 *
 * Addresses: in a namespace, sources 198.18.0.1 ... and the server 198.19.0.1 (RFC 2544), or
 * 2001:2::1:1 ... and 2001:2::1 (RFC 5180); on the host's network, 127.0.0.2 ... and 127.0.0.1, or
 * ::1 alone.
 *
 * Workers: one server and one client on each CPU, since on loopback the client's connect does the
 * kernel's whole handshake on its own CPU, and SO_INCOMING_CPU hands the connection to the server
 * on the same one: each CPU has a complete pipeline, and none waits for another. More workers only
 * where one process cannot hold its share. */
#include "run/prepare.h"

#include "engine/layout.h"
#include "engine/sock.h"
#include "kernel/diag.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "plan/capacity.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SERVER_PORT            8090
#define SERVER_PORTS           30 /* 8090-8119 are never source ports */
#define SERVER_PORTS_MOST      2048
#define LAB_PORT_LOW           10240
#define LAB_PORT_HIGH          65535
#define PORTS_PER_SOURCE       50000
#define CONNECTIONS_PER_WORKER 2000 /* fewer are not worth another pair of workers */
#define LAB_SOURCES_MOST       60000
#define LOOPBACK_SOURCES_MOST  16000000
#define BACKLOG_MOST           65535

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

/* What a server is sized for, so that an uneven spread does not fill it. With CPUs joined the
 * spread is that of the clients; by hash it varies. */
static uint64_t with_slack(const struct experiment *x, uint64_t share)
{
	if (x->server_workers == 1)
		return share;
	return share + share / (x->pinned ? 16 : 8) + 512;
}

static void set_workers(struct experiment *x, const struct limits *limits, uint32_t workers)
{
	x->server_workers = workers;
	x->client_workers = workers;
	x->pinned = workers > 1 && workers <= limits->cpus;
	/* The limit is the user's, not the process's: all workers share it. */
	x->memlock_bytes = limits->memlock_bytes == LIMITS_NONE
	                           ? UINT64_MAX
	                           : limits->memlock_bytes / 10 * 9 / (2 * (uint64_t)workers);
}

/* How many connections one server's engine may be planned for: the inverse of with_slack(). */
static uint64_t process_most(const struct experiment *x)
{
	uint64_t most = layout_most(x->tuples.target_port_count, x->nofile, x->memlock_bytes);

	if (x->server_workers == 1)
		return most;
	most = most > 512 ? most - 512 : 0;
	return x->pinned ? most / 17 * 16 : most / 9 * 8;
}

/* Sets `workers` of each side, and returns how many connections they can hold together. */
static uint64_t try_workers(struct experiment *x, const struct limits *limits, uint32_t workers)
{
	uint64_t share;

	assert(workers > 0);
	share = (x->n + workers - 1) / workers;

	set_workers(x, limits, workers);
	x->server_worker_most = (uint32_t)with_slack(x, share);
	return process_most(x) * workers;
}

/* The director holds a bell for each worker, and a few descriptors of its own. */
static uint32_t workers_most(const struct limits *limits)
{
	uint64_t bells = limits->nofile_hard > 32 ? (limits->nofile_hard - 32) / 2 : 0;

	if (bells == 0)
		return 1;
	return bells < SHM_WORKERS_MAX / 2 ? (uint32_t)bells : SHM_WORKERS_MAX / 2;
}

/* One of each side a CPU, more where they cannot hold n. More need not hold more: what each may
 * lock gets less. Where none holds n, the most that can be held is what the refusal names. */
static void choose_workers(const struct lab_options *options, const struct limits *limits,
                           struct experiment *x)
{
	uint64_t wanted = (x->n + CONNECTIONS_PER_WORKER - 1) / CONNECTIONS_PER_WORKER;
	uint32_t workers = wanted < limits->cpus ? (uint32_t)wanted : limits->cpus;
	uint32_t most = workers_most(limits), best = 1;
	uint64_t best_holds = 0;

	if (options->workers > 0) {
		workers = (uint32_t)(options->workers < x->n ? options->workers : x->n);
		most = workers;
	}
	for (workers = workers < most ? workers : most; workers <= most; workers++) {
		uint64_t holds = try_workers(x, limits, workers);

		if (holds > best_holds) {
			best = workers;
			best_holds = holds;
		}
		if (holds >= x->n)
			return;
	}
	(void)try_workers(x, limits, best);
}

static int check(const struct experiment *x, const struct limits *limits,
                 const struct probe_meminfo *memory, struct err *err)
{
	bool is_ipv6 = x->tuples.target.family == AF_INET6;
	const struct capacity_limits walls = {
		.memory_left_bytes = probe_memory_left_bytes(memory),
		.cgroup_left_bytes = limits->cgroup_left_bytes,
		.reserve_bytes = x->reserve_bytes,
		.pair_bytes = is_ipv6 ? CAPACITY_PAIR_BYTES_IPV6 : CAPACITY_PAIR_BYTES_IPV4,
		.files_left = limits->files_left,
		.tuples = tuple_room(&x->tuples),
		.process_most = process_most(x),
		.workers_most = x->server_workers,
	};

	return capacity_check(&walls, x->n, err);
}

int prepare_experiment(const struct lab_options *options, enum netns_kind kind,
                       const struct limits *limits, const struct probe_meminfo *memory,
                       struct experiment *x, struct err *err)
{
	int failed;

	memset(x, 0, sizeof(*x));
	x->n = options->n;
	x->solution = options->solution;
	x->has_netns = kind != NETNS_HOST;
	x->nofile = limits->nofile_hard;
	x->without = options->without;
	x->backlog = options->backlog > 0 ? (int)options->backlog : BACKLOG_MOST;
	x->rate_per_s = options->rate_per_s;
	x->hold_ns = options->hold_ns;
	x->timeout_ns = options->timeout_ns;
	x->retries = (uint32_t)options->retries;
	x->reserve_bytes = options->reserve_bytes > 0
	                           ? options->reserve_bytes
	                           : capacity_default_reserve(memory->total_bytes);
	if (x->n > CAPACITY_INDEX_MOST)
		return err_set(err, -E2BIG, "more than %llu connections cannot be numbered",
		               (unsigned long long)CAPACITY_INDEX_MOST);
	failed = choose_tuples(options, x, err);
	if (failed != 0)
		return failed;
	choose_workers(options, limits, x);
	return check(x, limits, memory, err);
}

static void describe_client(struct shm_worker *w, const struct experiment *x, uint32_t number)
{
	uint64_t first = x->n * number / x->client_workers;
	uint64_t end = x->n * (number + 1) / x->client_workers;

	w->first = (uint32_t)first;
	w->count = (uint32_t)(end - first);
}

void prepare_workers(const struct experiment *x, struct shm *shm)
{
	uint32_t cpus[SHM_WORKERS_MAX];
	uint32_t cpu_count = limits_cpus(cpus, SHM_WORKERS_MAX);

	shm->worker_count = x->server_workers + x->client_workers;
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		struct shm_worker *w = &shm->workers[i];

		w->role = i < x->server_workers ? ROLE_SERVER : ROLE_CLIENT;
		w->number = w->role == ROLE_SERVER ? i : i - x->server_workers;
		w->cpu = x->pinned && w->number < cpu_count ? (int)cpus[w->number] : -1;
		if (w->role == ROLE_SERVER)
			w->count = x->server_worker_most;
		else
			describe_client(w, x, w->number);
	}
}

/* Those of the pool that the plan uses: the first ones, which may end within a range. */
static int add_sources(const struct tuple_plan *plan)
{
	const struct pool *pool = &plan->sources;
	int failed = 0;

	for (uint32_t i = 0; i < pool->range_count && failed == 0; i++) {
		const struct pool_range *range = &pool->ranges[i];
		uint32_t left;

		if (range->before >= plan->source_count)
			break;
		left = plan->source_count - range->before;
		failed = netlink_add_addresses("lo", &range->first,
		                               left < range->count ? left : range->count);
	}
	return failed;
}

static int add_addresses(const struct tuple_plan *plan, struct err *err)
{
	int failed = netlink_add_addresses("lo", &plan->target, 1);

	if (failed == 0)
		failed = add_sources(plan);
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

/* Workers share their ports with each other (SO_REUSEPORT), and so they would with another run of
 * the same user. Listening alone first finds that one, or whoever else is there. */
static int check_ports_are_ours(const struct experiment *x, struct err *err)
{
	const struct tuple_plan *plan = &x->tuples;
	struct sockaddr_storage address;

	for (uint32_t i = 0; i < plan->target_port_count; i++) {
		uint16_t port = (uint16_t)(plan->target_port_low + i);
		const struct sock_listen alone = {
			.address = (const struct sockaddr *)&address,
			.address_len = ip_sockaddr(&plan->target, port, &address),
			.backlog = 1,
			.cpu = -1,
		};
		int fd = sock_listen(&alone, err);

		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

int prepare_network(const struct experiment *x, struct err *err)
{
	if (!x->has_netns)
		return check_ports_are_ours(x, err);
	set_kernel(x);
	return add_addresses(&x->tuples, err);
}
