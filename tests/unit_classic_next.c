/* unit_classic_next: the next step by what was done, which host this is, and what it has; and what
 * a result comes to in a few lines. */
#include "cmd/classic_check.h"
#include "cmd/classic_files.h"
#include "cmd/classic_next.h"
#include "cmd/classic_say.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LAN                                                                              \
	"[server]\nserver-ip = 192.168.1.10\n[client]\nclient-ips = 192.168.1.200-219\n" \
	"device = eth0\n"

static struct classic_conf conf;

static void take(const char *text)
{
	struct err err;

	assert_int_equal(classic_conf_parse("m.conf", text, strlen(text), &conf, &err), 0);
}

static void check(enum classic_step after, const struct classic_host *host, const char *expected)
{
	const struct classic_case of = {
		.conf = &conf, .host = host, .config = "megaconn.conf", .is_root = true};
	char out[1024];

	classic_next_text(after, &of, out, sizeof(out));
	assert_string_equal(out, expected);
}

static const struct classic_host on_server = {
	.place = CLASSIC_SERVER, .has_server = true, .has_device = true, .clients = 20};
static const struct classic_host on_client = {
	.place = CLASSIC_CLIENT, .has_device = true, .clients = 20, .has_network = true};
static const struct classic_host on_client_up = {.place = CLASSIC_CLIENT,
                                                 .has_device = true,
                                                 .clients = 20,
                                                 .clients_here = 20,
                                                 .has_network = true};
static const struct classic_host on_one = {
	.place = CLASSIC_ONE_HOST, .has_server = true, .clients = 20, .clients_here = 20};
static const struct classic_host on_neither = {.place = CLASSIC_NEITHER, .clients = 20};

static void client_goes_its_way(void **state)
{
	(void)state;
	take(LAN);
	check(CLASSIC_TUNED, &on_client,
	      "next: make ping; on the server: make tune, then make run-srv\n");
	check(CLASSIC_PINGED, &on_client, "next: make ifup\n");
	check(CLASSIC_PINGED, &on_client_up,
	      "next: client-ips are up: make run-cli, when the server runs (on it: make "
	      "run-srv)\n");
	check(CLASSIC_PINGED_TAKEN, &on_client,
	      "next: put other addresses, that nobody has, into client-ips of megaconn.conf, then "
	      "make ping again\n");
	check(CLASSIC_UP, &on_client_up,
	      "next: make run-cli, when the server runs (on it: make run-srv)\n");
	check(CLASSIC_ENDED_CLIENT, &on_client_up,
	      "next: make ifdown; on the server: make stop-srv\n");
	check(CLASSIC_ENDED_CLIENT, &on_client,
	      "next: make untune; on the server: make stop-srv\n");
	check(CLASSIC_DOWN, &on_client,
	      "next: make untune; on the server: make stop-srv, then make untune\n");
	check(CLASSIC_UNTUNED, &on_client_up, "next: client-ips are still up: make ifdown\n");
	check(CLASSIC_UNTUNED, &on_client, "next: nothing; this host is as it was\n");
}

static void server_goes_its_way(void **state)
{
	(void)state;
	take(LAN);
	check(CLASSIC_TUNED, &on_server,
	      "next: make run-srv; on the client: make tune, then make ping\n");
	check(CLASSIC_PINGED, &on_server,
	      "next, on the client: make ping; this is the server's host: here make run-srv\n");
	check(CLASSIC_SERVING, &on_server,
	      "next, on the client: make ping, make ifup, then make run-cli\n");
	check(CLASSIC_ENDED_SERVER, &on_server, "next: make untune\n");
}

static void one_host_is_both(void **state)
{
	(void)state;
	take(LAN);
	check(CLASSIC_TUNED, &on_one, "next: make run-srv, then make run-cli\n");
	check(CLASSIC_UP, &on_one,
	      "next: server-ip is this host's, too: make run-srv, then make run-cli\n");
	check(CLASSIC_SERVING, &on_one, "next: make run-cli\n");
	check(CLASSIC_ENDED_CLIENT, &on_one, "next: make ifdown, then make stop-srv\n");
	check(CLASSIC_ENDED_SERVER, &on_one, "next: make ifdown, then make untune\n");
	take(""); /* as it is shipped: on the loopback there is nothing to take down */
	check(CLASSIC_PINGED, &on_one, "next: make run-srv, then make run-cli\n");
	check(CLASSIC_ENDED_CLIENT, &on_one, "next: make stop-srv\n");
	check(CLASSIC_ENDED_SERVER, &on_one, "next: make untune\n");
	check(CLASSIC_UNTUNED, &on_one, "next: nothing; this host is as it was\n");
}

static void another_host_is_told(void **state)
{
	(void)state;
	take(LAN);
	check(CLASSIC_TUNED, &on_neither,
	      "next: this host is neither of the two: server-ip 192.168.1.10 is not its own, and "
	      "it has no eth0: correct megaconn.conf, or go to the hosts that it names\n");
}

static void as_it_is_typed(void **state)
{
	struct classic_host host = on_client;
	struct classic_case of = {.conf = &conf, .host = &host, .config = "b.conf"};
	char out[1024];

	(void)state;
	take(LAN);
	host.has_network = false;
	assert_int_equal(ip_parse("10.0.0.7", &host.own), 0);
	classic_next_text(CLASSIC_PINGED, &of, out, sizeof(out));
	assert_string_equal(out,
	                    "note: client-ips are in no network of eth0: the server needs a route "
	                    "to them by way of 10.0.0.7\nnext: sudo make ifup CONFIG=b.conf\n");
}

/* Both verbs are of this host. */
static void two_as_they_are_typed(void **state)
{
	struct classic_host host = on_one;
	struct classic_case of = {.conf = &conf, .host = &host, .config = "b.conf"};
	char out[1024];

	(void)state;
	take(LAN);
	classic_next_text(CLASSIC_TUNED, &of, out, sizeof(out));
	assert_string_equal(out,
	                    "next: make run-srv CONFIG=b.conf, then make run-cli CONFIG=b.conf\n");
	classic_next_text(CLASSIC_DOWN, &of, out, sizeof(out));
	assert_string_equal(
		out, "next: make stop-srv CONFIG=b.conf, then sudo make untune CONFIG=b.conf\n");
	classic_next_text(CLASSIC_ENDED_CLIENT, &of, out, sizeof(out));
	assert_string_equal(
		out, "next: sudo make ifdown CONFIG=b.conf, then make stop-srv CONFIG=b.conf\n");
}

static void no_server_is_explained(void **state)
{
	struct err err;

	(void)state;
	take(LAN "[experiment]\nsolution = 2\n");
	classic_check_explain(&conf, -ECONNREFUSED, false, &err);
	assert_string_equal(err.text, "nobody listens on 192.168.1.10 port 8090: on the server, "
	                              "first: make run-srv");
	classic_check_explain(&conf, -ECONNREFUSED, true, &err);
	assert_non_null(strstr(err.text,
	                       "192.168.1.10 port 8119: Connection refused, but port 8090 "
	                       "answers: the server's megaconn.conf has another"));
	classic_check_explain(&conf, -ENETUNREACH, false, &err);
	assert_non_null(strstr(err.text, "there is no route to 192.168.1.10"));
}

static void results_in_a_few_lines(void **state)
{
	static struct result r;
	char out[1024];

	(void)state;
	result_init(&r);
	r.verdict = VERDICT_FAIL;
	snprintf(r.reason, sizeof(r.reason), "7 connections were lost");
	r.target = 1000000;
	r.established.client = r.established.kernel = 999990;
	r.failed = r.failed_by_cause[CAUSE_TIMEOUT] = 10;
	r.lost = r.lost_by_cause[CAUSE_RESET] = 7;
	r.has_proof = true;
	r.proved_ramp = (struct result_proof){.echoed = 999990, .done = true};
	r.proved = (struct result_proof){.echoed = 999983, .done = true};
	r.timing.rate_per_s = 50000;
	r.timing.hold_ns = 90 * NS_PER_S;
	classic_say_text(CLASSIC_SIDE_CLIENT, &r, out, sizeof(out));
	assert_string_equal(out,
	                    "  established  999,990 of 1,000,000 | kernel 999,990 | 50,000/s\n"
	                    "  proved       999,990, and 999,983 again when the hold was over\n"
	                    "  held         1m30s\n"
	                    "  lost         7 (reset 7)\n"
	                    "  failed       10 (timeout 10)\n"
	                    "  FAIL: 7 connections were lost\n");
	r.proved_ramp.done = false;
	classic_say_text(CLASSIC_SIDE_CLIENT, &r, out, sizeof(out));
	assert_non_null(strstr(out, "  proved       not: it was ended before\n"));
}

static void servers_in_a_few_lines(void **state)
{
	static struct result r;
	char out[1024];

	(void)state;
	result_init(&r);
	r.verdict = VERDICT_PASS;
	snprintf(r.reason, sizeof(r.reason), "served 12");
	r.served.accepted = 12;
	r.served.peak_open = 9;
	r.served.closed = 2;
	r.served.tokens = 24;
	r.lost = 5;
	r.open_at_end = 5;
	classic_say_text(CLASSIC_SIDE_SERVER, &r, out, sizeof(out));
	assert_string_equal(out,
	                    "  accepted     12, at most 9 at once\n"
	                    "  echoed       24 tokens\n"
	                    "  ended        5 reset and 2 closed by their peers, 5 open when it "
	                    "was stopped: the client has lost them\n"
	                    "  PASS: served 12\n");
}

static void held_in_part(void **state)
{
	(void)state;
	assert_true(classic_files_is_part("13,904 of 20,000 connections, proved by echo"));
	assert_true(classic_files_is_part("0 of 1,000,000 connections"));
	assert_true(classic_files_is_part("1,000 of 1,000,000 connections"));
	assert_false(classic_files_is_part("1,000 of 1,000 connections, proved by echo"));
	assert_false(classic_files_is_part("what is no such line"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_goes_its_way),    cmocka_unit_test(server_goes_its_way),
		cmocka_unit_test(one_host_is_both),       cmocka_unit_test(another_host_is_told),
		cmocka_unit_test(as_it_is_typed),         cmocka_unit_test(two_as_they_are_typed),
		cmocka_unit_test(no_server_is_explained), cmocka_unit_test(results_in_a_few_lines),
		cmocka_unit_test(servers_in_a_few_lines), cmocka_unit_test(held_in_part),
	};

	return cmocka_run_group_tests_name("unit_classic_next", tests, NULL, NULL);
}
