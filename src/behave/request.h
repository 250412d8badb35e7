/* request: an HTTP/1.1 request of `connect --traffic http`, and how its responses are checked.
 * Pure; http-parser takes them apart. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_BYTES_MOST 2048

struct request {
	char text[REQUEST_BYTES_MOST]; /* GET /path HTTP/1.1, Host, User-Agent, empty line */
	uint32_t bytes;
};
