/* merge_logs: see the header. */
#include "out/merge_logs.h"

#include "base/quantiles.h"
#include "base/text.h"
#include "out/hdr_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *const merge_log_tags[MERGE_LOG_COUNT] = {
	[MERGE_CONNECT] = "connect",
	[MERGE_CORRECTED] = "corrected",
	[MERGE_UNCORRECTED] = "uncorrected",
};

/* --- reading ------------------------------------------------------------------------------ */

/* A log has far fewer times than this: so none of all shards' sums overflows. */
#define TIMES_MOST (UINT64_MAX >> 16)

/* Where the counts of a line go; NULL: nowhere. */
static struct hist *place_of(struct merge_logs *logs, const struct hdr_read *line, uint32_t stage)
{
	for (int i = 0; i < MERGE_LOG_COUNT; i++) {
		if (strcmp(line->tag, merge_log_tags[i]) != 0)
			continue;
		if (stage == 0)
			return i == MERGE_CONNECT ? &logs->ramp : NULL;
		return &logs->stages[stage - 1][i];
	}
	return NULL;
}

static int take_line(struct merge_logs *logs, const char *line, size_t len, uint32_t *stage)
{
	static struct hist came;
	struct hdr_read read;

	memset(&came, 0, sizeof(came));
	if (hdr_read_line(line, len, &read, &came) != 0)
		return -EINVAL;
	if (read.kind == HDR_STAGE) {
		*stage = read.stage;
		return read.stage >= 1 && read.stage <= STAGES_MAX ? 0 : -EINVAL;
	}
	if (read.kind != HDR_COUNTS)
		return 0;
	struct hist *to = place_of(logs, &read, *stage);

	if (!to || came.count > TIMES_MOST - to->count)
		return -EINVAL;
	hist_merge(to, &came);
	return 0;
}

static int read_lines(struct merge_logs *logs, FILE *file, const char *path, struct err *err)
{
	static char line[HDR_LINE_MOST + 1];
	unsigned long number = 0;
	uint32_t stage = 0;

	while (fgets(line, sizeof(line), file)) {
		number++;
		if (take_line(logs, line, strlen(line), &stage) != 0)
			return err_set(err, -EINVAL,
			               "%s: line %lu: damaged, or no log of megaconn's", path,
			               number);
	}
	if (ferror(file))
		return err_set(err, -EIO, "%s: %s", path, strerror(EIO));
	return 0;
}

static int read_log(struct merge_logs *logs, const char *dir, const char *name, bool *has,
                    struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: %s", dir, strerror(ENAMETOOLONG));
	if (stat(path, &st) != 0 && errno == ENOENT)
		return 0;
	if (!S_ISREG(st.st_mode)) /* a FIFO of that name would hold us */
		return err_set(err, -EINVAL, "%s: not a file", path);
	FILE *file = fopen(path, "re");

	if (!file)
		return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	int failed = read_lines(logs, file, path, err);

	fclose(file);
	*has = failed == 0;
	return failed;
}

int merge_logs_read(const char *dir, struct merge_logs *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	int failed = read_log(out, dir, "connect.hlog", &out->has_connect, err);

	return failed == 0 ? read_log(out, dir, "latency.hlog", &out->has_latency, err) : failed;
}

/* --- quantiles ---------------------------------------------------------------------------- */

static bool is_same(const struct quantiles *a, const struct quantiles *b)
{
	for (int i = 0; i < QUANTILES_EACH; i++) {
		if (quantiles_at(a, i) != quantiles_at(b, i))
			return false;
	}
	return a->count == b->count;
}

/* Of what a stage came to: the counts are the log's, the maximum the result's. */
static bool fits(struct hist *h, const struct quantiles *said)
{
	if (said->max_ns > h->max_ns && h->buckets[HIST_BUCKETS - 1] == 0)
		return said->count == 0 && h->count == 0;
	if (h->count > 0)
		h->max_ns = said->max_ns;
	struct quantiles q = quantiles_of(h);

	return is_same(&q, said);
}

static bool does_ramp_fit(struct merge_logs *logs, const struct result *r)
{
	if (r->timing.connect_max_ns == RESULT_UNKNOWN)
		return logs->ramp.count == 0;
	if (!logs->has_connect)
		return false;
	const struct quantiles said = {
		.count = logs->ramp.count, /* a result does not say it */
		.p50_ns = r->timing.connect_p50_ns,
		.p90_ns = r->timing.connect_p90_ns,
		.p99_ns = r->timing.connect_p99_ns,
		.p999_ns = r->timing.connect_p999_ns,
		.p9999_ns = 0,
		.max_ns = r->timing.connect_max_ns,
	};

	logs->ramp.max_ns = said.max_ns;
	struct quantiles q = quantiles_of(&logs->ramp);

	q.p9999_ns = 0;
	return q.count > 0 && is_same(&q, &said);
}

static bool does_stage_fit(struct merge_logs *logs, const struct result *r, uint32_t i)
{
	const struct result_stage *s = &r->stages[i];
	struct hist *h = logs->stages[i];

	return (!s->has_churn || fits(&h[MERGE_CONNECT], &s->churn.connect)) &&
	       (!s->has_traffic || (fits(&h[MERGE_CORRECTED], &s->traffic.corrected) &&
	                            fits(&h[MERGE_UNCORRECTED], &s->traffic.uncorrected)));
}

bool merge_logs_fit(struct merge_logs *logs, const struct result *r, const char *name,
                    struct err *err)
{
	bool is_good = does_ramp_fit(logs, r);

	for (uint32_t i = 0; i < r->stage_count; i++)
		is_good = does_stage_fit(logs, r, i) && is_good;
	if (!is_good)
		err_set(err, 0,
		        logs->has_connect
		                ? "%s: its logs do not have all the times that its result "
		                  "is of"
		                : "%s: a result without its logs (connect.hlog, "
		                  "latency.hlog of --out)",
		        name);
	return is_good;
}

void merge_logs_add(struct merge_logs *all, const struct merge_logs *from)
{
	all->has_connect |= from->has_connect;
	all->has_latency |= from->has_latency;
	hist_merge(&all->ramp, &from->ramp);
	for (int i = 0; i < STAGES_MAX; i++) {
		for (int j = 0; j < MERGE_LOG_COUNT; j++)
			hist_merge(&all->stages[i][j], &from->stages[i][j]);
	}
}

void merge_logs_tell(const struct merge_logs *all, struct result *r)
{
	struct quantiles q = quantiles_of(&all->ramp);

	if (q.count > 0) {
		r->timing.connect_p50_ns = q.p50_ns;
		r->timing.connect_p90_ns = q.p90_ns;
		r->timing.connect_p99_ns = q.p99_ns;
		r->timing.connect_p999_ns = q.p999_ns;
		r->timing.connect_max_ns = q.max_ns;
	}
	for (uint32_t i = 0; i < r->stage_count; i++) {
		struct result_stage *s = &r->stages[i];
		const struct hist *h = all->stages[i];

		s->churn.connect = quantiles_of(&h[MERGE_CONNECT]);
		s->traffic.corrected = quantiles_of(&h[MERGE_CORRECTED]);
		s->traffic.uncorrected = quantiles_of(&h[MERGE_UNCORRECTED]);
	}
}
