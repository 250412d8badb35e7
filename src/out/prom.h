/* prom: a sample as metrics for Prometheus: text exposition format 0.0.4. Pure but for `out`.
 *
 * The metrics are the rows of the table of figures (base/figure.h): "megaconn_", the row's name,
 * its unit (times in seconds) and "_total" for a counter. A family has one label: cause, cpu or
 * cache. What is not known in the sample is left out. Besides: the program's version, when the
 * sample was taken, a run's phase, and the histogram of the time a connect takes. */
#pragma once

#include "base/figure.h"
#include "base/sample.h"

#include <stdio.h>

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define PROM_NAME_BYTES   96

/* The name of a row's metric: "megaconn_tcp_listen_overflows_total"; returns `name`. */
const char *prom_name(const struct figure *figure, char name[PROM_NAME_BYTES]);

/* Writes all metrics. Errors are those of `out`. */
void prom_write(FILE *out, const struct sample *sample);
