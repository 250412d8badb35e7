/* vitals: parsers of short text files, and their readers. */
#include "kernel/vitals.h"

#include "base/clock.h"
#include "base/span.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Columns of a CPU's line; guest and guest_nice, which follow, are in user and nice already. */
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, COLUMNS };

/* A line a CPU: 256 bytes of /proc/stat's, 160 of softnet_stat's, for 1,000 CPUs; the rest of
 * /proc/stat, which may be longer, comes after the CPUs. */
static char file_text[256 * 1024];

/* "cpu12", not "cpu" (the sum) and not "cpuset". */
static bool is_cpu(const struct span *word)
{
	struct span number = *word;
	uint64_t n;

	if (span_len(word) <= 3 || memcmp(word->at, "cpu", 3) != 0)
		return false;
	number.at += 3;
	return span_number(&number, &n);
}

/* Ticks as nanoseconds; what does not fit is unknown. */
static uint64_t to_ns(uint64_t ticks, uint64_t ticks_per_s)
{
	uint64_t whole, ns;

	if (__builtin_mul_overflow(ticks / ticks_per_s, NS_PER_S, &whole) ||
	    __builtin_add_overflow(whole, ticks % ticks_per_s * NS_PER_S / ticks_per_s, &ns))
		return PROBE_UNKNOWN;
	return ns;
}

static bool parse_cpu(struct span line, uint64_t ticks_per_s, struct probe_cpu *out)
{
	uint64_t ticks[COLUMNS] = {0}, busy = 0;
	struct span name;
	int count = 0;

	if (!span_next_word(&line, &name) || !is_cpu(&name))
		return false;
	while (count < COLUMNS && span_next_number(&line, &ticks[count]))
		count++;
	if (count <= IDLE)
		return false;
	for (int i = 0; i < COLUMNS; i++) {
		if (i != IDLE && i != IOWAIT && __builtin_add_overflow(busy, ticks[i], &busy))
			return false;
	}
	if (__builtin_add_overflow(ticks[IDLE], ticks[IOWAIT], &ticks[IDLE]))
		return false;
	name.at += 3;
	span_copy(&name, out->name, sizeof(out->name));
	out->busy_ns = to_ns(busy, ticks_per_s);
	out->softirq_ns = count > SOFTIRQ ? to_ns(ticks[SOFTIRQ], ticks_per_s) : PROBE_UNKNOWN;
	out->idle_ns = to_ns(ticks[IDLE], ticks_per_s);
	return true;
}

int vitals_parse_stat(const char *text, size_t len, uint64_t ticks_per_s, struct probe_cpus *out)
{
	struct span rest = span_of(text, len), line;

	out->count = 0;
	while (out->count < PROBE_CPUS_MAX && span_next_line(&rest, &line)) {
		if (parse_cpu(line, ticks_per_s, &out->cpus[out->count]))
			out->count++;
		else if (out->count > 0)
			break; /* they come together, and what follows is long */
	}
	return out->count > 0 ? 0 : -EINVAL;
}

static bool next_hex(struct span *rest, uint64_t *out)
{
	struct span word;

	return span_next_word(rest, &word) && span_hex(&word, out);
}

int vitals_parse_softnet(const char *text, size_t len, struct probe_vitals *out)
{
	struct span rest = span_of(text, len), line;
	uint64_t processed, dropped, squeezed, drops = 0, squeezes = 0;
	bool is_found = false;

	while (span_next_line(&rest, &line)) {
		if (!next_hex(&line, &processed) || !next_hex(&line, &dropped) ||
		    !next_hex(&line, &squeezed))
			continue;
		if (__builtin_add_overflow(drops, dropped, &drops) ||
		    __builtin_add_overflow(squeezes, squeezed, &squeezes))
			return -EINVAL;
		is_found = true;
	}
	if (!is_found)
		return -EINVAL;
	out->backlog_drops = drops;
	out->squeezes = squeezes;
	return 0;
}

int vitals_parse_files(const char *text, size_t len, struct probe_vitals *out)
{
	struct span rest = span_of(text, len), line;
	uint64_t files;

	if (!span_next_line(&rest, &line) || !span_next_number(&line, &files))
		return -EINVAL;
	out->files = files;
	return 0;
}

int vitals_read_cpus(struct probe_cpus *out)
{
	long len = probe_read_file("/proc/stat", file_text, sizeof(file_text));
	long ticks_per_s = sysconf(_SC_CLK_TCK);

	out->count = 0;
	if (len < 0 || ticks_per_s <= 0)
		return len < 0 ? (int)len : -EINVAL;
	return vitals_parse_stat(file_text, (size_t)len, (uint64_t)ticks_per_s, out);
}

static void read_one(const char *path,
                     int (*parse)(const char *text, size_t len, struct probe_vitals *out),
                     struct probe_vitals *out)
{
	long len = probe_read_file(path, file_text, sizeof(file_text));

	if (len > 0)
		(void)parse(file_text, (size_t)len, out);
}

static uint64_t setting(const char *name)
{
	uint64_t value;

	return sysctl_get_u64(name, &value) == 0 ? value : PROBE_UNKNOWN;
}

void vitals_read(struct probe_vitals *out)
{
	memset(out, 0xff, sizeof(*out));
	read_one("/proc/self/net/softnet_stat", vitals_parse_softnet, out);
	read_one("/proc/sys/fs/file-nr", vitals_parse_files, out);
	out->conntrack = setting("net.netfilter.nf_conntrack_count");
	if (out->conntrack != PROBE_UNKNOWN)
		out->conntrack_max = setting("net.netfilter.nf_conntrack_max");
}
