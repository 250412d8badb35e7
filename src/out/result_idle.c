/* result_idle: see the header. */
#include "out/result_idle.h"

#include "base/text.h"
#include "out/json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#define NS_MOST 9.0e18

/* ---- as JSON -------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	size_t offset;
} times[] = {
	{"most_s", offsetof(struct result_idle, most_ns)},
	{"lives_s", offsetof(struct result_idle, lives_ns)},
	{"dead_s", offsetof(struct result_idle, dead_ns)},
	{"ended_least_s", offsetof(struct result_idle, ended_least_ns)},
	{"ended_most_s", offsetof(struct result_idle, ended_most_ns)},
};
#define TIMES (sizeof(times) / sizeof(times[0]))

static json_t *seconds(uint64_t ns)
{
	return ns == RESULT_UNKNOWN ? json_null() : json_real((double)ns / 1e9);
}

void result_idle_add(json_t *document, const struct result *result)
{
	const struct result_idle *idle = &result->idle;
	json_t *o = json_object(), *ends = json_object();

	if (!result->has_idle) {
		json_decref(o);
		json_decref(ends);
		json_object_set_new(document, "idle", json_null());
		return;
	}
	for (size_t i = 0; i < TIMES; i++) {
		uint64_t ns;

		memcpy(&ns, (const char *)idle + times[i].offset, sizeof(ns));
		json_object_set_new(o, times[i].key, seconds(ns));
	}
	json_object_set_new(o, "how", json_string(idle_end_name(idle->how)));
	json_object_set_new(o, "asked_by", json_string(idle->by_echo ? "echo" : "keepalive"));
	json_object_set_new(o, "kept", json_boolean(idle->is_kept));
	json_object_set_new(o, "exact", json_boolean(idle->is_near));
	json_object_set_new(o, "passes", json_integer(idle->passes));
	for (int i = 0; i < IDLE_END_COUNT; i++)
		json_object_set_new(ends, idle_end_name((enum idle_end)i),
		                    json_whole(idle->ends[i]));
	json_object_set_new(o, "ends", ends);
	json_object_set_new(document, "idle", o);
}

static int is_odd(const char *name, const char *key, const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL,
	               "%s: 'idle.%s' is not %s: it is damaged, or no result of megaconn", name,
	               key, wanted);
}

static int read_times(const json_t *from, const char *name, struct result_idle *to, struct err *err)
{
	for (size_t i = 0; i < TIMES; i++) {
		const json_t *value = json_object_get(from, times[i].key);
		uint64_t ns = RESULT_UNKNOWN;

		if (value && !json_is_null(value)) {
			double number = json_number_value(value) * 1e9;

			if (!json_is_number(value) || !(number >= 0 && number <= NS_MOST))
				return is_odd(name, times[i].key, "a time in seconds", err);
			ns = (uint64_t)(number + 0.5);
		}
		memcpy((char *)to + times[i].offset, &ns, sizeof(ns));
	}
	return 0;
}

static int read_ends(const json_t *from, const char *name, struct result_idle *to, struct err *err)
{
	for (int i = 0; i < IDLE_END_COUNT; i++) {
		const json_t *value = json_object_get(from, idle_end_name((enum idle_end)i));

		if (!value)
			continue;
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return is_odd(name, "ends", "made of counts", err);
		to->ends[i] = (uint64_t)json_integer_value(value);
	}
	return 0;
}

int result_idle_read(const json_t *document, const char *name, struct result *result,
                     struct err *err)
{
	const json_t *from = json_object_get(document, "idle");
	const char *how = json_string_value(json_object_get(from, "how"));
	const char *by = json_string_value(json_object_get(from, "asked_by"));
	json_int_t passes = json_integer_value(json_object_get(from, "passes"));
	struct result_idle *to = &result->idle;
	int failed;

	if (!from || json_is_null(from))
		return 0;
	if (!how || idle_end_named(how) == IDLE_END_COUNT)
		return is_odd(name, "how", "a way to end", err);
	failed = read_times(from, name, to, err);
	if (failed == 0)
		failed = read_ends(json_object_get(from, "ends"), name, to, err);
	to->how = idle_end_named(how);
	to->by_echo = by && strcmp(by, "echo") == 0;
	to->is_kept = json_is_true(json_object_get(from, "kept"));
	to->is_near = json_is_true(json_object_get(from, "exact"));
	to->passes = passes >= 0 && passes <= UINT16_MAX ? (uint32_t)passes : 0;
	result->has_idle = failed == 0;
	return failed;
}

/* ---- in words ------------------------------------------------------------------------------- */

static const char *const said[] = {
	[IDLE_LIVES] = "alive",
	[IDLE_SILENT] = "silent",
	[IDLE_RESET] = "answered by RST",
	[IDLE_UNREACHABLE] = "answered by ICMP",
	[IDLE_CLOSED_AFTER] = "answered by FIN",
	[IDLE_CLOSED] = "closed by FIN at rest",
	[IDLE_CUT] = "reset at rest",
};

void result_idle_lines(const struct result *result, char asked[RESULT_IDLE_BYTES],
                       char ends[RESULT_IDLE_BYTES])
{
	const struct result_idle *idle = &result->idle;
	const char *before = "";
	struct text t;

	text_init(&t, asked, RESULT_IDLE_BYTES);
	text_count(&t, result->established.client);
	text_add(&t, " connections over IPv%d, rests up to ", result->ipv6 ? 6 : 4);
	text_duration(&t, idle->most_ns);
	text_add(&t, ", %s; %u pass%s", idle->by_echo ? "asked by a token" : "asked by keepalive",
	         idle->passes, idle->passes == 1 ? "" : "es");
	text_init(&t, ends, RESULT_IDLE_BYTES);
	for (int i = 0; i < IDLE_END_COUNT; i++) {
		if (idle->ends[i] == 0)
			continue;
		text_add(&t, "%s", before);
		text_count(&t, idle->ends[i]);
		text_add(&t, " %s", said[i]);
		before = ", ";
	}
	if (t.len == 0)
		text_add(&t, "nothing");
}
