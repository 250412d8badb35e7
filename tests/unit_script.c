/* unit_script: scripts as turns, what they say and hear, cut anywhere; and what is wrong with
 * others. What is read lies in memory of exactly its size. */
#include "base/clock.h"
#include "behave/behaviour.h"
#include "behave/script_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define KEY         UINT64_C(0x0123456789abcdef)

static struct script script;
static const struct stage stage = {.traffic = TRAFFIC_SCRIPT};
static const struct behaviour behaviour = {.stage = &stage, .script = &script, .key = KEY};

static int parse(const char *text, struct err *err)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i];
	err->text[0] = '\0';
	memset(&script, 0xee, sizeof(script));
	int failed = script_parse(copy, len, "a.script", &script, err);

	free(copy);
	return failed;
}

static void read_script(const char *text)
{
	struct err err;

	if (parse(text, &err) != 0)
		fail_msg("%s", err.text);
}

/* --- what is said ---------------------------------------------------------------------------- */

static struct turn turn_of(uint32_t index, uint32_t number)
{
	struct turn turn;

	behaviour_turn(&behaviour, index, number, &turn);
	return turn;
}

/* All of it, and each part of it. */
static void assert_said(uint32_t index, uint32_t number, const char *bytes, size_t len)
{
	struct turn turn = turn_of(index, number);
	uint8_t said[256];

	assert_int_equal(turn.say_bytes, len);
	assert_in_range(len, 0, sizeof(said));
	for (uint32_t from = 0; from < len; from++) {
		for (uint32_t to = from + 1; to <= len; to++) {
			memset(said, 0xee, sizeof(said));
			behaviour_write(&behaviour, index, number, from, said, to - from);
			assert_memory_equal(said, bytes + from, to - from);
			assert_int_equal(to - from < sizeof(said) ? said[to - from] : 0xee, 0xee);
		}
	}
}

#define SAID(index, number, text) assert_said(index, number, text, sizeof(text) - 1)

static void texts_expand(void **state)
{
	(void)state;
	read_script("send \"\\r\\n\\t\\0\\\\\\\"\\x00\\xfF\\x7f a{{}b\"\n"
	            "send \"{index}\"\nsend \"<{index:08}>\"\nsend \"{index:02}\xff{index}\"\n");
	SAID(7, 0, "\r\n\t\0\\\"\0\xff\x7f a{}b");
	SAID(0, 1, "0");
	SAID(7, 1, "7");
	SAID(10, 1, "10");
	SAID(UINT32_MAX, 1, "4294967295");
	SAID(123, 2, "<00000123>");
	SAID(123456789, 2, "<123456789>");
	SAID(5, 3,
	     "05\xff"
	     "5");
	SAID(100, 3,
	     "100\xff"
	     "100");
}

static void nonce_is_of_run_connection_and_message(void **state)
{
	struct behaviour other = {.stage = &stage, .script = &script, .key = KEY + 1};
	uint8_t seen[4][16];

	(void)state;
	read_script("loop\nsend \"{nonce}\"\n");
	assert_int_equal(turn_of(1, 0).say_bytes, 16);
	behaviour_write(&behaviour, 1, 0, 0, seen[0], 16);
	behaviour_write(&behaviour, 2, 0, 0, seen[1], 16);
	behaviour_write(&behaviour, 1, 1, 0, seen[2], 16);
	behaviour_write(&other, 1, 0, 0, seen[3], 16);
	for (int a = 0; a < 4; a++) {
		for (int i = 0; i < 16; i++)
			assert_non_null(memchr("0123456789abcdef", seen[a][i], 16));
		for (int b = 0; b < a; b++)
			assert_memory_not_equal(seen[a], seen[b], 16);
	}
}

static void pauses_are_known(void **state)
{
	(void)state;
	read_script("send \"a\"\nwait 0\nsend \"b\"\n");
	assert_false(script_waits(&script));
	read_script("send \"a\"\nwait 1ns\nsend \"b\"\n");
	assert_true(script_waits(&script));
	read_script("wait 1ns\nloop\nsend \"a\"\n");
	assert_true(script_waits(&script));
	read_script("loop\nsend \"a\"\nwait 1ns\n");
	assert_true(script_waits(&script));
}

static void longest_message(void **state)
{
	(void)state;
	read_script("send \"abc\"\nsend \"{index}{nonce}\"\nexpect \"a longer text than that, "
	            "heard\"\n");
	assert_int_equal(script_longest(&script), 26);
}

/* --- turns ----------------------------------------------------------------------------------- */

struct expected {
	uint64_t wait_ms;
	uint32_t say_bytes;
	bool is_answered, is_last;
};

static void assert_turns(const struct expected *expected, uint32_t count)
{
	for (uint32_t number = 0; number < count; number++) {
		struct turn turn = turn_of(3, number);

		if (turn.wait_ns != expected[number].wait_ms * NS_PER_MS ||
		    turn.say_bytes != expected[number].say_bytes ||
		    turn.is_answered != expected[number].is_answered ||
		    turn.is_last != expected[number].is_last)
			fail_msg("turn %u: %u bytes after %llu ns, answered %d, last %d", number,
			         turn.say_bytes, (unsigned long long)turn.wait_ns, turn.is_answered,
			         turn.is_last);
	}
}

static void lines_fold_into_turns(void **state)
{
	static const struct expected turns[] = {
		{0, 0, true, false},  {0, 1, true, false},   {0, 0, true, false},
		{0, 2, false, false}, {1500, 3, true, true}, {0, 0, false, true},
	};

	(void)state;
	read_script("# a greeting comes first\r\n"
	            "expect-prefix \"220 \"\r\n"
	            "\r\n"
	            "\tsend \"a\" # said\r\n"
	            "  expect \"b\"\r\n"
	            "expect \"c\"\r\n"
	            "send \"de\"\r\n"
	            "wait 500ms\r\n"
	            "wait 1s\r\n"
	            "send \"fgh\"\r\n"
	            "expect \"#\"");
	assert_turns(turns, COUNT_OF(turns));
}

static void loops_repeat(void **state)
{
	static const struct expected turns[] = {
		{0, 1, true, false},  {30, 2, true, false}, {0, 3, false, false},
		{70, 2, true, false}, {0, 3, false, false}, {70, 2, true, false},
	};

	(void)state;
	/* 10 before the loop, 20 at its beginning, 50 at its end */
	read_script("send \"a\"\nexpect \"b\"\nwait 10ms\nloop\nwait 20ms\nsend \"cd\"\n"
	            "expect \"e\"\nsend \"fgh\"\nwait 50ms\n");
	assert_turns(turns, COUNT_OF(turns));
	assert_int_equal(turn_of(3, UINT32_MAX).say_bytes, UINT32_MAX % 2 ? 2 : 3);
}

/* --- what is heard --------------------------------------------------------------------------- */

static enum answer hear(uint32_t number, struct hearing *hearing, const char *data, size_t len,
                        uint32_t *used)
{
	uint8_t *piece = malloc(len);

	assert_non_null(piece);
	memcpy(piece, data, len);
	enum answer answer = behaviour_hear(&behaviour, 42, number, hearing, piece, (uint32_t)len,
	                                    used);

	free(piece);
	return answer;
}

/* In pieces that end at a, at b, and at the end. */
static enum answer hear_cut(uint32_t number, const char *text, size_t len, size_t a, size_t b,
                            size_t *used)
{
	const size_t ends[] = {a, b, len};
	struct hearing hearing = {0};
	enum answer answer = BEHAVIOUR_MORE;
	uint32_t taken;

	*used = 0;
	for (size_t i = 0; i < COUNT_OF(ends) && answer == BEHAVIOUR_MORE; i++) {
		if (ends[i] == *used)
			continue;
		answer = hear(number, &hearing, text + *used, ends[i] - *used, &taken);
		assert_in_range(taken, 0, ends[i] - *used);
		*used += taken;
	}
	return answer;
}

static void assert_heard(uint32_t number, const char *text, enum answer expected, size_t whole)
{
	size_t len = strlen(text), used;

	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			if (hear_cut(number, text, len, a, b, &used) != expected)
				fail_msg("'%s' cut at %zu and %zu: not %d", text, a, b,
				         (int)expected);
			if (expected != ANSWER_MISMATCHED)
				assert_int_equal(used, whole);
		}
	}
}

static void exact_bytes_are_heard(void **state)
{
	(void)state;
	read_script("send \"PING\"\nexpect \"+PONG {index} {index:04}\\r\\n\"\n");
	assert_heard(0, "+PONG 42 0042\r\n", ANSWER_GOOD, 15);
	assert_heard(0, "+PONG 42 0042\r\n+PO", ANSWER_GOOD, 15);
	assert_heard(0, "+PONG 42 0042\r", BEHAVIOUR_MORE, 14);
	assert_heard(0, "+PONG 43 0042\r\n", ANSWER_MISMATCHED, 0);
	assert_heard(0, "-ERR\r\n", ANSWER_MISMATCHED, 0);
	assert_heard(0, "+PONG 42 0042\n", ANSWER_MISMATCHED, 0);
	/* After the last turn nothing is expected. */
	assert_heard(1, "+", ANSWER_MISMATCHED, 0);
}

static void lines_are_heard_by_their_beginning(void **state)
{
	(void)state;
	read_script("send \"HELO\"\nexpect-prefix \"250 {index}\"\n");
	assert_heard(0, "250 42 welcome\r\n", ANSWER_GOOD, 16);
	assert_heard(0, "250 42\n", ANSWER_GOOD, 7);
	assert_heard(0, "250 42 a\n250 42 b\n", ANSWER_GOOD, 9);
	assert_heard(0, "250 42 and no end", BEHAVIOUR_MORE, 17);
	assert_heard(0, "250 \n", ANSWER_MISMATCHED, 0);
	assert_heard(0, "550 42\n", ANSWER_MISMATCHED, 0);
}

/* In each answer to it, also where another comes between. */
static void nonce_is_heard_as_said(void **state)
{
	uint8_t nonce[17] = {0};

	(void)state;
	read_script("loop\nsend \"{nonce}\"\nexpect \"got {nonce}\"\nexpect \"OK\"\n"
	            "expect \"again {nonce}\"\n");
	for (uint32_t number = 0; number < 9; number += 3) {
		char text[64];

		behaviour_write(&behaviour, 42, number, 0, nonce, 16);
		snprintf(text, sizeof(text), "got %s", (char *)nonce);
		assert_heard(number, text, ANSWER_GOOD, 20);
		assert_heard(number + 3, text, ANSWER_MISMATCHED, 0);
		assert_heard(number + 1, "OK", ANSWER_GOOD, 2);
		snprintf(text, sizeof(text), "again %s", (char *)nonce);
		assert_heard(number + 2, text, ANSWER_GOOD, 22);
	}
}

/* Longer than what is compared at a time. */
static void long_answers(void **state)
{
	char text[2100];
	char answer[2001];
	uint32_t used;

	(void)state;
	for (int i = 0; i < 2000; i++)
		answer[i] = (char)('a' + i % 23);
	answer[2000] = '\0';
	snprintf(text, sizeof(text), "send \"a\"\nexpect \"%s\"\n", answer);
	read_script(text);
	for (size_t cut = 1; cut < 2000; cut += 37) {
		struct hearing hearing = {0};

		assert_int_equal(hear(0, &hearing, answer, cut, &used), BEHAVIOUR_MORE);
		assert_int_equal(hear(0, &hearing, answer + cut, 2000 - cut, &used), ANSWER_GOOD);
	}
	for (size_t wrong = 0; wrong < 2000; wrong += 41) {
		struct hearing hearing = {0};

		answer[wrong]++;
		assert_int_equal(hear(0, &hearing, answer, 2000, &used), ANSWER_MISMATCHED);
		answer[wrong]--;
	}
}

/* --- what is wrong --------------------------------------------------------------------------- */

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *says;
	} mistakes[] = {
		{"", "a.script:1: nothing is sent or expected: the script is empty"},
		{"# only words\n\n", "a.script:2: nothing is sent or expected"},
		{"\nsned \"a\"\n", "a.script:2: sned: no such word (there are send, expect, "
	                           "expect-prefix, wait, loop)"},
		{"send\n", "a.script:1: send needs a text in quotes (try send \"PING\\r\\n\")"},
		{"send PING\n", "a.script:1: send needs a text in quotes"},
		{"send \"PING\n", "a.script:1: send: the text has no quote at its end"},
		{"send \"PING\\\"\n", "a.script:1: send: the text has no quote at its end"},
		{"send \"\"\n", "a.script:1: send: the text is empty"},
		{"send \"a\"\nexpect \"\"\n", "a.script:2: expect: the text is empty"},
		{"send \"a\" \"b\"\n", "a.script:1: send: \"b\" stands behind what it takes"},
		{"send \"\\q\"\n", "a.script:1: no such escape after \\ (there are \\r \\n \\t "
	                           "\\0 \\\\ \\\" \\xHH)"},
		{"send \"\\x4\"\n", "\\x needs two hexadecimal digits"},
		{"send \"\\x\n", "\\x needs two hexadecimal digits"},
		{"send \"a\\", "no such escape"},
		{"send \"\\xg0\"\n", "\\x needs two hexadecimal digits"},
		{"send \"a\tb\"\n", "a control character in a text (write it as \\t or \\xHH)"},
		{"send \"{\"\n", "a.script:1: no such name in braces"},
		{"send \"{name}\"\n", "{{ is a brace"},
		{"send \"{index:8}\"\n", "no such name in braces"},
		{"send \"{index:00}\"\n", "no such name in braces"},
		{"send \"{index:011}\"\n", "no such name in braces"},
		{"send \"{index:0100}\"\n", "no such name in braces"},
		{"send \"{index:0\"\n", "no such name in braces"},
		{"send \"a\"\nwait\nsend \"b\"\n", "a.script:2: wait needs a duration"},
		{"send \"a\"\nwait soon\n", "wait soon: not a duration (try 500ms, 30s, 1m)"},
		{"wait 25h\nsend \"a\"\n", "a.script:1: wait 25h: too long (at most 24h)"},
		{"send \"a\"\nwait 1s\n", "a.script:2: nothing comes after the last wait"},
		{"send \"a\"\nwait 1s\nexpect \"b\"\n", "a.script:3: expect after a wait"},
		{"loop\nsend \"a\"\nloop\n", "a.script:3: there is a loop already, in line 1"},
		{"send \"a\"\nloop\n", "nothing is sent or expected after the loop in line 2"},
		{"send \"a\"\nloop\nwait 1s\n", "nothing is sent or expected after the loop"},
		{"send \"a\"\nwait 1s\nloop\nexpect \"b\"\n", "the loop begins with an expect"},
		{"loop\nexpect \"b\"\nsend \"a\"\nwait 1s\n", "the loop begins with an expect"},
		{"loop 3\n", "a.script:1: loop: 3 stands behind what it takes"},
		{"expect-prefix \"a\\n\"\n", "expect-prefix: \\n ends a line"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		struct err err;

		assert_true(parse(mistakes[i].text, &err) < 0);
		assert_int_equal(strncmp(err.text, "a.script:", 9), 0);
		assert_null(strchr(err.text, '\n'));
		if (!strstr(err.text, mistakes[i].says))
			fail_msg("'%s' does not say '%s'", err.text, mistakes[i].says);
	}
}

/* send "aaa...", of so many bytes. */
static void write_long(char *text, size_t size, int bytes)
{
	static char all[SCRIPT_BYTES_MOST + 2];

	memset(all, 'a', sizeof(all) - 1);
	snprintf(text, size, "send \"%.*s\"\n", bytes, all);
}

static void limits_are_named(void **state)
{
	static char text[SCRIPT_BYTES_MOST + 64];
	struct err err;

	(void)state;
	for (int i = 0; i < SCRIPT_TURNS_MOST; i++)
		strncat(text, "send \"a\"\n", 10);
	strncat(text, "expect \"b\"\n", 12);
	assert_int_equal(parse(text, &err), 0);
	strncat(text, "expect \"b\"\n", 12);
	assert_true(parse(text, &err) < 0);
	assert_string_equal(err.text, "a.script:66: too many turns (at most 64: a send and its "
	                              "expect are one)");
	write_long(text, sizeof(text), SCRIPT_BYTES_MOST);
	assert_int_equal(parse(text, &err), 0);
	assert_int_equal(turn_of(0, 0).say_bytes, SCRIPT_BYTES_MOST);
	write_long(text, sizeof(text), SCRIPT_BYTES_MOST + 1);
	assert_true(parse(text, &err) < 0);
	assert_string_equal(err.text,
	                    "a.script:1: too much text: all of it has at most 8192 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_expand),
		cmocka_unit_test(nonce_is_of_run_connection_and_message),
		cmocka_unit_test(pauses_are_known),
		cmocka_unit_test(longest_message),
		cmocka_unit_test(lines_fold_into_turns),
		cmocka_unit_test(loops_repeat),
		cmocka_unit_test(exact_bytes_are_heard),
		cmocka_unit_test(lines_are_heard_by_their_beginning),
		cmocka_unit_test(nonce_is_heard_as_said),
		cmocka_unit_test(long_answers),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(limits_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
