/* plan_commands: from numbers to command lines. */
#include "cmd/plan_commands.h"

#include "base/text.h"
#include "plan/capacity.h"
#include "plan/ip.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>

#define SERVER_PORT 8090 /* the first of them, where they end below 65536 */
#define DEVICE      "eth0"

static const struct network {
	const char *server, *listen; /* listen: as it stands before a port */
	const char *source;          /* the first one                      */
	int prefix;
} networks[] = {
	{"198.19.0.1", "198.19.0.1", "198.18.0.1", 15},
	{"2001:2::1", "[2001:2::1]", "2001:2::1:1", 48},
};

struct list {
	const struct sizing_ask *ask;
	const struct sizing *sizing;
	const struct network *network;
	uint16_t port_low, port_high;
	struct plan_command *out;
	uint32_t count;
};

static struct text begin(struct list *list, enum plan_place place)
{
	struct plan_command *command = &list->out[list->count++];
	struct text t;

	assert(list->count <= PLAN_COMMANDS_MOST);
	command->place = place;
	text_init(&t, command->line, sizeof(command->line));
	return t;
}

/* " -n 10M": by the largest unit that leaves it whole. */
static void add_n(struct text *t, uint64_t n)
{
	static const struct {
		uint64_t factor;
		const char *suffix;
	} scales[] = {{1000000000, "G"}, {1000000, "M"}, {1000, "k"}, {1, ""}};
	size_t i = 0;

	while (n % scales[i].factor != 0)
		i++;
	text_add(t, " -n %" PRIu64 "%s", n / scales[i].factor, scales[i].suffix);
}

/* "198.18.0.1-198.18.1.99", or one address. */
static void add_sources(struct text *t, const struct list *list, uint64_t count)
{
	char address[IP_TEXT_BYTES];
	struct ip first, last;

	text_add(t, "%s", list->network->source);
	if (count == 1 || ip_parse(list->network->source, &first) != 0)
		return;
	last = ip_add(&first, count - 1);
	text_add(t, "-%s", ip_format(&last, address));
}

/* "198.19.0.1:8090-8119" */
static void add_endpoint(struct text *t, const struct list *list, uint64_t ports)
{
	uint64_t low = SERVER_PORT + ports <= 65536 ? SERVER_PORT : 65536 - ports;

	text_add(t, "%s:%" PRIu64, list->network->listen, low);
	if (ports > 1)
		text_add(t, "-%" PRIu64, low + ports - 1);
}

static void add_up(struct list *list, enum plan_place place, uint64_t sources)
{
	struct text t = begin(list, place);

	text_add(&t, "megaconn addr up ");
	if (sources > 0)
		add_sources(&t, list, sources);
	else
		text_add(&t, "%s", list->network->server);
	text_add(&t, " --dev " DEVICE " --prefix %d", list->network->prefix);
}

static void add_tune(struct list *list, enum plan_place place, uint64_t n)
{
	struct text t = begin(list, place);

	text_add(&t, "megaconn tune apply");
	add_n(&t, n);
	text_add(&t, " --role %s", place == PLAN_SERVER ? "server" : "client");
}

static void add_serve(struct list *list, enum plan_place place, uint64_t ports)
{
	struct text t = begin(list, place);

	text_add(&t, "megaconn serve --listen ");
	add_endpoint(&t, list, ports);
	add_n(&t, list->sizing->server_n);
}

static void add_connect(struct list *list, enum plan_place place, uint64_t sources, uint64_t ports)
{
	struct text t = begin(list, place);

	text_add(&t, "megaconn connect ");
	add_endpoint(&t, list, ports);
	add_n(&t, list->sizing->client_n);
	text_add(&t, " --source ");
	add_sources(&t, list, sources);
	text_add(&t, " --ports %u-%u", list->port_low, list->port_high);
}

/* Where it is another way than by source IPs, and one run of it will do. */
static bool has_other_way(const struct sizing_ask *ask, const struct sizing *s)
{
	return s->fits && s->clients == 1 && s->by_ports.is_possible &&
	       s->by_ports.sources <= SIZING_RUN_SOURCES &&
	       s->by_ports.server_ports > ask->server_ports;
}

static void add_lab(struct list *list)
{
	const struct sizing *s = list->sizing;
	uint64_t n = s->fits ? s->n : s->largest;
	struct text t;

	if (list->ask->memory_bytes > 0 && n > s->held[SIZING_BOTH])
		n = s->held[SIZING_BOTH];
	if (n == 0 || n > CAPACITY_INDEX_MOST)
		return;
	t = begin(list, PLAN_LAB);
	text_add(&t, "megaconn lab");
	add_n(&t, n);
	if (list->ask->is_ipv6)
		text_add(&t, " --ipv6");
}

uint32_t plan_commands(const struct sizing_ask *ask, const struct sizing *sizing, uint16_t port_low,
                       uint16_t port_high, struct plan_command *out)
{
	struct list list = {
		.ask = ask,
		.sizing = sizing,
		.network = &networks[ask->is_ipv6],
		.port_low = port_low,
		.port_high = port_high,
		.out = out,
	};

	if (sizing->clients == 0)
		return 0;
	add_up(&list, PLAN_SERVER, 0);
	add_tune(&list, PLAN_SERVER, sizing->server_n);
	add_serve(&list, PLAN_SERVER, ask->server_ports);
	add_up(&list, PLAN_CLIENT, sizing->client_sources);
	add_tune(&list, PLAN_CLIENT, sizing->client_n);
	add_connect(&list, PLAN_CLIENT, sizing->client_sources, ask->server_ports);
	if (has_other_way(ask, sizing)) {
		add_serve(&list, PLAN_PORTS_SERVER, sizing->by_ports.server_ports);
		add_connect(&list, PLAN_PORTS_CLIENT, sizing->by_ports.sources,
		            sizing->by_ports.server_ports);
	}
	add_lab(&list);
	return list.count;
}
