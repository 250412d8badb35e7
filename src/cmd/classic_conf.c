/* classic_conf: the table of megaconn.conf, and what only all keys together can say.
 *
 * n is the same in both solutions (client IPs x connections per IP, or what is given), so that
 * changing `solution` alone compares like with like. */
#include "cmd/classic_conf.h"

#include "base/clock.h"
#include "base/conf.h"
#include "out/http_token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS_MOST UINT64_C(1000000000)

/* The table's rows by name, for the lines that errors name. */
enum key {
	KEY_SOLUTION,
	KEY_PER_IP,
	KEY_CONNECTIONS,
	KEY_HOLD,
	KEY_RATE,
	KEY_ENGINE,
	KEY_SERVER_IP,
	KEY_SERVER_PORTS,
	KEY_HTTP,
	KEY_TOKEN,
	KEY_CLIENT_IPS,
	KEY_CLIENT_PORTS,
	KEY_DEVICE,
	KEY_COUNT
};

static const char *const solutions[] = {"1", "2", NULL};
static const char *const engines[] = {"auto", "uring", "epoll", NULL};

#define AT(field)   offsetof(struct classic_conf, field)
#define SIZE(field) sizeof(((struct classic_conf *)NULL)->field)
static const struct conf_key keys[KEY_COUNT] = {
	[KEY_SOLUTION] = {"experiment", "solution", OPT_CHOICE, AT(solution), 0, 0, 0, solutions},
	[KEY_PER_IP] = {"experiment", "connections-per-ip", OPT_COUNT, AT(connections_per_ip), 0, 1,
                        65535, NULL},
	[KEY_CONNECTIONS] = {"experiment", "connections", OPT_COUNT, AT(connections), 0, 1,
                             CONNECTIONS_MOST, NULL},
	[KEY_HOLD] = {"experiment", "hold", OPT_DURATION, AT(hold_ns), 0, 0, 86400 * NS_PER_S,
                      NULL},
	[KEY_RATE] = {"experiment", "rate", OPT_RATE, AT(rate_per_s), 0, 0, 0, NULL},
	[KEY_ENGINE] = {"experiment", "engine", OPT_CHOICE, AT(engine), 0, 0, 0, engines},
	[KEY_SERVER_IP] = {"server", "server-ip", OPT_TEXT, AT(server_ip), SIZE(server_ip), 0, 0,
                           NULL},
	[KEY_SERVER_PORTS] = {"server", "server-ports", OPT_PORTS, AT(server_ports), 0, 0, 0, NULL},
	[KEY_HTTP] = {"server", "http", OPT_COUNT, AT(http), 0, 1, 65535, NULL},
	[KEY_TOKEN] = {"server", "token", OPT_TEXT, AT(token), SIZE(token), 0, 0, NULL},
	[KEY_CLIENT_IPS] = {"client", "client-ips", OPT_TEXT, AT(client_ips), SIZE(client_ips), 0,
                            0, NULL},
	[KEY_CLIENT_PORTS] = {"client", "client-ports", OPT_PORTS, AT(client_ports), 0, 0, 0, NULL},
	[KEY_DEVICE] = {"client", "device", OPT_TEXT, AT(device), SIZE(device), 0, 0, NULL},
};

static const struct classic_conf defaults = {
	.solution = 0, /* the choice's index until all is read */
	.server_ip = "127.0.0.1",
	.server_ports = {8090, 8119},
	.client_ips = "127.0.0.2-127.0.0.21",
	.client_ports = {10240, 65535},
	.device = "lo",
	.connections_per_ip = 50000,
	.hold_ns = 300 * NS_PER_S,
};

/* What the checks need: the values, and where they stand. */
struct check {
	const char *path;
	const struct conf_lines *lines;
	struct err *err;
};

/* The sentence is in `err`; the key is the one to change. */
static int wrong(const struct check *c, enum key key)
{
	return conf_blame(c->path, c->lines->of[key], -EINVAL, c->err);
}

static uint32_t count_ports(struct opt_ports ports)
{
	return (uint32_t)ports.high - ports.low + 1;
}

uint32_t classic_conf_server_ports(const struct classic_conf *conf)
{
	return conf->solution == 1 ? 1 : count_ports(conf->server_ports);
}

/* Takes out the blanks beside commas: people write "a, b" in files, and pool_parse takes no blanks.
 */
static void close_up(char *list)
{
	char *to = list;

	for (const char *from = list; *from != '\0'; from++) {
		bool is_blank = *from == ' ' || *from == '\t';

		if (is_blank &&
		    (from[1 + strspn(from + 1, " \t")] == ',' || (to > list && to[-1] == ',')))
			continue;
		*to++ = *from;
	}
	*to = '\0';
}

static int find_clients(const struct check *c, struct classic_conf *conf)
{
	close_up(conf->client_ips);
	if (pool_parse(conf->client_ips, &conf->clients, c->err) < 0) {
		if (c->err)
			err_set(c->err, 0, "client-ips %s", c->err->text);
		return wrong(c, KEY_CLIENT_IPS);
	}
	if (conf->clients.ranges[0].first.family == conf->server.family)
		return 0;
	err_set(c->err, 0,
	        "client-ips and server-ip %s: one is IPv4, the other IPv6, which do not meet",
	        conf->server_ip);
	return wrong(c, KEY_CLIENT_IPS);
}

/* n connections from each of `sources` to each of `targets` need that many client ports. */
static int check_ports(const struct check *c, const struct classic_conf *conf)
{
	uint64_t targets = classic_conf_server_ports(conf);
	uint64_t sources = conf->solution == 1 ? conf->clients.count : 1;
	uint64_t each = (conf->n + sources * targets - 1) / (sources * targets);
	uint32_t ports = count_ports(conf->client_ports);

	if (each <= ports)
		return 0;
	if (conf->solution == 1) {
		err_set(c->err, 0,
		        "%" PRIu64 " connections per client IP need as many client-ports, and "
		        "%u-%u are %u: widen them, or give more client-ips",
		        each, conf->client_ports.low, conf->client_ports.high, ports);
		return wrong(c, KEY_CLIENT_PORTS);
	}
	err_set(c->err, 0,
	        "solution 2 makes %" PRIu64 " connections from one client IP to %" PRIu64
	        " ports, %" PRIu64 " to each, and client-ports are %u: give more server-ports",
	        conf->n, targets, each, ports);
	return wrong(c, KEY_SERVER_PORTS);
}

static int decide_n(const struct check *c, struct classic_conf *conf)
{
	uint64_t most = conf->clients.count * conf->connections_per_ip; /* each below 2^25 */

	if (conf->connections == 0 && most > CONNECTIONS_MOST) {
		err_set(c->err, 0,
		        "%u client IPs x %" PRIu64 " connections-per-ip are more than "
		        "%" PRIu64 ": give fewer",
		        conf->clients.count, conf->connections_per_ip, CONNECTIONS_MOST);
		return wrong(c, KEY_CLIENT_IPS);
	}
	if (conf->solution == 1 && conf->connections > most) {
		err_set(c->err, 0,
		        "connections %" PRIu64 ": %u client IPs x %" PRIu64
		        " connections-per-ip are %" PRIu64 ": give more client-ips",
		        conf->connections, conf->clients.count, conf->connections_per_ip, most);
		return wrong(c, KEY_CONNECTIONS);
	}
	conf->n = conf->connections > 0 ? conf->connections : most;
	return check_ports(c, conf);
}

/* What other hosts ask with stands in both files: one that was made by the server would have to be
 * carried over at each start. */
static int check_http(const struct check *c, const struct classic_conf *conf)
{
	size_t len = strlen(conf->token);

	if (conf->http > 0 && len == 0 && !ip_is_loopback(&conf->server)) {
		err_set(c->err, 0,
		        "http %" PRIu64 ": who asks on %s says a token: token = ... in both hosts' "
		        "files, such as openssl rand -hex 16 makes",
		        conf->http, conf->server_ip);
		return wrong(c, KEY_HTTP);
	}
	if (len == 0 || http_token_is_one(conf->token, len))
		return 0;
	err_set(c->err, 0,
	        "token: %d to %d of A-Z a-z 0-9 . _ ~ -, such as openssl rand -hex 16 makes",
	        HTTP_TOKEN_LEAST, HTTP_TOKEN_MOST);
	return wrong(c, KEY_TOKEN);
}

static int complete(const struct check *c, struct classic_conf *conf)
{
	conf->solution += 1;
	if (ip_parse(conf->server_ip, &conf->server) != 0) {
		err_set(c->err, 0, "server-ip %s: not an address (try 127.0.0.1, 10.0.0.1)",
		        conf->server_ip);
		return wrong(c, KEY_SERVER_IP);
	}
	int failed = check_http(c, conf);

	if (failed == 0)
		failed = find_clients(c, conf);
	return failed < 0 ? failed : decide_n(c, conf);
}

int classic_conf_parse(const char *path, const char *text, size_t len, struct classic_conf *out,
                       struct err *err)
{
	struct conf_lines lines;
	const struct check check = {.path = path, .lines = &lines, .err = err};

	*out = defaults;
	int failed = conf_parse(keys, KEY_COUNT, path, text, len, out, &lines, err);

	return failed < 0 ? failed : complete(&check, out);
}

int classic_conf_read(const char *path, struct classic_conf *out, struct err *err)
{
	struct conf_lines lines;
	const struct check check = {.path = path, .lines = &lines, .err = err};

	*out = defaults;
	int failed = conf_read(keys, KEY_COUNT, path, out, &lines, err);

	if (failed == -ENOENT) {
		err_set(err, 0,
		        "no such file: start where megaconn.conf is, or name it (--config FILE, "
		        "make CONFIG=FILE)");
		return conf_blame(path, 0, failed, err);
	}
	return failed < 0 ? failed : complete(&check, out);
}

const char *classic_conf_target(const struct classic_conf *conf, char text[CLASSIC_TARGET_BYTES])
{
	bool is_ipv6 = conf->server.family == AF_INET6;
	unsigned int last = conf->server_ports.low + classic_conf_server_ports(conf) - 1;

	snprintf(text, CLASSIC_TARGET_BYTES, is_ipv6 ? "[%s]:%u-%u" : "%s:%u-%u", conf->server_ip,
	         conf->server_ports.low, last);
	return text;
}

const char *classic_conf_http(const struct classic_conf *conf, char text[CLASSIC_TARGET_BYTES])
{
	bool is_ipv6 = conf->server.family == AF_INET6;

	text[0] = '\0';
	if (conf->http > 0)
		snprintf(text, CLASSIC_TARGET_BYTES, is_ipv6 ? "[%s]:%u" : "%s:%u", conf->server_ip,
		         (unsigned int)conf->http);
	return text;
}

const char *classic_conf_source(const struct classic_conf *conf, char text[IP_TEXT_BYTES])
{
	struct ip first = pool_at(&conf->clients, 0);

	return conf->solution == 2 ? ip_format(&first, text) : conf->client_ips;
}
