/* journal: what is changed on this host, written down before it is changed, so that it can be put
 * back after any end of the program.
 *
 * A journal is a file of lines below JOURNAL_DIR, "KIND-NUMBER.journal". It appears whole or not at
 * all (a temporary file, fsync, rename, fsync of the directory) and is removed when everything in
 * it has been put back. Its first line names format, kind, boot and network namespace, its last one
 * the number of lines and a checksum (crc32 of zlib). What the lines between say is its user's
 * (kernel/settings, kernel/addresses).
 *
 * Who reads or writes journals holds the directory's lock (flock) from open to close, so that two
 * commands never undo each other's work. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_DIR        "/var/lib/megaconn"
#define JOURNAL_BYTES_MOST (16U << 20)
#define JOURNALS_MOST      1024 /* of one kind at once */

struct journal_dir {
	int fd;
};

struct journal {
	char name[64]; /* of the file, for error texts */
	uint64_t number;
	char boot_id[40];  /* /proc/sys/kernel/random/boot_id when it was written */
	uint64_t netns;    /* inode of /proc/self/ns/net then                     */
	const char *lines; /* each ends with \n; NUL-terminated                  */
	size_t len;
	void *map; /* what holds them */
	size_t map_bytes;
};

/* Opens and locks the directory. `create`: makes it (0700) where it is missing; else -ENOENT.
 * Refused (-EPERM) where it is a symbolic link, not root's or writable by others: who writes a
 * journal chooses what root writes. -EBUSY where another megaconn has held the lock for 10 s. Every
 * error has its line in `err`. */
int journal_open(struct journal_dir *dir, bool create, struct err *err);
void journal_close(struct journal_dir *dir);

/* Writes a new journal, numbered above all others of its kind ([a-z]+). `lines` as above. When this
 * returns 0 it is on the disk. */
int journal_write(const struct journal_dir *dir, const char *kind, const char *lines, size_t len,
                  uint64_t *number, struct err *err);

/* The numbers of the journals of a kind, newest first; returns how many, or a negative errno. */
int journal_list(const struct journal_dir *dir, const char *kind, uint64_t *numbers, uint32_t most,
                 struct err *err);

/* Reads and checks one. -EBADMSG with one line where it is not one of ours or is damaged: then
 * nothing of it may be believed, and it stays where it is. To be given back with journal_free. */
int journal_read(const struct journal_dir *dir, const char *kind, uint64_t number,
                 struct journal *out, struct err *err);
void journal_free(struct journal *journal);

/* Removes one, for good when this returns. */
int journal_drop(const struct journal_dir *dir, const char *kind, uint64_t number, struct err *err);

/* Whether it was written since the machine was started, and in this network namespace. */
bool journal_is_of_this_boot(const struct journal *journal);
bool journal_is_of_this_netns(const struct journal *journal);

/* Pure: the whole text of a journal to its parts (out->lines points into `text`). 0 or -EBADMSG
 * with what is wrong. For journal_read and the fuzzer. */
int journal_parse(const char *text, size_t len, const char *kind, struct journal *out,
                  struct err *err);
