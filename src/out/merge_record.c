/* merge_record: two passes over each record. In the first its samples are added to the grid, and
 * the lines of its logs kept as they are, by the second in which they end; then the seconds are
 * walked, and what came in each is added to the histograms of the sample. */
#include "out/merge_record.h"

#include "base/clock.h"
#include "base/figure.h"
#include "base/map.h"
#include "out/hdr_read.h"
#include "out/json.h"
#include "out/merge_grid.h"
#include "out/merge_text.h"
#include "out/record.h"
#include "out/series.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOGS_MOST (UINT64_C(512) << 20) /* bytes of lines that are kept */

/* A line of a log. */
struct entry {
	uint32_t second; /* of the grid */
	enum merge_log log;
	char *line;
};

struct maker {
	const struct merge *m;
	struct merge_grid grid;
	struct entry *entries;
	size_t entry_count, entry_room;
	uint64_t entry_bytes;
	struct sample *sample; /* mapped: it is large */
	uint64_t *numbers;
	char *line; /* of getline */
	size_t line_size;
};

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for the merged record");
}

static FILE *open_of(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return NULL;
	/* A FIFO of that name would hold us. */
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
}

/* --- samples ------------------------------------------------------------------------------ */

/* Lines that cannot be read are passed over, as in a report. */
static int add_samples(struct maker *k, FILE *file)
{
	struct merge_host host = {.numbers = k->numbers};
	int failed = 0;
	ssize_t len;

	while (failed == 0 && (len = getline(&k->line, &k->line_size, file)) > 0) {
		if (series_read(k->line, (size_t)len, k->sample) == 0)
			failed = merge_grid_add(&k->grid, &host, k->sample);
	}
	if (failed == 0)
		merge_grid_end(&k->grid, &host);
	return failed;
}

/* --- times -------------------------------------------------------------------------------- */

static int log_of(const char *tag)
{
	for (int i = 0; i < MERGE_LOG_COUNT; i++) {
		if (strcmp(merge_log_tags[i], tag) == 0)
			return i;
	}
	return -1;
}

static int keep(struct maker *k, uint32_t second, enum merge_log log, const char *line, size_t len)
{
	if (k->entry_bytes + len > LOGS_MOST)
		return -EFBIG;
	if (k->entry_count == k->entry_room) {
		size_t room = k->entry_room == 0 ? 1024 : k->entry_room * 2;
		struct entry *entries = realloc(k->entries, room * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		k->entries = entries;
		k->entry_room = room;
	}
	char *copy = strndup(line, len);

	if (!copy)
		return -ENOMEM;
	k->entries[k->entry_count++] = (struct entry){second, log, copy};
	k->entry_bytes += len;
	return 0;
}

static uint32_t second_of(const struct maker *k, uint64_t unix_ns)
{
	uint64_t at_s = (unix_ns + NS_PER_S - 1) / NS_PER_S;
	uint64_t second = at_s > k->grid.start_s ? at_s - k->grid.start_s : 0;

	return (uint32_t)(second < k->grid.count ? second : k->grid.count - 1);
}

/* Whatever its stage is. Logs have been read before, for the result: they are whole. */
static int add_log(struct maker *k, FILE *file)
{
	static struct hist none;
	uint64_t base_ns = 0;
	int failed = 0;
	ssize_t len;

	while (failed == 0 && (len = getline(&k->line, &k->line_size, file)) > 0) {
		struct hdr_read read;

		if (hdr_read_line(k->line, (size_t)len, &read, &none) != 0)
			continue;
		if (read.kind == HDR_BASE)
			base_ns = read.base_unix_ns;
		if (read.kind == HDR_COUNTS && log_of(read.tag) >= 0)
			failed = keep(k, second_of(k, base_ns + read.to_ns),
			              (enum merge_log)log_of(read.tag), k->line, (size_t)len);
	}
	return failed;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->second < y->second ? -1 : x->second > y->second;
}

/* --- reading ------------------------------------------------------------------------------ */

static int each(struct maker *k, const char *name, int (*add)(struct maker *, FILE *))
{
	int failed = 0;

	for (uint32_t i = 0; i < k->m->row_count && failed == 0; i++) {
		const struct merge_row *row = &k->m->rows[i];

		if (!row->has_begun || row->is_again)
			continue;
		FILE *file = open_of(row->name, name);

		if (!file)
			continue;
		failed = add(k, file);
		fclose(file);
	}
	return failed;
}

static int read_all(struct maker *k, struct err *err)
{
	int failed = each(k, "series.ndjson", add_samples);

	if (failed == 0 && k->grid.count > 0 && k->m->without_logs == 0) {
		failed = each(k, "connect.hlog", add_log);
		if (failed == 0)
			failed = each(k, "latency.hlog", add_log);
	}
	if (failed == -EFBIG)
		return err_set(err, failed,
		               "the logs of all shards are more than %llu MiB: a "
		               "record of them is too much; without --out they are added up",
		               (unsigned long long)(LOGS_MOST >> 20));
	if (failed != 0)
		return out_of_memory(err);
	if (k->entry_count > 0)
		qsort(k->entries, k->entry_count, sizeof(k->entries[0]), compare_entries);
	return 0;
}

/* --- writing ------------------------------------------------------------------------------ */

struct times {
	struct hist log[MERGE_LOG_COUNT], before;
};

static void tell_times(struct sample *s, const struct times *now)
{
	static struct hist came;

	s->connect = now->log[MERGE_CONNECT];
	s->corrected = now->log[MERGE_CORRECTED];
	s->uncorrected = now->log[MERGE_UNCORRECTED];
	hist_subtract(&came, &s->corrected, &now->before);
	s->latency = quantiles_of(&came);
}

static int write_seconds(struct maker *k, struct record *record, struct err *err)
{
	static struct times now;
	size_t next = 0;
	int failed = 0;

	memset(&now, 0, sizeof(now));
	for (uint32_t i = 0; i < k->grid.count && failed == 0; i++) {
		struct hdr_read read;

		now.before = now.log[MERGE_CORRECTED];
		for (; next < k->entry_count && k->entries[next].second <= i; next++)
			(void)hdr_read_line(k->entries[next].line, strlen(k->entries[next].line),
			                    &read, &now.log[k->entries[next].log]);
		merge_grid_sample(&k->grid, i, k->sample);
		tell_times(k->sample, &now);
		failed = record_sample(record, k->sample, err);
	}
	return failed;
}

static int write_result(const struct merge *m, const char *dir, int argc, char *const *argv,
                        struct err *err)
{
	char path[PATH_MAX];
	json_t *document = merge_text_json(m, argc, argv);
	int failed = document ? 0 : out_of_memory(err);

	snprintf(path, sizeof(path), "%s/result.json", dir);
	if (failed == 0)
		failed = json_write_document(path, document, err);
	json_decref(document);
	return failed;
}

static int make(struct maker *k, const char *dir, int argc, char *const *argv, char *report,
                struct err *err)
{
	struct record *record;
	const char *path = NULL;
	int failed = read_all(k, err);

	if (failed == 0)
		failed = record_open(dir, argc, argv, NULL, &record, err);
	if (failed != 0)
		return failed;
	failed = write_seconds(k, record, err);
	if (failed == 0)
		failed = write_result(k->m, dir, argc, argv, err);
	if (failed == 0)
		failed = record_report(record, &path, err);
	snprintf(report, PATH_MAX, "%s", path ? path : "");
	(void)record_close(record);
	return failed;
}

int merge_record(const struct merge *m, const char *dir, int argc, char *const *argv, char *report,
                 struct err *err)
{
	uint64_t started_ns = m->result.timing.started_unix_ns;
	struct maker k = {
		.m = m,
		.grid = {.start_s = started_ns == RESULT_UNKNOWN || started_ns < NS_PER_S
	                                    ? 0
	                                    : started_ns / NS_PER_S - 1},
		.sample = map_private(sizeof(struct sample)),
		.numbers = calloc(merge_grid_columns(), sizeof(uint64_t)),
	};
	int failed = k.sample && k.numbers ? make(&k, dir, argc, argv, report, err)
	                                   : out_of_memory(err);

	for (size_t i = 0; i < k.entry_count; i++)
		free(k.entries[i].line);
	free(k.entries);
	free(k.line);
	free(k.numbers);
	merge_grid_free(&k.grid);
	map_drop(k.sample, sizeof(struct sample));
	return failed;
}
