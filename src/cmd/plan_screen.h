/* plan_screen: a plan on one screen of at most 40 lines and 100 columns. */
#pragma once

#include "cmd/plan_commands.h"
#include "plan/sizing.h"

#include <stdint.h>
#include <stdio.h>

struct plan_view {
	struct sizing_ask ask;
	struct sizing sizing;
	uint16_t port_low, port_high;
	uint32_t command_count;
	struct plan_command commands[PLAN_COMMANDS_MOST];
};

/* Prints it. */
void plan_screen_print(FILE *to, const struct plan_view *view);
