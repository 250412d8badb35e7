/* What lies between two hosts breaks, and is whole again: the link is down for a while, the server
 * is killed and starts anew, a host is cut off, packets of one way are lost, an address is taken
 * away. For each: what is lost, by which cause, what comes back, and when; and that a run whose
 * server is gone ends by itself.
 *
 * All courses run side by side, as they mostly wait: each on hosts of its own, but for twins. */
#include "lab_faults/course.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DOWN(ms) \
	.fault = link_down, .repair = link_up, .for_ms = (ms), .check = recovers, .timeout = "20s"
#define AWAY                                                                         \
	.fault = take_server_address, .repair = give_server_address, .for_ms = 2000, \
	.check = recovers, .timeout = "20s"
#define ECHO "--traffic", "echo", "--every", "2s"

/* --- what breaks ----------------------------------------------------------------------------- */

static void link_down(struct course *c)
{
	host_sh(&c->network->hosts[2], "ip link set %s down", c->is_ipv6 ? "port1" : "eth1");
}

static void link_up(struct course *c)
{
	host_sh(&c->network->hosts[2], "ip link set %s up", c->is_ipv6 ? "port1" : "eth1");
}

static void kill_server(struct course *c)
{
	assert_int_equal(kill(trial_find(&c->network->serve, "mc-server-0"), SIGKILL), 0);
}

static void end_server(struct course *c)
{
	assert_int_equal(kill(c->network->serve.pid, SIGTERM), 0);
}

static void start_server(struct course *c)
{
	trial_wait(&c->network->serve, 30);
	/* The kernel closes what it listened with a while later, the longer the busier it is. */
	host_sh(&c->network->hosts[1],
	        "for i in $(seq 300); do ss -ltnH | grep -q :8090 || break; sleep 0.1; done");
	course_serve(c, &c->network->again);
	trial_wait_text(&c->network->again, "listening on ", 60);
	c->network->has_again = true;
}

static const char *port_of(const struct course *c)
{
	return c->is_twin ? "8091" : "8090";
}

/* Where the router forwards: one way, of one course, in a table of its own: its twin may be at
 * another fault. */
static void drop(struct course *c, const char *way)
{
	host_sh(&c->network->hosts[2],
	        "nft add table ip of%s && nft add chain ip of%s way "
	        "'{ type filter hook forward priority 0; }' && "
	        "nft add rule ip of%s way tcp %s %s drop",
	        port_of(c), port_of(c), port_of(c), way, port_of(c));
}

static void lose_answers(struct course *c)
{
	drop(c, "sport");
}

static void lose_requests(struct course *c)
{
	drop(c, "dport");
}

static void lose_no_more(struct course *c)
{
	host_sh(&c->network->hosts[2], "nft delete table ip of%s", port_of(c));
}

static void take_server_address(struct course *c)
{
	host_sh(&c->network->hosts[1], "ip addr del %s dev eth0",
	        c->is_ipv6 ? "2001:2::2/48" : "198.19.0.1/16");
}

static void give_server_address(struct course *c)
{
	if (c->is_ipv6)
		host_sh(&c->network->hosts[1], "ip addr add 2001:2::2/48 dev eth0 nodad");
	else
		host_sh(&c->network->hosts[1], "ip addr add 198.19.0.1/16 dev eth0 && "
		                               "ip route add default via 198.19.0.2");
}

static void take_source(struct course *c)
{
	host_sh(&c->network->hosts[0], "ip addr del %s dev eth0",
	        c->is_ipv6 ? "2001:2::12/48" : "198.18.0.3/16");
}

/* --- what must come of it -------------------------------------------------------------------- */

static int64_t number(const struct course *c, const char *path)
{
	return trial_number(&c->connect, path);
}

static void complain(const struct course *c, const char *what, double value)
{
	fail_msg("%s: %s is %g\n%s%s", c->name, what, value, c->connect.err, c->connect.out);
}

static void expect(const struct course *c, const char *path, int64_t value)
{
	if (number(c, path) != value)
		complain(c, path, (double)number(c, path));
}

static void expect_between(const struct course *c, const char *path, double least, double most)
{
	double value = trial_real(&c->connect, path);

	if (value < least || value > most)
		complain(c, path, value);
}

static void expect_code(const struct course *c, int code)
{
	if (c->connect.code != code)
		complain(c, "exit code", c->connect.code);
}

static int64_t outages(const struct course *c)
{
	return (int64_t)json_array_size(json_object_get(c->connect.result, "outages"));
}

static void expect_outages(const struct course *c, int64_t count)
{
	if (outages(c) != count)
		complain(c, "number of outages", (double)outages(c));
}

/* Each message that was said has one end. */
static void expect_ends(const struct course *c)
{
	static const char *const ends[] = {"good",     "late",    "mismatched",
	                                   "repeated", "status",  "malformed",
	                                   "partial",  "missing", "cut"};
	int64_t sum = 0;
	char path[64];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "traffic.answers.%s", ends[i]);
		sum += number(c, path);
	}
	if (number(c, "traffic.said") < course_n() || number(c, "traffic.said") != sum)
		complain(c, "sum of ends", (double)sum);
}

static void expect_proved(const struct course *c, int64_t count)
{
	expect(c, "open_at_end", count);
	expect(c, "proved.echoed", count);
	expect(c, "proved.mismatched", 0);
}

/* Of all outages the most: where others take the CPU there may be a short one beside it. */
static double longest(const struct course *c, const char *field)
{
	double most = -1;
	char path[64];

	for (int64_t i = 0; i < outages(c); i++) {
		snprintf(path, sizeof(path), "outages.%d.%s", (int)i, field);
		most = trial_real(&c->connect, path) > most ? trial_real(&c->connect, path) : most;
	}
	return most;
}

/* TCP goes on where the fault has ended, and no connection is lost. Its time-out doubles, so that
 * it may take as long again as the fault was; longer where what all say again at once is too much
 * for a queue on the way (net.core.netdev_max_backlog), and where others take the CPU. */
static void recovers(struct course *c)
{
	double down_s = (double)c->network->down_ms / 1000,
	       most_s = 3 * down_s + 8 * course_slowness();
	double quiet_s = longest(c, "quiet_s"), answered_s = longest(c, "answered_s");

	expect_code(c, 0);
	expect(c, "lost", 0);
	expect_proved(c, course_n());
	expect_ends(c);
	expect(c, "traffic.answers.missing", 0);
	if (outages(c) < 1 || outages(c) > 3 || longest(c, "silent") < (double)course_n() / 10)
		complain(c, "number of outages", (double)outages(c));
	if (quiet_s < c->for_ms / 1000.0 - 0.3 || answered_s < quiet_s || answered_s > most_s)
		complain(c, "time to recover", answered_s);
	print_message("%s: down for %.2f s; answered again after %.2f s, all after %.2f s\n",
	              c->name, down_s, quiet_s, answered_s);
}

/* Nothing is said meanwhile, so nobody knows; the second proof says that they live. */
static void is_not_noticed(struct course *c)
{
	expect_code(c, 0);
	expect(c, "lost", 0);
	expect_outages(c, 0);
	expect_proved(c, course_n());
}

/* So many were lost, by FIN or RST. */
static void expect_closed(const struct course *c, int64_t lost)
{
	int64_t closed = number(c, "lost_by_cause.closed"),
		reset = number(c, "lost_by_cause.reset");

	expect(c, "lost", lost);
	if ((closed > 0 ? closed : 0) + (reset > 0 ? reset : 0) != lost)
		complain(c, "closed or reset", (double)closed);
}

static int64_t sum_of_outages(const struct course *c, const char *field)
{
	int64_t sum = 0;
	char path[64];

	for (int64_t i = 0; i < outages(c); i++) {
		snprintf(path, sizeof(path), "outages.%d.%s", (int)i, field);
		sum += number(c, path);
	}
	return sum;
}

/* The kernel closes a killed server's sockets one after the other, and what listens not first: who
 * comes back meanwhile is lost once more, and that may be an outage of its own. */
static void comes_back(struct course *c)
{
	double down_s = (double)c->network->down_ms / 1000;
	int64_t lost = number(c, "lost"), last = outages(c) - 1;
	char half[32], all[32];

	expect_code(c, 0);
	if (lost < course_n() || lost > 2 * course_n())
		complain(c, "lost", (double)lost);
	expect_closed(c, lost);
	expect(c, "reconnected", lost);
	expect_proved(c, course_n());
	if (last < 0 || last > 1)
		complain(c, "number of outages", (double)last + 1);
	if (sum_of_outages(c, "lost") != lost || sum_of_outages(c, "back") != lost)
		complain(c, "back", (double)sum_of_outages(c, "back"));
	snprintf(half, sizeof(half), "outages.%d.back_50_s", (int)last);
	snprintf(all, sizeof(all), "outages.%d.back_100_s", (int)last);
	/* It begins when the loss is seen, a while after the server was killed. */
	expect_between(c, half, c->for_ms / 1000.0 / 4, down_s + 6);
	expect_between(c, all, trial_real(&c->connect, half), down_s + 6);
	/* Each try pauses for longer than the last one, up to a second: they are few. */
	expect_between(c, "retried.by_cause.refused", 1, 256.0 * 2 * (down_s + 3));
}

/* Nobody is left, and the hold ends then. */
static void are_all_closed(struct course *c)
{
	expect_code(c, 3);
	expect_closed(c, course_n());
	expect_outages(c, 1);
	expect(c, "outages.0.lost", course_n());
	expect(c, "outages.0.back", 0);
	expect(c, "open_at_end", 0);
}

/* A host that is cut off sends no FIN and no RST. */
static void is_found_by_traffic(struct course *c)
{
	expect_code(c, 3);
	expect(c, "lost", course_n());
	expect(c, "lost_by_cause.path_gone", course_n());
	expect_ends(c);
	expect(c, "traffic.answers.missing", course_n());
	expect_outages(c, 1);
	expect(c, "outages.0.silent", course_n());
	expect(c, "outages.0.lost_by_cause.path_gone", course_n());
	expect(c, "outages.0.quiet_s", -1); /* null */
	expect(c, "outages.0.open_least", 0);
}

static void is_found_by_proof(struct course *c)
{
	expect_code(c, 3);
	expect(c, "lost", course_n());
	expect(c, "lost_by_cause.path_gone", course_n());
	expect(c, "open_at_end", 0);
	expect_outages(c, 0);
	expect(c, "proved_ramp.echoed", course_n());
}

static void loses_a_source(struct course *c)
{
	const char *gone = trial_word(&c->connect, "source_gone");

	expect_code(c, 3);
	expect(c, "lost", course_n() / 4);
	expect(c, "lost_by_cause.source_gone", course_n() / 4);
	expect_proved(c, course_n() - course_n() / 4);
	if (strcmp(gone, c->is_ipv6 ? "2001:2::12" : "198.18.0.3") != 0 ||
	    !strstr(trial_word(&c->connect, "reason"), gone))
		fail_msg("%s: '%s'\n%s", c->name, gone, c->connect.out);
}

static void loses_a_source_at_once(struct course *c)
{
	loses_a_source(c);
	expect_ends(c);
	expect_outages(c, 1);
	expect(c, "outages.0.lost", course_n() / 4);
	expect_between(c, "outages.0.silent", (double)course_n() / 4, (double)course_n());
}

#define RUN(courses, seconds) courses_run(courses, sizeof(courses) / sizeof((courses)[0]), seconds)

static void faults(void **state)
{
	struct course courses[] = {
		{"link down for 1 s", .args = {ECHO}, .hold_s = 13, DOWN(1000)},
		{"link down, nothing said", .is_twin = true, .hold_s = 13, .check = is_not_noticed},
		{"link down for 3 s", .args = {ECHO, "--engine", "epoll"}, .hold_s = 13,
	         DOWN(3000)},
		{"link down for 3 s, IPv6", .is_ipv6 = true, .args = {ECHO}, .hold_s = 13,
	         DOWN(3000)},
		{"server killed", .args = {"--reconnect"}, .hold_s = 13, .fault = kill_server,
	         .repair = start_server, .for_ms = 1500, .check = comes_back},
		{"server killed, epoll", .is_twin = true,
	         .args = {"--reconnect", "--engine", "epoll"}, .hold_s = 13, .check = comes_back},
		{"server ended", .args = {"--watch"}, .hold_s = 60, .fault = end_server,
	         .check = are_all_closed},
		{"cut off", .args = {ECHO}, .hold_s = 8, .fault = link_down,
	         .check = is_found_by_traffic},
		{"cut off, nothing said", .is_twin = true, .args = {"--close", "fin"}, .hold_s = 8,
	         .check = is_found_by_proof},
		{"answers lost", .args = {ECHO}, .hold_s = 13, .fault = lose_answers,
	         .repair = lose_no_more, .for_ms = 2000, .check = recovers, .timeout = "20s"},
		{"requests lost", .is_twin = true, .args = {ECHO}, .hold_s = 13,
	         .fault = lose_requests, .repair = lose_no_more, .for_ms = 2000, .check = recovers,
	         .timeout = "20s"},
		{"requests lost for good", .args = {"--traffic", "echo"}, .hold_s = 8,
	         .fault = lose_requests, .check = is_found_by_traffic},
		{"server's address taken", .args = {ECHO}, .hold_s = 13, AWAY},
		{"server's address taken, IPv6", .is_ipv6 = true, .args = {ECHO}, .hold_s = 13,
	         AWAY},
		{"source taken", .hold_s = 8, .fault = take_source, .check = loses_a_source},
		{"source taken, IPv6", .is_ipv6 = true, .args = {ECHO}, .hold_s = 8,
	         .fault = take_source, .check = loses_a_source_at_once},
	};

	(void)state;
	RUN(courses, 60);
}

/* TCP's time-out has doubled up to 6 and 51 s by then. */
static void faults_that_last(void **state)
{
	struct course courses[] = {
		{"link down for 10 s", .args = {ECHO}, .hold_s = 50, DOWN(10000)},
		{"link down for 60 s", .args = {ECHO}, .hold_s = 300, DOWN(60000)},
		{"server away for 60 s", .args = {"--reconnect"}, .hold_s = 90,
	         .fault = kill_server, .repair = start_server, .for_ms = 60000,
	         .check = comes_back},
	};

	(void)state;
	if (!trial_is_full())
		apart_skip("minutes: only in test-full");
	RUN(courses, 420);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(faults),
		APART_TEST(faults_that_last),
	};

	return cmocka_run_group_tests_name("lab_faults", tests, apart_set_up, NULL);
}
