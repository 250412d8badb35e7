/* sealed: a process with a network and a file tree of its own, in which it is root: what it writes
 * to settings of the network, to /var/lib and to /etc is gone with it. */
#pragma once

#include <stdbool.h>

/* Puts this process, and all that it starts, into private network and mount namespaces, an ordinary
 * user into a user namespace too; mounts an empty tmpfs over each of the directories
 * (NULL-terminated) that is there. False where that is forbidden: then nothing is changed. */
bool sealed_enter(const char *const *directories);

/* Mounts read-only what is under the path ("/proc/sys"), and takes that away again. */
bool sealed_lock(const char *path);
bool sealed_unlock(const char *path);

/* Whether this process was root before it went in: then settings that are the machine's and not
 * the network's can be written as well. */
bool sealed_is_real_root(void);
