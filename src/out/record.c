/* record: files in a directory. Documents are written by way of a file beside them (out/json);
 * series and log line by line, each line in one write at the end of the file. A line that found no
 * room is cut off again, so that those after it, should there be room again, begin where a line
 * begins.
 *
 * series.ndjson is made first, and only where it is not there: of two runs that were given the same
 * directory one has it. */
#include "out/record.h"

#include "out/doctor.h"
#include "out/environment.h"
#include "out/hdr.h"
#include "out/json.h"
#include "out/report.h"
#include "out/series.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 32 /* of our files: a slash, the longest name, and the ending of a part */

enum file {
	FILE_SERIES,
	FILE_ENVIRONMENT,
	FILE_WALLS,
	FILE_CONNECT,
	FILE_LATENCY,
	FILE_RESULT,
	FILE_REPORT,
	FILE_COUNT
};

static const char *const names[FILE_COUNT] = {
	[FILE_SERIES] = "series.ndjson", [FILE_ENVIRONMENT] = "environment.json",
	[FILE_WALLS] = "walls.json",     [FILE_CONNECT] = "connect.hlog",
	[FILE_LATENCY] = "latency.hlog", [FILE_RESULT] = "result.json",
	[FILE_REPORT] = "report.html",
};

/* What is logged second by second: which of a sample's histograms, under which tag, in which file.
 */
enum log { LOG_CONNECT, LOG_CORRECTED, LOG_UNCORRECTED, LOG_COUNT };

static const struct {
	enum file file;
	const char *tag;
	size_t offset; /* of a struct hist */
} logs[LOG_COUNT] = {
	[LOG_CONNECT] = {FILE_CONNECT, "connect", offsetof(struct sample, connect)},
	[LOG_CORRECTED] = {FILE_LATENCY, "corrected", offsetof(struct sample, corrected)},
	[LOG_UNCORRECTED] = {FILE_LATENCY, "uncorrected", offsetof(struct sample, uncorrected)},
};

struct record {
	char dir[PATH_MAX];
	char path[PATH_MAX + NAME_BYTES]; /* what path_of returned last */
	bool is_made;                     /* the directory is ours */
	bool is_short;                    /* something could not be written: told */
	int argc;
	char *const *argv;
	int fds[FILE_COUNT];              /* of files of lines; -1: not open yet */
	uint32_t stages[FILE_COUNT];      /* of logs: that their last lines are of */
	uint64_t start_ns, start_unix_ns; /* of the first sample, 0: none yet */
	struct {
		uint64_t last_ns; /* up to where it goes */
		struct hist last; /* what was until then */
	} logged[LOG_COUNT];
	char line[SERIES_LINE_MOST > HDR_LINE_MOST ? SERIES_LINE_MOST : HDR_LINE_MOST];
};

static const char *path_of(struct record *r, enum file file)
{
	size_t len = strlen(r->dir);

	snprintf(r->path, sizeof(r->path), "%s%s%s", r->dir, r->dir[len - 1] == '/' ? "" : "/",
	         names[file]);
	return r->path;
}

/* Says once that the record is not whole. */
static int fail(struct record *r, enum file file, int code, struct err *err)
{
	if (r->is_short)
		return 0;
	r->is_short = true;
	return err_set(err, code, "cannot write %s: %s: this record will not be whole",
	               path_of(r, file), strerror(-code));
}

/* --- opening ------------------------------------------------------------------------------ */

static int refuse(const char *dir, int code, struct err *err)
{
	if (code == -EEXIST)
		return err_set(err, code,
		               "%s has the record of a run: choose another directory, or remove it",
		               dir);
	return err_set(err, code, "cannot make the record %s: %s%s", dir, strerror(-code),
	               code == -ENOENT ? " (the directory above it must exist)" : "");
}

static int make_directory(struct record *r)
{
	struct stat st;

	if (mkdir(r->dir, 0755) == 0) {
		r->is_made = true;
		return 0;
	}
	if (errno != EEXIST)
		return -errno;
	if (stat(r->dir, &st) != 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int claim(struct record *r)
{
	struct stat st;

	for (int i = 0; i < FILE_COUNT; i++) {
		if (lstat(path_of(r, (enum file)i), &st) == 0)
			return -EEXIST;
	}
	int fd = open(path_of(r, FILE_SERIES), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd >= 0 && close(fd) == 0 ? 0 : -errno;
}

static int start(struct record *r, const struct environment *environment, struct err *err)
{
	struct err why = {""};
	int failed = make_directory(r);

	if (failed == 0)
		failed = claim(r);
	if (failed != 0) {
		if (r->is_made)
			rmdir(r->dir);
		return refuse(r->dir, failed, err);
	}
	if (environment)
		failed = environment_write(path_of(r, FILE_ENVIRONMENT), environment, r->argc,
		                           r->argv, &why);
	if (failed == 0)
		return 0;
	failed = refuse(r->dir, failed, err);
	unlink(path_of(r, FILE_SERIES));
	if (r->is_made)
		rmdir(r->dir);
	return failed;
}

int record_open(const char *dir, int argc, char *const *argv, const struct environment *environment,
                struct record **out, struct err *err)
{
	if (dir[0] == '\0')
		return err_set(err, -EINVAL, "--out '' names no directory");
	if (strlen(dir) + NAME_BYTES > PATH_MAX)
		return refuse(dir, -ENAMETOOLONG, err);
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return refuse(dir, -ENOMEM, err);
	memcpy(r->dir, dir, strlen(dir) + 1);
	r->argc = argc;
	r->argv = argv;
	for (int i = 0; i < FILE_COUNT; i++)
		r->fds[i] = -1;
	int failed = start(r, environment, err);

	if (failed == 0)
		*out = r;
	else
		free(r);
	return failed;
}

/* --- documents ---------------------------------------------------------------------------- */

int record_walls(struct record *r, const struct wall_report *walls, struct err *err)
{
	struct err why = {""};
	int failed = doctor_write_json(path_of(r, FILE_WALLS), walls, &why);

	return failed == 0 ? 0 : fail(r, FILE_WALLS, failed, err);
}

int record_result(struct record *r, const struct result *result, struct err *err)
{
	struct err why = {""};
	int failed = json_write(path_of(r, FILE_RESULT), result, r->argc, r->argv, &why);

	return failed == 0 ? 0 : fail(r, FILE_RESULT, failed, err);
}

/* A report of a record that is not whole would be missing what it does not say. */
int record_report(struct record *r, const char **path, struct err *err)
{
	struct err why = {""};
	int failed = r->is_short ? 0 : report_write(r->dir, NULL, &why);

	*path = r->is_short || failed != 0 ? NULL : path_of(r, FILE_REPORT);
	return failed == 0 ? 0 : fail(r, FILE_REPORT, failed, err);
}

/* --- lines -------------------------------------------------------------------------------- */

/* Opens the file at the first line. */
static int open_lines(struct record *r, enum file file)
{
	if (r->fds[file] < 0)
		r->fds[file] = open(path_of(r, file), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		                    0644);
	return r->fds[file] < 0 ? -errno : 0;
}

/* All of them or nothing. */
static int append(int fd, const char *bytes, size_t len)
{
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t written = write(fd, bytes, len);

	if (written == (ssize_t)len)
		return 0;
	int code = written < 0 ? -errno : -ENOSPC;

	if (written > 0 && (end < 0 || ftruncate(fd, end) != 0))
		return -EIO;
	return code;
}

static int append_sample(struct record *r, const struct sample *sample)
{
	int failed = open_lines(r, FILE_SERIES);
	size_t len = series_write(sample, r->line, sizeof(r->line) - 1);

	if (failed != 0)
		return failed;
	r->line[len++] = '\n';
	return append(r->fds[FILE_SERIES], r->line, len);
}

/* The first line of a log is its header. */
static int open_log(struct record *r, enum file file)
{
	char header[512];
	bool is_new = r->fds[file] < 0;
	int failed = open_lines(r, file);

	if (failed != 0 || !is_new)
		return failed;
	failed = append(r->fds[file], header, hdr_header(r->start_unix_ns, header, sizeof(header)));
	if (failed == 0)
		return 0;
	close(r->fds[file]);
	r->fds[file] = -1;
	return failed;
}

/* The lines that follow are of another stage than those before. */
static int append_stage(struct record *r, enum file file, uint32_t stage)
{
	char line[64];

	if (stage == r->stages[file])
		return 0;
	int failed = append(r->fds[file], line, hdr_stage(stage, line, sizeof(line)));

	r->stages[file] = failed == 0 ? stage : r->stages[file];
	return failed;
}

/* What came since the last line; nothing is none. */
static int append_log(struct record *r, enum log log, const struct sample *sample)
{
	const struct hist *now = (const void *)((const char *)sample + logs[log].offset);
	enum file file = logs[log].file;
	size_t len = hdr_line(logs[log].tag, r->logged[log].last_ns - r->start_ns,
	                      sample->at_ns - r->start_ns, &r->logged[log].last, now, r->line,
	                      sizeof(r->line));
	int failed = len == 0 ? 0 : open_log(r, file);

	if (failed == 0 && len > 0)
		failed = append_stage(r, file, sample->run.stage);
	if (failed == 0 && len > 0)
		failed = append(r->fds[file], r->line, len);
	if (failed != 0)
		return failed;
	r->logged[log].last_ns = sample->at_ns;
	r->logged[log].last = *now;
	return 0;
}

int record_sample(struct record *r, const struct sample *sample, struct err *err)
{
	if (r->start_ns == 0) {
		r->start_ns = sample->at_ns;
		r->start_unix_ns = sample->unix_ns;
		for (int i = 0; i < LOG_COUNT; i++)
			r->logged[i].last_ns = sample->at_ns;
	}
	int failed = append_sample(r, sample);
	enum file file = FILE_SERIES;

	for (int i = 0; i < LOG_COUNT; i++) {
		int log = append_log(r, (enum log)i, sample);

		if (failed == 0 && log != 0) {
			failed = log;
			file = logs[i].file;
		}
	}
	return failed == 0 ? 0 : fail(r, file, failed, err);
}

/* --- ending ------------------------------------------------------------------------------- */

static void close_lines(struct record *r)
{
	for (int i = 0; i < FILE_COUNT; i++) {
		if (r->fds[i] >= 0)
			close(r->fds[i]);
	}
}

bool record_close(struct record *r)
{
	bool is_whole = !r->is_short;

	close_lines(r);
	free(r);
	return is_whole;
}

void record_drop(struct record *r)
{
	close_lines(r);
	for (int i = 0; i < FILE_COUNT; i++)
		unlink(path_of(r, (enum file)i));
	if (r->is_made)
		rmdir(r->dir);
	free(r);
}
