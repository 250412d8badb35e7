/* track: reading, and looking things up.
 *
 * A series is read twice: the first time lines are only counted, so that the second time only those
 * that are kept need to be taken apart. */
#include "out/track.h"

#include "out/series.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double track_quantiles[TRACK_QUANTILES] = {0.5, 0.9, 0.99, 0.999, 1};

/* --- columns ------------------------------------------------------------------------------ */

static int grow_points(struct track *track)
{
	uint32_t room = track->room == 0 ? 64 : track->room * 2;
	struct track_point *points = realloc(track->points, room * sizeof(*points));

	if (!points)
		return -ENOMEM;
	track->points = points;
	for (uint32_t c = 0; c < track->column_count; c++) {
		uint64_t *values = realloc(track->columns[c].values, room * sizeof(*values));

		if (!values)
			return -ENOMEM;
		track->columns[c].values = values;
	}
	track->room = room;
	return 0;
}

static int add_column(struct track *track, enum figure_id figure, const char *label)
{
	if (track->column_count == track->column_room) {
		uint32_t room = track->column_room == 0 ? 128 : track->column_room * 2;
		struct track_column *columns = realloc(track->columns, room * sizeof(*columns));

		if (!columns)
			return -ENOMEM;
		track->columns = columns;
		track->column_room = room;
	}
	uint64_t *values = malloc(track->room * sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (uint32_t p = 0; p <= track->count; p++)
		values[p] = PROBE_UNKNOWN;

	struct track_column *column = &track->columns[track->column_count++];

	*column = (struct track_column){.figure = figure, .values = values};
	memcpy(column->label, label, strnlen(label, sizeof(column->label) - 1));
	return 0;
}

static bool is_column(const struct track_column *column, enum figure_id figure, const char *label)
{
	return column->figure == figure && strcmp(column->label, label) == 0;
}

/* Samples have their numbers in the same order, so it is mostly the one after the last. */
static struct track_column *find_column(struct track *track, enum figure_id figure,
                                        const char *label)
{
	for (uint32_t i = 0; i < track->column_count; i++) {
		uint32_t c = (track->guess + i) % track->column_count;

		if (is_column(&track->columns[c], figure, label)) {
			track->guess = c + 1;
			return &track->columns[c];
		}
	}
	return NULL;
}

static int put(struct track *track, enum figure_id figure, const char *label, uint64_t value)
{
	struct track_column *column = find_column(track, figure, label);

	if (!column) {
		int failed = add_column(track, figure, label);

		if (failed != 0)
			return failed;
		column = &track->columns[track->column_count - 1];
	}
	column->values[track->count] = value;
	return 0;
}

static int put_figure(struct track *track, enum figure_id id, const struct sample *sample)
{
	const struct figure *figure = figure_at(id);

	for (uint32_t i = 0; i < figure_count(figure, sample); i++) {
		uint64_t value = figure_value(figure, sample, i);
		bool is_named = figure->family == FIGURE_BY_CAUSE ||
		                figure->family == FIGURE_BY_ANSWER;
		bool is_none = is_named && value == 0 &&
		               !find_column(track, id, figure_label(figure, sample, i));

		if (value == PROBE_UNKNOWN || is_none)
			continue;
		int failed = put(track, id, figure_label(figure, sample, i), value);

		if (failed != 0)
			return failed;
	}
	return 0;
}

int track_add(struct track *track, const struct sample *sample)
{
	uint64_t last_ns = track->count > 0
	                           ? track->first_ns + track->points[track->count - 1].at_ns
	                           : 0;

	if (track->count > 0 && sample->at_ns < last_ns)
		return -EINVAL;
	if (track->count == track->room && grow_points(track) != 0)
		return -ENOMEM;
	if (track->count == 0)
		track->first_ns = sample->at_ns;
	for (uint32_t c = 0; c < track->column_count; c++)
		track->columns[c].values[track->count] = PROBE_UNKNOWN;
	for (int i = 0; i < FIGURE_COUNT; i++) {
		int failed = put_figure(track, (enum figure_id)i, sample);

		if (failed != 0)
			return failed;
	}
	struct track_point *point = &track->points[track->count++];

	*point = (struct track_point){
		.at_ns = sample->at_ns - track->first_ns,
		.unix_ns = sample->unix_ns,
		.phase = sample->has_run ? (uint32_t)sample->run.phase : TRACK_NO_PHASE,
		.connects = sample->connect.count,
		.latency = sample->latency,
	};
	for (int i = 0; i < TRACK_QUANTILES; i++)
		point->connect_ns[i] = hist_quantile(&sample->connect, track_quantiles[i]);
	return 0;
}

void track_free(struct track *track)
{
	for (uint32_t c = 0; c < track->column_count; c++)
		free(track->columns[c].values);
	free(track->columns);
	free(track->points);
	*track = (struct track){0};
}

/* --- a file ------------------------------------------------------------------------------- */

struct line {
	char *text;
	size_t size;
	ssize_t len;
	bool is_taken;
};

struct reading {
	struct track *track;
	struct sample *sample;
	struct line now, before;
	uint64_t at, stride, bad;
};

static int take(struct reading *r, struct line *line)
{
	if (line->len <= 0 || line->is_taken)
		return 0;
	line->is_taken = true;
	int failed = series_read(line->text, (size_t)line->len, r->sample);

	if (failed == 0)
		failed = track_add(r->track, r->sample);
	if (failed == -ENOTSUP && r->track->count == 0)
		return failed;
	if (failed == -ENOMEM)
		return failed;
	r->bad += failed != 0;
	return 0;
}

/* Where the phase begins in a line, without taking it apart; its length. */
static size_t phase_of(const struct line *line, const char **phase)
{
	static const char key[] = "\"phase\":\"";
	const char *at = strstr(line->text, key);

	*phase = at ? at + sizeof(key) - 1 : "";
	return strcspn(*phase, "\"");
}

static bool has_same_phase(const struct line *a, const struct line *b)
{
	const char *of_a, *of_b;
	size_t len = phase_of(a, &of_a);

	return len == phase_of(b, &of_b) && memcmp(of_a, of_b, len) == 0;
}

/* A process that is killed leaves a line without its end. */
static bool is_whole(const struct line *line)
{
	ssize_t len = line->len;

	while (len > 0 && (line->text[len - 1] == '\n' || line->text[len - 1] == '\r'))
		len--;
	return len > 0 && line->text[len - 1] == '}';
}

static int one_line(struct reading *r)
{
	int failed = 0;

	if (!is_whole(&r->now)) {
		r->bad++;
		return 0;
	}
	bool is_edge = r->before.len > 0 && !has_same_phase(&r->before, &r->now);

	r->now.is_taken = false;
	if (is_edge)
		failed = take(r, &r->before);
	if (failed == 0 && (is_edge || r->at % r->stride == 0))
		failed = take(r, &r->now);
	r->at++;

	struct line before = r->before;

	r->before = r->now;
	r->now = before;
	return failed;
}

static int all_lines(struct reading *r, FILE *file)
{
	while ((r->now.len = getline(&r->now.text, &r->now.size, file)) > 0) {
		int failed = one_line(r);

		if (failed != 0)
			return failed;
	}
	return ferror(file) ? -EIO : take(r, &r->before);
}

static uint64_t count_lines(FILE *file)
{
	static char block[65536];
	uint64_t lines = 0;
	size_t len;

	while ((len = fread(block, 1, sizeof(block), file)) > 0) {
		for (const char *at = block; (at = memchr(at, '\n', len - (size_t)(at - block)));
		     at++)
			lines++;
	}
	rewind(file);
	return lines;
}

int track_read(struct track *track, const char *path, uint64_t *lines, uint64_t *bad)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	*lines = count_lines(file);

	struct reading r = {
		.track = track,
		.sample = malloc(sizeof(*r.sample)),
		.stride = (*lines + TRACK_POINTS_MOST - 1) / TRACK_POINTS_MOST,
	};
	if (r.stride == 0)
		r.stride = 1;
	int failed = r.sample ? all_lines(&r, file) : -ENOMEM;

	*bad = r.bad;
	free(r.sample);
	free(r.now.text);
	free(r.before.text);
	fclose(file);
	if (failed != 0)
		track_free(track);
	return failed;
}

/* --- looking up --------------------------------------------------------------------------- */

const uint64_t *track_column(const struct track *track, enum figure_id figure, const char *label)
{
	for (uint32_t c = 0; c < track->column_count; c++) {
		if (is_column(&track->columns[c], figure, label))
			return track->columns[c].values;
	}
	return NULL;
}

uint64_t track_sum(const struct track *track, enum figure_id figure, uint32_t point)
{
	uint64_t sum = PROBE_UNKNOWN;

	for (uint32_t c = 0; c < track->column_count; c++) {
		const struct track_column *column = &track->columns[c];

		if (column->figure != figure || column->values[point] == PROBE_UNKNOWN)
			continue;
		sum = sum == PROBE_UNKNOWN ? column->values[point] : sum + column->values[point];
	}
	return sum;
}

double track_rate_per_s(const struct track *track, enum figure_id figure, uint32_t point)
{
	if (point == 0)
		return -1;
	uint64_t from = track_sum(track, figure, point - 1), to = track_sum(track, figure, point);
	uint64_t took_ns = track->points[point].at_ns - track->points[point - 1].at_ns;

	if (from == PROBE_UNKNOWN || to == PROBE_UNKNOWN || to < from || took_ns == 0)
		return -1;
	return (double)(to - from) * 1e9 / (double)took_ns;
}

struct track_range track_range(const struct track *track, enum figure_id figure)
{
	struct track_range range = {PROBE_UNKNOWN, PROBE_UNKNOWN, PROBE_UNKNOWN};

	for (uint32_t p = 0; p < track->count; p++) {
		uint64_t sum = track_sum(track, figure, p);

		if (sum == PROBE_UNKNOWN)
			continue;
		if (range.first == PROBE_UNKNOWN)
			range.first = range.most = sum;
		range.last = sum;
		range.most = sum > range.most ? sum : range.most;
	}
	return range;
}
