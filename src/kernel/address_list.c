/* address_list: runs of marked addresses as lines, and lines as ranges. */
#include "kernel/address_list.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- writing -------------------------------------------------------------------------------- */

/* The end of the run that begins at `from`, within its range. */
static uint32_t run_end(const struct range *range, const uint8_t *marks, uint32_t from)
{
	uint32_t end = from;

	while (end < range->count && marks[range->before + end] == marks[range->before + from])
		end++;
	return end;
}

static void add_run(const struct address_list *list, const struct ip *first, uint32_t count,
                    struct text *out)
{
	char text[IP_TEXT_BYTES];

	ip_format(first, text);
	if (list->is_anyip)
		text_add(out, "anyip %u %s\n", list->prefix_len, text);
	else
		text_add(out, "addresses %u %s %u\n", list->prefix_len, text, count);
}

/* Counts the runs; writes them where `out` is not NULL. */
static uint32_t walk_runs(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                          struct text *out)
{
	uint32_t runs = 0, end;

	for (uint32_t r = 0; r < list->ranges.count; r++) {
		const struct range *range = &list->ranges.at[r];

		for (uint32_t from = 0; from < range->count; from = end) {
			struct ip first = ip_add(&range->first, from);

			end = run_end(range, marks, from);
			if (marks[range->before + from] != mark)
				continue;
			runs++;
			if (out)
				add_run(list, &first, end - from, out);
		}
	}
	return runs;
}

uint32_t address_list_lines(const struct address_list *list, const uint8_t *marks, uint8_t mark)
{
	return walk_runs(list, marks, mark, NULL) + 1;
}

void address_list_format(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                         struct text *out)
{
	text_add(out, "link %u %s\n", list->link, list->link_name);
	walk_runs(list, marks, mark, out);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* The line that is being read. */
struct line {
	const char *at, *end; /* the end is its newline */
};

/* Takes what stands before the next blank, and the blank; 0 where that is nothing. */
static size_t take_word(struct line *line, char *word, size_t size)
{
	const char *blank = memchr(line->at, ' ', (size_t)(line->end - line->at));
	const char *end = blank ? blank : line->end;
	size_t len = (size_t)(end - line->at);

	if (len == 0 || len >= size || memchr(line->at, '\0', len))
		return 0;
	memcpy(word, line->at, len);
	word[len] = '\0';
	line->at = blank ? end + 1 : end;
	return len;
}

/* As text_add writes them: without leading zeros. */
static bool take_number(struct line *line, uint32_t *out)
{
	char word[16];
	uint64_t n = 0;

	if (take_word(line, word, sizeof(word)) == 0 || (word[0] == '0' && word[1] != '\0'))
		return false;
	for (const char *c = word; *c != '\0'; c++) {
		if (*c < '0' || *c > '9')
			return false;
		n = n * 10 + (uint64_t)(*c - '0');
		if (n > INT32_MAX)
			return false;
	}
	*out = (uint32_t)n;
	return true;
}

/* Names have no blanks and no slashes (net/core/dev.c: dev_valid_name). */
static bool take_link(struct line *line, struct address_list *out)
{
	char word[16];
	uint32_t index;

	if (take_word(line, word, sizeof(word)) == 0 || strcmp(word, "link") != 0 ||
	    !take_number(line, &index) || index == 0 ||
	    take_word(line, out->link_name, sizeof(out->link_name)) == 0 ||
	    strpbrk(out->link_name, "/\t\r\v\f") || line->at != line->end)
		return false;
	out->link = index;
	return true;
}

static bool take_prefix(struct line *line, uint8_t *prefix_len, struct ip *first)
{
	char word[IP_TEXT_BYTES];
	uint32_t len;

	if (!take_number(line, &len) || take_word(line, word, sizeof(word)) == 0 ||
	    ip_parse(word, first) != 0)
		return false;
	*prefix_len = (uint8_t)len;
	return len >= 1 && len <= (first->family == AF_INET ? 32 : 128);
}

static bool take_range(struct line *line, bool *is_anyip, uint8_t *prefix_len, struct range *range)
{
	char word[16];

	if (take_word(line, word, sizeof(word)) == 0)
		return false;
	*is_anyip = strcmp(word, "anyip") == 0;
	if ((!*is_anyip && strcmp(word, "addresses") != 0) ||
	    !take_prefix(line, prefix_len, &range->first))
		return false;
	range->count = 1;
	if (!*is_anyip && (!take_number(line, &range->count) || range->count == 0))
		return false;
	if (line->at != line->end || line->end[-1] == ' ')
		return false;
	struct ip last = ip_add(&range->first, range->count - 1);

	return ip_distance(&range->first, &last) == range->count - 1;
}

/* Whether it goes with the ranges before it. */
static bool add_range(struct address_list *out, struct range *room, const struct range *range,
                      bool is_anyip, uint8_t prefix_len)
{
	struct ranges *ranges = &out->ranges;

	if (ranges->count > 0 && (is_anyip || out->is_anyip || prefix_len != out->prefix_len ||
	                          range->first.family != room[0].first.family))
		return false;
	if (range->count > INT32_MAX - ranges->addresses)
		return false;
	out->is_anyip = is_anyip;
	out->prefix_len = prefix_len;
	room[ranges->count] = *range;
	room[ranges->count++].before = ranges->addresses;
	ranges->addresses += range->count;
	return true;
}

int address_list_parse(const char *lines, size_t len, struct range *room, uint32_t most,
                       struct address_list *out, struct err *err)
{
	const char *end = lines + len;
	uint32_t number = 0;

	memset(out, 0, sizeof(*out));
	out->ranges.at = room;
	for (const char *at = lines; at < end; number++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct line line = {.at = at, .end = newline};
		struct range range = {.count = 0};
		uint8_t prefix_len = 0;
		bool is_anyip = false;

		if (newline && number > 0 && out->ranges.count == most)
			return err_set(err, -E2BIG, "it has more than %u ranges", most);
		if (!newline ||
		    (number == 0 ? !take_link(&line, out)
		                 : !take_range(&line, &is_anyip, &prefix_len, &range) ||
		                           !add_range(out, room, &range, is_anyip, prefix_len)))
			return err_set(err, -EBADMSG, "its line %u is not one of an address list",
			               number + 1);
		at = newline + 1;
	}
	if (out->ranges.count == 0)
		return err_set(err, -EBADMSG, "it names no address");
	return 0;
}
