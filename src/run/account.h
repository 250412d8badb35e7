/* account: what lies between two samples, as a bill. Pure. */
#pragma once

#include "base/result.h"
#include "base/sample.h"

#include <stdint.h>

/* Kernel memory that went into connections between two samples: slabs by whole pages, less those
 * that other programs' doings fill (file caches, /proc inodes); page tables, kernel stacks, vmalloc
 * and per-CPU memory. */
int64_t account_kernel_bytes(const struct sample *before, const struct sample *now);

/* The bill of `connections`: kernel, slab by slab, and what memory lost beyond kernel and
 * `user_bytes`. */
void account_bill(const struct sample *before, const struct sample *now, uint64_t connections,
                  int64_t server_user_bytes, int64_t client_user_bytes, struct result_memory *out);
