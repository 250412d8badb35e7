/* result_via: what a box between a lab's ends did, in the result's JSON, both ways. */
#pragma once

#include "base/err.h"
#include "base/result.h"

struct json_t;

/* null where there is no box, or of what its kind has not. */
struct json_t *result_via_json(const struct result_via *via);

/* Reads it back; NULL or null: no box. 0, or -EINVAL with one line that names the file. */
int result_via_read(const struct json_t *from, const char *name, struct result_via *via,
                    struct err *err);
