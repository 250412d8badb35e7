/* unit: the values users type: 1M, 10k/s, 2GiB, 30s, 8090-8119. Pure parsers.
 *
 * All of them return 0, -EINVAL (not of that form) or -ERANGE (of that form, but too large for
 * the type), and write *out only on success. The whole string must be used up: no white space,
 * no sign, no trailing bytes. A number may have a fraction where its unit makes it whole
 * ("1.5M" is 1,500,000; "1.5" alone is -EINVAL for a count). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "1000000", "1M", "2.5k", "1G": decimal multipliers k K M G. */
int unit_count(const char *s, uint64_t *out);

/* a count, with an optional "/s" after it. */
int unit_rate(const char *s, uint64_t *per_s);

/* "512", "512B", "64k", "64KiB", "1MiB", "2GiB", "1.5G", "1TiB": k K M G T alone mean binary here
 * too; "KB" "MB" "GB" "TB" are decimal. */
int unit_size(const char *s, uint64_t *bytes);

/* "64" or "64-4KiB": a size, or two of them, the low one first. */
int unit_sizes(const char *s, uint64_t *low, uint64_t *high);

/* "30%", "0.001%": 0% .. 100% as parts of a million, of which it has to be whole. */
int unit_percent(const char *s, uint64_t *parts);

/* "30s", "500ms", "10us", "100ns", "2m", "1h", "1.5s", "0": a bare number is in seconds. */
int unit_duration(const char *s, uint64_t *duration_ns);

/* "8090" or "8090-8119": 1..65535, low end first; 0, or a high end below the low, is -EINVAL. */
int unit_ports(const char *s, uint16_t *low, uint16_t *high);

/* The decimal digits at *at, at most to `end`, as a number; moves behind them. False where there
 * are none, or too many for the type, and nothing is moved. For texts that programs write. */
bool unit_take_digits(const char **at, const char *end, uint64_t *out);
