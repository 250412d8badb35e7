/* behaviour: see the header. */
#include "behave/behaviour.h"

void behaviour_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out)
{
	(void)b;
	(void)index;
	(void)number;
	*out = (struct turn){.is_last = true};
}

void behaviour_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                     uint8_t *out, uint32_t len)
{
	(void)b;
	(void)index;
	(void)number;
	(void)offset;
	(void)out;
	(void)len;
}

enum answer behaviour_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                           struct hearing *hearing, const uint8_t *data, uint32_t len,
                           uint32_t *used)
{
	(void)b;
	(void)index;
	(void)number;
	(void)data;
	hearing->heard += len;
	*used = len;
	return BEHAVIOUR_MORE;
}
