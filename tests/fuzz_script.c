/* fuzz_script: a libFuzzer target for scripts. Besides memory errors it looks for broken promises:
 * an error without its line, a turn of nothing, a part of a message that is not that of the whole,
 * an answer that is not taken although it is what was expected. */
#include "behave/behaviour.h"
#include "behave/script_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TURNS 70 /* more than there can be */

static struct script script;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static unsigned int count_lines(const uint8_t *data, size_t size)
{
	unsigned int lines = size > 0 && data[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines > 0 ? lines : 1;
}

static void check_failure(const struct err *err, unsigned int last)
{
	char *rest;

	require(strncmp(err->text, "f:", 2) == 0);
	unsigned long line = strtoul(err->text + 2, &rest, 10);

	require(line >= 1 && line <= last && strncmp(rest, ": ", 2) == 0 && rest[2] != '\0');
	for (const char *at = err->text; *at; at++)
		require(*at >= ' ' && *at <= '~');
}

static void check_said(const struct behaviour *b, uint32_t number, uint32_t bytes)
{
	uint8_t *whole = malloc(bytes + 1), *part = malloc(bytes + 1);

	require(whole && part && bytes <= script_longest(b->script));
	script_write(b, 4711, number, 0, whole, bytes);
	for (uint32_t at = 0; at < bytes; at += 1 + bytes / 7) {
		script_write(b, 4711, number, at, part, bytes - at);
		require(memcmp(part, whole + at, bytes - at) == 0);
	}
	free(part);
	free(whole);
}

/* Says the expected text, by a script that has it to say, to one that has it to hear. */
static void check_heard(const struct behaviour *b, uint32_t at)
{
	static struct script echo;
	const struct script_turn *t = &script.turns[at];
	const struct behaviour other = {.script = &echo, .key = b->key};
	struct hearing hearing = {0};
	struct turn turn;
	uint32_t used;

	/* Only without a nonce, which is another there. */
	for (uint16_t i = 0; i + 1 < t->expect_bytes; i++) {
		if (script.text[t->expect_at + i] == SCRIPT_MARK &&
		    script.text[t->expect_at + i + 1] == SCRIPT_MARK_NONCE)
			return;
	}
	memcpy(&echo, &script, sizeof(echo));
	echo.turns[0] = (struct script_turn){.say_at = t->expect_at, .say_bytes = t->expect_bytes};
	script_turn(&other, 4711, 0, &turn);
	uint8_t *bytes = malloc(turn.say_bytes + 1);

	require(bytes && turn.say_bytes > 0);
	script_write(&other, 4711, 0, 0, bytes, turn.say_bytes);
	bytes[turn.say_bytes] = '\n';
	for (uint32_t i = 0; i + 1 < turn.say_bytes; i++)
		require(script_hear(b, 4711, at, &hearing, bytes + i, 1, &used) == BEHAVIOUR_MORE);
	require(script_hear(b, 4711, at, &hearing, bytes + turn.say_bytes - 1, 2, &used) ==
	        ANSWER_GOOD);
	require(used == (t->is_prefix ? 2 : 1));
	free(bytes);
}

static void check_turns(void)
{
	const struct behaviour b = {.script = &script, .key = 1};
	struct turn turn = {.is_last = false};

	require(script.count >= 1 && script.count <= SCRIPT_TURNS_MOST);
	require(script.loop_from <= script.count && script.text_bytes <= SCRIPT_BYTES_MOST);
	for (uint32_t number = 0; number < TURNS && !turn.is_last; number++) {
		script_turn(&b, 4711, number, &turn);
		require(turn.say_bytes > 0 || turn.is_answered);
		check_said(&b, number, turn.say_bytes);
	}
	require(turn.is_last == (script.loop_from == script.count));
	for (uint32_t at = 0; at < script.count; at++) {
		if (script.turns[at].expect_bytes > 0)
			check_heard(&b, at);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {""};
	int rc = script_parse((const char *)data, size, "f", &script, &err);

	if (rc == 0) {
		require(err.text[0] == '\0');
		check_turns();
	} else {
		require(rc == -EINVAL);
		check_failure(&err, count_lines(data, size));
	}
	return 0;
}
