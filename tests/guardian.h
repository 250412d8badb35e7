/* guardian: settings of the machine, and of its first network, that a test lowers for a moment. A
 * process beside the test keeps the old values, and puts them back when the test is done or dead,
 * by whatever signal. */
#pragma once

#include <stdbool.h>

/* Before this process goes into namespaces of its own: the guardian stays outside. False where
 * this process is not the machine's root; then guardian_set fails. */
bool guardian_start(void);

/* Writes a setting ("fs.nr_open"), whose old value is kept when it is the first time. 0 or a
 * negative errno. */
int guardian_set(const char *name, const char *value);

/* Reads one, as the first network has it; false where that cannot be. */
bool guardian_get(const char *name, char *value, unsigned long size);

/* Puts all back, the last first. False where one is not as it was. */
bool guardian_restore(void);

/* Restores, and ends it. */
bool guardian_end(void);

/* Its process id, for who wants something of the network that it stays in; 0 where there is none.
 */
int guardian_pid(void);
