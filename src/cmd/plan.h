/* plan: megaconn plan. */
#pragma once

/* argv[0] is "plan". Returns the program's exit code: 0 where it fits, EXIT_UNPROVED (3) where
 * not. */
int cmd_plan(int argc, char **argv);
