/* wellformed: whether a page is XML: elements closed in order, attributes quoted and none twice,
 * ampersands and brackets escaped. Enough of XML for what megaconn writes, which has no comments,
 * no CDATA and no entities but the five and those of numbers. */
#pragma once

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WELLFORMED_DEPTH 32

struct wellformed {
	const char *at;
	char open[WELLFORMED_DEPTH][32];
	int depth;
	char why[128]; /* "" */
};

static inline bool wellformed_fail(struct wellformed *w, const char *why)
{
	snprintf(w->why, sizeof(w->why), "%s before '%.40s'", why, w->at);
	return false;
}

static inline size_t wellformed_name(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || at[len] == '-' || at[len] == ':')
		len++;
	return len;
}

static inline bool wellformed_entity(const char *at)
{
	static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(at, known[i], strlen(known[i])) == 0)
			return true;
	}
	return false;
}

/* Up to `end`, which is not passed. */
static inline bool wellformed_text(struct wellformed *w, char end)
{
	for (; *w->at && *w->at != end; w->at++) {
		unsigned char c = (unsigned char)*w->at;

		if (c == '<' || (c == '&' && !wellformed_entity(w->at)) ||
		    (c < ' ' && c != '\n' && c != '\t'))
			return wellformed_fail(w, "not escaped");
	}
	return true;
}

/* Attributes, up to > or />. */
static inline bool wellformed_attributes(struct wellformed *w)
{
	char seen[16][32];
	int count = 0;

	while (*w->at == ' ') {
		size_t len = wellformed_name(++w->at);

		if (len == 0 || len >= sizeof(seen[0]) || count == 16 || w->at[len] != '=' ||
		    w->at[len + 1] != '"')
			return wellformed_fail(w, "no attribute");
		snprintf(seen[count], sizeof(seen[0]), "%.*s", (int)len, w->at);
		for (int i = 0; i < count; i++) {
			if (strcmp(seen[i], seen[count]) == 0)
				return wellformed_fail(w, "an attribute twice");
		}
		count++;
		w->at += len + 2;
		if (!wellformed_text(w, '"') || *w->at != '"')
			return wellformed_fail(w, "an attribute without end");
		w->at++;
	}
	return true;
}

static inline bool wellformed_tag(struct wellformed *w)
{
	bool is_end = w->at[1] == '/';
	size_t len;

	w->at += is_end ? 2 : 1;
	len = wellformed_name(w->at);
	if (len == 0 || len >= sizeof(w->open[0]))
		return wellformed_fail(w, "no name");
	if (is_end) {
		if (w->depth == 0 || strlen(w->open[w->depth - 1]) != len ||
		    strncmp(w->open[w->depth - 1], w->at, len) != 0 || w->at[len] != '>')
			return wellformed_fail(w, "closes what is not open");
		w->depth--;
		w->at += len + 1;
		return true;
	}
	if (w->depth == WELLFORMED_DEPTH)
		return wellformed_fail(w, "too deep");
	snprintf(w->open[w->depth++], sizeof(w->open[0]), "%.*s", (int)len, w->at);
	w->at += len;
	if (!wellformed_attributes(w))
		return false;
	if (*w->at == '/') {
		w->depth--;
		w->at++;
	}
	if (*w->at != '>')
		return wellformed_fail(w, "a tag without end");
	w->at++;
	return true;
}

/* Whether it is; else why not is in w->why. */
static inline bool wellformed_is(const char *page, struct wellformed *w)
{
	static const char doctype[] = "<!DOCTYPE html>\n";

	*w = (struct wellformed){.at = page};
	if (strncmp(page, doctype, strlen(doctype)) != 0)
		return wellformed_fail(w, "no doctype");
	w->at += strlen(doctype);
	while (*w->at) {
		if (*w->at == '<' ? !wellformed_tag(w) : !wellformed_text(w, '<'))
			return false;
	}
	return w->depth == 0 || wellformed_fail(w, "left open");
}
