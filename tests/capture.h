/* capture: what goes over TUN devices of the test's network, as a pcap file; and what tshark says
 * about it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct capture {
	pid_t pid; /* of the process that writes */
	int bell;
	char path[64];
};

/* From here on, of all TUN devices, also of those that come later: packets as they are on the wire.
 * Needs root in the network; skips the test without. */
void capture_start(struct capture *capture);

/* Ends it when nothing has come for a while. Returns how many packets there are; fails the test
 * where some were lost by the capture. */
int64_t capture_stop(struct capture *capture);

bool capture_has_tshark(void);

/* How many of its packets a display filter takes. The first of them, as tshark shows them, are in
 * `text`. Checksums are looked at. */
int64_t capture_count(const struct capture *capture, const char *filter, char *text, size_t size);

/* Asserts that the filter takes so many, and shows some where not. */
void capture_expect(const struct capture *capture, const char *filter, int64_t count);

/* Removes the file. */
void capture_drop(const struct capture *capture);
