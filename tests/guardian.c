/* guardian: asked over a socket pair, one message a question, one an answer. It sleeps on the
 * socket and on the test's pidfd: the end of the test is seen even where a child of the test still
 * has the other end of the socket. */
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEPT_MOST   32
#define VALUE_BYTES 256
#define TURN        "\0megaconn-test-guardian"
#define TURN_TRIES  1200 /* a minute */

enum question { ASK_SET, ASK_GET, ASK_RESTORE };

struct message {
	enum question question;
	int code; /* of an answer: 0 or a negative errno */
	char name[96], value[VALUE_BYTES];
};

static struct {
	char name[96], value[VALUE_BYTES];
} kept[KEPT_MOST];
static int kept_count;
static int turn_fd = -1; /* held while a setting is not as it was */

static int socket_fd = -1;
static pid_t guardian;

/* ---- the guardian's side --------------------------------------------------------------------- */

static int open_setting(const char *name, int flags)
{
	char path[160];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *c = path + strlen("/proc/sys/"); *c; c++) {
		if (*c == '.')
			*c = '/';
	}
	return open(path, flags | O_CLOEXEC);
}

static int get(const char *name, char value[VALUE_BYTES])
{
	int fd = open_setting(name, O_RDONLY);
	ssize_t count = fd >= 0 ? read(fd, value, VALUE_BYTES - 1) : -1;
	int failed = count < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	value[count > 0 ? count : 0] = '\0';
	return failed;
}

static int put(const char *name, const char *value)
{
	int fd = open_setting(name, O_WRONLY);
	ssize_t count = fd >= 0 ? write(fd, value, strlen(value)) : -1;
	int failed = count < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return failed;
}

/* Two tests that lower settings of one machine would take the other's value for the old one. A
 * name among the abstract sockets of the machine's first network is had by one process, and free
 * again when that has ended, however it did. */
static int take_turn(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof(TURN) - 1;
	const struct timespec pause = {.tv_nsec = 50000000};

	if (turn_fd >= 0)
		return 0;
	memcpy(at.sun_path, TURN, sizeof(TURN) - 1);
	turn_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < TURN_TRIES && turn_fd >= 0; i++) {
		if (bind(turn_fd, (const struct sockaddr *)&at, len) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	close(turn_fd);
	turn_fd = -1;
	return -EBUSY;
}

static void end_turn(void)
{
	if (turn_fd >= 0)
		close(turn_fd);
	turn_fd = -1;
}

static int keep(const char *name)
{
	for (int i = 0; i < kept_count; i++) {
		if (strcmp(kept[i].name, name) == 0)
			return 0;
	}
	if (kept_count == KEPT_MOST)
		return -ENOSPC;
	int failed = get(name, kept[kept_count].value);

	if (failed == 0)
		snprintf(kept[kept_count++].name, sizeof(kept[0].name), "%s", name);
	return failed;
}

static int restore(void)
{
	int failed = 0;

	while (kept_count > 0) {
		char now[VALUE_BYTES] = "";

		kept_count--;
		(void)put(kept[kept_count].name, kept[kept_count].value);
		if (get(kept[kept_count].name, now) != 0 ||
		    strcmp(now, kept[kept_count].value) != 0)
			failed = -EIO;
	}
	end_turn();
	return failed;
}

static void answer(struct message *m)
{
	switch (m->question) {
	case ASK_SET:
		m->code = take_turn();
		if (m->code == 0)
			m->code = keep(m->name);
		if (m->code == 0)
			m->code = put(m->name, m->value);
		break;
	case ASK_GET:
		m->code = get(m->name, m->value);
		break;
	case ASK_RESTORE:
		m->code = restore();
		break;
	}
}

static void guard(int fd, int test_fd)
{
	struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = test_fd, .events = POLLIN}};
	struct message m;

	for (;;) {
		if (poll(both, 2, -1) < 0 && errno != EINTR)
			break;
		if (both[1].revents)
			break;
		if (!both[0].revents)
			continue;
		if (recv(fd, &m, sizeof(m), 0) != (ssize_t)sizeof(m))
			break;
		answer(&m);
		(void)send(fd, &m, sizeof(m), MSG_NOSIGNAL);
	}
	_exit(restore() == 0 ? 0 : 1);
}

/* In a session of its own, and deaf to what is meant for the test. */
static void become_guardian(int fd, int test_fd)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

	setsid();
	prctl(PR_SET_NAME, "guardian");
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	guard(fd, test_fd);
}

/* ---- the test's side ------------------------------------------------------------------------- */

static bool is_machine_root(void)
{
	char map[64] = "";
	unsigned int inside = 1, outside = 1, count = 0;
	int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

	if (geteuid() != 0 || fd < 0)
		return false;
	(void)!read(fd, map, sizeof(map) - 1);
	close(fd);
	char *at = map;

	inside = (unsigned int)strtoul(at, &at, 10);
	outside = (unsigned int)strtoul(at, &at, 10);
	count = (unsigned int)strtoul(at, &at, 10);
	return inside == 0 && outside == 0 && count == 4294967295U;
}

bool guardian_start(void)
{
	int test_fd = (int)syscall(SYS_pidfd_open, getpid(), 0), pair[2];

	if (!is_machine_root() || test_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	guardian = fork();
	if (guardian == 0) {
		close(pair[1]);
		become_guardian(pair[0], test_fd);
	}
	close(test_fd);
	close(pair[0]);
	socket_fd = pair[1];
	return guardian > 0;
}

static int ask(struct message *m)
{
	if (guardian <= 0)
		return -EPERM;
	if (send(socket_fd, m, sizeof(*m), MSG_NOSIGNAL) != (ssize_t)sizeof(*m) ||
	    recv(socket_fd, m, sizeof(*m), 0) != (ssize_t)sizeof(*m))
		return -EPIPE;
	return m->code;
}

int guardian_set(const char *name, const char *value)
{
	struct message m = {.question = ASK_SET};

	snprintf(m.name, sizeof(m.name), "%s", name);
	snprintf(m.value, sizeof(m.value), "%s", value);
	return ask(&m);
}

bool guardian_get(const char *name, char *value, unsigned long size)
{
	struct message m = {.question = ASK_GET};

	snprintf(m.name, sizeof(m.name), "%s", name);
	if (ask(&m) != 0)
		return false;
	snprintf(value, size, "%s", m.value);
	return true;
}

bool guardian_restore(void)
{
	struct message m = {.question = ASK_RESTORE};

	return guardian <= 0 || ask(&m) == 0;
}

bool guardian_end(void)
{
	int status = 0;

	if (guardian <= 0)
		return true;
	bool is_restored = guardian_restore();

	close(socket_fd);
	waitpid(guardian, &status, 0);
	guardian = 0;
	return is_restored && status == 0;
}

int guardian_pid(void)
{
	return guardian;
}
