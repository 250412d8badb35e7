/* peer: small servers of the test's own, each a process, each with a manner that a good server does
 * not have. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum peer_manner {
	PEER_ECHOES,
	PEER_NEVER_ACCEPTS,
	PEER_RESETS,  /* when it gets SIGUSR1: every `number`th, in the order of acceptance */
	PEER_CLOSES,  /* each, `number` ms after it came                                          */
	PEER_GREETS,  /* with PEER_GREETING, and sends nothing more                               */
	PEER_GARBLES, /* answers each byte by '#'                                                */
	PEER_IS_SLOW, /* echoes one byte a millisecond                                           */
	PEER_STALLS   /* echoes to the first `number` that speak, and then reads no more         */
};

#define PEER_GREETING "220 a server that speaks first\r\n"

struct peer {
	enum peer_manner manner;
	uint16_t port; /* of 127.0.0.1 */
	int backlog;
	uint32_t number;
};

/* Returns when it listens: its process id. */
pid_t peer_start(const struct peer *peer);

/* Kills it. Its connections are closed by the kernel. */
void peer_end(pid_t pid);
