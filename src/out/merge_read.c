/* merge_read: see the header. */
#include "out/merge_read.h"

#include "out/report.h"
#include "out/result_read.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Logs of a merge are cut no more by what they are of. */
static bool has_logs(const struct result *r)
{
	return r->shard.of > 0;
}

/* `dir`: where the logs are; NULL: there are none. */
static int take(struct merge *m, const json_t *document, const char *path, const char *dir,
                struct err *err)
{
	static struct result result;
	static struct merge_logs logs;
	const char *version = json_string_value(json_object_get(document, "version"));
	int failed = result_read_document(document, path, &result, err);

	memset(&logs, 0, sizeof(logs));
	if (failed == 0 && dir && has_logs(&result))
		failed = merge_logs_read(dir, &logs, err);
	return failed == 0 ? merge_take(m, path, version ? version : "", &result, &logs, err)
	                   : failed;
}

static int read_result(struct merge *m, const char *file, const char *path, const char *dir,
                       struct err *err)
{
	json_t *document = NULL;
	struct stat st;

	if (stat(file, &st) != 0)
		return err_set(err, -errno, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode)) /* a FIFO of that name would hold us */
		return err_set(err, -EINVAL, "%s: not a file", file);
	int failed = report_read_json(file, file, &document, err);

	if (failed == 0)
		failed = take(m, document, path, dir, err);
	json_decref(document);
	return failed;
}

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) &&
	       stat(path, &st) == 0;
}

static int read_record(struct merge *m, const char *dir, struct err *err)
{
	char file[PATH_MAX];

	if (snprintf(file, sizeof(file), "%s/result.json", dir) >= (int)sizeof(file))
		return err_set(err, -ENAMETOOLONG, "%s: %s", dir, strerror(ENAMETOOLONG));
	if (!has_file(dir, "result.json") && has_file(dir, "series.ndjson")) {
		merge_take_nothing(m, dir);
		return 0;
	}
	if (!has_file(dir, "result.json"))
		return err_set(err, -ENOENT, "%s: no record of a run (make one with --out DIR)",
		               dir);
	return read_result(m, file, dir, dir, err);
}

int merge_read(struct merge *m, const char *path, struct err *err)
{
	struct stat st;

	if (strlen(path) >= sizeof(m->rows[0].name))
		return err_set(err, -ENAMETOOLONG, "%s: %s", path, strerror(ENAMETOOLONG));
	if (stat(path, &st) != 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return S_ISDIR(st.st_mode) ? read_record(m, path, err)
	                           : read_result(m, path, path, NULL, err);
}
