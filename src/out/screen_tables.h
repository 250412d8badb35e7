/* screen_tables: what the monitor shows of families: CPUs, slab caches, ports; and the help. For
 * out/screen alone. */
#pragma once

#include "out/screen_parts.h"

struct screen_size screen_cpus_size(const struct screen *s, uint32_t width);
void screen_cpus(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_slabs_size(const struct screen *s, uint32_t width);
void screen_slabs(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_ports_size(const struct screen *s, uint32_t width);
void screen_ports(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

void screen_help(struct grid *grid, uint32_t y, uint32_t height);
