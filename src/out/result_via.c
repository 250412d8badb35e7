/* result_via: a table of its counts. */
#include "out/result_via.h"

#include "out/json.h"

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{"limit", offsetof(struct result_via, limit)},
	{"entries", offsetof(struct result_via, entries)},
	{"refused", offsetof(struct result_via, refused)},
	{"invalid", offsetof(struct result_via, invalid)},
	{"dropped", offsetof(struct result_via, dropped)},
	{"insert_failed", offsetof(struct result_via, insert_failed)},
	{"processes", offsetof(struct result_via, processes)},
	{"descriptors", offsetof(struct result_via, descriptors)},
};
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

json_t *result_via_json(const struct result_via *via)
{
	json_t *o;

	if (via->kind == VIA_NONE)
		return json_null();
	o = json_pack("{s:s, s:s, s:b}", "kind", via_name(via->kind), "limits", via_unit(via->kind),
	              "is_given", via->is_given);
	for (size_t i = 0; i < COUNTS; i++) {
		uint64_t value;

		memcpy(&value, (const char *)via + counts[i].offset, sizeof(value));
		json_object_set_new(o, counts[i].name,
		                    value == RESULT_UNKNOWN ? json_null() : json_whole(value));
	}
	return o;
}

static int read_counts(const json_t *from, const char *name, struct result_via *via,
                       struct err *err)
{
	for (size_t i = 0; i < COUNTS; i++) {
		const json_t *is = json_object_get(from, counts[i].name);
		uint64_t value = RESULT_UNKNOWN;

		if (json_is_integer(is) && json_integer_value(is) >= 0)
			value = (uint64_t)json_integer_value(is);
		else if (is && !json_is_null(is))
			return err_set(err, -EINVAL, "%s: via.%s is no count", name,
			               counts[i].name);
		memcpy((char *)via + counts[i].offset, &value, sizeof(value));
	}
	return 0;
}

int result_via_read(const json_t *from, const char *name, struct result_via *via, struct err *err)
{
	const char *kind = json_string_value(json_object_get(from, "kind"));

	memset(via, 0, sizeof(*via));
	if (!from || json_is_null(from))
		return 0;
	for (int i = VIA_NONE + 1; kind && i < VIA_KIND_COUNT; i++) {
		if (strcmp(via_name((enum via_kind)i), kind) == 0)
			via->kind = (enum via_kind)i;
	}
	if (via->kind == VIA_NONE)
		return err_set(err, -EINVAL, "%s: via.kind is none that is known", name);
	via->is_given = json_is_true(json_object_get(from, "is_given"));
	return read_counts(from, name, via, err);
}
