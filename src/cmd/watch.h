/* watch: `megaconn watch`: the monitor of a host. */
#pragma once

/* argv[0] is "watch". Returns the exit code. */
int cmd_watch(int argc, char **argv);
