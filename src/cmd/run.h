/* run: megaconn run: a scenario from a file. */
#pragma once

/* argv[0] is "run", and argv[-1] the program, as main had it. Returns the program's exit code. */
int cmd_run(int argc, char **argv);
