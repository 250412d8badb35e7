/* environment: as JSON. Texts that are not known are null; so are limits, and those that bound
 * nothing are "none". */
#include "out/environment.h"

#include "base/clock.h"
#include "base/version.h"
#include "out/json.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

#define LIMIT(field)                                      \
	{                                                 \
#field, offsetof(struct limits, field), 1 \
	}
#define TRIPLE(field)                                     \
	{                                                 \
#field, offsetof(struct limits, field), 3 \
	}

/* The fields of base/limits.h that are numbers. */
static const struct {
	const char *name;
	size_t offset;
	size_t count;
} limits[] = {
	LIMIT(nofile_soft),
	LIMIT(nofile_hard),
	LIMIT(nr_open),
	LIMIT(memlock_bytes),
	LIMIT(file_max),
	LIMIT(files_left),
	LIMIT(pid_max),
	LIMIT(pids_left),
	LIMIT(threads_max),
	LIMIT(threads_left),
	LIMIT(nproc),
	LIMIT(nproc_left),
	LIMIT(cgroup_pids_left),
	LIMIT(memory_total_bytes),
	LIMIT(memory_left_bytes),
	LIMIT(cgroup_left_bytes),
	LIMIT(swap_total_bytes),
	LIMIT(swap_free_bytes),
	LIMIT(overcommit),
	LIMIT(page_bytes),
	LIMIT(somaxconn),
	LIMIT(syn_backlog),
	LIMIT(syncookies),
	TRIPLE(tcp_mem_pages),
	TRIPLE(tcp_rmem),
	TRIPLE(tcp_wmem),
	LIMIT(max_orphans),
	LIMIT(max_tw_buckets),
	LIMIT(tw_reuse),
	LIMIT(ehash_entries),
	LIMIT(netdev_max_backlog),
	LIMIT(neigh4_max),
	LIMIT(neigh4_used),
	LIMIT(neigh6_max),
	LIMIT(neigh6_used),
	LIMIT(conntrack_max),
	LIMIT(conntrack_count),
	LIMIT(conntrack_buckets),
};

static json_t *text(const char *known)
{
	return known[0] == '\0' ? json_null() : json_string(known);
}

static json_t *limit(uint64_t value)
{
	if (value == LIMITS_UNKNOWN)
		return json_null();
	return value == LIMITS_NONE ? json_string("none") : json_whole(value);
}

static json_t *limit_or_triple(const uint64_t *values, size_t count)
{
	if (count == 1)
		return limit(values[0]);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, limit(values[i]));
	return array;
}

static json_t *use(enum limits_use known)
{
	if (known == LIMITS_USE_UNKNOWN)
		return json_null();
	return json_boolean(known == LIMITS_USE_YES);
}

static json_t *limits_document(const struct limits *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const void *at = (const char *)l + limits[i].offset;

		json_object_set_new(o, limits[i].name, limit_or_triple(at, limits[i].count));
	}
	json_object_set_new(o, "port_range",
	                    l->port_high == 0 ? json_null()
	                                      : json_pack("[i, i]", l->port_low, l->port_high));
	json_object_set_new(o, "conntrack", use(l->conntrack));
	json_object_set_new(o, "tun", use(l->tun));
	return o;
}

static json_t *settings(const struct environment *e)
{
	json_t *o = json_object();

	for (uint32_t i = 0; i < e->setting_count; i++)
		json_object_set_new(o, e->settings[i].name, json_string(e->settings[i].value));
	return o;
}

static json_t *mitigations(const struct environment *e)
{
	json_t *o = json_object();

	for (uint32_t i = 0; i < e->mitigation_count; i++)
		json_object_set_new(o, e->mitigations[i].name, text(e->mitigations[i].value));
	return o;
}

/* "2026-11-23T07:34:41Z" */
static json_t *date(uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / NS_PER_S);
	char words[32];
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) ||
	    strftime(words, sizeof(words), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		return json_null();
	return json_string(words);
}

static json_t *document(const struct environment *e, int argc, char *const *argv)
{
	json_t *o = json_object();

	json_object_set_new(o, "schema", json_string("megaconn.environment/1"));
	json_object_set_new(o, "version", json_string(MEGACONN_VERSION));
	json_object_set_new(o, "compiler", json_string(COMPILER));
	json_object_set_new(o, "command", json_command(argc, argv));
	json_object_set_new(o, "started", date(e->unix_ns));
	json_object_set_new(o, "unix_ns", json_whole(e->unix_ns));
	json_object_set_new(o, "root", json_boolean(e->is_root));
	json_object_set_new(o, "kernel",
	                    json_pack("{s:o, s:o, s:o}", "release", text(e->kernel_release),
	                              "version", text(e->kernel_version), "machine",
	                              text(e->machine)));
	json_object_set_new(o, "cpu",
	                    json_pack("{s:o, s:o, s:o, s:o}", "model", text(e->cpu_model), "online",
	                              json_whole(e->cpus), "allowed", json_whole(e->limits.cpus),
	                              "governor", text(e->governor)));
	json_object_set_new(o, "clocksource", text(e->clocksource));
	json_object_set_new(o, "transparent_huge_pages", text(e->huge_pages));
	json_object_set_new(o, "lsm", text(e->lsm));
	json_object_set_new(o, "limits", limits_document(&e->limits));
	json_object_set_new(o, "sysctls", settings(e));
	json_object_set_new(o, "mitigations", mitigations(e));
	return o;
}

int environment_write(const char *path, const struct environment *environment, int argc,
                      char *const *argv, struct err *err)
{
	json_t *o = document(environment, argc, argv);
	int failed = json_write_document(path, o, err);

	json_decref(o);
	return failed;
}
