/* addresses_down: takes away what kernel/addresses has added, by its journals, and shows it. */
#pragma once

#include "base/err.h"
#include "kernel/address_list.h"

#include <stdbool.h>
#include <stdint.h>

/* Told of each journal by addresses_down and addresses_show. */
enum addresses_event {
	ADDRESSES_PRESENT,   /* show: `count` of the list are there                           */
	ADDRESSES_REMOVED,   /* `count` were there and have been taken away, or would be      */
	ADDRESSES_REBOOTED,  /* the machine was started since: nothing of it can be there     */
	ADDRESSES_LINK_GONE, /* the link is no more, and what was on it with it               */
	ADDRESSES_ELSEWHERE, /* --force: of another network namespace, forgotten              */
	ADDRESSES_DAMAGED    /* --force: unreadable, thrown away; `list` is NULL              */
};

struct addresses_view {
	void *context;
	void (*event)(void *context, enum addresses_event event, const struct address_list *list,
	              uint32_t count, const char *journal);
	/* What is left and why, as one sentence each. */
	void (*complain)(void *context, const struct err *err);
};

struct addresses_down {
	bool dry_run;
	/* Forgets journals that are damaged or of another network namespace, and deletes also
	 * where addresses of others go with it. */
	bool force;
	const struct addresses_view *view;
};

/* Takes away what the journals say, newest first, what was added last first. What somebody else
 * has taken away meanwhile is passed over. Left, and complained of: a damaged journal (-EBADMSG);
 * one of another network namespace (-EPERM); a primary IPv4 address that would take secondary
 * addresses of others along (-EBUSY).
 *
 * Returns how many journals there were, 0: nothing to do; or the last such error, or others with
 * one line in `err`. */
int addresses_down(const struct addresses_down *down, struct err *err);

/* Tells of each journal of this boot and network namespace how much of it is there. Returns how
 * many journals there were, or as above. */
int addresses_show(const struct addresses_view *view, struct err *err);
