/* unit_path: the diagnosis of plan/path, case by case: what both ends have counted, what one end
 * alone has, borders, and what is not known; and names and differences of base/path. */
#include "plan/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define U           PATH_UNKNOWN

static const struct path_plan plan = {20, "198.18.0.1", "198.18.0.20", 10240, 20000};

/* A run of n connections of which `through` got through a clean wire, and the others were never
 * answered: SYNs of theirs were sent twice. */
static struct path clean(uint64_t n, uint64_t through)
{
	struct path path;

	path_init(&path);
	path.has = path.has_server = true;
	path.client = (struct path_end){
		.syns_out = through + 2 * (n - through),
		.syns_in = U,
		.syn_acks_out = U,
		.syn_acks_in = through,
		.asked = n,
		.tried = n,
		.established = through,
		.proved = through,
		.timed_out = n - through,
	};
	path.server = (struct path_end){
		.syns_out = U,
		.syns_in = through,
		.syn_acks_out = through,
		.syn_acks_in = U,
		.established = through,
		.proved = through,
		.peer_connections = through,
		.peer_addresses = 20,
		.peer_port_low = 10240,
		.peer_port_high = 10240 + through / 20,
		.peer_ports_most = through / 20,
		.peer_low = "198.18.0.1",
		.peer_high = "198.18.0.20",
	};
	return path;
}

/* The same by a NAT of some addresses, with so many ports. */
static struct path translated(uint64_t n, uint64_t through, uint64_t addresses, uint64_t low,
                              uint64_t high)
{
	struct path path = clean(n, through);

	path.server.peer_addresses = addresses;
	path.server.peer_port_low = low;
	path.server.peer_port_high = high;
	path.server.peer_ports_most = through / addresses;
	snprintf(path.server.peer_low, PATH_ADDRESS_BYTES, "198.19.0.2");
	snprintf(path.server.peer_high, PATH_ADDRESS_BYTES, "198.19.0.3");
	return path;
}

static void assert_path(struct path *path, enum path_kind kind, uint64_t limit, const char *says)
{
	path_judge(&plan, path);
	assert_string_equal(path_kind_name(path->kind), path_kind_name(kind));
	assert_int_equal(path->limit, limit);
	if (!strstr(path->says, says))
		fail_msg("'%s' does not say '%s'", path->says, says);
	assert_int_equal(path->advice[0] != '\0', path_is_fault(kind));
}

/* --- both ends ------------------------------------------------------------------------------ */

static void nothing_is_wrong(void **state)
{
	struct path path = clean(1000, 1000);

	(void)state;
	assert_path(&path, PATH_CLEAR, U, "all SYNs arrived and all their answers came back");
	assert_true(path.lost_out == 0 && path.lost_back == 0);
	path = translated(1000, 1000, 1, 1024, 65535);
	assert_path(&path, PATH_CLEAR, U, "the server sees them come from 198.19.0.2");
	path = clean(1000, 1000);
	path.client.syns_out = path.server.syns_in = U; /* no CAP_NET_RAW */
	assert_path(&path, PATH_CLEAR, U, "every connection got through to the server");
	assert_true(path.lost_out < 0);
}

/* Exactly, whatever the limit is and however many were asked for. */
static void a_full_table(void **state)
{
	static const uint64_t limits[] = {1, 999, 1000, 50000, 262144, 1048576};
	static const uint64_t more[] = {1, 7, 200, 1000000};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		for (size_t k = 0; k < COUNT_OF(more); k++) {
			struct path path = clean(limits[i] + more[k], limits[i]);

			assert_path(&path, PATH_TABLE, limits[i],
			            "left here and did not arrive there");
		}
	}
	struct path path = clean(60000, 50000);

	assert_path(&path, PATH_TABLE, 50000,
	            "something lets 50,000 connections through and no more: SYNs of the other "
	            "10,000 left here");
	assert_non_null(strstr(path.says, "nf_conntrack_max = 50,000"));
	assert_null(strstr(path.says, "of megaconn's own"));
	path.extra = 3;
	assert_path(&path, PATH_TABLE, 50000, "(3 of megaconn's own");
	assert_int_equal(path.ports, U);
}

static void ports_of_a_nat(void **state)
{
	struct path path = translated(1200, 1000, 1, 30000, 30999);

	(void)state;
	assert_path(&path, PATH_PORTS, 1000,
	            "from 1 address (198.19.0.2) with 1,000 ports, 30000-30999");
	assert_int_equal(path.ports, 1000);
	path = translated(140000, 129024, 2, 1024, 65535);
	assert_path(&path, PATH_PORTS, 129024,
	            "from 2 addresses (198.19.0.2) with 64,512 ports each");
	path = translated(1200, 950, 1, 30000, 30999); /* it gave up on some */
	assert_path(&path, PATH_PORTS, 950, "used up its ports");
	path = translated(1200, 899, 1, 30000, 30999);
	assert_path(&path, PATH_TABLE, 899, "but not all ports are used: 899 of 1,000");
	path = translated(1200, 1000, 1, 10240, 11239); /* as the clients have them */
	assert_path(&path, PATH_TABLE, 1000, "addresses are translated, but not ports");
	path = translated(12000, 10000, 1, 10240, 20239); /* beyond those that these use */
	assert_path(&path, PATH_PORTS, 10000, "10240-20239");
	path = translated(1200, 1000, 1, 30000, 30999);
	path.server.peer_ports_most = U; /* too many to be counted */
	assert_path(&path, PATH_TABLE, 1000, "did not arrive");
	path = clean(1200, 1000); /* not translated: filled, but the clients' own */
	path.server.peer_port_low = 30000;
	path.server.peer_port_high = 30999;
	path.server.peer_ports_most = 1000;
	assert_path(&path, PATH_TABLE, 1000, "did not arrive");
}

static void answers_are_lost(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.server.syns_in = path.client.syns_out;
	path.server.syn_acks_out = path.server.syns_in + 200; /* some by a timer */
	assert_path(&path, PATH_ANSWERS, 1000, "fails beyond 1,000 connections");
	path = clean(1200, 0);
	path.server.syns_in = path.client.syns_out;
	path.server.syn_acks_out = path.server.syns_in;
	assert_path(&path, PATH_ANSWERS, U, "the way back from the server fails: SYNs arrive");
}

static void queues_of_the_server(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.server.syns_in = path.client.syns_out;
	assert_path(&path, PATH_QUEUE, U, "arrived and were not answered");
	assert_null(strstr(path.says, "dropped"));
	path.server.listen_drops = path.server.listen_overflows = 400;
	assert_path(&path, PATH_QUEUE, U, "its kernel dropped 400 as its listen queue was full");
	path.server.listen_overflows = 0;
	assert_path(&path, PATH_QUEUE, U, "its kernel dropped 400 at its listening sockets");
	path.server.syns_in = path.server.syn_acks_out = U; /* no CAP_NET_RAW there */
	assert_path(&path, PATH_QUEUE, U, "the server itself, not the path");
}

static void a_proxy(void **state)
{
	struct path path = clean(1200, 1200);

	(void)state;
	path.client.silent = 200;
	path.client.proved = 1000;
	path.server.syns_in = path.server.syn_acks_out = path.server.established = 1000;
	assert_path(&path, PATH_PROXY, 1000, "lets 1,000 connections through and no more");
	assert_non_null(strstr(path.says, "some 2,000"));
	assert_non_null(strstr(path.says, "the others never echoed"));
	path.client.silent = 0;
	path.client.closed_early = 200;
	assert_path(&path, PATH_PROXY, 1000, "the others were closed");
	path.client.established = 1100; /* its own queue is full, too */
	path.client.closed_early = 100;
	path.client.timed_out = 100;
	path.client.syns_out = 1300;
	path.server.peer_connections = 1000;
	assert_path(&path, PATH_PROXY, 1000, "1,100 were connected here");
	path.client.opened_late = 450; /* any may fail */
	assert_path(
		&path, PATH_PROXY, U,
		"1,000 arrived at the server, the others were closed; others got through after");
	path.client.opened_late = 0;
	path.server.syns_in = U;
	assert_path(&path, PATH_PROXY, 1000, "1,000 arrived at the server");
	path.server.established = 1100; /* all of them are there */
	path.server.syns_in = path.server.syn_acks_out = 1100;
	path.client.timed_out = 0;
	path.client.asked = 1100;
	assert_path(&path, PATH_SERVER_ENDS, 1000, "all of them had reached the server");
	path.client.opened_late = 450;
	assert_path(&path, PATH_SERVER_ENDS, U, "100 of them were closed again at once; all");
}

/* Beyond its own limit connections wait in its kernel's queue: nobody has answered in its place. */
static void a_server_that_takes_no_more(void **state)
{
	struct path path = clean(1200, 1200);

	(void)state;
	path.client.silent = 200;
	path.server.established = path.server.proved = 1000;
	assert_path(&path, PATH_SERVER_ENDS, 1000, "never answered with an echo");
	path.server.syns_in = path.server.syn_acks_out = U; /* no CAP_NET_RAW there */
	assert_path(&path, PATH_SERVER_ENDS, 1000, "never answered with an echo");
}

/* By chance alone the last ones may fail. */
static void a_few_that_fail(void **state)
{
	struct path path = clean(100000, 99999);

	(void)state;
	path.client.syns_out = 100500;
	path.server.syns_in = 100100;
	path.client.opened_late = 1000; /* the one that failed is among the last hundredth */
	assert_path(&path, PATH_LOSS, U, "it is no limit");
	path.client.opened_late = 2;
	assert_path(&path, PATH_TABLE, 99999, "did not arrive");
	path = clean(10, 9);
	assert_path(&path, PATH_TABLE, 9, "of so few connections a limit cannot be told from loss");
	path = clean(1200, 1000); /* what failed here has an order of its own */
	path.client.timed_out = 5;
	path.client.local_failures = 195;
	assert_path(&path, PATH_LOSS, U, "packets are lost at all times");
}

/* A host that is the server's, or the client's, has other users. */
static void counts_of_others(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.client.syns_out = path.client.syn_acks_in = U;
	path.server.listen_drops = path.server.listen_overflows = 5;
	assert_path(&path, PATH_NOT_KNOWN, U, "200 were not answered; which way they were lost");
	path = clean(1200, 1000);
	path.client.syns_out = path.server.syns_in = path.server.syn_acks_out = 1005;
	assert_path(&path, PATH_NOT_KNOWN, U, "200 were not answered in time, and the packets");
	path.client.timed_out = 0;
	path.client.unreachable = 200; /* and no ICMP */
	assert_path(&path, PATH_NOT_KNOWN, U, "no route, or nobody answered for the next hop's");
}

static void turned_away(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.client.timed_out = 0;
	path.client.refused = path.client.resets_in = 200;
	assert_path(&path, PATH_RESET, 1000, "answered by RST, which the server did not send");
	path.server.resets_out = 200;
	assert_path(&path, PATH_REFUSED, 1000,
	            "itself refused 200 connections by RST, after 1,000");
	path.server.resets_out = U; /* then by whether SYNs arrived */
	assert_path(&path, PATH_RESET, 1000, "RST");
	path.server.syns_in = path.client.syns_out;
	assert_path(&path, PATH_REFUSED, 1000, "RST");
	path.server.syns_in = U; /* neither was counted there */
	assert_path(&path, PATH_ONE_END, 1000,
	            "by RST, by the server or in between; packets were not");
	path = clean(1200, 1000);
	path.client.icmp_in = path.client.icmp_refused_in = 8; /* their rate is limited */
	assert_path(&path, PATH_PROHIBITED, 1000,
	            "8 ICMP messages came that say that it is prohib");
	path.client.icmp_refused_in = 3;
	assert_path(&path, PATH_UNREACHABLE, 1000, "that the server cannot be reached");
	path.client.icmp_in = path.client.icmp_refused_in = 2; /* of another moment */
	assert_path(&path, PATH_TABLE, 1000, "did not arrive");
	path.client.icmp_in = path.client.icmp_refused_in = 1;
	path.client.unreachable = 200;
	path.client.timed_out = 0;
	assert_path(&path, PATH_PROHIBITED, 1000, "1 ICMP message came that says");
	path.client.icmp_in = path.client.icmp_refused_in = U;
	path.client.unreachable = 200;
	path.client.timed_out = 0;
	assert_path(&path, PATH_UNREACHABLE, 1000, "by ICMP");
	path = clean(1200, 1006); /* six are errors that came late */
	path.server.established = path.server.syns_in = 1000;
	path.client.silent = 4;
	path.client.closed_early = 2;
	path.client.icmp_in = path.client.icmp_refused_in = 8;
	assert_path(&path, PATH_PROHIBITED, 1000, "the other 200 were not let through");
}

static void blocked(void **state)
{
	struct path path = clean(1200, 0);

	(void)state;
	path.client.asked = path.client.timed_out = 512; /* it gave up */
	path.client.syns_out = 600;
	assert_path(&path, PATH_BLOCKED, U, "600 SYNs left here and none arrived there");
}

static void losses(void **state)
{
	struct path path = clean(10000, 9030);

	(void)state;
	path.client.opened_late = 4500;
	path.client.syns_out = 10000;
	path.server.syns_in = 9500;
	path.server.syn_acks_out = 9500;
	path.client.syn_acks_in = 9030;
	assert_path(&path, PATH_LOSS, U, "5.0 % of SYNs on the way to the server, 4.9 % of their");
	assert_non_null(strstr(path.says, "it is no limit"));
	path = clean(10000, 10000);
	path.client.syns_out = 10011;
	assert_path(&path, PATH_LOSS, U, "0.11 % of SYNs");
	assert_non_null(strstr(path.says, "TCP recovered them all"));
	assert_non_null(strstr(path.advice, "a lower --rate")); /* one way, of SYNs only */
	path.client.syns_out = 10009;                           /* below one of a thousand */
	assert_path(&path, PATH_CLEAR, U, "");
	path = clean(100, 100);
	path.client.syns_out = 102; /* two may be an accident */
	assert_path(&path, PATH_CLEAR, U, "");
	path.client.syns_out = 103;
	assert_path(&path, PATH_LOSS, U, "2.9 % of SYNs");
}

/* A quarter of those that get through do so after the half of those that fail. */
static void the_border_of_a_limit(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.client.opened_late = 250;
	assert_path(&path, PATH_TABLE, 1000, "did not arrive");
	path.client.opened_late = 251;
	assert_path(&path, PATH_LOSS, U, "packets are lost at all times");
	path.client.opened_late = U;
	assert_path(&path, PATH_TABLE, 1000, "did not arrive");
}

/* --- one end -------------------------------------------------------------------------------- */

static void one_end(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.has_server = false;
	assert_path(&path, PATH_ONE_END, 1000,
	            "1,000 connections get through and no more: SYNs of the other 200 were never");
	assert_non_null(strstr(path.advice, "--server-api"));
	path.client.timed_out = 0;
	path.client.refused = 200;
	assert_path(&path, PATH_ONE_END, 1000, "answered by RST, by the server or in between");
	path = clean(1200, 0);
	path.has_server = false;
	assert_path(&path, PATH_ONE_END, U, "not one SYN was answered");
	path.client.timed_out = 0;
	path.client.refused = 1200;
	assert_path(&path, PATH_ONE_END, U, "every SYN was answered by RST");
	path = clean(1200, 1200);
	path.has_server = false;
	assert_path(&path, PATH_CLEAR, U, "every connection got through");
	path.client.syns_out = 1230; /* of which another program's are some */
	path.client.sent_again = 10;
	assert_path(&path, PATH_CLEAR, U, "every connection got through");
	path.client.sent_again = 30;
	path.client.syn_acks_in = 1225; /* some were sent again twice */
	assert_path(&path, PATH_LOSS, U, "2.4 % of SYNs, or their answers");
	path.client.silent = 200;
	assert_path(&path, PATH_SERVER_ENDS, 1000, "1,200 connections were established, and 200");
	path = clean(1200, 1100);
	path.has_server = false;
	path.client.opened_late = 500;
	path.client.syns_out = 1200;
	assert_path(&path, PATH_LOSS, U, "8.3 % of SYNs");
	path.client.syns_out = path.client.syn_acks_in = U;
	assert_path(&path, PATH_LOSS, U, "100 of 1,200 connections had no answer in time");
	path.client.icmp_in = 3;
	assert_path(&path, PATH_UNREACHABLE, U, "3 ICMP messages");
}

/* What a server counts of others says nothing of us. */
static void a_server_that_is_shared(void **state)
{
	struct path path = clean(1200, 1000);

	(void)state;
	path.server.established = 1224;
	assert_path(&path, PATH_TABLE, 1000, "did not arrive");
	path.server.established = 1225;
	assert_path(&path, PATH_ONE_END, 1000, "others use the server as well");
	assert_true(path.lost_out < 0 && path.lost_back < 0);
}

static void nothing_is_known(void **state)
{
	struct path path;

	(void)state;
	path_init(&path);
	assert_path(&path, PATH_NOT_KNOWN, U, "");
	assert_string_equal(path.says, "");
	path = clean(1200, 1000);
	path.client.asked = 0;
	assert_path(&path, PATH_NOT_KNOWN, U, "");
	path = clean(1200, 1000);
	path.client.timed_out = 0;
	path.client.local_failures = 200; /* no port was free here */
	assert_path(&path, PATH_NOT_KNOWN, U, "");
	path = clean(1200, 1000); /* nobody may count packets */
	path.client.syns_out = path.client.syn_acks_in = U;
	path.server.syns_in = path.server.syn_acks_out = U;
	assert_path(&path, PATH_NOT_KNOWN, U, "which takes CAP_NET_RAW at both ends");
	path_init(&path);
	path.has_server = true;
	path.client.asked = 10;
	path.client.established = 0; /* and what became of them is not known */
	assert_path(&path, PATH_NOT_KNOWN, U, "");
}

/* Every sentence has room, whatever the numbers are. */
static void all_sentences_fit(void **state)
{
	const uint64_t most = UINT64_MAX / 8;

	(void)state;
	for (int at = 0; at < 4; at++) {
		struct path path = translated(most, most / 2, 3, 1024, 65535);

		path.extra = most;
		path.client.icmp_in = at == 1 ? most : 0;
		path.server.listen_drops = at == 2 ? most : 0;
		path.server.syns_in = at == 3 ? path.client.syns_out : path.server.syns_in;
		path_judge(&plan, &path);
		assert_in_range(strlen(path.says), 20, PATH_SAYS_BYTES - 2);
		assert_in_range(strlen(path.advice), 20, PATH_SAYS_BYTES - 2);
	}
}

/* --- base/path ------------------------------------------------------------------------------ */

static void names(void **state)
{
	(void)state;
	for (int kind = 0; kind < PATH_KIND_COUNT; kind++)
		assert_int_equal(path_kind_of(path_kind_name((enum path_kind)kind)), kind);
	assert_int_equal(path_kind_of("no such"), PATH_KIND_COUNT);
}

static void differences(void **state)
{
	struct path_end before, now, since;

	(void)state;
	path_end_init(&before);
	path_end_init(&now);
	before.syns_in = 10;
	now.syns_in = 15;
	before.established = 20;
	now.established = 5; /* it was begun anew */
	now.resets_in = 3;   /* it was not counted before */
	now.peer_addresses = 2;
	before.peer_addresses = 1;
	since = path_end_since(&now, &before);
	assert_int_equal(since.syns_in, 5);
	assert_int_equal(since.established, 5);
	assert_int_equal(since.resets_in, U);
	assert_int_equal(since.peer_addresses, 2);
	assert_int_equal(since.syns_out, U);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_wrong),
		cmocka_unit_test(a_full_table),
		cmocka_unit_test(ports_of_a_nat),
		cmocka_unit_test(answers_are_lost),
		cmocka_unit_test(queues_of_the_server),
		cmocka_unit_test(a_proxy),
		cmocka_unit_test(a_server_that_takes_no_more),
		cmocka_unit_test(a_few_that_fail),
		cmocka_unit_test(counts_of_others),
		cmocka_unit_test(turned_away),
		cmocka_unit_test(blocked),
		cmocka_unit_test(losses),
		cmocka_unit_test(the_border_of_a_limit),
		cmocka_unit_test(one_end),
		cmocka_unit_test(a_server_that_is_shared),
		cmocka_unit_test(nothing_is_known),
		cmocka_unit_test(all_sentences_fit),
		cmocka_unit_test(names),
		cmocka_unit_test(differences),
	};

	return cmocka_run_group_tests_name("unit_path", tests, NULL, NULL);
}
