/* fuzz_settings: any bytes as the lines of a journal, which are the same when they are read again
 * after writing; and as values that are merged, which never become lower. */
#include "kernel/settings_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings_list list, again;
static char text[SETTINGS_TEXT_BYTES];

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

static void fuzz_lines(const char *lines, size_t len)
{
	if (settings_parse(lines, len, &list) != 0)
		return;
	long written = settings_format(&list, text, sizeof(text));

	check(written > 0 && settings_parse(text, (size_t)written, &again) == 0);
	check(again.count == list.count && again.is_complete == list.is_complete);
	for (uint32_t i = 0; i < list.count; i++) {
		const struct settings_record *a = &list.records[i], *b = &again.records[i];

		check(settings_name_is_good(a->name) && strcmp(a->name, b->name) == 0);
		check(strcmp(a->old, b->old) == 0 && strcmp(a->raised, b->raised) == 0);
		check(a->is_rounded == b->is_rounded);
		check(!a->is_rounded || strcmp(a->rounded, b->rounded) == 0);
	}
}

/* What is merged is high enough for both: merging it with either changes nothing. */
static void fuzz_merge(const char *name, const char *now, const char *wanted)
{
	static char merged[SETTINGS_VALUE_BYTES], twice[SETTINGS_VALUE_BYTES];

	if (settings_merge(name, now, wanted, merged) != 0)
		return;
	check(settings_merge(name, merged, wanted, twice) == 0 && strcmp(merged, twice) == 0);
	check(settings_merge(name, now, merged, twice) == 0 && settings_same(merged, twice));
}

/* "now;wanted" */
static void fuzz_values(uint8_t selector, const char *bytes, size_t len)
{
	static const char *const names[] = {"net.core.somaxconn", "net.ipv4.ip_local_port_range",
	                                    "net.ipv4.ip_local_reserved_ports"};
	char *copy = malloc(len + 1);

	if (!copy)
		return;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	char *wanted = strchr(copy, ';');

	if (wanted) {
		*wanted++ = '\0';
		fuzz_merge(names[selector % 3], copy, wanted);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 4 == 0)
		fuzz_lines((const char *)data + 1, size - 1);
	else
		fuzz_values((uint8_t)(data[0] % 4 - 1), (const char *)data + 1, size - 1);
	return 0;
}
