/* lab_walls_ports: the walls of the 4-tuple: ranges of source ports, what is not free of them, how
 * many source IPs and server ports there are; doctor's number is reached, and not one more. */
#include "wall.h"

#include "kernel/netlink.h"
#include "plan/ip.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define SERVER      8090
#define OTHERS      7000 /* where a server of somebody else's listens */

#define TAKEN "every 4-tuple of the plan is taken, for plain sockets too"

/* ---- one more -------------------------------------------------------------------------------- */

/* Where one more connection is tried from and to. */
static struct {
	const char *sources[4], *target;
	uint16_t target_low, target_high;
	uint16_t port_low, port_high;
	int free_by_hand; /* source ports of a source IP that could be bound, if one insisted */
} tried;

/* A plain socket, bound to the source port, as megaconn's are. */
static bool connects(const char *source, uint16_t port, const char *target, uint16_t target_port)
{
	struct sockaddr_storage from, to;
	socklen_t from_len, to_len;
	const int on = 1;

	apart_address(source, port, &from, &from_len);
	apart_address(target, target_port, &to, &to_len);
	int fd = socket(from.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	bool is_open = bind(fd, (const struct sockaddr *)&from, from_len) == 0 &&
	               connect(fd, (const struct sockaddr *)&to, to_len) == 0;

	if (!is_open)
		assert_true(errno == EADDRINUSE || errno == EADDRNOTAVAIL);
	close(fd);
	return is_open;
}

/* Every 4-tuple there could be is tried: those that are left are none of the plan's. */
static void every_tuple_is_taken(const struct trial *held, int64_t reached)
{
	(void)held;
	(void)reached;
	for (size_t s = 0; s < COUNT_OF(tried.sources) && tried.sources[s]; s++) {
		for (uint32_t to = tried.target_low; to <= tried.target_high; to++) {
			int more = 0;

			for (uint32_t port = tried.port_low; port <= tried.port_high; port++)
				more += connects(tried.sources[s], (uint16_t)port, tried.target,
				                 (uint16_t)to);
			assert_int_equal(more, tried.free_by_hand);
		}
	}
}

static void try_beyond(const char *source, uint16_t low, uint16_t high)
{
	memset(&tried, 0, sizeof(tried));
	tried.sources[0] = source;
	tried.target = "127.0.0.1";
	tried.target_low = tried.target_high = SERVER;
	tried.port_low = low;
	tried.port_high = high;
}

static void set_range(uint16_t low, uint16_t high)
{
	wall_set("net.ipv4.ip_local_port_range", "%u %u", low, high);
}

/* ---- source_ports ---------------------------------------------------------------------------- */

static void range_of_500(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40000, 40499);
	try_beyond("127.0.0.1", 40000, 40499);
	wall_provoke_client(&wall);
}

static void range_of_one(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40001-40001",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40001, 40001);
	try_beyond("127.0.0.1", 40001, 40001);
	wall_provoke_client(&wall);
}

/* The default of Linux, with which most people meet this wall. */
static void usual_range(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 32768-60999, as Linux has it",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	wall_need_network();
	wall_need_time("range_of_500 shows as much");
	set_range(32768, 60999);
	try_beyond("127.0.0.1", 32768, 60999);
	wall_provoke_client(&wall);
}

static void several_sources(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, 4 source IPs",
		.options = {"--source", "127.0.0.2-127.0.0.5"},
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40000, 40499);
	try_beyond("127.0.0.2", 40000, 40499);
	tried.sources[1] = "127.0.0.3";
	tried.sources[2] = "127.0.0.4";
	tried.sources[3] = "127.0.0.5";
	wall_provoke_client(&wall);
}

static void several_server_ports(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, 2 source IPs, 3 server ports",
		.target = "127.0.0.1:8090-8092",
		.options = {"--source", "127.0.0.2-127.0.0.3"},
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40000, 40499);
	try_beyond("127.0.0.2", 40000, 40499);
	tried.sources[1] = "127.0.0.3";
	tried.target_high = SERVER + 2;
	wall_provoke_client(&wall);
}

static void over_ipv6(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, IPv6",
		.target = "[::1]:8090",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40000, 40499);
	try_beyond("::1", 40000, 40499);
	tried.target = "::1";
	wall_provoke_client(&wall);
}

static void ports_given(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "--ports 41000-41249",
		.options = {"--ports", "41000-41249"},
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	wall_need_network();
	try_beyond("127.0.0.1", 41000, 41249);
	wall_provoke_client(&wall);
}

/* Reserved is what nobody gets unasked; who insists still can. */
static void reserved_ports(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, 51 of it in ip_local_reserved_ports",
		.note = "every other 4-tuple is taken; who binds a reserved port by hand gets it",
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40000, 40499);
	wall_set("net.ipv4.ip_local_reserved_ports", "40100-40149,40300");
	try_beyond("127.0.0.1", 40000, 40499);
	tried.free_by_hand = 51;
	wall_provoke_client(&wall);
}

static void listening_ports(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, 5 of it listened on",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};
	int fds[5];

	(void)state;
	set_range(40000, 40499);
	for (uint16_t i = 0; i < 5; i++)
		fds[i] = apart_listen("127.0.0.1", (uint16_t)(40010 + 7 * i), 1);
	try_beyond("127.0.0.1", 40000, 40499);
	wall_provoke_client(&wall);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

/* The server's own port lies among the source ports. */
static void server_port_within(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, the server's port in it",
		.target = "127.0.0.1:40250",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};

	(void)state;
	set_range(40000, 40499);
	try_beyond("127.0.0.1", 40000, 40499);
	tried.target_low = tried.target_high = 40250;
	wall_provoke_client(&wall);
}

/* A connection of somebody else's from one of our addresses, bound as most programs do it. */
static int take_port(uint16_t port)
{
	struct sockaddr_storage from, to;
	socklen_t from_len, to_len;

	apart_address("127.0.0.1", port, &from, &from_len);
	apart_address("127.0.0.1", OTHERS, &to, &to_len);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&from, from_len), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, to_len), 0);
	return fd;
}

static void ports_of_others(void **state)
{
	const struct wall wall = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, 20 of it other programs'",
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};
	int fds[20];

	(void)state;
	set_range(40000, 40499);
	int others = apart_listen("127.0.0.1", OTHERS, 64);

	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = take_port((uint16_t)(40020 + 3 * i));
	try_beyond("127.0.0.1", 40000, 40499);
	wall_provoke_client(&wall);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	close(others);
}

/* ---- source_addresses ------------------------------------------------------------------------ */

/* 10 wanted, 7 there: doctor counts, connect refuses; and 7 are good for what doctor said. */
static void missing_sources(void **state)
{
	const struct wall asked = {
		.row = "source_addresses",
		.how = "--source of 10 IPs, 3 of them not there; ip_local_port_range 40000-40499",
		.note = "connect refuses to start with the 10; reached is with the 7",
		.target = "198.18.1.100:8090",
		.options = {"--source", "198.18.1.1-198.18.1.10"},
	};
	const struct wall there = {
		.row = "source_ports",
		.how = "ip_local_port_range 40000-40499, 7 source IPs",
		.target = "198.18.1.100:8090",
		.options = {"--source", "198.18.1.1-198.18.1.7"},
		.note = TAKEN,
		.beyond = every_tuple_is_taken,
	};
	const char *const refused[] = {"198.18.1.100:8090",      "-n", "100", "--source",
	                               "198.18.1.1-198.18.1.10", NULL};
	struct trial connect;
	struct ip first, server;

	(void)state;
	set_range(40000, 40499);
	assert_int_equal(ip_parse("198.18.1.1", &first), 0);
	assert_int_equal(ip_parse("198.18.1.100", &server), 0);
	assert_int_equal(netlink_add_addresses("lo", &first, 7), 0);
	assert_int_equal(netlink_add_addresses("lo", &server, 1), 0);
	int64_t predicted = wall_predict(&asked, "client");

	apart_run(&connect, NULL, refused);
	trial_assert_code(&connect, 4);
	assert_non_null(strstr(connect.err, "198.18.1.8 is not an address of this host"));
	trial_end(&connect);
	try_beyond("198.18.1.1", 40000, 40499);
	tried.sources[1] = "198.18.1.7";
	tried.target = "198.18.1.100";
	wall_compare(&asked, predicted, wall_provoke_client(&there));
	assert_int_equal(predicted, 7 * 500);
}

/* ---- index ----------------------------------------------------------------------------------- */

/* Too many to be reached: only the number. */
static void index_is_told(void **state)
{
	const struct wall wall = {.row = "index"};
	struct trial doctor;

	(void)state;
	assert_int_equal(wall_examine(&wall, "both", &doctor), INT64_C(1) << 30);
	trial_end(&doctor);
	wall_tell("index", "as it is: 2^30, in the program", "1073741824", "-",
	          "only asked for: no machine here holds as many");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALL_TEST(range_of_500),         WALL_TEST(range_of_one),
		WALL_TEST(usual_range),          WALL_TEST(several_sources),
		WALL_TEST(several_server_ports), WALL_TEST(over_ipv6),
		WALL_TEST(ports_given),          WALL_TEST(reserved_ports),
		WALL_TEST(listening_ports),      WALL_TEST(server_port_within),
		WALL_TEST(ports_of_others),      WALL_TEST(missing_sources),
		WALL_TEST(index_is_told),
	};

	return cmocka_run_group_tests_name("lab_walls_ports", tests, wall_set_up, wall_tear_down);
}
