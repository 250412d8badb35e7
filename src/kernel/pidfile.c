/* pidfile: a file that names exactly one process.
 *
 * A pidfd (pidfd_open, 5.3) stays with its process when the process id becomes free. It is opened
 * first, and the start time read after it: if the time is the one in the file, the process that has
 * the id now is the file's, and since it has it since before the pidfd was opened, the pidfd is its
 * too. Without pidfds kill(2) follows the look at the start time, as closely as can be.
 *
 * A zombie counts as gone: it holds nothing, and only its parent can take it away. */
#include "kernel/pidfile.h"

#include "base/clock.h"
#include "base/unit.h"
#include "kernel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAT_BYTES  1024
#define START_FIELD 22                         /* of /proc/PID/stat, counted from 1 */
#define LOOK_NS     (UINT64_C(10) * NS_PER_MS) /* between looks where there is no pidfd */

/* ---- texts ---------------------------------------------------------------------------------- */

int pidfile_parse(const char *text, size_t len, struct pidfile_process *out)
{
	const char *at = text, *end = text + len;
	uint64_t pid, start;

	if (!unit_take_digits(&at, end, &pid) || at == end || *at++ != ' ' ||
	    !unit_take_digits(&at, end, &start) || at == end || *at++ != '\n' || at != end)
		return -EINVAL;
	/* kill(2) takes 0 and less for groups of processes. */
	if (pid < 1 || pid > INT32_MAX)
		return -EINVAL;
	*out = (struct pidfile_process){.pid = (pid_t)pid, .start = start};
	return 0;
}

int pidfile_parse_stat(const char *text, size_t len, char *state, uint64_t *start)
{
	const char *end = text + len;
	const char *at = len > 0 ? memrchr(text, ')', len) : NULL;

	if (!at || end - at < 3 || at[1] != ' ')
		return -EINVAL;
	*state = at[2];
	/* From the end of the second field, the name, to the blank before the one with the time. */
	for (int field = 2; field < START_FIELD; field++) {
		at = memchr(at + 1, ' ', (size_t)(end - at - 1));
		if (!at)
			return -EINVAL;
	}
	at++;
	/* A number that the end of the text cuts is another number. */
	if (!unit_take_digits(&at, end, start) || at == end || *at != ' ')
		return -EINVAL;
	return 0;
}

/* ---- processes ------------------------------------------------------------------------------ */

/* When the process with this id started; -ESRCH where there is none, or a zombie. */
static int read_start(pid_t pid, uint64_t *start)
{
	char path[32], text[STAT_BYTES], state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	long len = probe_read_file(path, text, sizeof(text));

	if (len < 0)
		return len == -ENOENT ? -ESRCH : (int)len;
	if (pidfile_parse_stat(text, (size_t)len, &state, start) != 0)
		return -EBADMSG;
	return state == 'Z' || state == 'X' ? -ESRCH : 0;
}

/* 1 where it lives, 0 where it does not, or a negative errno where that cannot be known. */
static int lives(const struct pidfile_process *who)
{
	uint64_t start;
	int failed = read_start(who->pid, &start);

	if (failed == -ESRCH)
		return 0;
	return failed < 0 ? failed : start == who->start;
}

static bool is_same(const struct pidfile_process *a, const struct pidfile_process *b)
{
	return a->pid == b->pid && a->start == b->start;
}

/* ---- the file, with the directory locked ---------------------------------------------------- */

static int cannot(const struct pidfile *file, const char *what, int code, struct err *err)
{
	return err_set(err, code, "cannot %s %s: %s", what, file->path, strerror(-code));
}

/* Locks the directory of the file; returns a descriptor to close. */
static int lock(const struct pidfile *file, struct err *err)
{
	char dir[PIDFILE_PATH_BYTES];
	const char *slash = strrchr(file->path, '/');
	size_t len = slash ? (size_t)(slash - file->path) : 0;

	if (slash && len > 0)
		snprintf(dir, sizeof(dir), "%.*s", (int)len, file->path);
	else
		snprintf(dir, sizeof(dir), "%s", slash ? "/" : ".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", dir, strerror(errno));
	while (flock(fd, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		int failed = err_set(err, -errno, "cannot lock %s: %s", dir, strerror(errno));

		close(fd);
		return failed;
	}
	return fd;
}

/* Who the file names: enum pidfile_state, or a negative errno with the sentence. */
static int look(const struct pidfile *file, struct pidfile_process *who, struct err *err)
{
	char text[64];
	long len = probe_read_file(file->path, text, sizeof(text));

	*who = (struct pidfile_process){0};
	if (len == -ENOENT)
		return PIDFILE_NONE;
	if (len < 0)
		return cannot(file, "read", (int)len, err);
	if (pidfile_parse(text, (size_t)len, who) != 0)
		return err_set(err, -EBADMSG,
		               "%s is no pidfile of megaconn's: look at it, and remove it",
		               file->path);
	int alive = lives(who);

	if (alive < 0)
		return err_set(err, alive, "cannot see whether pid %d still runs: %s", who->pid,
		               strerror(-alive));
	return alive ? PIDFILE_LIVE : PIDFILE_STALE;
}

/* Writes this process into the file, which appears whole. */
static int write_self(const struct pidfile *file, struct pidfile_process *self, struct err *err)
{
	char temporary[PIDFILE_PATH_BYTES + 16], text[64];
	struct pidfile_process me = {.pid = getpid()};
	int failed = read_start(me.pid, &me.start);

	if (failed < 0)
		return err_set(err, failed, "cannot read /proc/self/stat: %s", strerror(-failed));
	snprintf(temporary, sizeof(temporary), "%s.%d", file->path, me.pid);
	int len = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", me.pid, me.start);

	(void)unlink(temporary); /* of an earlier process of this id, which died right here */
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return cannot(file, "create", -errno, err);
	ssize_t written = write(fd, text, (size_t)len);

	failed = written < 0 ? -errno : written != len ? -ENOSPC : 0;
	close(fd);
	if (failed == 0 && rename(temporary, file->path) != 0)
		failed = -errno;
	if (failed < 0) {
		(void)unlink(temporary);
		return cannot(file, "write", failed, err);
	}
	*self = me;
	return 0;
}

int pidfile_claim(const struct pidfile *file, struct pidfile_process *self, struct err *err)
{
	struct pidfile_process other;
	int fd = lock(file, err);

	if (fd < 0)
		return fd;
	int rc = look(file, &other, err);

	if (rc == PIDFILE_LIVE)
		rc = err_set(err, -EEXIST, "the %s already runs (pid %d): %s first", file->what,
		             other.pid, file->stop);
	else if (rc >= 0)
		rc = write_self(file, self, err);
	close(fd);
	return rc;
}

int pidfile_pass(const struct pidfile *file, const struct pidfile_process *from,
                 struct pidfile_process *self, struct err *err)
{
	struct pidfile_process named;
	int fd = lock(file, err);

	if (fd < 0)
		return fd;
	int rc = look(file, &named, err);

	if (rc >= 0 && !is_same(&named, from))
		rc = err_set(err, -ESRCH, "%s was taken by another process", file->path);
	else if (rc >= 0)
		rc = write_self(file, self, err);
	close(fd);
	return rc;
}

void pidfile_release(const struct pidfile *file, const struct pidfile_process *who)
{
	struct pidfile_process named;
	int fd = lock(file, NULL);

	if (fd < 0)
		return;
	if (look(file, &named, NULL) > PIDFILE_NONE && is_same(&named, who))
		(void)unlink(file->path);
	close(fd);
}

int pidfile_check(const struct pidfile *file, struct pidfile_process *who, struct err *err)
{
	return look(file, who, err);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* A process that is to end: by pidfd, or (fd -1) by its id. */
struct target {
	struct pidfile_process who;
	int fd;
};

/* Takes hold of the process; -ESRCH where it is gone. */
static int take_hold(struct target *target, bool without_pidfd)
{
	target->fd = -1;
	if (!without_pidfd) {
		target->fd = (int)syscall(SYS_pidfd_open, target->who.pid, 0);
		if (target->fd < 0 && errno == ESRCH)
			return -ESRCH;
		/* Else: not there (ENOSYS), or forbidden by a filter that is older than it. */
	}
	int alive = lives(&target->who);

	if (alive > 0)
		return 0;
	if (target->fd >= 0)
		close(target->fd);
	target->fd = -1;
	return alive < 0 ? alive : -ESRCH;
}

static int send(const struct target *target, int signal)
{
	long rc;

	if (target->fd >= 0)
		rc = syscall(SYS_pidfd_send_signal, target->fd, signal, NULL, 0);
	else if (lives(&target->who) == 0)
		return -ESRCH;
	else
		rc = kill(target->who.pid, signal);
	return rc == 0 ? 0 : -errno;
}

/* Waits for the end of the process; false where it is not reached in time. */
static bool wait_gone(const struct target *target, uint64_t patience_ns)
{
	uint64_t until = clock_now_ns() + patience_ns;

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t left_ms = now < until ? (until - now + NS_PER_MS - 1) / NS_PER_MS : 0;
		struct pollfd poll_fd = {.fd = target->fd, .events = POLLIN};

		if (target->fd < 0 && lives(&target->who) == 0)
			return true;
		if (target->fd >= 0 &&
		    poll(&poll_fd, 1, left_ms > 60000 ? 60000 : (int)left_ms) == 1)
			return true;
		if (left_ms == 0)
			return false;
		if (target->fd < 0)
			clock_sleep_ns(LOOK_NS);
	}
}

/* Signals and waits; 0, -ETIMEDOUT, or why it cannot be signalled. */
static int end_by(const struct target *target, int signal, uint64_t patience_ns)
{
	int failed = send(target, signal);

	if (failed == -ESRCH)
		return 0;
	if (failed < 0)
		return failed;
	return wait_gone(target, patience_ns) ? 0 : -ETIMEDOUT;
}

static int end_target(const struct pidfile *file, const struct target *target,
                      const struct pidfile_patience *patience, struct err *err)
{
	int end = PIDFILE_ENDED;
	int failed = end_by(target, SIGTERM, patience->term_ns);

	if (failed == -ETIMEDOUT) {
		end = PIDFILE_KILLED;
		failed = end_by(target, SIGKILL, patience->kill_ns);
	}
	if (failed == 0)
		return end;
	if (failed == -ETIMEDOUT)
		return err_set(err, failed,
		               "the %s (pid %d) was killed, and is not gone yet: the kernel is "
		               "still closing what it had open; look again later",
		               file->what, target->who.pid);
	return err_set(err, failed, "cannot end the %s (pid %d): %s%s", file->what, target->who.pid,
	               strerror(-failed), failed == -EPERM ? ": it is another user's" : "");
}

int pidfile_stop(const struct pidfile *file, const struct pidfile_patience *patience,
                 struct pidfile_process *who, struct err *err)
{
	int state = look(file, who, err);

	if (state < 0 || state == PIDFILE_NONE)
		return state < 0 ? state : PIDFILE_NOT_RUNNING;
	struct target target = {.who = *who};
	int end = take_hold(&target, patience->without_pidfd);

	if (end == -ESRCH)
		end = PIDFILE_NOT_RUNNING;
	else if (end < 0)
		return err_set(err, end, "cannot see whether pid %d still runs: %s", who->pid,
		               strerror(-end));
	else
		end = end_target(file, &target, patience, err);
	if (target.fd >= 0)
		close(target.fd);
	/* Most remove it themselves when they end in order. */
	if (end >= 0)
		pidfile_release(file, who);
	return end;
}

/* ---- where ---------------------------------------------------------------------------------- */

static int check_dir(const char *dir, bool is_chosen, struct err *err)
{
	struct stat stat;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_chosen ? 0 : O_NOFOLLOW);
	int fd = open(dir, flags);

	if (fd < 0)
		return err_set(err, errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno,
		               "%s is no directory: remove it, or choose one (MEGACONN_RUN_DIR)",
		               dir);
	int failed = fstat(fd, &stat) == 0 ? 0 : -errno;

	close(fd);
	if (failed < 0)
		return err_set(err, failed, "cannot look at %s: %s", dir, strerror(-failed));
	if (is_chosen)
		return 0;
	if (stat.st_uid != geteuid())
		return err_set(err, -EPERM,
		               "%s is another user's: choose a directory (MEGACONN_RUN_DIR)", dir);
	if (stat.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EPERM, "others may write to %s: chmod go-w it", dir);
	return 0;
}

/* $XDG_RUNTIME_DIR stays that of the first user under su and sudo -E. */
static bool is_own_dir(const char *dir)
{
	struct stat at;

	return dir && dir[0] == '/' && stat(dir, &at) == 0 && S_ISDIR(at.st_mode) &&
	       at.st_uid == geteuid();
}

int pidfile_dir(char dir[PIDFILE_DIR_BYTES], struct err *err)
{
	const char *chosen = getenv("MEGACONN_RUN_DIR");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	bool is_chosen = chosen && chosen[0] != '\0';
	int len;

	if (is_chosen)
		len = snprintf(dir, PIDFILE_DIR_BYTES, "%s", chosen);
	else if (is_own_dir(runtime))
		len = snprintf(dir, PIDFILE_DIR_BYTES, "%s/megaconn", runtime);
	else
		len = snprintf(dir, PIDFILE_DIR_BYTES, "/tmp/megaconn-%u", geteuid());
	if (len < 0 || len >= PIDFILE_DIR_BYTES)
		return err_set(err, -ENAMETOOLONG, "%.64s...: a shorter MEGACONN_RUN_DIR, please",
		               dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory %s: %s", dir,
		               strerror(errno));
	return check_dir(dir, is_chosen, err);
}
