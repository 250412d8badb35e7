/* via: the box of `megaconn lab --via KIND[:LIMIT]`: a router or a proxy in a network of its own,
 * between the network of the clients and that of the servers.
 *
 *     clients --- box (clients, servers) --- servers, director
 *
 * Each line is a veth pair; clients' and servers' end of it is called "box". The director and the
 * servers are where they are without one. All of it is held by the director, and ends with it:
 * descriptors keep the networks, proxies are its children, and there is no file. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "kernel/limits.h"
#include "run/experiment.h"

#include <stdbool.h>
#include <stdint.h>

enum via_place { VIA_SERVERS, VIA_BOX, VIA_CLIENTS };

/* Before the run: which program it takes, how many proxies, with how many descriptors. 0, or a
 * negative errno with one line: -ENOENT where a program is missing. */
int via_choose(const struct via *box, const struct limits *limits, struct experiment *x,
               struct err *err);

/* The address clients connect to, where it is not the servers'; x->tuples.target is the servers'
 * before, and x->via.server is from then on. */
void via_aim(struct experiment *x);

/* Bytes of a connection beyond its ends' two sockets. */
uint64_t via_bytes(const struct experiment *x);

/* In the director, in the servers' network: makes the networks and the wires, and sets the kernel's
 * ways. Addresses of clients and servers are the caller's. 0, or a negative errno with `err`. */
int via_open(struct experiment *x, struct err *err);

/* Then, when the addresses are there: the router's rules, or the proxies, which listen when it
 * returns. */
int via_start(struct experiment *x, struct err *err);

/* Moves the calling thread to one of the networks. */
int via_go(const struct experiment *x, enum via_place place);

/* What the box says of itself. From the servers' network, where the caller is afterwards too. */
void via_look(const struct experiment *x, struct result_via *out);

/* Ends the proxies. */
void via_end(const struct experiment *x);
