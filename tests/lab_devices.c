/* lab_devices: packets by hand through both devices, between this process's network, where the
 * host's end is, and a worker, which is a child: answers to many sources, one neighbour for all of
 * them, large answers in small frames, and nothing left however the worker ends. */
#include "apart.h"
#include "lab_devices/bench.h"

#include "kernel/netlink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOURCES4   "198.18.0.0/16"
#define SOURCES6   "2001:2:0:1::/112"
#define ASKED_MOST 60000
#define ANSWER     65536 /* bytes that a server writes at once */

static enum bench_device device_of(void **state)
{
	return *(const enum bench_device *)*state;
}

/* A device with `count` of the sources from `from` on; where it cannot be opened, only the TUN's
 * file is a reason to skip, and that not for root, who has it where there is one. */
static void open_worker(struct bench *b, enum bench_device device, const char *sources,
                        uint32_t from, uint32_t count)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	bench_start(b, device, sources, from, count);
	int result = b->report->opened;

	if (device == BENCH_TUN && (result == -ENOENT || (result == -EACCES && !bench_is_root())))
		apart_skip("there is no /dev/net/tun for this user");
	if (result != 0)
		fail_msg("%s", b->report->err.text);
}

/* --- all of the sources are answered --------------------------------------------------------- */

static void check_answers(enum bench_device device, const char *sources)
{
	const struct bench_report *report;
	struct bench b;

	open_worker(&b, device, sources, 1000, ASKED_MOST);
	report = b.report;
	bench_tell(&b, BENCH_ASK);
	assert_int_equal(report->answered, ASKED_MOST);
	assert_int_equal(report->bad, 0);
	assert_int_equal(report->strangers, 0);
	assert_true(report->is_quiet);
	assert_in_range(bench_neighbours(), 0, 2);
	bench_tell(&b, BENCH_CLOSE);
	assert_int_equal(bench_links(), 0);
	assert_false(bench_is_routed(&b));
	bench_end(&b);
}

static void many_sources(void **state)
{
	check_answers(device_of(state), SOURCES4);
	check_answers(device_of(state), SOURCES6);
}

static void ring_of_an_old_kernel(void **state)
{
	bench_set_ring(BENCH_RING_OLD);
	check_answers(device_of(state), SOURCES4);
}

static void ring_that_takes_less(void **state)
{
	bench_set_ring(BENCH_RING_SHORT);
	check_answers(device_of(state), SOURCES4);
}

/* A worker's share of several ranges: all of it, and nothing of the others'. */
static void shares_of_ranges(void **state)
{
	const enum bench_device device = device_of(state);
	static const char ranges[] = "198.18.1.1-198.18.1.9,198.18.7.0-198.18.7.99,198.18.0.3";
	struct bench first, second;

	open_worker(&first, device, ranges, 0, 30);
	open_worker(&second, device, ranges, 30, 80);
	bench_tell(&first, BENCH_ASK);
	bench_tell(&second, BENCH_ASK);
	assert_int_equal(first.report->answered, 30);
	assert_int_equal(second.report->answered, 80);
	assert_int_equal(first.report->strangers + second.report->strangers, 0);
	assert_int_equal(bench_links(), 2);
	bench_tell(&first, BENCH_CLOSE);
	assert_int_equal(bench_links(), 1);
	bench_tell(&second, BENCH_ASK);
	assert_int_equal(second.report->answered, 80);
	bench_end(&first);
	bench_end(&second);
	bench_await_no_link();
}

/* Nobody receives: what does not fit is lost, and counted, and then all goes on. */
static void flood(void **state)
{
	const uint32_t count = 40000;
	struct bench b;

	open_worker(&b, device_of(state), SOURCES4, 0, count);
	bench_tell(&b, BENCH_FLOOD);
	assert_in_range(b.report->flooded, 256, count - 1);
	bench_tell(&b, BENCH_ASK);
	assert_int_equal(b.report->answered, count);
	assert_int_equal(b.report->bad, 0);
	if (device_of(state) == BENCH_PACKET)
		assert_int_equal(b.report->flooded + b.report->dropped, count);
	bench_end(&b);
}

/* --- what a server sends ---------------------------------------------------------------------- */

static int listen_on(const struct ip *host)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(host, BENCH_OPEN_PORT, &address);
	int fd = socket(host->family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), errno);
	assert_return_code(bind(fd, (const struct sockaddr *)&address, len), errno);
	assert_return_code(listen(fd, 8), errno);
	return fd;
}

static int accept_one(int listener)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 5000), 1);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_return_code(fd, errno);
	return fd;
}

/* Segmentation and checksums are left to devices where one can; ours must not be such a device, or
 * say what it has left out. */
static void check_large_answer(enum bench_device device, const char *sources)
{
	static uint8_t answer[ANSWER];
	struct bench b;

	for (uint32_t i = 0; i < ANSWER; i++)
		answer[i] = bench_byte(i);
	open_worker(&b, device, sources, 0, 10);
	int listener = listen_on(&b.host);

	bench_tell(&b, BENCH_CONNECT);
	int fd = accept_one(listener);

	assert_true(b.report->is_connected);
	assert_true(write(fd, answer, ANSWER) > BENCH_LARGE);
	bench_tell(&b, BENCH_COLLECT);
	assert_in_range(b.report->collected, BENCH_LARGE, ANSWER);
	assert_in_range(b.report->longest, 1000, 1500);
	assert_int_equal(b.report->bad, 0);
	close(fd);
	close(listener);
	bench_end(&b);
	bench_await_no_link();
}

static void large_answers(void **state)
{
	check_large_answer(device_of(state), SOURCES4);
	check_large_answer(device_of(state), SOURCES6);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void killed_worker(void **state)
{
	struct bench b;

	open_worker(&b, device_of(state), SOURCES4, 0, 1000);
	bench_tell(&b, BENCH_ASK);
	assert_int_equal(bench_links(), 1);
	assert_true(bench_is_routed(&b));
	bench_end(&b);
	bench_await_no_link();
	assert_false(bench_is_routed(&b));
}

/* Somebody deletes the link: an exchange says so, instead of finding nothing for ever. */
static void link_deleted(void **state)
{
	struct bench b;

	open_worker(&b, device_of(state), SOURCES4, 0, 10);
	bench_delete_link();
	bench_tell(&b, BENCH_WATCH);
	assert_in_range(-b.report->watched, 1, 133);
	bench_tell(&b, BENCH_CLOSE);
	bench_end(&b);
}

/* --- somebody else's -------------------------------------------------------------------------- */

static void check_refused(enum bench_device device, const char *sources, const char *in_the_way)
{
	struct bench b;

	bench_start(&b, device, sources, 0, ASKED_MOST);
	assert_int_equal(b.report->opened, -EEXIST);
	if (!strstr(b.report->err.text, in_the_way))
		fail_msg("%s: not in: %s", in_the_way, b.report->err.text);
	bench_end(&b);
}

static void addresses_that_are_taken(void **state)
{
	const enum bench_device device = device_of(state);
	struct bench b;

	open_worker(&b, device, "198.18.4.0/24", 0, 254);
	assert_true(bench_is_routed(&b));
	check_refused(device, "198.18.4.0/24", "198.18.4.");
	check_refused(device, "198.18.0.0-198.18.7.255", "198.18.4.");
	check_refused(device, "198.18.4.17", "198.18.4.16/28");
	check_refused(device, "198.19.0.0/24", "198.19.0.1/32"); /* the host's own address */
	check_refused(device, "2001:2:0:2::/120", "2001:2:0:2::1/128");
	assert_int_equal(bench_links(), 1);
	bench_tell(&b, BENCH_ASK);
	assert_int_equal(b.report->answered, 254);
	bench_end(&b);
	bench_await_no_link();
}

/* --- an ordinary user --------------------------------------------------------------------------
 */

static void ordinary_user(void **state)
{
	struct bench b;

	(void)state;
	if (!bench_is_root())
		apart_skip("this is an ordinary user's run already");
	bench_start_as_nobody(&b, SOURCES4, 0, 1000);
	if (b.report->opened == BENCH_NO_NAMESPACE)
		apart_skip("no user namespace is allowed here");
	if (b.report->opened != 0)
		fail_msg("%s", b.report->err.text);
	bench_tell(&b, BENCH_ASK);
	assert_int_equal(b.report->answered, 1000);
	bench_end(&b);
}

static void no_rights(void **state)
{
	struct bench b;

	if (!bench_is_root())
		apart_skip("needs root, to have no rights after");
	bench_start_without_rights(&b, device_of(state), SOURCES4);
	if (b.report->opened == -ENOENT)
		apart_skip("there is no /dev/net/tun");
	assert_true(b.report->opened == -EPERM || b.report->opened == -EACCES);
	assert_non_null(strstr(b.report->err.text, "root"));
	bench_end(&b);
	assert_int_equal(bench_links(), 0);
}

#define BY(device, name)                                                     \
	{                                                                    \
#name " by " #device, name, NULL, bench_tear_down, &(device) \
	}

int main(void)
{
	static enum bench_device packet = BENCH_PACKET, tun = BENCH_TUN;
	const struct CMUnitTest tests[] = {
		BY(packet, many_sources),
		BY(tun, many_sources),
		BY(tun, ring_of_an_old_kernel),
		BY(tun, ring_that_takes_less),
		BY(packet, shares_of_ranges),
		BY(tun, shares_of_ranges),
		BY(packet, flood),
		BY(tun, flood),
		BY(packet, large_answers),
		BY(tun, large_answers),
		BY(packet, killed_worker),
		BY(tun, killed_worker),
		BY(packet, link_deleted),
		BY(tun, link_deleted),
		BY(packet, addresses_that_are_taken),
		BY(tun, addresses_that_are_taken),
		BY(packet, ordinary_user),
		BY(packet, no_rights),
		BY(tun, no_rights),
	};

	return cmocka_run_group_tests_name("lab_devices", tests, bench_set_up, NULL);
}
