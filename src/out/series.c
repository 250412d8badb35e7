/* series: the table of figures in a loop, both ways. */
#include "out/series.h"

#include "base/figure.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define SCHEMA "megaconn.sample/1"
#define FAMILY "megaconn.sample/"

static const char *const endings[FIGURE_UNIT_COUNT] = {
	[FIGURE_NUMBER] = "",
	[FIGURE_BYTES] = "_bytes",
	[FIGURE_NS] = "_ns",
};

/* Of the time to connect; answers have p9999 too (base/quantiles.h). */
static const struct {
	const char *key;
	double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

/* Printable, and nothing that JSON would escape: names of caches and CPUs are. */
static bool label_is_good(const char *label)
{
	for (const char *c = label; *c; c++) {
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
			return false;
	}
	return label[0] != '\0';
}

/* --- writing ------------------------------------------------------------------------------ */

/* Larger numbers than JSON's integers here are nothing that was counted. */
static bool is_known(uint64_t value)
{
	return value <= INT64_MAX;
}

static bool is_shown(const struct figure *figure, const struct sample *sample, uint32_t i)
{
	uint64_t value = figure_value(figure, sample, i);

	if (!is_known(value) || !label_is_good(figure_label(figure, sample, i)))
		return false;
	if (figure->family == FIGURE_BY_CACHE)
		return sample->slabs.slabs[i].bytes >= SERIES_CACHE_LEAST_BYTES;
	return (figure->family != FIGURE_BY_CAUSE && figure->family != FIGURE_BY_ANSWER) ||
	       value > 0;
}

/* Caches are known too where all of them are small. */
static bool has_family(const struct figure *figure, const struct sample *sample)
{
	if (figure->family == FIGURE_BY_CACHE)
		return sample->has_slabs;
	if (figure->family == FIGURE_BY_ANSWER && figure_sum(figure, sample) == PROBE_UNKNOWN)
		return false;
	return figure_count(figure, sample) > 0;
}

static void write_family(struct text *t, const struct figure *figure, const struct sample *sample)
{
	const char *comma = "";

	text_add(t, "{");
	for (uint32_t i = 0; i < figure_count(figure, sample); i++) {
		if (!is_shown(figure, sample, i))
			continue;
		text_add(t, "%s\"%s\":%" PRIu64, comma, figure_label(figure, sample, i),
		         figure_value(figure, sample, i));
		comma = ",";
	}
	text_add(t, "}");
}

static void write_figure(struct text *t, const struct figure *figure, const struct sample *sample)
{
	bool is_one = figure->family == FIGURE_ONE;

	if (!has_family(figure, sample) || (is_one && !is_known(figure_value(figure, sample, 0))))
		return;
	text_add(t, ",\"%s%s\":", figure->name, endings[figure->unit]);
	if (is_one)
		text_add(t, "%" PRIu64, figure_value(figure, sample, 0));
	else
		write_family(t, figure, sample);
}

static void write_connect(struct text *t, const struct hist *connect)
{
	if (connect->count == 0 || !is_known(connect->count) || !is_known(connect->max_ns))
		return;
	text_add(t, ",\"connect\":{\"count\":%" PRIu64, connect->count);
	for (size_t i = 0; i < QUANTILES; i++)
		text_add(t, ",\"%s\":%" PRIu64, quantiles[i].key,
		         quantiles[i].q < 1 ? hist_quantile(connect, quantiles[i].q)
		                            : connect->max_ns);
	text_add(t, "}");
}

static void write_latency(struct text *t, const struct quantiles *latency)
{
	if (latency->count == 0 || !is_known(latency->count) || !is_known(latency->max_ns))
		return;
	text_add(t, ",\"latency\":{\"count\":%" PRIu64, latency->count);
	for (int i = 0; i < QUANTILES_EACH; i++)
		text_add(t, ",\"%s\":%" PRIu64, quantiles_keys[i], quantiles_at(latency, i));
	text_add(t, "}");
}

size_t series_write(const struct sample *sample, char *line, size_t size)
{
	struct text t;

	text_init(&t, line, size);
	text_add(&t, "{\"schema\":\"" SCHEMA "\",\"at_ns\":%" PRIu64 ",\"unix_ns\":%" PRIu64,
	         sample->at_ns, sample->unix_ns);
	if (sample->has_run)
		text_add(&t, ",\"phase\":\"%s\"", live_phase_name(sample->run.phase));
	for (int i = 0; i < FIGURE_COUNT; i++)
		write_figure(&t, figure_at((enum figure_id)i), sample);
	if (sample->has_run)
		write_connect(&t, &sample->connect);
	if (sample->has_run)
		write_latency(&t, &sample->latency);
	text_add(&t, "}");
	return t.cut ? 0 : t.len;
}

/* --- reading ------------------------------------------------------------------------------ */

/* A whole number >= 0. */
static bool get_number(const json_t *value, uint64_t *number)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*number = (uint64_t)json_integer_value(value);
	return true;
}

static int read_schema(const json_t *root)
{
	const char *schema = json_string_value(json_object_get(root, "schema"));

	if (!schema || strncmp(schema, FAMILY, strlen(FAMILY)) != 0)
		return -EINVAL;
	return strcmp(schema, SCHEMA) == 0 ? 0 : -ENOTSUP;
}

static int read_phase(const json_t *root, struct sample *sample)
{
	const json_t *value = json_object_get(root, "phase");
	const char *name = json_string_value(value);

	if (!value)
		return 0;
	for (int i = 0; name && i < LIVE_PHASE_COUNT; i++) {
		if (strcmp(live_phase_name((enum live_phase)i), name) != 0)
			continue;
		sample->run.phase = (enum live_phase)i;
		sample->has_run = true;
		return 0;
	}
	return -EINVAL;
}

/* A label that there is no place for is a later megaconn's, or one too many. */
static int read_family(const struct figure *figure, json_t *values, struct sample *sample)
{
	const char *label;
	json_t *value;
	uint64_t number;

	if (!json_is_object(values))
		return -EINVAL;
	if (figure->family == FIGURE_BY_CACHE)
		sample->has_slabs = true;
	if (figure->family == FIGURE_BY_ANSWER) /* those that are left out are 0 */
		memset(sample->run.answers, 0, sizeof(sample->run.answers));
	json_object_foreach (values, label, value) {
		if (!get_number(value, &number))
			return -EINVAL;
		if (label_is_good(label))
			(void)figure_put(figure, sample, label, number);
	}
	return 0;
}

static int read_figure(const struct figure *figure, const json_t *root, struct sample *sample)
{
	char key[96];
	struct text t;
	uint64_t number;

	text_init(&t, key, sizeof(key));
	text_add(&t, "%s%s", figure->name, endings[figure->unit]);
	json_t *value = json_object_get(root, key);

	if (!value)
		return 0;
	if (figure->family != FIGURE_ONE)
		return read_family(figure, value, sample);
	if (!get_number(value, &number))
		return -EINVAL;
	(void)figure_put(figure, sample, "", number);
	return 0;
}

/* As many values at each quantile as lie between its rank and the one before. */
static int read_connect(const json_t *root, struct hist *connect)
{
	const json_t *value = json_object_get(root, "connect");
	uint64_t count, at_ns = 0, least_ns = 0, seen = 0;

	if (!value)
		return 0;
	if (!get_number(json_object_get(value, "count"), &count) || count == 0)
		return -EINVAL;
	for (size_t i = 0; i < QUANTILES; i++) {
		uint64_t rank = hist_rank(quantiles[i].q, count);

		if (!get_number(json_object_get(value, quantiles[i].key), &at_ns) ||
		    at_ns < least_ns)
			return -EINVAL;
		hist_add(connect, at_ns, rank - seen);
		seen = rank;
		least_ns = at_ns;
	}
	return 0;
}

static int read_latency(const json_t *root, struct quantiles *latency)
{
	const json_t *value = json_object_get(root, "latency");
	uint64_t least_ns = 0;

	if (!value)
		return 0;
	if (!get_number(json_object_get(value, "count"), &latency->count) || latency->count == 0)
		return -EINVAL;
	for (int i = 0; i < QUANTILES_EACH; i++) {
		uint64_t at_ns;

		if (!get_number(json_object_get(value, quantiles_keys[i]), &at_ns) ||
		    at_ns < least_ns)
			return -EINVAL;
		quantiles_set(latency, i, at_ns);
		least_ns = at_ns;
	}
	return 0;
}

static int read_all(const json_t *root, struct sample *sample)
{
	int failed = read_schema(root);

	if (failed == 0 && (!get_number(json_object_get(root, "at_ns"), &sample->at_ns) ||
	                    !get_number(json_object_get(root, "unix_ns"), &sample->unix_ns)))
		failed = -EINVAL;
	for (int i = 0; i < FIGURE_COUNT && failed == 0; i++)
		failed = read_figure(figure_at((enum figure_id)i), root, sample);
	if (failed == 0)
		failed = read_phase(root, sample);
	for (int i = 0; i < CAUSE_COUNT && failed == 0; i++)
		sample->run.failed += sample->run.failed_by_cause[i];
	if (failed == 0)
		failed = read_connect(root, &sample->connect);
	return failed == 0 ? read_latency(root, &sample->latency) : failed;
}

int series_read(const char *line, size_t len, struct sample *sample)
{
	json_error_t error;

	figure_clear(sample);
	if (len >= SERIES_LINE_MOST)
		return -EINVAL;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		return -EINVAL;
	int failed = read_all(root, sample);

	json_decref(root);
	return failed;
}
