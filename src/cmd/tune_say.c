/* tune_say: a line a setting. Values are of the kernel's or of a file: they are quoted. */
#include "cmd/tune_say.h"

#include "base/text.h"
#include "kernel/sysctl.h"

#include <stdio.h>
#include <string.h>

#define ABSENT "-"

/* A value as it is shown: blanks for tabs, cut where it is long. */
static struct text_quoted shown(const char *value)
{
	char copy[64];
	size_t len = strnlen(value, sizeof(copy));

	if (len == 0)
		return text_quote("(empty)", strlen("(empty)"));
	for (size_t i = 0; i < len; i++)
		copy[i] = value[i];
	for (size_t i = 0; i < len; i++) {
		if (copy[i] == '\t')
			copy[i] = ' ';
	}
	return text_quote(copy, len);
}

uint32_t tune_say_changes(const struct settings_list *list, const char *before)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct settings_record *record = &list->records[i];

		if (!settings_changes(record))
			continue;
		printf("%s%s: %s -> %s", before, record->name, shown(record->old).text,
		       shown(record->raised).text);
		if (record->is_rounded)
			printf(" (the kernel made %s of it)", shown(record->rounded).text);
		printf("\n");
		count++;
	}
	return count;
}

/* ---- the table ------------------------------------------------------------------------------ */

#define COLUMNS 4

struct row {
	struct text_quoted cells[COLUMNS];
};

static struct text_quoted plain(const char *text)
{
	return text_quote(text, strlen(text));
}

static const struct settings_record *find(const struct settings_list *list, const char *name)
{
	for (uint32_t i = 0; list && i < list->count; i++) {
		if (strcmp(list->records[i].name, name) == 0)
			return &list->records[i];
	}
	return NULL;
}

static void add_wanted(struct row *row, const struct settings_record *record,
                       const struct settings_list *journalled)
{
	const struct settings_record *old = find(journalled, record->name);

	*row = (struct row){{plain(record->name), shown(record->old),
	                     settings_changes(record) ? shown(record->raised) : plain("enough"),
	                     old ? shown(old->old) : plain(journalled ? ABSENT : "?")}};
}

static void add_journalled(struct row *row, const struct settings_record *record)
{
	char now[SETTINGS_VALUE_BYTES];
	bool is_there = sysctl_get(record->name, now, sizeof(now)) >= 0;

	*row = (struct row){{plain(record->name), is_there ? shown(now) : plain(ABSENT),
	                     plain(ABSENT), shown(record->old)}};
}

void tune_say_table(const struct settings_list *wanted, const struct settings_list *journalled)
{
	static struct row rows[2 * SETTINGS_MOST + 1];
	uint32_t count = 1;
	size_t widths[COLUMNS] = {0};

	rows[0] = (struct row){
		{plain("setting"), plain("now"), plain("wanted"), plain("before, journalled")}};
	for (uint32_t i = 0; i < wanted->count; i++)
		add_wanted(&rows[count++], &wanted->records[i], journalled);
	for (uint32_t i = 0; journalled && i < journalled->count; i++) {
		if (!find(wanted, journalled->records[i].name))
			add_journalled(&rows[count++], &journalled->records[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		for (int column = 0; column < COLUMNS; column++) {
			size_t len = strlen(rows[i].cells[column].text);

			widths[column] = len > widths[column] ? len : widths[column];
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		for (int column = 0; column < COLUMNS - 1; column++)
			printf("%-*s  ", (int)widths[column], rows[i].cells[column].text);
		printf("%s\n", rows[i].cells[COLUMNS - 1].text);
	}
}

/* ---- reverting ------------------------------------------------------------------------------ */

static void say_record(const struct settings_told *told, const char *would)
{
	const struct settings_record *record = told->record;
	struct text_quoted now = shown(told->now), old = shown(record->old);

	switch (told->event) {
	case SETTINGS_RESTORED:
		printf("%s%s: %s -> %s\n", would, record->name, now.text, old.text);
		break;
	case SETTINGS_FORCED:
		printf("%s%s: %s -> %s (somebody else had changed it: --force)\n", would,
		       record->name, now.text, old.text);
		break;
	case SETTINGS_WAS_BACK:
		printf("%s: is %s, as before\n", record->name, now.text);
		break;
	case SETTINGS_LEFT:
		printf("%s: is %s, was raised from %s to %s: somebody else changed it, left\n",
		       record->name, now.text, old.text, shown(record->raised).text);
		break;
	case SETTINGS_GONE:
		printf("%s: is not there any more, was %s\n", record->name, old.text);
		break;
	case SETTINGS_OTHER_NETNS:
		printf("%s: is another network namespace's, left\n", record->name);
		break;
	default:
		break;
	}
}

void tune_say_told(void *revert, const struct settings_told *told)
{
	const struct tune_say_revert *say = revert;
	struct err err;

	if (told->event == SETTINGS_PROBLEM) {
		err_set(&err, 0, "%s", told->why);
		err_print(&err);
	} else if (told->event == SETTINGS_OTHER_BOOT) {
		printf("%s: the machine was started since, nothing is left to revert%s\n",
		       told->journal, say->dry_run ? "" : ": removed");
	} else if (told->record) {
		say_record(told, say->dry_run ? "would set " : "");
	}
}
