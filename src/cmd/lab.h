/* lab: megaconn lab. */
#pragma once

/* argv[0] is "lab". Returns the program's exit code. */
int cmd_lab(int argc, char **argv);
