/* tune_say: what `megaconn tune` prints of settings. */
#pragma once

#include "kernel/settings.h"

#include <stdbool.h>

/* "net.core.somaxconn: 4096 -> 65535", one line a change, each after `before` ("would set ").
 * Returns how many there are. */
uint32_t tune_say_changes(const struct settings_list *list, const char *before);

/* The table of `tune show`: setting, now, wanted, journalled. `journalled` has the value in `old`
 * that revert would put back; NULL: it could not be read. */
void tune_say_table(const struct settings_list *wanted, const struct settings_list *journalled);

/* For settings_revert: prints what it is told; problems go to stderr. */
struct tune_say_revert {
	bool dry_run;
};
void tune_say_told(void *revert, const struct settings_told *told);
