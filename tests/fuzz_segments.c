/* fuzz_segments: any bytes as a program of calls and segments for one connection (tests/watch.h).
 * The rules that always hold are held against each step; unit_tcp replays the corpus. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rule = watch_program(data, (uint32_t)size);

	if (rule) {
		fprintf(stderr, "broken: %s\n", rule);
		abort();
	}
	return 0;
}
