/* idle: the names. */
#include "base/idle.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {
	[IDLE_LIVES] = "lives",
	[IDLE_SILENT] = "silent",
	[IDLE_RESET] = "reset",
	[IDLE_UNREACHABLE] = "unreachable",
	[IDLE_CLOSED_AFTER] = "closed_when_spoken",
	[IDLE_CLOSED] = "closed_at_rest",
	[IDLE_CUT] = "reset_at_rest",
};
static_assert(sizeof(names) / sizeof(names[0]) == IDLE_END_COUNT, "a name each");

const char *idle_end_name(enum idle_end end)
{
	return names[end];
}

enum idle_end idle_end_named(const char *name)
{
	int i = 0;

	while (i < IDLE_END_COUNT && strcmp(names[i], name) != 0)
		i++;
	return (enum idle_end)i;
}
