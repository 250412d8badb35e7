/* connect --probe-idle, by boxes that forget idle connections, each in its own way, and past none:
 * what is found, and how that is named. What takes its time here is to rest, so the probes of a
 * test run side by side. */
#include "apart.h"
#include "hosts.h"
#include "others.h"
#include "peer.h"

#include <signal.h>
#include <string.h>

#define FAR     "198.19.0.1:8090"
#define CLOSER  28790 /* ports of the test's own network */
#define BEHIND  28791
#define PROXY   28792
#define PROBER  28793
#define GREETER 28794
#define WAIT_S  60

/* ---- what is asserted ----------------------------------------------------------------------- */

static double seconds(const struct trial *t, const char *path)
{
	return trial_real(t, path);
}

static void assert_between(const struct trial *t, const char *path, double least, double most)
{
	double value = seconds(t, path);

	if (value < least || value > most)
		fail_msg("%s is %.3f, not within %.3f and %.3f: %s", path, value, least, most,
		         t->out);
}

static void assert_says(const struct trial *t, const char *words)
{
	if (!strstr(trial_word(t, "reason"), words))
		fail_msg("'%s' is not in: %s", words, trial_word(t, "reason"));
}

/* Found: dead after `bound_s`, as near as half a second and what this machine was late by. */
static void assert_found(struct trial *t, const char *how, const char *by, double bound_s)
{
	trial_wait(t, WAIT_S);
	print_message("%s", t->out);
	trial_assert_code(t, 0);
	assert_string_equal(trial_word(t, "verdict"), "pass");
	assert_string_equal(trial_word(t, "role"), "connect");
	assert_string_equal(trial_word(t, "idle.how"), how);
	assert_string_equal(trial_word(t, "idle.asked_by"), by);
	assert_between(t, "idle.lives_s", bound_s - 1.2, bound_s + 0.1);
	assert_between(t, "idle.dead_s", bound_s - 0.1, bound_s + 1.2);
	assert_int_equal(trial_number(t, "failed.total"), 0);
}

static void assert_alive(struct trial *t, const char *by)
{
	trial_wait(t, WAIT_S);
	print_message("%s", t->out);
	trial_assert_code(t, 0);
	assert_string_equal(trial_word(t, "idle.how"), "lives");
	assert_string_equal(trial_word(t, "idle.asked_by"), by);
	assert_between(t, "idle.lives_s", 3, 3);
	assert_true(json_is_null(json_object_get(json_object_get(t->result, "idle"), "dead_s")));
	assert_int_equal(trial_number(t, "idle.ends.lives"), trial_number(t, "target"));
}

/* ---- by a router ---------------------------------------------------------------------------- */

/* It tracks connections, for so long where they say nothing, and takes up none in their middle. */
static void track(const struct host *router, unsigned int idle_s, const char *rules)
{
	if (!host_try(router,
	              "nft 'table ip box { chain on { type filter hook forward priority 0; "
	              "ct state established accept; %s }; }'",
	              rules) ||
	    !host_try(router,
	              "echo %u > /proc/sys/net/netfilter/"
	              "nf_conntrack_tcp_timeout_established && "
	              "echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose",
	              idle_s))
		apart_skip("no nft(8) here, or connection tracking may not be set");
}

static void probe(struct trial *connect, const struct host *near, const char *most,
                  const char *proof)
{
	const char *const args[] = {FAR,     "--probe-idle", most,  "--timeout",
	                            "500ms", "--proof",      proof, NULL};

	apart_connect(connect, host_enter(near), args);
}

enum { PLAIN, TRACKED, NATTED, KINDS };

static void by_routers(void **state)
{
	/* An ordinary user's locked memory is not enough for three of the other engine. */
	const char *const serving[] = {"--listen", FAR, "--engine", "epoll", NULL};
	struct host near[KINDS], router[KINDS], far[KINDS];
	struct trial serve[KINDS], plain, silent, segments, nat;

	(void)state;
	hosts_need();
	for (int i = 0; i < KINDS; i++)
		hosts_routed(&near[i], &router[i], &far[i]);
	track(&router[TRACKED], 3, "ct state invalid drop;");
	/* It forgets whose the packets are, and lets them pass as they come: the server knows
	 * nobody of that address. */
	track(&router[NATTED], 2, "");
	host_sh(&router[NATTED], "nft 'table ip nat { chain out { type nat hook postrouting "
	                         "priority 100; oifname eth1 masquerade; }; }'");
	for (int i = 0; i < KINDS; i++)
		apart_serve(&serve[i], host_enter(&far[i]), serving);
	probe(&plain, &near[PLAIN], "3s", "auto");
	probe(&silent, &near[TRACKED], "5s", "auto");
	probe(&segments, &near[TRACKED], "5s", "none");
	probe(&nat, &near[NATTED], "5s", "echo");
	assert_alive(&plain, "echo");
	assert_says(&plain, "live for 3.00 s and more");
	assert_found(&silent, "silent", "echo", 3);
	assert_says(&silent, "nf_conntrack_tcp_timeout_established");
	assert_says(&silent, "--every 1");
	assert_says(&silent, "net.ipv4.tcp_keepalive_time below 2");
	assert_found(&segments, "silent", "keepalive", 3);
	assert_found(&nat, "reset", "echo", 2);
	assert_says(&nat, "who speaks to them is answered by RST");
	for (int i = 0; i < KINDS; i++) {
		apart_stop(&serve[i], SIGTERM, 0);
		trial_end(&serve[i]);
	}
	trial_end(&plain);
	trial_end(&silent);
	trial_end(&segments);
	trial_end(&nat);
}

/* ---- ends that close ------------------------------------------------------------------------ */

/* Left to itself it takes ten minutes; it has rested for more than a second. */
static void assert_interrupted(struct trial *t)
{
	trial_wait_text(t, "connections rest for 1.00 s to 10m00s", 10);
	kill(t->pid, SIGINT);
	trial_wait(t, 10);
	trial_assert_code(t, 130);
	assert_says(t, "interrupted: idle connections live for ");
	assert_says(t, " s at least");
	assert_string_equal(trial_word(t, "verdict"), "partial");
	trial_end(t);
}

/* A server that closes what is 2 s old; one that does not echo, and greets; and nobody. */
static void by_servers(void **state)
{
	const struct peer closer = {PEER_CLOSES, CLOSER, 512, 2000};
	const struct peer greeter = {PEER_GREETS, GREETER, 512, 0};
	const char *const serving[] = {"--listen", "127.0.0.1:28791", NULL};
	const char *const args[] = {"127.0.0.1:28790", "--probe-idle", "1h", NULL};
	const char *const greeted[] = {"127.0.0.1:28794", "--probe-idle", "3s",
	                               "--timeout",       "500ms",        NULL};
	const char *const nobody[] = {
		"127.0.0.1:28799", "--probe-idle", "2s", "--retries", "0", NULL};
	const char *const long_one[] = {"--probe-idle", "127.0.0.1:28791", NULL};
	struct trial serve, connect, mute, interrupted;

	(void)state;
	pid_t peer = peer_start(&closer), other = peer_start(&greeter);

	apart_serve(&serve, NULL, serving);
	apart_connect(&connect, NULL, args);
	apart_connect(&mute, NULL, greeted);
	apart_connect(&interrupted, NULL, long_one);
	assert_found(&connect, "closed_at_rest", "echo", 2);
	assert_says(&connect, "closed by FIN after ");
	assert_between(&connect, "idle.ended_least_s", 1.5, 2.5);
	trial_end(&connect);
	assert_interrupted(&interrupted);
	assert_alive(&mute, "keepalive");
	assert_non_null(strstr(mute.err, "the server does not echo"));
	assert_says(&mute, "and more");
	trial_end(&mute);
	peer_end(peer);
	peer_end(other);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);

	apart_run(&connect, NULL, nobody);
	trial_assert_code(&connect, 1);
	assert_string_equal(trial_word(&connect, "verdict"), "fail");
	assert_says(&connect, "no connection could be opened: refused");
	trial_end(&connect);
}

/* A proxy's time-outs; and one that keeps its clients awake by TCP. */
static void by_a_proxy(void **state)
{
	const struct others closes = {
		.address = OTHERS_HERE, .port = PROXY, .idle_s = 2, .behind_port = BEHIND};
	const struct others probes = {
		.address = OTHERS_HERE, .port = PROBER, .probes = true, .behind_port = BEHIND};
	const char *const serving[] = {"--listen", "127.0.0.1:28791", NULL};
	const char *const closed_args[] = {"198.19.0.1:28792", "--probe-idle", "5s", NULL};
	const char *const kept_args[] = {"198.19.0.1:28793", "--probe-idle", "3s", NULL};
	struct trial serve, closed, kept;

	(void)state;
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	apart_serve(&serve, NULL, serving);
	pid_t one = others_haproxy(&closes), other = others_haproxy(&probes);

	apart_connect(&closed, NULL, closed_args);
	apart_connect(&kept, NULL, kept_args);
	assert_found(&closed, "closed_at_rest", "echo", 2);
	assert_says(&closed, "timeout client");
	assert_alive(&kept, "echo");
	assert_true(json_is_true(json_object_get(json_object_get(kept.result, "idle"), "kept")));
	assert_says(&kept, "but the other end spoke to them meanwhile");
	others_stop(one);
	others_stop(other);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&closed);
	trial_end(&kept);
	trial_end(&serve);
}

/* ---- the command line ----------------------------------------------------------------------- */

static void mistakes(void **state)
{
	static const struct apart_mistake all[] = {
		{{"127.0.0.1:1", "--probe-idle", "2s", "--reconnect"},
	         2,
	         "--reconnect does not go with --probe-idle"},
		{{"127.0.0.1:1", "--probe-idle", "2s", "--traffic", "echo", "--every", "1s"},
	         2,
	         "--traffic does not go with --probe-idle"},
		{{"127.0.0.1:1", "--probe-idle", "--engine", "tun"}, 2, "--engine does not go"},
		{{"127.0.0.1:1", "--probe-idle", "10x"}, 2, "not a duration"},
		{{"127.0.0.1:1", "--probe-idle", "9h"}, 2, "at most 8h"},
		{{"192.0.43.7:1", "--probe-idle"}, 4, "--allow-public"},
	};

	(void)state;
	apart_assert_mistakes("connect", all, sizeof(all) / sizeof(all[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(mistakes),
		APART_TEST(by_routers),
		APART_TEST(by_servers),
		APART_TEST(by_a_proxy),
	};

	return cmocka_run_group_tests_name("lab_idle", tests, others_set_up_here, others_tear_down);
}
