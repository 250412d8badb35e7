/* experiment: what an experiment is, decided before anything is opened: who listens where, who
 * connects where, with how many workers, for how long. Everybody reads it; nobody changes it once
 * workers are forked. */
#pragma once

#include "base/stage.h"
#include "base/via.h"
#include "behave/request.h"
#include "behave/script.h"
#include "engine/engine.h"
#include "plan/shard.h"
#include "plan/tuple.h"
#include "utcp/device_lan.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define EXPERIMENT_LISTENS_MAX 16

enum run_kind {
	RUN_LAB,    /* servers and clients */
	RUN_SERVE,  /* servers alone       */
	RUN_CONNECT /* clients alone       */
};

/* What happens to a server's connections beyond their being there. */
struct experiment_listen {
	struct ip address;
	uint16_t port_low, port_high;
};

/* The box between a lab's clients and servers (run/via.h). */
#define EXPERIMENT_PROXIES_MAX 64
struct experiment_via {
	struct via box;
	struct ip server; /* where servers listen; clients of a proxy connect to another address */
	uint32_t proxies; /* processes                              */
	uint64_t nofile;  /* descriptors of each                    */
	uint32_t source_ips; /* that proxies connect from              */
	char program[256];   /* path of what makes the rules, or of a proxy */
	char module[256];    /* that the proxy has to load; "": none   */
	/* Of the director, from when the network is prepared: networks as descriptors, proxies. */
	int servers_net, box_net, clients_net;
	pid_t proxy[EXPERIMENT_PROXIES_MAX];
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): by what belongs together */
struct experiment {
	enum run_kind kind;
	uint64_t asked;           /* how many connections were asked for                         */
	uint64_t n;               /* how many will be tried (clients) or held at most (servers)  */
	char wall[384];           /* where n is less: the wall that stops it                     */
	struct shard shard;       /* which of several hosts' parts it is                         */
	uint64_t whole;           /* connections of all of them; asked, where there is no other  */
	uint32_t index_first;     /* this part's first index in the whole: tokens and messages are
	                           * made of index_first + the number of the connection here */
	enum engine_kind engine;  /* of kernel sockets: the servers' */
	enum engine_kind clients; /* the same, or one with a TCP of its own */
	enum solution solution;
	struct tuple_plan tuples; /* of clients */
	bool is_on_lan;   /* clients of our own TCP are hosts of a LAN, and so is the server: */
	struct lan lan;   /* this one                                                         */
	uint64_t spares;  /* of its numbers, beyond the first n: for a churn by FIN */
	uint64_t rest_ns; /* how long a tuple rests after that                      */
	struct experiment_listen listens[EXPERIMENT_LISTENS_MAX]; /* of servers */
	uint32_t listen_count;
	uint32_t listeners;     /* ports of all of them                                         */
	uint32_t listen_groups; /* sets of listening sockets; server i takes from set i % groups */
	uint32_t server_workers, client_workers;
	uint32_t clients_at_once;    /* so many ramp and prove at a time; the others wait */
	uint32_t server_worker_most; /* connections a server's engine is sized for            */
	uint64_t nofile;             /* descriptor limit of a worker                          */
	uint64_t memlock_bytes;      /* of locked memory for one worker; UINT64_MAX: no bound */
	uint32_t without;            /* features of the engine that may not be used           */
	bool freebind;     /* source addresses are this host's by a route alone          */
	bool knows_tokens; /* servers can tell a token of this run from others             */
	bool pinned;       /* a server and a client on each CPU, joined by SO_INCOMING_CPU */
	int backlog;
	uint64_t start_at_unix_ns; /* when the ramp begins; 0: as soon as all is ready */
	uint64_t rate_per_s;       /* of all workers together; 0: as fast as it goes          */
	uint64_t in_flight;        /* connects and echoes under way in one client at most      */
	uint64_t ramp_to;          /* the ramp opens so many of n; 0: all. Stages open more */
	uint64_t hold_ns;          /* of all stages; UINT64_MAX: until interrupted */
	uint32_t stage_count;      /* >= 1 */
	struct stage stages[STAGES_MAX];
	enum serve_mode mode;   /* what servers do with what comes         */
	struct stage push;      /* of servers in mode push: every_ns, size */
	struct request request; /* of traffic http   */
	struct script script;   /* of traffic script */
	uint32_t body_bytes;    /* of servers in mode http: of each response */
	uint32_t message_bytes; /* of one send or receive of an engine; 0: ENGINE_SEND_MAX */
	uint64_t timeout_ns;    /* of a connect, and of an echo                            */
	uint32_t retries;
	uint32_t failed_most_parts; /* of a million messages and connections that fail */
	bool has_failed_most;       /* there is such a bound */
	bool proof;              /* clients prove each connection by an echo                      */
	bool has_same_clock;     /* both ends are on this host: a server's times are ours         */
	bool watch;              /* clients see at once when a connection ends, at 256 bytes each */
	bool reconnect;          /* what is lost is opened again, and connecting never gives up   */
	enum engine_close close; /* how it ends */
	uint64_t p99_most_ns;    /* of the corrected latency of a stage's answers; 0: any */
	uint64_t reserve_bytes;  /* of memory: below it the guard ends the ramp            */
	bool watches_path;       /* what is on the wire is counted (run/ends) */
	bool has_hello; /* the server was asked first whether it echoes: one connection more */
	bool has_api;   /* of a server: other hosts may ask it of their runs (run/serve_api) */
	struct experiment_via via;
	bool has_netns;
	bool is_measurement; /* clients close before servers, so that each end's cost is seen */
	/* The first interrupt, where it comes in the hold, ends that alone: all else goes on. */
	bool interrupt_ends_hold;
};

/* How many connections are open after the ramp, where all goes well. */
static inline uint64_t experiment_ramped(const struct experiment *x)
{
	return x->ramp_to == 0 || x->ramp_to > x->n ? x->n : x->ramp_to;
}

/* How many are to be open in stage number `stages` (1: the first; 0: none has begun): as the ramp
 * has it, or the last stage that has said so. */
static inline uint64_t experiment_wanted(const struct experiment *x, uint32_t stages)
{
	uint64_t wanted = experiment_ramped(x);

	for (uint32_t i = 0; i < stages && i < x->stage_count; i++) {
		if (x->stages[i].connections > 0)
			wanted = x->stages[i].connections < x->n ? x->stages[i].connections : x->n;
	}
	return wanted;
}
