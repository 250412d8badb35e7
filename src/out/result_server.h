/* result_server: of a result, what a server on another host said (base/result.h), as JSON both
 * ways. */
#pragma once

#include "base/err.h"
#include "base/result.h"

struct json_t; /* of jansson */

/* null where none was asked. The caller's. */
struct json_t *result_server_json(const struct result_server *server);

/* From the document of a result: 0, or -EINVAL with one line in `err`, which calls it `name`. */
int result_server_read(const struct json_t *document, const char *name,
                       struct result_server *server, struct err *err);
