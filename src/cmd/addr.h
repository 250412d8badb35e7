/* addr: `megaconn addr ping|up|down|show`. */
#pragma once

int cmd_addr(int argc, char **argv);
