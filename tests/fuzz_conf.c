/* fuzz_conf: a libFuzzer target for configuration files. Besides memory errors it looks for broken
 * promises: an error without a line, a value out of its bounds, a text that is not ended, a file
 * that is taken although one of its lines was not understood. */
#include "base/conf.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
	uint64_t count, hold;
	char text[16];
	int choice;
	struct opt_ports ports;
};

static const char *const choices[] = {"auto", "uring", NULL};

#define AT(field) offsetof(struct values, field)
static const struct conf_key table[] = {
	{"a", "count", OPT_COUNT, AT(count), 0, 1, 1000, NULL},
	{"a", "hold", OPT_DURATION, AT(hold), 0, 0, 1000, NULL},
	{"a", "text", OPT_TEXT, AT(text), sizeof(((struct values *)NULL)->text), 0, 0, NULL},
	{"b", "choice", OPT_CHOICE, AT(choice), 0, 0, 0, choices},
	{"b", "ports", OPT_PORTS, AT(ports), 0, 0, 0, NULL},
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

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
	return lines;
}

/* Each line with an '=' outside of comments gave one value: none is joined or lost. */
static unsigned int count_values(const uint8_t *data, size_t size)
{
	unsigned int values = 0;
	bool blank = true, comment = false, counted = false;
	size_t start = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (size_t i = start; i < size; i++) {
		if (data[i] == '\n') {
			blank = true;
			comment = counted = false;
			continue;
		}
		if (blank && (data[i] == '#' || data[i] == ';'))
			comment = true;
		if (!comment && !counted && data[i] == '=') {
			counted = true;
			values++;
		}
		blank = data[i] == ' ' || data[i] == '\t';
	}
	return values;
}

static void check_good(const struct values *v, const struct conf_lines *lines, unsigned int last,
                       unsigned int given)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		require(lines->of[i] <= last);
		given -= lines->of[i] > 0;
	}
	require(given == 0);
	require(v->count >= 1 && v->count <= 1000 && v->hold <= 1000);
	require(memchr(v->text, '\0', sizeof(v->text)) != NULL);
	require(v->choice >= 0 && v->choice <= 1);
	require(v->ports.low >= 1 && v->ports.low <= v->ports.high);
}

static void check_failure(const struct err *err, unsigned int last)
{
	char *rest;
	unsigned long line;

	require(strncmp(err->text, "f:", 2) == 0);
	line = strtoul(err->text + 2, &rest, 10);
	require(line >= 1 && line <= last && strncmp(rest, ": ", 2) == 0 && rest[2] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct values v = {.count = 1, .text = "default", .ports = {1, 1}};
	struct conf_lines lines;
	struct err err = {""};
	unsigned int last = count_lines(data, size);
	int rc = conf_parse(table, TABLE_COUNT, "f", (const char *)data, size, &v, &lines, &err);

	if (rc == 0) {
		require(err.text[0] == '\0');
		check_good(&v, &lines, last, count_values(data, size));
	} else {
		require(rc == -EINVAL);
		check_failure(&err, last);
	}
	return 0;
}
