/* terminal: tmux does what it is told by short programs; a wait is a look every 20 ms. */
#include "terminal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

char screen[64 * 1024];
static char terminal[64];
static pid_t guard; /* ends the terminal with the test, however that ends */
static int guarded = -1;

int run(const char *const *argv, char *out, size_t size, struct rusage *usage)
{
	int ends[2], status = 0;
	size_t len = 0;
	ssize_t count;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *args[24] = {NULL};

		for (size_t i = 0; argv[i] && i + 1 < COUNT_OF(args); i++)
			args[i] = strdup(argv[i]);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		if (args[0])
			execvp(args[0], args);
		_exit(127);
	}
	close(ends[1]);
	while (len + 1 < size && (count = read(ends[0], out + len, size - 1 - len)) > 0)
		len += (size_t)count;
	out[len] = '\0';
	close(ends[0]);
	assert_int_equal(wait4(pid, &status, 0, usage), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tmux(const char *first, ...)
{
	const char *argv[24] = {"tmux", "-u", "-S", terminal, "-f", "/dev/null", first};
	size_t count = 7;
	va_list more;

	va_start(more, first);
	while (count + 1 < COUNT_OF(argv) && (argv[count] = va_arg(more, const char *)))
		count++;
	va_end(more);
	return run(argv, screen, sizeof(screen), NULL);
}

bool is_shown(const char *text)
{
	assert_int_equal(tmux("capture-pane", "-p", NULL), 0);
	return strstr(screen, text) != NULL;
}

void wait_shown(const char *text, bool is_there)
{
	for (int ms = 0; is_shown(text) != is_there; ms += 20) {
		if (ms > TERMINAL_WAIT_MS)
			fail_msg("\"%s\" is %s in:\n%s", text, is_there ? "not" : "still", screen);
		apart_sleep(20);
	}
}

void press(const char *keys)
{
	assert_int_equal(tmux("send-keys", keys, NULL), 0);
}

void command(const char *line)
{
	assert_int_equal(tmux("send-keys", "-l", line, NULL), 0);
	press("C-j"); /* a newline also where the terminal makes none of Enter */
}

const char *line_at(int y)
{
	const char *at = screen;

	for (; y > 0 && at; y--) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return at ? at : "";
}

/* tmux puts itself into the background, so nothing of it ends with us. The guard reads a pipe that
 * is ours alone. */
static void start_guard(void)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	guard = fork();
	assert_true(guard >= 0);
	if (guard == 0) {
		close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		(void)tmux("kill-server", NULL);
		unlink(terminal);
		_exit(0);
	}
	close(ends[0]);
	guarded = ends[1];
}

void terminal_start(void)
{
	static const char *const version[] = {"tmux", "-V", NULL};
	static const char shell[] = "TERM=tmux-256color PS1='shell> ' ENV= exec sh -i";
	int status = 0;
	pid_t pid;

	if (run(version, screen, sizeof(screen), NULL) != 0)
		apart_skip("no tmux (make deps-test installs it)");
	snprintf(terminal, sizeof(terminal), "/tmp/megaconn-test-%d.tmux", getpid());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit((!apart_is_private() || unshare(CLONE_NEWNET) == 0) &&
		                      tmux("new-session", "-d", "-x", "80", "-y", "24", shell,
		                           NULL) == 0
		              ? 0
		              : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	start_guard();
	assert_int_equal(tmux("set-option", "-g", "status", "off", NULL), 0);
	assert_int_equal(tmux("resize-window", "-x", "80", "-y", "24", NULL), 0);
	wait_shown("shell>", true);
}

void terminal_end(void)
{
	if (guarded < 0)
		return;
	close(guarded);
	guarded = -1;
	waitpid(guard, NULL, 0);
}

void read_modes(char *out, size_t size)
{
	char line[192], path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s.modes", terminal);
	snprintf(line, sizeof(line), "clear; stty -g >%s; echo as''ked", path);
	command(line);
	wait_shown("asked", true);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(out, (int)size, file));
	fclose(file);
	unlink(path);
}
