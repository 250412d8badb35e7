/* sysctl: kernel settings as files under /proc/sys (fs/proc/proc_sysctl.c, kernel/sysctl.c).
 *
 * A dot in a name is a slash in the path and, as in sysctl(8), a slash is a dot
 * ("net.ipv4.conf.eth0/1.forwarding"). */
#include "kernel/sysctl.h"

#include "kernel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define ROOT         "/proc/sys/"
#define PATH_BYTES   256
#define NUMBER_BYTES 128

/* The longest list of reserved ports is every second port: 32,768 times "12345,". */
static char list_text[256 * 1024];

/* Writes the path; false where the name is not one: an empty part, one that leaves /proc/sys. */
static bool make_path(const char *name, char path[PATH_BYTES])
{
	size_t at = sizeof(ROOT) - 1;
	char last = '.';

	memcpy(path, ROOT, sizeof(ROOT));
	for (; *name; name++) {
		bool separates = *name == '.' || *name == '/';

		if (at >= PATH_BYTES - 1 || (separates && (last == '.' || last == '/')))
			return false;
		path[at++] = *name == '.' ? '/' : *name == '/' ? '.' : *name;
		last = *name;
	}
	path[at] = '\0';
	return last != '.' && last != '/';
}

long sysctl_get(const char *name, char *value, size_t size)
{
	char path[PATH_BYTES];
	long len;

	if (!make_path(name, path))
		return -EINVAL;
	len = probe_read_file(path, value, size);
	if (len < 0)
		return len;
	if (len && value[len - 1] == '\n')
		value[--len] = '\0';
	else if ((size_t)len == size - 1)
		return -ENOBUFS;
	return len;
}

/* Reads digits at *at and moves it behind them. */
static int take_number(const char **at, uint64_t *out)
{
	const char *c = *at;
	uint64_t n = 0;

	if (*c < '0' || *c > '9')
		return -EINVAL;
	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*c - '0'), &n))
			return -ERANGE;
	}
	*at = c;
	*out = n;
	return 0;
}

static int take_port(const char **at, uint16_t *port)
{
	uint64_t n = 0;

	if (take_number(at, &n) || n > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)n;
	return 0;
}

static void skip_blanks(const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

/* Takes a number and the blanks before it. */
static int take_next(const char **at, uint64_t *out)
{
	skip_blanks(at);
	return take_number(at, out);
}

int sysctl_get_u64(const char *name, uint64_t *value)
{
	char text[NUMBER_BYTES];
	const char *at = text;
	long len = sysctl_get(name, text, sizeof(text));

	return len < 0 ? (int)len : take_next(&at, value);
}

int sysctl_get_magnitude(const char *name, uint64_t *value)
{
	char text[NUMBER_BYTES];
	const char *at = text;
	long len = sysctl_get(name, text, sizeof(text));

	if (len < 0)
		return (int)len;
	skip_blanks(&at);
	if (*at == '-')
		at++;
	return take_number(&at, value);
}

/* Stores where `values` is not NULL. */
static int walk_numbers(const char *at, uint64_t *values, size_t count)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++) {
		int failed = take_next(&at, &value);

		if (failed != 0)
			return failed;
		if (values)
			values[i] = value;
	}
	return 0;
}

int sysctl_parse_numbers(const char *text, uint64_t *values, size_t count)
{
	int failed = walk_numbers(text, NULL, count);

	return failed != 0 ? failed : walk_numbers(text, values, count);
}

int sysctl_get_numbers(const char *name, uint64_t *values, size_t count)
{
	char text[NUMBER_BYTES];
	long len = sysctl_get(name, text, sizeof(text));

	return len < 0 ? (int)len : sysctl_parse_numbers(text, values, count);
}

int sysctl_set(const char *name, const char *value)
{
	char path[PATH_BYTES];
	size_t len = strlen(value);
	ssize_t n;
	int fd, result = 0;

	if (!make_path(name, path))
		return -EINVAL;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, len);
	if (n < 0)
		result = -errno;
	else if ((size_t)n != len)
		result = -EIO;
	close(fd);
	return result;
}

/* Writes the digits at the end of `text`; returns the first. */
static const char *format_number(uint64_t n, char text[NUMBER_BYTES])
{
	char *at = text + NUMBER_BYTES - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return at;
}

int sysctl_raise_u64(const char *name, uint64_t value)
{
	char text[NUMBER_BYTES];
	uint64_t now = 0;
	int result = sysctl_get_u64(name, &now);

	if (result || now >= value)
		return result;
	return sysctl_set(name, format_number(value, text));
}

int sysctl_port_range(uint16_t *low, uint16_t *high)
{
	char text[NUMBER_BYTES];
	const char *at = text;
	long len = sysctl_get("net.ipv4.ip_local_port_range", text, sizeof(text));

	if (len < 0)
		return (int)len;
	skip_blanks(&at);
	if (take_port(&at, low))
		return -EINVAL;
	skip_blanks(&at);
	return take_port(&at, high);
}

static void mark_ports(uint8_t ports[8192], uint16_t low, uint16_t high)
{
	uint32_t port;

	for (port = low; port <= high; port++)
		ports[port / 8] = (uint8_t)(ports[port / 8] | 1u << port % 8);
}

/* Takes "8080" or "9000-9010". */
static int take_range(const char **at, uint16_t *low, uint16_t *high)
{
	if (take_port(at, low))
		return -EINVAL;
	*high = *low;
	if (**at != '-')
		return 0;
	(*at)++;
	if (take_port(at, high) || *high < *low)
		return -EINVAL;
	return 0;
}

/* Goes through the list; marks where `ports` is not NULL. */
static int walk_ports(const char *at, uint8_t *ports)
{
	uint16_t low, high;

	if (!*at)
		return 0;
	for (;;) {
		if (take_range(&at, &low, &high))
			return -EINVAL;
		if (ports)
			mark_ports(ports, low, high);
		if (*at != ',')
			break;
		at++;
	}
	return *at ? -EINVAL : 0;
}

int sysctl_parse_ports(const char *text, uint8_t ports[8192])
{
	/* First without marking, so that a bad list marks nothing. */
	if (walk_ports(text, NULL))
		return -EINVAL;
	return walk_ports(text, ports);
}

int sysctl_reserved_ports(uint8_t ports[8192])
{
	long len = sysctl_get("net.ipv4.ip_local_reserved_ports", list_text, sizeof(list_text));

	return len < 0 ? (int)len : sysctl_parse_ports(list_text, ports);
}
