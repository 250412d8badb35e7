/* killer: stops a child at the entry of each system call, and counts. A process that is killed in
 * such a stop does not make the call (kernel/entry: a fatal signal is pending). */
#include "killer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80) /* with PTRACE_O_TRACESYSGOOD */
#define EXEC_STOP    (SIGTRAP | PTRACE_EVENT_EXEC << 8)

enum changes {
	ALWAYS,
	UNLESS_OUTPUT, /* its first argument is a descriptor, not 1 or 2  */
	IF_CREATES_2,  /* its second argument has O_CREAT or O_TRUNC      */
	IF_CREATES_3,  /* its third one                                   */
};

static const struct {
	uint64_t number;
	const char *name;
	enum changes changes;
} calls[] = {
#ifdef SYS_open /* aarch64 has only those that take a directory */
	{SYS_open, "open", IF_CREATES_2},
	{SYS_creat, "creat", ALWAYS},
	{SYS_mkdir, "mkdir", ALWAYS},
	{SYS_rmdir, "rmdir", ALWAYS},
	{SYS_rename, "rename", ALWAYS},
	{SYS_unlink, "unlink", ALWAYS},
	{SYS_link, "link", ALWAYS},
	{SYS_symlink, "symlink", ALWAYS},
	{SYS_chmod, "chmod", ALWAYS},
	{SYS_chown, "chown", ALWAYS},
#endif
#ifdef SYS_renameat
	{SYS_renameat, "renameat", ALWAYS},
#endif
	{SYS_openat, "openat", IF_CREATES_3},
	{SYS_openat2, "openat2", ALWAYS},
	{SYS_mkdirat, "mkdirat", ALWAYS},
	{SYS_renameat2, "renameat2", ALWAYS},
	{SYS_unlinkat, "unlinkat", ALWAYS},
	{SYS_linkat, "linkat", ALWAYS},
	{SYS_symlinkat, "symlinkat", ALWAYS},
	{SYS_fchmod, "fchmod", ALWAYS},
	{SYS_fchmodat, "fchmodat", ALWAYS},
	{SYS_fchown, "fchown", ALWAYS},
	{SYS_fchownat, "fchownat", ALWAYS},
	{SYS_truncate, "truncate", ALWAYS},
	{SYS_ftruncate, "ftruncate", ALWAYS},
	{SYS_fallocate, "fallocate", ALWAYS},
	{SYS_sync, "sync", ALWAYS},
	{SYS_syncfs, "syncfs", ALWAYS},
	{SYS_fsync, "fsync", ALWAYS},
	{SYS_fdatasync, "fdatasync", ALWAYS},
	{SYS_write, "write", UNLESS_OUTPUT},
	{SYS_writev, "writev", UNLESS_OUTPUT},
	{SYS_pwrite64, "pwrite64", UNLESS_OUTPUT},
	{SYS_pwritev, "pwritev", UNLESS_OUTPUT},
	{SYS_pwritev2, "pwritev2", UNLESS_OUTPUT},
	{SYS_sendto, "sendto", ALWAYS},
	{SYS_sendmsg, "sendmsg", ALWAYS},
	{SYS_sendmmsg, "sendmmsg", ALWAYS},
};

static bool does_change(enum changes changes, const uint64_t args[6])
{
	switch (changes) {
	case UNLESS_OUTPUT:
		return args[0] != STDOUT_FILENO && args[0] != STDERR_FILENO;
	case IF_CREATES_2:
		return (args[1] & (O_CREAT | O_TRUNC)) != 0;
	case IF_CREATES_3:
		return (args[2] & (O_CREAT | O_TRUNC)) != 0;
	default:
		return true;
	}
}

/* The name of the call that the stopped child is about to make where it changes something. */
static const char *about_to(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		fail_msg("PTRACE_GET_SYSCALL_INFO: %s", strerror(errno));
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return NULL;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].number == info.entry.nr &&
		    does_change(calls[i].changes, (const uint64_t *)info.entry.args))
			return calls[i].name;
	}
	return NULL;
}

static void become_traced(const char *const *argv, trial_prepare prepare)
{
	int program_fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *copy[TRIAL_ARGS_MOST] = {NULL};

	for (size_t i = 0; argv[i] && i < TRIAL_ARGS_MOST - 1; i++)
		copy[i] = strdup(argv[i]);
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(null_fd, STDERR_FILENO);
	/* The leak sanitizer wants to trace, too. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	if (prepare)
		prepare();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
		_exit(126);
	fexecve(program_fd, copy, environ);
	_exit(127);
}

static int wait_stop(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, __WALL) < 0) {
		if (errno != EINTR)
			fail_msg("waitpid: %s", strerror(errno));
	}
	return status;
}

static void kill_it(pid_t pid)
{
	kill(pid, SIGKILL);
	for (int status = wait_stop(pid); !WIFSIGNALED(status); status = wait_stop(pid)) {
		if (WIFEXITED(status))
			fail_msg("it ended before it was killed");
	}
}

/* Lets it go on to the next stop; `signal` is delivered. */
static int go_on(pid_t pid, int signal)
{
	if (ptrace(PTRACE_SYSCALL, pid, NULL, signal) != 0)
		fail_msg("PTRACE_SYSCALL: %s", strerror(errno));
	return wait_stop(pid);
}

/* From its first stop to its end. */
static void watch(pid_t pid, unsigned int k, struct killer_end *end)
{
	const long flags = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	bool is_program = false;
	int status = wait_stop(pid);

	if (!WIFSTOPPED(status) || ptrace(PTRACE_SETOPTIONS, pid, NULL, flags) != 0)
		fail_msg("cannot trace it");
	for (status = go_on(pid, 0); WIFSTOPPED(status);) {
		int signal = 0;

		if (status >> 8 == EXEC_STOP) {
			is_program = true;
		} else if (WSTOPSIG(status) == SYSCALL_STOP) {
			const char *call = is_program ? about_to(pid) : NULL;

			if (call && k-- == 0) {
				snprintf(end->call, sizeof(end->call), "%s", call);
				end->was_killed = true;
				kill_it(pid);
				return;
			}
		} else {
			signal = WSTOPSIG(status);
		}
		status = go_on(pid, signal);
	}
	end->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void killer_run(const char *const *argv, trial_prepare prepare, unsigned int k,
                struct killer_end *end)
{
	memset(end, 0, sizeof(*end));
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		become_traced(argv, prepare);
	watch(pid, k, end);
}

bool killer_works(void)
{
	pid_t pid = fork();
	struct __ptrace_syscall_info info;
	int status = 0;

	if (pid < 0)
		return false;
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0);
	bool works = waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
	             ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0;

	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return works;
}
