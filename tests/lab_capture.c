/* What our own TCP sends, as tshark sees it (deps.sh servers): on a clean wire there is nothing to
 * remark; on one that loses packets, segments that are sent again, and ACKs. */
#include "apart.h"
#include "capture.h"
#include "counts.h"
#include "rules.h"

#include "kernel/netlink.h"
#include "plan/ip.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define HERE    "198.19.0.1:28790"
#define HERE6   "[2001:2::1]:28790"
#define OURS    "(ip.src == 198.18.0.0/16 || ipv6.src == 2001:2:0:1::/64)"
#define THEIRS  "(ip.src == 198.19.0.1 || ipv6.src == 2001:2::1)"
#define N       500
#define N_LOSSY 200 /* the unluckiest waits the longer, the more there are */
#define LOSSY   5   /* % each way */
#define TRIES   3
#define NOBODY  "192.0.2.1"
#define WARNING "0x600000" /* of tshark's expert: worse are errors */
#define TIMEOUT "190s"

/* A sum of 0 is written as 0xFFFF by the kernel, one packet in 65,536: skb_checksum_help() follows
 * UDP's rule for every protocol, and in one's complement both are right. Ours is written as 0. */
#define ZERO    "(" THEIRS " && tcp.checksum == 0xffff)"
#define BAD_SUM "(tcp.checksum.status == 0 && !" ZERO ")"

/* Flags of what is sent again: a segment, or an ACK. */
#define AGAIN                                                                     \
	"tcp.analysis.retransmission || tcp.analysis.spurious_retransmission || " \
	"tcp.analysis.duplicate_ack"

static int64_t retransmitted; /* by us, in all runs */

static int set_up(void **state)
{
	static const char *const texts[] = {"198.19.0.1", "2001:2::1"};
	struct ip ip;

	if (apart_set_up(state) != 0)
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

static void need(void)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	if (!apart_has_tun())
		apart_skip("/dev/net/tun cannot be opened here");
	if (!capture_has_tshark())
		apart_skip("tshark is not installed (scripts/deps.sh servers)");
}

/* Opened, proved twice, closed in order. Returns how many packets there were. */
static int64_t run(const char *target, int64_t n, struct capture *capture)
{
	char text[16];

	const char *const serve_args[] = {"--listen", target, NULL};
	const char *const args[] = {target, "-n",     text, "--engine",  "tun",   "--close",
	                            "fin",  "--hold", "0",  "--timeout", TIMEOUT, NULL};
	struct trial serve, connect;

	snprintf(text, sizeof(text), "%lld", (long long)n);
	apart_serve(&serve, NULL, serve_args);
	capture_start(capture);
	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, n);
	retransmitted += trial_number(&connect, "packets.retransmitted");
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
	return capture_stop(capture);
}

/* Where this machine was so busy that one side's time-out ran out, that is what is to be seen. */
static int64_t run_undisturbed(const char *target, struct capture *capture)
{
	for (int tries = 1;; tries++) {
		int64_t before = counts_of("Tcp", "RetransSegs") + retransmitted;
		int64_t count = run(target, N, capture);

		if (counts_of("Tcp", "RetransSegs") + retransmitted == before || tries == TRIES)
			return count;
		capture_drop(capture);
	}
}

static void assert_well_formed(const struct capture *capture)
{
	/* 0: bad; 1 is good. */
	capture_expect(capture, BAD_SUM " || ip.checksum.status == 0", 0);
	capture_expect(capture, OURS " && !(tcp.checksum.status == 1)", 0);
	capture_expect(capture, "_ws.malformed || !tcp", 0);
}

/* Thirteen packets a connection: three of the handshake, twice data, ACK of it with the echo, ACK,
 * and four of the end. Nothing of it is remarkable, on either side. */
static void clean_to(const char *target)
{
	struct capture capture;

	need();
	int64_t count = run_undisturbed(target, &capture);

	assert_in_range(count, 11 * N, 15 * N);
	assert_well_formed(&capture);
	capture_expect(&capture, "tcp.analysis.flags && !tcp.analysis.window_update", 0);
	capture_expect(&capture, "_ws.expert.severity >= " WARNING " && !" ZERO, 0);
	capture_expect(&capture, "tcp.flags.reset == 1", 0);
	capture_expect(&capture, OURS " && tcp.flags.syn == 1", N);
	capture_expect(&capture, OURS " && tcp.flags.fin == 1", N);
	capture_expect(&capture, THEIRS " && tcp.flags.fin == 1", N);
	capture_drop(&capture);
}

static void clean(void **state)
{
	(void)state;
	clean_to(HERE);
}

static void clean_ipv6(void **state)
{
	(void)state;
	clean_to(HERE6);
}

/* What is lost on its way to the clients goes to an address of nobody's (see lab_loss), and is
 * answered with RST from there. */
static void lossy(void **state)
{
	struct capture capture;

	(void)state;
	need();
	rules_need();
	assert_true(rules_add("add table ip loss"));
	assert_true(rules_add("add chain ip loss in { type filter hook input priority 0; }"));
	assert_true(rules_add("add chain ip loss out { type filter hook output priority 0; }"));
	assert_true(rules_add("add rule ip loss in iifname \"mctun*\" numgen random mod 100 < %d "
	                      "drop",
	                      LOSSY));
	assert_true(rules_add("add rule ip loss out oifname \"mctun*\" numgen random mod 100 < %d "
	                      "ip daddr set " NOBODY,
	                      LOSSY));
	(void)run(HERE, N_LOSSY, &capture);
	assert_well_formed(&capture);
	capture_expect(&capture, OURS " && tcp.analysis.flags && !(" AGAIN ")", 0);
	capture_expect(&capture, OURS " && tcp.flags.reset == 1", 0);
	capture_drop(&capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(clean, drop_rules),
		cmocka_unit_test_teardown(clean_ipv6, drop_rules),
		cmocka_unit_test_teardown(lossy, drop_rules),
	};

	return cmocka_run_group_tests_name("lab_capture", tests, set_up, NULL);
}
