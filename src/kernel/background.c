/* background: fork, and the two sides' ends of the waiting.
 *
 * The end of the child is seen by SIGCHLD and not by the end of the ready pipe, because children of
 * the child hold that too. The signals that the caller waits for are blocked and read from a
 * signalfd, so that none is lost between a look and a sleep. */
#include "kernel/background.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RELAY_MS      50
#define END_NS        (UINT64_C(30) * NS_PER_S) /* for the child to end in order, once asked to */
#define READY_FD      3                         /* in the child: the only one beyond stderr     */
#define FD_MOST       65536                     /* that is closed where close_range is missing  */
#define EXIT_NO_START 126

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define PASSED_ON_COUNT (sizeof(passed_on) / sizeof(passed_on[0]))

static const struct sigaction ignored = {.sa_handler = SIG_IGN};

/* The caller's side. */
struct waiting {
	pid_t child;
	int ready_fd, log_fd, signal_fd;
	off_t shown;       /* bytes of the log that were copied */
	int signal;        /* the one that came first, or 0 */
	uint64_t until_ns; /* with it: when the child is killed */
	bool ready, ended;
	int status;
};

/* ---- the child ------------------------------------------------------------------------------ */

static void close_others(void)
{
	if (syscall(SYS_close_range, READY_FD + 1, ~0U, 0) == 0)
		return;
	for (int fd = READY_FD + 1; fd < FD_MOST; fd++) /* before 5.9 */
		close(fd);
}

/* stdin from nowhere, stdout and stderr into the log, the ready pipe at READY_FD. */
static int arrange_fds(int log_fd, int ready_fd)
{
	/* First away from the numbers that are to be filled: a caller may have started without. */
	int log_copy = fcntl(log_fd, F_DUPFD, READY_FD + 1);
	int ready_copy = fcntl(ready_fd, F_DUPFD, READY_FD + 1);
	int null_fd = open("/dev/null", O_RDONLY);

	if (log_copy < 0 || ready_copy < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(log_copy, STDOUT_FILENO) < 0 || dup2(log_copy, STDERR_FILENO) < 0 ||
	    dup3(ready_copy, READY_FD, O_CLOEXEC) < 0)
		return -errno;
	close_others();
	return 0;
}

static void run_child(const struct background *background, const struct waiting *w, int ready_fd,
                      pid_t parent, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_NO_START); /* it went before that was set */
	(void)setsid();
	if (arrange_fds(w->log_fd, ready_fd) != 0)
		_exit(EXIT_NO_START);
	sigprocmask(SIG_SETMASK, mask, NULL);
	setlinebuf(stdout); /* a log is read while it grows */
	int code = background->inside(background->context, READY_FD);

	fflush(stdout);
	fflush(stderr);
	_exit(code);
}

int background_ready(int ready_fd)
{
	const char byte = 'r';
	struct sigaction before;

	fflush(stdout);
	fflush(stderr);
	/* From here on the end of the caller is no reason to end. */
	prctl(PR_SET_PDEATHSIG, 0);
	sigaction(SIGPIPE, &ignored, &before);
	ssize_t written = write(ready_fd, &byte, 1);
	int failed = written == 1 ? 0 : -errno;

	sigaction(SIGPIPE, &before, NULL);
	close(ready_fd);
	return failed;
}

/* ---- the caller ----------------------------------------------------------------------------- */

/* Copies what the log has gained. SIGPIPE is ignored meanwhile. */
static void relay(struct waiting *w)
{
	char text[4096];
	ssize_t len;

	while ((len = pread(w->log_fd, text, sizeof(text), w->shown)) > 0) {
		w->shown += len;
		for (ssize_t at = 0; at < len;) {
			ssize_t written = write(STDERR_FILENO, text + at, (size_t)(len - at));

			if (written < 0 && errno != EINTR)
				break; /* nobody is there to read it; the log has it */
			at += written > 0 ? written : 0;
		}
	}
}

static void take_signal(struct waiting *w)
{
	struct signalfd_siginfo info;

	if (read(w->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		w->ended = waitpid(w->child, &w->status, WNOHANG) == w->child;
		return;
	}
	if (w->signal != 0) {
		kill(w->child, SIGKILL);
		return;
	}
	w->signal = (int)info.ssi_signo;
	w->until_ns = clock_now_ns() + END_NS;
	kill(w->child, w->signal);
}

static void take_ready(struct waiting *w)
{
	char byte;

	/* 0: all who could say it are gone; the end of the child comes by signal. */
	if (read(w->ready_fd, &byte, 1) == 1)
		w->ready = true;
	close(w->ready_fd);
	w->ready_fd = -1;
}

/* Until the child is ready or has ended; after a signal only its end counts. */
static void wait_child(struct waiting *w)
{
	while (!w->ended && (!w->ready || w->signal != 0)) {
		struct pollfd fds[2] = {
			{.fd = w->signal_fd, .events = POLLIN},
			{.fd = w->ready_fd, .events = POLLIN}, /* poll passes over -1 */
		};

		(void)poll(fds, 2, RELAY_MS);
		if (fds[0].revents != 0)
			take_signal(w);
		if (fds[1].revents != 0)
			take_ready(w);
		relay(w);
		if (!w->ended && w->signal != 0 && clock_now_ns() > w->until_ns)
			kill(w->child, SIGKILL);
	}
	relay(w);
}

static int outcome(const struct waiting *w, pid_t *pid)
{
	if (!w->ended) {
		*pid = w->child;
		return 0;
	}
	if (w->signal != 0)
		return 128 + w->signal;
	return WIFEXITED(w->status) ? WEXITSTATUS(w->status) : 128 + WTERMSIG(w->status);
}

/* Blocks what is waited for and opens a descriptor for it; the mask before is left in *before. */
static int block_signals(sigset_t *before)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < PASSED_ON_COUNT; i++) {
		struct sigaction now;

		/* One that is ignored (nohup, the shell's background) stays so. */
		if (sigaction(passed_on[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, passed_on[i]);
	}
	sigaction(SIGCHLD, &standard, NULL); /* ignored, it would leave nothing to wait for */
	sigprocmask(SIG_BLOCK, &set, before);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void accompany(struct waiting *w)
{
	struct sigaction before;

	sigaction(SIGPIPE, &ignored, &before);
	wait_child(w);
	sigaction(SIGPIPE, &before, NULL);
}

static int start_child(const struct background *background, struct waiting *w)
{
	int ends[2];
	sigset_t before;
	pid_t parent = getpid();
	int failed = 0;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	w->ready_fd = ends[0];
	w->signal_fd = block_signals(&before);
	fflush(stdout); /* or both sides would print what waits there */
	fflush(stderr);
	if (w->signal_fd >= 0)
		w->child = fork();
	if (w->child == 0)
		run_child(background, w, ends[1], parent, &before);
	if (w->child < 0)
		failed = -errno;
	close(ends[1]);
	if (failed == 0)
		accompany(w);
	if (w->ready_fd >= 0)
		close(w->ready_fd);
	if (w->signal_fd >= 0)
		close(w->signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return failed;
}

int background_start(const struct background *background, pid_t *pid, struct err *err)
{
	struct waiting w = {.child = -1};

	*pid = 0;
	w.log_fd = open(background->log_path,
	                O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w.log_fd < 0)
		return err_set(err, -errno, "cannot write the log %s: %s", background->log_path,
		               strerror(errno));
	int failed = start_child(background, &w);

	close(w.log_fd);
	if (failed < 0)
		return err_set(err, failed, "cannot go to the background: %s", strerror(-failed));
	return outcome(&w, pid);
}
