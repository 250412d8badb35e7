/* megaconn addr over a veth pair: who has an address is found by ARP, by neighbour solicitation
 * and, beyond the other side, by ICMP echo; what is taken is refused; duplicate detection. On the
 * other side (tests/wire) are 198.18.1.2 and 2001:2:0:1::2, and what the set-up adds there. */
#include "apart.h"
#include "base/clock.h"
#include "ground.h"
#include "kernel/address.h"
#include "kernel/arp.h"
#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "sealed.h"
#include "wire.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEAR "wire0"
#define FAR  "wire1"

static const char *const down[] = {"down", NULL};
static struct ground_end end;
static bool is_wired;

/* ---- the other side ------------------------------------------------------------------------- */

static bool add_there(const char *link, const char *text)
{
	struct ip ip;

	return ip_parse(text, &ip) == 0 && netlink_add_addresses(link, &ip, 1) == 0;
}

static bool add_all_there(void)
{
	return add_there(FAR, "198.18.1.40") && add_there(FAR, "198.18.1.43") &&
	       add_there(FAR, "2001:2:0:1::40") && add_there(FAR, "2001:2:0:1::43") &&
	       add_there("lo", "198.19.5.5") && add_there("lo", "2001:2:0:5::5");
}

/* In a process of its own, as setns(2) is for good. */
static void set_up_far(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		wire_cross();
		_exit(add_all_there() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static int take_ack(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	(void)number;
	(void)context;
	return channel_ack(msg);
}

static void add_route(const char *prefix, uint8_t len, const char *via)
{
	struct ip to, gateway;
	struct channel c;

	assert_true(ip_parse(prefix, &to) == 0 && ip_parse(via, &gateway) == 0);
	assert_int_equal(channel_open(&c), 0);
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_NEWROUTE,
	                                       NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));
	size_t bytes = address_bits(to.family) / 8u;

	body->rtm_family = to.family;
	body->rtm_dst_len = len;
	body->rtm_table = RT_TABLE_MAIN;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_type = RTN_UNICAST;
	mnl_attr_put(msg, RTA_DST, bytes, to.bytes);
	mnl_attr_put(msg, RTA_GATEWAY, bytes, gateway.bytes);
	assert_int_equal(channel_exchange(&c, msg->nlmsg_len, 1, take_ack, NULL), 0);
	channel_close(&c);
}

static void count_tentative(const struct address *address, void *context)
{
	unsigned int *count = context;

	*count += (address->flags & IFA_F_TENTATIVE) != 0;
}

/* Link-local addresses of a new link are tentative for a second or two: until then addresses and
 * routes change by themselves. */
static void await_rest(void)
{
	unsigned int pending = 1;

	for (int i = 0; i < 500 && pending > 0; i++) {
		apart_sleep(20);
		pending = 0;
		assert_int_equal(address_dump(AF_INET6, count_tentative, &pending), 0);
	}
	assert_int_equal(pending, 0);
}

/* One probe after a random part of a second, and a second for the answer, by default: on this wire
 * an answer takes no time. */
static void hasten_duplicate_detection(void)
{
	assert_int_equal(sysctl_set("net.ipv6.conf." NEAR ".router_solicitation_delay", "0"), 0);
	assert_int_equal(sysctl_set("net.ipv6.neigh." NEAR ".retrans_time_ms", "200"), 0);
}

static int set_up(void **state)
{
	int failed = ground_set_up(state);

	if (failed != 0 || !ground_is_sealed())
		return failed;
	is_wired = wire_make();
	if (!is_wired)
		return 0;
	set_up_far();
	/* For what_fails_midway_is_undone. For good: the route of an address that is added comes
	 * later, from a work queue, and would be in one dump and not in another. */
	ground_delete("lo", "::1", 128);
	hasten_duplicate_detection();
	add_route("198.19.0.0", 16, "198.18.1.2");
	add_route("2001:2:0:5::", 64, "2001:2:0:1::2");
	await_rest();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	wire_drop();
	return 0;
}

static void need_wire(void)
{
	ground_need();
	if (!is_wired)
		apart_skip("no veth here");
}

/* ---- ping ----------------------------------------------------------------------------------- */

/* Each asks and waits for more than a second, so all of a test's do so side by side. */
static void start_ping(struct ground_run *run, trial_prepare prepare, const char *pool)
{
	const char *const args[] = {"ping", pool, "--dev", NEAR, NULL};

	ground_start(run, prepare, args);
}

static const char *end_ping(struct ground_run *run, int code)
{
	ground_wait(run, &end);
	if (end.code != code)
		fail_msg("exit code %d, not %d\n%s%s", end.code, code, end.err, end.out);
	return end.out;
}

static const char *ping(const char *pool, int code)
{
	struct ground_run run;

	start_ping(&run, NULL, pool);
	return end_ping(&run, code);
}

static void assert_lines(const char *out, const char *const *lines, size_t count)
{
	size_t found = 0;

	for (const char *c = out; *c != '\0'; c++)
		found += *c == '\n';
	for (size_t i = 0; i < count; i++)
		ground_assert_out(&end, lines[i]);
	if (found != count)
		fail_msg("%zu lines, not %zu:\n%s", found, count, out);
}

/* Exactly those that are there, and with which MAC. */
static void on_the_link(void **state)
{
	static const char *const lines4[] = {
		"198.18.1.40 is taken: ", "198.18.1.43 is taken: ",
		"this host's own: 198.18.1.28-198.18.1.29\n",
		"free: 198.18.1.30-198.18.1.39, 198.18.1.41-198.18.1.42, 198.18.1.44-198.18.1.47\n",
		"16 of 20 are free, 2 taken, 2 this host's own\n"};
	static const char *const lines6[] = {
		"2001:2:0:1::40 is taken: ", "2001:2:0:1::43 is taken: ",
		"free: 2001:2:0:1::3f, 2001:2:0:1::41-2001:2:0:1::42, 2001:2:0:1::44\n",
		"4 of 6 are free, 2 taken\n"};
	struct ground_run runs[4];

	(void)state;
	need_wire();
	start_ping(&runs[0], NULL, "198.18.1.28-47");
	start_ping(&runs[1], NULL, "2001:2:0:1::3f-2001:2:0:1::44");
	start_ping(&runs[2], NULL, "198.18.1.50-60");
	start_ping(&runs[3], NULL, "10.7.0.1-3");
	assert_lines(end_ping(&runs[0], 1), lines4, 5);
	assert_non_null(strstr(end.out, " has it\n"));
	assert_lines(end_ping(&runs[1], 1), lines6, 4);
	end_ping(&runs[2], 0);
	ground_assert_out(&end, "11 of 11 are free\n");
	/* There is no route to it: it would be the link's first address of that network. */
	end_ping(&runs[3], 0);
	ground_assert_out(&end, "3 of 3 are free\n");
}

static void beyond_the_link(void **state)
{
	struct ground_run runs[3];

	(void)state;
	need_wire();
	start_ping(&runs[0], NULL, "198.19.5.4-6");
	start_ping(&runs[1], NULL, "2001:2:0:5::4-2001:2:0:5::6");
	start_ping(&runs[2], NULL, "198.18.1.43,198.19.5.5,198.18.1.44");
	end_ping(&runs[0], 1);
	ground_assert_out(&end, "198.19.5.5 is taken: it answers ICMP echo\n");
	ground_assert_out(&end, "2 of 3 are free, 1 taken\n");
	end_ping(&runs[1], 1);
	ground_assert_out(&end, "2001:2:0:5::5 is taken: it answers ICMP echo\n");
	ground_assert_out(&end, "2 of 3 are free, 1 taken\n");
	/* Both ways at once. */
	end_ping(&runs[2], 1);
	ground_assert_out(&end, "1 of 3 are free, 2 taken\n");
}

/* Another host that is about to take an address sends the same probe as we do. */
static void probe_without_end(void)
{
	const uint8_t stranger[6] = {0x02, 0, 0, 0, 0, 0x17};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                         .sll_protocol = htons(ETH_P_ARP),
	                         .sll_halen = 6,
	                         .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	uint8_t packet[ARP_BYTES];
	struct ip target;

	wire_cross();
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	to.sll_ifindex = (int)if_nametoindex(FAR);
	if (fd < 0 || ip_parse("198.18.1.52", &target) != 0)
		_exit(1);
	arp_probe(stranger, &target, packet);
	for (;;) {
		(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)&to,
		             sizeof(to));
		apart_sleep(50);
	}
}

static void who_probes_as_well(void **state)
{
	pid_t pid;

	(void)state;
	need_wire();
	pid = fork();
	if (pid == 0)
		probe_without_end();
	apart_keep(pid);
	ping("198.18.1.50-54", 1);
	ground_assert_out(&end, "198.18.1.52 is taken: 02:00:00:00:00:17 has it\n");
	ground_assert_out(&end, "4 of 5 are free, 1 taken\n");
}

static void ordinary_user_may_not_ask(void **state)
{
	const char *const args[] = {"ping", "198.18.1.50", "--dev", NEAR, NULL};
	struct ground_run runs[2];

	(void)state;
	need_wire();
	if (!sealed_is_real_root())
		apart_skip("this is no ordinary user's network");
	ground_run(&end, trial_become_nobody, args);
	assert_int_equal(end.code, 4);
	ground_assert_err(&end, "takes root (CAP_NET_RAW)");
	/* Beyond the link he may, where the ping socket is allowed. */
	assert_int_equal(sysctl_set("net.ipv4.ping_group_range", "0 65535"), 0);
	start_ping(&runs[0], trial_become_nobody, "198.19.5.4-6");
	start_ping(&runs[1], trial_become_nobody, "2001:2:0:5::4-2001:2:0:5::6");
	for (size_t i = 0; i < 2; i++) {
		end_ping(&runs[i], 1);
		ground_assert_out(&end, "5 is taken: it answers ICMP echo\n");
		ground_assert_out(&end, "2 of 3 are free, 1 taken\n");
	}
}

/* ---- up and down ---------------------------------------------------------------------------- */

/* The last two, of single addresses, are lab_addr's on the loopback: here in the full run. */
static void up_and_down_leave_nothing(void **state)
{
	static const char *const wishes[][7] = {
		{"up", "198.18.1.60-79", "--dev", NEAR, "--prefix", "24"},
		{"up", "198.18.3.1-9", "--dev", NEAR, "--prefix", "24"},
		{"up", "2001:2:0:1::60-2001:2:0:1::79", "--dev", NEAR, "--prefix", "64"},
		{"up", "198.18.1.60-79", "--dev", NEAR},
		{"up", "2001:2:0:1::60-2001:2:0:1::79", "--dev", NEAR},
	};
	const size_t count = sizeof(wishes) / sizeof(wishes[0]) - (trial_is_full() ? 0 : 2);

	(void)state;
	need_wire();
	for (size_t i = 0; i < count; i++) {
		struct ground_dump before = ground_dump();

		ground_expect(&end, 0, wishes[i]);
		ground_assert_out(&end, NEAR ": added ");
		assert_int_equal(ground_journals(), 1);
		ground_expect(&end, 0, down);
		ground_assert_same(&before);
	}
}

static void taken_is_refused(void **state)
{
	const char *const up[] = {"up", "198.18.1.38-41", "--dev", NEAR, NULL};
	const char *const force[] = {"up", "198.18.1.38-41", "--dev", NEAR, "--force", NULL};
	struct ground_dump before;

	(void)state;
	need_wire();
	before = ground_dump();
	ground_expect(&end, 4, up);
	ground_assert_out(&end, "198.18.1.40 is taken: ");
	ground_assert_err(&end, "1 of 4 addresses are taken, nothing was added");
	assert_int_equal(ground_journals(), 0);
	ground_expect(&end, 0, force);
	assert_true(ground_has("198.18.1.40"));
	ground_expect(&end, 0, down);
	ground_assert_same(&before);
}

static void duplicate_is_reported(void **state)
{
	const char *const force[] = {
		"up", "2001:2:0:1::3f-2001:2:0:1::41", "--dev", NEAR, "--force", NULL};
	struct ground_dump before;

	(void)state;
	need_wire();
	before = ground_dump();
	ground_expect(&end, 1, force);
	ground_assert_out(&end, "duplicate: 2001:2:0:1::40");
	ground_assert_err(&end, "duplicate detection failed: somebody on " NEAR
	                        " has 2001:2:0:1::40 already");
	assert_int_equal(ground_journals(), 0);
	ground_assert_same(&before);
}

/* The kernel takes ::1 on the loopback alone: the second address fails when the first is added. */
static void what_fails_midway_is_undone(void **state)
{
	const char *const up[] = {"up", "2001:2:0:1::60,::1", "--dev", NEAR, NULL};
	struct ground_dump before;

	(void)state;
	need_wire();
	before = ground_dump();
	ground_expect(&end, 1, up);
	ground_assert_err(&end, "cannot add ::1/128 on " NEAR ": Cannot assign requested address");
	assert_string_equal(end.out, "");
	assert_int_equal(ground_journals(), 0);
	ground_assert_same(&before);
}

/* A local route for a prefix that others on the link use would cut them off. */
static void anyip_asks_as_well(void **state)
{
	const char *const up[] = {"up", "198.18.1.40/29", "--anyip", "--dev", NEAR, NULL};
	const char *const own[] = {"up", "198.18.0.0/15", "--anyip", NULL};
	const char *const part[] = {"up", "198.18.1.128/25", "--anyip", NULL};
	const char *const large[] = {"up", "10.0.0.0/8", "--anyip", "--dev", NEAR, NULL};
	struct ground_dump before;

	(void)state;
	need_wire();
	before = ground_dump();
	ground_expect(&end, 4, up);
	ground_assert_err(&end, "2 of 8 addresses are taken");
	ground_expect(&end, 4, own);
	ground_assert_err(&end,
	                  "198.18.0.0/15 reaches into the network of this host's 198.18.1.1/24");
	/* Without the link nobody would be asked. */
	ground_expect(&end, 4, part);
	ground_assert_err(&end, "198.18.1.128/25 reaches into the network of this host's");
	ground_expect(&end, 4, large);
	ground_assert_err(&end, "more addresses than can be asked for");
	ground_assert_same(&before);
}

/* The other side goes, and the link with it. */
static void link_goes_with_its_addresses(void **state)
{
	const char *const up[] = {"up", "198.18.1.60-79", "--dev", NEAR, NULL};

	(void)state;
	need_wire();
	ground_expect(&end, 0, up);
	wire_drop();
	for (int i = 0; i < 500 && if_nametoindex(NEAR) != 0; i++)
		apart_sleep(20);
	assert_int_equal(if_nametoindex(NEAR), 0);
	is_wired = false;
	ground_expect(&end, 0, down);
	ground_assert_out(&end, NEAR " is no more");
	assert_int_equal(ground_journals(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(on_the_link),
		APART_TEST(beyond_the_link),
		APART_TEST(who_probes_as_well),
		APART_TEST(ordinary_user_may_not_ask),
		APART_TEST(up_and_down_leave_nothing),
		APART_TEST(taken_is_refused),
		APART_TEST(duplicate_is_reported),
		APART_TEST(what_fails_midway_is_undone),
		APART_TEST(anyip_asks_as_well),
		APART_TEST(link_goes_with_its_addresses),
	};

	return cmocka_run_group_tests_name("lab_addr_wire", tests, set_up, tear_down);
}
