/* filled: a result with a number of its own in every field, for the tests of what draws it. */
#pragma once

#include "base/result.h"

#define SECOND UINT64_C(1000000000)
#define GIB    (UINT64_C(1) << 30)

/* The sums of fill_result, line by line. */
static inline void fill_bill(struct bill *b)
{
	*b = (struct bill){.connections = 1000000,
	                   .has_slabs = true,
	                   .lost_bytes = 7790900000,
	                   .available_lost_bytes = 6500000000,
	                   .drift_bytes = 50000000};
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		b->lines[i] = (struct bill_line){BILL_UNKNOWN, BILL_UNKNOWN, false, ""};
	b->lines[BILL_TCP] = (struct bill_line){5040000000, 2000003, false, "TCP"};
	b->lines[BILL_INODE] = (struct bill_line){1724000000, 2000004, false, "sock_inode_cache"};
	b->lines[BILL_FILE] = (struct bill_line){390000000, 2000005, false, "filp"};
	b->lines[BILL_DENTRY] = (struct bill_line){388000000, 2000006, false, "dentry"};
	b->lines[BILL_BIND] = (struct bill_line){133000000, 1000007, true,
	                                         "tcp_bind2_bucket in eventpoll_epi"};
	b->lines[BILL_VMALLOC].bytes = 400000;
	b->lines[BILL_SLABS].bytes = 124600000;
	b->lines[BILL_SERVER_USER].bytes = 33000000;
	b->lines[BILL_CLIENT_USER].bytes = 21300000;
	b->lines[BILL_RESIDUAL].bytes = -123400000;
	b->lines[BILL_OTHERS].bytes = 60000000;
}

/* Of a million connections; unless it passed, some failed, were lost, and one came back wrong. */
static inline void fill_result(struct result *r, enum verdict verdict)
{
	const struct result_proof proof = {1000000, 1000000, 0, 1000000, 0, 2 * SECOND, true, 0};

	*r = (struct result){
		.verdict = verdict,
		.reason = "a sentence",
		.role = "lab",
		.target = 1000000,
		.solution = "mixed",
		.server_engine = "uring",
		.client_engine = "uring",
		.network = "user+netns",
		.source_ips = 20,
		.server_ports = 30,
		.server_workers = 2,
		.client_workers = 3,
		.established = {1000000, 1000001, 1000002, 0},
		.open_at_end = 1000000,
		.has_proof = true,
		.proved_ramp = proof,
		.proved = proof,
		.timing = {.started_unix_ns = UINT64_C(1795435200250000000),
	                   .ramp_ns = 12500000000,
	                   .rate_per_s = 80000,
	                   .hold_ns = 10 * SECOND,
	                   .teardown_ns = 1500000000,
	                   .connect_p50_ns = 12345,
	                   .connect_p90_ns = 23456,
	                   .connect_p99_ns = 1500000,
	                   .connect_p999_ns = 2500000,
	                   .connect_max_ns = 12500000,
	                   .ramp_cpu_ns = 20 * SECOND},
		.memory = {.connections = 1000000,
	                   .kernel_bytes = 7800000000,
	                   .server_user_bytes = 33000000,
	                   .client_user_bytes = 21300000,
	                   .residual_bytes = -123400000,
	                   .has_slabs = true,
	                   .slab_count = 2,
	                   .slabs = {{"TCP", 2000000, 4800000000}, {"dentry", -5, -960}}},
		.host = {"6.1.0-test", 2, 16 * GIB, 1048576},
	};
	fill_bill(&r->memory.bill);
	if (verdict == VERDICT_PASS)
		return;
	r->proved.echoed = 999999;
	r->proved.mismatched = 1;
	r->proved.differing = 4321;
	r->failed = 12;
	r->failed_by_cause[CAUSE_REFUSED] = 12;
	r->lost = 1234;
	r->lost_by_cause[CAUSE_CLOSED] = 1234;
	r->workers_died = 1;
	r->not_tried = 77;
}

static inline struct result *filled(enum verdict verdict)
{
	static struct result result;

	fill_result(&result, verdict);
	return &result;
}
