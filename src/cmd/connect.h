/* connect: megaconn connect. */
#pragma once

/* argv[0] is "connect", and argv[-1] the program, as main had it. Returns the program's exit code.
 */
int cmd_connect(int argc, char **argv);
