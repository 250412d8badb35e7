/* unit_journal: journals in a /var/lib of the test's own. */
#include "kernel/journal.h"

#include "sealed.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PARENT      "/var/lib"
#define BOOT        "01234567-89ab-cdef-0123-456789abcdef"

static bool is_sealed;
static struct err err;
static char written[4096];

static int seal(void **state)
{
	static const char *const directories[] = {PARENT, NULL};

	(void)state;
	is_sealed = sealed_enter(directories);
	return 0;
}

/* A fresh /var/lib for each test, of a megabyte. */
static int fresh(void **state)
{
	(void)state;
	return !is_sealed || mount("sealed", PARENT, "tmpfs", 0, "mode=0755,size=1m") == 0 ? 0 : -1;
}

static int stale(void **state)
{
	(void)state;
	return !is_sealed || umount2(PARENT, MNT_DETACH) == 0 ? 0 : -1;
}

static void need_seal(void)
{
	if (is_sealed)
		return;
	print_message("skipped: no private mount namespace here\n");
	skip();
}

static void open_it(struct journal_dir *dir)
{
	need_seal();
	if (journal_open(dir, true, &err) != 0)
		fail_msg("%s", err.text);
}

static void put_file(const char *name, const char *bytes, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), JOURNAL_DIR "/%s", name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static size_t format(const char *kind, const char *lines)
{
	struct journal_draft draft;

	journal_format(kind, BOOT, 4026531840, lines, strlen(lines), &draft);
	return (size_t)snprintf(written, sizeof(written), "%s%s%s", draft.head, lines, draft.tail);
}

/* ---- the text ------------------------------------------------------------------------------- */

static void text_forth_and_back(void **state)
{
	struct journal journal;
	size_t len = format("settings", "a 1\nb 2\n");

	(void)state;
	assert_int_equal(journal_parse(written, len, "settings", &journal, &err), 0);
	assert_string_equal(journal.boot_id, BOOT);
	assert_int_equal(journal.netns, 4026531840);
	assert_int_equal(journal.len, 8);
	assert_memory_equal(journal.lines, "a 1\nb 2\n", 8);
	/* As it has always been written: journals outlive the program that wrote them. */
	assert_string_equal(written, "megaconn-journal 1 settings boot=" BOOT " netns=4026531840\n"
	                             "a 1\nb 2\nend 2 7f6b5dff\n");
}

static void text_damaged(void **state)
{
	struct journal journal;
	size_t len = format("settings", "net.core.somaxconn 4096 65535\nfs.nr_open 1 2\n");

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		char *copy = malloc(cut + 1);

		assert_non_null(copy);
		memcpy(copy, written, cut);
		err.text[0] = '\0';
		if (journal_parse(copy, cut, "settings", &journal, &err) != -EBADMSG)
			fail_msg("cut at %zu", cut);
		assert_true(err.text[0] != '\0');
		free(copy);
	}
	for (size_t at = 0; at < len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			written[at] = (char)(written[at] ^ 1 << bit);
			if (journal_parse(written, len, "settings", &journal, &err) != -EBADMSG)
				fail_msg("bit %d of byte %zu", bit, at);
			written[at] = (char)(written[at] ^ 1 << bit);
		}
	}
	assert_int_equal(journal_parse(written, len, "settings", &journal, &err), 0);
	assert_int_equal(journal_parse(written, len, "addresses", &journal, &err), -EBADMSG);
	assert_int_equal(journal_parse(written, len, "setting", &journal, &err), -EBADMSG);
	written[len] = '\n';
	assert_int_equal(journal_parse(written, len + 1, "settings", &journal, &err), -EBADMSG);
}

/* A right checksum alone makes no journal. */
static void text_checked_but_wrong(void **state)
{
	static const char *const bodies[] = {"", "a\nend 1 00000000\nb\n"};
	struct journal journal;

	(void)state;
	size_t len = format("settings", bodies[0]);

	assert_int_equal(journal_parse(written, len, "settings", &journal, &err), -EBADMSG);
	/* A line of its user may look like an end. */
	len = format("settings", bodies[1]);
	assert_int_equal(journal_parse(written, len, "settings", &journal, &err), 0);
	assert_int_equal(journal.len, strlen(bodies[1]));
	assert_false(journal_lines_are_good("settings", "a\n", 0));
	assert_false(journal_lines_are_good("settings", "a", 1));
	assert_false(journal_lines_are_good("settings", "a\0\n", 3));
	assert_false(journal_lines_are_good("", "a\n", 2));
	assert_false(journal_lines_are_good("Set", "a\n", 2));
	assert_false(journal_lines_are_good("a/b", "a\n", 2));
	assert_false(journal_lines_are_good("abcdefghijklmnopqrstuvwxyz", "a\n", 2));
	assert_true(journal_lines_are_good("settings", "\n", 1));
}

static void names(void **state)
{
	static const char *const others[] = {
		"settings-01.journal",
		"settings-.journal",
		"settings-1.journal~",
		"settings-1",
		"settings--1.journal",
		"settings-1-journal",
		"setting-1.journal",
		".journal",
		"settingss-1.journal",
		"settings-x.journal",
		"journal.tmp",
		"",
		"settings-99999999999999999999.journal",
		"settings-1.journal.tmp",
		"settings-1000000000000000000.journal",
	};
	char name[JOURNAL_NAME_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (journal_number_of(others[i], "settings") != -1)
			fail_msg("%s", others[i]);
	}
	journal_name(name, "settings", 17);
	assert_string_equal(name, "settings-17.journal");
	assert_int_equal(journal_number_of(name, "settings"), 17);
	assert_int_equal(journal_number_of("settings-0.journal", "settings"), 0);
	assert_int_equal(journal_number_of("settings-999999999999999999.journal", "settings"),
	                 999999999999999999);
}

static void boot_ids(void **state)
{
	static const char *const bad[] = {
		"",
		BOOT,
		"01234567-89ab-cdef-0123-456789abcdef \n",
		"01234567-89ab-cdef-0123-456789abcdeF\n",
		"01234567089ab-cdef-0123-456789abcdef\n",
		"01234567-89ab-cdef-0123-456789abcde\n",
	};
	char id[JOURNAL_BOOT_ID_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(journal_parse_boot_id(bad[i], strlen(bad[i]), id), -EBADMSG);
	assert_int_equal(journal_parse_boot_id(BOOT "\n", sizeof(BOOT), id), 0);
	assert_string_equal(id, BOOT);
}

/* ---- the files ------------------------------------------------------------------------------ */

static void write_list_read_drop(void **state)
{
	struct journal_dir dir;
	struct journal journal;
	struct stat stat_of;
	uint64_t number = 0, numbers[4];

	(void)state;
	open_it(&dir);
	assert_int_equal(stat(JOURNAL_DIR, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0700);
	assert_int_equal(journal_list(&dir, "settings", numbers, 4, &err), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(journal_write(&dir, "settings", "x 1\n", 4, &number, &err), 0);
		assert_int_equal(number, i);
	}
	assert_int_equal(journal_write(&dir, "addresses", "y\nz\n", 4, &number, &err), 0);
	assert_int_equal(number, 1);
	assert_int_equal(journal_drop(&dir, "settings", 2, &err), 0);
	assert_int_equal(journal_list(&dir, "settings", numbers, 4, &err), 2);
	assert_int_equal(numbers[0], 3);
	assert_int_equal(numbers[1], 1);
	assert_int_equal(journal_list(&dir, "settings", numbers, 1, &err), -E2BIG);
	journal_close(&dir);

	assert_int_equal(journal_open(&dir, false, &err), 0);
	assert_int_equal(journal_read(&dir, "addresses", 1, &journal, &err), 0);
	assert_string_equal(journal.lines, "y\nz\n");
	assert_string_equal(journal.name, "addresses-1.journal");
	assert_int_equal(journal.number, 1);
	assert_true(journal_is_of_this_boot(&journal));
	assert_true(journal_is_of_this_netns(&journal));
	journal.boot_id[0] = journal.boot_id[0] == '0' ? '1' : '0';
	journal.netns++;
	assert_false(journal_is_of_this_boot(&journal));
	assert_false(journal_is_of_this_netns(&journal));
	journal_free(&journal);
	assert_int_equal(stat(JOURNAL_DIR "/addresses-1.journal", &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0600);
	assert_int_equal(journal_drop(&dir, "addresses", 1, &err), 0);
	assert_int_equal(journal_drop(&dir, "addresses", 1, &err), -ENOENT);
	assert_int_equal(journal_read(&dir, "addresses", 1, &journal, &err), -ENOENT);
	assert_string_equal(err.text, "cannot read /var/lib/megaconn/addresses-1.journal: No such "
	                              "file or directory");
	/* The numbers go on above those that are left. */
	assert_int_equal(journal_write(&dir, "settings", "x 1\n", 4, &number, &err), 0);
	assert_int_equal(number, 4);
	journal_close(&dir);
}

static void replaced(void **state)
{
	struct journal_dir dir;
	struct journal journal;
	uint64_t number, numbers[4];

	(void)state;
	open_it(&dir);
	assert_int_equal(journal_write(&dir, "settings", "x 1\n", 4, &number, &err), 0);
	assert_int_equal(journal_replace(&dir, "settings", number, "x 2\ny\n", 6, &err), 0);
	assert_int_equal(journal_list(&dir, "settings", numbers, 4, &err), 1);
	assert_int_equal(journal_read(&dir, "settings", number, &journal, &err), 0);
	assert_string_equal(journal.lines, "x 2\ny\n");
	journal_free(&journal);
	assert_int_equal(journal_replace(&dir, "settings", number, "x", 1, &err), -EINVAL);
	assert_int_equal(mount(NULL, PARENT, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(journal_replace(&dir, "settings", number, "x\n", 2, &err), -EROFS);
	assert_int_equal(journal_read(&dir, "settings", number, &journal, &err), 0);
	assert_string_equal(journal.lines, "x 2\ny\n");
	journal_free(&journal);
	journal_close(&dir);
}

static void directory_refused(void **state)
{
	struct journal_dir dir;

	(void)state;
	need_seal();
	assert_int_equal(journal_open(&dir, false, &err), -ENOENT);
	assert_int_equal(dir.fd, -1);
	journal_close(&dir);
	assert_int_equal(symlink("/tmp", JOURNAL_DIR), 0);
	assert_int_equal(journal_open(&dir, true, &err), -EPERM);
	assert_string_equal(err.text,
	                    "/var/lib/megaconn is no directory: look at it, and remove it");
	assert_int_equal(unlink(JOURNAL_DIR), 0);
	assert_int_equal(close(open(JOURNAL_DIR, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(journal_open(&dir, true, &err), -EPERM);
	assert_int_equal(unlink(JOURNAL_DIR), 0);
	assert_int_equal(mkdir(JOURNAL_DIR, 0700), 0);
	assert_int_equal(chmod(JOURNAL_DIR, 0720), 0);
	assert_int_equal(journal_open(&dir, true, &err), -EPERM);
	assert_non_null(strstr(err.text, "chmod go-w /var/lib/megaconn"));
	assert_int_equal(chmod(JOURNAL_DIR, 0702), 0);
	assert_int_equal(journal_open(&dir, true, &err), -EPERM);
	assert_int_equal(chmod(JOURNAL_DIR, 0755), 0);
	assert_int_equal(journal_open(&dir, true, &err), 0);
	journal_close(&dir);
	if (!sealed_is_real_root())
		return;
	assert_int_equal(chown(JOURNAL_DIR, 65534, 65534), 0);
	assert_int_equal(journal_open(&dir, true, &err), -EPERM);
	assert_non_null(strstr(err.text, "is not root's"));
}

static void read_only(void **state)
{
	struct journal_dir dir;
	uint64_t number;

	(void)state;
	need_seal();
	assert_int_equal(mount(NULL, PARENT, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(journal_open(&dir, true, &err), -EROFS);
	assert_non_null(strstr(err.text, "cannot make /var/lib/megaconn"));
	assert_int_equal(mount(NULL, PARENT, NULL, MS_REMOUNT, NULL), 0);
	open_it(&dir);
	assert_int_equal(mount(NULL, PARENT, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(journal_write(&dir, "settings", "x\n", 2, &number, &err), -EROFS);
	assert_non_null(strstr(err.text, "nothing was changed"));
	journal_close(&dir);
}

/* A disk that fills up while it is written, and what a process that died has left. */
static void no_room(void **state)
{
	struct journal_dir dir;
	uint64_t number, numbers[4];
	size_t len = 2U << 20;
	char *lines = malloc(len);

	(void)state;
	assert_non_null(lines);
	open_it(&dir);
	memset(lines, 'x', len);
	lines[len - 1] = '\n';
	assert_int_equal(journal_write(&dir, "settings", lines, len, &number, &err), -ENOSPC);
	assert_int_equal(journal_list(&dir, "settings", numbers, 4, &err), 0);
	assert_int_equal(access(JOURNAL_DIR "/journal.tmp", F_OK), -1);
	put_file("journal.tmp", "half", 4);
	assert_int_equal(journal_write(&dir, "settings", "x\n", 2, &number, &err), 0);
	assert_int_equal(access(JOURNAL_DIR "/journal.tmp", F_OK), -1);
	/* Nor does a link that somebody has put there lead anywhere. */
	assert_int_equal(symlink("../victim", JOURNAL_DIR "/journal.tmp"), 0);
	assert_int_equal(journal_write(&dir, "settings", "x\n", 2, &number, &err), 0);
	assert_int_equal(access(PARENT "/victim", F_OK), -1);
	assert_int_equal(journal_write(&dir, "settings", "x", 1, &number, &err), -EINVAL);
	journal_close(&dir);
	free(lines);
}

static void too_large(void **state)
{
	struct journal_dir dir;
	uint64_t number;
	size_t len = JOURNAL_BYTES_MOST;
	char *lines = malloc(len);

	(void)state;
	assert_non_null(lines);
	open_it(&dir);
	memset(lines, '\n', len);
	assert_int_equal(journal_write(&dir, "settings", lines, len, &number, &err), -EFBIG);
	journal_close(&dir);
	free(lines);
}

static void too_many(void **state)
{
	static uint64_t numbers[JOURNALS_MOST];
	struct journal_dir dir;
	uint64_t number;
	char name[JOURNAL_NAME_BYTES];

	(void)state;
	open_it(&dir);
	for (uint64_t i = 0; i < JOURNALS_MOST - 1; i++) {
		journal_name(name, "settings", i * 7919 % JOURNALS_MOST + 5);
		put_file(name, "", 0);
	}
	assert_int_equal(journal_write(&dir, "settings", "x\n", 2, &number, &err), 0);
	assert_int_equal(number, JOURNALS_MOST + 5);
	assert_int_equal(journal_write(&dir, "settings", "x\n", 2, &number, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "revert them first"));
	assert_int_equal(journal_list(&dir, "settings", numbers, JOURNALS_MOST, &err),
	                 JOURNALS_MOST);
	for (uint32_t i = 1; i < JOURNALS_MOST; i++)
		assert_true(numbers[i] < numbers[i - 1]);
	journal_close(&dir);
}

static void not_believed(struct journal_dir *dir, const char *why)
{
	struct journal journal;

	assert_int_equal(journal_read(dir, "settings", 1, &journal, &err), -EBADMSG);
	if (!strstr(err.text, why) ||
	    !strstr(err.text, "/var/lib/megaconn/settings-1.journal cannot be believed"))
		fail_msg("%s (%s)", err.text, why);
	assert_null(journal.map);
	struct stat stat_of;

	assert_int_equal(lstat(JOURNAL_DIR "/settings-1.journal", &stat_of), 0);
}

static void foreign_files(void **state)
{
	struct journal_dir dir;
	size_t len = format("settings", "x 1\n");

	(void)state;
	open_it(&dir);
	put_file("settings-1.journal", "", 0);
	not_believed(&dir, "it is empty");
	put_file("settings-1.journal", "hello\n", 6);
	not_believed(&dir, "it is no journal");
	put_file("settings-1.journal", written, len - 1);
	not_believed(&dir, "its end is missing");
	written[len - 2] = written[len - 2] == '0' ? '1' : '0';
	put_file("settings-1.journal", written, len);
	not_believed(&dir, "its checksum is wrong");
	len = format("addresses", "x 1\n");
	put_file("settings-1.journal", written, len);
	not_believed(&dir, "another kind");
	len = format("settings", "x 1\n");
	put_file("settings-1.journal", written, len);
	assert_int_equal(chmod(JOURNAL_DIR "/settings-1.journal", 0660), 0);
	not_believed(&dir, "others than root");
	assert_int_equal(rename(JOURNAL_DIR "/settings-1.journal", JOURNAL_DIR "/x"), 0);
	assert_int_equal(chmod(JOURNAL_DIR "/x", 0600), 0);
	assert_int_equal(symlink("x", JOURNAL_DIR "/settings-1.journal"), 0);
	not_believed(&dir, "symbolic link");
	assert_int_equal(unlink(JOURNAL_DIR "/settings-1.journal"), 0);
	assert_int_equal(mkdir(JOURNAL_DIR "/settings-1.journal", 0700), 0);
	not_believed(&dir, "it is no file");
	assert_int_equal(rmdir(JOURNAL_DIR "/settings-1.journal"), 0);
	assert_int_equal(mkfifo(JOURNAL_DIR "/settings-1.journal", 0600), 0);
	not_believed(&dir, "it is no file");
	assert_int_equal(unlink(JOURNAL_DIR "/settings-1.journal"), 0);
	put_file("settings-1.journal", "x", 1);
	assert_int_equal(truncate(JOURNAL_DIR "/settings-1.journal", JOURNAL_BYTES_MOST + 1), 0);
	not_believed(&dir, "too large");
	journal_close(&dir);
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* A child that holds the lock for so long. */
static pid_t hold_lock(unsigned int ms)
{
	struct journal_dir dir;
	int pipe_fds[2];
	char byte;

	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		if (journal_open(&dir, true, NULL) != 0 || write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		clock_sleep_ns(ms * NS_PER_MS);
		_exit(0);
	}
	assert_true(pid > 0);
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	close(pipe_fds[0]);
	return pid;
}

static void lock_waits(void **state)
{
	struct journal_dir dir;
	uint64_t begin = clock_now_ns();

	(void)state;
	need_seal();
	pid_t pid = hold_lock(400);

	assert_int_equal(journal_open(&dir, false, &err), 0);
	assert_true(clock_now_ns() - begin >= 400 * NS_PER_MS);
	journal_close(&dir);
	waitpid(pid, NULL, 0);
}

static void lock_gives_up(void **state)
{
	struct journal_dir dir;
	uint64_t begin = clock_now_ns();

	(void)state;
	need_seal();
	pid_t pid = hold_lock(60000);

	assert_int_equal(journal_open(&dir, false, &err), -EBUSY);
	assert_true(clock_now_ns() - begin >= 5 * NS_PER_S);
	assert_non_null(strstr(err.text, "another megaconn"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(journal_open(&dir, false, &err), 0);
	journal_close(&dir);
}

/* A namespace entered after it was written is another one. */
static void other_namespace(void **state)
{
	struct journal_dir dir;
	struct journal journal;
	uint64_t number;
	int status = 1;

	(void)state;
	open_it(&dir);
	assert_int_equal(journal_write(&dir, "settings", "x\n", 2, &number, &err), 0);
	assert_int_equal(journal_read(&dir, "settings", number, &journal, &err), 0);
	pid_t pid = fork();

	if (pid == 0) {
		bool is_moved = unshare(CLONE_NEWNET) == 0;

		_exit(is_moved && !journal_is_of_this_netns(&journal) &&
		                      journal_is_of_this_boot(&journal)
		              ? 0
		              : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	journal_free(&journal);
	journal_close(&dir);
}

#define IN_FRESH(name) cmocka_unit_test_setup_teardown(name, fresh, stale)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_forth_and_back),
		cmocka_unit_test(text_damaged),
		cmocka_unit_test(text_checked_but_wrong),
		cmocka_unit_test(names),
		cmocka_unit_test(boot_ids),
		IN_FRESH(write_list_read_drop),
		IN_FRESH(replaced),
		IN_FRESH(directory_refused),
		IN_FRESH(read_only),
		IN_FRESH(no_room),
		IN_FRESH(too_large),
		IN_FRESH(too_many),
		IN_FRESH(foreign_files),
		IN_FRESH(lock_waits),
		IN_FRESH(lock_gives_up),
		IN_FRESH(other_namespace),
	};

	return cmocka_run_group_tests(tests, seal, NULL);
}
