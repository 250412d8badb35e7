/* report: `megaconn report`: the record of a run to look at, or two of them side by side. */
#pragma once

/* The command: argv[0] is "report". Returns the exit code. */
int cmd_report(int argc, char **argv);
