/* settings: write-ahead by whole files.
 *
 * A journal is written as "partial" with every record, then the settings are written in the
 * records' order, then the journal is replaced by the same one as "complete". They are put back in
 * the opposite order. A killed apply so leaves a row of settings at their new values and after it a
 * row at their old ones, and a killed revert as well.
 *
 * The kernel may make another value of the one that is written (net.netfilter.nf_conntrack_buckets
 * is rounded up to whole pages). What was read back is then put into the journal before the next
 * setting is written. Killed between the two, there is one setting whose value is neither old nor
 * new, where the row of new ones ends, and the journal is "partial". Whether it is the kernel's or
 * somebody else's is found by writing the new value once more: the kernel makes the same of it.
 * Every other value that is neither is somebody else's.
 *
 * A value is written with its newline: an empty list of ports written as no bytes at all would not
 * be written (kernel/sysctl.c). */
#include "kernel/settings.h"

#include "base/text.h"
#include "kernel/journal.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char lines[SETTINGS_TEXT_BYTES];

/* ---- one setting ---------------------------------------------------------------------------- */

static int cannot(const char *what, const char *name, int code, struct err *err)
{
	const char *hint = "";

	if (code == -ENOENT)
		return err_set(err, code,
		               "%s: this kernel, or this network namespace, has no such setting",
		               text_quote(name, strlen(name)).text);
	if (code == -EROFS)
		hint = " (/proc/sys is mounted read-only, as in containers: do it on the host)";
	else if (code == -EACCES || code == -EPERM)
		hint = " (it needs root, of the whole machine where the setting is the machine's)";
	return err_set(err, code, "cannot %s %s: %s%s", what, text_quote(name, strlen(name)).text,
	               strerror(-code), hint);
}

static int read_value(const char *name, char out[SETTINGS_VALUE_BYTES], struct err *err)
{
	long len = settings_name_is_good(name) ? sysctl_get(name, out, SETTINGS_VALUE_BYTES)
	                                       : -ENOENT;

	return len < 0 ? cannot("read", name, (int)len, err) : 0;
}

static int write_value(const char *name, const char *value, struct err *err)
{
	char text[SETTINGS_VALUE_BYTES + 1];

	snprintf(text, sizeof(text), "%s\n", value);
	int failed = sysctl_set(name, text);

	if (failed == -EINVAL || failed == -ERANGE)
		return err_set(err, failed, "%s: the kernel refuses %s", name,
		               text_quote(value, strlen(value)).text);
	return failed < 0 ? cannot("write", name, failed, err) : 0;
}

/* Writes the old value and sees that it is there. */
static int put_back(const struct settings_record *record, struct err *err)
{
	char now[SETTINGS_VALUE_BYTES];
	int failed = write_value(record->name, record->old, err);

	if (failed == 0)
		failed = read_value(record->name, now, err);
	if (failed < 0)
		return failed;
	if (settings_same(now, record->old))
		return 0;
	return err_set(err, -EIO, "%s was %s, but the kernel made %s of it", record->name,
	               text_quote(record->old, strlen(record->old)).text,
	               text_quote(now, strlen(now)).text);
}

bool settings_changes(const struct settings_record *record)
{
	return !settings_same(record->old, record->raised);
}

/* ---- planning ------------------------------------------------------------------------------- */

static struct settings_record *find(struct settings_list *list, const char *name)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (strcmp(list->records[i].name, name) == 0)
			return &list->records[i];
	}
	return NULL;
}

static int cannot_merge(const struct settings_item *item, const char *now, int code,
                        struct err *err)
{
	if (code == -EFBIG)
		return err_set(err, code,
		               "%s: with %s the list would be longer than the kernel "
		               "takes at once",
		               item->name, text_quote(item->value, strlen(item->value)).text);
	return err_set(err, code, "%s is %s now: %s is no value of that form", item->name,
	               text_quote(now, strlen(now)).text,
	               text_quote(item->value, strlen(item->value)).text);
}

static int plan_one(const struct settings_item *item, struct settings_list *out, struct err *err)
{
	char raised[SETTINGS_VALUE_BYTES];
	struct settings_record *record = find(out, item->name);

	if (!record) {
		if (out->count == SETTINGS_MOST)
			return err_set(err, -E2BIG, "more than %d settings at once", SETTINGS_MOST);
		record = &out->records[out->count];
		int failed = read_value(item->name, record->old, err);

		if (failed < 0)
			return failed;
		snprintf(record->name, sizeof(record->name), "%s", item->name);
		memcpy(record->raised, record->old, sizeof(record->raised));
		record->is_rounded = false;
		out->count++;
	}
	int failed = settings_merge(item->name, record->raised, item->value, raised);

	if (failed < 0)
		return cannot_merge(item, record->raised, failed, err);
	memcpy(record->raised, raised, sizeof(record->raised));
	return 0;
}

int settings_plan(const struct settings_item *items, uint32_t count, struct settings_list *out,
                  struct err *err)
{
	int failed = 0;

	out->count = 0;
	out->is_complete = false;
	for (uint32_t i = 0; i < count && failed == 0; i++)
		failed = plan_one(&items[i], out, err);
	return failed;
}

/* Leaves those that change. */
static void keep_changes(struct settings_list *list)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		if (!settings_changes(&list->records[i]))
			continue;
		if (kept < i)
			list->records[kept] = list->records[i];
		kept++;
	}
	list->count = kept;
}

/* ---- applying ------------------------------------------------------------------------------- */

static int replace_journal(const struct journal_dir *dir, uint64_t number,
                           const struct settings_list *list, struct err *err)
{
	long len = settings_format(list, lines, sizeof(lines));

	return journal_replace(dir, SETTINGS_KIND, number, lines, (size_t)len, err);
}

/* Writes one, and journals what the kernel made of it. */
static int raise_one(const struct journal_dir *dir, uint64_t number, struct settings_list *list,
                     uint32_t at, struct err *err)
{
	struct settings_record *record = &list->records[at];
	int failed = write_value(record->name, record->raised, err);

	if (failed == 0)
		failed = read_value(record->name, record->rounded, err);
	if (failed < 0)
		return failed;
	record->is_rounded = !settings_same(record->rounded, record->raised);
	return record->is_rounded ? replace_journal(dir, number, list, err) : 0;
}

/* After a failure with the record `at`: puts back it and those before it. Returns how many could
 * not be. */
static uint32_t roll_back(const struct settings_list *list, uint32_t at)
{
	char now[SETTINGS_VALUE_BYTES];
	uint32_t left = 0;

	for (uint32_t i = at + 1; i-- > 0;) {
		const struct settings_record *record = &list->records[i];

		if (read_value(record->name, now, NULL) == 0 && strcmp(now, record->old) == 0)
			continue;
		left += put_back(record, NULL) < 0;
	}
	return left;
}

static int undo(const struct journal_dir *dir, uint64_t number, const struct settings_list *list,
                uint32_t at, int code, struct err *err)
{
	uint32_t left = roll_back(list, at);

	if (left > 0)
		return err_set(err, code,
		               "%s; and %u settings could not be put back: megaconn tune revert "
		               "does it when that is possible",
		               err->text, left);
	if (journal_drop(dir, SETTINGS_KIND, number, NULL) < 0)
		return err_set(err, code,
		               "%s; all is as it was, but for a journal that could not "
		               "be removed: megaconn tune revert",
		               err->text);
	return err_set(err, code, "%s: all is as it was", err->text);
}

static int write_each(const struct journal_dir *dir, struct settings_list *list, struct err *err)
{
	uint64_t number = 0;
	long len = settings_format(list, lines, sizeof(lines));
	int failed = journal_write(dir, SETTINGS_KIND, lines, (size_t)len, &number, err);

	if (failed < 0)
		return failed;
	for (uint32_t i = 0; i < list->count; i++) {
		failed = raise_one(dir, number, list, i, err);
		if (failed < 0)
			return undo(dir, number, list, i, failed, err);
	}
	list->is_complete = true;
	failed = replace_journal(dir, number, list, err);
	if (failed < 0)
		return undo(dir, number, list, list->count - 1, failed, err);
	return (int)list->count;
}

int settings_apply(const struct settings_item *items, uint32_t count, struct settings_list *out,
                   struct err *err)
{
	struct journal_dir dir;
	int rc = settings_plan(items, count, out, err);

	if (rc < 0)
		return rc;
	keep_changes(out);
	if (out->count == 0)
		return 0;
	rc = journal_open(&dir, true, err);
	if (rc < 0)
		return rc;
	/* Once more with the lock: another megaconn may have had it. */
	rc = settings_plan(items, count, out, err);
	if (rc == 0)
		keep_changes(out);
	if (rc == 0 && out->count > 0)
		rc = write_each(&dir, out, err);
	journal_close(&dir);
	return rc;
}

/* ---- reverting ------------------------------------------------------------------------------ */

/* The journals as they are gone through. */
struct walk {
	const struct settings_revert *options;
	const struct settings_view *view;
	struct journal_dir dir;
	struct journal journal;
	int failed;             /* the first errno                                     */
	uint32_t left, changed; /* of this journal: not put back; of these, by others  */
};

static struct settings_list list, pretended; /* of a dry run: what would be there by now */

static void tell(const struct walk *walk, enum settings_event event,
                 const struct settings_record *record, const char *now)
{
	const struct settings_told told = {
		.event = event, .journal = walk->journal.name, .record = record, .now = now};

	walk->view->tell(walk->view->context, &told);
}

static void problem(struct walk *walk, int code, const struct err *why)
{
	const struct settings_told told = {
		.event = SETTINGS_PROBLEM, .journal = walk->journal.name, .why = why->text};

	walk->failed = walk->failed < 0 ? walk->failed : code;
	walk->view->tell(walk->view->context, &told);
}

static int read_now(const struct walk *walk, const char *name, char out[SETTINGS_VALUE_BYTES],
                    struct err *err)
{
	const struct settings_record *record = walk->options->dry_run ? find(&pretended, name)
	                                                              : NULL;

	if (!record)
		return read_value(name, out, err);
	memcpy(out, record->old, SETTINGS_VALUE_BYTES);
	return 0;
}

static int restore(const struct walk *walk, const struct settings_record *record, struct err *err)
{
	if (!walk->options->dry_run)
		return put_back(record, err);
	struct settings_record *one = find(&pretended, record->name);

	if (!one && pretended.count < SETTINGS_MOST)
		one = &pretended.records[pretended.count++];
	if (one)
		*one = *record;
	return 0;
}

static const char *written_value(const struct settings_record *record)
{
	return record->is_rounded ? record->rounded : record->raised;
}

/* The record at which apply was killed before it had journalled what the kernel made of its value;
 * -1 where there is none, or where what is found does not look like that. */
static int64_t find_interrupted(const struct walk *walk)
{
	char now[SETTINGS_VALUE_BYTES];
	int64_t at = -1;

	if (list.is_complete)
		return -1;
	for (uint32_t i = 0; i < list.count; i++) {
		const struct settings_record *record = &list.records[i];

		if (read_now(walk, record->name, now, NULL) < 0)
			return -1;
		if (at < 0 && !settings_same(now, written_value(record)))
			at = i;
		else if (at >= 0 && !settings_same(now, record->old))
			return -1;
	}
	return at;
}

/* Whether the kernel makes `now` of what apply wrote. What was somebody else's is as before. */
static bool is_made_of(const struct walk *walk, const struct settings_record *record,
                       const char *now)
{
	char made[SETTINGS_VALUE_BYTES];

	if (walk->options->dry_run)
		return true;
	if (write_value(record->name, record->raised, NULL) < 0 ||
	    read_value(record->name, made, NULL) < 0)
		return false;
	if (settings_same(made, now))
		return true;
	(void)write_value(record->name, now, NULL);
	return false;
}

static void revert_record(struct walk *walk, const struct settings_record *record,
                          bool is_interrupted)
{
	char now[SETTINGS_VALUE_BYTES];
	struct err err = {""};
	int failed = read_now(walk, record->name, now, &err);

	if (failed == -ENOENT && walk->options->force) {
		tell(walk, SETTINGS_GONE, record, "");
		return;
	}
	if (failed == 0 && strcmp(now, record->old) == 0) {
		tell(walk, SETTINGS_WAS_BACK, record, now);
		return;
	}
	bool is_ours = failed == 0 && (settings_same(now, written_value(record)) ||
	                               (is_interrupted && is_made_of(walk, record, now)));

	if (failed == 0 && !is_ours && !walk->options->force) {
		tell(walk, SETTINGS_LEFT, record, now);
		walk->left++;
		walk->changed++;
		return;
	}
	if (failed == 0)
		failed = restore(walk, record, &err);
	if (failed == 0) {
		tell(walk, is_ours ? SETTINGS_RESTORED : SETTINGS_FORCED, record, now);
		return;
	}
	if (failed == -ENOENT)
		err_set(&err, failed, "%s; its journal stays (--force goes on without)", err.text);
	problem(walk, failed, &err);
	walk->left++;
}

static bool is_of_network(const char *name)
{
	return strncmp(name, "net.", 4) == 0;
}

static void revert_records(struct walk *walk, bool is_here)
{
	int64_t interrupted = is_here ? find_interrupted(walk) : -1;
	struct err err;

	walk->left = 0;
	walk->changed = 0;
	for (uint32_t i = list.count; i-- > 0;) {
		if (!is_here && is_of_network(list.records[i].name))
			tell(walk, SETTINGS_OTHER_NETNS, &list.records[i], "");
		else
			revert_record(walk, &list.records[i], i == interrupted);
	}
	if (walk->changed == 0)
		return;
	err_set(&err, -ESTALE,
	        "%s: somebody else has changed %u of its settings since; they are left, and it "
	        "stays (--force puts the old values back nevertheless)",
	        walk->journal.name, walk->changed);
	problem(walk, -ESTALE, &err);
}

static void drop(struct walk *walk, enum settings_event event)
{
	struct err err;
	int failed = walk->options->dry_run
	                     ? 0
	                     : journal_drop(&walk->dir, SETTINGS_KIND, walk->journal.number, &err);

	if (failed < 0)
		problem(walk, failed, &err);
	else
		tell(walk, event, NULL, "");
}

/* Reads a journal into `list`; false where that was a problem. */
static bool read_journal(struct walk *walk, uint64_t number)
{
	struct err err;
	int failed = journal_read(&walk->dir, SETTINGS_KIND, number, &walk->journal, &err);

	if (failed == 0) {
		failed = settings_parse(walk->journal.lines, walk->journal.len, &list);
		if (failed < 0)
			err_set(&err, failed,
			        "%s/%s is no journal that this megaconn understands; nothing was "
			        "done with it: look at it, put back by hand what it names, then "
			        "remove it",
			        JOURNAL_DIR, walk->journal.name);
	}
	if (failed < 0)
		problem(walk, failed, &err);
	return failed == 0;
}

static void revert_journal(struct walk *walk, uint64_t number)
{
	bool is_here;
	struct err err;

	if (!read_journal(walk, number)) {
		journal_free(&walk->journal);
		return;
	}
	is_here = journal_is_of_this_netns(&walk->journal);
	if (!journal_is_of_this_boot(&walk->journal)) {
		drop(walk, SETTINGS_OTHER_BOOT);
	} else if (!is_here && !walk->options->force) {
		err_set(&err, -EXDEV,
		        "%s was written in network namespace %llu, this is %llu: revert it there "
		        "(nsenter --net), or if that one is gone, --force removes it",
		        walk->journal.name, (unsigned long long)walk->journal.netns,
		        (unsigned long long)journal_netns());
		problem(walk, -EXDEV, &err);
	} else {
		revert_records(walk, is_here);
		if (walk->left == 0)
			drop(walk, SETTINGS_REVERTED);
	}
	journal_free(&walk->journal);
}

static void each_journal(struct walk *walk, uint64_t number)
{
	if (read_journal(walk, number) && journal_is_of_this_boot(&walk->journal)) {
		bool is_here = journal_is_of_this_netns(&walk->journal);

		for (uint32_t i = 0; i < list.count; i++) {
			if (is_here || !is_of_network(list.records[i].name))
				tell(walk, SETTINGS_JOURNALLED, &list.records[i], "");
		}
	}
	journal_free(&walk->journal);
}

static int go_through(struct walk *walk, void (*act)(struct walk *walk, uint64_t number),
                      struct err *err)
{
	static uint64_t numbers[JOURNALS_MOST];
	struct err why = {""};
	int count = journal_open(&walk->dir, false, &why);

	err_set(err, 0, "%s", count == -ENOENT ? "" : why.text);
	if (count < 0)
		return count == -ENOENT ? 0 : count;
	pretended.count = 0;
	count = journal_list(&walk->dir, SETTINGS_KIND, numbers, JOURNALS_MOST, err);
	for (int i = 0; i < count; i++)
		act(walk, numbers[i]);
	journal_close(&walk->dir);
	return count < 0 || walk->failed == 0 ? count : walk->failed;
}

int settings_revert(const struct settings_revert *options, const struct settings_view *view,
                    struct err *err)
{
	struct walk walk = {.options = options, .view = view};

	return go_through(&walk, revert_journal, err);
}

int settings_each(const struct settings_view *view, struct err *err)
{
	static const struct settings_revert nothing = {.dry_run = true};
	struct walk walk = {.options = &nothing, .view = view};

	return go_through(&walk, each_journal, err);
}
