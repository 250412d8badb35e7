/* json: the result's fields in the schema's order, by jansson. What was not observed is null. */
#include "out/json.h"

#include "base/version.h"
#include "out/bill.h"
#include "out/result_idle.h"
#include "out/result_path.h"
#include "out/result_server.h"
#include "out/result_stages.h"
#include "out/result_via.h"
#include "out/whole_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[] = {
	[VERDICT_FAIL] = "fail",
	[VERDICT_PASS] = "pass",
	[VERDICT_PARTIAL] = "partial",
	[VERDICT_REFUSED] = "refused",
};

const char *json_verdict(enum verdict verdict)
{
	return verdict_names[verdict];
}

json_t *json_whole(uint64_t value)
{
	return value > INT64_MAX ? json_real((double)value) : json_integer((json_int_t)value);
}

json_t *json_known(uint64_t value)
{
	return value == UINT64_MAX ? json_null() : json_whole(value);
}

json_t *json_word(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *seconds(uint64_t duration_ns)
{
	return duration_ns == RESULT_UNKNOWN ? json_null() : json_real((double)duration_ns / 1e9);
}

static json_t *by_cause(const uint64_t *counts)
{
	json_t *object = json_object();

	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (counts[i] > 0)
			json_object_set_new(object, cause_name((enum cause)i),
			                    json_known(counts[i]));
	}
	return object;
}

/* Which row of the doctor's table each of the causes is about. */
static json_t *rows(const uint64_t *counts)
{
	json_t *object = json_object();

	for (int i = 0; i < CAUSE_COUNT; i++) {
		const char *row = cause_row((enum cause)i);

		if (counts[i] > 0 && row[0] != '\0')
			json_object_set_new(object, cause_name((enum cause)i), json_string(row));
	}
	return object;
}

static json_t *total_by_cause(uint64_t total, const uint64_t *counts)
{
	return json_pack("{s:o, s:o, s:o}", "total", json_known(total), "by_cause",
	                 by_cause(counts), "rows", rows(counts));
}

static json_t *proof(const struct result_proof *p)
{
	if (!p->done)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sent", json_known(p->sent),
	                 "echoed", json_known(p->echoed), "mismatched", json_known(p->mismatched),
	                 "repeated", json_known(p->repeated), "server_echoed",
	                 json_known(p->server_echoed), "differing", json_known(p->differing),
	                 "seconds", seconds(p->duration_ns));
}

static json_t *timing(const struct result *r)
{
	json_t *connect = json_pack(
		"{s:o, s:o, s:o, s:o, s:o}", "p50", json_known(r->timing.connect_p50_ns), "p90",
		json_known(r->timing.connect_p90_ns), "p99", json_known(r->timing.connect_p99_ns),
		"p999", json_known(r->timing.connect_p999_ns), "max",
		json_known(r->timing.connect_max_ns));

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "started_unix_ns",
	                 json_known(r->timing.started_unix_ns), "ramp_s",
	                 seconds(r->timing.ramp_ns), "rate_per_s", json_known(r->timing.rate_per_s),
	                 "connect_ns", connect, "ramp_cpu_s", seconds(r->timing.ramp_cpu_ns),
	                 "hold_s", seconds(r->timing.hold_ns), "teardown_s",
	                 seconds(r->timing.teardown_ns));
}

/* A share of `bytes`, one decimal. */
static json_t *per_connection(const struct result_memory *m, int64_t bytes)
{
	if (m->connections == 0 || bytes == RESULT_UNKNOWN_BYTES)
		return json_null();
	return json_real(bill_each(bytes, m->connections));
}

static json_t *slabs(const struct result_memory *m)
{
	if (!m->has_slabs)
		return json_null();
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->slab_count; i++) {
		const struct result_slab *s = &m->slabs[i];

		json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:o}", "name", s->name,
		                                       "objects", (json_int_t)s->objects, "bytes",
		                                       (json_int_t)s->bytes, "bytes_per_connection",
		                                       per_connection(m, s->bytes)));
	}
	return array;
}

/* A server alone knows what it served. */
static json_t *served(const struct result *r)
{
	if (r->role[0] != 's')
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "accepted", json_known(r->served.accepted),
	                 "peak_open", json_known(r->served.peak_open), "closed_by_peer",
	                 json_known(r->served.closed), "received_bytes",
	                 json_known(r->served.received_bytes), "tokens",
	                 json_known(r->served.tokens));
}

/* Clients that are kernel sockets know none. */
static json_t *packets(const struct result *r)
{
	const struct packets *p = &r->packets;

	if (!r->has_packets)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	                 "sent", json_known(p->sent), "received", json_known(p->received),
	                 "retransmitted", json_known(p->retransmitted), "probes",
	                 json_known(p->probes), "challenged", json_known(p->challenged),
	                 "out_of_order", json_known(p->out_of_order), "unasked",
	                 json_known(p->unasked), "stray", json_known(p->stray), "bad_checksum",
	                 json_known(p->bad_checksum), "malformed", json_known(p->malformed),
	                 "foreign", json_known(p->foreign), "dropped", json_known(p->dropped),
	                 "conflicts", json_known(p->conflicts));
}

/* A difference of bytes of a run that has a bill. */
static json_t *difference(const struct bill *bill, int64_t bytes)
{
	if (bill->connections == 0 || bytes == BILL_UNKNOWN)
		return json_null();
	return json_integer((json_int_t)bytes);
}

json_t *json_memory(const struct result_memory *m)
{
	int64_t all = result_bytes(m);

	json_t *o = json_object();

	json_object_set_new(o, "connections", json_whole(m->connections));
	json_object_set_new(o, "bytes_per_connection", per_connection(m, all));
	json_object_set_new(o, "kernel_bytes_per_connection", per_connection(m, m->kernel_bytes));
	json_object_set_new(o, "server_user_bytes_per_connection",
	                    per_connection(m, m->server_user_bytes));
	json_object_set_new(o, "client_user_bytes_per_connection",
	                    per_connection(m, m->client_user_bytes));
	json_object_set_new(o, "residual_bytes_per_connection",
	                    per_connection(m, m->residual_bytes));
	json_object_set_new(o, "lost_bytes", difference(&m->bill, m->bill.lost_bytes));
	json_object_set_new(o, "available_lost_bytes",
	                    difference(&m->bill, m->bill.available_lost_bytes));
	json_object_set_new(o, "drift_bytes", difference(&m->bill, m->bill.drift_bytes));
	json_object_set_new(o, "bill", bill_json(&m->bill));
	json_object_set_new(o, "slabs", slabs(m));
	return o;
}

json_t *json_command(int argc, char *const *argv)
{
	json_t *array = json_array();

	for (int i = 0; i < argc; i++) {
		json_t *word = json_string(argv[i]);

		/* An argument that is not UTF-8 is kept as far as JSON can. */
		json_array_append_new(array, word ? word : json_string("?"));
	}
	return array;
}

/* Of a run that several hosts make together. */
static json_t *shard(const struct result *r)
{
	if (r->shard.of == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "number", json_whole(r->shard.number), "of",
	                 json_whole(r->shard.of), "connections", json_whole(r->shard.connections),
	                 "first", json_whole(r->shard.first), "count", json_whole(r->shard.count));
}

json_t *json_result(const struct result *r, int argc, char *const *argv)
{
	json_t *o = json_object();

	json_object_set_new(o, "schema", json_string("megaconn.result/1"));
	json_object_set_new(o, "version", json_string(MEGACONN_VERSION));
	json_object_set_new(o, "command", json_command(argc, argv));
	json_object_set_new(o, "verdict", json_string(verdict_names[r->verdict]));
	json_object_set_new(o, "reason", json_string(r->reason));
	json_object_set_new(o, "role", json_word(r->role));
	json_object_set_new(o, "target", json_whole(r->target));
	json_object_set_new(o, "shard", shard(r));
	json_object_set_new(o, "to", json_word(r->to));
	json_object_set_new(o, "solution", json_word(r->solution));
	json_object_set_new(o, "network", json_word(r->network));
	json_object_set_new(o, "via", result_via_json(&r->via));
	json_object_set_new(o, "ip_version", json_integer(r->ipv6 ? 6 : 4));
	json_object_set_new(o, "source_ips", json_known(r->source_ips));
	json_object_set_new(o, "server_ports", json_known(r->server_ports));
	json_object_set_new(o, "engine",
	                    json_pack("{s:o, s:o}", "server", json_word(r->server_engine), "client",
	                              json_word(r->client_engine)));
	json_object_set_new(o, "workers",
	                    json_pack("{s:o, s:o, s:o}", "server", json_known(r->server_workers),
	                              "client", json_known(r->client_workers), "died",
	                              json_known(r->workers_died)));
	json_object_set_new(o, "established",
	                    json_pack("{s:o, s:o, s:o, s:o}", "client",
	                              json_known(r->established.client), "server",
	                              json_known(r->established.server), "kernel",
	                              json_known(r->established.kernel), "server_kernel",
	                              json_known(r->established.server_kernel)));
	json_object_set_new(o, "failed", total_by_cause(r->failed, r->failed_by_cause));
	json_object_set_new(o, "retried", total_by_cause(r->retried, r->retried_by_cause));
	json_object_set_new(o, "accept_errors",
	                    total_by_cause(r->accept_errors, r->accept_errors_by_cause));
	json_object_set_new(o, "not_tried", json_known(r->not_tried));
	json_object_set_new(o, "reconnected", json_known(r->reconnected));
	json_object_set_new(o, "ramped", json_known(result_ramped(r)));
	json_object_set_new(o, "staged", json_known(r->staged));
	json_object_set_new(o, "unstaged", json_known(r->unstaged));
	json_object_set_new(o, "open_at_end", json_known(r->open_at_end));
	json_object_set_new(o, "unasked_bytes", json_known(r->received_bytes));
	json_object_set_new(o, "served", served(r));
	json_object_set_new(o, "proof", json_string(r->has_proof ? "echo" : "none"));
	json_object_set_new(o, "proved_ramp", proof(&r->proved_ramp));
	json_object_set_new(o, "proved", proof(&r->proved));
	json_object_set_new(o, "lost", json_known(r->lost));
	json_object_set_new(o, "lost_by_cause", by_cause(r->lost_by_cause));
	json_object_set_new(o, "lost_rows", rows(r->lost_by_cause));
	json_object_set_new(o, "source_gone", json_word(r->source_gone));
	json_object_set_new(o, "listen_overflows", json_known(r->listen_overflows));
	json_object_set_new(o, "packets", packets(r));
	json_object_set_new(o, "path", result_path_json(&r->path));
	json_object_set_new(o, "timing", timing(r));
	result_stages_add(o, r);
	result_idle_add(o, r);
	json_object_set_new(o, "memory", json_memory(&r->memory));
	json_object_set_new(o, "server", result_server_json(&r->server));
	json_object_set_new(o, "host",
	                    json_pack("{s:s, s:o, s:o, s:o}", "kernel", r->host.kernel, "cpus",
	                              json_known(r->host.cpus), "memory_bytes",
	                              json_known(r->host.memory_bytes), "nofile_hard",
	                              json_known(r->host.nofile_hard)));
	return o;
}

static void put_text(FILE *to, const void *text)
{
	fprintf(to, "%s\n", (const char *)text);
}

int json_write_document(const char *path, const struct json_t *document, struct err *err)
{
	char *text = json_dumps(document, JSON_INDENT(2));

	if (!text)
		return err_set(err, -ENOMEM, "no memory to write %s with", path);
	int failed = whole_file_write(path, put_text, text, err);

	free(text);
	return failed;
}

int json_write(const char *path, const struct result *result, int argc, char *const *argv,
               struct err *err)
{
	json_t *o = json_result(result, argc, argv);
	int failed = json_write_document(path, o, err);

	json_decref(o);
	return failed;
}
