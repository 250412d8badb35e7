/* host: the clock, what the kernel says about memory, and a network namespace, for classic. */
#pragma once

#include <stdint.h>

#define NS_PER_S 1000000000ll

struct memory {
	int64_t kernel_bytes; /* slabs but proc's inodes, stacks, page tables, vmalloc, percpu */
	int64_t free_bytes;   /* MemFree, and what is free in the lists of the CPUs */
	int64_t sockets;
};

/* One line to stderr. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

int64_t now_ns(void);
void sleep_ms(int64_t ms);

/* User and system time of this process until now. */
int64_t cpu_us(void);

/* A row of /proc/meminfo ("Slab:"); -1 where there is none. */
int64_t meminfo_bytes(const char *key);

/* Memory that process `pid` shares with nobody; -1 where that cannot be known. */
int64_t private_bytes(int pid);

/* TCP sockets that the kernel has, those on their way out too, in all namespaces. */
int64_t sockets_allocated(void);

struct memory memory_now(void);

/* Returns when memory and sockets have not moved for a second, or after a minute with a warning. */
void wait_until_quiet(uint64_t target);

/* Moves this process into a network namespace of its own, whose TCP hash fits `target` pairs and
 * whose loopback is up. Complains and returns -1 where that cannot be. */
int enter_namespace(uint64_t target);
