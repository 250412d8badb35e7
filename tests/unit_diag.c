/* unit_diag: kernel/diag.h and kernel/netlink.h on real sockets over the loopback of a network
 * namespace of our own, so that every socket there is one of ours. */
#include "kernel/diag_one.h"
#include "kernel/netlink.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ADDRESSES   300
#define CONNECTIONS 50
#define SERVER_PORT 20000
#define CLIENT_PORT 30000
#define ESTABLISHED (1u << TCP_ESTABLISHED)
#define LISTEN      (1u << TCP_LISTEN)
/* Up to NEW_SYN_RECV; from Linux 6.8 on there is BOUND_INACTIVE after it: bound, closed sockets. */
#define ALL_STATES 0x1ffeu

static struct ip first4, first6;
static int have_namespace;

/* All sockets of one family's tests. */
struct traffic {
	int listener;
	int clients[CONNECTIONS], servers[CONNECTIONS];
};

static int enter_namespace(void **state)
{
	int flags = geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET;

	(void)state;
	have_namespace = !unshare(flags);
	ip_parse("198.18.0.1", &first4);
	ip_parse("2001:2::1", &first6);
	return 0;
}

static void need_namespace(void)
{
	if (have_namespace)
		return;
	print_message("a network namespace is not allowed here\n");
	skip();
}

static void link_up(void **state)
{
	(void)state;
	need_namespace();
	assert_int_equal(netlink_link_up("no_such_link"), -ENODEV);
	assert_int_equal(netlink_link_up("lo"), 0);
	assert_int_equal(netlink_link_up("lo"), 0);
}

static void assert_bind(const struct ip *ip, int code)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(ip, 0, &address);
	int fd = socket(ip->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	assert_true(fd >= 0);
	result = bind(fd, (const struct sockaddr *)&address, len) ? errno : 0;
	close(fd);
	assert_int_equal(result, code);
}

/* A datagram socket's connect looks up the route and sends nothing. */
static void assert_route(const struct ip *ip)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(ip, 9, &address);
	int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	assert_true(fd >= 0);
	result = connect(fd, (const struct sockaddr *)&address, len);
	close(fd);
	assert_int_equal(result, 0);
}

static void add_family(const struct ip *first)
{
	uint32_t i;

	assert_int_equal(netlink_add_addresses("lo", first, ADDRESSES), 0);
	for (i = 0; i < ADDRESSES; i++) {
		struct ip ip = ip_add(first, i);

		assert_route(&ip);
		assert_bind(&ip, 0);
	}
	assert_int_equal(netlink_add_addresses("lo", first, ADDRESSES), 0);
	assert_int_equal(netlink_add_addresses("lo", first, 0), 0);
}

static void add_addresses(void **state)
{
	struct ip after, bad;

	(void)state;
	need_namespace();
	add_family(&first4);
	add_family(&first6);
	after = ip_add(&first4, ADDRESSES);
	assert_bind(&after, EADDRNOTAVAIL);
	after = ip_add(&first6, ADDRESSES);
	assert_bind(&after, EADDRNOTAVAIL);
	memset(&bad, 0, sizeof(bad));
	assert_int_equal(netlink_add_addresses("lo", &bad, 1), -EAFNOSUPPORT);
	assert_int_equal(netlink_add_addresses("no_such_link", &first4, 1), -ENODEV);
}

static int bound_socket(const struct ip *ip, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(ip, port, &address);
	int fd = socket(ip->family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
	return fd;
}

static void open_traffic(struct traffic *t, const struct ip *ip)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(ip, SERVER_PORT, &address);
	int i;

	t->listener = bound_socket(ip, SERVER_PORT);
	assert_int_equal(listen(t->listener, 128), 0);
	for (i = 0; i < CONNECTIONS; i++) {
		t->clients[i] = bound_socket(ip, (uint16_t)(CLIENT_PORT + i));
		assert_int_equal(connect(t->clients[i], (struct sockaddr *)&address, len), 0);
		t->servers[i] = accept(t->listener, NULL, NULL);
		assert_true(t->servers[i] >= 0);
	}
}

static void close_traffic(struct traffic *t)
{
	int i;

	for (i = 0; i < CONNECTIONS; i++) {
		close(t->clients[i]);
		close(t->servers[i]);
	}
	close(t->listener);
}

static uint64_t count(int family, uint16_t low, uint16_t high, uint32_t mask)
{
	const struct diag_query query = {
		.family = family, .low = low, .high = high, .state_mask = mask};
	struct diag_counts counts;
	uint64_t sum = 0;
	int i, result;

	do {
		result = diag_count(&query, &counts);
	} while (result == -EINTR);
	assert_int_equal(result, 0);
	for (i = 0; i < DIAG_STATES; i++) {
		if (!(mask >> i & 1))
			assert_int_equal(counts.by_state[i], 0);
		sum += counts.by_state[i];
	}
	assert_int_equal(sum, counts.total);
	return counts.total;
}

/* Segments over the loopback may be handled a little later. */
static void await_count(int family, uint16_t low, uint16_t high, uint32_t mask, uint64_t expected)
{
	const struct timespec millisecond = {.tv_nsec = 1000000};
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		if (count(family, low, high, mask) == expected)
			return;
		nanosleep(&millisecond, NULL);
	}
	assert_int_equal(count(family, low, high, mask), expected);
}

static void assert_ranges(int family)
{
	const uint16_t last = CLIENT_PORT + CONNECTIONS - 1;

	assert_int_equal(count(family, CLIENT_PORT, last, ESTABLISHED), CONNECTIONS);
	assert_int_equal(count(family, CLIENT_PORT, last, ALL_STATES), CONNECTIONS);
	assert_int_equal(count(family, CLIENT_PORT, last, LISTEN), 0);
	assert_int_equal(count(family, CLIENT_PORT + 10, CLIENT_PORT + 19, ESTABLISHED), 10);
	assert_int_equal(count(family, last, last, ESTABLISHED), 1);
	assert_int_equal(count(family, (uint16_t)(last + 1), 65535, ALL_STATES), 0);
	assert_int_equal(count(family, 0, SERVER_PORT - 1, ALL_STATES), 0);
	assert_int_equal(count(family, SERVER_PORT, SERVER_PORT, ESTABLISHED), CONNECTIONS);
	assert_int_equal(count(family, SERVER_PORT, SERVER_PORT, LISTEN), 1);
	assert_int_equal(count(family, SERVER_PORT, SERVER_PORT, ALL_STATES), CONNECTIONS + 1);
	assert_int_equal(count(family, 0, 65535, ESTABLISHED), 2 * CONNECTIONS);
	assert_int_equal(count(family, 0, 65535, ALL_STATES), 2 * CONNECTIONS + 1);
	assert_int_equal(count(family, 0, CLIENT_PORT, ALL_STATES), CONNECTIONS + 2);
	assert_int_equal(count(family, CLIENT_PORT, 65535, ALL_STATES), CONNECTIONS);
	assert_int_equal(count(family, 0, 65535, 0), 0);
}

struct seen {
	int servers, clients, others;
};

static void see(void *context, uint8_t state, const struct diag_socket *socket)
{
	struct seen *seen = context;

	if (state == TCP_ESTABLISHED && socket->local_port == SERVER_PORT)
		seen->servers++;
	else if (state == TCP_ESTABLISHED && socket->remote_port == SERVER_PORT)
		seen->clients++;
	else
		seen->others++;
}

/* Each once; and no more than were sent until the deadline, where there is one that has passed. */
static void assert_each(int family)
{
	const struct diag_query query = {.family = family, .high = 65535, .state_mask = ALL_STATES};
	struct seen seen = {0};
	bool is_partial = false;

	assert_int_equal(diag_each(&query, UINT64_MAX, see, &seen, &is_partial), 0);
	assert_false(is_partial);
	assert_int_equal(seen.servers, CONNECTIONS);
	assert_int_equal(seen.clients, CONNECTIONS);
	assert_int_equal(seen.others, 1);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(diag_each(&query, 1, see, &seen, &is_partial), 0);
	assert_true(is_partial || seen.servers + seen.clients + seen.others == 2 * CONNECTIONS + 1);
}

/* Closes from one side, then from the other, and watches the states. */
static void assert_closing(struct traffic *t, int family)
{
	const uint16_t last = CLIENT_PORT + CONNECTIONS - 1;
	int i;

	for (i = 0; i < 5; i++)
		assert_int_equal(shutdown(t->clients[i], SHUT_WR), 0);
	await_count(family, CLIENT_PORT, last, 1u << TCP_FIN_WAIT2, 5);
	await_count(family, SERVER_PORT, SERVER_PORT, 1u << TCP_CLOSE_WAIT, 5);
	assert_int_equal(count(family, CLIENT_PORT, last, ESTABLISHED), CONNECTIONS - 5);
	for (i = 0; i < 3; i++)
		assert_int_equal(shutdown(t->servers[i], SHUT_WR), 0);
	await_count(family, CLIENT_PORT, last, 1u << TCP_TIME_WAIT, 3);
	await_count(family, SERVER_PORT, SERVER_PORT, 1u << TCP_CLOSE_WAIT, 2);
	assert_int_equal(count(family, CLIENT_PORT, last, ALL_STATES), CONNECTIONS);
}

/* Who does not read acknowledges all the same, as much as it has room for, and probes after that.
 */
static void assert_answered(const struct traffic *t, const struct ip *ip)
{
	struct diag_socket socket = {
		.local = *ip, .remote = *ip, .local_port = CLIENT_PORT, .remote_port = SERVER_PORT};
	const struct timespec pause = {.tv_nsec = 100000000};
	static char data[65536];
	bool is_unanswered = true;

	assert_int_equal(diag_one_is_unanswered(&socket, &is_unanswered), 0);
	assert_false(is_unanswered);
	while (send(t->clients[0], data, sizeof(data), MSG_DONTWAIT) > 0) {
	}
	assert_int_equal(errno, EAGAIN);
	for (int i = 0; i < 15; i++) { /* some probes, each later than the last */
		nanosleep(&pause, NULL);
		assert_int_equal(diag_one_is_unanswered(&socket, &is_unanswered), 0);
		assert_false(is_unanswered);
	}
	while (recv(t->servers[0], data, sizeof(data), MSG_DONTWAIT) > 0) {
	}
	socket.local_port = CLIENT_PORT + CONNECTIONS;
	assert_int_equal(diag_one_is_unanswered(&socket, &is_unanswered), -ENOENT);
}

static void check_family(const struct ip *ip, int other)
{
	struct traffic t;

	open_traffic(&t, ip);
	assert_ranges(ip->family);
	assert_each(ip->family);
	assert_answered(&t, ip);
	assert_int_equal(count(other, 0, 65535, ALL_STATES & ~(1u << TCP_TIME_WAIT)), 0);
	assert_closing(&t, ip->family);
	close_traffic(&t);
}

static void count_ipv4(void **state)
{
	struct ip ip;

	(void)state;
	need_namespace();
	ip = ip_add(&first4, ADDRESSES - 1);
	check_family(&ip, AF_INET6);
}

static void count_ipv6(void **state)
{
	struct ip ip;

	(void)state;
	need_namespace();
	/* What closing left of the IPv4 sockets may still be there for a moment. */
	await_count(AF_INET, 0, 65535, ALL_STATES & ~(1u << TCP_TIME_WAIT), 0);
	ip = ip_add(&first6, ADDRESSES - 1);
	check_family(&ip, AF_INET);
}

static void count_errors(void **state)
{
	struct diag_counts counts;

	(void)state;
	const struct diag_query unix_sockets = {
		.family = AF_UNIX, .high = 65535, .state_mask = ALL_STATES};
	const struct diag_query backwards = {
		.family = AF_INET, .low = 2, .high = 1, .state_mask = ALL_STATES};

	assert_int_equal(diag_count(&unix_sockets, &counts), -EINVAL);
	assert_int_equal(diag_count(&backwards, &counts), -EINVAL);
	assert_int_equal(diag_each(&backwards, 0, see, NULL, NULL), -EINVAL);
}

static int is_marked(const uint8_t *ports, uint32_t port)
{
	return ports[port / 8] >> port % 8 & 1;
}

static void listening_ports(void **state)
{
	static uint8_t ports[8192];
	int listeners[3], bound, marked = 0;
	size_t i;

	(void)state;
	need_namespace();
	listeners[0] = bound_socket(&first4, 1);
	listeners[1] = bound_socket(&first4, 65535);
	listeners[2] = bound_socket(&first6, 8081);
	bound = bound_socket(&first4, 8082);
	for (i = 0; i < 3; i++)
		assert_int_equal(listen(listeners[i], 1), 0);
	assert_int_equal(diag_listening_ports(ports), 0);
	for (i = 0; i < sizeof(ports); i++)
		marked += __builtin_popcount(ports[i]);
	assert_int_equal(marked, 3);
	assert_true(is_marked(ports, 1) && is_marked(ports, 65535) && is_marked(ports, 8081));
	for (i = 0; i < 3; i++)
		close(listeners[i]);
	close(bound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_up),      cmocka_unit_test(add_addresses),
		cmocka_unit_test(count_ipv4),   cmocka_unit_test(count_ipv6),
		cmocka_unit_test(count_errors), cmocka_unit_test(listening_ports),
	};

	return cmocka_run_group_tests_name("unit_diag", tests, enter_namespace, NULL);
}
