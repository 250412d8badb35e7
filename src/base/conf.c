/* conf: a configuration file declared as a table.
 *
 * libinih asks for its lines, one call a line, and hands back names and values. What it would
 * silently take otherwise than the user meant never gets to it, since the lines are looked at on
 * their way in:
 *
 *   - indented lines would continue the value above: they lose their indentation
 *   - a line longer than its buffer (200 bytes in distributions) would lose its end
 *   - "name: value" would be taken, and "a : b = c" be split at the colon
 *   - text after "]" and sections without keys would go unseen
 *   - # after a value would be part of it, ; would not: both begin a comment here
 *   - NUL would end the line
 *
 * A line that is handed out is whole, so libinih counts as we do; that matters for none of its
 * builds, though: the line that is being parsed is always the last one handed out. */
#include "base/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define PATH_SHOWN 200 /* the end of a long path */

struct reading {
	const struct conf_key *keys;
	size_t count;
	const char *path;
	const char *at, *end; /* what was not handed out yet */
	unsigned int line;    /* of what was handed out last; from 1 */
	unsigned char *out;
	struct conf_lines *lines;
	const struct conf_visitor *visitor; /* in place of keys, out and lines */
	void *context;
	bool has_section;
	struct err *err;
	int failed;
};

/* Some bytes of the file. */
struct piece {
	const char *at;
	size_t len;
};

int conf_blame(const char *path, unsigned int line, int code, struct err *err)
{
	const char *dots = "";
	size_t len = strlen(path);

	if (!err)
		return code;
	if (len > PATH_SHOWN) {
		path += len - PATH_SHOWN;
		dots = "...";
	}
	if (line == 0)
		return err_set(err, code, "%s%s: %s", dots, path, err->text);
	return err_set(err, code, "%s%s:%u: %s", dots, path, line, err->text);
}

/* Notes the first error; after it no line is handed out any more. */
static void blame(struct reading *r, int code)
{
	if (r->failed == 0)
		r->failed = conf_blame(r->path, r->line, code, r->err);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct piece trim(struct piece piece)
{
	while (piece.len > 0 && is_blank(piece.at[0])) {
		piece.at++;
		piece.len--;
	}
	while (piece.len > 0 && is_blank(piece.at[piece.len - 1]))
		piece.len--;
	return piece;
}

/* A comment begins at the start of the line or after a blank. */
static struct piece without_comment(struct piece line)
{
	for (size_t i = 0; i < line.len; i++) {
		bool starts = i == 0 || is_blank(line.at[i - 1]);

		if (starts && (line.at[i] == ';' || line.at[i] == '#'))
			line.len = i;
	}
	return line;
}

/* Takes the next line, without what ends it (\n, \r\n, the end of the file). */
static struct piece take_line(struct reading *r)
{
	struct piece line = {.at = r->at, .len = (size_t)(r->end - r->at)};
	const char *newline = memchr(line.at, '\n', line.len);

	if (newline)
		line.len = (size_t)(newline - line.at);
	r->at = newline ? newline + 1 : r->end;
	r->line++;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool is_text(struct reading *r, struct piece line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned int c = (unsigned char)line.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			err_set(r->err, 0, "byte 0x%02x: this is no text (is it the right file?)",
			        c);
			return false;
		}
	}
	return true;
}

/* Appends each section of the table once; rows of a section stand together. */
static void add_sections(struct text *t, const struct reading *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (i > 0 && strcmp(r->keys[i].section, r->keys[i - 1].section) == 0)
			continue;
		text_add(t, "%s[%s]", i > 0 ? ", " : "", r->keys[i].section);
	}
}

static bool is_known_section(const struct reading *r, struct piece name)
{
	for (size_t i = 0; i < r->count; i++) {
		const char *section = r->keys[i].section;

		if (strlen(section) == name.len && memcmp(section, name.at, name.len) == 0)
			return true;
	}
	return false;
}

/* Hands a section to the visitor. */
static bool is_welcome(struct reading *r, struct piece line)
{
	char title[256];
	struct piece name = {.at = line.at + 1, .len = line.len - 2};

	if (line.len < 3 || line.at[line.len - 1] != ']' || name.len >= sizeof(title)) {
		err_set(r->err, 0, "%s: not of the form [section]",
		        text_quote(line.at, line.len).text);
		return false;
	}
	memcpy(title, name.at, name.len);
	title[name.len] = '\0';
	r->has_section = true;
	return r->visitor->section(r->context, title, r->line, r->err) == 0;
}

static bool is_section_line(struct reading *r, struct piece line)
{
	struct piece name = {.at = line.at + 1, .len = line.len - 2};
	char known[256];
	struct text text;

	if (r->visitor)
		return is_welcome(r, line);
	if (line.len >= 2 && line.at[line.len - 1] == ']' && is_known_section(r, name))
		return true;
	text_init(&text, known, sizeof(known));
	add_sections(&text, r);
	err_set(r->err, 0, "unknown section %s (there are %s)", text_quote(line.at, line.len).text,
	        known);
	return false;
}

/* isalpha() asks the locale; this does not. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A name begins with a letter, and so not with a second byte order mark, which libinih would drop.
 */
static bool is_value_line(struct reading *r, struct piece line)
{
	const char *equals = memchr(line.at, '=', line.len);
	const char *colon = memchr(line.at, ':', line.len);

	if (equals && is_letter(line.at[0]) && (!colon || colon > equals))
		return true;
	err_set(r->err, 0, "%s: not of the form key = value", text_quote(line.at, line.len).text);
	return false;
}

static bool is_good_line(struct reading *r, struct piece line, size_t most)
{
	if (line.len == 0)
		return true;
	if (line.len > most) {
		err_set(r->err, 0, "the line is too long: %zu bytes (at most %zu)", line.len, most);
		return false;
	}
	return line.at[0] == '[' ? is_section_line(r, line) : is_value_line(r, line);
}

/* libinih's fgets: one line of the file, checked and trimmed, into `buffer`; NULL at the end. */
static char *next_line(char *buffer, int size, void *stream)
{
	struct reading *r = stream;

	if (r->failed != 0 || r->at == r->end || size < 3)
		return NULL;
	const struct piece raw = take_line(r);
	const struct piece line = trim(without_comment(raw));

	if (!is_text(r, raw) || !is_good_line(r, line, (size_t)size - 2)) {
		blame(r, -EINVAL);
		return NULL;
	}
	memcpy(buffer, line.at, line.len);
	buffer[line.len] = '\n';
	buffer[line.len + 1] = '\0';
	return buffer;
}

/* The key, or NULL; *elsewhere is one of this name in another section, or NULL. */
static const struct conf_key *find_key(const struct reading *r, const char *section,
                                       const char *name, const struct conf_key **elsewhere)
{
	*elsewhere = NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->keys[i].name, name) != 0)
			continue;
		if (strcmp(r->keys[i].section, section) == 0)
			return &r->keys[i];
		*elsewhere = &r->keys[i];
	}
	return NULL;
}

static int unknown_key(const struct reading *r, const char *section, const char *name,
                       const struct conf_key *elsewhere)
{
	char known[256];
	struct text text;

	if (elsewhere)
		return err_set(r->err, -EINVAL, "%s belongs in [%s]", name, elsewhere->section);
	text_init(&text, known, sizeof(known));
	if (section[0] == '\0') {
		add_sections(&text, r);
		return err_set(r->err, -EINVAL, "%s stands before the first section (%s)",
		               text_quote(name, strlen(name)).text, known);
	}
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->keys[i].section, section) == 0)
			text_add(&text, "%s%s", text.len > 0 ? ", " : "", r->keys[i].name);
	}
	return err_set(r->err, -EINVAL, "unknown key %s in [%s] (%s)",
	               text_quote(name, strlen(name)).text, section, known);
}

static int set_text(const struct reading *r, const struct conf_key *key, const char *value)
{
	size_t len = strlen(value);

	if (len >= key->size)
		return err_set(r->err, -EINVAL, "%s: the value is too long (at most %zu bytes)",
		               key->name, key->size - 1);
	memcpy(r->out + key->offset, value, len + 1);
	return 0;
}

static int set_value(const struct reading *r, const struct conf_key *key, const char *value)
{
	const struct opt opt = {
		.name = key->name,
		.kind = key->kind,
		.offset = key->offset,
		.min = key->min,
		.max = key->max,
		.choices = key->choices,
	};

	if (value[0] == '\0')
		return err_set(r->err, -EINVAL, "%s: needs a value (or take the line out)",
		               key->name);
	if (key->kind == OPT_TEXT)
		return set_text(r, key, value);
	return opt_set(&opt, key->name, value, r->out, r->err);
}

static int hand_value(struct reading *r, const char *name, const char *value)
{
	if (!r->has_section)
		return err_set(r->err, -EINVAL, "%s stands before the first section",
		               text_quote(name, strlen(name)).text);
	if (value[0] == '\0')
		return err_set(r->err, -EINVAL, "%s: needs a value (or take the line out)",
		               text_quote(name, strlen(name)).text);
	return r->visitor->value(r->context, name, value, r->line, r->err);
}

static int take_value(struct reading *r, const char *section, const char *name, const char *value)
{
	const struct conf_key *elsewhere;

	if (r->visitor)
		return hand_value(r, name, value);
	const struct conf_key *key = find_key(r, section, name, &elsewhere);

	if (!key)
		return unknown_key(r, section, name, elsewhere);
	unsigned int *line = &r->lines->of[key - r->keys];

	if (*line > 0)
		return err_set(r->err, -EINVAL, "%s is given twice (first in line %u)", name,
		               *line);
	*line = r->line;
	return set_value(r, key, value);
}

/* libinih's handler; 1 is well. Some builds call it for sections too, without a name. */
static int on_value(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;

	if (!name || r->failed != 0)
		return r->failed == 0;
	int failed = take_value(r, section, name, value ? value : "");

	if (failed != 0)
		blame(r, failed);
	return failed == 0;
}

static void skip_mark(struct reading *r)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'}; /* UTF-8's, as some editors put it */

	if ((size_t)(r->end - r->at) >= sizeof(mark) && memcmp(r->at, mark, sizeof(mark)) == 0)
		r->at += sizeof(mark);
}

static int read_all(struct reading *r)
{
	skip_mark(r);
	int refused = ini_parse_stream(next_line, r, on_value, r);

	if (r->failed != 0 || refused == 0)
		return r->failed;
	/* Not reached with the builds we know: the lines were looked at. */
	err_set(r->err, 0, "not understood by libinih (%d)", refused);
	return conf_blame(r->path, refused > 0 ? (unsigned int)refused : 0, -EINVAL, r->err);
}

int conf_walk(const struct conf_visitor *visitor, void *context, const char *path, const char *text,
              size_t len, struct err *err)
{
	struct reading r = {
		.path = path,
		.at = text,
		.end = text + len,
		.visitor = visitor,
		.context = context,
		.err = err,
	};

	return read_all(&r);
}

int conf_parse(const struct conf_key *keys, size_t count, const char *path, const char *text,
               size_t len, void *out, struct conf_lines *lines, struct err *err)
{
	struct conf_lines own;
	struct reading r = {
		.keys = keys,
		.count = count,
		.path = path,
		.at = text,
		.end = text + len,
		.out = out,
		.lines = lines ? lines : &own,
		.err = err,
	};

	*r.lines = (struct conf_lines){{0}};
	if (count > CONF_KEYS_MOST)
		return err_set(err, -EINVAL, "more than %d keys declared, a bug", CONF_KEYS_MOST);
	return read_all(&r);
}

ssize_t conf_load(const char *path, char *text, struct err *err)
{
	ssize_t len = file_read(path, text, CONF_BYTES_MOST + 1);

	if (len < 0) {
		err_set(err, 0, "cannot be read: %s", strerror((int)-len));
		return conf_blame(path, 0, (int)len, err);
	}
	if (len > CONF_BYTES_MOST) {
		err_set(err, 0, "larger than %d bytes: this is no configuration", CONF_BYTES_MOST);
		return conf_blame(path, 0, -EFBIG, err);
	}
	return len;
}

int conf_read(const struct conf_key *keys, size_t count, const char *path, void *out,
              struct conf_lines *lines, struct err *err)
{
	char text[CONF_BYTES_MOST + 1];
	ssize_t len = conf_load(path, text, err);

	if (len < 0)
		return (int)len;
	return conf_parse(keys, count, path, text, (size_t)len, out, lines, err);
}
