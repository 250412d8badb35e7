/* live: the names of the phases. */
#include "base/live.h"

#include <assert.h>

static const char *const names[] = {
	[LIVE_START] = "start", [LIVE_RAMP] = "ramp", [LIVE_SERVE] = "serve",
	[LIVE_PROOF] = "proof", [LIVE_HOLD] = "hold", [LIVE_CLOSE] = "close",
};
static_assert(sizeof(names) / sizeof(names[0]) == LIVE_PHASE_COUNT, "a name for each phase");

const char *live_phase_name(enum live_phase phase)
{
	return names[phase];
}
