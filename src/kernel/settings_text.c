/* settings_text: words, numbers, and the lines of a journal:
 *
 *     state complete                             (or "partial", until the last one is written)
 *     net.ipv4.tcp_rmem 4096%09131072%0933554432 4096%20131072%2067108864
 *     net.netfilter.nf_conntrack_buckets 65536 1000000 1000448
 *
 * A line is a name, the old value, the one that was written and, where it differs, the one that was
 * read back. Bytes of a value that are not printable, blanks and "%" are "%XX"; an empty value is
 * "%". */
#include "kernel/settings_text.h"

#include "kernel/sysctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBERS_MOST 8
#define BLANKS       " \t"
#define PORT_RANGE   "net.ipv4.ip_local_port_range"
#define RESERVED     "net.ipv4.ip_local_reserved_ports"

/* ---- values --------------------------------------------------------------------------------- */

bool settings_same(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, BLANKS);
		b += strspn(b, BLANKS);
		size_t len = strcspn(a, BLANKS);

		if (len != strcspn(b, BLANKS) || memcmp(a, b, len) != 0)
			return false;
		if (len == 0)
			return true;
		a += len;
		b += len;
	}
}

/* Reads a number with an optional "-" at *at and moves behind it. */
static bool take_number(const char **at, int64_t *out)
{
	bool is_negative = **at == '-';
	const char *c = *at + is_negative;
	int64_t n = 0;

	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(n, INT64_C(10), &n) ||
		    __builtin_sub_overflow(n, (int64_t)(*c - '0'), &n))
			return false;
	}
	if (!is_negative && n == INT64_MIN)
		return false;
	*out = is_negative ? n : -n;
	*at = c;
	return true;
}

/* Reads numbers with blanks between them; returns how many, or -EINVAL. */
static int take_numbers(const char *text, int64_t numbers[NUMBERS_MOST])
{
	int count = 0;

	for (text += strspn(text, BLANKS); *text != '\0'; text += strspn(text, BLANKS)) {
		if (count == NUMBERS_MOST || !take_number(&text, &numbers[count++]) ||
		    strcspn(text, BLANKS) != 0)
			return -EINVAL;
	}
	return count > 0 ? count : -EINVAL;
}

static int merge_numbers(const char *now, const char *wanted, bool is_range,
                         char out[SETTINGS_VALUE_BYTES])
{
	int64_t has[NUMBERS_MOST], wants[NUMBERS_MOST];
	int count = take_numbers(now, has);
	size_t len = 0;

	if (count < 0 || take_numbers(wanted, wants) != count || (is_range && count != 2))
		return -EINVAL;
	for (int i = 0; i < count; i++) {
		bool is_low_end = is_range && i == 0;
		bool is_raised = is_low_end ? wants[i] < has[i] : wants[i] > has[i];

		len += (size_t)snprintf(out + len, SETTINGS_VALUE_BYTES - len, "%s%" PRId64,
		                        i > 0 ? " " : "", is_raised ? wants[i] : has[i]);
	}
	return 0;
}

static bool has_port(const uint8_t ports[8192], uint32_t port)
{
	return port < 65536 && (ports[port / 8] >> port % 8 & 1) != 0;
}

static int format_ports(const uint8_t ports[8192], char out[SETTINGS_VALUE_BYTES])
{
	size_t len = 0;

	out[0] = '\0';
	for (uint32_t port = 0; port < 65536; port++) {
		uint32_t last = port;
		char range[24];

		if (!has_port(ports, port))
			continue;
		while (has_port(ports, last + 1))
			last++;
		int bytes = last > port ? snprintf(range, sizeof(range), "%s%u-%u",
		                                   len > 0 ? "," : "", port, last)
		                        : snprintf(range, sizeof(range), "%s%u", len > 0 ? "," : "",
		                                   port);

		if (len + (size_t)bytes >= SETTINGS_VALUE_BYTES)
			return -EFBIG;
		memcpy(out + len, range, (size_t)bytes + 1);
		len += (size_t)bytes;
		port = last;
	}
	return 0;
}

static int merge_ports(const char *now, const char *wanted, char out[SETTINGS_VALUE_BYTES])
{
	uint8_t ports[8192] = {0}, both[8192];

	if (sysctl_parse_ports(now, ports) != 0)
		return -EINVAL;
	memcpy(both, ports, sizeof(both));
	if (sysctl_parse_ports(wanted, both) != 0)
		return -EINVAL;
	if (memcmp(both, ports, sizeof(both)) != 0)
		return format_ports(both, out);
	snprintf(out, SETTINGS_VALUE_BYTES, "%s", now);
	return 0;
}

int settings_merge(const char *name, const char *now, const char *wanted,
                   char out[SETTINGS_VALUE_BYTES])
{
	if (strlen(now) >= SETTINGS_VALUE_BYTES)
		return -EFBIG;
	if (strcmp(name, RESERVED) == 0)
		return merge_ports(now, wanted, out);
	int failed = merge_numbers(now, wanted, strcmp(name, PORT_RANGE) == 0, out);

	if (failed == 0 && settings_same(now, out))
		snprintf(out, SETTINGS_VALUE_BYTES, "%s", now);
	return failed;
}

bool settings_name_is_good(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                          "_-./");

	if (len == 0 || len >= SETTINGS_NAME_BYTES || name[len] != '\0')
		return false;
	for (size_t i = 0; i < len; i++) {
		bool separates = name[i] == '.' || name[i] == '/';

		if (separates &&
		    (i == 0 || i == len - 1 || name[i + 1] == '.' || name[i + 1] == '/'))
			return false;
	}
	return true;
}

/* ---- lines ---------------------------------------------------------------------------------- */

struct writer {
	char *at, *end;
	bool is_full;
};

static void put(struct writer *w, char c)
{
	if (w->at == w->end)
		w->is_full = true;
	else
		*w->at++ = c;
}

static void put_text(struct writer *w, const char *text)
{
	while (*text != '\0')
		put(w, *text++);
}

static void put_value(struct writer *w, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";

	put(w, ' ');
	if (*value == '\0')
		put(w, '%');
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (c > 0x20 && c < 0x7f && c != '%') {
			put(w, (char)c);
		} else {
			put(w, '%');
			put(w, digits[c >> 4]);
			put(w, digits[c & 15]);
		}
	}
}

long settings_format(const struct settings_list *list, char *out, size_t size)
{
	struct writer w = {.at = out, .end = out + size};

	put_text(&w, list->is_complete ? "state complete\n" : "state partial\n");
	for (uint32_t i = 0; i < list->count; i++) {
		const struct settings_record *record = &list->records[i];

		put_text(&w, record->name);
		put_value(&w, record->old);
		put_value(&w, record->raised);
		if (record->is_rounded)
			put_value(&w, record->rounded);
		put(&w, '\n');
	}
	put(&w, '\0');
	return w.is_full ? -ENOBUFS : w.at - out - 1;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads a value up to the blank or the end of its line, and moves there. */
static bool take_value(const char **at, const char *end, char out[SETTINGS_VALUE_BYTES])
{
	const char *c = *at;
	size_t len = 0;

	if (end - c >= 2 && c[0] == '%' && (c[1] == ' ' || c[1] == '\n'))
		c++;
	else if (c == end || *c == ' ' || *c == '\n')
		return false;
	while (c < end && *c != ' ' && *c != '\n') {
		int byte = (unsigned char)*c++;

		if (byte == '%') {
			int high = end - c >= 2 ? digit_of(c[0]) : -1;
			int low = high >= 0 ? digit_of(c[1]) : -1;

			byte = low >= 0 ? high << 4 | low : 0;
			c += 2;
		}
		/* A newline within a value would be a second write. */
		if (byte == 0 || byte == '\n' || len >= SETTINGS_VALUE_BYTES - 1)
			return false;
		out[len++] = (char)byte;
	}
	out[len] = '\0';
	*at = c;
	return true;
}

static bool take_char(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

static bool take_name(const char **at, const char *end, char out[SETTINGS_NAME_BYTES])
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));
	size_t len = blank ? (size_t)(blank - *at) : 0;

	if (len == 0 || len >= SETTINGS_NAME_BYTES)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at = blank;
	return settings_name_is_good(out);
}

static bool take_record(const char **at, const char *end, struct settings_record *out)
{
	if (!take_name(at, end, out->name) || !take_char(at, end, ' ') ||
	    !take_value(at, end, out->old) || !take_char(at, end, ' ') ||
	    !take_value(at, end, out->raised))
		return false;
	out->is_rounded = take_char(at, end, ' ');
	if (out->is_rounded && !take_value(at, end, out->rounded))
		return false;
	return take_char(at, end, '\n');
}

int settings_parse(const char *lines, size_t len, struct settings_list *out)
{
	static const char complete[] = "state complete\n", partial[] = "state partial\n";
	const char *at = lines, *end = lines + len;

	out->count = 0;
	out->is_complete = len >= sizeof(complete) - 1 &&
	                   memcmp(lines, complete, sizeof(complete) - 1) == 0;
	if (out->is_complete)
		at += sizeof(complete) - 1;
	else if (len >= sizeof(partial) - 1 && memcmp(lines, partial, sizeof(partial) - 1) == 0)
		at += sizeof(partial) - 1;
	else
		return -EBADMSG;
	while (at < end) {
		if (out->count == SETTINGS_MOST ||
		    !take_record(&at, end, &out->records[out->count]))
			return -EBADMSG;
		out->count++;
	}
	return out->count > 0 ? 0 : -EBADMSG;
}
