/* task: what a bench's child does with its device. */
#pragma once

#include "bench.h"
#include "utcp/device.h"

#define TASK_CLOSED_PORT 9

/* Does one of the tasks between OPEN and CLOSE, and writes what came of it into the report. */
void task_do(enum bench_task task, struct device *device, const struct device_config *config,
             struct bench_report *report);
