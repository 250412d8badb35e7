/* lab_watch: `megaconn watch` as its users meet it: in a terminal (tmux, on a socket of the test's
 * own) of several sizes, key by key, stopped and continued, and gone without a trace; as lines; its
 * cost; bad input. It watches the test's network from one of its own. */
#include "lab_watch/terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define REFRESH_MS  20 /* of CPU time, at most */
#define ADDRESS     "127.0.0.1:8090"

static struct trial serve, connect_;
static char modes[2][64]; /* of the terminal: at first, and at last */

static int watch(const char *const *more, struct rusage *usage)
{
	const char *argv[16] = {trial_program(), "watch"};

	for (size_t i = 0; more[i] && i + 3 < COUNT_OF(argv); i++)
		argv[i + 2] = more[i];
	return run(argv, screen, sizeof(screen), usage);
}

static double cpu_ms(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e3;
}

/* --- the terminal -------------------------------------------------------------------------- */

static void resize(const char *width, const char *height)
{
	const char *keys = " q quit  s sort";
	int lines = (int)strtol(height, NULL, 10);

	assert_int_equal(tmux("resize-window", "-x", width, "-y", height, NULL), 0);
	for (int ms = 0;
	     !is_shown(" established ") || strncmp(line_at(lines - 1), keys, strlen(keys)) != 0 ||
	     strncmp(line_at(0), " megaconn watch", 15) != 0;
	     ms += 20) {
		if (ms > TERMINAL_WAIT_MS)
			fail_msg("at %sx%s:\n%s", width, height, screen);
		apart_sleep(20);
	}
}

static void start_watch(const char *before, const char *options)
{
	char line[1024];

	snprintf(line, sizeof(line),
	         "clear; echo what stood there; %s %s watch --netns /proc/%d/ns/net "
	         "--interval 200ms %s; echo code $?",
	         before, trial_program(), getpid(), options);
	command(line);
	wait_shown("q quit", true);
}

/* Main screen, modes, cursor, exit code. */
static void assert_restored(const char *code)
{
	wait_shown(code, true);
	assert_true(is_shown("what stood there"));
	assert_false(is_shown("q quit"));
	assert_int_equal(tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}", NULL), 0);
	assert_string_equal(screen, "1 0\n");
	read_modes(modes[1], sizeof(modes[1]));
	assert_string_equal(modes[1], modes[0]);
}

static void need_terminal(void)
{
	terminal_start();
	read_modes(modes[0], sizeof(modes[0]));
}

/* --- tests on the terminal ----------------------------------------------------------------- */

static const char *both_ends(void)
{
	return trial_is_small() ? " established         2,000 " : " established         4,000 ";
}

static void numbers_at_all_sizes(void **state)
{
	(void)state;
	need_terminal();
	start_watch("", "");
	wait_shown(both_ends(), true);
	wait_shown(" connects/s              0 ", true);
	assert_true(is_shown(" memory left "));
	assert_true(is_shown(" trouble "));
	assert_true(is_shown(" 0 "));
	assert_non_null(strstr(line_at(0), "netns /proc/"));
	assert_true(is_shown("\xe2\x96\x88")); /* a full block */
	resize("120", "40");
	assert_true(is_shown("listen overflows"));
	assert_true(is_shown(" peak/s "));
	resize("40", "12");
	assert_true(is_shown(both_ends()));
	resize("80", "24");
	press("q");
	assert_restored("code 0");
}

static void every_key(void **state)
{
	static char held[sizeof(screen)];

	(void)state;
	need_terminal();
	start_watch("", "--sort name");
	if (access("/proc/slabinfo", R_OK) == 0) {
		wait_shown("slab caches by name", true);
		press("s");
		wait_shown("slab caches by bytes", true);
	}
	press("p");
	wait_shown(" server :8090", true);
	assert_true(is_shown(" to :8090"));
	press("p");
	wait_shown(" server :8090", false);
	press("h");
	wait_shown("hold the picture", true);
	press("h");
	wait_shown("hold the picture", false);
	press("+");
	wait_shown("every 0.5 s", true);
	press("-");
	wait_shown("every 0.2 s", true);
	press("Space");
	wait_shown("PAUSED", true);
	memcpy(held, screen, sizeof(held));
	apart_sleep(500); /* lines over time would be two columns longer */
	assert_true(is_shown("PAUSED"));
	assert_string_equal(screen, held);
	press("Space");
	wait_shown("PAUSED", false);
	press("c");
	wait_shown(both_ends(), true);
	press("C-c");
	assert_restored("code 0");
}

/* The only child of the terminal's shell. */
static pid_t watch_pid(void)
{
	char path[96], text[32];
	FILE *file;

	assert_int_equal(tmux("display-message", "-p", "#{pane_pid}", NULL), 0);
	long shell = strtol(screen, NULL, 10);

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", shell, shell);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return (pid_t)strtol(text, NULL, 10);
}

static void stopped_and_continued(void **state)
{
	(void)state;
	need_terminal();
	start_watch("", "");
	press("C-z");
	wait_shown("what stood there", true);
	wait_shown("shell>", true);
	command("echo mean''while");
	wait_shown("meanwhile", true);
	command("fg");
	wait_shown(both_ends(), true);
	assert_false(is_shown("meanwhile"));
	assert_int_equal(kill(watch_pid(), SIGSTOP), 0); /* without a chance to tidy up */
	apart_sleep(100);
	command("echo mean''while; fg");
	wait_shown("meanwhile", false);
	wait_shown(both_ends(), true);
	assert_int_equal(tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}", NULL), 0);
	assert_string_equal(screen, "0 1\n");
	press("q");
	wait_shown("q quit", false);
	read_modes(modes[1], sizeof(modes[1]));
	assert_string_equal(modes[1], modes[0]);
}

/* Sockets in TIME_WAIT, of which few are allowed. */
static void shows_what_is_near(void **state)
{
	static const char path[] = "/proc/sys/net/ipv4/tcp_max_tw_buckets";
	int listener = apart_listen("127.0.0.1", 8091, 16), fds[10];
	FILE *file;

	(void)state;
	need_terminal();
	file = fopen(path, "w");
	if (!apart_is_private() || !file)
		apart_skip("no network of the test's own");
	fprintf(file, "8");
	assert_int_equal(fclose(file), 0);
	for (int i = 0; i < 10; i += 2) {
		fds[i] = apart_dial("127.0.0.1", 8091);
		fds[i + 1] = accept(listener, NULL, NULL);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(close(fds[i]), 0);
	close(listener);
	start_watch("", "");
	wait_shown("near: tcp_max_tw_buckets 62 %  5 of 8  sysctl -w net.ipv4.tcp_max_tw_buck",
	           true);
	wait_shown("  TIME_WAIT 5  ", true);
	press("q");
	assert_restored("code 0");
}

static void told_to_end(void **state)
{
	(void)state;
	need_terminal();
	start_watch("", "");
	assert_int_equal(kill(watch_pid(), SIGTERM), 0);
	assert_restored("code 0");
}

static void without_colours_and_utf8(void **state)
{
	(void)state;
	need_terminal();
	start_watch("NO_COLOR=1 LC_ALL=C", "");
	wait_shown(both_ends(), true);
	assert_false(is_shown("\xe2"));
	assert_int_equal(tmux("capture-pane", "-e", "-p", NULL), 0);
	assert_non_null(strstr(screen, "\x1b[1m")); /* bold, but ... */
	assert_null(strstr(screen, "\x1b[36m"));    /* ... no colour */
	assert_null(strstr(screen, "\x1b[32m"));
	press("q");
	assert_restored("code 0");
}

static void terminals_without_screen(void **state)
{
	static const char *const terms[] = {"dumb", "''", "no-such-terminal"};
	char line[1024], end[32];

	(void)state;
	need_terminal();
	for (size_t i = 0; i < COUNT_OF(terms); i++) {
		snprintf(line, sizeof(line),
		         "clear; TERM=%s %s watch -i 100ms -c 1; echo code $? of %zu", terms[i],
		         trial_program(), i);
		snprintf(end, sizeof(end), "code 0 of %zu", i);
		command(line);
		wait_shown(end, true);
		assert_true(is_shown("connects/s "));
	}
	assert_true(is_shown("TERM names no terminal that is known here: plain lines"));
}

/* --- without a terminal -------------------------------------------------------------------- */

static void assert_cheap(const char *how, const struct rusage *usage, int refreshes)
{
	double ms = cpu_ms(usage) / refreshes;

	printf("a refresh %s: %.1f ms of CPU time\n", how, ms);
	if (!trial_is_small()) /* sanitized it is no measure */
		assert_true(ms < REFRESH_MS);
}

static void lines(void **state)
{
	const char *const args[] = {"--interval", "100ms", "--count", "21", NULL};
	struct rusage usage;
	int heads = 0, count = 0;

	(void)state;
	assert_int_equal(watch(args, &usage), 0);
	for (const char *at = screen; *at; at = strchr(at, '\n') + 1) {
		heads += strncmp(at, "time ", 5) == 0;
		count += at[2] == ':' && at[5] == ':';
	}
	assert_int_equal(heads, 2);
	assert_int_equal(count, 21);
	assert_non_null(strstr(screen, trial_is_small() ? "      2,000  " : "      4,000  "));
	assert_cheap("as a line", &usage, 21);
}

/* On a terminal that takes all it is sent; with the first look at limits in it. */
static void screen_is_cheap(void **state)
{
	const struct winsize size = {.ws_row = 40, .ws_col = 120};
	struct rusage usage;
	int status, master;
	pid_t pid;

	(void)state;
	pid = forkpty(&master, NULL, NULL, &size);
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		execl(trial_program(), "megaconn", "watch", "-i", "100ms", "-c", "10", NULL);
		_exit(127);
	}
	while (read(master, screen, sizeof(screen)) > 0) {
	}
	close(master);
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	assert_int_equal(status, 0);
	assert_cheap("on a screen", &usage, 10);
}

/* What is written there until `text` comes. */
static void read_until(int fd, char *out, size_t size, const char *text)
{
	size_t len = 0;
	ssize_t count;

	out[0] = '\0';
	while (!strstr(out, text)) {
		count = read(fd, out + len, size - 1 - len);
		if (count <= 0)
			fail_msg("\"%s\" is not in:\n%s", text, out);
		len += (size_t)count;
		out[len] = '\0';
	}
}

static void serves_metrics(void **state)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	static const char url[] = "metrics and live page: http://127.0.0.1:";
	int ends[2], fd;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		execl(trial_program(), "megaconn", "watch", "-i", "100ms", "--http", "127.0.0.1:0",
		      NULL);
		_exit(127);
	}
	close(ends[1]);
	apart_keep(pid);
	read_until(ends[0], screen, sizeof(screen), "\ntime ");
	const char *at = strstr(screen, url);

	assert_non_null(at);
	fd = apart_dial("127.0.0.1", (uint16_t)strtol(at + sizeof(url) - 1, NULL, 10));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, request, sizeof(request) - 1), (int)sizeof(request) - 1);
	read_until(fd, screen, sizeof(screen), "\nmegaconn_tcp_established ");
	close(fd);
	close(ends[0]);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_full_disk(void **state)
{
	static const char *const argv[] = {"sh", "-c", "$MEGACONN_WATCH watch -i 100ms >/dev/full",
	                                   NULL};

	(void)state;
	setenv("MEGACONN_WATCH", trial_program(), 1);
	assert_int_equal(run(argv, screen, sizeof(screen), NULL), 1);
	assert_non_null(strstr(screen, "cannot write to standard output"));
}

static const struct {
	const char *args[4];
	int code;
	const char *says;
} mistakes[] = {
	{{"--interval", "10ms"}, 2, "--interval 10ms: must be at least 100ms"},
	{{"--interval", "2h"}, 2, "--interval"},
	{{"--interval", "fast"}, 2, "not a duration"},
	{{"--count", "0"}, 2, "--count 0: must be at least 1"},
	{{"--sort", "colour"}, 2, "bytes, objects, growth, name"},
	{{"--netns", "no-such-one"}, 2, "there is no network namespace 'no-such-one'"},
	{{"--netns", "/dev/null"}, 2, "'/dev/null' is not a network namespace"},
	{{"--http", "9464"}, 2, "--http 9464"},
	{{"--http", "192.0.2.1:9464"}, 4, "--http 192.0.2.1:9464"},
	{{"now"}, 2, "unexpected 'now'"},
	{{"--prots"}, 2, "unknown option --prots"},
};

static void bad_input(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		const char *const args[] = {mistakes[i].args[0], mistakes[i].args[1],
		                            mistakes[i].args[2], NULL};
		int code = watch(args, NULL);
		const char *end = strchr(screen, '\n');

		if (code != mistakes[i].code || !strstr(screen, mistakes[i].says) || !end ||
		    end[1] != '\0')
			fail_msg("'%s %s': exit code %d, said: %s", args[0], args[1] ? args[1] : "",
			         code, screen);
	}
}

static void help(void **state)
{
	const char *const args[] = {"--help", NULL};

	(void)state;
	assert_int_equal(watch(args, NULL), 0);
	assert_non_null(strstr(screen, "--netns"));
	assert_non_null(strstr(screen, "keys: q quit"));
}

/* --- what there is to see ------------------------------------------------------------------ */

static int set_up(void **state)
{
	const char *const serve_args[] = {"--listen", ADDRESS, "-w", "1", NULL};
	const char *const connect_args[] = {ADDRESS, "-n",     apart_n_text(), "-w",
	                                    "1",     "--hold", "10m",          NULL};

	if (apart_set_up(state) != 0)
		return -1;
	unsetenv("NO_COLOR");
	setenv("LC_ALL", "C.UTF-8", 1);
	apart_serve(&serve, NULL, serve_args);
	apart_hold(&connect_, NULL, connect_args);
	return 0;
}

static int tear_down(void **state)
{
	terminal_end();
	(void)apart_tear_down(state);
	trial_end(&serve);
	trial_end(&connect_);
	return 0;
}

/* Each has a terminal of its own. */
static int leave_terminal(void **state)
{
	(void)state;
	terminal_end();
	return 0;
}

#define TERMINAL_TEST(name) cmocka_unit_test_teardown(name, leave_terminal)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TERMINAL_TEST(numbers_at_all_sizes),
		TERMINAL_TEST(every_key),
		TERMINAL_TEST(stopped_and_continued),
		TERMINAL_TEST(shows_what_is_near),
		TERMINAL_TEST(told_to_end),
		TERMINAL_TEST(without_colours_and_utf8),
		TERMINAL_TEST(terminals_without_screen),
		cmocka_unit_test(lines),
		cmocka_unit_test(screen_is_cheap),
		cmocka_unit_test(serves_metrics),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(bad_input),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests_name("lab_watch", tests, set_up, tear_down);
}
