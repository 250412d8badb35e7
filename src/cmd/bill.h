/* bill: the command `megaconn bill`. */
#pragma once

int cmd_bill(int argc, char **argv);
