/* snapshot: files in the order of their names. */
#include "snapshot.h"

#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES      (8U << 20)
#define VALUE_MOST (256U << 10)

/* What others change while a test runs: counters, and names that are new with every read. */
static const char *const moving[] = {
	"/proc/sys/fs/aio-nr",          "/proc/sys/fs/dentry-state",
	"/proc/sys/fs/file-nr",         "/proc/sys/fs/inode-nr",
	"/proc/sys/fs/inode-state",     "/proc/sys/kernel/ns_last_pid",
	"/proc/sys/kernel/pty/nr",      "/proc/sys/kernel/random/entropy_avail",
	"/proc/sys/kernel/random/uuid", "/proc/sys/net/netfilter/nf_conntrack_count",
};

static bool moves(const char *path)
{
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
		if (strcmp(path, moving[i]) == 0)
			return true;
	}
	return false;
}

bool snapshot_init(struct snapshot *snapshot)
{
	*snapshot = (struct snapshot){.text = malloc(BYTES), .size = BYTES};
	return snapshot->text != NULL;
}

static void add(struct snapshot *snapshot, const char *path)
{
	char *at = snapshot->text + snapshot->len;
	size_t len = (size_t)snprintf(at, 4096, "%s\n", path);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t got = read(fd, at + len, VALUE_MOST - 1);

		len += got > 0 ? (size_t)got : 0;
		close(fd);
	}
	at[len] = '\0';
	snapshot->len += len + 1;
	assert_true(snapshot->len + VALUE_MOST + 4096 < snapshot->size);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

void snapshot_take(struct snapshot *snapshot)
{
	static char net[] = "/proc/sys/net", fs[] = "/proc/sys/fs", kernel[] = "/proc/sys/kernel";
	char *const roots[] = {net, fs, kernel, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);

	assert_non_null(walk);
	snapshot->len = 0;
	for (const FTSENT *entry = fts_read(walk); entry; entry = fts_read(walk)) {
		if (entry->fts_info == FTS_F && !moves(entry->fts_path))
			add(snapshot, entry->fts_path);
	}
	fts_close(walk);
	/* Else nothing would be compared. */
	assert_true(snapshot->len > 10000);
}

bool snapshot_same(const struct snapshot *a, const struct snapshot *b, char *difference,
                   size_t size)
{
	size_t at = 0;

	while (at < a->len && at < b->len) {
		const char *one = a->text + at, *other = b->text + at;

		if (strcmp(one, other) != 0) {
			snprintf(difference, size, "%.200s is now %.200s", one, other);
			return false;
		}
		at += strlen(one) + 1;
	}
	snprintf(difference, size, "there are more or fewer settings");
	return a->len == b->len;
}
