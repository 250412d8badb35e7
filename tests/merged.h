/* merged: made-up results of hosts that made one run together, for unit tests of out/merge. */
#pragma once

#include "base/clock.h"
#include "filled.h"
#include "out/merge.h"
#include "plan/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BEGAN UINT64_C(1795435200000000000)
#define ALL   1000000

static struct merge m;
static struct merge_logs logs;
static struct result r;
static struct err err;

/* What shard `number` of `of` came to: it passed. Without times, so that it needs no logs. */
static inline void make(uint32_t number, uint32_t of)
{
	const struct shard shard = {number, of};
	struct shard_part part;

	assert_int_equal(shard_divide(&shard, ALL, 0, &part, &err), 0);
	fill_result(&r, VERDICT_PASS);
	memcpy(r.role, "connect", sizeof("connect"));
	memcpy(r.to, "198.18.0.1:8090", sizeof("198.18.0.1:8090"));
	r.shard.number = number;
	r.shard.of = of;
	r.shard.connections = ALL;
	r.shard.first = part.first;
	r.shard.count = r.target = r.established.client = r.established.kernel = part.count;
	r.ramped = r.open_at_end = part.count;
	r.established.server = RESULT_UNKNOWN;
	r.proved_ramp.sent = r.proved_ramp.echoed = part.count;
	r.proved_ramp.repeated = 2;
	r.proved = r.proved_ramp;
	r.stage_count = 0;
	r.server_workers = 0;
	r.timing.connect_max_ns = RESULT_UNKNOWN;
	r.timing.started_unix_ns = BEGAN + number * NS_PER_MS;
	memset(&logs, 0, sizeof(logs));
}

static inline int take(void)
{
	char name[32];

	snprintf(name, sizeof(name), "host%u", r.shard.number);
	return merge_take(&m, name, "1", &r, &logs, &err);
}

static inline void take_all_but(uint32_t of, uint32_t one, uint32_t other)
{
	merge_begin(&m);
	for (uint32_t k = 1; k <= of; k++) {
		if (k == one || k == other)
			continue;
		make(k, of);
		assert_int_equal(take(), 0);
	}
}

static inline void expect(enum verdict verdict, const char *says)
{
	assert_int_equal(merge_end(&m, &err), 0);
	if (!strstr(m.result.reason, says))
		fail_msg("%s", m.result.reason);
	assert_int_equal(m.result.verdict, verdict);
	assert_int_equal(m.result.exit_code, verdict == VERDICT_PASS ? EXIT_PASS : EXIT_FAILED);
}
