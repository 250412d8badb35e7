/* slab_alias: links of a directory, and what follows from them. */
#include "kernel/slab_alias.h"

#include "kernel/probe.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY "/sys/kernel/slab"

static const char *group_of(const struct slab_aliases *aliases, const char *name)
{
	for (uint32_t i = 0; i < aliases->count; i++) {
		if (strcmp(aliases->aliases[i].name, name) == 0)
			return aliases->aliases[i].group;
	}
	return NULL;
}

void slab_alias_add(struct slab_aliases *aliases, const char *name, const char *target)
{
	struct slab_alias *to = &aliases->aliases[aliases->count];

	if (aliases->count == SLAB_ALIASES_MAX || target[0] != ':' ||
	    strlen(name) >= sizeof(to->name) || strlen(target) >= sizeof(to->group))
		return;
	memcpy(to->name, name, strlen(name) + 1);
	memcpy(to->group, target, strlen(target) + 1);
	aliases->count++;
}

int slab_alias_read(struct slab_aliases *out)
{
	char target[PATH_MAX];
	DIR *directory = opendir(DIRECTORY);
	const struct dirent *entry;

	out->count = 0;
	if (!directory)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		ssize_t len = readlinkat(dirfd(directory), entry->d_name, target,
		                         sizeof(target) - 1);

		if (len <= 0) /* a cache of its own is a directory */
			continue;
		target[len] = '\0';
		slab_alias_add(out, entry->d_name, target);
	}
	closedir(directory);
	return 0;
}

const struct probe_slab *slab_alias_find(const struct slab_aliases *aliases,
                                         const struct probe_slabinfo *slabs, const char *name)
{
	const struct probe_slab *slab = probe_find_slab(slabs, name);
	const char *other;

	for (uint32_t i = 0; !slab && (other = slab_alias_other(aliases, name, i)) != NULL; i++)
		slab = probe_find_slab(slabs, other);
	return slab;
}

const char *slab_alias_other(const struct slab_aliases *aliases, const char *name, uint32_t i)
{
	const char *group = group_of(aliases, name);

	for (uint32_t at = 0; group && at < aliases->count; at++) {
		const struct slab_alias *alias = &aliases->aliases[at];

		if (strcmp(alias->group, group) == 0 && strcmp(alias->name, name) != 0 && i-- == 0)
			return alias->name;
	}
	return NULL;
}
