/* result_server: see the header. */
#include "out/result_server.h"

#include "out/api_json.h"
#include "out/json.h"
#include "out/result_read.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

/* Names of struct api_look's counts. */
static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{"open", offsetof(struct api_look, open)},
	{"accepted", offsetof(struct api_look, accepted)},
	{"of_run", offsetof(struct api_look, run_open)},
	{"kernel", offsetof(struct api_look, kernel)},
	{"kernel_of_sources", offsetof(struct api_look, kernel_of_sources)},
};
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

static const char *const looks[API_ROUNDS] = {"counts_ramp", "counts_hold"};

/* --- writing ------------------------------------------------------------------------------ */

static json_t *look_json(const struct api_look *look)
{
	json_t *o = json_object();

	for (size_t i = 0; i < COUNTS; i++)
		json_object_set_new(
			o, counts[i].name,
			json_known(*(const uint64_t *)(const void *)((const char *)look +
		                                                     counts[i].offset)));
	return o;
}

static json_t *differing_json(const struct result_server *s)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < s->differing_count; i++) {
		const struct result_differing *d = &s->differing[i];
		bool has = d->source[0] != '\0';

		json_array_append_new(
			array, json_pack("{s:o, s:i, s:b, s:b, s:s?, s:s?}", "index",
		                         json_whole(d->index), "round", (int)d->round + 1, "client",
		                         d->client, "server", d->server, "source",
		                         has ? d->source : NULL, "target", has ? d->target : NULL));
	}
	return array;
}

json_t *result_server_json(const struct result_server *s)
{
	if (!s->has)
		return json_null();
	json_t *o = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:b, s:s?}", "api", s->api, "id",
	                      json_whole(s->id), "host", s->host, "kernel", s->kernel, "version",
	                      s->version, "ports", s->ports, "translated", s->is_translated,
	                      "unknown", s->unknown[0] != '\0' ? s->unknown : NULL);

	for (int i = 0; i < API_ROUNDS; i++)
		json_object_set_new(o, looks[i],
		                    s->has_look[i] ? look_json(&s->looks[i]) : json_null());
	json_object_set_new(o, "differing", differing_json(s));
	json_object_set_new(o, "memory", s->has_memory ? json_memory(&s->memory) : json_null());
	return o;
}

/* --- reading ------------------------------------------------------------------------------ */

static void copy(char *to, size_t size, const json_t *from)
{
	const char *word = json_string_value(from);

	snprintf(to, size, "%s", word ? word : "");
	api_json_clean(to); /* a file may come from anybody, and this goes to a terminal */
}

static uint64_t count_of(const json_t *value)
{
	json_int_t count = json_integer_value(value);

	return json_is_integer(value) && count >= 0 ? (uint64_t)count : API_UNKNOWN;
}

static void read_look(const json_t *from, struct api_look *look)
{
	for (size_t i = 0; i < COUNTS; i++)
		*(uint64_t *)(void *)((char *)look + counts[i].offset) =
			count_of(json_object_get(from, counts[i].name));
}

static void read_differing(const json_t *list, struct result_server *s)
{
	for (size_t i = 0; i < json_array_size(list) && i < RESULT_DIFFERING_MAX; i++) {
		const json_t *from = json_array_get(list, i);
		struct result_differing *d = &s->differing[s->differing_count++];

		d->index = count_of(json_object_get(from, "index"));
		d->round = json_integer_value(json_object_get(from, "round")) == 2;
		d->client = json_is_true(json_object_get(from, "client"));
		d->server = json_is_true(json_object_get(from, "server"));
		copy(d->source, sizeof(d->source), json_object_get(from, "source"));
		copy(d->target, sizeof(d->target), json_object_get(from, "target"));
	}
}

int result_server_read(const json_t *document, const char *name, struct result_server *s,
                       struct err *err)
{
	const json_t *from = json_object_get(document, "server");

	if (!from || json_is_null(from))
		return 0;
	if (!json_is_object(from))
		return err_set(err, -EINVAL,
		               "%s: 'server' is not an object: it is damaged, or no result of "
		               "megaconn",
		               name);
	s->has = true;
	s->id = (uint32_t)json_integer_value(json_object_get(from, "id"));
	s->is_translated = json_is_true(json_object_get(from, "translated"));
	copy(s->api, sizeof(s->api), json_object_get(from, "api"));
	copy(s->host, sizeof(s->host), json_object_get(from, "host"));
	copy(s->kernel, sizeof(s->kernel), json_object_get(from, "kernel"));
	copy(s->version, sizeof(s->version), json_object_get(from, "version"));
	copy(s->ports, sizeof(s->ports), json_object_get(from, "ports"));
	copy(s->unknown, sizeof(s->unknown), json_object_get(from, "unknown"));
	for (int i = 0; i < API_ROUNDS; i++) {
		const json_t *look = json_object_get(from, looks[i]);

		s->has_look[i] = json_is_object(look);
		read_look(look, &s->looks[i]);
	}
	read_differing(json_object_get(from, "differing"), s);
	s->has_memory = json_is_object(json_object_get(from, "memory"));
	return s->has_memory ? result_read_memory(from, name, &s->memory, err) : 0;
}
