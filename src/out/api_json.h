/* api_json: what is said between a client and the server's API (base/api.h, docs/api.md), as JSON:
 * each side's writing and the other's reading. Pure, but for jansson's memory.
 *
 * What is read comes from elsewhere: all of it is checked, nothing is cut, and a field that is not
 * known is passed over. Texts are printable ASCII. */
#pragma once

#include "base/api.h"
#include "base/err.h"
#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

/* Writing: JSON of one line; NULL without memory. To be freed by the caller. */
char *api_json_said(const struct roll_said *said);
char *api_json_id(uint32_t id);
char *api_json_server(const struct api_server *server);
char *api_json_look(uint32_t id, const struct roll_said *said, const struct api_look *look);
char *api_json_bill(const struct result_memory *memory);

/* Reading: 0; -EINVAL, or -ENOTSUP for a schema of another number, with what is wrong in `err`. Of
 * *out nothing may be used then. */
int api_read_said(const char *json, size_t len, struct roll_said *out, struct err *err);
int api_read_id(const char *json, size_t len, uint32_t *id, struct err *err);
int api_read_server(const char *json, size_t len, struct api_server *out, struct err *err);
int api_read_look(const char *json, size_t len, struct api_look *out, struct err *err);
int api_read_bill(const char *json, size_t len, struct result_memory *out, struct err *err);

/* Words that end up on another host's terminal are ASCII: what is not becomes '?'. */
void api_json_clean(char *text);
