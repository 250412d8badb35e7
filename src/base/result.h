/* result: what a run leaves: filled by run/, drawn by out/. Schema megaconn.result/1
 * (docs/result.md).
 *
 * It lies in memory that supervisor and director share, so it has no pointers. */
#pragma once

#include "base/bill.h"
#include "base/cause.h"
#include "base/packets.h"

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

struct result {
	enum verdict verdict;
	int exit_code;
	char reason[512];
	char role[8]; /* "lab", "serve", "connect" */
	uint64_t target;
	char solution[8];
	char server_engine[8], client_engine[8];
	char network[16]; /* "netns", "user+netns", "host" */
	bool ipv6;
	uint32_t source_ips, server_ports, server_workers, client_workers, workers_died;
	struct {
		uint64_t client, server, kernel;
	} established;
	uint64_t failed, failed_by_cause[CAUSE_COUNT];
	uint64_t retried, retried_by_cause[CAUSE_COUNT];
	uint64_t lost, lost_by_cause[CAUSE_COUNT];
	uint64_t accept_errors, accept_errors_by_cause[CAUSE_COUNT]; /* of the servers' accepts */
	uint64_t not_tried;   /* the ramp ended before their turn, or they did not fit */
	uint64_t reconnected; /* opened again after they were lost                     */
	uint64_t open_at_end; /* before the run closed what was left                   */
	bool has_proof;       /* connections were proved by echo                       */
	struct {              /* of servers: */
		uint64_t accepted, peak_open, closed, received_bytes, tokens;
	} served;
	uint64_t received_bytes; /* clients: what no proof had asked for */
	struct result_proof proved_ramp, proved;
	bool has_packets;
	struct packets packets; /* clients with a TCP of their own */
	struct {
		uint64_t ramp_ns, rate_per_s, hold_ns, teardown_ns;
		uint64_t connect_p50_ns, connect_p90_ns, connect_p99_ns, connect_p999_ns,
			connect_max_ns;
		uint64_t ramp_cpu_ns; /* of all workers, user and system */
	} timing;
	uint64_t listen_overflows; /* TcpExt ListenOverflows during the run */
	struct result_memory memory;
	struct {
		char kernel[65];
		uint32_t cpus;
		uint64_t memory_bytes, nofile_hard;
	} host;
};

/* A result of which nothing is known yet: what was not observed stays RESULT_UNKNOWN. */
void result_init(struct result *result);

/* All that the connections cost; RESULT_UNKNOWN_BYTES where a part of it is unknown. */
int64_t result_bytes(const struct result_memory *memory);
