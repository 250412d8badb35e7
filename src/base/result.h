/* result: what a run leaves: filled by run/, drawn by out/. Schema megaconn.result/1
 * (docs/result.md).
 *
 * It lies in memory that supervisor and director share, so it has no pointers. */
#pragma once

#include "base/answer.h"
#include "base/api.h"
#include "base/bill.h"
#include "base/cause.h"
#include "base/idle.h"
#include "base/packets.h"
#include "base/path.h"
#include "base/quantiles.h"
#include "base/stage.h"
#include "base/via.h"

#include <stdbool.h>
#include <stdint.h>

#define RESULT_UNKNOWN       UINT64_MAX   /* could not be observed: null in JSON */
#define RESULT_UNKNOWN_BYTES BILL_UNKNOWN /* the same for a difference of bytes */
#define RESULT_SLABS_MAX     24

enum verdict {
	VERDICT_FAIL, /* also what is left where nobody came to set it */
	VERDICT_PASS,
	VERDICT_PARTIAL,
	VERDICT_REFUSED,
	VERDICT_COUNT
};

/* Exit codes of the program. */
enum {
	EXIT_PASS = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNPROVED = 3,
	EXIT_REFUSED = 4,
	EXIT_INTERRUPTED = 130
};

struct result_proof {
	uint64_t sent, echoed, mismatched;
	uint64_t server_echoed; /* how many indexes the server saw                             */
	uint64_t differing;     /* indexes that only one of the two sides counts as proved     */
	uint64_t duration_ns;
	bool done;
	uint64_t repeated; /* tokens that were said once more: not back in time */
};

struct result_slab {
	char name[32];
	int64_t objects, bytes; /* difference to the baseline; bytes are whole pages */
};

struct result_memory {
	uint64_t connections; /* what the figures are divided by */
	int64_t kernel_bytes, server_user_bytes, client_user_bytes, residual_bytes;
	int64_t cgroup_bytes; /* that the cgroup's limit lost; unknown where none bounds us */
	int64_t cgroup_client_bytes; /* of these, by the clients' ends; only of a measurement */
	bool has_slabs;
	uint32_t slab_count;
	struct result_slab slabs[RESULT_SLABS_MAX]; /* largest first */
	struct bill bill;
};

/* What kept messages from being more, or from being in time. */
enum limited {
	LIMITED_NOT,    /* the rate that was asked for was held */
	LIMITED_TOOL,   /* our own clients were late, or out of CPU time */
	LIMITED_TARGET, /* answers were waited for */
	LIMITED_COUNT
};

struct result_traffic {
	enum traffic_kind kind;
	uint64_t said, said_bytes, heard_bytes, busy, answers[ANSWER_COUNT];
	double asked_per_s; /* 0: a closed loop */
	double rate_per_s;  /* answered, good or late */
	struct quantiles corrected, uncorrected, slip;
	struct quantiles first, last; /* of the rounds of a push: to the first, to the last;
	                               * the median is that of `corrected` */
	enum limited limited;
	char why[256]; /* in words, with the numbers */
	/* Parts of one CPU: of all client workers, of all server workers, of softirqs on the
	 * machine, and how many CPUs client workers may use. < 0: not known. */
	double client_cpus, server_cpus, softirq_cpus, client_cpus_most;
};

struct result_churn {
	double asked_per_s; /* < 0: as fast as it goes */
	double rate_per_s;  /* opened again */
	uint64_t closed, opened, rested, failed, failed_by_cause[CAUSE_COUNT];
	bool by_reset;
	uint64_t open_least, open_most; /* as sampled: how far N drifted */
	uint64_t time_wait_most;        /* sockets in TIME_WAIT, as sampled */
	struct quantiles connect;       /* of those that were opened in it */
};

struct result_storm {
	uint64_t cut, back, failed, failed_by_cause[CAUSE_COUNT];
	uint64_t back_50_ns, back_99_ns,
		back_100_ns;        /* until so many % were back; _UNKNOWN: never */
	uint64_t accept_queue_most; /* connections that waited in listen queues, as sampled */
	/* of this network namespace, while it lasted */
	uint64_t listen_overflows, listen_drops, syn_retransmits, syn_queue_drops, cookies_sent,
		cookies_received, cookies_failed;
};

struct result_stage {
	char name[STAGE_NAME_BYTES];
	uint64_t start_ns, duration_ns; /* start: since the hold began */
	uint64_t open_before, open_after;
	bool has_traffic, has_churn, has_storm;
	struct result_traffic traffic;
	struct result_churn churn;
	struct result_storm storm;
};

/* A time in the hold in which connections were lost, or answers stopped (run/outage.h). Times but
 * the first are since it began; _UNKNOWN: not by the end of the hold. */
#define RESULT_OUTAGES_MAX 16
struct result_outage {
	uint64_t start_ns;    /* since the hold began                                         */
	uint64_t duration_ns; /* until all that lived had been answered, all that was lost back */
	uint64_t open_before, open_least;
	uint64_t silent;      /* connections whose answer stayed away, most at once; 0: none    */
	uint64_t quiet_ns;    /* until the first of them was answered again                     */
	uint64_t answered_ns; /* until all of them were that lived                             */
	uint64_t lost, lost_by_cause[CAUSE_COUNT];
	uint64_t back;                                /* of them opened again */
	uint64_t back_50_ns, back_99_ns, back_100_ns; /* until so many % were */
};

/* One trial of a search (--find-max). */
#define RESULT_TRIALS_MAX 48
struct result_trial {
	uint64_t asked; /* connections, or a rate a second */
	double reached;
	uint64_t p99_ns;     /* _UNKNOWN: no traffic */
	double failed_parts; /* 0 .. 1 */
	bool passed;
	char why_not[128];
};
struct result_search {
	char what[16]; /* "connections", "messages", "churn" */
	uint64_t found;
	uint64_t p99_most_ns; /* _UNKNOWN: no bound */
	double failed_most_parts;
	char bound[384]; /* what stopped it, in words */
	uint32_t trial_count;
	struct result_trial trials[RESULT_TRIALS_MAX];
};

/* An index that one end counts as proved in a round, and the other does not. */
#define RESULT_DIFFERING_MAX 16
struct result_differing {
	uint64_t index; /* of the whole, where several hosts make it */
	uint32_t round; /* 0: after the ramp, 1: after the hold      */
	bool client, server;
	char source[64], target[64]; /* "198.18.0.3:10240", as the client has it; "": not known */
};

/* What a server on another host says of the run (--server-api). */
struct result_server {
	bool has; /* it was asked */
	uint32_t id;
	char api[192], host[API_WORD_BYTES], kernel[API_WORD_BYTES], version[API_WORD_BYTES];
	char ports[API_PORTS_BYTES];
	bool has_look[API_ROUNDS]; /* at the beginning of the hold, at its end */
	struct api_look looks[API_ROUNDS];
	bool is_translated; /* no peer of its is one of our source addresses */
	char unknown[256];  /* why an answer is missing; empty: none is */
	bool has_memory;
	struct result_memory memory; /* of its host */
	uint32_t differing_count;
	struct result_differing differing[RESULT_DIFFERING_MAX]; /* the first ones */
};

/* What a box between clients and servers did, while all that came to be were held. What its kind
 * has not, or could not be read, is unknown. */
struct result_via {
	enum via_kind kind;
	uint64_t limit;         /* in force, of what via_unit says                             */
	bool is_given;          /* it was asked for; else the machine's, or the kernel's       */
	uint64_t entries;       /* of its table of connections                                 */
	uint64_t refused;       /* packets that its rule dropped, as its limit was reached     */
	uint64_t invalid;       /* packets that it dropped, as they are of no connection       */
	uint64_t dropped;       /* packets that found no place in the kernel's table           */
	uint64_t insert_failed; /* connections whose entry could not be made: no port was free */
	uint64_t processes;     /* proxies                                                     */
	uint64_t descriptors;   /* that they have open together                                */
};

/* After which rest connections are dead (--probe-idle). */
struct result_idle {
	uint64_t most_ns;  /* the longest rest that was asked for                                */
	uint64_t lives_ns; /* the longest that was lived through; 0: none was                    */
	uint64_t dead_ns;  /* the shortest that was not, or when they ended at rest; or _UNKNOWN */
	uint64_t ended_least_ns, ended_most_ns; /* at rest: nine of ten ended within; _UNKNOWN   */
	enum idle_end how;                      /* IDLE_LIVES: all are alive */
	bool by_echo; /* asked by a token that had to come back; else by keepalive segments */
	bool is_kept; /* the other end spoke meanwhile to those that lived longest          */
	bool is_near; /* lives and dead are as near to each other as is wanted              */
	uint32_t passes;
	uint64_t ends[IDLE_END_COUNT]; /* of all connections that were asked */
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): by what belongs together */
struct result {
	enum verdict verdict;
	int exit_code;
	char reason[1024];
	char role[8];    /* "lab", "serve", "connect" */
	uint64_t target; /* of this host */
	struct { /* of a run that several hosts make together; of 0: it is this one's alone */
		uint32_t number, of;
		uint64_t connections, first, count; /* of all; this one's indexes */
	} shard;
	char to[64]; /* of clients alone: their server, "198.18.0.1:8090-8119" */
	char solution[8];
	char server_engine[8], client_engine[8];
	char network[16]; /* "netns", "user+netns", "host" */
	bool ipv6;
	uint32_t source_ips, server_ports, server_workers, client_workers, workers_died;
	struct result_via via; /* kind VIA_NONE: clients and servers share a network */
	struct {
		uint64_t client, server, kernel;
		uint64_t server_kernel; /* where the server is on another host, and was asked */
	} established;
	uint64_t failed, failed_by_cause[CAUSE_COUNT];
	uint64_t retried, retried_by_cause[CAUSE_COUNT];
	uint64_t lost, lost_by_cause[CAUSE_COUNT];
	uint64_t accept_errors, accept_errors_by_cause[CAUSE_COUNT]; /* of the servers' accepts */
	/* The first source address that was this host's no longer, or that another host of the LAN
	 * had taken; "". */
	char source_gone[46];
	uint64_t not_tried;        /* the ramp ended before their turn, or they did not fit */
	uint64_t reconnected;      /* opened again after they were lost                     */
	uint64_t ramped;           /* that the ramp was to open; 0, or unknown: all of target */
	uint64_t staged, unstaged; /* opened and closed since stages wanted more, or fewer */
	uint64_t open_at_end;      /* before the run closed what was left                   */
	bool has_proof;            /* connections were proved by echo                       */
	bool has_idle;             /* it was to find `idle`, and nothing else */
	struct {                   /* of servers: */
		uint64_t accepted, peak_open, closed, received_bytes, tokens;
	} served;
	uint64_t received_bytes; /* clients: what no proof had asked for */
	struct result_proof proved_ramp, proved;
	bool has_packets;
	struct packets packets; /* clients with a TCP of their own */
	struct {
		uint64_t started_unix_ns; /* the ramp, by this host's clock */
		uint64_t ramp_ns, rate_per_s, hold_ns, teardown_ns;
		uint64_t connect_p50_ns, connect_p90_ns, connect_p99_ns, connect_p999_ns,
			connect_max_ns;
		uint64_t ramp_cpu_ns; /* of all workers, user and system */
	} timing;
	struct path path;          /* between clients and servers, where somebody looked */
	uint64_t listen_overflows; /* TcpExt ListenOverflows during the run */
	uint32_t stage_count;      /* of the hold; those that were begun */
	struct result_stage stages[STAGES_MAX];
	uint32_t outage_count; /* of the hold; those beyond RESULT_OUTAGES_MAX are not kept */
	struct result_outage outages[RESULT_OUTAGES_MAX];
	bool has_search;
	struct result_search search;
	struct result_idle idle; /* where has_idle */
	struct result_memory memory;
	struct result_server server;
	struct {
		char kernel[65];
		uint32_t cpus;
		uint64_t memory_bytes, nofile_hard;
	} host;
};

/* A result of which nothing is known yet: what was not observed stays RESULT_UNKNOWN. */
void result_init(struct result *result);

/* What all stages together come to, where more than one has it: counts are added up, and what
 * cannot be added up (quantiles, the limit) is unknown or none; where only one has it, it is that
 * one's. Says how many have each. */
struct result_sum {
	uint32_t traffics, churns, storms;
	struct result_stage all;
};
void result_sum(const struct result *result, struct result_sum *out);

/* "none", "tool", "target". */
const char *limited_name(enum limited limited);

/* How many should be open after the ramp, and at the end. */
uint64_t result_ramped(const struct result *result);
uint64_t result_wanted(const struct result *result);

/* Answered, good or late. */
uint64_t result_answered(const struct result_traffic *traffic);

/* Messages that came to a bad end: what was said, less what was answered whole and right, and less
 * what we cut ourselves. A late answer is `late_too` bad, or not. */
uint64_t result_bad(const struct result_traffic *traffic, bool late_too);

/* "index 4,711 (198.18.0.3:10240 to 198.19.0.1:8090): echoed for the client, never seen by the
 * server". */
struct text;
void result_say_differing(const struct result_differing *differing, struct text *t);

/* All that the connections cost; RESULT_UNKNOWN_BYTES where a part of it is unknown. */
int64_t result_bytes(const struct result_memory *memory);
