/* journal: files that are there whole or not at all (kernel/journal_text says what is in them).
 *
 * The temporary file has one fixed name: who writes holds the lock, so
 * what is found under it was left by a process that died, and nobody has read it. */
#include "kernel/journal.h"

#include "base/clock.h"
#include "base/map.h"
#include "kernel/probe.h"
#include "kernel/write_all.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY   "journal.tmp"
#define PATIENCE_NS (5 * NS_PER_S)
#define LOOK_NS     (20 * NS_PER_MS)

/* ---- this boot, this namespace -------------------------------------------------------------- */

static int read_boot_id(char out[JOURNAL_BOOT_ID_BYTES])
{
	char text[64];
	long len = probe_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text));

	return len < 0 ? (int)len : journal_parse_boot_id(text, (size_t)len, out);
}

uint64_t journal_netns(void)
{
	struct stat stat_of;

	return stat("/proc/self/ns/net", &stat_of) == 0 ? stat_of.st_ino : 0;
}

bool journal_is_of_this_boot(const struct journal *journal)
{
	char now[JOURNAL_BOOT_ID_BYTES];

	return read_boot_id(now) != 0 || strcmp(now, journal->boot_id) == 0;
}

bool journal_is_of_this_netns(const struct journal *journal)
{
	uint64_t now = journal_netns();

	return now != 0 && now == journal->netns;
}

/* ---- the directory -------------------------------------------------------------------------- */

/* What it does not hold back: a directory without this entry on the disk has no journals, and the
 * one that is written next is synced with it. */
static int sync_parent(void)
{
	int fd = open(JOURNAL_DIR "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int failed = fsync(fd) == 0 ? 0 : -errno;

	close(fd);
	return failed;
}

static int make_dir(struct err *err)
{
	int failed = 0;

	if (mkdir(JOURNAL_DIR, 0700) == 0)
		failed = sync_parent();
	else if (errno != EEXIST)
		failed = -errno;
	if (failed < 0)
		return err_set(err, failed,
		               "cannot make %s, where the old values would be kept: %s",
		               JOURNAL_DIR, strerror(-failed));
	return 0;
}

/* Whether only root writes there. */
static int check_dir(int fd, struct err *err)
{
	struct stat stat_of;

	if (fstat(fd, &stat_of) != 0)
		return err_set(err, -errno, "cannot look at %s: %s", JOURNAL_DIR, strerror(errno));
	if (stat_of.st_uid != 0)
		return err_set(err, -EPERM,
		               "%s is not root's: who writes there would choose what root writes; "
		               "look into it, then: chown root:root %s",
		               JOURNAL_DIR, JOURNAL_DIR);
	if (stat_of.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EPERM,
		               "others than root may write to %s: look into it, then: "
		               "chmod go-w %s",
		               JOURNAL_DIR, JOURNAL_DIR);
	return 0;
}

static int lock_dir(int fd, struct err *err)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(err, -errno, "cannot lock %s: %s", JOURNAL_DIR,
			               strerror(errno));
		if (clock_now_ns() >= until)
			return err_set(err, -EBUSY,
			               "another megaconn has been working with %s for 5 s: wait "
			               "for its end",
			               JOURNAL_DIR);
		clock_sleep_ns(LOOK_NS);
	}
	return 0;
}

int journal_open(struct journal_dir *dir, bool create, struct err *err)
{
	int failed = create ? make_dir(err) : 0;

	dir->fd = -1;
	if (failed < 0)
		return failed;
	int fd = open(JOURNAL_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return err_set(err, -EPERM, "%s is no directory: look at it, and remove it",
		               JOURNAL_DIR);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s%s", JOURNAL_DIR, strerror(errno),
		               errno == EACCES ? ": only root may look into it (sudo)" : "");
	failed = check_dir(fd, err);
	if (failed == 0)
		failed = lock_dir(fd, err);
	if (failed < 0) {
		close(fd);
		return failed;
	}
	dir->fd = fd;
	return 0;
}

void journal_close(struct journal_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
	dir->fd = -1;
}

/* ---- which there are ------------------------------------------------------------------------ */

/* Puts a number in its place, largest first; the smallest falls out where there is no room. */
static void sort_in(uint64_t *numbers, uint32_t *count, uint32_t most, uint64_t number)
{
	uint32_t at = *count;

	if (at == most)
		return;
	for (; at > 0 && numbers[at - 1] < number; at--)
		numbers[at] = numbers[at - 1];
	numbers[at] = number;
	(*count)++;
}

/* Goes through the directory; returns how many there are, also of those beyond `most`. */
static int collect(DIR *stream, const char *kind, uint64_t *numbers, uint32_t most)
{
	const struct dirent *entry;
	uint32_t count = 0, all = 0;

	while ((void)(errno = 0), (entry = readdir(stream)) != NULL) {
		int64_t number = journal_number_of(entry->d_name, kind);

		if (number < 0)
			continue;
		sort_in(numbers, &count, most, (uint64_t)number);
		all++;
	}
	if (errno != 0)
		return -errno;
	return all > most ? -E2BIG : (int)count;
}

int journal_list(const struct journal_dir *dir, const char *kind, uint64_t *numbers, uint32_t most,
                 struct err *err)
{
	/* Opened anew: a duplicate would share the position, and closedir closes it. */
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (!stream) {
		int failed = -errno;

		if (fd >= 0)
			close(fd);
		return err_set(err, failed, "cannot read %s: %s", JOURNAL_DIR, strerror(-failed));
	}
	int count = collect(stream, kind, numbers, most);

	closedir(stream);
	if (count == -E2BIG)
		return err_set(err, count, "there are more than %" PRIu32 " journals of %s in %s",
		               most, kind, JOURNAL_DIR);
	if (count < 0)
		return err_set(err, count, "cannot read %s: %s", JOURNAL_DIR, strerror(-count));
	return count;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int make_draft(struct journal_draft *draft, const char *kind, const char *lines, size_t len,
                      struct err *err)
{
	char boot_id[JOURNAL_BOOT_ID_BYTES];
	uint64_t netns = journal_netns();
	int failed = read_boot_id(boot_id);

	if (failed < 0 || netns == 0)
		return err_set(err, failed < 0 ? failed : -ENOENT,
		               "cannot read %s: without it nobody could know later whether to put "
		               "anything back",
		               failed < 0 ? "/proc/sys/kernel/random/boot_id"
		                          : "/proc/self/ns/net");
	journal_format(kind, boot_id, netns, lines, len, draft);
	return 0;
}

/* The temporary file, whole and on the disk. */
static int write_temporary(int dir_fd, const struct journal_draft *draft)
{
	(void)unlinkat(dir_fd, TEMPORARY, 0); /* of a process that died here */
	int fd = openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                0600);

	if (fd < 0)
		return -errno;
	int failed = write_all(fd, draft->head, draft->head_len);

	if (failed == 0)
		failed = write_all(fd, draft->lines, draft->len);
	if (failed == 0)
		failed = write_all(fd, draft->tail, draft->tail_len);
	if (failed == 0 && fsync(fd) != 0)
		failed = -errno;
	if (close(fd) != 0 && failed == 0)
		failed = -errno;
	return failed;
}

/* After an error without `is_new` it may be in place nevertheless. */
static int put_in_place(int dir_fd, const struct journal_draft *draft, const char *name,
                        bool is_new)
{
	int failed = write_temporary(dir_fd, draft);

	if (failed == 0 && renameat(dir_fd, TEMPORARY, dir_fd, name) != 0)
		failed = -errno;
	if (failed < 0) {
		(void)unlinkat(dir_fd, TEMPORARY, 0);
		return failed;
	}
	if (fsync(dir_fd) == 0)
		return 0;
	failed = -errno;
	if (is_new)
		(void)unlinkat(dir_fd, name, 0);
	return failed;
}

static int check_lines(const char *kind, const char *lines, size_t len, struct err *err)
{
	if (!journal_lines_are_good(kind, lines, len))
		return err_set(err, -EINVAL, "a journal of lines that are none");
	if (len > JOURNAL_BYTES_MOST - 2 * JOURNAL_HEAD_BYTES)
		return err_set(err, -EFBIG, "a journal of more than %u bytes: do it in parts",
		               JOURNAL_BYTES_MOST);
	return 0;
}

int journal_write(const struct journal_dir *dir, const char *kind, const char *lines, size_t len,
                  uint64_t *number, struct err *err)
{
	static uint64_t numbers[JOURNALS_MOST];
	struct journal_draft draft = {.len = 0};
	char name[JOURNAL_NAME_BYTES];
	int failed = check_lines(kind, lines, len, err);

	if (failed < 0)
		return failed;
	int count = journal_list(dir, kind, numbers, JOURNALS_MOST, err);

	if (count == -E2BIG || count == JOURNALS_MOST)
		return err_set(err, -ENOSPC,
		               "there are %d journals of %s in %s already: revert them first",
		               JOURNALS_MOST, kind, JOURNAL_DIR);
	if (count < 0)
		return count;
	failed = make_draft(&draft, kind, lines, len, err);
	if (failed < 0)
		return failed;
	*number = count > 0 ? numbers[0] + 1 : 1;
	journal_name(name, kind, *number);
	failed = put_in_place(dir->fd, &draft, name, true);
	if (failed < 0)
		return err_set(err, failed, "cannot write %s/%s: %s: nothing was changed",
		               JOURNAL_DIR, name, strerror(-failed));
	return 0;
}

int journal_replace(const struct journal_dir *dir, const char *kind, uint64_t number,
                    const char *lines, size_t len, struct err *err)
{
	struct journal_draft draft = {.len = 0};
	char name[JOURNAL_NAME_BYTES];
	int failed = check_lines(kind, lines, len, err);

	if (failed == 0)
		failed = make_draft(&draft, kind, lines, len, err);
	if (failed < 0)
		return failed;
	journal_name(name, kind, number);
	failed = put_in_place(dir->fd, &draft, name, false);
	if (failed < 0)
		return err_set(err, failed, "cannot write %s/%s: %s", JOURNAL_DIR, name,
		               strerror(-failed));
	return 0;
}

/* ---- reading and removing ------------------------------------------------------------------- */

/* Opens a file that only root can have written; its size goes to *bytes. */
static int open_file(int dir_fd, const char *name, size_t *bytes, struct err *err)
{
	struct stat stat_of;
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno != ELOOP)
		return err_set(err, -errno, "%s", strerror(errno));
	if (fd < 0)
		return err_set(err, -EBADMSG, "it is a symbolic link");
	int failed = 0;

	if (fstat(fd, &stat_of) != 0)
		failed = err_set(err, -errno, "%s", strerror(errno));
	else if (!S_ISREG(stat_of.st_mode))
		failed = err_set(err, -EBADMSG, "it is no file");
	else if (stat_of.st_uid != 0 || (stat_of.st_mode & (S_IWGRP | S_IWOTH)))
		failed = err_set(err, -EBADMSG, "others than root may have written it");
	else if (stat_of.st_size > JOURNAL_BYTES_MOST)
		failed = err_set(err, -EBADMSG, "it is too large");
	if (failed < 0) {
		close(fd);
		return failed;
	}
	*bytes = (size_t)stat_of.st_size;
	return fd;
}

static int read_all(int fd, char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = read(fd, bytes + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		at += (size_t)n;
	}
	return 0;
}

/* Maps memory for the file, reads it, and parses it. */
static int read_file(int fd, size_t bytes, const char *kind, struct journal *out, struct err *err)
{
	char *map = map_private(bytes + 1);

	if (!map)
		return err_set(err, -ENOMEM, "there is no memory for it");
	int failed = read_all(fd, map, bytes);

	if (failed < 0)
		err_set(err, failed, "%s", strerror(-failed));
	else
		failed = journal_parse(map, bytes, kind, out, err);
	if (failed < 0) {
		map_drop(map, bytes + 1);
		return failed;
	}
	map[(size_t)(out->lines - map) + out->len] = '\0';
	out->map = map;
	out->map_bytes = bytes + 1;
	return 0;
}

int journal_read(const struct journal_dir *dir, const char *kind, uint64_t number,
                 struct journal *out, struct err *err)
{
	struct err why = {""};
	char name[JOURNAL_NAME_BYTES];
	size_t bytes = 0;

	*out = (struct journal){.number = number};
	journal_name(name, kind, number);
	int fd = open_file(dir->fd, name, &bytes, &why);
	int failed = fd < 0 ? fd : read_file(fd, bytes, kind, out, &why);

	if (fd >= 0)
		close(fd);
	if (failed == -EBADMSG)
		return err_set(
			err, failed,
			"%s/%s cannot be believed: %s; nothing was done with it: look at it, "
			"put back by hand what it names, then remove it",
			JOURNAL_DIR, name, why.text);
	if (failed < 0)
		return err_set(err, failed, "cannot read %s/%s: %s", JOURNAL_DIR, name, why.text);
	out->number = number;
	memcpy(out->name, name, sizeof(out->name));
	return 0;
}

void journal_free(struct journal *journal)
{
	map_drop(journal->map, journal->map_bytes);
	*journal = (struct journal){.number = 0};
}

int journal_drop(const struct journal_dir *dir, const char *kind, uint64_t number, struct err *err)
{
	char name[JOURNAL_NAME_BYTES];

	journal_name(name, kind, number);
	if (unlinkat(dir->fd, name, 0) != 0 || fsync(dir->fd) != 0)
		return err_set(err, -errno, "cannot remove %s/%s: %s", JOURNAL_DIR, name,
		               strerror(errno));
	return 0;
}
