/* result_read: a result's JSON (docs/result.md), back as a structure. Pure. */
#pragma once

#include "base/err.h"
#include "base/result.h"

#include <stddef.h>

struct json_t; /* of jansson */

/* Fields that a result of an earlier version has not stay unknown, fields that nobody here knows
 * are passed over; a field of another type than it should have is an error. What JSON does not say
 * (of memory, bytes are what is said a connection, times the connections of the bill or, where
 * there is none, those established; exit_code stands for the verdict) is put together again.
 *
 * 0, or one line in `err`, which calls the text `name`: -EINVAL (truncated, or no result), -ENOTSUP
 * (of a later schema). */
int result_read(const char *json, size_t len, const char *name, struct result *result,
                struct err *err);

/* The same, of a document that was parsed. */
int result_read_document(const struct json_t *document, const char *name, struct result *result,
                         struct err *err);

/* Of a document that has the same "memory" as a result; the rest of it is not looked at. Not for
 * two threads at once. */
int result_read_memory(const struct json_t *document, const char *name,
                       struct result_memory *memory, struct err *err);

/* A result of which nothing is known: what was not said to be 0 is not 0. */
void result_read_nothing(struct result *result);

/* Whether the document is of schema `family` ("megaconn.result/"), version 1. 0, or -EINVAL or
 * -ENOTSUP with one line in `err`. */
int result_read_schema(const struct json_t *document, const char *family, const char *name,
                       struct err *err);
