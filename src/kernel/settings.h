/* settings: kernel settings raised and put back, by way of a journal (kernel/journal, kind
 * "settings").
 *
 * The old values are on the disk before the first one is written, so that after any end of the
 * program settings_revert restores what was there, byte by byte. What is changed is only what is
 * lower than asked for. */
#pragma once

#include "base/err.h"
#include "kernel/settings_text.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_KIND "settings"

struct settings_item {
	const char *name;  /* "net.core.somaxconn" */
	const char *value; /* as asked for         */
};

/* Reads what is now, and says what would be written: a record for each name, in the order given;
 * where it is high enough already, `raised` is `old`. A name that is given again asks for more of
 * the same. Changes nothing. Errors: -ENOENT for a setting that is not there, -EINVAL for a value
 * not of its form, -E2BIG for more than SETTINGS_MOST, and those of reading. */
int settings_plan(const struct settings_item *items, uint32_t count, struct settings_list *out,
                  struct err *err);
bool settings_changes(const struct settings_record *record);

/* Raises what is too low, and journals it; where nothing is, it writes nothing. Returns how many
 * were changed, which are those in `out`. Should one write fail, what was written before it is put
 * back, and the journal removed. Errors: those of settings_plan, journal_open and journal_write;
 * -EACCES, -EPERM, -EROFS and others of writing. */
int settings_apply(const struct settings_item *items, uint32_t count, struct settings_list *out,
                   struct err *err);

/* What happened to a journal's setting, or to the journal. */
enum settings_event {
	SETTINGS_JOURNALLED,  /* of settings_each                                            */
	SETTINGS_RESTORED,    /* the old value was written                                   */
	SETTINGS_FORCED,      /* likewise, over a value that is somebody else's              */
	SETTINGS_WAS_BACK,    /* it had its old value already                                */
	SETTINGS_LEFT,        /* somebody else has changed it since                          */
	SETTINGS_GONE,        /* there is no such setting any more; with `force` passed over */
	SETTINGS_OTHER_NETNS, /* with `force`: it is another network namespace's, and left   */
	SETTINGS_OTHER_BOOT,  /* the journal: the machine was started since: removed         */
	SETTINGS_REVERTED,    /* the journal: nothing of it is left to do: removed           */
	SETTINGS_PROBLEM      /* the journal or one of its settings: `why` says it           */
};

struct settings_told {
	enum settings_event event;
	const char *journal;                  /* its file's name           */
	const struct settings_record *record; /* or NULL                   */
	const char *now;                      /* what it was found at      */
	const char *why;                      /* of SETTINGS_PROBLEM       */
};

struct settings_view {
	void (*tell)(void *context, const struct settings_told *told);
	void *context;
};

struct settings_revert {
	bool force;   /* over what somebody else has changed; past another network namespace's */
	bool dry_run; /* tells the same, and changes nothing                                   */
};

/* Puts back what the journals have, newest first, and removes each of which nothing is left to do.
 * What it cannot put back it tells, and goes on. Returns how many journals there were, or the
 * errno of the first that went wrong: -ESTALE (changed by somebody else), -EXDEV (another network
 * namespace), -EBADMSG (damaged), others of reading and writing. `err` is only set, else empty,
 * where the journals could not be looked at at all. */
int settings_revert(const struct settings_revert *options, const struct settings_view *view,
                    struct err *err);

/* Tells every setting of every journal of this boot, newest first, but for those of another network
 * namespace's network; returns how many journals. */
int settings_each(const struct settings_view *view, struct err *err);
