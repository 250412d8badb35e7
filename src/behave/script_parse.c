/* script_parse: a line is a word and what it takes. Lines are folded into turns as they come: a
 * send begins one, an expect ends it, and pauses are kept until somebody speaks. */
#include "behave/script_parse.h"

#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define WAIT_MOST_NS  (NS_PER_S * 24 * 3600)
#define DURATION_MOST 32 /* bytes of its text */

struct parsing {
	struct script *script;
	const char *at, *end; /* of the line that is parsed: what is left of it */
	unsigned int line;
	unsigned int loop_line; /* 0: none yet */
	bool is_said;           /* the last turn has said something, and an answer may follow */
	uint64_t wait_ns;       /* since then */
	struct err *err;
};

static int refuse(const struct parsing *p, const char *why)
{
	return err_set(p->err, -EINVAL, "%s", why);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* --- texts ---------------------------------------------------------------------------------- */

static bool add_byte(struct parsing *p, uint8_t byte)
{
	struct script *script = p->script;

	if (script->text_bytes == SCRIPT_BYTES_MOST)
		return false;
	script->text[script->text_bytes++] = byte;
	return true;
}

static int add_mark(struct parsing *p, uint8_t kind)
{
	if (!add_byte(p, SCRIPT_MARK) || !add_byte(p, kind))
		return err_set(p->err, -EINVAL, "too much text: all of it has at most %d bytes",
		               SCRIPT_BYTES_MOST);
	return 0;
}

static int add_plain(struct parsing *p, uint8_t byte)
{
	if (byte == SCRIPT_MARK)
		return add_mark(p, SCRIPT_MARK_BYTE);
	if (!add_byte(p, byte))
		return err_set(p->err, -EINVAL, "too much text: all of it has at most %d bytes",
		               SCRIPT_BYTES_MOST);
	return 0;
}

static int hex_digit(char c)
{
	static const char all[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = memchr(all, c, sizeof(all) - 1);

	return found ? (int)(found - all) % 16 : -1;
}

/* \xHH, from behind the x. */
static int take_hex(struct parsing *p)
{
	int high = p->end - p->at >= 2 ? hex_digit(p->at[0]) : -1;
	int low = high >= 0 ? hex_digit(p->at[1]) : -1;

	if (low < 0)
		return refuse(p, "\\x needs two hexadecimal digits (try \\x0d)");
	p->at += 2;
	return add_plain(p, (uint8_t)(high * 16 + low));
}

/* From behind the backslash. */
static int take_escape(struct parsing *p)
{
	static const char names[] = "rnt0\\\"";
	static const char bytes[] = "\r\n\t\0\\\"";
	const char *found = p->at < p->end ? memchr(names, *p->at, sizeof(names) - 1) : NULL;

	if (found) {
		p->at++;
		return add_plain(p, (uint8_t)bytes[found - names]);
	}
	if (p->at < p->end && *p->at == 'x') {
		p->at++;
		return take_hex(p);
	}
	return refuse(p, "no such escape after \\ (there are \\r \\n \\t \\0 \\\\ \\\" \\xHH)");
}

/* "index:08": how wide; 0 where it is not of that form. */
static uint8_t width_of(const char *name, size_t len)
{
	static const char begin[] = "index:0";
	size_t known = sizeof(begin) - 1;
	unsigned int width = 0;

	if (len <= known || len > known + 2 || memcmp(name, begin, known) != 0)
		return 0;
	for (size_t i = known; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		width = width * 10 + (unsigned int)(name[i] - '0');
	}
	return width <= SCRIPT_WIDTH_MOST ? (uint8_t)width : 0;
}

/* {index}, {index:08}, {nonce}, from behind the brace; {{ is one. */
static int take_brace(struct parsing *p)
{
	const char *name = p->at;
	const char *close = memchr(name, '}', (size_t)(p->end - name));

	if (name < p->end && *name == '{') {
		p->at++;
		return add_plain(p, '{');
	}
	size_t len = close ? (size_t)(close - name) : 0;
	uint8_t width = width_of(name, len);

	p->at = close ? close + 1 : p->at;
	if (len == 5 && memcmp(name, "index", len) == 0)
		return add_mark(p, SCRIPT_MARK_INDEX);
	if (len == 5 && memcmp(name, "nonce", len) == 0)
		return add_mark(p, SCRIPT_MARK_NONCE);
	if (width > 0)
		return add_mark(p, (uint8_t)(SCRIPT_MARK_INDEX + width));
	return refuse(p, "no such name in braces (there are {index}, {index:01} to {index:010}, "
	                 "{nonce}; {{ is a brace)");
}

static int take_one(struct parsing *p)
{
	char c = *p->at++;

	if (c == '\\')
		return take_escape(p);
	if (c == '{')
		return take_brace(p);
	if ((unsigned char)c < ' ' || c == 0x7f)
		return refuse(p, "a control character in a text (write it as \\t or \\xHH)");
	return add_plain(p, (uint8_t)c);
}

/* "...", as bytes with marks behind all that there are. */
static int take_text(struct parsing *p, const char *word, uint16_t *at, uint16_t *bytes)
{
	uint32_t first = p->script->text_bytes;

	if (p->at == p->end || *p->at != '"')
		return err_set(p->err, -EINVAL, "%s needs a text in quotes (try %s \"PING\\r\\n\")",
		               word, word);
	p->at++;
	while (p->at < p->end && *p->at != '"') {
		int failed = take_one(p);

		if (failed != 0)
			return failed;
	}
	if (p->at == p->end)
		return err_set(p->err, -EINVAL, "%s: the text has no quote at its end", word);
	p->at++;
	*at = (uint16_t)first;
	*bytes = (uint16_t)(p->script->text_bytes - first);
	if (*bytes == 0)
		return err_set(p->err, -EINVAL, "%s: the text is empty", word);
	return 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* The turn that comes next, after the pauses before it. */
static struct script_turn *add_turn(struct parsing *p)
{
	struct script *script = p->script;

	if (script->count == SCRIPT_TURNS_MOST) {
		err_set(p->err, 0, "too many turns (at most %d: a send and its expect are one)",
		        SCRIPT_TURNS_MOST);
		return NULL;
	}
	struct script_turn *t = &script->turns[script->count++];

	*t = (struct script_turn){.wait_ns = p->wait_ns};
	p->wait_ns = 0;
	return t;
}

static int take_send(struct parsing *p)
{
	struct script_turn *t = add_turn(p);

	p->is_said = true;
	return t ? take_text(p, "send", &t->say_at, &t->say_bytes) : -EINVAL;
}

/* An answer to what was said last; or to nothing, where something was heard or the loop began
 * since. NULL where it is refused. */
static struct script_turn *hear(struct parsing *p, const char *word)
{
	struct script *script = p->script;

	if (p->wait_ns > 0) {
		err_set(p->err, 0,
		        "%s after a wait: what comes meanwhile would be asked for by nobody (put "
		        "the wait before the send)",
		        word);
		return NULL;
	}
	struct script_turn *t = p->is_said ? &script->turns[script->count - 1] : add_turn(p);

	p->is_said = false;
	if (!t || take_text(p, word, &t->expect_at, &t->expect_bytes) != 0)
		return NULL;
	return t;
}

static int take_expect(struct parsing *p)
{
	return hear(p, "expect") ? 0 : -EINVAL;
}

static int take_prefix(struct parsing *p)
{
	struct script_turn *t = hear(p, "expect-prefix");

	if (!t)
		return -EINVAL;
	if (memchr(p->script->text + t->expect_at, '\n', t->expect_bytes))
		return refuse(p, "expect-prefix: \\n ends a line, and so it has none (take expect "
		                 "for more than one)");
	t->is_prefix = true;
	return 0;
}

static int take_wait(struct parsing *p)
{
	char text[DURATION_MOST];
	size_t len = 0;
	uint64_t wait_ns;

	while (p->at + len < p->end && !is_blank(p->at[len]))
		len++;
	if (len < sizeof(text)) {
		memcpy(text, p->at, len);
		text[len] = '\0';
	}
	if (len == 0)
		return err_set(p->err, -EINVAL, "wait needs a duration (try wait 500ms)");
	if (len >= sizeof(text) || memchr(text, '\0', len) || unit_duration(text, &wait_ns) != 0)
		return err_set(p->err, -EINVAL, "wait %s: not a duration (try 500ms, 30s, 1m)",
		               text_quote(p->at, len).text);
	if (wait_ns > WAIT_MOST_NS)
		return err_set(p->err, -EINVAL, "wait %s: too long (at most 24h)",
		               text_quote(p->at, len).text);
	p->at += len;
	p->wait_ns += wait_ns;
	p->is_said = false;
	return 0;
}

static int take_loop(struct parsing *p)
{
	if (p->loop_line > 0)
		return err_set(p->err, -EINVAL, "there is a loop already, in line %u (at most one)",
		               p->loop_line);
	p->loop_line = p->line;
	p->script->loop_from = p->script->count;
	p->script->enter_ns = p->wait_ns;
	p->wait_ns = 0;
	p->is_said = false;
	return 0;
}

static const struct word {
	const char *name;
	int (*take)(struct parsing *p);
} words[] = {
	{"send", take_send}, {"expect", take_expect}, {"expect-prefix", take_prefix},
	{"wait", take_wait}, {"loop", take_loop},
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static void skip_blanks(struct parsing *p)
{
	while (p->at < p->end && is_blank(*p->at))
		p->at++;
}

/* The word that the line begins with, and moves behind it; or NULL. */
static const struct word *take_word(struct parsing *p)
{
	size_t len = 0;

	while (p->at + len < p->end && !is_blank(p->at[len]) && p->at[len] != '"')
		len++;
	for (size_t i = 0; i < WORDS; i++) {
		if (strlen(words[i].name) != len || memcmp(words[i].name, p->at, len) != 0)
			continue;
		p->at += len;
		return &words[i];
	}
	err_set(p->err, 0, "%s: no such word (there are send, expect, expect-prefix, wait, loop)",
	        text_quote(p->at, len).text);
	return NULL;
}

static int take_line(struct parsing *p)
{
	skip_blanks(p);
	if (p->at == p->end || *p->at == '#')
		return 0;
	const struct word *word = take_word(p);

	if (!word)
		return -EINVAL;
	skip_blanks(p);
	int failed = word->take(p);

	if (failed != 0)
		return failed;
	skip_blanks(p);
	if (p->at < p->end && *p->at != '#')
		return err_set(p->err, -EINVAL, "%s: %s stands behind what it takes", word->name,
		               text_quote(p->at, (size_t)(p->end - p->at)).text);
	return 0;
}

/* A pause after the last turn is one before the first of the loop. */
static int end(struct parsing *p)
{
	struct script *script = p->script;

	if (script->count == 0)
		return refuse(p, "nothing is sent or expected: the script is empty");
	if (p->loop_line == 0 && p->wait_ns > 0)
		return refuse(p, "nothing comes after the last wait (take it out, or begin a loop "
		                 "before)");
	if (p->loop_line == 0)
		script->loop_from = script->count;
	else if (script->loop_from == script->count)
		return err_set(p->err, -EINVAL,
		               "nothing is sent or expected after the loop in line %u",
		               p->loop_line);
	script->again_ns = p->wait_ns;
	if (p->loop_line > 0 && script->turns[script->loop_from].say_bytes == 0 &&
	    script->enter_ns + script->again_ns > 0)
		return refuse(p, "a wait before the loop, or at its end, and the loop begins with "
		                 "an expect: what comes meanwhile would be asked for by nobody");
	return 0;
}

int script_parse(const char *text, size_t len, const char *path, struct script *script,
                 struct err *err)
{
	const char *file_end = text + len;
	struct parsing p = {.script = script, .at = text, .end = text, .line = 1, .err = err};
	int failed = 0;

	script->count = script->loop_from = script->text_bytes = 0;
	script->enter_ns = script->again_ns = 0;
	for (const char *line = text; failed == 0 && line < file_end; p.line++) {
		const char *newline = memchr(line, '\n', (size_t)(file_end - line));

		p.at = line;
		p.end = newline ? newline : file_end;
		line = newline ? newline + 1 : file_end;
		failed = take_line(&p);
		if (failed != 0)
			return conf_blame(path, p.line, failed, err);
	}
	failed = end(&p);
	return failed != 0 ? conf_blame(path, p.line > 1 ? p.line - 1 : 1, failed, err) : 0;
}
