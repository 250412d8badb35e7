/* tuned: starts the program, looks at what it wrote. */
#include "tuned.h"

#include "killer.h"
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char tuned_said[TRIAL_TEXT_BYTES], tuned_erred[TRIAL_TEXT_BYTES];
struct snapshot tuned_before;

static struct snapshot after;
static bool is_sealed;

/* ---- files ---------------------------------------------------------------------------------- */

void tuned_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("cannot write %s: %s", path, strerror(errno));
	close(fd);
}

void tuned_set(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("cannot write %s: %s", path, strerror(errno));
	close(fd);
}

size_t tuned_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		fail_msg("cannot read %s: %s", path, strerror(errno));
	ssize_t len = read(fd, text, size - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0 ? (size_t)len : 0;
}

void tuned_assert_text(const char *path, const char *expected)
{
	char text[4096];

	tuned_read(path, text, sizeof(text));
	if (strcmp(text, expected) != 0)
		fail_msg("%s is %s, not %s", path, text, expected);
}

size_t tuned_journals(char path[128])
{
	glob_t found;
	size_t count = 0;

	if (glob(TUNED_STATE "/*.journal", 0, NULL, &found) == 0) {
		count = found.gl_pathc;
		if (path)
			snprintf(path, 128, "%s", found.gl_pathv[0]);
		globfree(&found);
	}
	return count;
}

/* ---- the program ---------------------------------------------------------------------------- */

static void take(int fd, char *text)
{
	ssize_t len = pread(fd, text, TRIAL_TEXT_BYTES - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	close(fd);
}

int tuned_run(trial_prepare prepare, const char *const *args)
{
	char *argv[TRIAL_ARGS_MOST] = {NULL};
	int out = memfd_create("out", MFD_CLOEXEC), failed = memfd_create("err", MFD_CLOEXEC);
	int status = 0;

	assert_non_null(trial_program());
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int program = open(trial_program(), O_RDONLY | O_CLOEXEC);

		argv[0] = strdup("megaconn");
		argv[1] = strdup("tune");
		for (int i = 0; args[i] && i < TRIAL_ARGS_MOST - 3; i++)
			argv[i + 2] = strdup(args[i]);
		dup2(out, STDOUT_FILENO);
		dup2(failed, STDERR_FILENO);
		if (prepare)
			prepare();
		fexecve(program, argv, environ);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	take(out, tuned_said);
	take(failed, tuned_erred);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void tuned_check(int code, int expected, const char *says, const char *errs)
{
	const char *end = strchr(tuned_erred, '\n');
	bool is_right = code == expected && strstr(tuned_said, says);

	is_right = is_right && (errs ? strstr(tuned_erred, errs) && end && end[1] == '\0'
	                             : tuned_erred[0] == '\0');
	if (!is_right)
		fail_msg("exit code %d, not %d; said: %s%s, not: %s, %s", code, expected,
		         tuned_said, tuned_erred, says, errs ? errs : "");
}

/* ---- what all tests need -------------------------------------------------------------------- */

int tuned_seal(void **state)
{
	static const char *const directories[] = {"/var/lib", "/etc", NULL};

	(void)state;
	if (!snapshot_init(&tuned_before) || !snapshot_init(&after))
		return -1;
	is_sealed = sealed_enter(directories);
	return 0;
}

int tuned_fresh(void **state)
{
	(void)state;
	if (!is_sealed)
		return 0;
	if (mount("sealed", "/var/lib", "tmpfs", 0, "mode=0755") != 0 ||
	    mount("sealed", "/etc", "tmpfs", 0, "mode=0755") != 0 || unshare(CLONE_NEWNET) != 0)
		return -1;
	tuned_set(TUNED_SOMAXCONN, "128\n");
	tuned_set("/proc/sys/net/ipv4/tcp_max_syn_backlog", "256\n");
	tuned_set(TUNED_RANGE, "40000 40999\n");
	tuned_set("/proc/sys/net/ipv4/ip_local_reserved_ports", "40010-40012,40020\n");
	snapshot_take(&tuned_before);
	return mkdir(TUNED_SYSCTL_D, 0755) == 0 && mkdir("/etc/security", 0755) == 0 &&
	                       mkdir(TUNED_LIMITS_D, 0755) == 0
	               ? 0
	               : -1;
}

int tuned_stale(void **state)
{
	(void)state;
	if (!is_sealed)
		return 0;
	return umount2("/etc", MNT_DETACH) == 0 && umount2("/var/lib", MNT_DETACH) == 0 ? 0 : -1;
}

void tuned_need_seal(void)
{
	if (is_sealed)
		return;
	print_message("skipped: no private network and mount namespaces here\n");
	skip();
}

void tuned_assert_as_before(const char *when)
{
	char difference[512];

	snapshot_take(&after);
	if (!snapshot_same(&tuned_before, &after, difference, sizeof(difference)))
		fail_msg("%s: %s", when, difference);
}

void tuned_need_killer(void)
{
	tuned_need_seal();
	if (killer_works())
		return;
	print_message("skipped: children cannot be traced here\n");
	skip();
}

bool tuned_kill_at(const char *const *args, unsigned int k)
{
	const char *argv[TRIAL_ARGS_MOST] = {trial_program(), "tune"};
	struct killer_end end;

	for (int i = 0; args[i]; i++)
		argv[i + 2] = args[i];
	killer_run(argv, NULL, k, &end);
	if (!end.was_killed && end.code != 0)
		fail_msg("%s, not killed at step %u: exit code %d", args[0], k, end.code);
	return end.was_killed;
}

void tuned_become_user(void)
{
	if (sealed_is_real_root())
		trial_become_nobody();
	else if (unshare(CLONE_NEWUSER) != 0)
		_exit(125);
	if (geteuid() == 0)
		_exit(125);
}
