/* classic_conf: megaconn.conf, the classic experiment of the verbs run-srv and run-cli. */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "plan/ip.h"
#include "plan/pool.h"

#include <stddef.h>
#include <stdint.h>

enum classic_engine { CLASSIC_AUTO, CLASSIC_URING, CLASSIC_EPOLL };

struct classic_conf {
	int solution;       /* 1: many client IPs to one port, 2: one client IP to many ports */
	char server_ip[64]; /* an address, as ip_parse takes it                               */
	struct opt_ports server_ports; /* solution 1 uses the first of them alone             */
	uint64_t http;   /* port of server_ip where the server tells its counts; 0: nowhere   */
	char token[257]; /* of who asks there; empty: none is needed, on a loopback address   */
	char client_ips[256]; /* LIST|RANGE|CIDR; solution 2 uses the first of them alone     */
	struct opt_ports client_ports;
	char device[16]; /* the link that addr up puts client_ips on; not looked for here     */
	uint64_t connections_per_ip;
	uint64_t connections; /* in all, as given; 0: client IPs x connections_per_ip         */
	uint64_t hold_ns;
	uint64_t rate_per_s; /* 0: as fast as it goes */
	int engine;          /* enum classic_engine   */

	/* What follows from it. */
	uint64_t n; /* connections in all: what run-cli opens */
	struct ip server;
	struct pool clients; /* all that are given; solution 2 uses the first */
};

/* Reads the file; what it does not give has its default, which is what the megaconn.conf beside the
 * Makefile has. All that can be known before a start is checked here: addresses, families, whether
 * n fits the ports. Errors: -ENOENT and others of reading; -EINVAL with "FILE:LINE: ...". */
int classic_conf_read(const char *path, struct classic_conf *out, struct err *err);

/* Pure: the same for a text. */
int classic_conf_parse(const char *path, const char *text, size_t len, struct classic_conf *out,
                       struct err *err);

/* How many ports of the server are used, from server_ports.low on. */
uint32_t classic_conf_server_ports(const struct classic_conf *conf);

/* "HOST:PORT" or "HOST:PORT-PORT" of the server, as connect takes it. */
#define CLASSIC_TARGET_BYTES 96
const char *classic_conf_target(const struct classic_conf *conf, char text[CLASSIC_TARGET_BYTES]);

/* "HOST:PORT" of its counts over HTTP, as serve --http takes it; empty where there are none. */
const char *classic_conf_http(const struct classic_conf *conf, char text[CLASSIC_TARGET_BYTES]);

/* The addresses that are used of the client: a pool, as connect takes it; `text` or conf's own. */
const char *classic_conf_source(const struct classic_conf *conf, char text[IP_TEXT_BYTES]);
