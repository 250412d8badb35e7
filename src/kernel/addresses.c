/* addresses: looks, journals, adds, and undoes all where one step fails.
 *
 * The journal is written between look and add, with exactly what the look has not found: what is
 * added by somebody else in between is found by the kernel (NLM_F_EXCL), and then all is undone but
 * that. A process that is killed anywhere leaves a journal that names more than was added, never
 * less; addresses_down deletes what of it is there.
 *
 * All is deleted in the opposite order: of the IPv4 addresses in one subnet the first is primary,
 * the others secondary, and with the primary the kernel deletes the secondary ones
 * (net/ipv4/devinet.c: __inet_del_ifa), ours or not. */
#include "kernel/addresses.h"

#include "base/clock.h"
#include "base/map.h"
#include "kernel/address.h"
#include "kernel/route.h"

#include <errno.h>
#include <string.h>

#define ROUTE_TRIES 10000 /* a millisecond apart, for all */
#define DAD_LOOK_NS (50 * NS_PER_MS)
#define DAD_NS      (30 * NS_PER_S) /* one probe and up to two seconds by default */

static struct route_prefix prefix_of(const struct address_list *list)
{
	return (struct route_prefix){.first = list->ranges.at[0].first, .len = list->prefix_len};
}

static struct address address_at(const struct address_list *list, uint32_t number)
{
	return (struct address){.ip = ranges_at(&list->ranges, number),
	                        .link = list->link,
	                        .prefix_len = list->prefix_len};
}

/* ---- looking -------------------------------------------------------------------------------- */

struct look {
	const struct address_list *list;
	uint8_t *marks;
};

static void mark_there(const struct address *address, void *context)
{
	const struct look *look = context;
	int64_t number = ranges_index(&look->list->ranges, &address->ip);

	if (number >= 0)
		look->marks[number] = ADDRESSES_THERE;
}

int addresses_look(const struct address_list *list, uint8_t *marks, struct err *err)
{
	struct look look = {.list = list, .marks = marks};
	int result;

	memset(marks, ADDRESSES_NEW, list->ranges.addresses);
	if (list->is_anyip) {
		const struct route_prefix prefix = prefix_of(list);

		result = route_has_local(&prefix);
		marks[0] = result == 1 ? ADDRESSES_THERE : ADDRESSES_NEW;
	} else {
		result = address_dump(list->ranges.at[0].first.family, mark_there, &look);
	}
	if (result < 0)
		return err_set(err, result, "cannot ask the kernel for this host's addresses: %s",
		               strerror(-result));
	return 0;
}

struct cover {
	const struct route_prefix prefix;
	unsigned int asked_link; /* whose neighbours have been asked for each address; 0: none */
	unsigned int loopback;   /* a network there is this host's own as a whole               */
	struct address *out;
	bool is_found;
};

static void look_for_network(const struct address *address, void *context)
{
	const struct route_prefix network = route_prefix_of(&address->ip, address->prefix_len);
	struct cover *cover = context;
	bool is_part = address->link != cover->asked_link && address->link != cover->loopback &&
	               route_prefix_has(&network, &cover->prefix.first);

	if (address->prefix_len == address_bits(address->ip.family) ||
	    (!is_part && !route_prefix_has(&cover->prefix, &address->ip)))
		return;
	*cover->out = *address;
	cover->is_found = true;
}

int addresses_covers_network(const struct address_list *list, unsigned int asked_link,
                             struct address *out)
{
	struct cover cover = {.prefix = prefix_of(list),
	                      .asked_link = asked_link,
	                      .loopback = if_nametoindex("lo"),
	                      .out = out};
	int failed = address_dump(list->ranges.at[0].first.family, look_for_network, &cover);

	return failed < 0 ? failed : cover.is_found;
}

/* ---- the journal ---------------------------------------------------------------------------- */

int addresses_write(const struct journal_dir *dir, const struct address_list *list,
                    const uint8_t *marks, uint8_t mark, uint64_t *number, struct err *err)
{
	size_t bytes = (size_t)address_list_lines(list, marks, mark) * ADDRESS_LIST_LINE_BYTES;
	char *lines = map_private(bytes);
	struct text text;

	if (!lines)
		return err_set(err, -ENOMEM, "no memory for %zu bytes of journal", bytes);
	text_init(&text, lines, bytes);
	address_list_format(list, marks, mark, &text);
	int failed = journal_write(dir, ADDRESSES_KIND, text.at, text.len, number, err);

	map_drop(lines, bytes);
	return failed;
}

/* ---- deleting ------------------------------------------------------------------------------- */

static int cannot(const struct address_list *list, const char *what, uint32_t number, int code,
                  struct err *err)
{
	struct ip ip = ranges_at(&list->ranges, number);
	char text[IP_TEXT_BYTES];
	const char *link = list->is_anyip ? "lo" : list->link_name;

	ip_format(&ip, text);
	if (code == -EPERM || code == -EACCES)
		return err_set(err, -EPERM,
		               "cannot %s %s/%u on %s: that takes root (CAP_NET_ADMIN)", what, text,
		               list->prefix_len, link);
	return err_set(err, code, "cannot %s %s/%u on %s: %s", what, text, list->prefix_len, link,
	               strerror(-code));
}

static int delete_batch(struct channel *c, const struct address_list *list, const uint32_t *numbers,
                        uint32_t count, struct err *err)
{
	struct address batch[CHANNEL_BATCH] = {{.link = 0}};
	int results[CHANNEL_BATCH] = {0}, failed;

	for (uint32_t i = 0; i < count; i++)
		batch[i] = address_at(list, numbers[i]);
	failed = address_delete(c, batch, count, results);
	if (failed < 0)
		return cannot(list, "delete", numbers[0], failed, err);
	for (uint32_t i = 0; i < count; i++) {
		if (results[i] < 0 && results[i] != -EADDRNOTAVAIL && results[i] != -ENODEV)
			failed = cannot(list, "delete", numbers[i], results[i], err);
	}
	return failed;
}

static int delete_addresses(struct channel *c, const struct address_list *list,
                            const uint8_t *marks, uint8_t mark, struct err *err)
{
	uint32_t numbers[CHANNEL_BATCH], count = 0;
	int failed = 0;

	for (uint32_t i = list->ranges.addresses; i > 0 && failed == 0; i--) {
		if (marks[i - 1] == mark)
			numbers[count++] = i - 1;
		if (count == CHANNEL_BATCH || (i == 1 && count > 0)) {
			failed = delete_batch(c, list, numbers, count, err);
			count = 0;
		}
	}
	return failed;
}

static int delete_anyip(struct channel *c, const struct address_list *list, const uint8_t *marks,
                        uint8_t mark, struct err *err)
{
	const struct route_prefix prefix = prefix_of(list);

	if (marks[0] != mark)
		return 0;
	int failed = route_delete_local(c, &prefix);

	return failed < 0 && failed != -ESRCH
	               ? cannot(list, "delete the local route to", 0, failed, err)
	               : 0;
}

int addresses_delete(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                     struct err *err)
{
	struct channel c;
	int failed = channel_open(&c);

	if (failed < 0)
		return cannot(list, "delete", 0, failed, err);
	failed = (list->is_anyip ? delete_anyip : delete_addresses)(&c, list, marks, mark, err);
	channel_close(&c);
	return failed;
}

/* ---- adding --------------------------------------------------------------------------------- */

static int add_batch(struct channel *c, const struct address_list *list, const uint32_t *numbers,
                     uint32_t count, uint32_t flags, uint8_t *marks, struct err *err)
{
	struct address batch[CHANNEL_BATCH] = {{.link = 0}};
	int results[CHANNEL_BATCH] = {0}, failed;

	for (uint32_t i = 0; i < count; i++) {
		batch[i] = address_at(list, numbers[i]);
		batch[i].flags = flags;
	}
	failed = address_add(c, batch, count, results);
	if (failed < 0) {
		/* Which of them were added nobody knows: undo must try them all, or what is there
		 * would be in no journal. */
		for (uint32_t i = 0; i < count; i++)
			marks[numbers[i]] = ADDRESSES_ADDED;
		return cannot(list, "add", numbers[0], failed, err);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (results[i] == 0)
			marks[numbers[i]] = ADDRESSES_ADDED;
		else if (failed == 0)
			failed = cannot(list, "add", numbers[i], results[i], err);
	}
	return failed;
}

static int add_addresses(struct channel *c, const struct address_list *list, uint32_t flags,
                         uint8_t *marks, struct err *err)
{
	uint32_t numbers[CHANNEL_BATCH], count = 0, last = list->ranges.addresses - 1;
	int failed = 0;

	for (uint32_t i = 0; i <= last && failed == 0; i++) {
		if (marks[i] == ADDRESSES_NEW)
			numbers[count++] = i;
		if (count == CHANNEL_BATCH || (i == last && count > 0)) {
			failed = add_batch(c, list, numbers, count, flags, marks, err);
			count = 0;
		}
	}
	return failed;
}

static int add_anyip(struct channel *c, const struct address_list *list, uint8_t *marks,
                     struct err *err)
{
	const struct route_prefix prefix = prefix_of(list);
	int failed = route_add_local(c, &prefix);

	if (failed < 0)
		return cannot(list, "add a local route to", 0, failed, err);
	marks[0] = ADDRESSES_ADDED;
	return 0;
}

/* ---- duplicate detection (RFC 4862 section 5.4) --------------------------------------------- */

struct detection {
	const struct address_list *list;
	uint8_t *marks;
	uint32_t pending;
	int64_t failed; /* the number of one that failed, or -1 */
};

static void look_at_flags(const struct address *address, void *context)
{
	struct detection *d = context;
	int64_t number = ranges_index(&d->list->ranges, &address->ip);

	if (number < 0 || address->link != d->list->link ||
	    (d->marks[number] != ADDRESSES_ADDED && d->marks[number] != ADDRESSES_FAILED))
		return;
	if (address->flags & IFA_F_DADFAILED) {
		d->marks[number] = ADDRESSES_FAILED;
		d->failed = number;
	} else if (address->flags & IFA_F_TENTATIVE) {
		d->pending++;
	}
}

static int await_detection(const struct address_list *list, uint8_t *marks, struct err *err)
{
	struct detection d = {.list = list, .failed = -1};
	uint64_t end = clock_now_ns() + DAD_NS;
	char text[IP_TEXT_BYTES];

	d.marks = marks;
	for (;;) {
		d.pending = 0;
		int failed = address_dump(AF_INET6, look_at_flags, &d);

		/* -EINTR: so many are changing that no dump is whole. */
		if (failed < 0 && failed != -EINTR)
			return cannot(list, "look after", 0, failed, err);
		if (failed == 0 && d.pending == 0)
			break;
		if (clock_now_ns() > end)
			return err_set(err, -ETIMEDOUT,
			               "duplicate detection of %u addresses on %s has not ended "
			               "within 30 s: is the link up?",
			               d.pending, list->link_name);
		clock_sleep_ns(DAD_LOOK_NS);
	}
	if (d.failed < 0)
		return 0;
	struct ip ip = ranges_at(&list->ranges, (uint32_t)d.failed);

	return err_set(err, -EADDRINUSE,
	               "duplicate detection failed: somebody on %s has %s already; nothing was "
	               "added (choose others: megaconn addr ping)",
	               list->link_name, ip_format(&ip, text));
}

static int await_routes(struct channel *c, const struct address_list *list, const uint8_t *marks,
                        struct err *err)
{
	struct address batch[CHANNEL_BATCH] = {{.link = 0}};
	uint32_t count = 0, last = list->ranges.addresses - 1, tries = ROUTE_TRIES;

	for (uint32_t i = 0; i <= last; i++) {
		if (marks[i] == ADDRESSES_ADDED)
			batch[count++] = address_at(list, i);
		if (count < CHANNEL_BATCH && i < last)
			continue;
		int failed = address_await_routes(c, batch, count, &tries);

		if (failed < 0)
			return cannot(list, "use", i, failed, err);
		count = 0;
	}
	return 0;
}

static int add_all(struct channel *c, const struct address_list *list, bool has_neighbours,
                   uint8_t *marks, struct err *err)
{
	if (list->is_anyip)
		return add_anyip(c, list, marks, err);
	if (list->ranges.at[0].first.family == AF_INET)
		return add_addresses(c, list, 0, marks, err);
	uint32_t flags = has_neighbours ? 0 : IFA_F_NODAD;

	/* A route for one address, beside the local one, helps nobody; and the kernel looks through
	 * all addresses of the link when it takes one away (check_cleanup_prefix_route): a minute
	 * for 16,000. */
	if (list->prefix_len == 128)
		flags |= IFA_F_NOPREFIXROUTE;
	int failed = add_addresses(c, list, flags, marks, err);

	if (failed == 0)
		failed = await_detection(list, marks, err);
	return failed < 0 ? failed : await_routes(c, list, marks, err);
}

/* ---- up ------------------------------------------------------------------------------------- */

/* `err` has why; what fails while undoing is put behind it. */
static void undo(const struct journal_dir *dir, const struct address_list *list,
                 const uint8_t *marks, uint64_t number, struct err *err)
{
	struct err second = {""};
	int failed = addresses_delete(list, marks, ADDRESSES_FAILED, &second);

	if (failed == 0)
		failed = addresses_delete(list, marks, ADDRESSES_ADDED, &second);
	if (failed == 0)
		failed = journal_drop(dir, ADDRESSES_KIND, number, &second);
	if (failed < 0)
		err_set(err, failed, "%s; and %s: megaconn addr down", err->text, second.text);
}

static int up_locked(const struct journal_dir *dir, const struct address_list *list,
                     bool has_neighbours, uint8_t *marks, struct err *err)
{
	uint64_t number = 0;
	struct channel c;
	int failed = addresses_look(list, marks, err);

	if (failed < 0 || !memchr(marks, ADDRESSES_NEW, list->ranges.addresses))
		return failed;
	failed = channel_open(&c);
	if (failed < 0)
		return cannot(list, "add", 0, failed, err);
	failed = addresses_write(dir, list, marks, ADDRESSES_NEW, &number, err);
	if (failed == 0) {
		failed = add_all(&c, list, has_neighbours, marks, err);
		if (failed < 0)
			undo(dir, list, marks, number, err);
	}
	channel_close(&c);
	return failed;
}

int addresses_up(const struct address_list *list, bool has_neighbours, uint8_t *marks,
                 struct err *err)
{
	struct journal_dir dir;
	int failed = journal_open(&dir, true, err);

	if (failed < 0)
		return failed;
	failed = up_locked(&dir, list, has_neighbours, marks, err);
	journal_close(&dir);
	return failed;
}
