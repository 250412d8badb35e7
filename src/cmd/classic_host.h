/* classic_host: which of the two hosts of a megaconn.conf this one is, by the addresses it has. */
#pragma once

#include "base/err.h"
#include "cmd/classic_conf.h"

#include <stdbool.h>
#include <stdint.h>

enum classic_place {
	CLASSIC_NEITHER,  /* it has none of what the file names            */
	CLASSIC_SERVER,   /* server-ip is its own                          */
	CLASSIC_CLIENT,   /* client-ips are its own, or could be: server-ip is not, and it has
	                     `device` */
	CLASSIC_ONE_HOST, /* server-ip and every client-ip are its own     */
};

struct classic_host {
	enum classic_place place;
	bool has_server;       /* server-ip is this host's                             */
	bool has_device;       /* there is such a link                                 */
	uint32_t clients;      /* client-ips                                           */
	uint32_t clients_here; /* of them, how many are this host's                    */
	bool uses_absent;      /* one that the solution connects from is not           */
	bool has_network;      /* client-ips are in a network of the device            */
	struct ip own;         /* an address of this host's on the device; family 0: none */
};

/* Looks, by rtnetlink, and changes nothing. 0, or a negative errno with one line. */
int classic_host_look(const struct classic_conf *conf, struct classic_host *host, struct err *err);
