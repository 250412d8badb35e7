/* diag_one: one connection of this network namespace, asked for over sock_diag by its 4-tuple. */
#pragma once

#include "kernel/diag.h"

/* Whether the other end's host does not answer, although something is under way to it that it has
 * had the time to answer: a segment, or, where it has closed its window, a probe
 * (net/ipv4/tcp.c: tcp_get_info). 0 or a negative errno: -ENOENT where there is no such
 * connection. */
int diag_one_is_unanswered(const struct diag_socket *socket, bool *is_unanswered);
