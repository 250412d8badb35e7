/* result: what holds of every result, whoever fills it. */
#include "base/result.h"

#include <string.h>

void result_init(struct result *result)
{
	memset(result, 0, sizeof(*result));
	memset(&result->established, 0xff, sizeof(result->established));
	memset(&result->timing, 0xff, sizeof(result->timing));
	result->listen_overflows = RESULT_UNKNOWN;
}

int64_t result_bytes(const struct result_memory *memory)
{
	if (memory->kernel_bytes == RESULT_UNKNOWN_BYTES ||
	    memory->server_user_bytes == RESULT_UNKNOWN_BYTES ||
	    memory->client_user_bytes == RESULT_UNKNOWN_BYTES)
		return RESULT_UNKNOWN_BYTES;
	return memory->kernel_bytes + memory->server_user_bytes + memory->client_user_bytes;
}
