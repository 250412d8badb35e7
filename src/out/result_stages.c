/* result_stages: a table for each structure says which key is which field, and is used both ways.
 */
#include "out/result_stages.h"

#include "out/json.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

enum kind {
	COUNT,   /* null: unknown                    */
	SECONDS, /* of ns; null: unknown             */
	RATE,    /* a real; null: 0 or below, none   */
	REAL,    /* null: below 0, not known         */
	WORD,
	FLAG,
	CAUSES,
	ANSWERS,
	QUANTILES, /* null: of nothing */
	KIND,      /* of traffic       */
	LIMITED,
};

struct field {
	const char *key;
	enum kind kind;
	size_t offset, size;
};

#define AT(type, k, member) \
	(k), offsetof(struct type, member), sizeof(((struct type *)NULL)->member)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct field traffic_fields[] = {
	{"kind", AT(result_traffic, KIND, kind)},
	{"said", AT(result_traffic, COUNT, said)},
	{"answers", AT(result_traffic, ANSWERS, answers)},
	{"busy", AT(result_traffic, COUNT, busy)},
	{"said_bytes", AT(result_traffic, COUNT, said_bytes)},
	{"heard_bytes", AT(result_traffic, COUNT, heard_bytes)},
	{"asked_per_s", AT(result_traffic, RATE, asked_per_s)},
	{"rate_per_s", AT(result_traffic, RATE, rate_per_s)},
	{"corrected_ns", AT(result_traffic, QUANTILES, corrected)},
	{"uncorrected_ns", AT(result_traffic, QUANTILES, uncorrected)},
	{"slip_ns", AT(result_traffic, QUANTILES, slip)},
	{"first_ns", AT(result_traffic, QUANTILES, first)},
	{"last_ns", AT(result_traffic, QUANTILES, last)},
	{"limited", AT(result_traffic, LIMITED, limited)},
	{"why", AT(result_traffic, WORD, why)},
	{"client_cpus", AT(result_traffic, REAL, client_cpus)},
	{"client_cpus_most", AT(result_traffic, REAL, client_cpus_most)},
	{"server_cpus", AT(result_traffic, REAL, server_cpus)},
	{"softirq_cpus", AT(result_traffic, REAL, softirq_cpus)},
};

static const struct field churn_fields[] = {
	{"asked_per_s", AT(result_churn, RATE, asked_per_s)},
	{"rate_per_s", AT(result_churn, RATE, rate_per_s)},
	{"by_reset", AT(result_churn, FLAG, by_reset)},
	{"closed", AT(result_churn, COUNT, closed)},
	{"opened", AT(result_churn, COUNT, opened)},
	{"rested", AT(result_churn, COUNT, rested)},
	{"failed", AT(result_churn, COUNT, failed)},
	{"failed_by_cause", AT(result_churn, CAUSES, failed_by_cause)},
	{"open_least", AT(result_churn, COUNT, open_least)},
	{"open_most", AT(result_churn, COUNT, open_most)},
	{"time_wait_most", AT(result_churn, COUNT, time_wait_most)},
	{"connect_ns", AT(result_churn, QUANTILES, connect)},
};

static const struct field storm_fields[] = {
	{"cut", AT(result_storm, COUNT, cut)},
	{"back", AT(result_storm, COUNT, back)},
	{"failed", AT(result_storm, COUNT, failed)},
	{"failed_by_cause", AT(result_storm, CAUSES, failed_by_cause)},
	{"back_50_s", AT(result_storm, SECONDS, back_50_ns)},
	{"back_99_s", AT(result_storm, SECONDS, back_99_ns)},
	{"back_100_s", AT(result_storm, SECONDS, back_100_ns)},
	{"accept_queue_most", AT(result_storm, COUNT, accept_queue_most)},
	{"listen_overflows", AT(result_storm, COUNT, listen_overflows)},
	{"listen_drops", AT(result_storm, COUNT, listen_drops)},
	{"syn_retransmits", AT(result_storm, COUNT, syn_retransmits)},
	{"syn_queue_drops", AT(result_storm, COUNT, syn_queue_drops)},
	{"syn_cookies_sent", AT(result_storm, COUNT, cookies_sent)},
	{"syn_cookies_received", AT(result_storm, COUNT, cookies_received)},
	{"syn_cookies_failed", AT(result_storm, COUNT, cookies_failed)},
};

static const struct field stage_fields[] = {
	{"name", AT(result_stage, WORD, name)},
	{"start_s", AT(result_stage, SECONDS, start_ns)},
	{"seconds", AT(result_stage, SECONDS, duration_ns)},
	{"open_before", AT(result_stage, COUNT, open_before)},
	{"open_after", AT(result_stage, COUNT, open_after)},
};

static const struct field outage_fields[] = {
	{"start_s", AT(result_outage, SECONDS, start_ns)},
	{"seconds", AT(result_outage, SECONDS, duration_ns)},
	{"open_before", AT(result_outage, COUNT, open_before)},
	{"open_least", AT(result_outage, COUNT, open_least)},
	{"silent", AT(result_outage, COUNT, silent)},
	{"quiet_s", AT(result_outage, SECONDS, quiet_ns)},
	{"answered_s", AT(result_outage, SECONDS, answered_ns)},
	{"lost", AT(result_outage, COUNT, lost)},
	{"lost_by_cause", AT(result_outage, CAUSES, lost_by_cause)},
	{"back", AT(result_outage, COUNT, back)},
	{"back_50_s", AT(result_outage, SECONDS, back_50_ns)},
	{"back_99_s", AT(result_outage, SECONDS, back_99_ns)},
	{"back_100_s", AT(result_outage, SECONDS, back_100_ns)},
};

static const struct field search_fields[] = {
	{"what", AT(result_search, WORD, what)},
	{"found", AT(result_search, COUNT, found)},
	{"p99_most_ns", AT(result_search, COUNT, p99_most_ns)},
	{"failed_most_parts", AT(result_search, REAL, failed_most_parts)},
	{"bound", AT(result_search, WORD, bound)},
};

static const struct field trial_fields[] = {
	{"asked", AT(result_trial, COUNT, asked)},
	{"reached", AT(result_trial, REAL, reached)},
	{"p99_ns", AT(result_trial, COUNT, p99_ns)},
	{"failed_parts", AT(result_trial, REAL, failed_parts)},
	{"passed", AT(result_trial, FLAG, passed)},
	{"why_not", AT(result_trial, WORD, why_not)},
};

/* --- writing ------------------------------------------------------------------------------ */

static json_t *count(uint64_t value)
{
	return value == RESULT_UNKNOWN ? json_null() : json_whole(value);
}

static json_t *real(double value, bool is_known)
{
	return is_known ? json_real(value) : json_null();
}

static json_t *causes(const uint64_t *counts)
{
	json_t *o = json_object();

	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (counts[i] > 0)
			json_object_set_new(o, cause_name((enum cause)i), json_whole(counts[i]));
	}
	return o;
}

static json_t *answers(const uint64_t *counts)
{
	json_t *o = json_object();

	for (int i = 0; i < ANSWER_COUNT; i++)
		json_object_set_new(o, answer_name((enum answer)i), json_whole(counts[i]));
	return o;
}

static json_t *quantiles(const struct quantiles *q)
{
	json_t *o;

	if (q->count == 0)
		return json_null();
	o = json_pack("{s:o}", "count", json_whole(q->count));
	for (int i = 0; i < QUANTILES_EACH; i++)
		json_object_set_new(o, quantiles_keys[i], json_whole(quantiles_at(q, i)));
	return o;
}

static json_t *value_of(const struct field *f, const void *from)
{
	uint64_t whole = 0;
	double number = 0;
	int one = 0;

	if (f->kind == COUNT || f->kind == SECONDS)
		memcpy(&whole, from, sizeof(whole));
	else if (f->kind == RATE || f->kind == REAL)
		memcpy(&number, from, sizeof(number));
	else if (f->kind == KIND || f->kind == LIMITED)
		memcpy(&one, from, sizeof(one));
	switch (f->kind) {
	case COUNT:
		return count(whole);
	case SECONDS:
		return real((double)whole / 1e9, whole != RESULT_UNKNOWN);
	case RATE:
		return real(number, number > 0);
	case REAL:
		return real(number, number >= 0);
	case WORD:
		return json_word(from);
	case FLAG:
		return json_boolean(*(const bool *)from);
	case CAUSES:
		return causes(from);
	case ANSWERS:
		return answers(from);
	case QUANTILES:
		return quantiles(from);
	case KIND:
		return one == TRAFFIC_KIND_COUNT
		               ? json_null()
		               : json_string(traffic_name((enum traffic_kind)one));
	case LIMITED:
		return one == LIMITED_COUNT ? json_null()
		                            : json_string(limited_name((enum limited)one));
	}
	return NULL;
}

static json_t *write_fields(const struct field *fields, size_t n, const void *from)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(o, fields[i].key,
		                    value_of(&fields[i], (const char *)from + fields[i].offset));
	return o;
}

#define WRITE(fields, from) write_fields(fields, COUNT_OF(fields), from)

static void add_parts(json_t *o, const struct result_stage *s)
{
	json_object_set_new(o, "traffic",
	                    s->has_traffic ? WRITE(traffic_fields, &s->traffic) : json_null());
	json_object_set_new(o, "churn",
	                    s->has_churn ? WRITE(churn_fields, &s->churn) : json_null());
	json_object_set_new(o, "storm",
	                    s->has_storm ? WRITE(storm_fields, &s->storm) : json_null());
}

static json_t *search(const struct result_search *s)
{
	json_t *o = WRITE(search_fields, s), *trials = json_array();

	for (uint32_t i = 0; i < s->trial_count; i++)
		json_array_append_new(trials, WRITE(trial_fields, &s->trials[i]));
	json_object_set_new(o, "trials", trials);
	return o;
}

/* Those that are kept. */
static uint32_t kept(const struct result *r)
{
	return r->outage_count < RESULT_OUTAGES_MAX ? r->outage_count : RESULT_OUTAGES_MAX;
}

static void add_outages(json_t *document, const struct result *r)
{
	json_t *outages = json_array();

	for (uint32_t i = 0; i < kept(r); i++)
		json_array_append_new(outages, WRITE(outage_fields, &r->outages[i]));
	json_object_set_new(document, "outages", outages);
	json_object_set_new(document, "outages_left_out", json_integer(r->outage_count - kept(r)));
}

void result_stages_add(json_t *document, const struct result *r)
{
	json_t *stages = json_array();
	struct result_sum sum;

	for (uint32_t i = 0; i < r->stage_count; i++) {
		json_t *o = WRITE(stage_fields, &r->stages[i]);

		add_parts(o, &r->stages[i]);
		json_array_append_new(stages, o);
	}
	json_object_set_new(document, "stages", stages);
	result_sum(r, &sum);
	add_parts(document, &sum.all);
	add_outages(document, r);
	json_object_set_new(document, "search", r->has_search ? search(&r->search) : json_null());
}

/* --- reading ------------------------------------------------------------------------------ */

/* A count; one beyond 2^63 was written as a real. */
static bool get_count(const json_t *value, uint64_t *to)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= 0) || number >= 0x1p64)
		return false;
	*to = json_is_integer(value) ? (uint64_t)json_integer_value(value) : (uint64_t)number;
	return true;
}

static bool get_count_or_unknown(const json_t *value, uint64_t *to)
{
	*to = RESULT_UNKNOWN;
	return !value || json_is_null(value) || get_count(value, to);
}

static bool get_seconds(const json_t *value, uint64_t *to)
{
	double ns = json_number_value(value) * 1e9;

	*to = RESULT_UNKNOWN;
	if (!value || json_is_null(value))
		return true;
	if (!json_is_number(value) || !(ns >= 0) || ns >= 0x1p63)
		return false;
	*to = (uint64_t)llround(ns);
	return true;
}

static bool get_real(const json_t *value, double unknown, double *to)
{
	*to = unknown;
	if (!value || json_is_null(value))
		return true;
	if (!json_is_number(value))
		return false;
	*to = json_number_value(value);
	return *to >= 0;
}

static bool get_word(const json_t *value, size_t size, char *to)
{
	const char *text = json_string_value(value);

	to[0] = '\0';
	if (!value || json_is_null(value))
		return true;
	if (!text)
		return false;
	size_t len = strnlen(text, size - 1);

	memcpy(to, text, len);
	to[len] = '\0';
	return true;
}

static bool get_flag(const json_t *value, bool *to)
{
	*to = json_is_true(value);
	return !value || json_is_boolean(value) || json_is_null(value);
}

/* Names that nobody here knows are a later megaconn's. */
static bool get_causes(const json_t *value, uint64_t *to)
{
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const json_t *one = json_object_get(value, cause_name((enum cause)i));

		to[i] = 0;
		if (one && !get_count(one, &to[i]))
			return false;
	}
	return !value || json_is_object(value) || json_is_null(value);
}

static bool get_answers(const json_t *value, uint64_t *to)
{
	for (int i = 0; i < ANSWER_COUNT; i++) {
		const json_t *one = json_object_get(value, answer_name((enum answer)i));

		to[i] = 0;
		if (one && !get_count(one, &to[i]))
			return false;
	}
	return !value || json_is_object(value) || json_is_null(value);
}

static bool get_quantiles(const json_t *value, struct quantiles *to)
{
	memset(to, 0, sizeof(*to));
	if (!value || json_is_null(value))
		return true;
	if (!get_count(json_object_get(value, "count"), &to->count))
		return false;
	for (int i = 0; i < QUANTILES_EACH; i++) {
		uint64_t ns;

		if (!get_count(json_object_get(value, quantiles_keys[i]), &ns))
			return false;
		quantiles_set(to, i, ns);
	}
	return true;
}

static bool get_name(const json_t *value, const char *(*name)(int), int names, int *to)
{
	const char *text = json_string_value(value);

	*to = names;
	if (!value || json_is_null(value))
		return true;
	for (int i = 0; text && i < names; i++) {
		if (strcmp(text, name(i)) == 0)
			*to = i;
	}
	return *to < names;
}

static const char *name_of_kind(int i)
{
	return traffic_name((enum traffic_kind)i);
}

static const char *name_of_limit(int i)
{
	return limited_name((enum limited)i);
}

static_assert(sizeof(enum traffic_kind) == sizeof(int) && sizeof(enum limited) == sizeof(int),
              "they are read and written as one");

static bool get(const struct field *f, const json_t *value, void *to)
{
	switch (f->kind) {
	case COUNT:
		return get_count_or_unknown(value, to);
	case SECONDS:
		return get_seconds(value, to);
	case RATE:
		return get_real(value, 0, to);
	case REAL:
		return get_real(value, -1, to);
	case WORD:
		return get_word(value, f->size, to);
	case FLAG:
		return get_flag(value, to);
	case CAUSES:
		return get_causes(value, to);
	case ANSWERS:
		return get_answers(value, to);
	case QUANTILES:
		return get_quantiles(value, to);
	case KIND:
		return get_name(value, name_of_kind, TRAFFIC_KIND_COUNT, to);
	case LIMITED:
		return get_name(value, name_of_limit, LIMITED_COUNT, to);
	}
	return false;
}

struct reader {
	const char *name;
	struct err *err;
};

static int is_odd(const struct reader *r, const char *where, const char *key)
{
	return err_set(r->err, -EINVAL,
	               "%s: '%s' of '%s' is not as it should be: it is damaged, or no result of "
	               "megaconn",
	               r->name, key, where);
}

static int read_fields(const struct reader *r, const char *where, const struct field *fields,
                       size_t n, const json_t *from, void *to)
{
	for (size_t i = 0; i < n; i++) {
		if (!get(&fields[i], json_object_get(from, fields[i].key),
		         (char *)to + fields[i].offset))
			return is_odd(r, where, fields[i].key);
	}
	return json_is_object(from) ? 0 : is_odd(r, where, where);
}

#define READ(r, where, fields, from, to) read_fields(r, where, fields, COUNT_OF(fields), from, to)

static bool is_there(const json_t *value)
{
	return value && !json_is_null(value);
}

static int read_stage(const struct reader *r, const json_t *from, struct result_stage *to)
{
	const json_t *traffic = json_object_get(from, "traffic");
	const json_t *churn = json_object_get(from, "churn");
	const json_t *storm = json_object_get(from, "storm");
	int failed = READ(r, "stages", stage_fields, from, to);

	to->has_traffic = is_there(traffic);
	to->has_churn = is_there(churn);
	to->has_storm = is_there(storm);
	if (failed == 0 && to->has_traffic)
		failed = READ(r, "traffic", traffic_fields, traffic, &to->traffic);
	if (failed == 0 && to->has_churn)
		failed = READ(r, "churn", churn_fields, churn, &to->churn);
	if (failed == 0 && to->has_storm)
		failed = READ(r, "storm", storm_fields, storm, &to->storm);
	return failed;
}

static int read_search(const struct reader *r, const json_t *from, struct result_search *to)
{
	const json_t *trials = json_object_get(from, "trials");
	int failed = READ(r, "search", search_fields, from, to);

	for (size_t i = 0; failed == 0 && i < json_array_size(trials) && i < RESULT_TRIALS_MAX;
	     i++) {
		failed = READ(r, "trials", trial_fields, json_array_get(trials, i), &to->trials[i]);
		to->trial_count++;
	}
	return failed;
}

static int read_outages(const struct reader *r, const json_t *document, struct result *to)
{
	const json_t *outages = json_object_get(document, "outages");
	uint64_t left_out = 0;
	int failed = 0;

	if (is_there(outages) && !json_is_array(outages))
		return is_odd(r, "outages", "outages");
	for (size_t i = 0; failed == 0 && i < json_array_size(outages) && i < RESULT_OUTAGES_MAX;
	     i++)
		failed = READ(r, "outages", outage_fields, json_array_get(outages, i),
		              &to->outages[to->outage_count++]);
	if (failed == 0 && is_there(json_object_get(document, "outages_left_out")) &&
	    (!get_count(json_object_get(document, "outages_left_out"), &left_out) ||
	     left_out > (to->outage_count < RESULT_OUTAGES_MAX ? 0 : INT32_MAX)))
		return is_odd(r, "outages_left_out", "outages_left_out");
	to->outage_count += (uint32_t)left_out;
	return failed;
}

int result_stages_read(const json_t *document, const char *name, struct result *result,
                       struct err *err)
{
	const struct reader r = {name, err};
	const json_t *stages = json_object_get(document, "stages");
	const json_t *found = json_object_get(document, "search");
	int failed = 0;

	if (is_there(stages) && !json_is_array(stages))
		return is_odd(&r, "stages", "stages");
	for (size_t i = 0; failed == 0 && i < json_array_size(stages) && i < STAGES_MAX; i++)
		failed = read_stage(&r, json_array_get(stages, i),
		                    &result->stages[result->stage_count++]);
	if (failed == 0)
		failed = read_outages(&r, document, result);
	result->has_search = is_there(found);
	if (failed == 0 && result->has_search)
		failed = read_search(&r, found, &result->search);
	return failed;
}
