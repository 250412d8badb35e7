/* serve: megaconn serve. */
#pragma once

/* argv[0] is "serve", and argv[-1] the program, as main had it. Returns the program's exit code. */
int cmd_serve(int argc, char **argv);
