/* result_read: a table says which field of the document goes where; what is not a plain number or
 * word has a function of its own below. */
#include "out/result_read.h"

#include "base/text.h"
#include "out/result_idle.h"
#include "out/result_path.h"
#include "out/result_server.h"
#include "out/result_stages.h"
#include "out/result_via.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#define PATH_PARTS 4

enum kind { COUNT, COUNT_32, SECONDS, WORD, CAUSES };

/* Where in the document ("timing.ramp_s"), and where in the structure. */
struct field {
	const char *path;
	enum kind kind;
	size_t offset, size;
};

#define AT(k, member)                                           \
	.kind = (k), .offset = offsetof(struct result, member), \
	.size = sizeof(((struct result *)NULL)->member)

static const struct field fields[] = {
	{"reason", AT(WORD, reason)},
	{"role", AT(WORD, role)},
	{"target", AT(COUNT, target)},
	{"to", AT(WORD, to)},
	{"shard.number", AT(COUNT_32, shard.number)},
	{"shard.of", AT(COUNT_32, shard.of)},
	{"shard.connections", AT(COUNT, shard.connections)},
	{"shard.first", AT(COUNT, shard.first)},
	{"shard.count", AT(COUNT, shard.count)},
	{"solution", AT(WORD, solution)},
	{"network", AT(WORD, network)},
	{"engine.server", AT(WORD, server_engine)},
	{"engine.client", AT(WORD, client_engine)},
	{"source_ips", AT(COUNT_32, source_ips)},
	{"server_ports", AT(COUNT_32, server_ports)},
	{"workers.server", AT(COUNT_32, server_workers)},
	{"workers.client", AT(COUNT_32, client_workers)},
	{"workers.died", AT(COUNT_32, workers_died)},
	{"established.client", AT(COUNT, established.client)},
	{"established.server", AT(COUNT, established.server)},
	{"established.kernel", AT(COUNT, established.kernel)},
	{"established.server_kernel", AT(COUNT, established.server_kernel)},
	{"failed.total", AT(COUNT, failed)},
	{"failed.by_cause", AT(CAUSES, failed_by_cause)},
	{"retried.total", AT(COUNT, retried)},
	{"retried.by_cause", AT(CAUSES, retried_by_cause)},
	{"accept_errors.total", AT(COUNT, accept_errors)},
	{"accept_errors.by_cause", AT(CAUSES, accept_errors_by_cause)},
	{"lost", AT(COUNT, lost)},
	{"lost_by_cause", AT(CAUSES, lost_by_cause)},
	{"source_gone", AT(WORD, source_gone)},
	{"not_tried", AT(COUNT, not_tried)},
	{"reconnected", AT(COUNT, reconnected)},
	{"ramped", AT(COUNT, ramped)},
	{"staged", AT(COUNT, staged)},
	{"unstaged", AT(COUNT, unstaged)},
	{"open_at_end", AT(COUNT, open_at_end)},
	{"unasked_bytes", AT(COUNT, received_bytes)},
	{"served.accepted", AT(COUNT, served.accepted)},
	{"served.peak_open", AT(COUNT, served.peak_open)},
	{"served.closed_by_peer", AT(COUNT, served.closed)},
	{"served.received_bytes", AT(COUNT, served.received_bytes)},
	{"served.tokens", AT(COUNT, served.tokens)},
	{"proved_ramp.sent", AT(COUNT, proved_ramp.sent)},
	{"proved_ramp.echoed", AT(COUNT, proved_ramp.echoed)},
	{"proved_ramp.repeated", AT(COUNT, proved_ramp.repeated)},
	{"proved_ramp.mismatched", AT(COUNT, proved_ramp.mismatched)},
	{"proved_ramp.server_echoed", AT(COUNT, proved_ramp.server_echoed)},
	{"proved_ramp.differing", AT(COUNT, proved_ramp.differing)},
	{"proved_ramp.seconds", AT(SECONDS, proved_ramp.duration_ns)},
	{"proved.sent", AT(COUNT, proved.sent)},
	{"proved.echoed", AT(COUNT, proved.echoed)},
	{"proved.repeated", AT(COUNT, proved.repeated)},
	{"proved.mismatched", AT(COUNT, proved.mismatched)},
	{"proved.server_echoed", AT(COUNT, proved.server_echoed)},
	{"proved.differing", AT(COUNT, proved.differing)},
	{"proved.seconds", AT(SECONDS, proved.duration_ns)},
	{"packets.sent", AT(COUNT, packets.sent)},
	{"packets.received", AT(COUNT, packets.received)},
	{"packets.retransmitted", AT(COUNT, packets.retransmitted)},
	{"packets.probes", AT(COUNT, packets.probes)},
	{"packets.challenged", AT(COUNT, packets.challenged)},
	{"packets.out_of_order", AT(COUNT, packets.out_of_order)},
	{"packets.unasked", AT(COUNT, packets.unasked)},
	{"packets.stray", AT(COUNT, packets.stray)},
	{"packets.bad_checksum", AT(COUNT, packets.bad_checksum)},
	{"packets.malformed", AT(COUNT, packets.malformed)},
	{"packets.foreign", AT(COUNT, packets.foreign)},
	{"packets.dropped", AT(COUNT, packets.dropped)},
	{"packets.conflicts", AT(COUNT, packets.conflicts)},
	{"listen_overflows", AT(COUNT, listen_overflows)},
	{"timing.ramp_s", AT(SECONDS, timing.ramp_ns)},
	{"timing.started_unix_ns", AT(COUNT, timing.started_unix_ns)},
	{"timing.rate_per_s", AT(COUNT, timing.rate_per_s)},
	{"timing.ramp_cpu_s", AT(SECONDS, timing.ramp_cpu_ns)},
	{"timing.hold_s", AT(SECONDS, timing.hold_ns)},
	{"timing.teardown_s", AT(SECONDS, timing.teardown_ns)},
	{"timing.connect_ns.p50", AT(COUNT, timing.connect_p50_ns)},
	{"timing.connect_ns.p90", AT(COUNT, timing.connect_p90_ns)},
	{"timing.connect_ns.p99", AT(COUNT, timing.connect_p99_ns)},
	{"timing.connect_ns.p999", AT(COUNT, timing.connect_p999_ns)},
	{"timing.connect_ns.max", AT(COUNT, timing.connect_max_ns)},
	{"host.kernel", AT(WORD, host.kernel)},
	{"host.cpus", AT(COUNT_32, host.cpus)},
	{"host.memory_bytes", AT(COUNT, host.memory_bytes)},
	{"host.nofile_hard", AT(COUNT, host.nofile_hard)},
};

static const char *const verdicts[] = {
	[VERDICT_FAIL] = "fail",
	[VERDICT_PASS] = "pass",
	[VERDICT_PARTIAL] = "partial",
	[VERDICT_REFUSED] = "refused",
};
static_assert(sizeof(verdicts) / sizeof(verdicts[0]) == VERDICT_COUNT, "a word for each verdict");

struct reader {
	const json_t *document;
	const char *name;
	struct result *result;
	struct err *err;
};

static int is_odd(const struct reader *r, const char *path, const char *wanted)
{
	return err_set(r->err, -EINVAL,
	               "%s: '%s' is not %s: it is damaged, or no result of megaconn", r->name, path,
	               wanted);
}

/* What stands at a path; NULL where it, or what it is a part of, is missing or null. -EINVAL where
 * a part on the way is no object. */
static int find(const struct reader *r, const char *path, const json_t **out)
{
	const json_t *at = r->document;
	char key[64];

	for (const char *part = path; part[0] != '\0';) {
		size_t len = strcspn(part, ".");

		assert(len < sizeof(key));
		if (!json_is_object(at))
			return is_odd(r, path, "in an object");
		memcpy(key, part, len);
		key[len] = '\0';
		at = json_object_get(at, key);
		*out = at;
		if (!at || json_is_null(at)) {
			*out = NULL;
			return 0;
		}
		part += len + (part[len] == '.');
	}
	return 0;
}

/* --- values ------------------------------------------------------------------------------- */

/* A count; one beyond 2^63 was written as a real. */
static bool to_count(const json_t *value, uint64_t *out)
{
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = (uint64_t)json_integer_value(value);
		return true;
	}
	double number = json_real_value(value);

	if (!json_is_real(value) || !(number >= 0) || number >= 0x1p64)
		return false;
	*out = (uint64_t)number;
	return true;
}

static int read_count(const struct reader *r, const struct field *f, const json_t *value, void *to)
{
	uint64_t count;

	if (!to_count(value, &count))
		return is_odd(r, f->path, "a number from 0 on");
	memcpy(to, &count, sizeof(count));
	return 0;
}

static int read_count_32(const struct reader *r, const struct field *f, const json_t *value,
                         void *to)
{
	uint64_t count;

	if (!to_count(value, &count) || count > UINT32_MAX)
		return is_odd(r, f->path, "a number from 0 to 4294967295");
	uint32_t narrow = (uint32_t)count;

	memcpy(to, &narrow, sizeof(narrow));
	return 0;
}

static int read_seconds(const struct reader *r, const struct field *f, const json_t *value,
                        void *to)
{
	double ns = json_number_value(value) * 1e9;

	if (!json_is_number(value) || !(ns >= 0) || ns >= 0x1p63)
		return is_odd(r, f->path, "a number of seconds");
	uint64_t duration_ns = (uint64_t)llround(ns);

	memcpy(to, &duration_ns, sizeof(duration_ns));
	return 0;
}

static int read_word(const struct reader *r, const struct field *f, const json_t *value, void *to)
{
	if (!json_is_string(value))
		return is_odd(r, f->path, "a word");
	size_t len = strnlen(json_string_value(value), f->size - 1);

	memcpy(to, json_string_value(value), len);
	((char *)to)[len] = '\0';
	return 0;
}

static int read_causes(const struct reader *r, const struct field *f, const json_t *value, void *to)
{
	uint64_t *counts = to;

	if (!json_is_object(value))
		return is_odd(r, f->path, "an object");
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const json_t *count = json_object_get(value, cause_name((enum cause)i));

		if (count && !to_count(count, &counts[i]))
			return is_odd(r, f->path, "of numbers");
	}
	return 0;
}

static int read_field(const struct reader *r, const struct field *f)
{
	static int (*const readers[])(const struct reader *, const struct field *, const json_t *,
	                              void *) = {
		[COUNT] = read_count, [COUNT_32] = read_count_32, [SECONDS] = read_seconds,
		[WORD] = read_word,   [CAUSES] = read_causes,
	};
	const json_t *value = NULL;
	int failed = find(r, f->path, &value);

	if (failed != 0 || !value)
		return failed;
	return readers[f->kind](r, f, value, (char *)r->result + f->offset);
}

/* --- what is more than a field ------------------------------------------------------------ */

static int read_verdict(const struct reader *r)
{
	static const int codes[] = {
		[VERDICT_FAIL] = EXIT_FAILED,
		[VERDICT_PASS] = EXIT_PASS,
		[VERDICT_PARTIAL] = EXIT_FAILED,
		[VERDICT_REFUSED] = EXIT_REFUSED,
	};
	const char *word = json_string_value(json_object_get(r->document, "verdict"));

	for (int i = 0; word && i < VERDICT_COUNT; i++) {
		if (strcmp(word, verdicts[i]) == 0) {
			r->result->verdict = (enum verdict)i;
			r->result->exit_code = codes[i];
			return 0;
		}
	}
	return is_odd(r, "verdict", "pass, fail, partial or refused");
}

static void read_rest(const struct reader *r)
{
	const char *proof = json_string_value(json_object_get(r->document, "proof"));

	r->result->ipv6 = json_integer_value(json_object_get(r->document, "ip_version")) == 6;
	r->result->has_proof = proof && strcmp(proof, "echo") == 0;
	r->result->proved_ramp.done = json_is_object(json_object_get(r->document, "proved_ramp"));
	r->result->proved.done = json_is_object(json_object_get(r->document, "proved"));
	r->result->has_packets = json_is_object(json_object_get(r->document, "packets"));
}

/* --- memory ------------------------------------------------------------------------------- */

/* A difference of bytes, or a number of objects; unknown where it is null or missing. */
static int read_bytes(const struct reader *r, const char *path, const json_t *value, int64_t *out)
{
	double number = json_number_value(value);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_number(value) || !(fabs(number) < 0x1p62))
		return is_odd(r, path, "a number");
	*out = json_is_integer(value) ? json_integer_value(value) : llround(number);
	return 0;
}

static int read_share(const struct reader *r, const char *path, int64_t *bytes)
{
	const json_t *value = NULL;
	int failed = find(r, path, &value);

	if (failed != 0 || !value)
		return failed;
	double all = json_number_value(value) * (double)r->result->memory.connections;

	if (!json_is_number(value) || !(fabs(all) < 0x1p62))
		return is_odd(r, path, "a number");
	*bytes = llround(all);
	return 0;
}

static void copy_word(char *to, size_t size, const json_t *from)
{
	const char *word = json_string_value(from);

	snprintf(to, size, "%s", word ? word : "");
}

static int read_slabs(const struct reader *r, const json_t *slabs)
{
	struct result_memory *m = &r->result->memory;

	if (!slabs || json_is_null(slabs))
		return 0;
	if (!json_is_array(slabs))
		return is_odd(r, "memory.slabs", "a list");
	m->has_slabs = true;
	for (size_t i = 0; i < json_array_size(slabs) && i < RESULT_SLABS_MAX; i++) {
		const json_t *from = json_array_get(slabs, i);
		struct result_slab *to = &m->slabs[m->slab_count];
		int failed = read_bytes(r, "memory.slabs", json_object_get(from, "bytes"),
		                        &to->bytes);

		if (failed == 0)
			failed = read_bytes(r, "memory.slabs", json_object_get(from, "objects"),
			                    &to->objects);
		if (failed != 0)
			return failed;
		copy_word(to->name, sizeof(to->name), json_object_get(from, "name"));
		m->slab_count++;
	}
	return 0;
}

static struct bill_line *line_of(struct bill *bill, const json_t *from)
{
	const char *name = json_string_value(json_object_get(from, "line"));

	for (int i = 0; name && i < BILL_LINE_COUNT; i++) {
		if (strcmp(name, bill_line_name((enum bill_line_id)i)) == 0)
			return &bill->lines[i];
	}
	return NULL;
}

static int read_line(const struct reader *r, const json_t *from)
{
	struct bill_line *to = line_of(&r->result->memory.bill, from);
	int failed;

	if (!to)
		return 0;
	failed = read_bytes(r, "memory.bill", json_object_get(from, "bytes"), &to->bytes);
	if (failed == 0)
		failed = read_bytes(r, "memory.bill", json_object_get(from, "objects"),
		                    &to->objects);
	copy_word(to->of, sizeof(to->of), json_object_get(from, "of"));
	to->is_shared = json_is_true(json_object_get(from, "shared"));
	return failed;
}

static int read_bill(const struct reader *r, const json_t *memory)
{
	struct bill *bill = &r->result->memory.bill;
	const json_t *lines = json_object_get(memory, "bill");

	if (!lines || json_is_null(lines))
		return 0;
	if (!json_is_array(lines))
		return is_odd(r, "memory.bill", "a list");
	bill->connections = r->result->memory.connections;
	bill->has_slabs = r->result->memory.has_slabs;
	if (read_bytes(r, "memory.lost_bytes", json_object_get(memory, "lost_bytes"),
	               &bill->lost_bytes) != 0 ||
	    read_bytes(r, "memory.available_lost_bytes",
	               json_object_get(memory, "available_lost_bytes"),
	               &bill->available_lost_bytes) != 0 ||
	    read_bytes(r, "memory.drift_bytes", json_object_get(memory, "drift_bytes"),
	               &bill->drift_bytes) != 0)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(lines); i++) {
		int failed = read_line(r, json_array_get(lines, i));

		if (failed != 0)
			return failed;
	}
	return 0;
}

/* What memory's figures were divided by. */
static int read_connections(const struct reader *r, const json_t *memory)
{
	struct result *result = r->result;
	const json_t *said = json_object_get(memory, "connections");
	uint64_t most = result->established.client;

	if (said && !json_is_null(said))
		return to_count(said, &result->memory.connections)
		               ? 0
		               : is_odd(r, "memory.connections", "a number from 0 on");
	if (most == RESULT_UNKNOWN)
		most = result->established.server;
	if (!json_is_number(json_object_get(memory, "kernel_bytes_per_connection")))
		most = 0;
	result->memory.connections = most == RESULT_UNKNOWN ? 0 : most;
	return 0;
}

static int read_memory(const struct reader *r)
{
	struct result_memory *m = &r->result->memory;
	const json_t *memory = NULL;
	int failed = find(r, "memory", &memory);

	if (failed != 0 || !memory)
		return failed;
	if (!json_is_object(memory))
		return is_odd(r, "memory", "an object");
	if (read_connections(r, memory) != 0 ||
	    read_share(r, "memory.kernel_bytes_per_connection", &m->kernel_bytes) != 0 ||
	    read_share(r, "memory.server_user_bytes_per_connection", &m->server_user_bytes) != 0 ||
	    read_share(r, "memory.client_user_bytes_per_connection", &m->client_user_bytes) != 0 ||
	    read_share(r, "memory.residual_bytes_per_connection", &m->residual_bytes) != 0 ||
	    read_slabs(r, json_object_get(memory, "slabs")) != 0)
		return -EINVAL;
	return read_bill(r, memory);
}

/* --- the document ------------------------------------------------------------------------- */

int result_read_schema(const json_t *document, const char *family, const char *name,
                       struct err *err)
{
	const char *schema = json_string_value(json_object_get(document, "schema"));
	size_t len = strlen(family);

	if (!schema || strncmp(schema, family, len) != 0)
		return err_set(err, -EINVAL,
		               "%s: not of schema %s1: it is no file of megaconn's of that "
		               "kind",
		               name, family);
	if (strcmp(schema + len, "1") != 0)
		return err_set(err, -ENOTSUP,
		               "%s: %s: written by a newer megaconn: read it with that one", name,
		               text_quote(schema, strlen(schema)).text);
	return 0;
}

void result_read_nothing(struct result *result)
{
	memset(result, 0, sizeof(*result));
	result_init(result);
	memset(&result->proved_ramp, 0xff, sizeof(result->proved_ramp));
	memset(&result->proved, 0xff, sizeof(result->proved));
	result->proved_ramp.done = result->proved.done = false;
	result->memory.kernel_bytes = result->memory.residual_bytes = RESULT_UNKNOWN_BYTES;
	result->memory.server_user_bytes = result->memory.client_user_bytes = RESULT_UNKNOWN_BYTES;
	result->memory.cgroup_bytes = result->memory.cgroup_client_bytes = RESULT_UNKNOWN_BYTES;
	result->memory.bill.lost_bytes = result->memory.bill.drift_bytes = BILL_UNKNOWN;
	result->memory.bill.available_lost_bytes = BILL_UNKNOWN;
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		result->memory.bill.lines[i] = (struct bill_line){.bytes = BILL_UNKNOWN,
		                                                  .objects = BILL_UNKNOWN};
}

int result_read_document(const json_t *document, const char *name, struct result *result,
                         struct err *err)
{
	const struct reader r = {document, name, result, err};
	int failed = result_read_schema(document, "megaconn.result/", name, err);

	result_read_nothing(result);
	if (failed == 0)
		failed = read_verdict(&r);
	for (size_t i = 0; failed == 0 && i < sizeof(fields) / sizeof(fields[0]); i++)
		failed = read_field(&r, &fields[i]);
	if (failed == 0)
		failed = read_memory(&r);
	if (failed == 0)
		failed = result_stages_read(document, name, result, err);
	if (failed == 0)
		failed = result_server_read(document, name, &result->server, err);
	if (failed == 0)
		failed = result_path_read(json_object_get(document, "path"), name, &result->path,
		                          err);
	if (failed == 0)
		failed = result_via_read(json_object_get(document, "via"), name, &result->via, err);
	if (failed == 0)
		failed = result_idle_read(document, name, result, err);
	if (failed == 0)
		read_rest(&r);
	return failed;
}

int result_read_memory(const json_t *document, const char *name, struct result_memory *memory,
                       struct err *err)
{
	static struct result result;
	const struct reader r = {document, name, &result, err};

	result_read_nothing(&result);
	int failed = read_memory(&r);

	*memory = result.memory;
	return failed;
}

int result_read(const char *json, size_t len, const char *name, struct result *result,
                struct err *err)
{
	json_error_t error;
	json_t *document = json_loadb(json, len, 0, &error);

	if (!document)
		return err_set(err, -EINVAL,
		               "%s: line %d: not whole JSON: it was truncated or damaged", name,
		               error.line);
	int failed = result_read_document(document, name, result, err);

	json_decref(document);
	return failed;
}
