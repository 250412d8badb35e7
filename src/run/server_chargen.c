/* server_chargen: see the header. The next piece is said when the kernel has taken the last: each
 * connection has one under way, and one whose peer does not read waits in the engine. */
#include "run/server_chargen.h"

#include "base/map.h"
#include "behave/chargen.h"
#include "run/server_state.h"

#include <assert.h>

static_assert(CHARGEN_PERIOD <= UINT16_MAX, "a place in it has two bytes");

bool server_chargen_make(struct server *s)
{
	s->chargen = map_private(s->capacity * sizeof(*s->chargen));
	return s->chargen != NULL;
}

void server_chargen_opened(struct server *s, uint32_t index)
{
	s->chargen[index] = 0;
	server_say(s, index);
}

bool server_chargen_say(struct server *s, uint32_t index)
{
	chargen_write(s->chargen[index], s->out, s->most);
	if (!server_send(s, index, s->out, s->most))
		return false;
	s->chargen[index] = (uint16_t)((s->chargen[index] + s->most) % CHARGEN_PERIOD);
	return true;
}
