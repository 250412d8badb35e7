/* result_stages: the stages of a result, its outages and its search, as JSON and back. */
#pragma once

#include "base/err.h"
#include "base/result.h"

struct json_t; /* of jansson */

/* Adds "stages", "traffic", "churn", "storm", "outages", "outages_left_out" and "search" to a
 * result's document. */
void result_stages_add(struct json_t *document, const struct result *result);

/* Reads "stages", the outages and "search"; the others are made of them. 0, or -EINVAL with one
 * line in `err`, which calls the text `name`. */
int result_stages_read(const struct json_t *document, const char *name, struct result *result,
                       struct err *err);
