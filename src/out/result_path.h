/* result_path: what is known of the path between the ends, as JSON and back. */
#pragma once

#include "base/err.h"
#include "base/path.h"

struct json_t; /* of jansson */

/* The counts of one end; null is what it did not count. The caller's. */
struct json_t *result_path_end(const struct path_end *end);

/* Reads such an object; what is missing or null in it is unknown. 0, or -EINVAL with one line in
 * `err`, which calls the text `name`. */
int result_path_read_end(const struct json_t *object, const char *name, struct path_end *end,
                         struct err *err);

/* "path" of a result: null where nobody looked. The caller's. */
struct json_t *result_path_json(const struct path *path);

/* The other way; null, or NULL, is nothing known. Errors as above. */
int result_path_read(const struct json_t *object, const char *name, struct path *path,
                     struct err *err);
