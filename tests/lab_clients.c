/* Clients of our own TCP: labs of every solution over both kinds of device, as root and as an
 * ordinary user; who the clients are where nobody says; and connect to servers of this
 * host, however it ends, with nothing left of its devices and routes. */
#include "apart.h"

#include "kernel/channel.h"
#include "kernel/link.h"
#include "kernel/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HERE    "198.19.0.1"
#define HERE6   "2001:2::1"
#define SERVER  "198.19.0.1:28400-28402"
#define SERVER6 "[2001:2::1]:28400-28402"
#define ANY6    "[::]:28403"
#define GONE_MS 5000

/* Skips what cannot be here. */
static void need(const char *kind)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	if (strcmp(kind, "tun") == 0 && !apart_has_tun())
		apart_skip("/dev/net/tun cannot be opened here");
}

/* --- labs ------------------------------------------------------------------------------------- */

static void lab_passes(trial_prepare prepare, const char *kind, const char *solution,
                       const char *family)
{
	const char *n = trial_n("2000", "2000", "200000");
	const char *args[] = {"-n",         n,        "--hold", "100ms", "--clients", kind,
	                      "--solution", solution, family,   NULL};
	bool is_one = strcmp(solution, "2") == 0;
	struct trial trial;

	trial_run(&trial, prepare, args);
	trial_assert_passed(&trial, strtol(n, NULL, 10));
	assert_string_equal(trial_word(&trial, "engine.client"), kind);
	assert_string_not_equal(trial_word(&trial, "engine.server"), kind);
	assert_int_equal(trial_number(&trial, "source_ips"), is_one ? 1 : 20);
	assert_int_equal(trial_number(&trial, "ip_version"), family ? 6 : 4);
	/* One device has one client. */
	if (is_one)
		assert_int_equal(trial_number(&trial, "workers.client"), 1);
	/* SYN, ACK, data and its ACK, twice: at least. */
	assert_true(trial_number(&trial, "packets.sent") >= 4 * strtol(n, NULL, 10));
	assert_true(trial_number(&trial, "packets.received") >= 3 * strtol(n, NULL, 10));
	assert_int_equal(trial_number(&trial, "packets.bad_checksum"), 0);
	assert_int_equal(trial_number(&trial, "packets.malformed"), 0);
	trial_end(&trial);
}

static void labs_by_tun(void **state)
{
	(void)state;
	need("tun");
	lab_passes(NULL, "tun", "1", NULL);
	lab_passes(NULL, "tun", "2", "--ipv6");
	lab_passes(NULL, "tun", "mixed", NULL);
}

static void labs_by_packet(void **state)
{
	(void)state;
	need("packet");
	lab_passes(NULL, "packet", "1", "--ipv6");
	lab_passes(NULL, "packet", "2", NULL);
	lab_passes(NULL, "packet", "mixed", "--ipv6");
}

/* In a user namespace a veth pair can be had, and a TUN device where its file is everybody's. */
static void lab_of_ordinary_user(void **state)
{
	const char *const tun_args[] = {"-n", "2000", "--hold", "0", "--clients", "tun", NULL};
	struct trial trial;

	(void)state;
	if (!trial_has_user_namespaces())
		apart_skip("no user namespaces are allowed here");
	lab_passes(trial_become_nobody, "packet", "1", NULL);
	trial_run(&trial, trial_become_nobody, tun_args);
	if (trial.code != 0) {
		trial_assert_code(&trial, 4);
		assert_non_null(strstr(trial.err, "/dev/net/tun"));
	}
	trial_end(&trial);
}

/* Kernel sockets where nothing speaks for others, and then nothing is said. */
static void auto_takes_sockets(void **state)
{
	const char *const args[] = {"-n", "2000", "--hold", "0", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 2000);
	assert_string_equal(trial_word(&trial, "engine.client"),
	                    trial_word(&trial, "engine.server"));
	assert_null(strstr(trial.err, "our own TCP"));
	assert_int_equal(trial_number(&trial, "packets.sent"), -1);
	trial_end(&trial);
}

static void on_the_hosts_network(void **state)
{
	static const struct apart_mistake mistakes[] = {
		{{"--no-netns", "--clients", "tun", "-n", "10"}, 4, "need a private network"},
		{{"--no-netns", "--clients", "packet", "-n", "10"}, 4, "--clients sockets"},
		{{"--clients", "raw"}, 2, "must be one of auto, sockets, tun, packet"},
		{{"-n", "maximum"}, 2, "not a count (try 1000, 10k, 1M, or max)"},
	};

	(void)state;
	apart_assert_mistakes("lab", mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

/* --- connect ---------------------------------------------------------------------------------- */

static int count_devices(void)
{
	struct if_nameindex *all = if_nameindex();
	int count = 0;

	assert_non_null(all);
	for (const struct if_nameindex *at = all; at->if_index != 0; at++)
		count += strncmp(at->if_name, "mctun", 5) == 0 ||
		         strncmp(at->if_name, "mcveth", 6) == 0;
	if_freenameindex(all);
	return count;
}

static void find_device(char name[IF_NAMESIZE])
{
	struct if_nameindex *all = if_nameindex();

	assert_non_null(all);
	for (const struct if_nameindex *at = all; at->if_index != 0; at++) {
		if (strncmp(at->if_name, "mc", 2) == 0)
			memcpy(name, at->if_name, strnlen(at->if_name, IF_NAMESIZE - 1));
	}
	if_freenameindex(all);
}

static void delete_device(void)
{
	char name[IF_NAMESIZE] = "";
	struct channel c;

	find_device(name);
	assert_int_equal(channel_open(&c), 0);
	assert_int_equal(link_delete(&c, if_nametoindex(name)), 0);
	channel_close(&c);
}

static void set_device_down(void)
{
	struct ifreq request = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	find_device(request.ifr_name);
	assert_return_code(fd, errno);
	assert_return_code(ioctl(fd, SIOCSIFFLAGS, &request), errno);
	close(fd);
}

/* Routes go with their devices. */
static void assert_no_device_left(void)
{
	for (int ms = 0; count_devices() > 0 && ms < GONE_MS; ms += 20)
		apart_sleep(20);
	assert_int_equal(count_devices(), 0);
}

static void add_address(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	assert_int_equal(netlink_add_addresses("lo", &ip, 1), 0);
}

static void serve_here(struct trial *serve, const char *how)
{
	const char *const args[] = {"--listen", SERVER,    "--listen", SERVER6, "--listen",
	                            ANY6,       "--close", how,        NULL};

	add_address(HERE);
	add_address(HERE6);
	apart_serve(serve, NULL, args);
}

static void connect_passes(const char *target, const char *kind, const char *how, int64_t sources)
{
	const char *const args[] = {target,    "-n", apart_n_text(), "--engine", kind,
	                            "--close", how,  "--hold",       "100ms",    NULL};
	struct trial connect;

	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, apart_n());
	assert_string_equal(trial_word(&connect, "engine.client"), kind);
	assert_int_equal(trial_number(&connect, "source_ips"), sources);
	assert_true(trial_number(&connect, "packets.sent") >= 4 * apart_n());
	/* The server's sockets are gone, too. */
	assert_true(trial_real(&connect, "timing.teardown_s") >= 0);
	trial_end(&connect);
	assert_no_device_left();
}

static void connect_by(const char *kind)
{
	struct trial serve;

	need(kind);
	serve_here(&serve, "fin");
	/* 131,070 of 198.18.0.0/15, but for the server's own. */
	connect_passes(SERVER, kind, "rst", 131069);
	connect_passes(SERVER, kind, "fin", 131069);
	connect_passes(SERVER6, kind, "fin", 131070);
	/* Its sockets are of IPv6, with mapped addresses. */
	connect_passes("198.19.0.1:28403", kind, "rst", 131069);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, 4 * apart_n(), 8 * apart_n());
	assert_int_equal(trial_number(&serve, "served.closed_by_peer"), 2 * apart_n());
	apart_assert_lost(&serve, "reset", 2 * apart_n());
	trial_end(&serve);
}

static void connect_by_tun(void **state)
{
	(void)state;
	connect_by("tun");
}

static void connect_by_packet(void **state)
{
	(void)state;
	connect_by("packet");
}

/* However it is ended: no device, no route, and the next one has the same addresses. */
static void killed(void **state)
{
	static const char *const kinds[] = {"tun", "packet"};
	struct trial serve, connect;

	(void)state;
	need("packet");
	serve_here(&serve, "rst");
	for (int i = apart_has_tun() ? 0 : 1; i < 2; i++) {
		const char *const args[] = {
			SERVER,     "-n",     apart_n_text(), "--source", "198.18.128.0/24",
			"--engine", kinds[i], "--hold",       "60s",      NULL};

		apart_hold(&connect, NULL, args);
		assert_int_equal(count_devices(), 1);
		kill(connect.pid, SIGKILL);
		trial_wait(&connect, 10);
		trial_assert_code(&connect, 128 + SIGKILL);
		trial_assert_no_process_left(&connect);
		trial_end(&connect);
		assert_no_device_left();
	}
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

static void device_goes(const char *kind, void (*go)(void))
{
	const char *const args[] = {
		SERVER,   "-n", apart_n_text(), "--engine",        kind, "-w", "1",
		"--hold", "1s", "--source",     "198.18.128.0/24", NULL};
	struct trial serve, connect;

	serve_here(&serve, "rst");
	apart_hold(&connect, NULL, args);
	go();
	trial_wait(&connect, 30);
	trial_assert_code(&connect, 1);
	assert_non_null(strstr(trial_word(&connect, "reason"), "client worker 0"));
	assert_non_null(strstr(trial_word(&connect, "reason"), "its link"));
	trial_end(&connect);
	assert_no_device_left();
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

/* Somebody deletes a device, or sets it down: the run says whose it was, and what it was. */
static void devices_go(void **state)
{
	(void)state;
	need("packet");
	device_goes("packet", delete_device);
	if (!apart_has_tun())
		return;
	device_goes("tun", delete_device);
	device_goes("tun", set_device_down);
}

/* Each of the clients sees how. */
static void server_ends(const char *kind, const char *how, const char *cause)
{
	const char *const args[] = {SERVER,    "-n",     apart_n_text(), "--engine", kind,
	                            "--watch", "--hold", "20s",          NULL};
	struct trial serve, connect;

	serve_here(&serve, how);
	apart_hold(&connect, NULL, args);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
	trial_wait(&connect, 30);
	trial_assert_code(&connect, 3);
	apart_assert_lost(&connect, cause, apart_n());
	assert_int_equal(trial_number(&connect, "open_at_end"), 0);
	trial_end(&connect);
	assert_no_device_left();
}

static void server_ends_mid_hold(void **state)
{
	(void)state;
	need("packet");
	server_ends("packet", "rst", "reset");
	server_ends(apart_has_tun() ? "tun" : "packet", "fin", "closed");
}

/* From its own 4-tuples, to a server that is back. */
static void reconnects(void **state)
{
	const char *kind = apart_has_tun() ? "tun" : "packet";
	const char *const args[] = {SERVER,        "-n",     apart_n_text(), "--engine", kind,
	                            "--reconnect", "--hold", "3s",           NULL};
	struct trial serve, connect;

	(void)state;
	need("packet");
	serve_here(&serve, "fin");
	apart_hold(&connect, NULL, args);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
	serve_here(&serve, "fin");
	trial_wait(&connect, 30);
	trial_assert_code(&connect, 0);
	assert_int_equal(trial_number(&connect, "lost"), apart_n());
	assert_int_equal(trial_number(&connect, "reconnected"), apart_n());
	assert_int_equal(trial_number(&connect, "open_at_end"), apart_n());
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

static void mistakes(void **state)
{
	const char *kind = apart_has_tun() ? "tun" : "packet";
	const struct apart_mistake all[] = {
		{{"127.0.0.1:28400", "--engine", kind}, 4, "megaconn addr up 198.19.0.1 --dev lo"},
		{{"127.0.0.2:28400", "--engine", kind}, 4, "martian"},
		{{"[::1]:28400", "--engine", kind}, 4, "megaconn addr up 2001:2::1 --dev lo"},
		{{"198.19.0.2:28400", "--engine", kind}, 4, "is not an address of this host"},
		{{SERVER, "--engine", kind, "--source", "198.18.0.0/15"},
	         4,
	         "source IP 198.19.0.1 is an address of this host"},
		{{SERVER, "--engine", kind, "--source", "127.0.0.9"}, 4, "kernel sockets"},
		{{SERVER, "--engine", kind, "--source", "203.0.114.1-9"}, 4, "--allow-public"},
		{{SERVER, "--engine", kind, "--without", "bind"}, 2, "--without is of kernel"},
	};

	(void)state;
	need("packet");
	add_address(HERE);
	apart_assert_mistakes("connect", all, sizeof(all) / sizeof(all[0]));
	assert_no_device_left();
}

/* What takes root says so. */
static void without_rights(void **state)
{
	const char *const args[] = {SERVER, "-n", "10", "--engine", "packet", NULL};
	struct trial trial;

	(void)state;
	need("packet");
	if (!trial_is_root())
		apart_skip("only root can have less rights");
	add_address(HERE);
	trial_start_command(&trial, "connect", trial_become_nobody, args);
	trial_wait(&trial, 30);
	trial_assert_code(&trial, 4);
	assert_non_null(strstr(trial.err, "root"));
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(labs_by_tun),          APART_TEST(labs_by_packet),
		APART_TEST(lab_of_ordinary_user), APART_TEST(auto_takes_sockets),
		APART_TEST(on_the_hosts_network), APART_TEST(connect_by_tun),
		APART_TEST(connect_by_packet),    APART_TEST(killed),
		APART_TEST(devices_go),           APART_TEST(server_ends_mid_hold),
		APART_TEST(reconnects),           APART_TEST(mistakes),
		APART_TEST(without_rights),
	};

	return cmocka_run_group_tests_name("lab_clients", tests, apart_set_up, NULL);
}
