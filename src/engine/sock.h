/* sock: listening sockets with the options every engine's server wants, and the binding of
 * clients'. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct sock_listen {
	const struct sockaddr *address;
	socklen_t address_len;
	int backlog;
	int cpu; /* prefer connections that arrive on this CPU (SO_INCOMING_CPU); -1: no matter */
	bool shared;         /* other workers listen on the same address (SO_REUSEPORT)	 */
	bool reset_on_close; /* accepted sockets are closed by RST, without TIME_WAIT (SO_LINGER 0)
	                      */
};

/* Returns a listening socket (close-on-exec), or a negative errno with one line in `err` that names
 * the address and what to do. */
int sock_listen(const struct sock_listen *how, struct err *err);

/* Binds a client's socket to its source, which others in TIME_WAIT may have had (SO_REUSEADDR);
 * `freebind` as in engine_config. 0 or a negative errno. */
int sock_bind_source(int fd, const struct sockaddr *source, socklen_t len, bool freebind);
