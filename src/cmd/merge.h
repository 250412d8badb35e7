/* merge: `megaconn merge`. */
#pragma once

int cmd_merge(int argc, char **argv);
