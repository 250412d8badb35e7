/* compare: what is compared: rows of both results. How far each may be off by chance says
 * out/noise; of memory it is what could not be accounted for, and 1 % for pages that are not full.
 * Single numbers have no spread that could be seen from within a run. */
#include "out/compare.h"

#include "base/text.h"
#include "out/noise.h"
#include "out/story.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_SHARE 0.01
#define LINE_LEAST  16 /* bytes a connection: smaller lines of a bill are left out */

static double share(const struct report *run, int64_t bytes)
{
	uint64_t connections = run->result.memory.connections;

	if (!run->has_result || connections == 0 || bytes == RESULT_UNKNOWN_BYTES)
		return NAN;
	return (double)bytes / (double)connections;
}

/* --- rows --------------------------------------------------------------------------------- */

static void judge(struct compare_row *row)
{
	double a = row->values[0], b = row->values[1], allowed;

	row->ratio = a != 0 ? (b - a) / fabs(a) : NAN;
	row->mark = COMPARE_SAME;
	if (isnan(a) || isnan(b))
		return;
	if (isnan(row->noise[0]) || isnan(row->noise[1]))
		allowed = COMPARE_UNESTIMATED * fabs(a);
	else
		allowed = hypot(row->noise[0], row->noise[1]);
	if (fabs(b - a) <= fmax(allowed, COMPARE_LEAST * fabs(a)))
		return;
	if (row->better == COMPARE_NEITHER)
		row->mark = COMPARE_OTHER;
	else
		row->mark = (b > a) == (row->better == COMPARE_MORE) ? COMPARE_BETTER
		                                                     : COMPARE_WORSE;
}

static struct compare_row *add(struct compare *c, const char *name, enum axis_unit unit,
                               enum compare_better better, double a, double b)
{
	struct compare_row *row = &c->rows[c->row_count];

	*row = (struct compare_row){
		.unit = unit, .better = better, .values = {a, b}, .noise = {NAN, NAN}};
	snprintf(row->name, sizeof(row->name), "%s", name);
	if (isnan(a) && isnan(b))
		return row;
	if (c->row_count + 1 < COMPARE_ROWS_MOST)
		c->row_count++;
	return row;
}

static double known(uint64_t value)
{
	return value == RESULT_UNKNOWN ? NAN : (double)value;
}

/* Figures that go with how many connections there were are neither better nor worse where the two
 * runs had others to make, or one came to no end. */
static bool is_one_size(const struct compare *c)
{
	const struct report *a = c->runs[0], *b = c->runs[1];

	return a->has_result && b->has_result && a->result.target == b->result.target &&
	       strcmp(a->result.role, b->result.role) == 0;
}

static enum compare_better by_size(const struct compare *c, enum compare_better better)
{
	return is_one_size(c) ? better : COMPARE_NEITHER;
}

/* The same field of both results; all of them go with the number of connections. */
static void add_field(struct compare *c, const char *name, enum axis_unit unit,
                      enum compare_better better, size_t offset)
{
	uint64_t values[2];

	for (int i = 0; i < 2; i++)
		memcpy(&values[i], (const char *)&c->runs[i]->result + offset, sizeof(values[i]));
	judge(add(c, name, unit, by_size(c, better), known(values[0]), known(values[1])));
}

#define FIELD(c, name, unit, better, member) \
	add_field(c, name, unit, better, offsetof(struct result, member))

/* Of 0 and 0 there is nothing to say. */
static void add_trouble(struct compare *c, const char *name, size_t offset)
{
	uint64_t values[2];

	for (int i = 0; i < 2; i++)
		memcpy(&values[i], (const char *)&c->runs[i]->result + offset, sizeof(values[i]));
	if (values[0] != 0 || values[1] != 0)
		add_field(c, name, AXIS_COUNT, COMPARE_LESS, offset);
}

#define TROUBLE(c, name, member) add_trouble(c, name, offsetof(struct result, member))

static void add_ramp(struct compare *c)
{
	struct compare_row *row = add(c, "ramp, connections/s", AXIS_COUNT, COMPARE_MORE,
	                              known(c->runs[0]->result.timing.rate_per_s),
	                              known(c->runs[1]->result.timing.rate_per_s));

	for (int i = 0; i < 2; i++)
		row->noise[i] = noise_of_rate(&c->runs[i]->track, FIGURE_RUN_CONNECTED, LIVE_RAMP);
	judge(row);
}

static void add_quantiles(struct compare *c)
{
	static const char *const names[TRACK_QUANTILES] = {
		"connect p50", "connect p90", "connect p99", "connect p99.9", "connect, longest"};
	static struct story stories[2];

	for (int i = 0; i < 2; i++)
		story_tell(c->runs[i], &stories[i]);
	for (int q = 0; q < TRACK_QUANTILES; q++) {
		double values[2];

		for (int i = 0; i < 2; i++)
			values[i] = stories[i].has_connect ? (double)stories[i].connect_ns[q] : NAN;
		struct compare_row *row = add(c, names[q], AXIS_NS, COMPARE_LESS, values[0],
		                              values[1]);

		for (int i = 0; i < 2; i++)
			row->noise[i] = stories[i].has_connect
			                        ? noise_of_connect(c->runs[i],
			                                           stories[i].connect_ns, q)
			                        : NAN;
		judge(row);
	}
}

/* What all stages came to: rates and quantiles are there where only one had traffic. */
static void add_answers(struct compare *c, const struct result_sum sums[2])
{
	const struct result_traffic *t[2] = {&sums[0].all.traffic, &sums[1].all.traffic};
	double rates[2], bad[2];

	for (int i = 0; i < 2; i++) {
		bool is_there = sums[i].all.has_traffic;

		rates[i] = is_there && t[i]->rate_per_s > 0 ? t[i]->rate_per_s : NAN;
		bad[i] = is_there ? (double)result_bad(t[i], true) : NAN;
	}
	struct compare_row *row = add(c, "answers/s", AXIS_COUNT, COMPARE_MORE, rates[0], rates[1]);

	for (int i = 0; i < 2; i++)
		row->noise[i] = noise_of_rate(&c->runs[i]->track, FIGURE_RUN_ANSWERS, LIVE_HOLD);
	judge(row);
	if (bad[0] > 0 || bad[1] > 0)
		judge(add(c, "answers late or bad", AXIS_COUNT, COMPARE_LESS, bad[0], bad[1]));
}

static void add_latencies(struct compare *c, const struct result_sum sums[2])
{
	for (int q = 0; q < QUANTILES_EACH; q++) {
		const struct quantiles *both[2] = {&sums[0].all.traffic.corrected,
		                                   &sums[1].all.traffic.corrected};
		double values[2];
		char name[32];

		for (int i = 0; i < 2; i++)
			values[i] = both[i]->count > 0 ? (double)quantiles_at(both[i], q) : NAN;
		snprintf(name, sizeof(name), "latency %s", quantiles_words[q]);
		struct compare_row *row = add(c, name, AXIS_NS, COMPARE_LESS, values[0], values[1]);

		for (int i = 0; i < 2; i++)
			row->noise[i] = noise_of_latency(&c->runs[i]->track, both[i], q);
		judge(row);
	}
}

static double rate_or_none(double per_s)
{
	return per_s > 0 ? per_s : NAN;
}

static void add_churn_and_storm(struct compare *c, const struct result_sum sums[2])
{
	const struct result_storm *a = &sums[0].all.storm, *b = &sums[1].all.storm;
	struct compare_row *row = add(c, "churn/s", AXIS_COUNT, COMPARE_MORE,
	                              rate_or_none(sums[0].all.churn.rate_per_s),
	                              rate_or_none(sums[1].all.churn.rate_per_s));

	for (int i = 0; i < 2; i++)
		row->noise[i] = noise_of_rate(&c->runs[i]->track, FIGURE_RUN_CHURNED, LIVE_HOLD);
	judge(row);
	if (!sums[0].all.has_storm || !sums[1].all.has_storm)
		return;
	judge(add(c, "storm, half back", AXIS_NS, by_size(c, COMPARE_LESS), known(a->back_50_ns),
	          known(b->back_50_ns)));
	judge(add(c, "storm, all back", AXIS_NS, by_size(c, COMPARE_LESS), known(a->back_100_ns),
	          known(b->back_100_ns)));
}

static void add_stages(struct compare *c)
{
	static struct result_sum sums[2];

	for (int i = 0; i < 2; i++)
		result_sum(&c->runs[i]->result, &sums[i]);
	add_answers(c, sums);
	add_latencies(c, sums);
	add_churn_and_storm(c, sums);
}

/* Of all memory the residual is noise too; what processes have of their own has no estimate. */
enum memory_kind { MEMORY_ALL, MEMORY_KERNEL, MEMORY_USER };

static void add_share(struct compare *c, const char *name, int64_t a, int64_t b,
                      enum memory_kind kind)
{
	double values[2] = {share(c->runs[0], a), share(c->runs[1], b)};
	struct compare_row *row = add(c, name, AXIS_BYTES, COMPARE_LESS, values[0], values[1]);

	for (int i = 0; i < 2 && kind != MEMORY_USER; i++) {
		double residual = share(c->runs[i], c->runs[i]->result.memory.residual_bytes);

		row->noise[i] = PAGES_SHARE * fabs(values[i]) +
		                (kind == MEMORY_ALL ? fabs(residual) : 0);
	}
	judge(row);
}

static void add_memory(struct compare *c)
{
	const struct result_memory *a = &c->runs[0]->result.memory;
	const struct result_memory *b = &c->runs[1]->result.memory;
	char name[64];

	add_share(c, "memory a connection", result_bytes(a), result_bytes(b), MEMORY_ALL);
	add_share(c, "  of it kernel", a->kernel_bytes, b->kernel_bytes, MEMORY_KERNEL);
	add_share(c, "  of it servers", a->server_user_bytes, b->server_user_bytes, MEMORY_USER);
	add_share(c, "  of it clients", a->client_user_bytes, b->client_user_bytes, MEMORY_USER);
	if (a->bill.connections == 0 || b->bill.connections == 0)
		return;
	for (int i = 0; i < BILL_RESIDUAL; i++) {
		int64_t of_a = a->bill.lines[i].bytes, of_b = b->bill.lines[i].bytes;

		/* Without /proc/slabinfo that line is all caches: another thing. */
		if (i == BILL_SLABS && a->has_slabs != b->has_slabs)
			continue;
		if (i == BILL_SERVER_USER || i == BILL_CLIENT_USER ||
		    !(fabs(share(c->runs[0], of_a)) >= LINE_LEAST ||
		      fabs(share(c->runs[1], of_b)) >= LINE_LEAST))
			continue;
		snprintf(name, sizeof(name), "  bill: %s",
		         bill_line_title(&a->bill, (enum bill_line_id)i));
		add_share(c, name, of_a, of_b, MEMORY_KERNEL);
	}
}

/* Of the series: how much a counter of trouble grew. */
static void add_counters(struct compare *c)
{
	for (int i = 0; i < FIGURE_COUNT; i++) {
		double grown[2];

		if (figure_at((enum figure_id)i)->group != FIGURE_TROUBLE)
			continue;
		for (int run = 0; run < 2; run++) {
			struct track_range range = track_range(&c->runs[run]->track,
			                                       (enum figure_id)i);

			grown[run] = range.first == PROBE_UNKNOWN || range.last < range.first
			                     ? NAN
			                     : (double)(range.last - range.first);
		}
		if (grown[0] > 0 || grown[1] > 0)
			judge(add(c, figure_at((enum figure_id)i)->title, AXIS_COUNT,
			          by_size(c, COMPARE_LESS), grown[0], grown[1]));
	}
}

static void add_cpu(struct compare *c)
{
	double values[2];

	for (int i = 0; i < 2; i++) {
		const struct result *r = &c->runs[i]->result;

		values[i] = r->timing.ramp_cpu_ns == RESULT_UNKNOWN ||
		                            r->established.client == RESULT_UNKNOWN ||
		                            r->established.client == 0
		                    ? NAN
		                    : (double)r->timing.ramp_cpu_ns / (double)r->established.client;
	}
	judge(add(c, "CPU time a connection", AXIS_NS, COMPARE_LESS, values[0], values[1]));
}

static void add_proof(struct compare *c, const char *name, size_t offset)
{
	double values[2];

	for (int i = 0; i < 2; i++) {
		const struct result_proof *proof =
			(const void *)((const char *)&c->runs[i]->result + offset);

		values[i] = c->runs[i]->has_result && proof->done ? known(proof->duration_ns) : NAN;
	}
	judge(add(c, name, AXIS_NS, by_size(c, COMPARE_LESS), values[0], values[1]));
}

static void add_rows(struct compare *c)
{
	FIELD(c, "established, clients", AXIS_COUNT, COMPARE_MORE, established.client);
	FIELD(c, "established, servers", AXIS_COUNT, COMPARE_MORE, established.server);
	FIELD(c, "established, kernel", AXIS_COUNT, COMPARE_MORE, established.kernel);
	TROUBLE(c, "failed", failed);
	TROUBLE(c, "retried", retried);
	TROUBLE(c, "lost", lost);
	TROUBLE(c, "not tried", not_tried);
	add_ramp(c);
	FIELD(c, "ramp, time", AXIS_NS, COMPARE_LESS, timing.ramp_ns);
	add_cpu(c);
	add_quantiles(c);
	add_stages(c);
	add_proof(c, "first proof", offsetof(struct result, proved_ramp));
	add_proof(c, "second proof", offsetof(struct result, proved));
	FIELD(c, "close", AXIS_NS, COMPARE_LESS, timing.teardown_ns);
	add_memory(c);
	add_counters(c);
}

/* --- settings ----------------------------------------------------------------------------- */

static void add_setting(struct compare *c, const char *name, const char *a, const char *b)
{
	const char *values[2] = {a && a[0] ? a : "-", b && b[0] ? b : "-"};

	if (strcmp(values[0], values[1]) == 0)
		return;
	if (c->setting_count == COMPARE_SETTINGS_MOST) {
		c->setting_more++;
		return;
	}
	struct compare_setting *s = &c->settings[c->setting_count++];

	snprintf(s->name, sizeof(s->name), "%s", name);
	for (int i = 0; i < 2; i++)
		snprintf(s->values[i], sizeof(s->values[i]), "%s", values[i]);
}

static void add_json(struct compare *c, const char *name, const json_t *a, const json_t *b)
{
	const json_t *both[2] = {a, b};
	char text[2][192] = {"", ""};

	for (int i = 0; i < 2; i++) {
		char *dumped = both[i] ? json_dumps(both[i], JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

		snprintf(text[i], sizeof(text[i]), "%s",
		         json_is_string(both[i]) ? json_string_value(both[i])
		         : dumped                ? dumped
		                                 : "-");
		free(dumped);
	}
	add_setting(c, name, text[0], text[1]);
}

/* What is of the moment, and no setting. */
static bool is_moment(const char *key)
{
	static const char *const keys[] = {"command", "started", "unix_ns", "fs.file-nr"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return strstr(key, "_left") || strstr(key, "_used") || strstr(key, "_count");
}

/* What differs of two objects: `in` is their name. Keys of both come once, from the first. Those
 * that are objects in both are left to the caller. */
static void add_group(struct compare *c, const char *in, json_t *a, json_t *b)
{
	json_t *both[2] = {a, b}, *value;
	const char *key;
	char name[64];

	for (int i = 0; i < 2; i++) {
		json_object_foreach (both[i], key, value) {
			json_t *other = json_object_get(both[1 - i], key);

			if (is_moment(key) || (i == 1 && other) ||
			    (json_is_object(value) && json_is_object(other)))
				continue;
			snprintf(name, sizeof(name), "%s%s%s", in, in[0] ? "." : "", key);
			add_json(c, name, i == 0 ? value : other, i == 0 ? other : value);
		}
	}
}

/* All that the two environments say, but for what is of the moment. */
static void add_environment(struct compare *c, json_t *a, json_t *b)
{
	const char *key;
	json_t *value;

	add_group(c, "", a, b);
	json_object_foreach (a, key, value) {
		if (json_is_object(value) && json_is_object(json_object_get(b, key)))
			add_group(c, key, value, json_object_get(b, key));
	}
}

static void add_settings(struct compare *c)
{
	const struct report *a = c->runs[0], *b = c->runs[1];

	add_setting(c, "command", a->command, b->command);
	add_setting(c, "version", a->version, b->version);
	if (a->has_result && b->has_result) {
		const struct result *x = &a->result, *y = &b->result;

		add_setting(c, "connections", axis_text(AXIS_COUNT, (double)x->target).text,
		            axis_text(AXIS_COUNT, (double)y->target).text);
		add_setting(c, "kernel", x->host.kernel, y->host.kernel);
		add_setting(c, "servers' engine", x->server_engine, y->server_engine);
		add_setting(c, "clients' engine", x->client_engine, y->client_engine);
		add_setting(c, "solution", x->solution, y->solution);
		add_setting(c, "network", x->network, y->network);
		add_setting(c, "via", via_name(x->via.kind), via_name(y->via.kind));
	}
	if (a->environment && b->environment)
		add_environment(c, a->environment, b->environment);
}

void compare_make(const struct report *a, const struct report *b, struct compare *c)
{
	memset(c, 0, sizeof(*c));
	c->runs[0] = a;
	c->runs[1] = b;
	add_settings(c);
	add_rows(c);
	for (uint32_t i = 0; i < c->row_count; i++)
		c->marked += c->rows[i].mark != COMPARE_SAME;
}

/* --- words -------------------------------------------------------------------------------- */

struct axis_text compare_ratio_text(const struct compare_row *row)
{
	struct axis_text out = {"-"};

	if (row->values[0] == row->values[1])
		snprintf(out.text, sizeof(out.text), "=");
	else if (row->values[0] == 0 && row->values[1] > 0)
		snprintf(out.text, sizeof(out.text), "new");
	else if (row->values[0] < 0) /* a part of less than nothing says nothing */
		return out;
	else if (!isnan(row->ratio) && fabs(row->ratio) >= 10)
		snprintf(out.text, sizeof(out.text), "x%.3g", row->ratio + 1);
	else if (!isnan(row->ratio))
		snprintf(out.text, sizeof(out.text), "%+.1f %%", 100 * row->ratio);
	return out;
}

bool compare_has_noise(const struct compare_row *row)
{
	return !isnan(row->noise[0]) && !isnan(row->noise[1]) && row->values[0] > 0;
}

struct axis_text compare_noise_text(const struct compare_row *row)
{
	struct axis_text out = {"no estimate"};
	double noise = hypot(row->noise[0], row->noise[1]);

	if (compare_has_noise(row))
		snprintf(out.text, sizeof(out.text), "%.1f %%",
		         100 * fmax(noise / row->values[0], COMPARE_LEAST));
	return out;
}

const char *compare_mark_text(enum compare_mark mark)
{
	static const char *const texts[] = {
		[COMPARE_SAME] = "",
		[COMPARE_WORSE] = "worse",
		[COMPARE_BETTER] = "better",
		[COMPARE_OTHER] = "differs",
	};

	return texts[mark];
}

struct axis_text compare_value_text(const struct compare_row *row, int run)
{
	double value = row->values[run];
	struct axis_text out = {"-"};
	struct text t;

	if (isnan(value))
		return out;
	/* Shares of memory are small: bytes, not KiB. */
	if (row->unit != AXIS_BYTES)
		return axis_text(row->unit, value);
	if (fabs(value) < 1000) {
		snprintf(out.text, sizeof(out.text), "%.1f B", value);
		return out;
	}
	text_init(&t, out.text, sizeof(out.text));
	text_add(&t, "%s", value < 0 ? "-" : "");
	text_count(&t, (uint64_t)llround(fabs(value)));
	text_add(&t, " B");
	return out;
}

void compare_headline(const struct compare *c, char *out, size_t size)
{
	uint32_t better = 0, worse = 0;
	struct text t;

	for (uint32_t i = 0; i < c->row_count; i++) {
		better += c->rows[i].mark == COMPARE_BETTER;
		worse += c->rows[i].mark == COMPARE_WORSE;
	}
	text_init(&t, out, size);
	if (c->marked == 0) {
		text_add(&t, "no difference exceeds noise in %u figures", c->row_count);
		return;
	}
	text_add(&t,
	         "%u of %u figures differ by more than noise: the second run is better in %u "
	         "and worse in %u",
	         c->marked, c->row_count, better, worse);
	if (c->marked > better + worse)
		text_add(&t, "; differs with the number of connections: %u",
		         c->marked - better - worse);
}
