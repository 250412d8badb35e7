/* apart: private networks by unshare(2), programs by trial, sockets by hand. */
#include "apart.h"

#include "kernel/netlink.h"
#include "plan/ip.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MOST 64
#define KEPT_MOST    192

static bool is_private;

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return is_written;
}

/* In a user namespace one is root, or else a program that is started may not use the network's
 * rights. */
static bool enter_as_user(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uids) && write_file("/proc/self/gid_map", gids);
}

/* Tried in a child first: half a namespace is worse than none. */
static bool is_possible(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit((geteuid() == 0 ? unshare(CLONE_NEWNET) == 0 : enter_as_user()) ? 0 : 1);
	waitpid(pid, &status, 0);
	return status == 0;
}

int apart_set_up(void **state)
{
	struct rlimit nofile;

	(void)state;
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0) {
		nofile.rlim_cur = nofile.rlim_max;
		setrlimit(RLIMIT_NOFILE, &nofile);
	}
	if (!is_possible())
		return 0;
	is_private = geteuid() == 0 ? unshare(CLONE_NEWNET) == 0 : enter_as_user();
	return is_private ? netlink_link_up("lo") : -1;
}

bool apart_is_private(void)
{
	return is_private;
}

bool apart_has_tun(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void apart_skip(const char *why)
{
	print_message("skipped: %s\n", why);
	skip();
	abort(); /* it does not return */
}

static bool has_uring(void)
{
	/* A bad address: EFAULT where there is io_uring, else ENOSYS or EPERM. */
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EFAULT;
}

const char *apart_engine(int number)
{
	return number == 0 && has_uring() ? "uring" : "epoll";
}

void apart_sleep(unsigned int ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

static pid_t kept[KEPT_MOST];
static int kept_count;

void apart_keep(pid_t pid)
{
	assert_in_range(kept_count, 0, KEPT_MOST - 1);
	kept[kept_count++] = pid;
}

/* Those that have been waited for are no children any more, and their number may be another's. */
int apart_tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < kept_count; i++) {
		if (waitpid(kept[i], NULL, WNOHANG) == 0) {
			kill(kept[i], SIGKILL);
			waitpid(kept[i], NULL, 0);
		}
	}
	kept_count = 0;
	return 0;
}

/* --- the programs --------------------------------------------------------------------------- */

void apart_serve(struct trial *serve, trial_prepare prepare, const char *const *args)
{
	trial_start_command(serve, "serve", prepare, args);
	apart_keep(serve->pid);
	trial_wait_text(serve, "listening on ", 60);
}

static char state_of(pid_t pid)
{
	char text[256] = "", path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	const char *at = strrchr(text, ')');

	return at && at[1] == ' ' ? at[2] : '?';
}

void apart_settle(const struct trial *serve)
{
	pid_t pids[WORKERS_MOST];
	int count = trial_pids(serve, "mc-server-", pids, WORKERS_MOST);

	for (int quiet = 0, tries = 0; quiet < 10 && tries < 1000; tries++) {
		bool is_busy = false;

		for (int i = 0; i < count && i < WORKERS_MOST; i++)
			is_busy |= state_of(pids[i]) == 'R';
		quiet = is_busy ? 0 : quiet + 1;
		apart_sleep(10);
	}
}

void apart_stop(struct trial *serve, int signal, int code)
{
	apart_settle(serve);
	assert_int_equal(kill(serve->pid, signal), 0);
	trial_wait(serve, 30);
	trial_assert_code(serve, code);
	trial_assert_no_process_left(serve);
}

void apart_connect(struct trial *connect, trial_prepare prepare, const char *const *args)
{
	trial_start_command(connect, "connect", prepare, args);
	apart_keep(connect->pid);
}

void apart_hold(struct trial *connect, trial_prepare prepare, const char *const *args)
{
	apart_connect(connect, prepare, args);
	trial_wait_text(connect, "holding ", 60);
}

void apart_run(struct trial *connect, trial_prepare prepare, const char *const *args)
{
	apart_connect(connect, prepare, args);
	trial_wait(connect, 90);
	trial_assert_no_process_left(connect);
}

/* --- results -------------------------------------------------------------------------------- */

static void assert_number(const struct trial *trial, const char *path, int64_t expected)
{
	int64_t number = trial_number(trial, path);

	if (number != expected)
		fail_msg("%s is %lld, not %lld\n%s%s", path, (long long)number, (long long)expected,
		         trial->err, trial->out);
}

static void assert_cause(const struct trial *trial, const char *total, const char *causes,
                         const char *cause, int64_t count)
{
	char path[96];

	assert_number(trial, total, count);
	if (count == 0)
		return;
	snprintf(path, sizeof(path), "%s.%s", causes, cause);
	assert_number(trial, path, count);
}

void apart_assert_lost(const struct trial *trial, const char *cause, int64_t count)
{
	assert_cause(trial, "lost", "lost_by_cause", cause, count);
}

void apart_assert_failed(const struct trial *trial, const char *cause, int64_t count)
{
	assert_cause(trial, "failed.total", "failed.by_cause", cause, count);
}

static void assert_proved(const struct trial *connect, int64_t n, int64_t kernel)
{
	trial_assert_code(connect, 0);
	assert_non_null(connect->result);
	assert_string_equal(trial_word(connect, "verdict"), "pass");
	assert_string_equal(trial_word(connect, "role"), "connect");
	assert_string_equal(trial_word(connect, "proof"), "echo");
	assert_number(connect, "target", n);
	assert_number(connect, "established.client", n);
	assert_number(connect, "established.kernel", kernel);
	assert_number(connect, "open_at_end", n);
	assert_number(connect, "failed.total", 0);
	assert_number(connect, "not_tried", 0);
	assert_number(connect, "lost", 0);
	assert_number(connect, "unasked_bytes", 0);
	assert_number(connect, "proved_ramp.sent", n);
	assert_number(connect, "proved_ramp.echoed", n);
	assert_number(connect, "proved_ramp.mismatched", 0);
	assert_number(connect, "proved.sent", n);
	assert_number(connect, "proved.echoed", n);
	assert_number(connect, "proved.mismatched", 0);
}

void apart_assert_proved(const struct trial *connect, int64_t n)
{
	assert_proved(connect, n, n);
}

void apart_assert_proved_unasked(const struct trial *connect, int64_t n)
{
	assert_proved(connect, n, -1);
	assert_non_null(strstr(trial_word(connect, "reason"), "the server's kernel was not asked"));
}

void apart_assert_served(const struct trial *serve, int64_t accepted, int64_t tokens)
{
	assert_non_null(serve->result);
	assert_string_equal(trial_word(serve, "role"), "serve");
	assert_number(serve, "served.accepted", accepted);
	assert_number(serve, "served.tokens", tokens);
	assert_number(serve, "accept_errors.total", 0);
}

int apart_count(const struct trial *trial, const char *text)
{
	int count = 0;

	for (const char *at = trial->err; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

int64_t apart_cpu_ms(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user, kernel;
	char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	assert_true(len > 0);
	text[len] = '\0';
	const char *at = strrchr(text, ')'); /* the name may hold blanks */

	assert_non_null(at);
	for (int field = 2; field < 14; field++) { /* proc(5): utime is the 14th */
		at = strchr(at + 1, ' ');
		assert_non_null(at);
	}
	user = strtoul(at + 1, &end, 10);
	kernel = strtoul(end, NULL, 10);
	return (int64_t)(user + kernel) * 1000 / sysconf(_SC_CLK_TCK);
}

int64_t apart_n(void)
{
	return trial_is_small() ? 1000 : 2000;
}

const char *apart_n_text(void)
{
	return trial_is_small() ? "1000" : "2000";
}

/* --- limits and mistakes -------------------------------------------------------------------- */

static void limit_nofile(rlim_t value)
{
	const struct rlimit both = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit(RLIMIT_NOFILE, &both) != 0)
		_exit(125);
}

void apart_nofile_64(void)
{
	limit_nofile(64);
}

void apart_nofile_256(void)
{
	limit_nofile(256);
}

static bool is_one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end && end[1] == '\0';
}

void apart_assert_mistakes(const char *command, const struct apart_mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct apart_mistake *m = &mistakes[i];
		struct trial trial;

		trial_start_command(&trial, command, NULL, m->args);
		trial_wait(&trial, 30);
		if (trial.code != m->code || !strstr(trial.err, m->says) ||
		    !is_one_line(trial.err) || trial.out[0] != '\0')
			fail_msg("%s %s: exit code %d, not %d; said: %s%s, not one line with: %s",
			         command, m->args[0] ? m->args[0] : "", trial.code, m->code,
			         trial.err, trial.out, m->says);
		trial_assert_no_process_left(&trial);
		trial_end(&trial);
	}
}

/* --- plain sockets -------------------------------------------------------------------------- */

void apart_address(const char *address, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
	struct ip ip;

	assert_int_equal(ip_parse(address, &ip), 0);
	*len = ip_sockaddr(&ip, port, out);
}

int apart_listen(const char *address, uint16_t port, int backlog)
{
	struct sockaddr_storage at;
	const int on = 1;
	socklen_t len;

	apart_address(address, port, &at, &len);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&at, len) != 0 || listen(fd, backlog) != 0)
		fail_msg("cannot listen on %s port %u: %s", address, port, strerror(errno));
	return fd;
}

int apart_dial(const char *address, uint16_t port)
{
	const struct timeval patience = {.tv_sec = 10};
	struct sockaddr_storage at;
	socklen_t len;

	apart_address(address, port, &at, &len);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&at, len) != 0)
		fail_msg("cannot connect to %s port %u: %s", address, port, strerror(errno));
	return fd;
}

void apart_await(const char *address, uint16_t port, pid_t pid)
{
	struct sockaddr_storage at;
	socklen_t len;

	apart_address(address, port, &at, &len);
	for (int i = 0; i < 1000; i++) {
		int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int failed = connect(fd, (const struct sockaddr *)&at, len);

		close(fd);
		if (failed == 0)
			return;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			fail_msg("the server for port %u has ended", port);
		apart_sleep(10);
	}
	fail_msg("nobody listens on port %u", port);
}
