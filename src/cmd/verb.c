/* verb: by name, in a table of any structure that begins with it. */
#include "cmd/verb.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static const void *find(const struct verb_table *table, const char *word)
{
	const char *row = table->rows;

	for (size_t i = 0; i < table->row_count; i++, row += table->row_bytes) {
		const char *name;

		memcpy(&name, row, sizeof(name));
		if (strcmp(word, name) == 0)
			return row;
	}
	return NULL;
}

const void *verb_find(const struct verb_table *table, int argc, char **argv, int at,
                      struct err *err)
{
	if (at == argc) {
		err_set(err, -EINVAL, "%s (see 'megaconn %s --help')", table->ask, table->command);
		return NULL;
	}
	if (table->is_alone && at + 1 < argc) {
		err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn %s --help')",
		        text_quote(argv[at + 1], strlen(argv[at + 1])).text, table->command);
		return NULL;
	}
	const void *row = find(table, argv[at]);

	if (!row)
		err_set(err, -EINVAL, "unknown verb '%s' (see 'megaconn %s --help')",
		        text_quote(argv[at], strlen(argv[at])).text, table->command);
	return row;
}
