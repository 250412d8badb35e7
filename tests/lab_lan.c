/* lab_lan: clients that are hosts of a LAN (connect --engine packet --dev), among three others: the
 * host that they are packets of, the server's, and a bystander; and by a router. What nftables of
 * the client's host counts says whether its kernel has meddled. */
#include "apart.h"
#include "hosts.h"
#include "rules.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCES4 "198.18.1.200-250"
#define SOURCES6 "2001:2::1:200-2001:2::1:232"
#define SERVER4  "198.18.0.2:8090"
#define SERVER6  "[2001:2::2]:8090"

enum { CLIENT, SERVER, BYSTANDER, HUB, HOSTS };

static struct host hosts[HOSTS];

static const char *n_text(void)
{
	return trial_n("10000", "2000", "10000");
}

static int64_t n(void)
{
	return strtoll(n_text(), NULL, 10);
}

/* The LAN, with rules in the client's host: what of its kernel's would disturb is counted. */
static void open_lan(struct trial *serve)
{
	static const char *const serving[] = {"--listen", SERVER4, "--listen", SERVER6, NULL};

	hosts_need();
	rules_need();
	hosts_lan(hosts, 3);
	host_sh(&hosts[CLIENT],
	        "printf '%%s\\n' 'table inet t {' 'counter meddled { }' 'chain o {' "
	        "'type filter hook output priority 0' "
	        "'meta l4proto icmp counter name meddled' "
	        "'icmpv6 type { destination-unreachable, nd-redirect } counter name meddled' "
	        "'ip saddr 198.18.1.0/24 counter name meddled' "
	        "'ip6 saddr 2001:2::1:0/112 counter name meddled' '}' 'chain f {' "
	        "'type filter hook forward priority 0' 'counter name meddled' '}' '}' | nft -f -");
	apart_serve(serve, host_enter(&hosts[SERVER]), serving);
}

static void assert_not_meddled(void)
{
	host_sh(&hosts[CLIENT], "nft list counter inet t meddled | grep -q 'packets 0 '");
}

/* Of the host's network all that a run could leave; its own link-local address comes by itself. */
#define NETWORK                                                                                  \
	"{ ip addr; ip route show table all; ip -6 route show table all; ip maddr | grep link; " \
	"ip -d link show eth0 | grep -o 'promiscuity [0-9]*'; "                                  \
	"ip neigh | grep -E '198.18.1|2001:2::1:2'; } | grep -vE 'fe80|valid_lft'"

static void keep_network(void)
{
	host_sh(&hosts[CLIENT], NETWORK " > /tmp/megaconn-lan-%d", (int)getpid());
}

static bool is_network_kept(void)
{
	return host_try(&hosts[CLIENT], NETWORK " | cmp -s - /tmp/megaconn-lan-%d", (int)getpid());
}

static void connect_start(struct trial *connect, const char *target, const char *sources,
                          const char *hold)
{
	const char *const args[] = {target,  "--engine", "packet", "--dev",  "eth0", "--source",
	                            sources, "-n",       n_text(), "--hold", hold,   NULL};

	apart_connect(connect, host_enter(&hosts[CLIENT]), args);
}

static void connect_end(struct trial *connect)
{
	trial_wait(connect, 90);
	trial_assert_no_process_left(connect);
	apart_assert_proved_unasked(connect, n());
	trial_end(connect);
}

static void refused_start(struct trial *connect, const char *target, const char *sources,
                          const char *device)
{
	const char *const args[] = {target,     "--engine", "packet", "--dev", device,
	                            "--source", sources,    "-n",     "100",   NULL};

	apart_connect(connect, host_enter(&hosts[CLIENT]), args);
}

static void refused_end(struct trial *connect, int code, const char *says)
{
	trial_wait(connect, 30);
	trial_assert_code(connect, code);
	if (!strstr(connect->err, says))
		fail_msg("not '%s' in: %s", says, connect->err);
	trial_end(connect);
}

static void refused(const char *target, const char *sources, const char *device, int code,
                    const char *says)
{
	struct trial connect;

	refused_start(&connect, target, sources, device);
	refused_end(&connect, code, says);
}

/* --- beside the host's own connections -------------------------------------------------------- */

static void set_forwarding(int on)
{
	host_sh(&hosts[CLIENT], "sysctl -qw net.ipv4.ip_forward=%d net.ipv6.conf.all.forwarding=%d",
	        on, on);
}

static void run_both(void)
{
	struct trial four, six;

	set_forwarding(0);
	connect_start(&four, SERVER4, SOURCES4, "0");
	connect_start(&six, SERVER6, SOURCES6, "0");
	trial_wait_text(&four, "eth0: nobody answers for the 51 source IPs; packets go to", 30);
	connect_end(&four);
	connect_end(&six);
	assert_not_meddled();
}

static void kill_one(struct trial *connect)
{
	kill(connect->pid, SIGKILL);
	trial_wait(connect, 30);
	trial_assert_no_process_left(connect);
	trial_end(connect);
}

/* With Ethernet addresses of their own; and nothing is left of them. */
static void kill_both(void)
{
	struct trial four, six;

	set_forwarding(1);
	keep_network();
	connect_start(&four, SERVER4, SOURCES4, "60s");
	connect_start(&six, SERVER6, SOURCES6, "60s");
	trial_wait_text(&four, "from MACs of our own", 30);
	trial_wait_text(&four, " connections, proved by echo", 60);
	trial_wait_text(&six, " connections, proved by echo", 60);
	refused(SERVER4, "198.18.1.240-252", "eth0", 4,
	        "another megaconn on this host has 51 source IPs from 198.18.1.200 on, on eth0");
	assert_false(is_network_kept()); /* else the comparison would show nothing */
	kill_one(&four);
	kill_one(&six);
	for (int tries = 0; !is_network_kept(); tries++) {
		assert_true(tries < 20);
		apart_sleep(100);
	}
	host_sh(&hosts[CLIENT], "rm /tmp/megaconn-lan-%d", (int)getpid());
	assert_not_meddled();
}

/* The host's settings about addresses are as strict, and as helpful, as can be. */
static void beside_the_hosts_own(void **state)
{
	static const char *const own[] = {SERVER4,   "-n",   "10",     "--traffic", "echo",
	                                  "--every", "50ms", "--hold", "600s",      NULL};
	struct trial serve, kept;

	(void)state;
	open_lan(&serve);
	host_sh(&hosts[CLIENT], "sysctl -qw net.ipv4.conf.all.rp_filter=1 "
	                        "net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.eth0.proxy_arp=1 "
	                        "net.ipv4.conf.all.send_redirects=1");
	apart_hold(&kept, host_enter(&hosts[CLIENT]), own);
	run_both();
	kill_both();
	assert_int_equal(kill(kept.pid, SIGINT), 0);
	trial_wait(&kept, 30);
	trial_assert_code(&kept, 130);
	assert_int_equal(trial_number(&kept, "lost"), 0);
	assert_int_equal(trial_number(&kept, "open_at_end"), 10);
	trial_end(&kept);
	kill(serve.pid, SIGTERM);
	trial_wait(&serve, 30);
	trial_end(&serve);
}

static void take_start(struct trial *connect, const char *target, const char *sources)
{
	const char *const args[] = {target,  "--engine", "packet", "--dev",  "eth0", "--source",
	                            sources, "-n",       "510",    "--hold", "6s",   NULL};

	apart_hold(connect, host_enter(&hosts[CLIENT]), args);
}

static void take_end(struct trial *connect, const char *taken)
{
	const char *reason;

	trial_wait(connect, 90);
	trial_assert_code(connect, 3);
	assert_int_equal(trial_number(connect, "lost_by_cause.source_gone"), 10);
	assert_int_equal(trial_number(connect, "lost"), 10);
	assert_string_equal(trial_word(connect, "source_gone"), taken);
	reason = trial_word(connect, "reason");
	assert_non_null(strstr(reason, "; another host of the LAN has taken "));
	assert_non_null(strstr(reason, taken));
	assert_true(trial_number(connect, "packets.conflicts") > 0);
	trial_end(connect);
}

/* Somebody takes one of our addresses in the hold, and asks for the server with it: the first time
 * it is defended, the second not. */
static void taken_in_mid_run(void **state)
{
	static const char ask[] = "bash -c 'echo x >/dev/udp/198.18.0.2/9; "
				  "echo x >/dev/udp/2001:2::2/9' && sleep 0.2";
	struct trial serve, four, six;

	(void)state;
	open_lan(&serve);
	take_start(&four, SERVER4, SOURCES4);
	take_start(&six, SERVER6, SOURCES6);
	host_sh(&hosts[BYSTANDER], "ip addr add 198.18.1.210/15 dev eth0 && "
	                           "ip addr add 2001:2::1:210/48 dev eth0 nodad && "
	                           "ip route add 198.18.0.2 dev eth0 src 198.18.1.210 && "
	                           "ip route add 2001:2::2 dev eth0 src 2001:2::1:210");
	host_sh(&hosts[BYSTANDER], "%s && ip neigh flush dev eth0 && %s", ask, ask);
	take_end(&four, "198.18.1.210");
	take_end(&six, "2001:2::1:210");
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

/* --- refused ---------------------------------------------------------------------------------- */

static void taken_by_a_bystander(void **state)
{
	struct trial four, six;

	(void)state;
	hosts_need();
	hosts_lan(hosts, 3);
	host_sh(&hosts[BYSTANDER], "ip link set eth0 address 02:00:00:00:00:99 && "
	                           "ip addr add 198.18.1.210/15 dev eth0 && "
	                           "ip addr add 2001:2::1:210/48 dev eth0 nodad");
	refused_start(&four, SERVER4, SOURCES4, "eth0");
	refused_start(&six, SERVER6, SOURCES6, "eth0");
	refused_end(&four, 4, "source IP 198.18.1.210 is taken on eth0: 02:00:00:00:00:99 has it;");
	refused_end(&six, 4, "source IP 2001:2::1:210 is taken on eth0: 02:00:00:00:00:99 has it;");
	refused(SERVER4, "198.18.0.1-5", "eth0", 4, "198.18.0.1 is an address of this host");
	refused(SERVER4, "10.1.1.1-5", "eth0", 4, "10.1.1.1 lies in no network that eth0 is on");
	refused(SERVER4, "198.19.255.250-255", "eth0", 2, "198.19.255.255 is the broadcast");
	refused("198.18.0.1:80", SOURCES4, "eth0", 4, "198.18.0.1 is an address of this host,");
	refused("10.1.1.1:80", SOURCES4, "eth0", 4, "no way to 10.1.1.1 over eth0");
	refused(SERVER4, SOURCES4, "lo", 4, "lo is no Ethernet with ARP");
	refused(SERVER4, SOURCES4, "eth7", 2, "--dev eth7: there is no such link");
	host_sh(&hosts[CLIENT], "ip link add eth1 type veth peer name eth2 && ip link set eth1 up "
	                        "&& ip addr add 10.1.1.1/24 dev eth1");
	refused("10.1.1.2:80", SOURCES4, "eth0", 4, "10.1.1.2 is reached over eth1, not over eth0");
	host_sh(&hosts[CLIENT], "ip link set eth0 down");
	refused(SERVER4, SOURCES4, "eth0", 4, "eth0 is down, or has no carrier");
}

static void mistaken(void **state)
{
	static const struct apart_mistake mistakes[] = {
		{{SERVER4, "--dev", "eth0", "--source", SOURCES4, NULL},
	         2,
	         "--engine packet alone"},
		{{SERVER4, "--dev", "eth0", "--engine", "tun", NULL}, 2, "--engine packet alone"},
		{{SERVER4, "--dev", "eth0", "--engine", "packet", NULL}, 2, "from which addresses"},
	};

	(void)state;
	apart_assert_mistakes("connect", mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

static void nobody_answers(void **state)
{
	(void)state;
	if (!trial_is_full())
		apart_skip("takes some seconds: FULL=1");
	hosts_need();
	hosts_lan(hosts, 3);
	refused("198.18.0.77:80", SOURCES4, "eth0", 4,
	        "198.18.0.77, the target, does not answer ARP for 198.18.1.200 on eth0");
}

/* --- ways ------------------------------------------------------------------------------------- */

/* A router takes the place of another, and is silent about it, as is everybody in the hold. */
static void by_a_router(void **state)
{
	static const char *const serving[] = {"--listen", "198.19.0.1:8090", NULL};
	struct host router, far;
	struct trial serve, connect;

	(void)state;
	hosts_need();
	hosts_routed(&hosts[CLIENT], &router, &far);
	apart_serve(&serve, host_enter(&far), serving);
	connect_start(&connect, "198.19.0.1:8090", SOURCES4, "500ms");
	trial_wait_text(&connect, "packets go to 198.18.0.1, a router", 30);
	trial_wait_text(&connect, "holding ", 60);
	host_sh(&router, "ip link set eth0 address 02:00:00:00:00:77");
	connect_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

/* Of 40,000 bytes, which the server's host hands to its card, and the wire to us, in frames that
 * are longer than a slot of our ring. */
static void long_answers(void **state)
{
	static const char *const serving[] = {"--listen", SERVER4, "--mode", "http",
	                                      "--body",   "40000", NULL};
	static const char *const args[] = {SERVER4,    "--engine", "packet", "--dev",     "eth0",
	                                   "--source", SOURCES4,   "-n",     "51",        "--proof",
	                                   "none",     "--hold",   "1s",     "--traffic", "http",
	                                   "--every",  "500ms",    NULL};
	struct trial serve, connect;

	(void)state;
	if (!trial_is_full())
		apart_skip("takes some seconds: FULL=1");
	hosts_need();
	hosts_lan(hosts, 3);
	apart_serve(&serve, host_enter(&hosts[SERVER]), serving);
	apart_run(&connect, host_enter(&hosts[CLIENT]), args);
	trial_assert_code(&connect, 0);
	assert_int_equal(trial_number(&connect, "lost"), 0);
	assert_non_null(strstr(trial_word(&connect, "reason"), "messages answered"));
	assert_non_null(strstr(trial_word(&connect, "reason"), "not proved, as nobody echoes"));
	trial_end(&connect);
	kill(serve.pid, SIGTERM);
	trial_wait(&serve, 30);
	trial_end(&serve);
}

/* The server's host has another card, with messages under way; and the wire is cut for a while. */
static void another_mac(void **state)
{
	const char *const args[] = {SERVER4,     "--engine",  "packet", "--dev",   "eth0",
	                            "--source",  SOURCES4,    "-n",     n_text(),  "--hold",
	                            "4s",        "--traffic", "echo",   "--every", "1s",
	                            "--timeout", "30s",       NULL};
	struct trial serve, connect;

	(void)state;
	if (!trial_is_full())
		apart_skip("takes some seconds: FULL=1");
	open_lan(&serve);
	apart_hold(&connect, host_enter(&hosts[CLIENT]), args);
	host_sh(&hosts[SERVER], "ip link set eth0 address 02:00:00:00:00:77");
	apart_sleep(1000);
	host_sh(&hosts[HUB], "ip link set port0 down && sleep 0.5 && ip link set port0 up");
	apart_sleep(500);
	host_sh(&hosts[CLIENT], "ip link set eth0 down && sleep 0.5 && ip link set eth0 up");
	connect_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(beside_the_hosts_own), APART_TEST(taken_in_mid_run),
		APART_TEST(taken_by_a_bystander), APART_TEST(mistaken),
		APART_TEST(nobody_answers),       APART_TEST(by_a_router),
		APART_TEST(another_mac),          APART_TEST(long_answers),
	};

	return cmocka_run_group_tests_name("lab_lan", tests, apart_set_up, NULL);
}
