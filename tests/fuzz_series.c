/* fuzz_series: any bytes as a line of a series: what can be read is written as a line, and that
 * line says the same when it is read. */
#include "out/series.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sample sample;
static char first[SERIES_LINE_MOST], second[SERIES_LINE_MOST];

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (series_read((const char *)data, size, &sample) != 0)
		return 0;
	size_t len = series_write(&sample, first, sizeof(first));

	check(len > 0 && len < sizeof(first) && strlen(first) == len);
	check(series_read(first, len, &sample) == 0);
	check(series_write(&sample, second, sizeof(second)) == len);
	check(memcmp(first, second, len) == 0);
	return 0;
}
