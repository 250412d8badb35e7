/* path: the names of its counts and kinds, and how an end's counts are subtracted. */
#include "base/path.h"

#include <assert.h>
#include <string.h>

#define GROWS(field)                                           \
	{                                                      \
#field, offsetof(struct path_end, field), true \
	}
#define STANDS(field)                                           \
	{                                                       \
#field, offsetof(struct path_end, field), false \
	}

const struct path_count path_counts[] = {
	GROWS(syns_out),
	GROWS(syns_in),
	GROWS(syn_acks_out),
	GROWS(syn_acks_in),
	GROWS(resets_out),
	GROWS(resets_in),
	GROWS(icmp_in),
	GROWS(icmp_refused_in),
	GROWS(sent_again),
	GROWS(listen_overflows),
	GROWS(listen_drops),
	GROWS(syn_queue_drops),
	GROWS(cookies_sent),
	GROWS(asked),
	GROWS(tried),
	GROWS(established),
	GROWS(proved),
	GROWS(timed_out),
	GROWS(refused),
	GROWS(unreachable),
	GROWS(local_failures),
	GROWS(closed_early),
	GROWS(silent),
	GROWS(opened_late),
	STANDS(peer_connections),
	STANDS(peer_addresses),
	STANDS(peer_port_low),
	STANDS(peer_port_high),
	STANDS(peer_ports_most),
};
const size_t path_counts_count = sizeof(path_counts) / sizeof(path_counts[0]);

static_assert(sizeof(path_counts) / sizeof(path_counts[0]) * sizeof(uint64_t) ==
                      offsetof(struct path_end, peer_low),
              "each count has its name");

static const char *const kind_names[] = {
	[PATH_NOT_KNOWN] = "unknown",
	[PATH_CLEAR] = "clear",
	[PATH_ONE_END] = "one_end",
	[PATH_BLOCKED] = "blocked",
	[PATH_TABLE] = "table",
	[PATH_PORTS] = "nat_ports",
	[PATH_ANSWERS] = "answers",
	[PATH_QUEUE] = "listen_queue",
	[PATH_PROXY] = "proxy",
	[PATH_SERVER_ENDS] = "ended",
	[PATH_RESET] = "reset",
	[PATH_REFUSED] = "refused",
	[PATH_PROHIBITED] = "prohibited",
	[PATH_UNREACHABLE] = "unreachable",
	[PATH_LOSS] = "loss",
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == PATH_KIND_COUNT, "a name each");

static uint64_t *count_of(struct path_end *end, const struct path_count *count)
{
	return (uint64_t *)(void *)((char *)end + count->offset);
}

void path_end_init(struct path_end *end)
{
	memset(end, 0, sizeof(*end));
	for (size_t i = 0; i < path_counts_count; i++)
		*count_of(end, &path_counts[i]) = PATH_UNKNOWN;
}

void path_init(struct path *path)
{
	memset(path, 0, sizeof(*path));
	path_end_init(&path->client);
	path_end_init(&path->server);
	path->limit = path->ports = PATH_UNKNOWN;
	path->lost_out = path->lost_back = -1;
}

/* One that has gone back was begun anew: all of it is since then. */
static uint64_t since(uint64_t now, uint64_t before)
{
	if (now == PATH_UNKNOWN || before == PATH_UNKNOWN)
		return PATH_UNKNOWN;
	return now < before ? now : now - before;
}

struct path_end path_end_since(const struct path_end *now, const struct path_end *before)
{
	struct path_end out = *now, then = *before;

	for (size_t i = 0; i < path_counts_count; i++) {
		uint64_t *count = count_of(&out, &path_counts[i]);

		if (path_counts[i].grows)
			*count = since(*count, *count_of(&then, &path_counts[i]));
	}
	return out;
}

const char *path_kind_name(enum path_kind kind)
{
	return kind_names[kind];
}

bool path_is_fault(enum path_kind kind)
{
	return kind != PATH_NOT_KNOWN && kind != PATH_CLEAR;
}

enum path_kind path_kind_of(const char *name)
{
	int kind = 0;

	while (kind < PATH_KIND_COUNT && strcmp(kind_names[kind], name) != 0)
		kind++;
	return (enum path_kind)kind;
}
