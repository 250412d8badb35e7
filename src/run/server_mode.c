/* server_mode: the table, and the modes that keep nothing of a connection. */
#include "run/server_mode.h"

#include "run/server_chargen.h"
#include "run/server_http.h"
#include "run/server_push.h"
#include "run/server_state.h"

#include <assert.h>

static void ask(struct server *s, uint32_t index)
{
	engine_receive(s->engine, index, ENGINE_WAIT_IDLE);
}

/* A peer that sends and never reads gets no further: nothing is received before this is sent. */
static void echo(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	server_send_later(s, index, data, len);
}

static void take(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	ask(s, index);
}

/* Who has sent will send more. */
static void take_soon(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	engine_receive(s->engine, index, ENGINE_WAIT_SOON);
}

const struct server_mode server_modes[] = {
	[SERVE_ECHO] = {.echoes = true, .heard = echo, .sent = ask},
	[SERVE_HOLD] = {.heard = take},
	[SERVE_HTTP] = {.make = server_http_make,
                        .opened = server_http_opened,
                        .heard = server_http_heard,
                        .sent = server_http_sent,
                        .say = server_http_say},
	[SERVE_PUSH] = {.echoes = true,
                        .make = server_push_make,
                        .heard = echo,
                        .sent = server_push_sent,
                        .say = server_push_say,
                        .closed = server_push_closed,
                        .due = server_push_due,
                        .next_ns = server_push_next_ns},
	[SERVE_DISCARD] = {.heard = take_soon},
	[SERVE_CHARGEN] = {.make = server_chargen_make,
                           .opened = server_chargen_opened,
                           .heard = take,
                           .sent = server_say,
                           .say = server_chargen_say},
};
static_assert(sizeof(server_modes) / sizeof(server_modes[0]) == SERVE_MODE_COUNT, "a row each");
