/* lab: megaconn lab. */
#pragma once

/* argv[0] is "lab", and argv[-1] the program, as main had it. Returns the program's exit code. */
int cmd_lab(int argc, char **argv);
