/* probe: parsers of the kernel's text files, and their readers.
 *
 * All parsers work on spans (base/span.h) and never look for a NUL. Every file here ends in a
 * newline, so a last line without one was cut, by the file's end or by our buffer; it is not used,
 * for the half of a number is a wrong number. What a parser says of a cut file is thus what the
 * whole file says, or PROBE_UNKNOWN.
 *
 * Files: fs/proc/meminfo.c, fs/proc/task_mmu.c, mm/slab_common.c, net/core/neighbour.c,
 * net/ipv4/proc.c, net/ipv6/proc.c. */
#include "kernel/probe.h"

#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A number's name in a file, and where it goes in the result. */
struct field {
	const char *name;
	size_t offset;
};

/* Holds /proc/slabinfo, the largest, of some 1,500 caches. */
static char file_text[256 * 1024];

/* Stores the value where the table has the name. */
static bool set_field(const struct field *fields, size_t count, const struct span *name,
                      uint64_t value, void *out)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!span_is(name, fields[i].name))
			continue;
		memcpy((char *)out + fields[i].offset, &value, sizeof(value));
		return true;
	}
	return false;
}

/* Lines of "Name:   123 kB". Returns how many of the fields were found. */
static size_t parse_kb_lines(const char *text, size_t len, const struct field *fields, size_t count,
                             void *out)
{
	struct span rest = span_of(text, len), line, name, unit;
	uint64_t value;
	size_t found = 0;

	while (span_next_line(&rest, &line)) {
		if (!span_next_word(&line, &name) || !span_next_number(&line, &value) ||
		    !span_next_word(&line, &unit) || !span_is(&unit, "kB"))
			continue;
		if (!__builtin_mul_overflow(value, UINT64_C(1024), &value))
			found += set_field(fields, count, &name, value, out);
	}
	return found;
}

#define F(s, member) offsetof(struct s, member)

static const struct field meminfo_fields[] = {
	{"MemTotal:", F(probe_meminfo, total_bytes)},
	{"MemFree:", F(probe_meminfo, free_bytes)},
	{"MemAvailable:", F(probe_meminfo, available_bytes)},
	{"Active(file):", F(probe_meminfo, active_file_bytes)},
	{"Inactive(file):", F(probe_meminfo, inactive_file_bytes)},
	{"Shmem:", F(probe_meminfo, shmem_bytes)},
	{"Dirty:", F(probe_meminfo, dirty_bytes)},
	{"AnonPages:", F(probe_meminfo, anon_bytes)},
	{"Slab:", F(probe_meminfo, slab_bytes)},
	{"SReclaimable:", F(probe_meminfo, slab_reclaimable_bytes)},
	{"SUnreclaim:", F(probe_meminfo, slab_unreclaim_bytes)},
	{"KernelStack:", F(probe_meminfo, kernel_stack_bytes)},
	{"PageTables:", F(probe_meminfo, page_tables_bytes)},
	{"VmallocUsed:", F(probe_meminfo, vmalloc_used_bytes)},
	{"Percpu:", F(probe_meminfo, percpu_bytes)},
	{"SwapTotal:", F(probe_meminfo, swap_total_bytes)},
	{"SwapFree:", F(probe_meminfo, swap_free_bytes)},
};

int probe_parse_meminfo(const char *text, size_t len, struct probe_meminfo *out)
{
	memset(out, 0xff, sizeof(*out));
	if (!parse_kb_lines(text, len, meminfo_fields, COUNT_OF(meminfo_fields), out))
		return -EINVAL;
	return 0;
}

int probe_parse_zoneinfo(const char *text, size_t len, uint64_t *pages)
{
	struct span rest = span_of(text, len), line, name;
	uint64_t count, sum = 0;
	bool is_found = false;

	while (span_next_line(&rest, &line)) {
		if (!span_next_word(&line, &name) || !span_is(&name, "count:") ||
		    !span_next_number(&line, &count) || __builtin_add_overflow(sum, count, &sum))
			continue;
		is_found = true;
	}
	*pages = is_found ? sum : PROBE_UNKNOWN;
	return is_found ? 0 : -EINVAL;
}

static uint64_t known_or_0(uint64_t value)
{
	return value == PROBE_UNKNOWN ? 0 : value;
}

uint64_t probe_memory_left_bytes(const struct probe_meminfo *m)
{
	uint64_t cache, dirty = known_or_0(m->dirty_bytes), left;

	if (m->free_bytes == PROBE_UNKNOWN)
		return PROBE_UNKNOWN;
	if (__builtin_add_overflow(known_or_0(m->active_file_bytes),
	                           known_or_0(m->inactive_file_bytes), &cache))
		return PROBE_UNKNOWN;
	cache = cache > dirty ? cache - dirty : 0;
	if (__builtin_add_overflow(m->free_bytes, cache, &left) ||
	    __builtin_add_overflow(left, known_or_0(m->cpu_lists_bytes), &left))
		return PROBE_UNKNOWN;
	return left;
}

static bool skip_past_word(struct span *rest, const char *text)
{
	struct span word;

	while (span_next_word(rest, &word)) {
		if (span_is(&word, text))
			return true;
	}
	return false;
}

/* "name active total objsize objperslab pagesperslab : tunables ... : slabdata active total ...".
 * The word "slabdata" is looked for, as kernels with debugging put more groups before it. */
static bool parse_slab(struct span line, uint64_t page_bytes, struct probe_slab *slab)
{
	uint64_t active, total, size, per_slab, pages, active_slabs, slabs, bytes;
	struct span name;

	if (!span_next_word(&line, &name) || !span_next_number(&line, &active) ||
	    !span_next_number(&line, &total) || !span_next_number(&line, &size) ||
	    !span_next_number(&line, &per_slab) || !span_next_number(&line, &pages))
		return false;
	if (!skip_past_word(&line, "slabdata") || !span_next_number(&line, &active_slabs) ||
	    !span_next_number(&line, &slabs))
		return false;
	if (__builtin_mul_overflow(slabs, pages, &bytes) ||
	    __builtin_mul_overflow(bytes, page_bytes, &bytes))
		return false;
	span_copy(&name, slab->name, sizeof(slab->name));
	slab->objects = active;
	slab->object_bytes = size;
	slab->bytes = bytes;
	return true;
}

static bool is_slabinfo_2(struct span line)
{
	static const char start[] = "slabinfo - version: 2.";

	return span_len(&line) >= sizeof(start) - 1 && !memcmp(line.at, start, sizeof(start) - 1);
}

/* Where the new cache goes: to one of the same name (modules may bring a second one), else to a
 * free place, else to the smallest's, if that is smaller: the kernel lists the newest caches first,
 * and the most important ones (dentry, filp) last. */
static void keep_slab(struct probe_slabinfo *out, const struct probe_slab *slab)
{
	struct probe_slab *smallest = &out->slabs[0];

	for (uint32_t i = 0; i < out->count; i++) {
		struct probe_slab *at = &out->slabs[i];

		if (!strcmp(at->name, slab->name)) {
			if (__builtin_add_overflow(at->bytes, slab->bytes, &at->bytes) ||
			    __builtin_add_overflow(at->objects, slab->objects, &at->objects))
				at->bytes = at->objects = PROBE_UNKNOWN;
			return;
		}
		if (at->bytes < smallest->bytes)
			smallest = at;
	}
	if (out->count < PROBE_SLABS_MAX)
		out->slabs[out->count++] = *slab;
	else if (slab->bytes > smallest->bytes)
		*smallest = *slab;
}

int probe_parse_slabinfo(const char *text, size_t len, uint64_t page_bytes,
                         struct probe_slabinfo *out)
{
	struct span rest = span_of(text, len), line;
	struct probe_slab slab;

	out->count = 0;
	if (!span_next_line(&rest, &line) || !is_slabinfo_2(line))
		return -EINVAL;
	while (span_next_line(&rest, &line)) {
		if (parse_slab(line, page_bytes, &slab))
			keep_slab(out, &slab);
	}
	return out->count ? 0 : -EINVAL;
}

const struct probe_slab *probe_find_slab(const struct probe_slabinfo *s, const char *name)
{
	uint32_t i;

	for (i = 0; i < s->count; i++) {
		if (!strcmp(s->slabs[i].name, name))
			return &s->slabs[i];
	}
	return NULL;
}

static const struct field sockstat_tcp_fields[] = {
	{"inuse", F(probe_sockstat, tcp_inuse)},   {"orphan", F(probe_sockstat, tcp_orphan)},
	{"tw", F(probe_sockstat, tcp_tw)},         {"alloc", F(probe_sockstat, tcp_alloc)},
	{"mem", F(probe_sockstat, tcp_mem_pages)},
};

static const struct field sockstat_tcp6_fields[] = {
	{"inuse", F(probe_sockstat, tcp6_inuse)},
};

/* "name value name value ..." */
static size_t parse_couples(struct span line, const struct field *fields, size_t count, void *out)
{
	struct span name, word;
	uint64_t value;
	size_t found = 0;

	while (span_next_word(&line, &name) && span_next_word(&line, &word)) {
		if (span_number(&word, &value))
			found += set_field(fields, count, &name, value, out);
	}
	return found;
}

int probe_parse_sockstat(const char *text, size_t len, struct probe_sockstat *out)
{
	struct span rest = span_of(text, len), line, prefix;
	size_t found = 0;

	while (span_next_line(&rest, &line)) {
		if (!span_next_word(&line, &prefix))
			continue;
		if (span_is(&prefix, "TCP:"))
			found += parse_couples(line, sockstat_tcp_fields,
			                       COUNT_OF(sockstat_tcp_fields), out);
		else if (span_is(&prefix, "TCP6:"))
			found += parse_couples(line, sockstat_tcp6_fields,
			                       COUNT_OF(sockstat_tcp6_fields), out);
	}
	return found ? 0 : -EINVAL;
}

static const struct field tcp_fields[] = {
	{"ActiveOpens", F(probe_tcp, active_opens)},
	{"PassiveOpens", F(probe_tcp, passive_opens)},
	{"AttemptFails", F(probe_tcp, attempt_fails)},
	{"EstabResets", F(probe_tcp, estab_resets)},
	{"CurrEstab", F(probe_tcp, curr_estab)},
	{"InSegs", F(probe_tcp, in_segs)},
	{"OutSegs", F(probe_tcp, out_segs)},
	{"RetransSegs", F(probe_tcp, retrans_segs)},
	{"InErrs", F(probe_tcp, in_errs)},
	{"OutRsts", F(probe_tcp, out_rsts)},
};

static const struct field tcp_ext_fields[] = {
	{"ListenOverflows", F(probe_tcp, listen_overflows)},
	{"ListenDrops", F(probe_tcp, listen_drops)},
	{"SyncookiesSent", F(probe_tcp, syncookies_sent)},
	{"SyncookiesRecv", F(probe_tcp, syncookies_recv)},
	{"SyncookiesFailed", F(probe_tcp, syncookies_failed)},
	{"TCPSynRetrans", F(probe_tcp, syn_retrans)},
	{"TCPTimeouts", F(probe_tcp, timeouts)},
	{"TCPAbortOnTimeout", F(probe_tcp, abort_on_timeout)},
	{"TCPAbortOnMemory", F(probe_tcp, abort_on_memory)},
	{"TCPReqQFullDrop", F(probe_tcp, req_q_full_drop)},
	{"TCPReqQFullDoCookies", F(probe_tcp, req_q_full_do_cookies)},
	{"TCPBacklogDrop", F(probe_tcp, backlog_drop)},
};

/* The n-th word of one line names the n-th of the other; either may be shorter. */
static size_t parse_columns(struct span names, struct span values, const struct field *fields,
                            size_t count, void *out)
{
	struct span name, word;
	uint64_t value;
	size_t found = 0;

	while (span_next_word(&names, &name) && span_next_word(&values, &word)) {
		if (span_number(&word, &value))
			found += set_field(fields, count, &name, value, out);
	}
	return found;
}

/* Takes the value line after a header line with this prefix, or nothing where it has another. */
static bool next_values(struct span *rest, const struct span *prefix, struct span *values)
{
	struct span ahead = *rest, line, word;

	if (!span_next_line(&ahead, &line) || !span_next_word(&line, &word))
		return false;
	if (span_len(&word) != span_len(prefix) ||
	    memcmp(word.at, prefix->at, span_len(&word)) != 0)
		return false;
	*values = line;
	*rest = ahead;
	return true;
}

int probe_parse_tcp(const char *text, size_t len, struct probe_tcp *out)
{
	struct span rest = span_of(text, len), names, values, prefix;
	size_t found = 0;

	while (span_next_line(&rest, &names)) {
		if (!span_next_word(&names, &prefix) || !next_values(&rest, &prefix, &values))
			continue;
		if (span_is(&prefix, "Tcp:"))
			found += parse_columns(names, values, tcp_fields, COUNT_OF(tcp_fields),
			                       out);
		else if (span_is(&prefix, "TcpExt:"))
			found += parse_columns(names, values, tcp_ext_fields,
			                       COUNT_OF(tcp_ext_fields), out);
	}
	return found ? 0 : -EINVAL;
}

/* What a smaps file says, before the sum. */
struct smaps_raw {
	uint64_t rss, pss, private_clean, private_dirty;
};

static const struct field smaps_fields[] = {
	{"Rss:", F(smaps_raw, rss)},
	{"Pss:", F(smaps_raw, pss)},
	{"Private_Clean:", F(smaps_raw, private_clean)},
	{"Private_Dirty:", F(smaps_raw, private_dirty)},
};

int probe_parse_smaps(const char *text, size_t len, struct probe_smaps *out)
{
	struct smaps_raw raw;
	size_t found;

	memset(&raw, 0xff, sizeof(raw));
	memset(out, 0xff, sizeof(*out));
	found = parse_kb_lines(text, len, smaps_fields, COUNT_OF(smaps_fields), &raw);
	if (!found)
		return -EINVAL;
	out->rss_bytes = raw.rss;
	out->pss_bytes = raw.pss;
	if (raw.private_clean == PROBE_UNKNOWN || raw.private_dirty == PROBE_UNKNOWN ||
	    __builtin_add_overflow(raw.private_clean, raw.private_dirty, &out->private_bytes))
		out->private_bytes = PROBE_UNKNOWN;
	return 0;
}

int probe_parse_neighbours(const char *text, size_t len, uint64_t *entries)
{
	struct span rest = span_of(text, len), names, values, name, value = {text, text};

	*entries = PROBE_UNKNOWN;
	if (!span_next_line(&rest, &names) || !span_next_line(&rest, &values))
		return -EINVAL;
	while (span_next_word(&names, &name) && span_next_word(&values, &value)) {
		if (span_is(&name, "entries"))
			return span_hex(&value, entries) ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static long read_all(int fd, char *buffer, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1) {
		n = read(fd, buffer + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	return (long)len;
}

long probe_read_file(const char *path, char *buffer, size_t size)
{
	long len;
	int fd;

	if (!size)
		return -EINVAL;
	buffer[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read_all(fd, buffer, size);
	close(fd);
	buffer[len < 0 ? 0 : len] = '\0';
	return len;
}

/* Where it cannot be read it stays unknown, and MemFree alone is what is free. */
static void read_cpu_lists(struct probe_meminfo *out)
{
	long len = probe_read_file("/proc/zoneinfo", file_text, sizeof(file_text));
	uint64_t pages;

	if (len > 0 && probe_parse_zoneinfo(file_text, (size_t)len, &pages) == 0)
		out->cpu_lists_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int probe_read_meminfo(struct probe_meminfo *out)
{
	long len = probe_read_file("/proc/meminfo", file_text, sizeof(file_text));
	int failed;

	memset(out, 0xff, sizeof(*out));
	failed = len < 0 ? (int)len : probe_parse_meminfo(file_text, (size_t)len, out);
	if (failed == 0)
		read_cpu_lists(out);
	return failed;
}

int probe_read_slabinfo(struct probe_slabinfo *out)
{
	long len = probe_read_file("/proc/slabinfo", file_text, sizeof(file_text));
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	out->count = 0;
	return len < 0 ? (int)len : probe_parse_slabinfo(file_text, (size_t)len, page_bytes, out);
}

static int read_sockstat_file(const char *path, struct probe_sockstat *out)
{
	long len = probe_read_file(path, file_text, sizeof(file_text));

	return len < 0 ? (int)len : probe_parse_sockstat(file_text, (size_t)len, out);
}

int probe_read_sockstat(struct probe_sockstat *out)
{
	int result, result6;

	memset(out, 0xff, sizeof(*out));
	result = read_sockstat_file("/proc/self/net/sockstat", out);
	result6 = read_sockstat_file("/proc/self/net/sockstat6", out);
	if (result6 == -ENOENT) /* a kernel without IPv6 */
		result6 = 0;
	return result ? result : result6;
}

static int read_tcp_file(const char *path, struct probe_tcp *out)
{
	long len = probe_read_file(path, file_text, sizeof(file_text));

	return len < 0 ? (int)len : probe_parse_tcp(file_text, (size_t)len, out);
}

int probe_read_tcp(struct probe_tcp *out)
{
	int result, result_ext;

	memset(out, 0xff, sizeof(*out));
	result = read_tcp_file("/proc/self/net/snmp", out);
	result_ext = read_tcp_file("/proc/self/net/netstat", out);
	return result ? result : result_ext;
}

int probe_read_smaps(struct probe_smaps *out)
{
	long len = probe_read_file("/proc/self/smaps_rollup", file_text, sizeof(file_text));

	memset(out, 0xff, sizeof(*out));
	return len < 0 ? (int)len : probe_parse_smaps(file_text, (size_t)len, out);
}

int probe_read_neighbours(const char *path, uint64_t *entries)
{
	long len = probe_read_file(path, file_text, sizeof(file_text));

	*entries = PROBE_UNKNOWN;
	return len < 0 ? (int)len : probe_parse_neighbours(file_text, (size_t)len, entries);
}
