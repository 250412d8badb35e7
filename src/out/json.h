/* json: a result as JSON, schema megaconn.result/1; and how any JSON document is written. */
#pragma once

#include "base/err.h"
#include "base/result.h"

#include <stdint.h>

struct json_t; /* of jansson */

/* Writes the result to `path` ("-": stdout), by way of a temporary file beside it, so that a reader
 * never sees half a result. argv is what was called. 0, or a negative errno with one line in `err`.
 */
int json_write(const char *path, const struct result *result, int argc, char *const *argv,
               struct err *err);

/* That document. The caller's. */
struct json_t *json_result(const struct result *result, int argc, char *const *argv);

/* Writes a document in the same way, which stays the caller's. */
int json_write_document(const char *path, const struct json_t *document, struct err *err);

/* "pass", "partial", ... */
const char *json_verdict(enum verdict verdict);

/* A whole number; beyond 2^63-1, which is the most of jansson's, as a real: not quite exact, where
 * an integer would come out negative. The caller's. */
struct json_t *json_whole(uint64_t value);

/* The same; null for what is not known (UINT64_MAX, whoever's). And a text, null where it is empty.
 * The caller's. */
struct json_t *json_known(uint64_t value);
struct json_t *json_word(const char *text);

/* A run's memory, as it stands in its result. The caller's. */
struct json_t *json_memory(const struct result_memory *memory);

/* What was called, as an array of words. The caller's. */
struct json_t *json_command(int argc, char *const *argv);
