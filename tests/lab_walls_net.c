/* lab_walls_net: the walls of the network's tables and queues: connection tracking, neighbours,
 * the queue of a listening socket. And the settings that doctor says bound nothing: each is set as
 * low as it goes, and connections are opened, held and proved all the same. */
#include "guardian.h"
#include "rules.h"
#include "wall.h"
#include "wire.h"

#include "kernel/netlink.h"
#include "plan/ip.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define SERVER      8090

/* Whether one more connection is made within so many milliseconds; kept open in *fd. */
static bool dials(uint16_t port, unsigned int ms, int *fd)
{
	const struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
	struct sockaddr_storage at;
	socklen_t len;

	apart_address("127.0.0.1", port, &at, &len);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*fd >= 0);
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return connect(*fd, (const struct sockaddr *)&at, len) == 0;
}

/* ---- conntrack_max --------------------------------------------------------------------------- */

static int drop_rules(void **state)
{
	int failed = wall_restore(state);

	rules_flush();
	return failed;
}

/* The port of connect's question may be one of the plan's: then its entry is used again. */
static void table_is_full(const struct trial *held, int64_t reached)
{
	int64_t count = wall_get("net.netfilter.nf_conntrack_count");
	int fds[2] = {-1, -1};

	(void)held;
	(void)reached;
	assert_in_range(count, 2999, 3000);
	if (count == 2999)
		assert_true(dials(SERVER, 300, &fds[0]));
	assert_false(dials(SERVER, 300, &fds[1]));
	close(fds[0]);
	close(fds[1]);
}

/* The kernel compares the entries of each network with the machine's one number. */
static void tracked_connections(void **state)
{
	const struct wall wall = {
		.row = "conntrack_max",
		.how = "connect, nf_conntrack_max 3000, an nft rule with ct state",
		.note = "the table is full, one more gets no answer; 2 entries are questions: are "
			"connections tracked, does the server echo",
		/* The server's own wall: to stand at it is no failure where it was asked for. */
		.others = {"-n", "2999"},
		.connects = {"--timeout", "1s", "--retries", "0"},
		.beyond = table_is_full,
	};

	(void)state;
	rules_need();
	wall_set_machine("net.netfilter.nf_conntrack_max", "3000");
	assert_true(rules_add("add table inet walls"));
	assert_true(rules_add("add chain inet walls out { type filter hook output priority 0 ; }"));
	assert_true(rules_add("add rule inet walls out ct state invalid counter"));
	assert_int_equal(wall_provoke_client(&wall), 3000 - 2);
}

/* --- neigh_gc_thresh3 ------------------------------------------------------------------------- */

#define LAN_FIRST   "198.18.1.10"
#define LAN_SOURCES 230
#define LAN_ENTRIES 150 /* that the table has room for */

/* Shown in the machine's first network alone. */
static int64_t entries_of_the_machine(void)
{
	char line[256], path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/stat/arp_cache", guardian_pid());
	FILE *file = fopen(path, "re");
	int64_t count = -1;

	assert_non_null(file);
	/* The last of its lines, below the names of the columns. */
	while (fgets(line, sizeof(line), file))
		count = strtoll(line, NULL, 16);
	fclose(file);
	return count;
}

/* The server is in the machine's first network, which alone shows the setting. It must be over
 * before 5 s are: then entries that nobody uses give way (net/core/neighbour.c, neigh_forced_gc).
 */
static int64_t connect_from_the_lan(const struct wall *wall)
{
	const char *const serving[] = {"--listen", "198.18.1.2:8090", NULL};
	const char *const args[] = {"198.18.1.2:8090",
	                            "-n",
	                            "2300",
	                            "--source",
	                            "198.18.1.10-198.18.1.239",
	                            "--ports",
	                            "40000-40009",
	                            "--timeout",
	                            "1s",
	                            "--in-flight",
	                            "2300",
	                            "--retries",
	                            "0",
	                            "--hold",
	                            "0",
	                            "--proof",
	                            "none",
	                            NULL};
	struct trial serve, connect;

	(void)wall;
	apart_serve(&serve, wire_cross, serving);
	apart_run(&connect, NULL, args);
	int64_t reached = trial_number(&connect, "established.client");

	assert_int_equal(reached + trial_number(&connect, "failed.total"), 2300);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
	return reached;
}

/* A connection from the server's side to a listening socket here. */
static void greet(int listener)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		struct sockaddr_storage at;
		socklen_t len;

		wire_cross();
		apart_address("198.18.1.1", SERVER, &at, &len);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		_exit(connect(fd, (const struct sockaddr *)&at, len) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

static void neighbours_on_a_lan(void **state)
{
	const struct wall wall = {
		.row = "neigh_gc_thresh3",
		.how = "serve, 230 source IPs on its LAN, gc_thresh3 150 above what is used",
		.note = "the others get no answer; after 5 s silent neighbours give way",
		.target = "198.18.1.2:8090",
		.options = {"--source", "198.18.1.10-198.18.1.239", "--ports", "40000-40009"},
		.prepare = wire_cross,
		.percent = 5,
	};
	struct ip first;
	int fd;

	(void)state;
	wall_need_network();
	wall_need_root();
	if (!wire_make_to(guardian_pid()))
		apart_skip(
			"the kernel has no veth, or the machine's first network cannot be joined");
	assert_int_equal(ip_parse("198.18.1.30", &first), 0);
	assert_int_equal(netlink_add_addresses("wire0", &first, LAN_SOURCES - 20), 0);
	/* The two ends know each other before it is counted. */
	fd = apart_listen("198.18.1.1", SERVER, 1);
	greet(fd);
	close(fd);
	wall_set_machine("net.ipv4.neigh.default.gc_thresh3", "%lld",
	                 (long long)entries_of_the_machine() + LAN_ENTRIES);
	int64_t predicted = wall_predict(&wall, "server");

	wall_compare(&wall, predicted, connect_from_the_lan(&wall));
}

static int drop_wire(void **state)
{
	wire_drop();
	return wall_restore(state);
}

/* ---- somaxconn ------------------------------------------------------------------------------- */

#define QUEUE      100
#define QUEUE_PORT 7100

/* Established on the server's side, by /proc/net/tcp: state 01. */
static int established_at(uint16_t port)
{
	char line[512], wanted[16];
	FILE *file = fopen("/proc/self/net/tcp", "re");
	int count = 0;

	assert_non_null(file);
	snprintf(wanted, sizeof(wanted), ":%04X ", port);
	while (fgets(line, sizeof(line), file)) {
		const char *local = strstr(line, wanted), *first = strchr(line, ':');

		/* "  0: 0100007F:1BBC 0100007F:9C40 01 ..." */
		if (local && first && local < first + 12 && strstr(local, " 01 "))
			count++;
	}
	fclose(file);
	return count;
}

static void waiting_connections(void **state)
{
	const struct wall wall = {
		.row = "somaxconn",
		.how = "a server that does not accept, backlog 65535, somaxconn 100",
		.note = "of those that wait to be accepted; one more gets no answer",
	};
	int fds[QUEUE + 2];
	struct trial doctor;

	(void)state;
	wall_set("net.core.somaxconn", "%d", QUEUE);
	assert_int_equal(wall_examine(&wall, "server", &doctor), -1);
	int64_t value = json_integer_value(json_object_get(wall_row(&doctor, wall.row), "value"));

	trial_end(&doctor);
	int listener = apart_listen("127.0.0.1", QUEUE_PORT, 65535);

	for (int i = 0; i < QUEUE + 1; i++)
		assert_true(dials(QUEUE_PORT, 1000, &fds[i]));
	assert_false(dials(QUEUE_PORT, 300, &fds[QUEUE + 1]));
	int reached = established_at(QUEUE_PORT);

	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	close(listener);
	wall_compare(&wall, value + 1, reached);
}

/* ---- what bounds nothing --------------------------------------------------------------------- */

static void soft_64(void)
{
	struct rlimit both;

	if (getrlimit(RLIMIT_NOFILE, &both) != 0)
		_exit(125);
	both.rlim_cur = 64;
	if (setrlimit(RLIMIT_NOFILE, &both) != 0)
		_exit(125);
}

struct harmless {
	const char *row, *setting, *value;
	bool is_with_last; /* set beside the one before */
	trial_prepare prepare;
	const char *rate; /* NULL: 2k/s */
};

/* What finds no room in a queue of one is sent again after times that double, and by timers that
 * become as coarse: those that came together come together again, and one gets in. So few come
 * together. */
#define SLOWLY "500/s"

/* Not in one burst, which some of these do cut, and with time for what was cut to be sent again.
 * All of them are set. */
static void hold_all(const struct harmless *h, size_t count)
{
	const struct wall wall = {
		.row = h->row, .options = {"--engine", "epoll"}, .prepare = h->prepare};
	const char *const serving[] = {"--engine", "epoll", NULL};
	const char *const args[] = {"127.0.0.1:8090",
	                            "-n",
	                            "1000",
	                            "--proof",
	                            "echo",
	                            "--hold",
	                            "0",
	                            "--engine",
	                            "epoll",
	                            "--rate",
	                            h->rate ? h->rate : "2k/s",
	                            "--retries",
	                            "10",
	                            "--timeout",
	                            "30s",
	                            NULL};
	struct trial doctor, serve, connect;
	char how[128];

	assert_int_equal(wall_examine(&wall, "both", &doctor), -1);
	for (size_t i = 1; i < count; i++)
		assert_int_equal(wall_allows(&doctor, h[i].row), -1);
	trial_end(&doctor);
	apart_serve(&serve, h->prepare, serving);
	apart_run(&connect, h->prepare, args);
	apart_assert_proved(&connect, 1000);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
	for (size_t i = 0; i < count; i++) {
		snprintf(how, sizeof(how), "%s %s", h[i].setting, h[i].value);
		wall_tell(h[i].row, how, "no bound", "1000",
		          "opened, held and proved all the same");
	}
}

/* Where there is time each by itself; else those together that do not cut what the others need. */
static void hold_each(const struct harmless *all, size_t count,
                      void (*set)(const char *name, const char *fmt, ...))
{
	for (size_t i = 0, lot; i < count; i += lot) {
		for (lot = 1; !wall_has_time() && i + lot < count && all[i + lot].is_with_last;)
			lot++;
		for (size_t j = 0; j < lot; j++)
			set(all[i + j].setting, "%s", all[i + j].value);
		hold_all(&all[i], lot);
		assert_int_equal(wall_restore(NULL), 0);
	}
}

static void lowest_settings_bound_nothing(void **state)
{
	static const struct harmless all[] = {
		{"tcp_rmem", "net.ipv4.tcp_rmem", "4096 4096 4096", false, NULL, NULL},
		{"tcp_wmem", "net.ipv4.tcp_wmem", "4096 4096 4096", true, NULL, NULL},
		{"tcp_max_tw_buckets", "net.ipv4.tcp_max_tw_buckets", "0", true, NULL, NULL},
		{"tcp_tw_reuse", "net.ipv4.tcp_tw_reuse", "0", true, NULL, NULL},
		{"tcp_syncookies", "net.ipv4.tcp_syncookies", "0", true, NULL, NULL},
		{"somaxconn", "net.core.somaxconn", "1", false, NULL, SLOWLY},
		{"tcp_max_syn_backlog", "net.ipv4.tcp_max_syn_backlog", "1", false, NULL, SLOWLY},
	};

	(void)state;
	hold_each(all, COUNT_OF(all), wall_set);
}

static void lowest_settings_of_the_machine_bound_nothing(void **state)
{
	static const struct harmless all[] = {
		{"tcp_mem", "net.ipv4.tcp_mem", "1 2 3", false, NULL, NULL},
		{"tcp_max_orphans", "net.ipv4.tcp_max_orphans", "0", true, NULL, NULL},
		{"netdev_max_backlog", "net.core.netdev_max_backlog", "1", false, NULL, NULL},
	};

	(void)state;
	wall_need_network();
	hold_each(all, COUNT_OF(all), wall_set_machine);
}

static void low_soft_limit_bounds_nothing(void **state)
{
	static const struct harmless soft = {"nofile_soft", "ulimit -Sn", "64",
	                                     false,         soft_64,      NULL};

	(void)state;
	wall_need_network();
	hold_all(&soft, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(tracked_connections, drop_rules),
		cmocka_unit_test_teardown(neighbours_on_a_lan, drop_wire),
		WALL_TEST(waiting_connections),
		WALL_TEST(lowest_settings_bound_nothing),
		WALL_TEST(lowest_settings_of_the_machine_bound_nothing),
		WALL_TEST(low_soft_limit_bounds_nothing),
	};

	return cmocka_run_group_tests_name("lab_walls_net", tests, wall_set_up, wall_tear_down);
}
