/* host: what the figures were taken on. */
#pragma once

struct host {
	char date[32]; /* UTC */
	char kernel[200];
	char cpu[160];
	long cores;
	long long memory_mib;
};

void host_read(struct host *out);
