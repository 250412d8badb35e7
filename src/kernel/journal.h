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
#include "kernel/journal_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_DIR        "/var/lib/megaconn"
#define JOURNAL_BYTES_MOST (16U << 20) /* of a file           */
#define JOURNALS_MOST      1024        /* of one kind at once */

struct journal_dir {
	int fd;
};

/* Opens and locks the directory. `create`: makes it (0700) where it is missing; else -ENOENT.
 * Refused (-EPERM) where it is a symbolic link or no directory, not root's or writable by others:
 * who writes a journal chooses what root writes. -EACCES for who may not look into it. -EBUSY where
 * another megaconn has held the lock for 5 s. Every error has its line in `err`. */
int journal_open(struct journal_dir *dir, bool create, struct err *err);
void journal_close(struct journal_dir *dir);

/* Writes a new journal, numbered above all others of its kind ([a-z]+) that are there. `lines` as
 * above, at least one. When this returns 0 it is on the disk; after an error it is not there.
 * -EINVAL for a kind or lines not of that form, -EFBIG for more than JOURNAL_BYTES_MOST, -ENOSPC
 * also where there are JOURNALS_MOST already. */
int journal_write(const struct journal_dir *dir, const char *kind, const char *lines, size_t len,
                  uint64_t *number, struct err *err);

/* Puts other lines into one that is there: whoever reads it finds the old ones or the new ones.
 * After an error, too, it is one of them. Errors as of journal_write. */
int journal_replace(const struct journal_dir *dir, const char *kind, uint64_t number,
                    const char *lines, size_t len, struct err *err);

/* The numbers of the journals of a kind, newest first; returns how many, or a negative errno
 * (-E2BIG: more than `most`). Other files are passed over. */
int journal_list(const struct journal_dir *dir, const char *kind, uint64_t *numbers, uint32_t most,
                 struct err *err);

/* Reads and checks one. -EBADMSG with one line where it is not one of ours or is damaged: then
 * nothing of it may be believed, and it stays where it is. To be given back with journal_free. */
int journal_read(const struct journal_dir *dir, const char *kind, uint64_t number,
                 struct journal *out, struct err *err);
void journal_free(struct journal *journal);

/* Removes one, for good when this returns 0. */
int journal_drop(const struct journal_dir *dir, const char *kind, uint64_t number, struct err *err);

/* Whether it was written since the machine was started, and in this network namespace. Where that
 * cannot be read, the answer is the one that loses nothing: of this boot, of another namespace. */
bool journal_is_of_this_boot(const struct journal *journal);
bool journal_is_of_this_netns(const struct journal *journal);

/* The inode that names this process's network namespace, as `netns` above; 0 where unreadable. */
uint64_t journal_netns(void);
