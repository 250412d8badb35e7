/* journal_text: what is in a journal, and what it is called.
 *
 *     megaconn-journal 1 settings boot=6d0f1c3a-... netns=4026531840
 *     (its user's lines)
 *     end 12 1c291ca3
 *
 * The last line says how many lines there are between it and the first one, and the crc32 of all
 * bytes before the checksum. There is one way to write a journal: what differs from it by a blank
 * or a leading zero is damaged. */
#include "kernel/journal_text.h"

#include "base/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <zlib.h>

#define MAGIC         "megaconn-journal 1 "
#define SUFFIX        ".journal"
#define NUMBER_DIGITS 18 /* in a file's name: below 2^63 */
#define UUID_CHARS    (JOURNAL_BOOT_ID_BYTES - 1)

static bool is_kind(const char *kind)
{
	size_t len = strspn(kind, "abcdefghijklmnopqrstuvwxyz");

	return len > 0 && len < JOURNAL_KIND_BYTES && kind[len] == '\0';
}

/* Moves behind `word` where the text goes on with it. */
static bool take_word(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

/* A decimal number as printf writes it: no sign, no leading zero. */
static bool take_number(const char **at, const char *end, uint64_t *out)
{
	const char *from = *at;

	return unit_take_digits(at, end, out) && (*from != '0' || *at - from == 1);
}

/* Reads "01234567-89ab-cdef-0123-456789abcdef". */
static bool take_uuid(const char **at, const char *end, char out[JOURNAL_BOOT_ID_BYTES])
{
	if (end - *at < UUID_CHARS)
		return false;
	for (int i = 0; i < UUID_CHARS; i++) {
		char c = (*at)[i];
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	memcpy(out, *at, UUID_CHARS);
	out[UUID_CHARS] = '\0';
	*at += UUID_CHARS;
	return true;
}

static bool take_crc(const char **at, const char *end, uint32_t *out)
{
	uint32_t crc = 0;

	if (end - *at < 8)
		return false;
	for (int i = 0; i < 8; i++, (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			crc = crc << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			crc = crc << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = crc;
	return true;
}

static uint64_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t count = 0;

	for (; text < end && (text = memchr(text, '\n', (size_t)(end - text))); text++)
		count++;
	return count;
}

static uint32_t crc_of(uint32_t crc, const char *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc, (const Bytef *)bytes, len);
}

/* The first line, with its end. */
static bool take_head(const char **at, const char *end, const char *kind, struct journal *out)
{
	return take_word(at, end, MAGIC) && take_word(at, end, kind) &&
	       take_word(at, end, " boot=") && take_uuid(at, end, out->boot_id) &&
	       take_word(at, end, " netns=") && take_number(at, end, &out->netns) &&
	       take_word(at, end, "\n");
}

int journal_parse(const char *text, size_t len, const char *kind, struct journal *out,
                  struct err *err)
{
	const char *at = text, *end = text + len, *last;
	uint64_t count = 0;
	uint32_t crc = 0;

	*out = (struct journal){.number = 0};
	if (len == 0)
		return err_set(err, -EBADMSG, "it is empty");
	if (!take_word(&at, end, MAGIC))
		return err_set(err, -EBADMSG, "it is no journal of this megaconn's");
	at = text;
	if (!take_head(&at, end, kind, out))
		return err_set(err, -EBADMSG, "its first line is damaged or of another kind");
	out->lines = at;
	last = end[-1] == '\n' ? memrchr(at - 1, '\n', (size_t)(end - at)) : NULL;
	if (!last)
		return err_set(err, -EBADMSG, "its end is missing");
	out->len = (size_t)(++last - at);
	at = last;
	if (!take_word(&at, end, "end ") || !take_number(&at, end, &count) ||
	    !take_word(&at, end, " "))
		return err_set(err, -EBADMSG, "its end is missing");
	uint32_t expected = crc_of(0, text, (size_t)(at - text));

	if (!take_crc(&at, end, &crc) || !take_word(&at, end, "\n") || at != end)
		return err_set(err, -EBADMSG, "its last line is damaged");
	if (crc != expected)
		return err_set(err, -EBADMSG, "its checksum is wrong");
	if (count != count_lines(out->lines, out->len) || count == 0 ||
	    memchr(out->lines, '\0', out->len))
		return err_set(err, -EBADMSG, "it has not the lines that its end says");
	return 0;
}

int journal_parse_boot_id(const char *text, size_t len, char out[JOURNAL_BOOT_ID_BYTES])
{
	const char *at = text, *end = text + len;

	return take_uuid(&at, end, out) && take_word(&at, end, "\n") && at == end ? 0 : -EBADMSG;
}

bool journal_lines_are_good(const char *kind, const char *lines, size_t len)
{
	return is_kind(kind) && len > 0 && lines[len - 1] == '\n' && !memchr(lines, '\0', len);
}

void journal_format(const char *kind, const char *boot_id, uint64_t netns, const char *lines,
                    size_t len, struct journal_draft *out)
{
	*out = (struct journal_draft){.lines = lines, .len = len};
	out->head_len = (size_t)snprintf(out->head, sizeof(out->head),
	                                 MAGIC "%s boot=%s netns=%" PRIu64 "\n", kind, boot_id,
	                                 netns);
	out->tail_len = (size_t)snprintf(out->tail, sizeof(out->tail), "end %" PRIu64 " ",
	                                 count_lines(lines, len));
	uint32_t crc = crc_of(0, out->head, out->head_len);

	crc = crc_of(crc, lines, len);
	crc = crc_of(crc, out->tail, out->tail_len);
	out->tail_len += (size_t)snprintf(out->tail + out->tail_len,
	                                  sizeof(out->tail) - out->tail_len, "%08" PRIx32 "\n",
	                                  crc);
}

int64_t journal_number_of(const char *name, const char *kind)
{
	const char *at = name, *end = name + strlen(name);
	uint64_t number = 0;

	if (!take_word(&at, end, kind) || !take_word(&at, end, "-"))
		return -1;
	if (strspn(at, "0123456789") > NUMBER_DIGITS || !take_number(&at, end, &number) ||
	    strcmp(at, SUFFIX) != 0)
		return -1;
	return (int64_t)number;
}

void journal_name(char name[JOURNAL_NAME_BYTES], const char *kind, uint64_t number)
{
	snprintf(name, JOURNAL_NAME_BYTES, "%.23s-%" PRIu64 SUFFIX, kind, number);
}
