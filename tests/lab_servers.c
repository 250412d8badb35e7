/* connect by our own TCP against other people's servers, where they are installed (deps.sh
 * servers): nginx, redis, and haproxy before a server of ours. What they and the kernel see of it
 * is what they would see of anybody's: nothing is left open, sent twice, reset, or given up. */
#include "apart.h"
#include "counts.h"
#include "others.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PORT     28750 /* the first: each server has another one, on which nobody was before */
#define BEHIND   28760 /* on 127.0.0.1: the server behind haproxy */
#define BEFORE   "127.0.0.1:28760"
#define SOURCES  "198.18.0.1-198.18.3.232" /* 1,000 */
#define SETTLED  2000                      /* ms, for a server to close what it was told to */
#define ROUNDS   2
#define QUICK_NS 900000000 /* less than the time-out of a SYN */

typedef pid_t (*start_server)(const struct others *others);

static uint16_t port = PORT;

static int64_t many(void)
{
	return trial_is_full() ? 15000 : trial_is_small() ? 1000 : 4000;
}

/* Two descriptors each. */
static int64_t many_of_haproxy(void)
{
	return trial_is_full() ? 9000 : trial_is_small() ? 1000 : 4000;
}

struct hold {
	int64_t n;
	const char *proof, *close, *time;
	bool is_proxied;  /* the kernel counts haproxy's other end, too, which it may reset     */
	bool is_repeated; /* the server has these 4-tuples in TIME_WAIT                         */
	bool is_probed;   /* our answer to a probe may come when our FIN has ended the other end */
};

/* --- what the kernel and we have seen ----------------------------------------------------------
 */

/* Of a connection's end by RST only what the other end of haproxy has no part in. */
static const struct fault {
	const char *group, *name;
	bool is_of_proxy;
} faults[] = {
	{"Tcp", "InErrs", false},
	{"TcpExt", "TCPAbortOnTimeout", false},
	{"TcpExt", "TCPAbortOnData", true},
	{"TcpExt", "TCPAbortOnClose", true},
	{"TcpExt", "TCPAbortOnLinger", false},
	{"TcpExt", "TCPAbortFailed", false},
	{"TcpExt", "TCPChallengeACK", false},
	{"TcpExt", "TCPOFOQueue", false},
	{"TcpExt", "ListenOverflows", false},
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

struct seen {
	int64_t faults[FAULTS];
	int64_t resets, retransmitted, probes;
};

static struct seen look(void)
{
	struct seen seen = {.resets = counts_of("Tcp", "OutRsts"),
	                    .retransmitted = counts_of("Tcp", "RetransSegs"),
	                    .probes = counts_of("TcpExt", "TCPKeepAlive")};

	for (size_t i = 0; i < FAULTS; i++)
		seen.faults[i] = counts_of(faults[i].group, faults[i].name);
	return seen;
}

static int64_t packets(const struct trial *connect, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "packets.%s", what);
	return trial_number(connect, path);
}

static void assert_ours_clean(const struct trial *connect)
{
	static const char *const none[] = {"probes",    "challenged", "out_of_order",
	                                   "stray",     "unasked",    "bad_checksum",
	                                   "malformed", "foreign",    "dropped"};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (packets(connect, none[i]) != 0)
			fail_msg("%s: %lld\n%s", none[i], (long long)packets(connect, none[i]),
			         connect->out);
	}
}

/* On a machine that is busy a side may be later than the other's time-out: that is no storm. A FIN
 * that is sent twice is acknowledged twice, and the second ACK may find nobody. */
static void assert_clean(const struct seen *before, const struct trial *connect,
                         const struct hold *hold)
{
	const struct seen now = look();
	int64_t theirs = now.retransmitted - before->retransmitted;
	int64_t ours = packets(connect, "retransmitted");

	assert_ours_clean(connect);
	assert_in_range(ours, 0, hold->n / 10);
	assert_in_range(theirs, 0, hold->n);
	assert_in_range(packets(connect, "stray"), 0, ours);
	if (!hold->is_proxied && !hold->is_probed)
		assert_in_range(now.resets - before->resets, 0, ours + theirs);
	for (size_t i = 0; i < FAULTS; i++) {
		if (now.faults[i] != before->faults[i] &&
		    !(hold->is_proxied && faults[i].is_of_proxy))
			fail_msg("%s has grown by %lld\n%s", faults[i].name,
			         (long long)(now.faults[i] - before->faults[i]), connect->out);
	}
}

/* About half of the SYNs are behind what the last life has sent, as our sequence numbers are of
 * another key: they are answered by an ACK, that by RST, and the SYN goes out again at once. */
static void assert_quick(const struct trial *connect)
{
	assert_ours_clean(connect);
	assert_in_range(packets(connect, "retransmitted"), 1, trial_number(connect, "target"));
	assert_in_range(trial_number(connect, "timing.connect_ns.p99"), 0, QUICK_NS);
}

/* It has closed all that it was to close; TIME_WAIT is where it closed first. */
static void assert_nothing_open(void)
{
	const uint32_t open = ~(1U << TCP_LISTEN | 1U << TCP_TIME_WAIT);

	for (int ms = 0; counts_sockets(port, open) > 0 && ms < SETTLED; ms += 10)
		apart_sleep(10);
	assert_int_equal(counts_sockets(port, open), 0);
}

/* --- held, and closed by us ------------------------------------------------------------------- */

static void start_connect(struct trial *connect, const struct hold *hold)
{
	char n[16], target[32];
	const char *const args[] = {target,     "-n",      n,           "--engine",  "tun",
	                            "--source", SOURCES,   "--close",   hold->close, "--hold",
	                            hold->time, "--proof", hold->proof, "--watch",   NULL};

	snprintf(n, sizeof(n), "%lld", (long long)hold->n);
	snprintf(target, sizeof(target), OTHERS_HERE ":%u", port);
	apart_hold(connect, NULL, args);
}

static void assert_held(const struct trial *connect, const struct hold *hold)
{
	trial_assert_code(connect, 0);
	assert_string_equal(trial_word(connect, "verdict"), "pass");
	assert_string_equal(trial_word(connect, "engine.client"), "tun");
	assert_string_equal(trial_word(connect, "proof"), hold->proof);
	assert_int_equal(trial_number(connect, "source_ips"), 1000);
	assert_int_equal(trial_number(connect, "established.client"), hold->n);
	assert_int_equal(trial_number(connect, "established.kernel"), hold->n);
	assert_int_equal(trial_number(connect, "failed.total"), 0);
	assert_int_equal(trial_number(connect, "retried.total"), 0);
	apart_assert_lost(connect, "closed", 0);
	assert_int_equal(trial_number(connect, "open_at_end"), hold->n);
	if (strcmp(hold->proof, "echo") == 0)
		assert_int_equal(trial_number(connect, "proved.echoed"), hold->n);
}

static void closed_by_us(const struct hold *hold)
{
	const struct seen before = look();
	struct trial connect;

	start_connect(&connect, hold);
	trial_wait(&connect, 60);
	trial_assert_no_process_left(&connect);
	assert_held(&connect, hold);
	if (hold->is_repeated)
		assert_quick(&connect);
	else
		assert_clean(&before, &connect, hold);
	assert_nothing_open();
	trial_end(&connect);
}

/* Each as often as its kernel asked whether anybody is there. */
static void probed(const struct hold *hold)
{
	const struct seen before = look();

	closed_by_us(hold);
	assert_true(look().probes - before.probes >= ROUNDS * hold->n);
}

/* --- closed by them --------------------------------------------------------------------------- */

/* All are lost by FIN, the first perhaps before the last are there. */
static void closed_by_them(const struct hold *hold)
{
	const struct seen before = look();
	struct trial connect;

	start_connect(&connect, hold);
	trial_wait(&connect, 60);
	trial_assert_no_process_left(&connect);
	trial_assert_code(&connect, strcmp(hold->proof, "echo") == 0 ? 3 : 1);
	assert_int_equal(trial_number(&connect, "failed.total"), 0);
	apart_assert_lost(&connect, "closed", hold->n);
	assert_int_equal(trial_number(&connect, "open_at_end"), 0);
	assert_non_null(strstr(connect.out, "closed"));
	assert_clean(&before, &connect, hold);
	assert_nothing_open();
	trial_end(&connect);
}

/* --- the servers ------------------------------------------------------------------------------ */

/* Somewhere new. */
static struct others place(unsigned int idle_s, bool probes)
{
	port++;
	return (struct others){.address = OTHERS_HERE,
	                       .port = port,
	                       .idle_s = idle_s,
	                       .probes = probes,
	                       .behind_port = BEHIND};
}

static void need_tun(void)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	if (!apart_has_tun())
		apart_skip("/dev/net/tun cannot be opened here");
}

static void stop(pid_t pid)
{
	if (others_log()[0] != '\0')
		fail_msg("the server says: %s", others_log());
	others_stop(pid);
}

static void held_by(start_server start_it)
{
	const struct others patient = place(0, false);

	need_tun();
	pid_t pid = start_it(&patient);

	closed_by_us(&(struct hold){.n = many(), .proof = "none", .close = "rst", .time = "200ms"});
	closed_by_us(&(struct hold){.n = many(), .proof = "none", .close = "fin", .time = "200ms"});
	stop(pid);
}

/* And then they come again, while the server has all of them in TIME_WAIT. */
static void closed_by(start_server start_it)
{
	const struct others hasty = place(2, false);
	struct hold hold = {.n = many(), .proof = "none", .close = "fin", .time = "30s"};

	need_tun();
	pid_t pid = start_it(&hasty);

	closed_by_them(&hold);
	assert_in_range(counts_sockets(port, 1U << TCP_TIME_WAIT), hold.n / 100 * 99, hold.n + 1);
	hold.time = "0";
	hold.is_repeated = true;
	closed_by_us(&hold);
	stop(pid);
}

static void probed_by(start_server start_it)
{
	const struct others probing = place(0, true);

	need_tun();
	pid_t pid = start_it(&probing);

	probed(&(struct hold){
		.n = many(), .proof = "none", .close = "fin", .time = "2500ms", .is_probed = true});
	stop(pid);
}

static void nginx_holds(void **state)
{
	(void)state;
	held_by(others_nginx);
}

static void nginx_closes(void **state)
{
	(void)state;
	closed_by(others_nginx);
}

static void nginx_probes(void **state)
{
	(void)state;
	probed_by(others_nginx);
}

static void redis_holds(void **state)
{
	(void)state;
	held_by(others_redis);
}

static void redis_closes(void **state)
{
	(void)state;
	closed_by(others_redis);
}

static void redis_probes(void **state)
{
	(void)state;
	probed_by(others_redis);
}

/* It passes tokens on to a server of ours, and what comes back. */
static pid_t start_haproxy(struct trial *serve, const struct others *others)
{
	const char *const args[] = {"--listen", BEFORE, NULL};

	need_tun();
	apart_serve(serve, NULL, args);
	return others_haproxy(others);
}

static void stop_haproxy(pid_t pid, struct trial *serve)
{
	stop(pid);
	apart_stop(serve, SIGTERM, 0);
	trial_end(serve);
}

static struct hold proxied(const char *close, const char *time)
{
	return (struct hold){.n = many_of_haproxy(),
	                     .proof = "echo",
	                     .close = close,
	                     .time = time,
	                     .is_proxied = true};
}

static void haproxy_holds(void **state)
{
	const struct others patient = place(0, false);
	const struct hold by_reset = proxied("rst", "200ms"), in_order = proxied("fin", "200ms");
	struct trial serve;
	pid_t pid = start_haproxy(&serve, &patient);

	(void)state;
	closed_by_us(&by_reset);
	closed_by_us(&in_order);
	stop_haproxy(pid, &serve);
}

static void haproxy_closes(void **state)
{
	const struct others hasty = place(2, false);
	const struct hold hold = proxied("fin", "30s");
	struct trial serve;
	pid_t pid = start_haproxy(&serve, &hasty);

	(void)state;
	closed_by_them(&hold);
	stop_haproxy(pid, &serve);
}

static void haproxy_probes(void **state)
{
	const struct others probing = place(0, true);
	const struct hold hold = proxied("fin", "2500ms");
	struct trial serve;
	pid_t pid = start_haproxy(&serve, &probing);

	(void)state;
	probed(&hold);
	stop_haproxy(pid, &serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(nginx_holds),   APART_TEST(nginx_closes),   APART_TEST(nginx_probes),
		APART_TEST(redis_holds),   APART_TEST(redis_closes),   APART_TEST(redis_probes),
		APART_TEST(haproxy_holds), APART_TEST(haproxy_closes), APART_TEST(haproxy_probes),
	};

	return cmocka_run_group_tests_name("lab_servers", tests, others_set_up_here,
	                                   others_tear_down);
}
