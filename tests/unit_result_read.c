/* unit_result_read: a result that was written comes back as it was; what is damaged, foreign or of
 * a later time is one clear line. */
#include "out/json.h"
#include "out/result_path.h"
#include "out/result_read.h"

#include "filled.h"
#include "stages_filled.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char *written(const struct result *r, size_t *len)
{
	static char word[] = "megaconn", path[64];
	char *const argv[] = {word, NULL};
	char *text = calloc(1, 65536);
	struct err err;

	snprintf(path, sizeof(path), "/tmp/unit_result_read.%d", (int)getpid());
	assert_int_equal(json_write(path, r, 1, argv, &err), 0);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_non_null(text);
	*len = fread(text, 1, 65535, file);
	fclose(file);
	unlink(path);
	return text;
}

static struct result *read_back(const struct result *r)
{
	static struct result back;
	struct err err = {""};
	size_t len;
	char *text = written(r, &len);

	if (result_read(text, len, "r", &back, &err) != 0)
		fail_msg("%s", err.text);
	free(text);
	return &back;
}

static void assert_near(int64_t a, int64_t b, int64_t by)
{
	if (a - b > by || b - a > by)
		fail_msg("%lld, %lld", (long long)a, (long long)b);
}

static void test_all_comes_back(void **state)
{
	static const enum verdict verdicts[] = {VERDICT_PASS, VERDICT_FAIL, VERDICT_PARTIAL};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
		struct result sharded = *filled(verdicts[i]);
		const struct result *r = &sharded;

		sharded.shard.number = 3;
		sharded.shard.of = 20;
		sharded.shard.connections = 20000000;
		sharded.shard.first = 2000000;
		sharded.shard.count = 1000000;

		struct result *back = read_back(r);
		const struct bill *x = &r->memory.bill, *y = &back->memory.bill;

		assert_int_equal(back->verdict, r->verdict);
		assert_string_equal(back->reason, r->reason);
		assert_string_equal(back->role, r->role);
		assert_string_equal(back->client_engine, r->client_engine);
		assert_string_equal(back->host.kernel, r->host.kernel);
		assert_int_equal(back->target, r->target);
		assert_memory_equal(&back->shard, &r->shard, sizeof(r->shard));
		assert_int_equal(back->ipv6, r->ipv6);
		assert_memory_equal(&back->established, &r->established, sizeof(r->established));
		assert_memory_equal(&back->failed_by_cause, &r->failed_by_cause,
		                    sizeof(r->failed_by_cause));
		assert_memory_equal(&back->lost_by_cause, &r->lost_by_cause,
		                    sizeof(r->lost_by_cause));
		assert_memory_equal(&back->timing, &r->timing, sizeof(r->timing));
		assert_memory_equal(&back->proved_ramp, &r->proved_ramp,
		                    offsetof(struct result_proof, done));
		assert_int_equal(back->proved.done, r->proved.done);
		assert_int_equal(back->memory.connections, r->memory.connections);
		/* A tenth of a byte a connection is what was written. */
		assert_near(back->memory.kernel_bytes, r->memory.kernel_bytes, 100000);
		assert_near(back->memory.residual_bytes, r->memory.residual_bytes, 100000);
		assert_int_equal(back->memory.slab_count, r->memory.slab_count);
		assert_string_equal(back->memory.slabs[0].name, r->memory.slabs[0].name);
		assert_int_equal(back->memory.slabs[0].bytes, r->memory.slabs[0].bytes);
		assert_int_equal(y->connections, x->connections);
		assert_int_equal(y->lost_bytes, x->lost_bytes);
		for (int line = 0; line < BILL_LINE_COUNT; line++) {
			assert_int_equal(y->lines[line].bytes, x->lines[line].bytes);
			assert_int_equal(y->lines[line].objects, x->lines[line].objects);
			assert_string_equal(y->lines[line].of, x->lines[line].of);
		}
	}
}

/* What was not observed is not 0. */
static void test_unknown_stays_unknown(void **state)
{
	static struct result r;

	(void)state;
	result_init(&r);
	snprintf(r.reason, sizeof(r.reason), "x");
	struct result *back = read_back(&r);

	assert_true(back->established.client == RESULT_UNKNOWN);
	assert_true(back->timing.ramp_ns == RESULT_UNKNOWN);
	assert_true(back->timing.connect_p50_ns == RESULT_UNKNOWN);
	assert_true(back->listen_overflows == RESULT_UNKNOWN);
	assert_true(back->proved.differing == RESULT_UNKNOWN);
	assert_false(back->proved.done);
	assert_int_equal(back->memory.connections, 0);
	assert_int_equal(back->memory.bill.connections, 0);
}

static void fill_outage(struct result_outage *o, uint64_t i)
{
	*o = (struct result_outage){
		.start_ns = (i + 1) * 1000000000,
		.duration_ns = i % 2 == 0 ? RESULT_UNKNOWN : 2000000000,
		.open_before = 100 + i,
		.open_least = 50 + i,
		.silent = 3 + i,
		.quiet_ns = 250000000,
		.answered_ns = 500000000,
		.lost = 20 + i,
		.back = 10 + i,
		.back_50_ns = 100000000,
		.back_99_ns = 750000000,
		.back_100_ns = RESULT_UNKNOWN,
	};
	o->lost_by_cause[CAUSE_PATH_GONE] = 20 + i;
}

/* Every field of outages, and how many there were beyond those that are kept. */
static void test_outages_come_back(void **state)
{
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	for (uint32_t i = 0; i < RESULT_OUTAGES_MAX; i++)
		fill_outage(&r->outages[i], i);
	for (uint32_t count = 0; count < RESULT_OUTAGES_MAX + 4; count += 3) {
		uint32_t kept = count < RESULT_OUTAGES_MAX ? count : RESULT_OUTAGES_MAX;

		r->outage_count = count;
		struct result *back = read_back(r);

		assert_int_equal(back->outage_count, count);
		assert_memory_equal(back->outages, r->outages, kept * sizeof(r->outages[0]));
	}
	snprintf(r->source_gone, sizeof(r->source_gone), "198.18.0.3");
	assert_string_equal(read_back(r)->source_gone, "198.18.0.3");
}

/* Each count has a number of its own; every third is unknown. */
static void fill_end(struct path_end *end, uint64_t base)
{
	path_end_init(end);
	for (size_t i = 0; i < path_counts_count; i++) {
		uint64_t count = i % 3 == 2 ? PATH_UNKNOWN : base + i;

		memcpy((char *)end + path_counts[i].offset, &count, sizeof(count));
	}
	snprintf(end->peer_low, sizeof(end->peer_low), "198.18.0.1");
	snprintf(end->peer_high, sizeof(end->peer_high), "2001:2::ffff");
}

/* Every kind, with what is known of it and without. */
static void test_path_comes_back(void **state)
{
	struct result *r = filled(VERDICT_FAIL);

	(void)state;
	for (int kind = 0; kind < PATH_KIND_COUNT; kind++) {
		bool has = kind % 2 == 0;

		path_init(&r->path);
		r->path.has = true;
		r->path.kind = (enum path_kind)kind;
		r->path.has_server = has;
		fill_end(&r->path.client, 100);
		if (has)
			fill_end(&r->path.server, 1000);
		r->path.limit = has ? 50000 : PATH_UNKNOWN;
		r->path.ports = has ? 64512 : PATH_UNKNOWN;
		r->path.lost_out = has ? 0.25 : -1;
		r->path.lost_back = has ? 0.125 : -1;
		r->path.extra = (uint64_t)kind;
		snprintf(r->path.says, sizeof(r->path.says), "%s", has ? "it says" : "");
		snprintf(r->path.advice, sizeof(r->path.advice), "%s", has ? "do this" : "");
		assert_memory_equal(&read_back(r)->path, &r->path, sizeof(r->path));
	}
	path_init(&r->path);
	assert_false(read_back(r)->path.has);
}

static int read_path(const char *json, struct path *path)
{
	json_t *object = json_loads(json, 0, NULL);
	struct err err = {""};
	int failed = result_path_read(object, "it", path, &err);

	assert_non_null(object);
	assert_int_equal(failed != 0, err.text[0] != '\0');
	json_decref(object);
	return failed;
}

/* What another host or version may have written. */
static void test_odd_paths(void **state)
{
	static const char *const odd[] = {
		"[]",
		"{}",
		"{\"client\": 7}",
		"{\"client\": {\"syns_out\": -1}}",
		"{\"client\": {\"syns_out\": \"1\"}}",
		"{\"client\": {\"peer_low\": 7}}",
		"{\"client\": {\"peer_low\": \"\\u001b[2J\"}}",
		"{\"client\": {\"peer_high\": \"not an address\"}}",
		"{\"client\": {}, \"server\": []}",
		"{\"client\": {}, \"limit\": -1}",
		"{\"client\": {}, \"lost_out\": \"all\"}",
		"{\"client\": {}, \"says\": 1}",
	};
	struct path path;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_int_equal(read_path(odd[i], &path), -EINVAL);
	assert_int_equal(read_path("{\"client\": {}, \"kind\": \"of a later version\"}", &path), 0);
	assert_int_equal(path.kind, PATH_NOT_KNOWN);
	assert_true(path.has && path.client.syns_out == PATH_UNKNOWN);
}

/* Every field of stages and search. */
static void test_stages_come_back(void **state)
{
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	fill_living(r);
	struct result *back = read_back(r);

	assert_int_equal(back->stage_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct result_stage *a = &r->stages[i], *b = &back->stages[i];

		assert_string_equal(b->name, a->name);
		assert_int_equal(b->start_ns, a->start_ns);
		assert_int_equal(b->duration_ns, a->duration_ns);
		assert_int_equal(b->open_before, a->open_before);
		assert_int_equal(b->open_after, a->open_after);
		assert_int_equal(b->has_traffic, a->has_traffic);
		assert_int_equal(b->has_churn, a->has_churn);
		assert_int_equal(b->has_storm, a->has_storm);
		assert_memory_equal(&b->traffic, &a->traffic, sizeof(a->traffic));
		assert_memory_equal(&b->churn, &a->churn, sizeof(a->churn));
		assert_memory_equal(&b->storm, &a->storm, sizeof(a->storm));
	}
	assert_true(back->has_search);
	assert_memory_equal(&back->search, &r->search, sizeof(r->search));
}

/* Of several stages with traffic, counts are sums and quantiles nobody's. */
static void test_sum(void **state)
{
	struct result *r = filled(VERDICT_PASS);
	struct result_sum sum;

	(void)state;
	fill_living(r);
	result_sum(r, &sum);
	assert_int_equal(sum.traffics, 1);
	assert_memory_equal(&sum.all.traffic, &r->stages[0].traffic, sizeof(sum.all.traffic));
	fill_traffic(&r->stages[1]);
	result_sum(r, &sum);
	assert_int_equal(sum.traffics, 2);
	assert_int_equal(sum.all.traffic.said, 2400000);
	assert_int_equal(sum.all.traffic.answers[ANSWER_MISSING], 14);
	assert_int_equal(sum.all.traffic.corrected.count, 0);
	assert_int_equal(sum.all.traffic.limited, LIMITED_COUNT);
	assert_int_equal(result_bad(&sum.all.traffic, false), 14);
	assert_int_equal(result_bad(&sum.all.traffic, true), 20);
}

static const struct {
	const char *json;
	int code;
	const char *says; /* NULL: it is taken */
} texts[] = {
	{"", -EINVAL, "r: line 1: not whole JSON: it was truncated or damaged"},
	{"{\"schema\": \"megaconn.result/1\",\n \"ver", -EINVAL, "r: line 2: not whole JSON"},
	{"[1, 2]", -EINVAL, "r: not of schema megaconn.result/1"},
	{"{\"name\": \"package\"}", -EINVAL, "r: not of schema megaconn.result/1"},
	{"{\"schema\": \"megaconn.doctor/1\"}", -EINVAL, "r: not of schema megaconn.result/1"},
	{"{\"schema\": 1}", -EINVAL, "r: not of schema megaconn.result/1"},
	{"{\"schema\": \"megaconn.result/2\", \"verdict\": 7}", -ENOTSUP,
         "r: megaconn.result/2: written by a newer megaconn"},
	{"{\"schema\": \"megaconn.result/1\"}", -EINVAL, "r: 'verdict' is not pass, fail"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"great\"}", -EINVAL, "r: 'verdict'"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"target\": \"1M\"}", -EINVAL,
         "r: 'target' is not a number from 0 on"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"target\": -1}", -EINVAL,
         "r: 'target' is not a number from 0 on"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"source_ips\": 4294967296}",
         -EINVAL, "r: 'source_ips' is not"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"timing\": 3}", -EINVAL,
         "r: 'timing.ramp_s' is not in an object"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"timing\": {\"ramp_s\": -1}}",
         -EINVAL, "r: 'timing.ramp_s' is not a number of seconds"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"stages\": 1}", -EINVAL,
         "r: 'stages' of 'stages' is not as it should be"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", "
         "\"stages\": [{\"traffic\": {\"said\": "
         "-1}}]}",
         -EINVAL, "r: 'said' of 'traffic' is not as it should be"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", "
         "\"stages\": [{\"traffic\": {\"limited\": "
         "\"x\"}}]}",
         -EINVAL, "r: 'limited' of 'traffic' is not as it should be"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"outages\": {}}", -EINVAL,
         "r: 'outages' of 'outages' is not as it should be"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"outages\": [7]}", -EINVAL,
         "r: 'outages' of 'outages' is not as it should be"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"outages_left_out\": 1}",
         -EINVAL, "r: 'outages_left_out' of 'outages_left_out' is not as it should be"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"memory\": {\"slabs\": 1}}",
         -EINVAL, "r: 'memory.slabs' is not a list"},
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"pass\", \"memory\": {\"bill\": "
         "[{\"line\": \"tcp\", \"bytes\": \"x\"}]}}",
         -EINVAL, "r: 'memory.bill' is not a number"},
	/* What nobody here knows, and what is not there, is no fault. */
	{"{\"schema\": \"megaconn.result/1\", \"verdict\": \"partial\", \"later\": [1], "
         "\"timing\": null, \"memory\": {\"bill\": [{\"line\": \"later\", \"bytes\": {}}]}}",
         0, NULL},
};

static void test_texts(void **state)
{
	static struct result r;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct err err = {""};
		int code = result_read(texts[i].json, strlen(texts[i].json), "r", &r, &err);

		if (code != texts[i].code ||
		    strncmp(err.text, texts[i].says ? texts[i].says : "",
		            texts[i].says ? strlen(texts[i].says) : 1) != 0)
			fail_msg("%s: %d, %s", texts[i].json, code, err.text);
		assert_null(strchr(err.text, '\n'));
	}
}

/* At whatever byte it ends: never taken, never a crash, always a line. */
static void test_truncated_anywhere(void **state)
{
	static struct result back;
	size_t len;
	char *text = written(filled(VERDICT_PASS), &len);

	(void)state;
	while (len > 0 && text[len - 1] != '}')
		len--;
	for (size_t cut = 0; cut < len; cut++) {
		struct err err = {""};

		assert_int_equal(result_read(text, cut, "r", &back, &err), -EINVAL);
		assert_non_null(strstr(err.text, "truncated"));
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_back),
		cmocka_unit_test(test_unknown_stays_unknown),
		cmocka_unit_test(test_path_comes_back),
		cmocka_unit_test(test_odd_paths),
		cmocka_unit_test(test_stages_come_back),
		cmocka_unit_test(test_outages_come_back),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_truncated_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
