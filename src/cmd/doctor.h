/* doctor: the command `megaconn doctor`. */
#pragma once

int cmd_doctor(int argc, char **argv);
