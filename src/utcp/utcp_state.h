/* utcp_state: what the parts of the engine share. Internal to utcp.c, utcp_carry.c and utcp_poll.c.
 */
#pragma once

#include "engine/engine.h"
#include "plan/tuple.h"
#include "utcp/device.h"
#include "utcp/tcp.h"

#define UTCP_EVENTS_OF_ONE 3 /* that one frame or timer can tell */

struct utcp {
	struct engine engine;
	struct device *device;
	const struct tuple_plan *tuples;
	uint32_t first, count;
	engine_message message;
	void *message_context;
	struct packets *packets;
	int bell_fd;     /* an epoll set with the wake-up alone, watched for its edges */
	uint64_t key[2]; /* of initial sequence numbers */
	uint64_t now_ns;
	struct tcp_conn *conns;
	struct wheel wheel;
	struct tcp_path path;
	uint32_t alive; /* connections that a peer may still have */

	/* frames of the last exchange that are yet to be taken */
	struct device_frame frames[DEVICE_BATCH];
	int frame_next, frame_count;
	uint32_t busy_turns; /* in a row that left something to read, perhaps */

	/* what poll returns; and what one step told beyond its room, for the next one */
	struct engine_event *events;
	int event_count, event_max;
	struct engine_event left[UTCP_EVENTS_OF_ONE];
	int left_count;
};
