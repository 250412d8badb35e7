/* behaviour: see the header. */
#include "behave/behaviour.h"

#include "behave/echo.h"
#include "behave/http.h"

static void hold_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out)
{
	(void)b;
	(void)index;
	(void)number;
	*out = (struct turn){.is_last = true};
}

/* Who says nothing is not asked for its bytes, and hears none. */
struct speech {
	void (*turn)(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out);
	void (*write)(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
	              uint8_t *out, uint32_t len);
	enum answer (*hear)(const struct behaviour *b, uint32_t index, uint32_t number,
	                    struct hearing *hearing, const uint8_t *data, uint32_t len,
	                    uint32_t *used);
};

static const struct speech speeches[TRAFFIC_KIND_COUNT] = {
	[TRAFFIC_HOLD] = {.turn = hold_turn},
	[TRAFFIC_ECHO] = {echo_turn, echo_write, echo_hear},
	[TRAFFIC_PUSH] = {.turn = hold_turn},
	[TRAFFIC_HTTP] = {http_turn, http_write, http_hear},
	[TRAFFIC_SCRIPT] = {script_turn, script_write, script_hear},
};

static const struct speech *speech_of(const struct behaviour *b)
{
	return &speeches[b->stage->traffic];
}

void behaviour_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out)
{
	speech_of(b)->turn(b, index, number, out);
}

void behaviour_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                     uint8_t *out, uint32_t len)
{
	speech_of(b)->write(b, index, number, offset, out, len);
}

enum answer behaviour_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                           struct hearing *hearing, const uint8_t *data, uint32_t len,
                           uint32_t *used)
{
	return speech_of(b)->hear(b, index, number, hearing, data, len, used);
}
