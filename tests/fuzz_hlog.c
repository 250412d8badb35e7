/* fuzz_hlog: any bytes as a line of a log of times: what can be read has counts that can be written
 * and read again; what cannot has added none. */
#include "out/hdr_read.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hist none, first, second;
static char line[HDR_LINE_MOST];

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hdr_read read;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	int failed = hdr_read_line((const char *)data, size, &read, &first);

	check(failed == 0 || memcmp(&first, &none, sizeof(first)) == 0);
	check(read.kind <= HDR_COUNTS && strlen(read.tag) < sizeof(read.tag));
	if (failed != 0 || first.count == 0 || first.max_ns == 0)
		return 0;
	size_t len = hdr_line("connect", 0, 1, &none, &first, line, sizeof(line));

	check(len > 0 && hdr_read_line(line, len, &read, &second) == 0);
	check(memcmp(first.buckets, second.buckets, sizeof(first.buckets)) == 0);
	return 0;
}
