/* conf: a configuration file declared as a table, read into a typed struct.
 *
 * The file is INI: "[section]", "key = value", comments after ; or # (at the start of a line, or
 * after a blank), nothing that runs over several lines. One row per key says section, name, kind,
 * where in the struct the value goes and its bounds, as base/opt has it for options; the kinds and
 * the words of error texts are the same. libinih splits lines into names and values.
 *
 * Whatever is wrong is an error, never skipped: each is -EINVAL with one line that names file, line
 * and what would be right, for instance
 * "megaconn.conf:12: connections-per-ip 5x: not a count (try 1000, 10k, 1M)",
 * "megaconn.conf:7: unknown key prot in [server] (server-ip, server-ports)". */
#pragma once

#include "base/err.h"
#include "base/opt.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONF_KEYS_MOST  64
#define CONF_BYTES_MOST 65536 /* of a file */

struct conf_key {
	const char *section; /* without brackets */
	const char *name;
	enum opt_kind kind; /* COUNT, RATE, SIZE, DURATION, CHOICE, PORTS as base/opt; TEXT is
	                     * copied into a char array; FLAG and TEXTS are not for files */
	size_t offset;      /* offsetof the value in the struct               */
	size_t size;        /* of TEXT: sizeof the array                      */
	uint64_t min, max;  /* of COUNT, RATE, SIZE, DURATION; max 0: no bound */
	const char *const *choices; /* of CHOICE, NULL-terminated                     */
};

/* In which line each key of the table stands; 0: not given. */
struct conf_lines {
	unsigned int of[CONF_KEYS_MOST];
};

/* Parses `len` bytes of `text` (any bytes, no NUL at the end needed) into `out`; values of keys
 * that are not given stay as they are. `path` is for error texts. After an error `out` is partly
 * filled. `lines` may be NULL. */
int conf_parse(const struct conf_key *keys, size_t count, const char *path, const char *text,
               size_t len, void *out, struct conf_lines *lines, struct err *err);

/* Reads the file and parses it. Further errors: -ENOENT and what else open and read say; -EFBIG
 * beyond CONF_BYTES_MOST. */
int conf_read(const struct conf_key *keys, size_t count, const char *path, void *out,
              struct conf_lines *lines, struct err *err);

/* A file whose sections are not a table: they may repeat, and their order means something. Each
 * line that holds something is handed to one of these, in order; an error they return, with its
 * sentence in `err`, ends the reading, and gets its place put before it. */
struct conf_visitor {
	/* "[title]", without the brackets and not empty; and the line it stands in. */
	int (*section)(void *context, const char *title, unsigned int line, struct err *err);
	/* "name = value" below it; before the first section there is none. */
	int (*value)(void *context, const char *name, const char *value, unsigned int line,
	             struct err *err);
};

int conf_walk(const struct conf_visitor *visitor, void *context, const char *path, const char *text,
              size_t len, struct err *err);

/* Reads a file into `text` (CONF_BYTES_MOST + 1 bytes). Its length, or a negative errno as of
 * conf_read. */
ssize_t conf_load(const char *path, char *text, struct err *err);

/* Puts "path:line: " ("path: " where line is 0) before the sentence in `err`, for what only the
 * caller can find wrong; returns `code`. */
int conf_blame(const char *path, unsigned int line, int code, struct err *err);
