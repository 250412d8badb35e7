/* addresses_down: journal by journal, newest first.
 *
 * A journal is dropped when all that it names is gone; where something must stay, a new one with
 * what is left takes its place, written before the old one is dropped. Killed in between, both name
 * the same addresses, and the second is found to have nothing to do. */
#include "kernel/addresses_down.h"

#include "base/map.h"
#include "kernel/address.h"
#include "kernel/addresses.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	MARK_ABSENT,  /* not there, or with another prefix length: not ours (any more) */
	MARK_PRESENT, /* IPv4: secondary                                               */
	MARK_PRIMARY,
	MARK_HELD /* others' addresses hang on it */
};

/* What is done with one journal. */
struct visit {
	const struct addresses_down *down; /* NULL: only shown */
	const struct addresses_view *view;
	const struct journal_dir *dir;
	uint64_t number;
	struct journal journal;
	struct address_list list;
	struct range *room;
	size_t room_bytes;
	uint8_t *marks;
	struct ip held, others; /* an address that stays, and one because of which */
	struct err *err;
};

static uint32_t count_marks(const struct visit *v, uint8_t from)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < v->list.ranges.addresses; i++)
		count += v->marks[i] >= from;
	return count;
}

static void tell(const struct visit *v, enum addresses_event event, uint32_t count)
{
	v->view->event(v->view->context, event, event == ADDRESSES_DAMAGED ? NULL : &v->list, count,
	               v->journal.name);
}

static int complain(const struct visit *v, int code, const struct err *err)
{
	v->view->complain(v->view->context, err);
	return code;
}

static bool is_dry(const struct visit *v)
{
	return !v->down || v->down->dry_run;
}

/* Nothing of it is to be kept in mind. */
static int forget(struct visit *v, enum addresses_event event, uint32_t count)
{
	int failed = 0;

	if (!is_dry(v))
		failed = journal_drop(v->dir, ADDRESSES_KIND, v->number, v->err);
	if (failed == 0)
		tell(v, event, count);
	return failed;
}

/* ---- what is there -------------------------------------------------------------------------- */

static void mark_present(const struct address *address, void *context)
{
	const struct visit *v = context;
	int64_t number = ranges_index(&v->list.ranges, &address->ip);

	if (number < 0 || address->link != v->list.link ||
	    address->prefix_len != v->list.prefix_len)
		return;
	v->marks[number] = address->ip.family == AF_INET && !(address->flags & IFA_F_SECONDARY)
	                           ? MARK_PRIMARY
	                           : MARK_PRESENT;
}

/* Somebody else's secondary address holds the primary one of its subnet. */
static void mark_held(const struct address *address, void *context)
{
	struct visit *v = context;
	int64_t number = ranges_index(&v->list.ranges, &address->ip);
	const struct route_prefix subnet = route_prefix_of(&address->ip, address->prefix_len);

	if (address->link != v->list.link || address->prefix_len != v->list.prefix_len ||
	    !(address->flags & IFA_F_SECONDARY) || (number >= 0 && v->marks[number] != MARK_ABSENT))
		return;
	for (uint32_t i = 0; i < v->list.ranges.addresses; i++) {
		struct ip ip = ranges_at(&v->list.ranges, i);

		if (v->marks[i] != MARK_PRIMARY || !route_prefix_has(&subnet, &ip))
			continue;
		v->marks[i] = MARK_HELD;
		v->held = ip;
		v->others = address->ip;
	}
}

/* Then the kernel makes the next one primary, and deletes none. */
static bool does_promote(const char *link_name)
{
	char name[64 + IF_NAMESIZE];
	uint64_t all = 0, one = 0;

	snprintf(name, sizeof(name), "net.ipv4.conf.%s.promote_secondaries", link_name);
	/* In names of settings a dot is a slash. */
	for (char *c = name + strlen("net.ipv4.conf."); c < strrchr(name, '.'); c++)
		*c = *c == '.' ? '/' : *c;
	(void)sysctl_get_u64(name, &one);
	(void)sysctl_get_u64("net.ipv4.conf.all.promote_secondaries", &all);
	return one > 0 || all > 0;
}

static int mark_anyip(struct visit *v)
{
	const struct route_prefix prefix = {.first = v->list.ranges.at[0].first,
	                                    .len = v->list.prefix_len};
	int result = route_has_local(&prefix);

	if (result > 0)
		v->marks[0] = MARK_PRESENT;
	return result;
}

static int mark_all(struct visit *v)
{
	int family = v->list.ranges.at[0].first.family, failed;

	if (v->list.is_anyip)
		failed = mark_anyip(v);
	else
		failed = address_dump(family, mark_present, v);
	if (failed >= 0 && family == AF_INET && !v->list.is_anyip && v->list.prefix_len < 32 &&
	    v->down && !v->down->force && !does_promote(v->list.link_name))
		failed = address_dump(family, mark_held, v);
	if (failed < 0)
		return err_set(v->err, failed,
		               "cannot ask the kernel for this host's addresses: %s",
		               strerror(-failed));
	return 0;
}

/* ---- taking away ---------------------------------------------------------------------------- */

static int say_held(const struct visit *v)
{
	char held[IP_TEXT_BYTES], others[IP_TEXT_BYTES];
	struct err err;

	ip_format(&v->held, held);
	ip_format(&v->others, others);
	err_set(&err, 0,
	        "%s/%u stays on %s: %s, which megaconn did not add, would go with it; delete that "
	        "first, set net.ipv4.conf.%s.promote_secondaries=1, or --force",
	        held, v->list.prefix_len, v->list.link_name, others, v->list.link_name);
	return complain(v, -EBUSY, &err);
}

/* What is left takes the journal's place. */
static int keep_rest(struct visit *v)
{
	uint64_t number;
	int failed = addresses_write(v->dir, &v->list, v->marks, MARK_HELD, &number, v->err);

	return failed < 0 ? failed : journal_drop(v->dir, ADDRESSES_KIND, v->number, v->err);
}

static int take_away(struct visit *v)
{
	uint32_t count = count_marks(v, MARK_PRESENT), held = count_marks(v, MARK_HELD);
	int failed = 0;

	/* Secondary ones first, in whatever order they have come to be so. */
	if (!is_dry(v))
		failed = addresses_delete(&v->list, v->marks, MARK_PRESENT, v->err);
	if (failed == 0 && !is_dry(v))
		failed = addresses_delete(&v->list, v->marks, MARK_PRIMARY, v->err);
	if (failed < 0)
		return failed;
	if (held == 0)
		return forget(v, ADDRESSES_REMOVED, count);
	if (!is_dry(v) && held < v->list.ranges.addresses)
		failed = keep_rest(v);
	if (failed < 0)
		return failed;
	if (count > held)
		tell(v, ADDRESSES_REMOVED, count - held);
	return say_held(v);
}

/* ---- one journal ---------------------------------------------------------------------------- */

static int visit_list(struct visit *v)
{
	struct link link;

	v->marks = map_private(v->list.ranges.addresses);
	if (!v->marks)
		return err_set(v->err, -ENOMEM, "no memory for %u addresses",
		               v->list.ranges.addresses);
	int failed = v->list.is_anyip ? 0 : link_at(v->list.link, &link);

	if (failed == -ENODEV)
		return v->down ? forget(v, ADDRESSES_LINK_GONE, 0) : 0;
	if (failed < 0)
		return err_set(v->err, failed, "cannot look at %s: %s", v->list.link_name,
		               strerror(-failed));
	if (!v->list.is_anyip)
		memcpy(v->list.link_name, link.name, sizeof(link.name));
	failed = mark_all(v);
	if (failed < 0)
		return failed;
	if (v->down)
		return take_away(v);
	tell(v, ADDRESSES_PRESENT, count_marks(v, MARK_PRESENT));
	return 0;
}

static int say_elsewhere(const struct visit *v)
{
	struct err err;

	err_set(&err, 0,
	        "%s is of network namespace %" PRIu64 ", and this is %" PRIu64
	        ": run 'megaconn addr down' there (nsenter --net), or --force to forget it, where "
	        "that namespace is no more",
	        v->journal.name, v->journal.netns, journal_netns());
	return complain(v, -EPERM, &err);
}

static int say_damaged(struct visit *v, int code, const struct err *why)
{
	struct err err;

	if (v->down && v->down->force)
		return forget(v, ADDRESSES_DAMAGED, 0);
	err_set(&err, 0, "%s%s", why->text,
	        v->down ? "; --force throws it away, and what it names stays" : "");
	return complain(v, code, &err);
}

static int parse(struct visit *v, struct err *why)
{
	size_t count = 0;

	for (size_t i = 0; i < v->journal.len; i++)
		count += v->journal.lines[i] == '\n';
	v->room_bytes = count * sizeof(*v->room);
	v->room = count > 0 ? map_private(v->room_bytes) : NULL;
	if (!v->room)
		return err_set(why, -EBADMSG, "it cannot be held in memory");
	return address_list_parse(v->journal.lines, v->journal.len, v->room, (uint32_t)count,
	                          &v->list, why);
}

static int visit_parsed(struct visit *v)
{
	struct err why, err;

	if (parse(v, &why) < 0) {
		err_set(&err, 0, "%s is damaged: %s", v->journal.name, why.text);
		return say_damaged(v, -EBADMSG, &err);
	}
	if (!journal_is_of_this_boot(&v->journal))
		return v->down ? forget(v, ADDRESSES_REBOOTED, 0) : 0;
	if (journal_is_of_this_netns(&v->journal))
		return visit_list(v);
	if (!v->down)
		return 0;
	return v->down->force ? forget(v, ADDRESSES_ELSEWHERE, 0) : say_elsewhere(v);
}

static int visit_journal(struct visit *v)
{
	struct err why = {""};
	int failed = journal_read(v->dir, ADDRESSES_KIND, v->number, &v->journal, &why);

	if (failed == -EBADMSG) {
		journal_name(v->journal.name, ADDRESSES_KIND, v->number);
		return say_damaged(v, failed, &why);
	}
	if (failed < 0)
		return err_set(v->err, failed, "%s", why.text);
	int result = visit_parsed(v);

	map_drop(v->marks, v->list.ranges.addresses);
	map_drop(v->room, v->room_bytes);
	journal_free(&v->journal);
	return result;
}

/* Of what has been complained about, one goes on with the others. */
static int visit_all(const struct journal_dir *dir, const struct addresses_down *down,
                     const struct addresses_view *view, struct err *err)
{
	static uint64_t numbers[JOURNALS_MOST];
	int count = journal_list(dir, ADDRESSES_KIND, numbers, JOURNALS_MOST, err);
	int left = 0;

	for (int i = 0; i < count; i++) {
		struct visit v = {
			.down = down, .view = view, .dir = dir, .number = numbers[i], .err = err};

		err->text[0] = '\0';
		int failed = visit_journal(&v);

		if (failed < 0 && err->text[0] != '\0')
			return failed;
		left = failed < 0 ? failed : left;
	}
	return left < 0 ? left : count;
}

static int with_journals(const struct addresses_down *down, const struct addresses_view *view,
                         struct err *err)
{
	struct journal_dir dir;
	int result = journal_open(&dir, false, err);

	if (result == -ENOENT) {
		err->text[0] = '\0';
		return 0;
	}
	if (result < 0)
		return result;
	result = visit_all(&dir, down, view, err);
	journal_close(&dir);
	return result;
}

int addresses_down(const struct addresses_down *down, struct err *err)
{
	return with_journals(down, down->view, err);
}

int addresses_show(const struct addresses_view *view, struct err *err)
{
	return with_journals(NULL, view, err);
}
