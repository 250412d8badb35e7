/* doctor: the table of limits, for people and as megaconn.doctor/1 (docs/result.md). */
#pragma once

#include "base/err.h"
#include "base/wall.h"

#include <stdio.h>

/* The wall in words, then a line for each row, and its fix below it. */
void doctor_print(FILE *to, const struct wall_report *report);

/* Writes it to a file ("-": stdout). 0 or a negative errno with one line in `err`. */
int doctor_write_json(const char *path, const struct wall_report *report, struct err *err);
