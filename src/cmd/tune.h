/* tune: `megaconn tune`. */
#pragma once

int cmd_tune(int argc, char **argv);
