/* plain: ordinary sockets, which the engines are held against. */
#include "unit_engine/pair.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

socklen_t plain_address(bool is_ipv6, struct sockaddr_storage *out)
{
	const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};

	memset(out, 0, sizeof(*out));
	if (is_ipv6)
		memcpy(out, &v6, sizeof(v6));
	else
		memcpy(out, &v4, sizeof(v4));
	return is_ipv6 ? sizeof(v6) : sizeof(v4);
}

int plain_listen(struct sockaddr_storage *address, socklen_t len, int backlog)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (const struct sockaddr *)address, len) != 0)
		fail_msg("bind: %s", strerror(errno));
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void be_patient(int fd)
{
	const struct timeval most = {.tv_sec = 5};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)), 0);
}

void plain_reset_on_close(int fd)
{
	const struct linger reset = {.l_onoff = 1};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
}

/* Ports that engines have bound, in TIME_WAIT too, are not given to a connect from any address,
 * but to a bind of another one: so each has thousands. */
static void bind_elsewhere(int fd)
{
	static uint32_t next;
	struct sockaddr_in source = {.sin_family = AF_INET};

	source.sin_addr.s_addr = htonl(0x7f010001U + (uint32_t)getpid() % 200 * 256 + next++ % 250);
	assert_int_equal(bind(fd, (const struct sockaddr *)&source, sizeof(source)), 0);
}

/* Where a socket has a time-out, rings that are being freed interrupt a call on it (EINTR). */
int plain_connect(const struct sockaddr_storage *target, socklen_t len)
{
	int fd = socket(target->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	assert_true(fd >= 0);
	be_patient(fd);
	bind_elsewhere(fd);
	do
		result = connect(fd, (const struct sockaddr *)target, len);
	while (result != 0 && (errno == EINTR || errno == EALREADY));
	if (result != 0 && errno != EISCONN)
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

int plain_accept(int listener)
{
	int fd;

	be_patient(listener);
	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		fail_msg("accept: %s", strerror(errno));
	be_patient(fd);
	return fd;
}

int plain_receive(int fd, void *data, size_t len)
{
	ssize_t count;

	do
		count = recv(fd, data, len, 0);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : (int)count;
}
