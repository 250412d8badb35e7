/* connect against serve, over a wire that loses, spoils and doubles packets (by nftables): every
 * connection is opened and proved, twice, and nothing is reported that was not. By kernel sockets
 * that is so with all time-outs as they are by default, between two hosts and a router that loses;
 * by our own TCP, on one host:
 *
 * A packet to the clients is lost by giving it to an address of nobody's, where it is a stray. One
 * that is dropped in the hook "output" is an error that the kernel's TCP hears of, and it forgets a
 * connection half open where it happens to the second SYN-ACK (net/ipv4/inet_connection_sock.c,
 * reqsk_timer_handler); no wire does that.
 *
 * The time-outs are long. TCP itself takes three minutes to give a SYN up (1 + 2 + 4 ... s, RFC
 * 6298 and 9293): of 10,000 connections at a loss of 5 % each way the unluckiest takes three or
 * four tries, at 20 % seven. And an echo may take longer: without timestamps the server's kernel
 * learns nothing from what it has sent twice (Karn's algorithm), so a connection whose SYN-ACK and
 * first echo were lost begins to send the second one again after 12, 24 or 48 s.
 *
 * And the server's kernel is told to be as patient as the clients are: by itself it forgets a
 * connection after five SYN-ACKs, 63 s, and at 20 % that, or the ACK of it, fails for one in a
 * thousand: these are open for their client alone, until they are proved, and then reset. */
#include "apart.h"
#include "counts.h"
#include "hosts.h"
#include "rules.h"

#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "plan/ip.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HERE    "198.19.0.1:28780"
#define HERE6   "[2001:2::1]:28780"
#define TIMEOUT "600s"
#define WAIT_S  1100

static int set_up(void **state)
{
	static const char *const texts[] = {"198.19.0.1", "2001:2::1"};
	struct ip ip;

	if (apart_set_up(state) != 0)
		return -1;
	if (apart_is_private() && sysctl_set("net.ipv4.tcp_synack_retries", "12") != 0)
		return -1;
	for (int i = 0; i < 2 && apart_is_private(); i++) {
		if (ip_parse(texts[i], &ip) != 0 || netlink_add_addresses("lo", &ip, 1) != 0)
			return -1;
	}
	return 0;
}

static int drop_rules(void **state)
{
	rules_flush();
	return apart_tear_down(state);
}

/* --- wires ------------------------------------------------------------------------------------ */

/* Some clients, and what their packets meet. All run at the same time, against one server: what
 * they do is wait, mostly. Each has sources of its own, by which the rules know it. */
struct course {
	const char *name, *kind, *target, *sources;
	unsigned int percent; /* of the packets, each way */
	bool is_spoilt;       /* their checksums are wrong; else they are lost */
	const char *n, *small, *full;
	const char *retries; /* of the experiment; TCP's own are not these */
};

/* All of it takes as long as the unluckiest one, and the more there are, the unluckier that is. At
 * 20 % the unluckiest of fifty may wait for a minute and a half: in the full run alone. */
static const struct course courses[] = {
	{"1 %", "tun", HERE, "198.18.0.0/20", 1, false, "5000", "1000", "10000", "0"},
	{"5 %", "tun", HERE, "198.18.16.0/20", 5, false, "3000", "1000", "10000", "0"},
	{"20 %", "tun", HERE, "198.18.32.0/20", 20, false, "10000", "20", "10000", "3"},
	{"5 % of IPv6", "tun", HERE6, "2001:2:0:1::/116", 5, false, "1000", "500", "10000", "0"},
	{"5 % by packet", "packet", HERE, "198.18.48.0/20", 5, false, "1000", "500", "10000", "0"},
	{"5 % spoilt", "tun", HERE, "198.18.64.0/20", 5, true, "1000", "500", "10000", "0"},
};
#define LONG_PERCENT 20
#define COURSES      (sizeof(courses) / sizeof(courses[0]))

static const char *count_of(const struct course *c)
{
	return trial_n(c->n, c->small, c->full);
}

static void add_rules(const struct course *c)
{
	bool is_ipv6 = c->target[0] == '[';
	const char *family = is_ipv6 ? "ip6" : "ip";
	const char *nobody = is_ipv6 ? "ip6 daddr set 2001:db8::1" : "ip daddr set 192.0.2.1";
	const char *spoil = "@th,128,16 set 0x1234"; /* the checksum of TCP */

	assert_true(rules_add("add rule inet loss in %s saddr %s numgen random mod 100 < %u %s",
	                      family, c->sources, c->percent, c->is_spoilt ? spoil : "drop"));
	assert_true(rules_add("add rule inet loss out %s daddr %s numgen random mod 100 < %u %s",
	                      family, c->sources, c->percent, c->is_spoilt ? spoil : nobody));
}

static int64_t packets(const struct trial *connect, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "packets.%s", what);
	return trial_number(connect, path);
}

static void start(const struct course *c, struct trial *connect)
{
	const char *const args[] = {c->target,  "-n",       count_of(c), "--engine", c->kind,
	                            "--source", c->sources, "--timeout", TIMEOUT,    "--retries",
	                            c->retries, "--hold",   "0",         NULL};

	add_rules(c);
	apart_connect(connect, NULL, args);
}

/* Each connection has at least six packets, three each way; and so many are lost at least, unless
 * luck is very good. */
static void assert_proved(const struct course *c, struct trial *connect)
{
	const int64_t n = strtoll(count_of(c), NULL, 10), least = n * 3 * c->percent / 200;

	trial_wait(connect, WAIT_S);
	trial_assert_no_process_left(connect);
	print_message("%s:%s", c->name, connect->out);
	apart_assert_proved(connect, n);
	assert_string_equal(trial_word(connect, "engine.client"), c->kind);
	assert_true(packets(connect, "retransmitted") >= least);
	assert_true(packets(connect, c->is_spoilt ? "bad_checksum" : "stray") >= least);
	assert_int_equal(packets(connect, c->is_spoilt ? "stray" : "bad_checksum"), 0);
	assert_int_equal(packets(connect, "malformed"), 0);
	assert_int_equal(packets(connect, "foreign"), 0);
	trial_end(connect);
}

static bool is_possible(const struct course *c)
{
	return (strcmp(c->kind, "tun") != 0 || apart_has_tun()) &&
	       (c->percent < LONG_PERCENT || trial_is_full());
}

/* ---- kernel sockets, by a router that loses -------------------------------------------------- */

/* Two hosts, and what is lost of each hundred packets on the way there, and on the way back. All
 * that is not said is as it is by default. */
struct road {
	const char *name;
	unsigned int there, back;
	const char *n, *small, *full;
	struct host near, router, far;
	struct trial serve, connect;
};

static struct road roads[] = {
	{"1 % each way", 1, 1, "5000", "1000", "100000", {0}, {0}, {0}, {0}, {0}},
	{"5 % each way", 5, 5, "5000", "1000", "100000", {0}, {0}, {0}, {0}, {0}},
	{"5 % there", 5, 0, "2000", "500", "10000", {0}, {0}, {0}, {0}, {0}},
	{"5 % back", 0, 5, "2000", "500", "10000", {0}, {0}, {0}, {0}, {0}},
};
#define ROADS (sizeof(roads) / sizeof(roads[0]))

/* An ordinary user's locked memory is not enough for so many of the other engine. */
static const char *engine_of_servers(void)
{
	return trial_is_root() ? "auto" : "epoll";
}

static void set_out(struct road *road)
{
	const char *engine = engine_of_servers();
	const char *const serving[] = {"--listen", "198.19.0.1:8090", "--engine", engine, NULL};
	const char *const args[] = {"198.19.0.1:8090",
	                            "-n",
	                            trial_n(road->n, road->small, road->full),
	                            "--source",
	                            "198.18.1.1-198.18.1.20",
	                            "--hold",
	                            "0",
	                            "--engine",
	                            engine,
	                            NULL};

	hosts_routed(&road->near, &road->router, &road->far);
	host_sh(&road->near, "ip route add local 198.18.1.0/24 dev lo");
	host_sh(&road->router,
	        "ip route add 198.18.1.0/24 via 198.18.0.2 && "
	        "nft 'table ip loss { chain on { type filter hook forward priority 0; "
	        "iifname eth0 numgen random mod 100 < %u drop; "
	        "iifname eth1 numgen random mod 100 < %u drop; }; }'",
	        road->there, road->back);
	apart_serve(&road->serve, host_enter(&road->far), serving);
	apart_connect(&road->connect, host_enter(&road->near), args);
}

/* What is said once more is echoed once more: the server counts at least two tokens each. */
static void arrive(struct road *road)
{
	int64_t n = strtoll(trial_n(road->n, road->small, road->full), NULL, 10);

	trial_wait(&road->connect, WAIT_S);
	print_message("%s:%s", road->name, road->connect.out);
	apart_assert_proved(&road->connect, n);
	kill(road->serve.pid, SIGTERM);
	trial_wait(&road->serve, WAIT_S);
	trial_assert_code(&road->serve, 0);
	assert_true(trial_number(&road->serve, "served.tokens") >= 2 * n);
	trial_end(&road->connect);
	trial_end(&road->serve);
	host_close(&road->near);
	host_close(&road->router);
	host_close(&road->far);
}

/* ---- all of them, side by side ----------------------------------------------------------------
 */

static void lossy(void **state)
{
	const char *const args[] = {"--listen",          HERE, "--listen", HERE6, "--engine",
	                            engine_of_servers(), NULL};
	struct trial serve, connects[COURSES];
	int64_t n = 0, spoilt = 0;

	(void)state;
	rules_need();
	hosts_need();
	for (size_t i = 0; i < ROADS; i++)
		set_out(&roads[i]);
	spoilt = counts_of("Tcp", "InCsumErrors");
	assert_true(rules_add("add table inet loss"));
	assert_true(rules_add("add chain inet loss in { type filter hook input priority 0; }"));
	assert_true(rules_add("add chain inet loss out { type filter hook output priority 0; }"));
	apart_serve(&serve, NULL, args);
	for (size_t i = 0; i < COURSES; i++) {
		if (is_possible(&courses[i]))
			start(&courses[i], &connects[i]);
	}
	for (size_t i = 0; i < COURSES; i++) {
		if (!is_possible(&courses[i]))
			continue;
		assert_proved(&courses[i], &connects[i]);
		n += strtoll(count_of(&courses[i]), NULL, 10);
	}
	for (size_t i = 0; i < ROADS; i++)
		arrive(&roads[i]);
	if (apart_has_tun())
		assert_true(counts_of("Tcp", "InCsumErrors") > spoilt);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, n, 2 * n);
	trial_end(&serve);
}

/* Half of what comes to the clients comes twice: SYN-ACKs, ACKs and data. From sources that no
 * other test has, whose sockets the server's kernel may still be closing: a FIN that it sends again
 * is a stray. */
static void doubled(void **state)
{
	const char *const serve_args[] = {"--listen", HERE, NULL};
	const char *const args[] = {HERE,  "-n",       apart_n_text(),    "--engine",
	                            "tun", "--source", "198.18.224.0/20", "--hold",
	                            "0",   NULL};
	struct trial serve, connect;

	(void)state;
	rules_need();
	if (!apart_has_tun())
		apart_skip("/dev/net/tun cannot be opened here");
	assert_true(rules_add("add table ip twice"));
	assert_true(rules_add("add chain ip twice out { type filter hook output priority 0; }"));
	if (!rules_add("add rule ip twice out oifname \"mctun*\" numgen random mod 100 < 50 dup to "
	               "ip daddr"))
		apart_skip("this kernel cannot double packets (nft_dup_ipv4)");
	apart_serve(&serve, NULL, serve_args);
	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, apart_n());
	assert_true(packets(&connect, "received") >= 4 * apart_n()); /* instead of three */
	assert_int_equal(packets(&connect, "malformed"), 0);
	assert_int_equal(packets(&connect, "stray"), 0);
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, apart_n(), 2 * apart_n());
	trial_end(&serve);
}

/* A firewall that drops all: nothing comes back, and that is said. Its sources are its own, too. */
static void silence(void **state)
{
	const char *const serve_args[] = {"--listen", HERE, NULL};
	const char *const args[] = {
		HERE,        "-n",    "10",        "--engine", "tun", "--source", "198.18.240.0/24",
		"--timeout", "300ms", "--retries", "0",        NULL};
	struct trial serve, connect;

	(void)state;
	rules_need();
	if (!apart_has_tun())
		apart_skip("/dev/net/tun cannot be opened here");
	assert_true(rules_add("add table inet shut"));
	assert_true(rules_add("add chain inet shut in { type filter hook input priority 0; }"));
	assert_true(rules_add("add rule inet shut in iifname \"mctun*\" drop"));
	apart_serve(&serve, NULL, serve_args);
	apart_run(&connect, NULL, args);
	trial_assert_code(&connect, 1);
	assert_int_equal(packets(&connect, "received"), 0);
	assert_int_equal(trial_number(&connect, "failed.by_cause.timeout"), 10);
	assert_non_null(strstr(trial_word(&connect, "reason"), "not one packet came back"));
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

#define LOSS_TEST(name) cmocka_unit_test_teardown(name, drop_rules)

int main(void)
{
	const struct CMUnitTest tests[] = {LOSS_TEST(lossy), LOSS_TEST(doubled),
	                                   LOSS_TEST(silence)};

	return cmocka_run_group_tests_name("lab_loss", tests, set_up, NULL);
}
