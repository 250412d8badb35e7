/* report: which files a record has, and what is made of one that is missing or damaged. */
#include "out/report.h"

#include "base/text.h"
#include "out/report_html.h"
#include "out/result_read.h"
#include "out/whole_file.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (INT64_C(16) << 20) /* of a result, an environment, a table of limits */

static void note(struct report *report, const char *text)
{
	if (report->note_count < REPORT_NOTES_MOST)
		snprintf(report->notes[report->note_count++], sizeof(report->notes[0]), "%s", text);
}

/* --- files -------------------------------------------------------------------------------- */

static int read_all(FILE *file, json_t **out, const char *name, struct err *err)
{
	json_error_t error;
	struct stat st;

	if (fstat(fileno(file), &st) != 0)
		return err_set(err, -errno, "%s: %s", name, strerror(errno));
	if (st.st_size > FILE_MOST)
		return err_set(err, -EINVAL, "%s: larger than any that megaconn writes", name);
	*out = json_loadf(file, 0, &error);
	if (*out)
		return 0;
	return err_set(err, -EINVAL, "%s: line %d: not whole JSON: it was truncated or damaged",
	               name, error.line);
}

int report_read_json(const char *path, const char *name, json_t **out, struct err *err)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return err_set(err, -errno, "cannot read %s: %s", name, strerror(errno));
	int failed = read_all(file, out, name, err);

	fclose(file);
	return failed;
}

/* One that the report can do without: what is wrong with it becomes a note. */
static json_t *read_extra(struct report *report, const char *dir, const char *name,
                          const char *family)
{
	char path[PATH_MAX];
	json_t *document = NULL;
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int failed = report_read_json(path, name, &document, &err);

	if (failed == 0)
		failed = result_read_schema(document, family, name, &err);
	if (failed == 0)
		return document;
	if (failed != -ENOENT)
		note(report, err.text);
	json_decref(document);
	return NULL;
}

/* --- the command -------------------------------------------------------------------------- */

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_./:,=+@%";

	return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

static void add_word(struct text *t, const char *word)
{
	if (t->len > 0)
		text_add(t, " ");
	if (is_plain(word)) {
		text_add(t, "%s", word);
		return;
	}
	text_add(t, "'");
	for (const char *at = word; *at; at++)
		text_add(t, *at == '\'' ? "'\\''" : "%c", *at);
	text_add(t, "'");
}

static void read_command(struct report *report, const json_t *document)
{
	const json_t *words = json_object_get(document, "command");
	const char *version = json_string_value(json_object_get(document, "version"));
	struct text t;

	text_init(&t, report->command, sizeof(report->command));
	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));

		if (word)
			add_word(&t, word);
	}
	snprintf(report->version, sizeof(report->version), "%s", version ? version : "");
}

/* --- a record ----------------------------------------------------------------------------- */

static int read_result(struct report *report, const char *path, const char *name, struct err *err)
{
	json_t *document = NULL;
	int failed = report_read_json(path, name, &document, err);

	if (failed == 0)
		failed = result_read_document(document, name, &report->result, err);
	if (failed == 0) {
		report->has_result = true;
		read_command(report, document);
	}
	json_decref(document);
	return failed;
}

static int read_series(struct report *report, const char *dir, struct err *err)
{
	char path[PATH_MAX], text[256];
	struct text t;

	snprintf(path, sizeof(path), "%s/series.ndjson", dir);
	int failed = track_read(&report->track, path, &report->lines, &report->bad_lines);

	if (failed == -ENOTSUP)
		return err_set(err, failed,
		               "%s: written by a newer megaconn: read it with that one", path);
	text_init(&t, text, sizeof(text));
	if (failed != 0 && failed != -ENOENT)
		text_add(&t, "series.ndjson cannot be read: %s", strerror(-failed));
	if (failed == 0 && report->bad_lines > 0)
		text_add(&t,
		         "%llu line%s of series.ndjson cannot be read (a run that is killed may "
		         "leave half a line).",
		         (unsigned long long)report->bad_lines, report->bad_lines == 1 ? "" : "s");
	if (t.len > 0)
		note(report, text);
	return 0;
}

/* A FIFO of that name would hold us, a device never end. */
static int check_files(const char *dir, struct err *err)
{
	static const char *const names[] = {"result.json", "series.ndjson", "environment.json",
	                                    "walls.json"};
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
			return err_set(err, -EINVAL, "%s: not a file", path);
	}
	return 0;
}

static int read_record(struct report *report, const char *dir, struct err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/environment.json", dir) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: %s", dir, strerror(ENAMETOOLONG));
	int failed = check_files(dir, err);

	if (failed != 0)
		return failed;
	snprintf(path, sizeof(path), "%s/result.json", dir);
	report->environment = read_extra(report, dir, "environment.json", "megaconn.environment/");
	report->walls = read_extra(report, dir, "walls.json", "megaconn.doctor/");
	if (report->environment)
		read_command(report, report->environment);
	failed = read_result(report, path, path, err);

	if (failed != 0 && failed != -ENOENT)
		return failed;
	failed = read_series(report, dir, err);
	if (failed != 0)
		return failed;
	if (!report->has_result && report->track.count == 0 && !report->environment)
		return err_set(err, -ENOENT,
		               "%s: no record of a run: it has neither result.json nor "
		               "series.ndjson (make one with --out DIR)",
		               dir);
	return 0;
}

static void set_name(struct report *report, const char *path)
{
	const char *end = path + strlen(path), *from;

	while (end > path + 1 && end[-1] == '/')
		end--;
	from = end;
	while (from > path && from[-1] != '/')
		from--;
	snprintf(report->name, sizeof(report->name), "%.*s", (int)(end - from), from);
}

int report_load(const char *path, struct report *report, struct err *err)
{
	struct stat st;

	memset(report, 0, sizeof(*report));
	result_read_nothing(&report->result);
	set_name(report, path);
	if (stat(path, &st) != 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	int failed = S_ISDIR(st.st_mode) ? read_record(report, path, err)
	                                 : read_result(report, path, path, err);

	if (failed != 0)
		report_free(report);
	return failed;
}

void report_free(struct report *report)
{
	json_decref(report->environment);
	json_decref(report->walls);
	track_free(&report->track);
	report->environment = report->walls = NULL;
}

static void put(FILE *to, const void *report)
{
	report_html(to, report);
}

int report_write(const char *dir, const char *path, struct err *err)
{
	char beside[PATH_MAX];
	struct report *report = malloc(sizeof(*report));

	if (!report)
		return err_set(err, -ENOMEM, "out of memory for the report");
	int failed = report_load(dir, report, err);

	if (failed == 0) {
		snprintf(beside, sizeof(beside), "%s/report.html", dir);
		failed = whole_file_write(path ? path : beside, put, report, err);
		report_free(report);
	}
	free(report);
	return failed;
}
