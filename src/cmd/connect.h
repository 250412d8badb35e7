/* connect: megaconn connect. */
#pragma once

#include "cmd/scenario.h"

/* argv[0] is "connect", and argv[-1] the program, as main had it. Returns the program's exit code.
 */
int cmd_connect(int argc, char **argv);

/* What a scenario needs to be of this command. */
struct scenario_command connect_scenario_command(void);
