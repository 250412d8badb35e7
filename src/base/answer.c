/* answer: see the header. */
#include "base/answer.h"

#include <assert.h>

struct words {
	const char *name, *title;
};

static const struct words words[] = {
	[ANSWER_GOOD] = {"good", "answered in time"},
	[ANSWER_LATE] = {"late", "answered after the time-out"},
	[ANSWER_MISMATCHED] = {"mismatched", "answered with other bytes"},
	[ANSWER_REPEATED] = {"repeated", "answered with the answer before, again"},
	[ANSWER_STATUS] = {"status", "answered with a status that is no success"},
	[ANSWER_MALFORMED] = {"malformed", "answered with what is no HTTP"},
	[ANSWER_PARTIAL] = {"partial", "answered in part"},
	[ANSWER_MISSING] = {"missing", "not answered"},
	[ANSWER_CUT] = {"cut", "cut off by us before they were answered"},
	[ANSWER_OVERDUE] = {"overdue", "past their time-out"},
	[ANSWER_UNASKED] = {"unasked", "reads of bytes that nobody had asked for"},
};
static_assert(sizeof(words) / sizeof(words[0]) == ANSWER_COUNT, "words for each");

const char *answer_name(enum answer answer)
{
	return words[answer].name;
}

const char *answer_title(enum answer answer)
{
	return words[answer].title;
}
