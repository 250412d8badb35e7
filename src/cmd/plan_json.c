/* plan_json: the plan's fields; what was not given is null. */
#include "cmd/plan_json.h"

#include "out/json.h"

#include <inttypes.h>
#include <jansson.h>

/* JSON's integers end at 2^63 with jansson; what is planned is whole, however large. */
static json_t *whole(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *given(uint64_t value)
{
	return value == 0 ? json_null() : whole(value);
}

static json_t *shape(const struct sizing_shape *s)
{
	return json_pack("{s:o, s:o, s:o, s:b}", "source_ips", whole(s->sources), "server_ports",
	                 whole(s->server_ports), "room", whole(s->room), "possible",
	                 s->is_possible);
}

static json_t *by_role(const uint64_t *values)
{
	return json_pack("{s:o, s:o, s:o}", "server", whole(values[SIZING_SERVER]), "client",
	                 whole(values[SIZING_CLIENT]), "both", whole(values[SIZING_BOTH]));
}

static json_t *asked(const struct plan_view *v)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b}", "memory_bytes", given(v->ask.memory_bytes),
	                 "source_ips", given(v->ask.sources), "server_ports",
	                 whole(v->ask.server_ports), "nofile", whole(v->ask.nofile), "ipv6",
	                 v->ask.is_ipv6);
}

static json_t *commands(const struct plan_view *v)
{
	static const char *const places[] = {
		[PLAN_SERVER] = "server",
		[PLAN_CLIENT] = "client",
		[PLAN_PORTS_SERVER] = "ports_server",
		[PLAN_PORTS_CLIENT] = "ports_client",
		[PLAN_LAB] = "lab",
	};
	json_t *array = json_array();

	for (uint32_t i = 0; i < v->command_count; i++)
		json_array_append_new(array,
		                      json_pack("{s:s, s:s}", "where", places[v->commands[i].place],
		                                "line", v->commands[i].line));
	return array;
}

static json_t *document(const struct plan_view *v)
{
	static const char *const ends[] = {
		[SIZING_END_MEMORY] = "memory",
		[SIZING_END_SOURCES] = "source_ips",
		[SIZING_END_ADDRESSES] = "addresses",
	};
	const struct sizing *s = &v->sizing;
	json_t *o = json_pack("{s:s, s:o, s:b, s:o, s:s}", "schema", "megaconn.plan/1", "n",
	                      whole(s->n), "fits", s->fits, "largest", whole(s->largest),
	                      "ends_first", ends[s->ends]);

	json_object_set_new(o, "given", asked(v));
	json_object_set_new(o, "source_ports",
	                    json_pack("{s:i, s:i, s:i}", "low", v->port_low, "high", v->port_high,
	                              "count", (int)v->ask.source_ports));
	json_object_set_new(
		o, "solutions",
		json_pack("{s:o, s:o}", "1", shape(&s->by_sources), "2", shape(&s->by_ports)));
	json_object_set_new(o, "descriptors",
	                    json_pack("{s:i, s:o, s:o}", "uring", 0, "other", whole(s->n),
	                              "processes", whole(s->processes)));
	json_object_set_new(o, "memory_bytes", by_role(s->memory_bytes));
	json_object_set_new(o, "held", v->ask.memory_bytes > 0 ? by_role(s->held) : json_null());
	json_object_set_new(o, "runs",
	                    json_pack("{s:o, s:o}", "servers", whole(s->servers), "clients",
	                              whole(s->clients)));
	json_object_set_new(o, "commands", commands(v));
	return o;
}

int plan_json_write(const char *path, const struct plan_view *view, struct err *err)
{
	json_t *o = document(view);
	int failed = json_write_document(path, o, err);

	json_decref(o);
	return failed;
}
