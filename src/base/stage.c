/* stage: see the header. */
#include "base/stage.h"

#include "base/clock.h"

#include <assert.h>

static const char *const names[] = {
	[TRAFFIC_HOLD] = "hold", [TRAFFIC_ECHO] = "echo",     [TRAFFIC_PUSH] = "push",
	[TRAFFIC_HTTP] = "http", [TRAFFIC_SCRIPT] = "script",
};
static_assert(sizeof(names) / sizeof(names[0]) == TRAFFIC_KIND_COUNT, "one name each");

static const char *const modes[] = {
	[SERVE_ECHO] = "echo", [SERVE_HOLD] = "hold",       [SERVE_HTTP] = "http",
	[SERVE_PUSH] = "push", [SERVE_DISCARD] = "discard", [SERVE_CHARGEN] = "chargen",
};
static_assert(sizeof(modes) / sizeof(modes[0]) == SERVE_MODE_COUNT, "one name each");

double stage_message_rate(const struct stage *stage, uint64_t n)
{
	if (stage->every_ns > 0)
		return (double)n * (double)NS_PER_S / (double)stage->every_ns;
	return (double)stage->message_rate_per_s;
}

const char *traffic_name(enum traffic_kind kind)
{
	return names[kind];
}

const char *serve_mode_name(enum serve_mode mode)
{
	return modes[mode];
}
