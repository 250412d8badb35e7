/* lab: megaconn lab. */
#pragma once

#include "cmd/scenario.h"

/* argv[0] is "lab", and argv[-1] the program, as main had it. Returns the program's exit code. */
int cmd_lab(int argc, char **argv);

/* What a scenario needs to be of this command. */
struct scenario_command lab_scenario_command(void);
