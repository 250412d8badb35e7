/* classic: megaconn classic, the verbs of the Makefile that megaconn.conf drives. */
#pragma once

/* argv[0] is "classic". Returns the program's exit code. */
int cmd_classic(int argc, char **argv);
