/* fuzz_result: a libFuzzer target for results that are read back. Besides memory errors it looks
 * for broken promises: an error without a line, a text that is not ended, a result that is taken
 * with a verdict there is none of; and that what is drawn of it is drawn to the end. */
#include "out/report_html.h"
#include "out/report_text.h"
#include "out/result_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void draw(void (*put)(FILE *to, const struct report *report), const struct report *report,
                 const char *end)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	require(to != NULL);
	put(to, report);
	require(fclose(to) == 0);
	require(len > 0 && strstr(text, end));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct report report;
	struct err err = {""};
	int code = result_read((const char *)data, size, "f", &report.result, &err);

	if (code != 0) {
		require(code == -EINVAL || code == -ENOTSUP);
		require(strncmp(err.text, "f: ", 3) == 0 && !strchr(err.text, '\n'));
		return 0;
	}
	require(err.text[0] == '\0');
	require((unsigned int)report.result.verdict < VERDICT_COUNT);
	require(memchr(report.result.reason, '\0', sizeof(report.result.reason)) != NULL);
	require(report.result.memory.slab_count <= RESULT_SLABS_MAX);
	report.has_result = true;
	draw(report_html, &report, "</html>");
	draw(report_text, &report, "megaconn "); /* a run that never began has no more */
	return 0;
}
