/* rules: nftables rules in the test's own network, by nft(8). */
#pragma once

#include <stdbool.h>

/* Skips the test where it has no network of its own, or nft is missing or not allowed. */
void rules_need(void);

/* Gives nft one command; whether it took it. */
bool rules_add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Takes all rules away. */
void rules_flush(void);
