/* program: fork, setns, execv.
 *
 * A process of a pid namespace has another number in /proc, which is the host's: the one there is
 * what /proc/self/fdinfo says of its pidfd (kernel/pid.c, pidfd_show_fdinfo). */
#include "kernel/program.h"

#include "base/text.h"
#include "kernel/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSTEM_PATH      "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
#define EXIT_NOT_STARTED 127
#define LAST_BYTES       1024

/* ---- where it is ---------------------------------------------------------------------------- */

static int find_in(const char *directories, const char *name, char path[PROGRAM_PATH_BYTES])
{
	while (*directories != '\0') {
		size_t len = strcspn(directories, ":");
		int fits = snprintf(path, PROGRAM_PATH_BYTES, "%.*s/%s", (int)len, directories,
		                    name);

		if (len > 0 && fits < PROGRAM_PATH_BYTES && access(path, X_OK) == 0)
			return 0;
		directories += len + (directories[len] == ':');
	}
	return -ENOENT;
}

int program_find(const char *name, char path[PROGRAM_PATH_BYTES])
{
	const char *directories = getenv("PATH");

	if (directories && find_in(directories, name, path) == 0)
		return 0;
	return find_in(SYSTEM_PATH, name, path);
}

int program_text(const char *text, size_t len)
{
	int fd = memfd_create("megaconn", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (len == 0 || write(fd, text, len) == (ssize_t)len) {
		lseek(fd, 0, SEEK_SET);
		return fd;
	}
	close(fd);
	return -EIO;
}

/* ---- its life ------------------------------------------------------------------------------- */

/* What we ignore it would ignore too. */
static void take_signals_back(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int take_descriptors(const struct program *program)
{
	const struct rlimit limit = {program->nofile, program->nofile};

	if (dup2(program->in, STDIN_FILENO) < 0 || dup2(program->out, STDOUT_FILENO) < 0 ||
	    dup2(program->out, STDERR_FILENO) < 0)
		return -errno;
	/* Ours are closed by exec as it is; this is for those that a caller's caller lent us. */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0);
	return program->nofile == 0 || setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
}

static void become(const struct program *program, pid_t parent)
{
	union {
		const char *const *ours;
		char *const *exec;
	} argv = {.ours = program->argv};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NOT_STARTED);
	setsid();
	take_signals_back();
	if ((program->net < 0 || netns_enter(program->net) == 0) && take_descriptors(program) == 0)
		execv(program->path, argv.exec);
	_exit(EXIT_NOT_STARTED);
}

pid_t program_start(const struct program *program)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become(program, parent);
	return pid < 0 ? -errno : pid;
}

int program_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return EXIT_NOT_STARTED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- what is seen of it --------------------------------------------------------------------- */

void program_last_line(int out, char *line, size_t size)
{
	char said[LAST_BYTES];
	off_t end = lseek(out, 0, SEEK_END);
	off_t from = end > LAST_BYTES ? end - LAST_BYTES : 0;
	ssize_t len = pread(out, said, sizeof(said), from);
	size_t first;
	struct text t;

	text_init(&t, line, size);
	while (len > 0 && (said[len - 1] == '\n' || said[len - 1] == ' '))
		len--;
	if (len <= 0)
		return;
	for (first = (size_t)len; first > 0 && said[first - 1] != '\n'; first--)
		;
	for (size_t i = first; i < (size_t)len; i++)
		text_add(&t, "%c", said[i] >= ' ' && said[i] <= '~' ? said[i] : '?');
}

/* Its number in /proc, or 0. */
static long number_in_proc(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[64], line[128];
	long number = 0;

	if (pidfd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Pid:", 4) == 0)
			number = strtol(line + 4, NULL, 10);
	}
	if (file)
		fclose(file);
	close(pidfd);
	return number;
}

uint64_t program_descriptors(pid_t pid)
{
	long number = number_in_proc(pid);
	uint64_t count = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/fd", number);
	DIR *dir = number > 0 ? opendir(path) : NULL;

	if (!dir)
		return UINT64_MAX;
	for (const struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}
