/* fuzz_journal: any bytes as a journal; and those that are one are written again, byte by byte the
 * same. The bytes are the fuzzer's own, with no NUL behind them. */
#include "kernel/journal_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

static void write_again(const struct journal *journal, const char *text, size_t len)
{
	struct journal_draft draft;

	check(journal_lines_are_good("settings", journal->lines, journal->len));
	journal_format("settings", journal->boot_id, journal->netns, journal->lines, journal->len,
	               &draft);
	check(draft.head_len + draft.len + draft.tail_len == len);
	check(memcmp(text, draft.head, draft.head_len) == 0);
	check(memcmp(text + draft.head_len + draft.len, draft.tail, draft.tail_len) == 0);
}

/* The fuzzer does not guess checksums: its bytes as the lines of a journal that is right. */
static void as_lines(const char *lines, size_t len)
{
	static const char boot_id[] = "01234567-89ab-cdef-0123-456789abcdef";
	struct journal_draft draft;
	struct journal journal;
	struct err err;

	if (!journal_lines_are_good("settings", lines, len))
		return;
	journal_format("settings", boot_id, len, lines, len, &draft);
	size_t all = draft.head_len + len + draft.tail_len;
	char *text = malloc(all);

	if (!text)
		return;
	memcpy(text, draft.head, draft.head_len);
	memcpy(text + draft.head_len, lines, len);
	memcpy(text + draft.head_len + len, draft.tail, draft.tail_len);
	check(journal_parse(text, all, "settings", &journal, &err) == 0);
	check(journal.len == len && memcmp(journal.lines, lines, len) == 0);
	write_again(&journal, text, all);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct journal journal;
	struct err err;

	err.text[0] = '\0';
	if (journal_parse(text, size, "settings", &journal, &err) == 0)
		write_again(&journal, text, size);
	else
		check(err.text[0] != '\0');
	as_lines(text, size);
	return 0;
}
