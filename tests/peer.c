/* peer: one loop over epoll for all manners. A guest is found by its descriptor, and in order of
 * acceptance by its number. */
#include "peer.h"

#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GUESTS 20000
#define EVENTS 256

struct guest {
	uint64_t came_ms;
	uint32_t len; /* bytes to send, of a slow peer */
	char data[64];
};

static struct peer me;
static int listener, watched;
static struct guest guests[GUESTS]; /* by descriptor */
static int by_number[GUESTS];
static uint32_t accepted, ended, spoken; /* how many; how far the list of them is done */
static uint64_t now_ms;
static volatile sig_atomic_t is_told;

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void say(int fd, const char *data, size_t len)
{
	(void)!send(fd, data, len, MSG_NOSIGNAL);
}

static void end(int fd, bool by_reset)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (by_reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void welcome(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	const int on = 1;
	int fd;

	while (accepted + 1 < GUESTS && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= GUESTS)
			_exit(1);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		guests[fd] = (struct guest){.came_ms = now_ms};
		by_number[++accepted] = fd;
		event.data.fd = fd;
		epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event);
		if (me.manner == PEER_GREETS)
			say(fd, PEER_GREETING, strlen(PEER_GREETING));
	}
}

static void note_slow(struct guest *g, const char *data, size_t len)
{
	if (len > sizeof(g->data) - g->len)
		len = sizeof(g->data) - g->len;
	memcpy(g->data + g->len, data, len);
	g->len += (uint32_t)len;
}

static void answer(int fd, char *data, size_t len)
{
	switch (me.manner) {
	case PEER_GARBLES:
		memset(data, '#', len);
		say(fd, data, len);
		break;
	case PEER_IS_SLOW:
		note_slow(&guests[fd], data, len);
		break;
	case PEER_STALLS:
		if (spoken++ < me.number)
			say(fd, data, len);
		break;
	case PEER_ECHOES:
	case PEER_RESETS:
	case PEER_CLOSES:
		say(fd, data, len);
		break;
	case PEER_GREETS:
	case PEER_NEVER_ACCEPTS:
		break;
	}
}

static void hear(int fd)
{
	char data[4096];
	ssize_t count = recv(fd, data, sizeof(data), 0);

	if (count > 0)
		answer(fd, data, (size_t)count);
	else if (count == 0 || errno != EAGAIN)
		end(fd, false);
}

static void on_told(int signal)
{
	(void)signal;
	is_told = 1;
}

static void reset_some(void)
{
	if (me.manner != PEER_RESETS || !is_told)
		return;
	for (; ended < accepted; ended++) {
		if ((ended + 1) % me.number == 0)
			end(by_number[ended + 1], true);
	}
}

static void close_old(void)
{
	if (me.manner != PEER_CLOSES)
		return;
	for (; ended < accepted && guests[by_number[ended + 1]].came_ms + me.number <= now_ms;
	     ended++)
		end(by_number[ended + 1], false);
}

static void send_slowly(void)
{
	if (me.manner != PEER_IS_SLOW)
		return;
	for (uint32_t i = 1; i <= accepted; i++) {
		struct guest *g = &guests[by_number[i]];

		if (g->len == 0)
			continue;
		say(by_number[i], g->data, 1);
		memmove(g->data, g->data + 1, --g->len);
	}
}

static void live(void)
{
	struct epoll_event events[EVENTS], knock = {.events = EPOLLIN};

	signal(SIGUSR1, on_told);
	watched = epoll_create1(EPOLL_CLOEXEC);
	knock.data.fd = listener;
	if (me.manner == PEER_NEVER_ACCEPTS || watched < 0 ||
	    epoll_ctl(watched, EPOLL_CTL_ADD, listener, &knock) != 0) {
		pause();
		_exit(1);
	}
	for (;;) {
		int count = epoll_wait(watched, events, EVENTS, me.manner == PEER_IS_SLOW ? 1 : 20);

		now_ms = clock_ms();
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				welcome();
			else
				hear(events[i].data.fd);
		}
		reset_some();
		close_old();
		send_slowly();
	}
}

pid_t peer_start(const struct peer *peer)
{
	pid_t parent = getpid();

	me = *peer;
	listener = apart_listen("127.0.0.1", me.port, me.backlog > 0 ? me.backlog : 4096);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			live();
		_exit(1);
	}
	close(listener);
	apart_keep(pid);
	return pid;
}

void peer_end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
