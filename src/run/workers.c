/* workers: the number of processes.
 *
 * Where both ends are on this machine, one server and one client on each CPU: on loopback the
 * client's connect does the kernel's whole handshake on its own CPU, and SO_INCOMING_CPU hands the
 * connection to the server on the same one. Each CPU has a complete pipeline, and none waits for
 * another.
 *
 * More workers only where a process cannot hold its share of descriptors. Then servers share
 * listening sockets, those of a CPU one set: with a socket each, the kernel's hash would fill one
 * while others have room. A server alone does not know where its clients' packets arrive, so each
 * of its workers is sized for all of them, or all share one set.
 *
 * Clients with a TCP of their own hold any number, and each has source IPs of its own: their ranges
 * of indexes begin where a source IP's do (tuple_spread). Where there are fewer of them than
 * servers, as with one source IP, no CPUs are joined. */
#include "run/workers.h"

#include "run/engines.h"

#include <assert.h>

#define CONNECTIONS_PER_WORKER 2000 /* fewer are not worth another pair of workers */
#define LEADERS                2    /* holder, director; the supervisor is there   */

static uint32_t sides(const struct experiment *x)
{
	return x->kind == RUN_LAB ? 2 : 1;
}

/* How many of these have rings. */
static uint32_t locking_sides(const struct experiment *x)
{
	return x->kind == RUN_LAB && engine_is_utcp(x->clients) ? 1 : sides(x);
}

/* What a server is sized for, so that an uneven spread does not fill it. With CPUs joined the
 * spread is that of the clients; by hash it varies. */
static uint64_t with_slack(const struct experiment *x, uint64_t share)
{
	if (x->server_workers == 1)
		return share;
	return share + share / (x->pinned ? 16 : 8) + 512;
}

/* The inverse. */
static uint64_t without_slack(const struct experiment *x, uint64_t most)
{
	if (x->server_workers == 1)
		return most;
	most = most > 512 ? most - 512 : 0;
	return x->pinned ? most / 17 * 16 : most / 9 * 8;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Clients beside so many servers, or so many as were asked for. */
static uint32_t client_workers(const struct experiment *x, const struct limits *limits,
                               uint32_t workers, bool is_wanted)
{
	uint64_t most = workers;

	if (x->kind == RUN_SERVE)
		return 0;
	if (!engine_is_utcp(x->clients))
		return workers;
	if (!is_wanted)
		most = least(most, limits->cpus);
	most = least(most, tuple_spread_sources(&x->tuples, x->n));
	return most > 0 ? (uint32_t)most : 1;
}

/* Whether each CPU that has a server has a client. */
static bool are_paired(const struct experiment *x, const struct limits *limits)
{
	return x->kind != RUN_LAB || x->client_workers >= least(x->server_workers, limits->cpus);
}

static void set_workers(struct experiment *x, const struct limits *limits, uint32_t workers,
                        bool is_wanted)
{
	x->server_workers = x->kind == RUN_CONNECT ? 0 : workers;
	x->client_workers = client_workers(x, limits, workers, is_wanted);
	/* The limit is the user's, not the process's: all workers share it. */
	x->memlock_bytes = limits->memlock_bytes == LIMITS_NONE
	                           ? UINT64_MAX
	                           : limits->memlock_bytes / 10 * 9 /
	                                     (locking_sides(x) * (uint64_t)workers);
	x->pinned = workers > 1 && workers <= limits->cpus && are_paired(x, limits);
	/* A proxy's connections are made where the proxy runs. */
	x->pinned &= !via_is_proxy(x->via.box.kind);
}

/* Sizes the servers and groups them, and returns how many connections one is good for. */
static uint64_t size_servers(struct experiment *x, const struct limits *limits, uint64_t share)
{
	uint64_t most = engines_most(x->engine, x->listeners, x->nofile, x->memlock_bytes);
	uint64_t wanted = x->kind == RUN_SERVE ? x->n + 512 : with_slack(x, share);
	bool shares = x->server_workers > 1 &&
	              (x->engine == ENGINE_EPOLL || (x->kind == RUN_SERVE && wanted > most));

	x->server_worker_most = (uint32_t)least(shares ? x->n : wanted, most);
	x->listen_groups = x->server_workers;
	if (!shares)
		return x->kind == RUN_SERVE ? most : without_slack(x, most);
	x->pinned = x->kind == RUN_LAB && are_paired(x, limits) && !via_is_proxy(x->via.box.kind);
	x->listen_groups = x->pinned ? (uint32_t)least(x->server_workers, limits->cpus) : 1;
	return most - most / 64; /* the groups are not quite even */
}

/* Sets `workers` of each side, and returns how many connections they can hold together. */
static uint64_t try_workers(struct experiment *x, const struct limits *limits, uint32_t workers,
                            bool is_wanted)
{
	uint64_t servers = UINT64_MAX, clients = UINT64_MAX;

	assert(workers > 0);
	set_workers(x, limits, workers, is_wanted);
	if (x->server_workers > 0)
		servers = size_servers(x, limits, (x->n + workers - 1) / workers) * workers;
	if (x->client_workers > 0)
		clients = (uint64_t)engines_most(x->clients, 0, x->nofile, x->memlock_bytes) *
		          x->client_workers;
	return least(servers, clients);
}

/* Processes beyond the number of CPUs only take turns on them, and the less often the better. */
static void choose_turns(struct experiment *x, const struct limits *limits, uint64_t wanted)
{
	x->clients_at_once = (uint32_t)least(x->client_workers, wanted > 0 ? wanted : limits->cpus);
}

/* How many processes can be started beside those that lead the run. */
static uint64_t tasks_left(const struct limits *l)
{
	uint64_t left = least(least(l->pids_left, l->threads_left),
	                      least(l->nproc_left, l->cgroup_pids_left));

	return left > LEADERS ? left - LEADERS : 0;
}

/* The most workers of a side. */
static uint32_t workers_most(const struct experiment *x, const struct limits *limits)
{
	uint64_t most = least(SHM_WORKERS_MAX, tasks_left(limits)) / sides(x);

	return most > 0 ? (uint32_t)most : 1;
}

static uint64_t choose(struct experiment *x, const struct limits *limits, uint64_t wanted)
{
	uint64_t worth = (x->n + CONNECTIONS_PER_WORKER - 1) / CONNECTIONS_PER_WORKER;
	uint32_t most = workers_most(x, limits), best = 1;
	uint32_t workers = (uint32_t)least(least(worth > 0 ? worth : 1, limits->cpus), most);
	uint64_t best_holds = 0;

	if (wanted > 0) {
		workers = (uint32_t)least(wanted, x->n > 0 ? x->n : 1);
		most = workers;
	}
	/* More need not hold more: what each may lock gets less. */
	for (; workers <= most; workers++) {
		uint64_t holds = try_workers(x, limits, workers, wanted > 0);

		if (holds > best_holds) {
			best = workers;
			best_holds = holds;
		}
		if (holds >= x->n)
			return holds;
	}
	return try_workers(x, limits, best, wanted > 0);
}

uint64_t workers_choose(struct experiment *x, const struct limits *limits, uint64_t wanted)
{
	uint64_t holds = choose(x, limits, wanted);

	choose_turns(x, limits, wanted);
	return holds;
}

/* Where a client's part of the indexes begins. */
static uint64_t part_begins(const struct experiment *x, uint32_t number)
{
	uint64_t sources = tuple_spread_sources(&x->tuples, x->n);

	if (!x->tuples.by_source)
		return x->n * number / x->client_workers;
	return least(sources * number / x->client_workers * tuple_per_source(&x->tuples), x->n);
}

static void describe_client(struct shm_worker *w, const struct experiment *x, uint32_t number)
{
	w->first = (uint32_t)part_begins(x, number);
	w->count = (uint32_t)(part_begins(x, number + 1) - w->first);
}

void workers_describe(const struct experiment *x, struct shm *shm)
{
	uint32_t cpus[SHM_WORKERS_MAX];
	uint32_t cpu_count = limits_cpus(cpus, SHM_WORKERS_MAX);

	shm->worker_count = x->server_workers + x->client_workers;
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		struct shm_worker *w = &shm->workers[i];

		w->role = i < x->server_workers ? ROLE_SERVER : ROLE_CLIENT;
		w->number = w->role == ROLE_SERVER ? i : i - x->server_workers;
		w->cpu = x->pinned && cpu_count > 0 ? (int)cpus[w->number % cpu_count] : -1;
		if (w->role == ROLE_SERVER)
			w->count = x->server_worker_most;
		else
			describe_client(w, x, w->number);
	}
}
