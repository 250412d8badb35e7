/* text: a bounded append buffer, and numbers and bytes as people read them. Nothing here allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *at;    /* the caller's buffer, always terminated */
	size_t size; /* of the buffer, in bytes, > 0 */
	size_t len;  /* what strlen(at) would say */
	bool cut;    /* something did not fit */
};

/* Starts an empty text in the caller's buffer of `size` bytes (> 0). */
void text_init(struct text *t, char *buffer, size_t size);

/* Appends; what does not fit is cut and `cut` is set. */
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 1234567 -> "1,234,567" */
void text_count(struct text *t, uint64_t n);

/* 512 -> "512 B", 8300 -> "8.1 KiB", 2147483648 -> "2.0 GiB": binary units, one decimal. */
void text_bytes(struct text *t, uint64_t bytes);

/* What an error text shows of bytes that a user gave. */
struct text_quoted {
	char text[200];
};

/* The bytes with all but printable ASCII as \xNN, so that they can neither break the line nor drive
 * a terminal; after 48 of them "...". */
struct text_quoted text_quote(const char *bytes, size_t len);

/* 850 -> "850 ns", 12345 -> "12.3 us", 1500000 -> "1.50 ms", 12.5e9 -> "12.5 s",
 * 90e9 -> "1m30s", 3.7e12 -> "1h01m": three significant digits below a minute. */
void text_duration(struct text *t, uint64_t duration_ns);
