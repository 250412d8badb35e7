/* cause: why a connection was not made, or was lost, in words a user can act on. */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cause {
	CAUSE_REFUSED,
	CAUSE_TIMEOUT,
	CAUSE_LISTEN_OVERFLOW,
	CAUSE_NO_PORT,
	CAUSE_NO_DESCRIPTOR, /* of the process */
	CAUSE_NO_FILE,       /* of the machine */
	CAUSE_NO_WATCH,      /* of epoll       */
	CAUSE_NO_MEMORY,
	CAUSE_RESET,
	CAUSE_CLOSED,
	CAUSE_MISMATCH,
	CAUSE_UNREACHABLE,
	CAUSE_FORBIDDEN,
	CAUSE_PATH_GONE,   /* of an open connection: what it sent is not acknowledged any more */
	CAUSE_SOURCE_GONE, /* its source address is no longer this host's                     */
	CAUSE_WORKER_DIED,
	CAUSE_OTHER,
	CAUSE_COUNT
};

/* The cause of a negative errno of connect(2), bind(2), socket(2), send(2), recv(2) or
 * epoll_ctl(2). */
enum cause cause_of_errno(int code);

/* The same of a connection that was open: what then ends by a time-out of the kernel's, or for want
 * of a way, is not a server that is slow. */
enum cause cause_of_loss(int code);

/* Whether it is silence: nobody has ended the connection, so that a FIN would be waited for in
 * vain. */
bool cause_is_silence(enum cause cause);

/* Its stable name in results: "refused", "no_port", ... */
const char *cause_name(enum cause cause);

/* One clause that says what it means and what to do. */
const char *cause_advice(enum cause cause);

/* The id of the row of the table of limits (plan/walls.h) that bounds what was missing, or is the
 * first to look at; "" where no limit of this machine is meant. */
const char *cause_row(enum cause cause);

/* "ADVICE (megaconn doctor: ROW)", without the second where there is none; into `out`. */
void cause_explain(enum cause cause, char *out, size_t size);

/* "refused 12, timeout 3" between `before` and `after`: those of the CAUSE_COUNT numbers that are
 * not 0; nothing where all are. */
void cause_list(struct text *t, const uint64_t *by_cause, const char *before, const char *after);
