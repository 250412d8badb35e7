/* netlink: links and addresses of a network of one's own, where nothing else is to be kept. */
#include "kernel/netlink.h"

#include "kernel/address.h"
#include "kernel/link.h"

#include <errno.h>
#include <sys/socket.h>

#define ROUTE_TRIES 2000 /* a millisecond apart */

int netlink_link_up(const char *name)
{
	const struct link_setup as_it_is = {0};
	unsigned int index = if_nametoindex(name);
	struct channel c;

	if (index == 0)
		return -errno;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	result = link_set_up(&c, index, &as_it_is);
	channel_close(&c);
	return result;
}

static uint32_t batch_size(uint32_t from, uint32_t count)
{
	return count - from < CHANNEL_BATCH ? count - from : CHANNEL_BATCH;
}

static void fill_batch(struct address *batch, unsigned int link, const struct ip *first,
                       uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		batch[i] = (struct address){
			.ip = ip_add(first, from + i),
			.link = link,
			.prefix_len = address_bits(first->family),
			.flags = first->family == AF_INET6 ? IFA_F_NODAD : 0,
		};
}

static int add_batch(struct channel *c, const struct address *batch, uint32_t count)
{
	int results[CHANNEL_BATCH] = {0};
	int failed = address_add(c, batch, count, results);

	for (uint32_t i = 0; i < count && failed == 0; i++)
		failed = results[i] == -EEXIST ? 0 : results[i];
	return failed;
}

static int add_all(struct channel *c, unsigned int link, const struct ip *first, uint32_t count)
{
	struct address batch[CHANNEL_BATCH];
	uint32_t from, size, tries = ROUTE_TRIES;
	int result = 0;

	for (from = 0; from < count && !result; from += size) {
		size = batch_size(from, count);
		fill_batch(batch, link, first, from, size);
		result = add_batch(c, batch, size);
	}
	if (first->family == AF_INET)
		return result;
	for (from = 0; from < count && !result; from += size) {
		size = batch_size(from, count);
		fill_batch(batch, link, first, from, size);
		result = address_await_routes(c, batch, size, &tries);
	}
	return result;
}

int netlink_add_addresses(const char *link_name, const struct ip *first, uint32_t count)
{
	struct channel c;
	unsigned int link;
	int result;

	if (first->family != AF_INET && first->family != AF_INET6)
		return -EAFNOSUPPORT;
	link = if_nametoindex(link_name);
	if (link == 0)
		return -errno;
	result = channel_open(&c);
	if (result)
		return result;
	result = add_all(&c, link, first, count);
	channel_close(&c);
	return result;
}
