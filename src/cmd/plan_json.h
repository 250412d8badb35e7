/* plan_json: a plan as JSON, schema megaconn.plan/1. */
#pragma once

#include "base/err.h"
#include "cmd/plan_screen.h"

/* Writes it to `path` ("-": stdout). 0, or a negative errno with one line in `err`. */
int plan_json_write(const char *path, const struct plan_view *view, struct err *err);
