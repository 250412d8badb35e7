/* classic_host: the way to each address, asked of the kernel: what is local is this host's, by an
 * alias, by 127.0.0.0/8 or by a route (AnyIP). */
#include "cmd/classic_host.h"

#include "kernel/address.h"
#include "kernel/channel.h"
#include "kernel/link.h"
#include "kernel/route.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define LOOKED_AT_MOST 16384 /* addresses of a range, one by one */

/* ---- what is local -------------------------------------------------------------------------- */

/* 0.0.0.0 and :: are every host's. */
static bool is_any(const struct ip *ip)
{
	static const uint8_t zero[sizeof(ip->bytes)];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

static int count_local(struct channel *c, const struct ip *first, uint32_t count, uint32_t *local)
{
	uint8_t ways[CHANNEL_BATCH];

	*local = 0;
	for (uint32_t from = 0; from < count; from += CHANNEL_BATCH) {
		uint32_t left = count - from;
		uint32_t some = left < CHANNEL_BATCH ? left : CHANNEL_BATCH;
		struct ip ip = ip_add(first, from);
		int failed = route_ways(c, &ip, some, 0, ways);

		if (failed < 0)
			return failed;
		for (uint32_t i = 0; i < some; i++)
			*local += ways[i] == ROUTE_LOCAL ? 1 : 0;
	}
	return 0;
}

/* A range of millions (AnyIP) is looked at by its ends. */
static int count_range(struct channel *c, const struct pool_range *range, uint32_t *local)
{
	struct ip last = ip_add(&range->first, range->count - 1);
	uint32_t first_local, last_local;

	if (range->count <= LOOKED_AT_MOST)
		return count_local(c, &range->first, range->count, local);
	int failed = count_local(c, &range->first, 1, &first_local);

	if (failed == 0)
		failed = count_local(c, &last, 1, &last_local);
	if (failed == 0)
		*local = first_local + last_local == 2 ? range->count : first_local + last_local;
	return failed;
}

static int look_at_addresses(const struct classic_conf *conf, struct classic_host *host,
                             struct channel *c)
{
	struct ip first = pool_at(&conf->clients, 0);
	uint32_t local = 0;
	int failed = is_any(&conf->server) ? 0 : count_local(c, &conf->server, 1, &local);

	host->has_server = local > 0 || is_any(&conf->server);
	host->clients = conf->clients.count;
	for (uint32_t i = 0; i < conf->clients.range_count && failed == 0; i++) {
		failed = count_range(c, &conf->clients.ranges[i], &local);
		host->clients_here += failed == 0 ? local : 0;
	}
	if (failed == 0)
		failed = count_local(c, &first, 1, &local);
	host->uses_absent = conf->solution == 2 ? local == 0 : host->clients_here < host->clients;
	return failed;
}

/* ---- the device ----------------------------------------------------------------------------- */

struct search {
	struct classic_host *host;
	unsigned int link;
	struct ip client;
};

/* Addresses with a network of their own: an alias of our own has none. */
static void look_at_one(const struct address *address, void *context)
{
	struct search *search = context;

	if (address->link != search->link ||
	    address->prefix_len >= address_bits(address->ip.family))
		return;
	struct route_prefix network = route_prefix_of(&address->ip, address->prefix_len);

	if (search->host->own.family == 0 || route_prefix_has(&network, &search->client))
		search->host->own = address->ip;
	if (route_prefix_has(&network, &search->client))
		search->host->has_network = true;
}

static int look_at_device(const struct classic_conf *conf, struct classic_host *host)
{
	struct search search = {.host = host, .client = pool_at(&conf->clients, 0)};
	struct link link;

	if (link_find(conf->device, &link) < 0)
		return 0;
	host->has_device = true;
	search.link = link.index;
	return address_dump(search.client.family, look_at_one, &search);
}

/* ---- which host ----------------------------------------------------------------------------- */

static enum classic_place place_of(const struct classic_host *host)
{
	if (host->has_server)
		return host->uses_absent ? CLASSIC_SERVER : CLASSIC_ONE_HOST;
	return host->clients_here > 0 || host->has_device ? CLASSIC_CLIENT : CLASSIC_NEITHER;
}

int classic_host_look(const struct classic_conf *conf, struct classic_host *host, struct err *err)
{
	struct channel c;
	int failed = channel_open(&c);

	*host = (struct classic_host){.place = CLASSIC_NEITHER};
	if (failed == 0) {
		failed = look_at_addresses(conf, host, &c);
		channel_close(&c);
	}
	if (failed == 0)
		failed = look_at_device(conf, host);
	if (failed < 0)
		return err_set(err, failed, "cannot ask the kernel for this host's addresses: %s",
		               strerror(-failed));
	host->place = place_of(host);
	return 0;
}
