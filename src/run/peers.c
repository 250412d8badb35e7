/* peers: a table of the pairs of peer address and own port that were met, open addressing. */
#include "run/peers.h"

#include "base/mix.h"
#include "run/census.h"

#include <netinet/tcp.h>
#include <string.h>

#define SLOTS      16384 /* a power of two */
#define SLOTS_MOST (SLOTS / 4 * 3)

struct pair {
	struct ip peer;
	uint16_t port;        /* of ours; 0: of any */
	uint64_t connections; /* 0: a free slot */
};

struct look {
	const struct experiment *x;
	uint32_t listen; /* of which one the sockets are that come now */
	struct pair pairs[SLOTS];
	uint32_t used;
	bool is_full;
	uint64_t connections, addresses, most;
	uint16_t port_low, port_high;
	struct ip low, high;
};

static uint32_t slot_of(const struct ip *peer, uint16_t port)
{
	uint64_t words[2], hash = port;

	memcpy(words, peer->bytes, sizeof(words));
	hash = mix64(hash ^ words[0]);
	return (uint32_t)(mix64(hash ^ words[1]) & (SLOTS - 1));
}

/* Returns how many there are of it now; 0 where the table is full. */
static uint64_t count_pair(struct look *look, const struct ip *peer, uint16_t port)
{
	uint32_t slot = slot_of(peer, port);

	while (look->pairs[slot].connections > 0 &&
	       (look->pairs[slot].port != port || !ip_equal(&look->pairs[slot].peer, peer)))
		slot = (slot + 1) & (SLOTS - 1);
	struct pair *pair = &look->pairs[slot];

	if (pair->connections == 0 && look->used == SLOTS_MOST) {
		look->is_full = true;
		return 0;
	}
	if (pair->connections == 0) {
		*pair = (struct pair){.peer = *peer, .port = port};
		look->used++;
	}
	return ++pair->connections;
}

static bool is_before(const struct ip *a, const struct ip *b)
{
	return a->family != b->family ? a->family < b->family
	                              : memcmp(a->bytes, b->bytes, sizeof(a->bytes)) < 0;
}

static void see(void *context, uint8_t state, const struct diag_socket *socket)
{
	struct look *look = context;
	const struct ip peer = ip_unmapped(&socket->remote);
	uint64_t of_pair;

	(void)state;
	if (!census_is_of_listen(look->x, look->listen, socket))
		return;
	if (look->connections == 0) {
		look->port_low = look->port_high = socket->remote_port;
		look->low = look->high = peer;
	}
	look->connections++;
	if (socket->remote_port < look->port_low)
		look->port_low = socket->remote_port;
	if (socket->remote_port > look->port_high)
		look->port_high = socket->remote_port;
	if (is_before(&peer, &look->low))
		look->low = peer;
	if (is_before(&look->high, &peer))
		look->high = peer;
	look->addresses += count_pair(look, &peer, 0) == 1;
	of_pair = count_pair(look, &peer, socket->local_port);
	look->most = of_pair > look->most ? of_pair : look->most;
}

static int look_at(const struct experiment *x, struct look *look)
{
	bool is_partial = false;
	int failed = 0;

	memset(look, 0, sizeof(*look));
	look->x = x;
	for (uint32_t i = 0; i < x->listen_count && failed == 0; i++) {
		const struct diag_query query = {
			.family = x->listens[i].address.family,
			.low = x->listens[i].port_low,
			.high = x->listens[i].port_high,
			.state_mask = 1U << TCP_ESTABLISHED,
		};

		look->listen = i;
		failed = diag_each(&query, 0, see, look, &is_partial);
	}
	return failed;
}

void peers_look(const struct experiment *x, struct path_end *end)
{
	static struct look look;

	if (look_at(x, &look) != 0 || look.connections == 0)
		return;
	end->peer_connections = look.connections;
	end->peer_port_low = look.port_low;
	end->peer_port_high = look.port_high;
	end->peer_addresses = end->peer_ports_most = PATH_UNKNOWN;
	end->peer_low[0] = end->peer_high[0] = '\0';
	if (look.is_full)
		return;
	end->peer_addresses = look.addresses;
	end->peer_ports_most = look.most;
	(void)ip_format(&look.low, end->peer_low);
	(void)ip_format(&look.high, end->peer_high);
}
