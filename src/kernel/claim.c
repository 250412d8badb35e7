/* claim: abstract names of unix(7) sockets, which are the network namespace's, and of which
 * /proc/net/unix has a list. One's own are bound before others' are looked for: of two that do so
 * at the same time at least one sees the other. */
#include "kernel/claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PREFIX      "@megaconn-lan/"
#define NAME_COLUMN 7 /* of /proc/net/unix, from 0 */
#define CLAIMS_MOST 64

static int claims[CLAIMS_MOST]; /* this process's */
static uint32_t claim_count;

static bool has_met(const struct range *a, const struct range *b)
{
	int64_t ahead = ip_distance(&a->first, &b->first);
	int64_t behind = ip_distance(&b->first, &a->first);

	return (ahead >= 0 && ahead < a->count) || (behind >= 0 && behind < b->count);
}

/* Abstract: the name begins with a zero, shown as '@'. */
static int bind_name(const struct link *link, const struct range *range)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[IP_TEXT_BYTES];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int len = snprintf(address.sun_path, sizeof(address.sun_path), PREFIX "%u/%s/%u",
	                   link->index, ip_format(&range->first, text), range->count);

	if (fd < 0)
		return -errno;
	address.sun_path[0] = '\0';
	if (bind(fd, (const struct sockaddr *)&address,
	         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)) == 0)
		return fd;
	int failed = -errno;

	close(fd);
	return failed;
}

bool claim_parse(const char *name, unsigned int link, struct range *out)
{
	char text[IP_TEXT_BYTES], *at;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	unsigned long number = strtoul(name + strlen(PREFIX), &at, 10);

	if (*at != '/' || number != link)
		return false;
	const char *address = at + 1, *end = strchr(address, '/');

	if (!end || (size_t)(end - address) >= sizeof(text))
		return false;
	memcpy(text, address, (size_t)(end - address));
	text[end - address] = '\0';
	*out = (struct range){.count = (uint32_t)strtoul(end + 1, &at, 10)};
	return at != end + 1 && *at == '\0' && out->count > 0 && ip_parse(text, &out->first) == 0;
}

static const char *name_of(char *line)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save);

	for (int i = 0; i < NAME_COLUMN && word; i++)
		word = strtok_r(NULL, " \n", &save);
	return word;
}

/* How many claims there are that meet the range, of which one is our own. */
static int count_claims(const struct link *link, const struct range *range, struct range *other)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512];
	int count = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		const char *name = name_of(line);
		struct range found;

		if (!name || !claim_parse(name, link->index, &found) || !has_met(range, &found))
			continue;
		count++;
		if (!ip_equal(&found.first, &range->first) || found.count != range->count)
			*other = found;
	}
	fclose(file);
	return count;
}

static int refuse(const struct link *link, const struct range *other, struct err *err)
{
	char text[IP_TEXT_BYTES];

	return err_set(err, -EADDRINUSE,
	               "another megaconn on this host has %u source IP%s from %s on, on %s: take "
	               "others, or wait until it has ended",
	               other->count, other->count == 1 ? "" : "s", ip_format(&other->first, text),
	               link->name);
}

static void give_up(void)
{
	while (claim_count > 0)
		close(claims[--claim_count]);
}

int claim_ranges(const struct link *link, const struct ranges *ranges, struct err *err)
{
	give_up();
	for (uint32_t i = 0; i < ranges->count && i < CLAIMS_MOST; i++) {
		const struct range *range = &ranges->at[i];
		struct range other = *range;
		int fd = bind_name(link, range);

		if (fd == -EADDRINUSE)
			return refuse(link, range, err);
		if (fd < 0)
			return err_set(err, fd, "cannot claim source IPs on this host: %s",
			               strerror(-fd));
		claims[claim_count++] = fd;
		if (count_claims(link, range, &other) > 1)
			return refuse(link, &other, err);
	}
	return 0;
}
