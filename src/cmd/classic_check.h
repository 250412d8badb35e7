/* classic_check: whether run-srv and run-cli can do here what they are for, seen before anything is
 * started, so that one line says what to do first. */
#pragma once

#include "base/err.h"
#include "cmd/classic_conf.h"

/* 0, or a negative errno with that line: -EADDRNOTAVAIL where server-ip is not this host's. */
int classic_check_server(const struct classic_conf *conf, struct err *err);

/* 0; -EADDRNOTAVAIL where client-ips that are needed are not this host's; the errno of connecting
 * (-ECONNREFUSED, -ETIMEDOUT, ...) where the server cannot be reached from them. Takes 3 s where
 * nobody answers; 12 s, where first and last port and the API each take as long as they may.
 * -EACCES where the server does not know the file's token. */
int classic_check_client(const struct classic_conf *conf, struct err *err);

/* Pure: the line for a connect to a port of the server's that failed with `code`; `is_last` of the
 * last port where the first one answers. */
void classic_check_explain(const struct classic_conf *conf, int code, bool is_last,
                           struct err *err);
