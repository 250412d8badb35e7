/* others: other people's servers, each one process in the foreground, with a configuration of the
 * test's own in a directory of the test's own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Beyond 127.0.0.0/8, so that clients of our own TCP reach it. */
#define OTHERS_HERE "198.19.0.1"

/* Group set-up and tear-down: a directory of theirs and apart's network, which in the second has
 * OTHERS_HERE (where it is private) and long listen queues. */
int others_set_up(void **state);
int others_set_up_here(void **state);
int others_tear_down(void **state);

struct others {
	const char *address; /* it listens on */
	uint16_t port;
	unsigned int idle_s;  /* it closes who says nothing for so long; 0: nobody        */
	bool probes;          /* TCP keep-alive: each second                                */
	uint16_t behind_port; /* of haproxy: of the server that it leads to, on 127.0.0.1  */
	const char *location; /* of nginx: what it answers; NULL: 204, always              */
};

/* Each returns when it listens; it ends with the test (apart_keep). Skips the test where the server
 * is not installed. */
pid_t others_nginx(const struct others *others);
pid_t others_redis(const struct others *others);
pid_t others_haproxy(const struct others *others);
pid_t others_mosquitto(const struct others *others);

/* Has it end in order. */
void others_stop(pid_t pid);

/* How often its log says that, from the beginning. */
int64_t others_said(const char *text);

/* What it has said since it listens. */
const char *others_log(void);
