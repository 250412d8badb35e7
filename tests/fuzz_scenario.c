/* fuzz_scenario: a libFuzzer target for scenario files. Besides memory errors it looks for broken
 * promises: an error without a line of the file, words that are no options, stages that contradict
 * themselves. */
#include "cmd/scenario.h"

#include "cmd/connect.h"
#include "cmd/lab.h"

#include <errno.h>
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

static bool is_within(const struct scenario *s, const char *word)
{
	return word >= s->text && word < s->text + s->text_bytes &&
	       memchr(word, '\0', (size_t)(s->text + s->text_bytes - word));
}

static void check_good(const struct scenario *s)
{
	struct err err;

	require(s->command < 2 && (s->command == 1 || !s->target));
	require(!s->target || is_within(s, s->target));
	require(s->count <= SCENARIO_WORDS_MOST && s->text_bytes <= SCENARIO_TEXT_BYTES);
	for (uint32_t i = 0; i < s->count; i++)
		require(is_within(s, s->words[i]) && strncmp(s->words[i], "--", 2) == 0);
	require(s->stage_count >= 1 && s->stage_count <= STAGES_MAX);
	for (uint32_t i = 0; i < s->stage_count; i++) {
		const struct living_stage *stage = &s->stages[i];

		require(memchr(stage->name, '\0', sizeof(stage->name)) && stage->name[0] != '\0');
		require(stage->for_ns > 0 && stage->storm.parts <= STAGE_PARTS);
		require(stage->traffic >= 0 && stage->traffic < TRAFFIC_KIND_COUNT);
		require(stage->size.low <= stage->size.high &&
		        stage->size.high <= STAGE_MESSAGE_MOST);
		require(living_check_stage(stage, stage->for_ns, &err) == 0);
	}
}

static unsigned long count_lines(const uint8_t *data, size_t size)
{
	unsigned long lines = size > 0 && data[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines;
}

/* "f:LINE: ..." of a line that is there, or "f: ..." of the whole; one line without control
 * characters. */
static void check_failure(const struct err *err, unsigned long lines)
{
	char *rest;

	require(strncmp(err->text, "f:", 2) == 0);
	for (const char *c = err->text; *c != '\0'; c++)
		require((unsigned char)*c >= ' ' && *c != 0x7f);
	if (err->text[2] == ' ')
		return;
	unsigned long line = strtoul(err->text + 2, &rest, 10);

	require(line >= 1 && line <= lines && strncmp(rest, ": ", 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scenario scenario;
	const struct scenario_command commands[] = {lab_scenario_command(),
	                                            connect_scenario_command()};
	struct err err = {""};
	int failed;

	if (size > CONF_BYTES_MOST)
		return 0;
	failed = scenario_parse(commands, 2, "f", (const char *)data, size, &scenario, &err);
	require(failed == 0 || failed == -EINVAL);
	if (failed == 0)
		check_good(&scenario);
	else
		check_failure(&err, count_lines(data, size));
	return 0;
}
