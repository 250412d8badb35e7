/* stage: what connections do while they are held, for a time. A hold is one stage, or several one
 * after the other (a scenario). Everybody reads them; nobody changes them once workers are forked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define STAGES_MAX         32
#define STAGE_NAME_BYTES   24
#define STAGE_AS_FAST      UINT64_MAX /* a churn without a pace: connect, one exchange, close */
#define STAGE_PARTS        1000000    /* of a storm: the whole */
#define STAGE_MESSAGE_MOST 65536      /* bytes of a message */
#define SERVE_BODY_USUAL   128        /* bytes of a response of SERVE_HTTP, where nobody says */

/* What is said on a connection (behave/behaviour.h). */
enum traffic_kind {
	TRAFFIC_HOLD, /* nothing */
	TRAFFIC_ECHO,
	TRAFFIC_PUSH, /* the server speaks, to all */
	TRAFFIC_HTTP,
	TRAFFIC_SCRIPT,
	TRAFFIC_KIND_COUNT
};

/* What servers do with what comes. */
enum serve_mode {
	SERVE_ECHO,    /* send it back                           */
	SERVE_HOLD,    /* take it, and say nothing               */
	SERVE_HTTP,    /* answer each HTTP/1.1 request with 200  */
	SERVE_PUSH,    /* echo, and send to all in rounds        */
	SERVE_DISCARD, /* take as much as comes (RFC 863)        */
	SERVE_CHARGEN, /* send without end (RFC 864)             */
	SERVE_MODE_COUNT
};

struct stage {
	char name[STAGE_NAME_BYTES]; /* "hold" where nobody gave it another */
	uint64_t duration_ns;        /* UINT64_MAX: until interrupted       */

	/* How many stay open. Where it is less than before, the last are closed, where it is more,
	 * they are opened, at rate_per_s (0: as fast as it goes). 0: as many as there are. */
	uint64_t connections;
	uint64_t rate_per_s;

	enum traffic_kind traffic;
	/* An open loop: message m is due m / message_rate_per_s after the beginning of the stage,
	 * on connection m mod N. Both 0: a closed loop, where the next is said when the last was
	 * answered. Of a push, every_ns is the time from one round to the next. */
	uint64_t message_rate_per_s; /* over all connections, or */
	uint64_t every_ns;           /* of each connection */
	uint64_t in_flight; /* closed loop: exchanges under way at most, of all workers; 0: one on
	                     * each connection */
	uint32_t size_least_bytes, size_most_bytes; /* of a message: evenly between them */

	uint64_t churn_per_s; /* closed and replaced; 0: none; or STAGE_AS_FAST */
	bool churn_by_reset;  /* closed by RST, which leaves no TIME_WAIT; else by FIN */

	uint32_t storm_parts; /* of STAGE_PARTS: so many of the connections are cut at once */
	uint64_t storm_at_ns; /* after the beginning of the stage */
};

/* Whether its messages have due times. */
static inline bool stage_is_open_loop(const struct stage *stage)
{
	return stage->message_rate_per_s > 0 || stage->every_ns > 0;
}

/* Messages a second of `n` connections together; 0 of a closed loop. */
double stage_message_rate(const struct stage *stage, uint64_t n);

/* "hold", "echo", ... */
const char *traffic_name(enum traffic_kind kind);
const char *serve_mode_name(enum serve_mode mode);
