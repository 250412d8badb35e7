/* report_server: of a report, what a server on another host said of the run (--server-api): counts,
 * and the connections that one end alone has proved. Nothing where none was asked. */
#pragma once

#include "base/result.h"

#include <stdio.h>

void report_server_html(FILE *to, const struct result *result);
void report_server_text(FILE *to, const struct result *result);
