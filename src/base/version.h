/* version: of the program, in results and --version. */
#pragma once

#define MEGACONN_VERSION "0.1.0"
