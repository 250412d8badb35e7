/* stages_filled: a result with stages of every kind, a number of its own in every field. */
#pragma once

#include "base/result.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

static inline struct quantiles fill_quantiles(uint64_t from_ns)
{
	return (struct quantiles){50000,       from_ns,     2 * from_ns, 3 * from_ns,
	                          4 * from_ns, 5 * from_ns, 6 * from_ns};
}

static inline void fill_traffic(struct result_stage *s)
{
	struct result_traffic *t = &s->traffic;

	s->has_traffic = true;
	*t = (struct result_traffic){.kind = TRAFFIC_ECHO,
	                             .said = 1200000,
	                             .said_bytes = 76800000,
	                             .heard_bytes = 76799936,
	                             .busy = 17,
	                             .asked_per_s = 20000,
	                             .rate_per_s = 19999.5,
	                             .corrected = fill_quantiles(2 * MS),
	                             .uncorrected = fill_quantiles(MS),
	                             .slip = fill_quantiles(1000),
	                             .limited = LIMITED_TARGET,
	                             .client_cpus = 0.5,
	                             .server_cpus = 0.75,
	                             .softirq_cpus = 0.25,
	                             .client_cpus_most = 2};
	t->answers[ANSWER_GOOD] = 1199990;
	t->answers[ANSWER_LATE] = 3;
	t->answers[ANSWER_MISSING] = 7;
	t->answers[ANSWER_OVERDUE] = 9;
	snprintf(t->why, sizeof(t->why),
	         "17 messages were due while the one before was not answered");
}

static inline void fill_living(struct result *r)
{
	struct result_stage *s = r->stages;

	r->stage_count = 3;
	s[0] = (struct result_stage){.name = "calls",
	                             .duration_ns = 60 * SECOND,
	                             .open_before = 1000000,
	                             .open_after = 1000000};
	fill_traffic(&s[0]);
	s[1] = (struct result_stage){.name = "churn",
	                             .start_ns = 60 * SECOND,
	                             .duration_ns = 10 * SECOND,
	                             .open_before = 1000000,
	                             .open_after = 999990,
	                             .has_churn = true,
	                             .churn = {.asked_per_s = 20000,
	                                       .rate_per_s = 20010.5,
	                                       .closed = 200113,
	                                       .opened = 200103,
	                                       .rested = 5,
	                                       .failed = 10,
	                                       .open_least = 999744,
	                                       .open_most = 1000000,
	                                       .time_wait_most = 40210,
	                                       .connect = fill_quantiles(MS)}};
	s[1].churn.failed_by_cause[CAUSE_TIMEOUT] = 10;
	s[2] = (struct result_stage){.name = "storm",
	                             .start_ns = 70 * SECOND,
	                             .duration_ns = 30 * SECOND,
	                             .open_before = 999990,
	                             .open_after = 999990,
	                             .has_storm = true,
	                             .storm = {.cut = 300000,
	                                       .back = 299998,
	                                       .failed = 2,
	                                       .back_50_ns = 2100 * MS,
	                                       .back_99_ns = 4900 * MS,
	                                       .back_100_ns = RESULT_UNKNOWN,
	                                       .accept_queue_most = 4096,
	                                       .listen_overflows = 1,
	                                       .listen_drops = 2,
	                                       .syn_retransmits = 12,
	                                       .syn_queue_drops = 3,
	                                       .cookies_sent = 4,
	                                       .cookies_received = 5,
	                                       .cookies_failed = 6}};
	s[2].storm.failed_by_cause[CAUSE_REFUSED] = 2;
	r->has_search = true;
	r->search = (struct result_search){.what = "connections",
	                                   .found = 812000,
	                                   .p99_most_ns = 50 * MS,
	                                   .failed_most_parts = 0.00001,
	                                   .bound = "p99 61.2 ms is above 50 ms",
	                                   .trial_count = 2};
	r->search.trials[0] = (struct result_trial){812000, 812000, 40 * MS, 0, true, ""};
	r->search.trials[1] = (struct result_trial){
		900000, 899000, RESULT_UNKNOWN, 0.5, false, "899,000 of 900,000 were opened"};
}
