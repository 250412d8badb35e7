/* conntrack: asked by behaviour.
 *
 * That the module is there says nothing: the kernel puts its hooks into a network namespace only
 * while a rule there wants the state of connections (nf_ct_netns_get). Rules can be read by root
 * alone, and in two languages; what the rules do can be seen by anybody: a datagram that is tracked
 * is counted in net.netfilter.nf_conntrack_count when the call that sent it returns, since its
 * entry is made on the way out, also on the loopback. So a few are sent, over IPv4 and IPv6, whose
 * hooks are apart, each from a port of its own, and the number is read before and after.
 *
 * Nothing is sent where there are entries, and no more after the first that is counted: what is
 * sent takes a place itself.
 *
 * Any entry at all is taken for a yes, for rules may except the loopback ("iif lo notrack") and
 * track the rest. Entries outlive the rules that made them, so after a firewall was taken down this
 * may still say yes for a while: it errs to the side of a limit. */
#include "kernel/conntrack.h"

#include "base/file.h"
#include "kernel/sysctl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTING   "net.netfilter.nf_conntrack_"
#define DATAGRAMS 4 /* of each family; one is enough where nothing goes wrong */

enum limits_use conntrack_judge(const struct conntrack_seen *seen)
{
	if (seen->is_absent)
		return LIMITS_USE_NO;
	if ((seen->before != LIMITS_UNKNOWN && seen->before > 0) ||
	    (seen->after != LIMITS_UNKNOWN && seen->after > 0))
		return LIMITS_USE_YES;
	/* What was not sent, or refused by a rule on its way, says nothing. */
	if (seen->after == LIMITS_UNKNOWN || !seen->was_sent || seen->was_refused)
		return LIMITS_USE_UNKNOWN;
	return LIMITS_USE_NO;
}

static uint64_t get(const char *name)
{
	uint64_t value;

	return sysctl_get_u64(name, &value) == 0 ? value : LIMITS_UNKNOWN;
}

/* Kernels before 5.12 hide the count from a namespace of an ordinary user, so that its absence
 * alone does not say that there is none. */
static bool is_absent(void)
{
	uint64_t count;

	return sysctl_get_u64(SETTING "count", &count) == -ENOENT &&
	       access("/sys/module", F_OK) == 0 && access("/sys/module/nf_conntrack", F_OK) != 0;
}

static void fill_loopback(int family, struct sockaddr_storage *at, socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)at;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)at;

	*at = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*len = sizeof(*in);
	} else {
		in6->sin6_addr = in6addr_loopback;
		*len = sizeof(*in6);
	}
}

/* A socket on a free port of the loopback address; fails where that address is not there. */
static int open_receiver(int family, struct sockaddr_storage *at, socklen_t *len)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	fill_loopback(family, at, len);
	if (fd >= 0 && (bind(fd, (const struct sockaddr *)at, *len) != 0 ||
	                getsockname(fd, (struct sockaddr *)at, len) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_counted(const struct conntrack_seen *seen)
{
	return seen->after != LIMITS_UNKNOWN && seen->after > 0;
}

/* Sends to a socket of our own, so that nobody else gets anything. */
static void send_some(int family, struct conntrack_seen *seen)
{
	struct sockaddr_storage at;
	bool was_taken = false;
	socklen_t len;
	int receiver = open_receiver(family, &at, &len);

	if (receiver < 0)
		return;
	for (int i = 0; i < DATAGRAMS && !is_counted(seen); i++) {
		int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			break;
		was_taken |= sendto(fd, "", 1, 0, (const struct sockaddr *)&at, len) == 1;
		close(fd);
		seen->after = get(SETTING "count");
	}
	close(receiver);
	seen->was_sent |= was_taken;
	seen->was_refused |= !was_taken;
}

void conntrack_read(struct conntrack *out)
{
	struct conntrack_seen seen = {.is_absent = is_absent()};

	*out = (struct conntrack){LIMITS_USE_NO, LIMITS_NONE, LIMITS_NONE, LIMITS_NONE};
	if (seen.is_absent)
		return;
	seen.before = seen.after = get(SETTING "count");
	if (!is_counted(&seen))
		send_some(AF_INET, &seen);
	if (!is_counted(&seen))
		send_some(AF_INET6, &seen);
	out->use = conntrack_judge(&seen);
	out->max = get(SETTING "max");
	if (out->max == 0)
		out->max = LIMITS_NONE;
	out->count = seen.after;
	out->buckets = get(SETTING "buckets");
}

/* ---- what came to nothing ------------------------------------------------------------------- */

/* Which word of the first line this is, from 0; -1: none. */
static int column_of(const char *header, const char *name)
{
	size_t len = strlen(name);

	for (int column = 0;; column++) {
		header += strspn(header, " ");
		size_t word = strcspn(header, " \n");

		if (word == 0)
			return -1;
		if (word == len && memcmp(header, name, len) == 0)
			return column;
		header += word;
	}
}

/* A line a CPU, in hexadecimal. */
static uint64_t sum_column(const char *text, const char *name)
{
	int column = column_of(text, name);
	const char *line = strchr(text, '\n');
	uint64_t sum = 0;

	if (column < 0 || !line)
		return LIMITS_UNKNOWN;
	for (; line && line[1] != '\0'; line = strchr(line + 1, '\n')) {
		const char *at = line + 1;

		for (int i = 0; i < column; i++) {
			at += strspn(at, " ");
			at += strcspn(at, " \n");
		}
		sum += strtoull(at, NULL, 16);
	}
	return sum;
}

void conntrack_parse_stat(const char *text, struct conntrack_stat *out)
{
	out->insert_failed = sum_column(text, "insert_failed");
	out->drop = sum_column(text, "drop");
}

void conntrack_read_stat(struct conntrack_stat *out)
{
	static char text[65536];

	ssize_t len = file_read("/proc/thread-self/net/stat/nf_conntrack", text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	conntrack_parse_stat(text, out);
}
