/* api_json: see the header. */
#include "out/api_json.h"

#include "base/clock.h"
#include "base/text.h"
#include "out/json.h"
#include "out/result_path.h"
#include "out/result_read.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define SCHEMA_RUN    "megaconn.run/"
#define SCHEMA_SERVER "megaconn.server/"
#define SCHEMA_BILL   "megaconn.memory/"
#define KEY_DIGITS    16

/* --- writing ------------------------------------------------------------------------------ */

static char *dump(json_t *document)
{
	char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;

	json_decref(document);
	return text;
}

static json_t *seconds(uint64_t duration_ns)
{
	uint64_t ms = duration_ns / NS_PER_MS;

	return json_real((double)ms / 1000);
}

char *api_json_said(const struct roll_said *said)
{
	char key[KEY_DIGITS + 1];
	struct text t;

	text_init(&t, key, sizeof(key));
	text_add(&t, "%016llx", (unsigned long long)said->key);
	return dump(json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:s}", "schema", SCHEMA_RUN "1", "key", key, "first",
		json_known(said->first), "count", json_known(said->count), "sources",
		said->has_sources ? json_string(said->sources) : json_null(), "host", said->host));
}

char *api_json_id(uint32_t id)
{
	return dump(json_pack("{s:s, s:o}", "schema", SCHEMA_RUN "1", "id", json_whole(id)));
}

char *api_json_server(const struct api_server *s)
{
	return dump(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b}",
	                      "schema", SCHEMA_SERVER "1", "version", s->version, "host", s->host,
	                      "kernel", s->kernel, "engine", s->engine, "mode", s->mode, "ports",
	                      s->ports, "room", json_known(s->room), "workers",
	                      json_known(s->workers), "uptime_s", seconds(s->uptime_ns), "runs",
	                      json_known(s->runs), "bill", s->has_bill));
}

char *api_json_look(uint32_t id, const struct roll_said *said, const struct api_look *look)
{
	json_t *proved = json_array();

	for (int i = 0; i < API_ROUNDS; i++)
		json_array_append_new(proved, json_known(look->proved[i]));
	return dump(json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:{s:o, s:o}, s:o}", "schema",
		SCHEMA_RUN "1", "id", json_whole(id), "first", json_known(said->first), "count",
		json_known(said->count), "age_s", seconds(look->age_ns), "connections", "open",
		json_known(look->open), "accepted", json_known(look->accepted), "of_run",
		json_known(look->run_open), "proved", proved, "kernel", "established",
		json_known(look->kernel), "of_sources", json_known(look->kernel_of_sources), "path",
		result_path_end(&look->path)));
}

char *api_json_bill(const struct result_memory *memory)
{
	return dump(
		json_pack("{s:s, s:o}", "schema", SCHEMA_BILL "1", "memory", json_memory(memory)));
}

/* --- reading ------------------------------------------------------------------------------ */

/* The document, of that schema; NULL with one line in `err` and its errno. The caller's. */
static json_t *load(const char *json, size_t len, const char *schema, int *failed, struct err *err)
{
	json_error_t error;
	json_t *document = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	const char *said = json_string_value(json_object_get(document, "schema"));

	if (!json_is_object(document)) {
		*failed = err_set(err, -EINVAL, "not an object of JSON");
	} else if (!said || strncmp(said, schema, strlen(schema)) != 0) {
		*failed = err_set(err, -EINVAL, "not of schema %s1", schema);
	} else if (strcmp(said + strlen(schema), "1") != 0) {
		*failed = err_set(err, -ENOTSUP, "of schema %s, and this megaconn speaks %s1",
		                  text_quote(said, strlen(said)).text, schema);
	} else {
		*failed = 0;
		return document;
	}
	json_decref(document);
	return NULL;
}

static int is_odd(struct err *err, const char *key, const char *wanted)
{
	return err_set(err, -EINVAL, "'%s' is not %s", key, wanted);
}

static int read_number(const json_t *object, const char *key, uint64_t most, uint64_t *out,
                       struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > most)
		return is_odd(err, key, "a whole number from 0 on, or too large");
	*out = (uint64_t)json_integer_value(value);
	return 0;
}

/* null: it is not known. */
static int read_count(const json_t *object, const char *key, uint64_t *out, struct err *err)
{
	*out = API_UNKNOWN;
	return json_is_null(json_object_get(object, key))
	               ? 0
	               : read_number(object, key, INT64_MAX, out, err);
}

static int read_seconds(const json_t *object, const char *key, uint64_t *out_ns, struct err *err)
{
	const json_t *value = json_object_get(object, key);
	double s = json_number_value(value);

	if (!json_is_number(value) || !(s >= 0 && s < 1e9))
		return is_odd(err, key, "a number of seconds");
	*out_ns = (uint64_t)(s * 1e9);
	return 0;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

static int read_text(const json_t *object, const char *key, char *out, size_t size, struct err *err)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	if (!text || json_string_length(value) != strlen(text) || strlen(text) >= size ||
	    !is_printable(text))
		return is_odd(err, key, "a text of ASCII, or too long");
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_key(const json_t *object, uint64_t *out, struct err *err)
{
	char text[KEY_DIGITS + 1] = "";
	int failed = read_text(object, "key", text, sizeof(text), NULL);

	*out = 0;
	for (int i = 0; i < KEY_DIGITS && failed == 0; i++) {
		failed = digit(text[i]) < 0 ? -EINVAL : 0;
		*out = *out << 4 | (uint64_t)(failed == 0 ? digit(text[i]) : 0);
	}
	return failed == 0 ? 0 : is_odd(err, "key", "of 16 digits, 0-9 and a-f");
}

static int read_sources(const json_t *object, struct roll_said *out, struct err *err)
{
	out->has_sources = false;
	if (json_is_null(json_object_get(object, "sources")))
		return 0;
	out->has_sources = true;
	return read_text(object, "sources", out->sources, sizeof(out->sources), err);
}

int api_read_said(const char *json, size_t len, struct roll_said *out, struct err *err)
{
	int failed;
	json_t *document = load(json, len, SCHEMA_RUN, &failed, err);

	memset(out, 0, sizeof(*out));
	if (failed == 0)
		failed = read_key(document, &out->key, err);
	if (failed == 0)
		failed = read_number(document, "first", UINT32_MAX, &out->first, err);
	if (failed == 0)
		failed = read_number(document, "count", UINT32_MAX, &out->count, err);
	if (failed == 0)
		failed = read_sources(document, out, err);
	if (failed == 0)
		failed = read_text(document, "host", out->host, sizeof(out->host), err);
	json_decref(document);
	return failed;
}

int api_read_id(const char *json, size_t len, uint32_t *id, struct err *err)
{
	uint64_t said = 0;
	int failed;
	json_t *document = load(json, len, SCHEMA_RUN, &failed, err);

	if (failed == 0)
		failed = read_number(document, "id", UINT32_MAX, &said, err);
	if (failed == 0 && said == 0)
		failed = is_odd(err, "id", "above 0");
	json_decref(document);
	*id = (uint32_t)said;
	return failed;
}

static int read_server(const json_t *o, struct api_server *out, struct err *err)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} words[] = {
		{"version", out->version, sizeof(out->version)},
		{"host", out->host, sizeof(out->host)},
		{"kernel", out->kernel, sizeof(out->kernel)},
		{"engine", out->engine, sizeof(out->engine)},
		{"mode", out->mode, sizeof(out->mode)},
		{"ports", out->ports, sizeof(out->ports)},
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && failed == 0; i++)
		failed = read_text(o, words[i].key, words[i].to, words[i].size, err);
	if (failed == 0)
		failed = read_number(o, "room", INT64_MAX, &out->room, err);
	if (failed == 0)
		failed = read_number(o, "workers", INT64_MAX, &out->workers, err);
	if (failed == 0)
		failed = read_number(o, "runs", INT64_MAX, &out->runs, err);
	if (failed == 0)
		failed = read_seconds(o, "uptime_s", &out->uptime_ns, err);
	out->has_bill = json_is_true(json_object_get(o, "bill"));
	return failed;
}

int api_read_server(const char *json, size_t len, struct api_server *out, struct err *err)
{
	int failed;
	json_t *document = load(json, len, SCHEMA_SERVER, &failed, err);

	memset(out, 0, sizeof(*out));
	if (failed == 0)
		failed = read_server(document, out, err);
	json_decref(document);
	return failed;
}

static int read_look(const json_t *o, struct api_look *out, struct err *err)
{
	const json_t *connections = json_object_get(o, "connections");
	const json_t *kernel = json_object_get(o, "kernel");
	const json_t *proved = json_object_get(o, "proved");
	const json_t *path = json_object_get(o, "path");
	int failed = read_count(connections, "open", &out->open, err);

	path_end_init(&out->path); /* all that there is of a server that knows no path */
	if (failed == 0 && path && !json_is_null(path))
		failed = result_path_read_end(path, "the answer", &out->path, err);
	if (failed == 0)
		failed = read_count(connections, "accepted", &out->accepted, err);
	if (failed == 0)
		failed = read_count(connections, "of_run", &out->run_open, err);
	if (failed == 0)
		failed = read_count(kernel, "established", &out->kernel, err);
	if (failed == 0)
		failed = read_count(kernel, "of_sources", &out->kernel_of_sources, err);
	if (failed == 0)
		failed = read_seconds(o, "age_s", &out->age_ns, err);
	for (size_t i = 0; i < API_ROUNDS && failed == 0; i++) {
		const json_t *one = json_array_get(proved, i);

		if (!json_is_integer(one) || json_integer_value(one) < 0)
			return is_odd(err, "proved", "a list of two numbers");
		out->proved[i] = (uint64_t)json_integer_value(one);
	}
	return failed;
}

int api_read_look(const char *json, size_t len, struct api_look *out, struct err *err)
{
	int failed;
	json_t *document = load(json, len, SCHEMA_RUN, &failed, err);

	memset(out, 0, sizeof(*out));
	if (failed == 0)
		failed = read_look(document, out, err);
	json_decref(document);
	return failed;
}

void api_json_clean(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static int check_bill(struct result_memory *memory, struct err *err)
{
	for (uint32_t i = 0; i < memory->slab_count; i++)
		api_json_clean(memory->slabs[i].name);
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		api_json_clean(memory->bill.lines[i].of);
	if (memory->connections == 0 || memory->connections > INT64_MAX)
		return is_odd(err, "memory.connections", "a number above 0");
	return 0;
}

int api_read_bill(const char *json, size_t len, struct result_memory *out, struct err *err)
{
	int failed;
	json_t *document = load(json, len, SCHEMA_BILL, &failed, err);

	if (failed == 0 && !json_is_object(json_object_get(document, "memory")))
		failed = is_odd(err, "memory", "an object");
	if (failed == 0)
		failed = result_read_memory(document, "bill", out, err);
	if (failed == 0)
		failed = check_bill(out, err);
	json_decref(document);
	return failed;
}
