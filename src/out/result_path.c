/* result_path: counts go by their table (base/path.h). */
#include "out/result_path.h"

#include "base/text.h"
#include "out/json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static json_t *parts(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

json_t *result_path_end(const struct path_end *end)
{
	json_t *object = json_object();

	for (size_t i = 0; i < path_counts_count; i++) {
		uint64_t count;

		memcpy(&count, (const char *)end + path_counts[i].offset, sizeof(count));
		json_object_set_new(object, path_counts[i].name, json_known(count));
	}
	json_object_set_new(object, "peer_low", json_word(end->peer_low));
	json_object_set_new(object, "peer_high", json_word(end->peer_high));
	return object;
}

json_t *result_path_json(const struct path *path)
{
	if (!path->has)
		return json_null();
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(path_kind_name(path->kind)));
	json_object_set_new(object, "limit", json_known(path->limit));
	json_object_set_new(object, "nat_ports", json_known(path->ports));
	json_object_set_new(object, "lost_out", parts(path->lost_out));
	json_object_set_new(object, "lost_back", parts(path->lost_back));
	json_object_set_new(object, "extra", json_whole(path->extra));
	json_object_set_new(object, "says", json_word(path->says));
	json_object_set_new(object, "advice", json_word(path->advice));
	json_object_set_new(object, "client", result_path_end(&path->client));
	json_object_set_new(object, "server",
	                    path->has_server ? result_path_end(&path->server) : json_null());
	return object;
}

/* --- back --------------------------------------------------------------------------------- */

static int is_odd(const char *name, const char *field, const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL,
	               "%s: 'path.%s' is not %s: it is damaged, or no result of megaconn", name,
	               field, wanted);
}

static bool is_missing(const json_t *value)
{
	return !value || json_is_null(value);
}

static int read_count(const json_t *object, const char *field, const char *name, uint64_t *out,
                      struct err *err)
{
	const json_t *value = json_object_get(object, field);
	double real = json_number_value(value);

	if (is_missing(value))
		return 0;
	if (!json_is_number(value) || !(real >= 0) || real >= 0x1p64)
		return is_odd(name, field, "a number from 0 on", err);
	*out = json_is_integer(value) ? (uint64_t)json_integer_value(value) : (uint64_t)real;
	return 0;
}

static int read_parts(const json_t *object, const char *field, const char *name, double *out,
                      struct err *err)
{
	const json_t *value = json_object_get(object, field);

	if (is_missing(value))
		return 0;
	if (!json_is_number(value))
		return is_odd(name, field, "a number", err);
	*out = json_number_value(value);
	return 0;
}

static int read_words(const json_t *object, const char *field, const char *name, char *out,
                      size_t size, struct err *err)
{
	const json_t *value = json_object_get(object, field);
	struct text t;

	if (is_missing(value))
		return 0;
	if (!json_is_string(value))
		return is_odd(name, field, "text", err);
	text_init(&t, out, size);
	text_add(&t, "%s", json_string_value(value));
	return 0;
}

/* An address, as another host may have sent it, ends up on a terminal. */
static int read_address(const json_t *object, const char *field, const char *name, char *out,
                        struct err *err)
{
	int failed = read_words(object, field, name, out, PATH_ADDRESS_BYTES, err);

	if (failed != 0 || out[strspn(out, "0123456789abcdef:.")] == '\0')
		return failed;
	out[0] = '\0';
	return is_odd(name, field, "an address", err);
}

int result_path_read_end(const json_t *object, const char *name, struct path_end *end,
                         struct err *err)
{
	int failed = 0;

	path_end_init(end);
	if (!json_is_object(object))
		return is_odd(name, "client and server", "an object each", err);
	for (size_t i = 0; i < path_counts_count && failed == 0; i++) {
		uint64_t count = PATH_UNKNOWN;

		failed = read_count(object, path_counts[i].name, name, &count, err);
		memcpy((char *)end + path_counts[i].offset, &count, sizeof(count));
	}
	if (failed == 0)
		failed = read_address(object, "peer_low", name, end->peer_low, err);
	if (failed == 0)
		failed = read_address(object, "peer_high", name, end->peer_high, err);
	return failed;
}

/* A kind that a later version knows is none that we know. */
static void read_kind(const json_t *object, struct path *path)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));

	path->kind = kind ? path_kind_of(kind) : PATH_NOT_KNOWN;
	if (path->kind == PATH_KIND_COUNT)
		path->kind = PATH_NOT_KNOWN;
}

static int read_ends(const json_t *object, const char *name, struct path *path, struct err *err)
{
	const json_t *server = json_object_get(object, "server");
	int failed = result_path_read_end(json_object_get(object, "client"), name, &path->client,
	                                  err);

	path->has_server = !is_missing(server);
	if (failed == 0 && path->has_server)
		failed = result_path_read_end(server, name, &path->server, err);
	return failed;
}

int result_path_read(const json_t *object, const char *name, struct path *path, struct err *err)
{
	int failed;

	path_init(path);
	if (is_missing(object))
		return 0;
	if (!json_is_object(object))
		return is_odd(name, "", "an object", err);
	path->has = true;
	read_kind(object, path);
	failed = read_ends(object, name, path, err);
	if (failed == 0)
		failed = read_count(object, "limit", name, &path->limit, err);
	if (failed == 0)
		failed = read_count(object, "nat_ports", name, &path->ports, err);
	if (failed == 0)
		failed = read_count(object, "extra", name, &path->extra, err);
	if (failed == 0)
		failed = read_parts(object, "lost_out", name, &path->lost_out, err);
	if (failed == 0)
		failed = read_parts(object, "lost_back", name, &path->lost_back, err);
	if (failed == 0)
		failed = read_words(object, "says", name, path->says, sizeof(path->says), err);
	if (failed == 0)
		failed = read_words(object, "advice", name, path->advice, sizeof(path->advice),
		                    err);
	return failed;
}
