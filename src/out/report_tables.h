/* report_tables: the tables of a report in HTML. Each writes a section with its heading, or nothing
 * where the record has nothing for it. */
#pragma once

#include "out/report.h"
#include "out/story.h"

#include <stdio.h>

void report_table_run(FILE *to, const struct story *story);
void report_table_causes(FILE *to, const struct story *story);
void report_table_quantiles(FILE *to, const struct story *story);

/* Where each byte of a connection went; without a bill (as of an earlier version) the sums and the
 * largest slab caches. And that of a server on another host, which was asked. */
void report_table_bill(FILE *to, const struct result *result);

/* Counters of trouble that grew. */
void report_table_trouble(FILE *to, const struct report *report);

/* The limits of the machine, the nearest first. */
void report_table_walls(FILE *to, const struct report *report);

/* To be unfolded. */
void report_table_environment(FILE *to, const struct report *report);
void report_table_figures(FILE *to, const struct report *report);
