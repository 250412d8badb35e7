/* report: the record of a run (docs/report.md), read back, to be drawn by out/report_html,
 * out/report_text and out/compare.
 *
 * A record is a directory: result.json (missing where the run was killed), series.ndjson,
 * environment.json, walls.json. A result alone, as --json writes it, is one as well. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "out/track.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_t; /* of jansson */

#define REPORT_NOTES_MOST 4

struct report {
	char name[256]; /* of the directory or file, its last part */
	bool has_result;
	struct result result;       /* see out/result_read for what is not in JSON            */
	char command[1024];         /* as a shell would take it; "": not known                */
	char version[32];           /* of the megaconn that ran; ""                           */
	struct json_t *environment; /* environment.json, any object; or NULL                  */
	struct json_t *walls;       /* walls.json, megaconn.doctor/1; or NULL                 */
	struct track track;         /* count 0: there is no series                            */
	uint64_t lines, bad_lines;  /* of the series                                          */
	uint32_t note_count;        /* what of the record could not be read, a sentence each  */
	char notes[REPORT_NOTES_MOST][512];
};

/* Reads `path`, a record or a result.json. What is not needed and cannot be read becomes a note. 0,
 * and report_free it; else a negative errno with one line in `err`: -ENOENT (no record), -EINVAL
 * (truncated, foreign), -ENOTSUP (written by a newer megaconn), -EACCES, ... */
int report_load(const char *path, struct report *report, struct err *err);

/* Reads a file of JSON that is no longer than any that megaconn writes. 0 with the document, which
 * is the caller's; or a negative errno with one line in `err`, which calls it `name`. */
int report_read_json(const char *path, const char *name, struct json_t **out, struct err *err);

void report_free(struct report *report);

/* Loads the record and writes it as HTML to `path` (NULL: DIR/report.html) by way of a temporary
 * file beside it. 0, or a negative errno with one line in `err`. */
int report_write(const char *dir, const char *path, struct err *err);
