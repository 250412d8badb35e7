/* persist: two small files, by way of temporary ones beside them whose names neither sysctl nor
 * pam_limits reads (they end in .new).
 *
 * fs.nr_open is raised before limits above it are set: the file of settings comes first and goes
 * last, and it has fs.nr_open where the limits need more than the kernel starts with. */
#include "kernel/persist.h"

#include "base/text.h"
#include "kernel/sysctl.h"
#include "kernel/write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK          "# Written by megaconn tune persist."
#define NAME          "60-megaconn.conf"
#define TEMPORARY     NAME ".new"
#define NR_OPEN       "fs.nr_open"
#define NR_OPEN_FIRST (UINT64_C(1024) * 1024) /* what a kernel starts with (fs/file.c) */
#define TEXT_BYTES    (1024 + SETTINGS_MOST * (SETTINGS_NAME_BYTES + SETTINGS_VALUE_BYTES + 8))

static const char *const directories[] = {
	[PERSIST_SYSCTL] = "/etc/sysctl.d",
	[PERSIST_LIMITS] = "/etc/security/limits.d",
};
static const char *const paths[] = {
	[PERSIST_SYSCTL] = "/etc/sysctl.d/" NAME,
	[PERSIST_LIMITS] = "/etc/security/limits.d/" NAME,
};

const char *persist_path(enum persist_file which)
{
	return paths[which];
}

/* ---- what they say -------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int persist_init(struct persist *persist, const struct settings_list *settings, uint64_t nofile,
                 bool is_chosen, struct err *err)
{
	struct rlimit now;
	uint64_t nr_open;
	int failed = sysctl_get_u64(NR_OPEN, &nr_open);

	if (failed < 0)
		return err_set(err, failed, "cannot read " NR_OPEN ": %s", strerror(-failed));
	if (nofile > PERSIST_NOFILE_MOST)
		return err_set(err, -EPERM,
		               "%" PRIu64 " open files: no process can have more than %u; choose "
		               "fewer (--nofile)",
		               nofile, PERSIST_NOFILE_MOST);
	if (nofile > nr_open)
		return err_set(err, -EPERM,
		               "%" PRIu64 " open files are more than " NR_OPEN " allows (%" PRIu64
		               "): nobody could log in with such a limit. First: sysctl -w " NR_OPEN
		               "=%" PRIu64 ", or choose fewer (--nofile)",
		               nofile, nr_open, nofile);
	*persist = (struct persist){.settings = settings,
	                            .nofile_soft = nofile,
	                            .nofile_hard = nofile,
	                            .nr_open = nr_open};
	if (is_chosen)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &now) != 0)
		return err_set(err, -errno, "cannot read RLIMIT_NOFILE: %s", strerror(errno));
	persist->nofile_soft = smaller(larger(nofile, now.rlim_cur), nr_open);
	persist->nofile_hard = smaller(larger(nofile, now.rlim_max), nr_open);
	return 0;
}

/* With blanks for the tabs that the kernel writes between numbers. */
static void put_value(struct text *t, const char *value)
{
	for (; *value != '\0'; value++)
		text_add(t, "%c", *value == '\t' ? ' ' : *value);
}

static void put_settings(struct text *t, const struct persist *persist)
{
	bool needs_nr_open = persist->nofile_hard > NR_OPEN_FIRST;

	for (uint32_t i = 0; i < persist->settings->count; i++) {
		const struct settings_record *record = &persist->settings->records[i];

		if (strcmp(record->name, NR_OPEN) == 0)
			needs_nr_open = false;
		/* An empty list of ports is what there is without a line. */
		if (record->raised[0] == '\0')
			continue;
		text_add(t, "%s = ", record->name);
		put_value(t, record->raised);
		text_add(t, "\n");
	}
	if (needs_nr_open)
		text_add(t, "# The limits in %s need it.\n" NR_OPEN " = %" PRIu64 "\n",
		         paths[PERSIST_LIMITS], persist->nr_open);
}

static void put_limits(struct text *t, const struct persist *persist)
{
	static const char *const who[] = {"*", "root"}; /* the asterisk does not mean root */

	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++)
		text_add(t, "%-5s soft  nofile  %" PRIu64 "\n%-5s hard  nofile  %" PRIu64 "\n",
		         who[i], persist->nofile_soft, who[i], persist->nofile_hard);
}

const char *persist_text(const struct persist *persist, enum persist_file which)
{
	static char bytes[TEXT_BYTES]; /* enough for the longest list */
	struct text t;

	text_init(&t, bytes, sizeof(bytes));
	text_add(&t, MARK " To take it back: megaconn tune unpersist\n");
	if (which == PERSIST_SYSCTL)
		put_settings(&t, persist);
	else
		put_limits(&t, persist);
	return bytes;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int cannot(const char *what, const char *path, int code, struct err *err)
{
	return err_set(err, code, "cannot %s %s: %s", what, path, strerror(-code));
}

static int open_directory(enum persist_file which, struct err *err)
{
	int fd = open(directories[which], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, -ENOENT,
		               "%s is not there: this system does not read such files (or: mkdir "
		               "-p %s)",
		               directories[which], directories[which]);
	return fd < 0 ? cannot("open", directories[which], -errno, err) : fd;
}

/* Whether the file at this descriptor begins with our line. */
static int is_ours(int fd)
{
	char start[sizeof(MARK) - 1];
	struct stat stat_of;

	if (fstat(fd, &stat_of) != 0)
		return -errno;
	if (!S_ISREG(stat_of.st_mode))
		return 0;
	ssize_t len = read(fd, start, sizeof(start));

	if (len < 0)
		return -errno;
	return (size_t)len == sizeof(start) && memcmp(start, MARK, sizeof(start)) == 0;
}

int persist_look(enum persist_file which, struct err *err)
{
	int fd = open(paths[which], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return PERSIST_NONE;
	if (fd < 0 && errno == ELOOP)
		return PERSIST_FOREIGN;
	if (fd < 0)
		return cannot("open", paths[which], -errno, err);
	int ours = is_ours(fd);

	close(fd);
	if (ours < 0)
		return cannot("read", paths[which], ours, err);
	return ours ? PERSIST_OURS : PERSIST_FOREIGN;
}

int persist_check(struct err *err)
{
	for (enum persist_file which = 0; which < PERSIST_FILE_COUNT; which++) {
		int fd = open_directory(which, err);

		if (fd < 0)
			return fd;
		close(fd);
		int state = persist_look(which, err);

		if (state < 0)
			return state;
		if (state == PERSIST_FOREIGN)
			return err_set(
				err, -EEXIST,
				"%s is there and not megaconn's: look at it, and move it away",
				paths[which]);
	}
	return 0;
}

/* The temporary file, whole and on the disk; what a process that died has left goes first. */
static int write_temporary(int dir_fd, const char *text)
{
	(void)unlinkat(dir_fd, TEMPORARY, 0);
	int fd = openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                0600);

	if (fd < 0)
		return -errno;
	int failed = write_all(fd, text, strlen(text));

	/* Everybody may read it, whatever the umask is. */
	if (failed == 0 && (fchmod(fd, 0644) != 0 || fsync(fd) != 0))
		failed = -errno;
	if (close(fd) != 0 && failed == 0)
		failed = -errno;
	if (failed < 0)
		(void)unlinkat(dir_fd, TEMPORARY, 0);
	return failed;
}

static int put_in_place(int dir_fd)
{
	int failed = renameat(dir_fd, TEMPORARY, dir_fd, NAME) == 0 ? 0 : -errno;

	if (failed < 0)
		(void)unlinkat(dir_fd, TEMPORARY, 0);
	else if (fsync(dir_fd) != 0)
		failed = -errno;
	return failed;
}

/* Both temporary files before either is put in its place: a full disk is found out in time. */
static int write_both(const struct persist *persist, const int fds[PERSIST_FILE_COUNT],
                      struct err *err)
{
	int failed = 0;

	for (enum persist_file which = 0; which < PERSIST_FILE_COUNT; which++) {
		failed = write_temporary(fds[which], persist_text(persist, which));
		if (failed < 0 && which == PERSIST_LIMITS)
			(void)unlinkat(fds[PERSIST_SYSCTL], TEMPORARY, 0);
		if (failed < 0)
			return cannot("write", paths[which], failed, err);
	}
	for (enum persist_file which = 0; which < PERSIST_FILE_COUNT; which++) {
		failed = put_in_place(fds[which]);
		if (failed < 0 && which == PERSIST_SYSCTL)
			(void)unlinkat(fds[PERSIST_LIMITS], TEMPORARY, 0);
		if (failed < 0)
			return cannot("write", paths[which], failed, err);
	}
	return 0;
}

int persist_write(const struct persist *persist, struct err *err)
{
	int fds[PERSIST_FILE_COUNT] = {-1, -1};
	int failed = persist_check(err);

	if (failed < 0)
		return failed;
	for (enum persist_file which = 0; which < PERSIST_FILE_COUNT && failed >= 0; which++) {
		fds[which] = open_directory(which, err);
		failed = fds[which] < 0 ? fds[which] : 0;
	}
	if (failed == 0)
		failed = write_both(persist, fds, err);
	for (enum persist_file which = 0; which < PERSIST_FILE_COUNT; which++) {
		if (fds[which] >= 0)
			close(fds[which]);
	}
	return failed;
}

int persist_remove(enum persist_file which, struct err *err)
{
	int fd = open_directory(which, err);

	if (fd < 0)
		return fd;
	int failed = unlinkat(fd, NAME, 0) == 0 && fsync(fd) == 0 ? 0 : -errno;

	close(fd);
	return failed < 0 ? cannot("remove", paths[which], failed, err) : 0;
}
