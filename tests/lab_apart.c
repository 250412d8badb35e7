/* serve in one terminal, connect in another: both solutions, both engines on both sides, IPv4 and
 * IPv6, and over a wire between two networks. Counts and causes are exact on both sides. */
#include "apart.h"

#include "behave/token.h"
#include "kernel/netlink.h"
#include "plan/ip.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONE   "127.0.0.1:28300"
#define MANY  "127.0.0.1:28310-28319"
#define MANY6 "[::1]:28310-28319"
#define ALL6  "[::]:28300"
#define FAR4  "198.18.1.2:28300"
#define FAR6  "[2001:2:0:1::2]:28300"
#define HOSTS "127.0.1.1-127.0.1.20"

static void run_proved(const char *const *args)
{
	struct trial connect;

	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, apart_n());
	trial_end(&connect);
}

/* Each client engine against a server of this one, both solutions, both families. */
static void both_solutions_with(const char *server)
{
	const char *const serve_args[] = {"--listen", ONE,    "--listen",  MANY6, "--listen", MANY,
	                                  "--engine", server, "--workers", "2",   NULL};
	const int64_t n = apart_n();
	struct trial serve;

	apart_serve(&serve, NULL, serve_args);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *engine = apart_engine(i), *count = apart_n_text();
		const char *const many_sources[] = {ONE,     "-n",       count,  "--source",
		                                    HOSTS,   "--engine", engine, "--hold",
		                                    "100ms", "--close",  "rst",  NULL};
		const char *const many_ports[] = {MANY,   "-n",      count, "--engine",
		                                  engine, "--hold",  "0",   "--close",
		                                  "fin",  "--watch", NULL};
		const char *const over_ipv6[] = {MANY6,    "-n", count,       "--engine", engine,
		                                 "--hold", "0",  "--workers", "2",        NULL};

		run_proved(many_sources);
		run_proved(many_ports);
		run_proved(over_ipv6);
	}
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, 6 * n, 12 * n);
	assert_string_equal(trial_word(&serve, "verdict"), "pass");
	assert_string_equal(trial_word(&serve, "engine.server"), server);
	assert_int_equal(trial_number(&serve, "server_ports"), 21);
	assert_int_equal(trial_number(&serve, "served.received_bytes"), (12 * n + 6) * TOKEN_BYTES);
	assert_int_equal(trial_number(&serve, "served.closed_by_peer"), 2 * n);
	apart_assert_lost(&serve, "reset", 4 * n);
	assert_int_equal(trial_number(&serve, "open_at_end"), 0);
	assert_non_null(strstr(serve.out, "PASS: served "));
	trial_end(&serve);
}

static void both_solutions_by_uring(void **state)
{
	(void)state;
	both_solutions_with(apart_engine(0));
}

static void both_solutions_by_epoll(void **state)
{
	(void)state;
	both_solutions_with(apart_engine(1));
}

/* Many sources of IPv6 need addresses, and so a network of our own. */
static void many_sources_of_ipv6(void **state)
{
	const char *const serve_args[] = {"--listen", ALL6, NULL};
	struct trial serve, connect;
	struct ip first;

	(void)state;
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	assert_int_equal(ip_parse("2001:2::1:1", &first), 0);
	assert_int_equal(netlink_add_addresses("lo", &first, 20), 0);
	apart_serve(&serve, NULL, serve_args);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {"[2001:2::1:1]:28300",
		                            "-n",
		                            apart_n_text(),
		                            "--source",
		                            "2001:2::1:1-2001:2::1:14",
		                            "--hold",
		                            "0",
		                            "--engine",
		                            apart_engine(i),
		                            NULL};

		apart_run(&connect, NULL, args);
		apart_assert_proved(&connect, apart_n());
		assert_int_equal(trial_number(&connect, "source_ips"), 20);
		assert_int_equal(trial_number(&connect, "ip_version"), 6);
		assert_string_equal(trial_word(&connect, "solution"), "ips");
		trial_end(&connect);
	}
	apart_stop(&serve, SIGINT, 0);
	apart_assert_served(&serve, 2 * apart_n(), 4 * apart_n());
	trial_end(&serve);
}

static void server_that_only_holds(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const serve_args[] = {
			"--listen", ONE, "--mode", "hold", "--engine", apart_engine(i), NULL};
		const char *const args[] = {
			ONE,         "-n",    apart_n_text(), "--hold",        "200ms",
			"--timeout", "500ms", "--engine",     apart_engine(i), NULL};
		struct trial serve, connect;

		apart_serve(&serve, NULL, serve_args);
		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 0);
		assert_non_null(strstr(connect.err, "no echo proof is possible"));
		assert_string_equal(trial_word(&connect, "proof"), "none");
		assert_int_equal(trial_number(&connect, "proved.sent"), -1);
		assert_int_equal(trial_number(&connect, "established.client"), apart_n());
		assert_int_equal(trial_number(&connect, "established.kernel"), apart_n());
		assert_int_equal(trial_number(&connect, "lost"), 0);
		trial_end(&connect);
		apart_stop(&serve, SIGTERM, 0);
		apart_assert_served(&serve, apart_n(), 0);
		trial_end(&serve);
	}
}

/* The server ends first: the clients see how, each of them. */
static void server_closes(const char *how, const char *cause)
{
	static const char *const ports[APART_ENGINES] = {"127.0.0.1:28301", "127.0.0.1:28302"};
	struct trial serves[APART_ENGINES], connects[APART_ENGINES];

	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const serve_args[] = {"--listen", ports[i],        "--close", how,
		                                  "--engine", apart_engine(i), NULL};
		const char *const args[] = {
			ports[i],  "-n",     apart_n_text(), "--engine", apart_engine(i),
			"--watch", "--hold", "20s",          NULL};

		apart_serve(&serves[i], NULL, serve_args);
		apart_hold(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		apart_stop(&serves[i], SIGTERM, 0);
		apart_assert_served(&serves[i], apart_n(), apart_n());
		assert_int_equal(trial_number(&serves[i], "open_at_end"), apart_n());
		assert_int_equal(trial_number(&serves[i], "served.closed_by_peer"), 0);
		apart_assert_lost(&serves[i], cause, 0);
		trial_end(&serves[i]);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		trial_wait(&connects[i], 30);
		trial_assert_code(&connects[i], 3);
		apart_assert_lost(&connects[i], cause, apart_n());
		assert_int_equal(trial_number(&connects[i], "established.client"), apart_n());
		assert_int_equal(trial_number(&connects[i], "open_at_end"), 0);
		trial_end(&connects[i]);
	}
}

static void server_closes_by_fin(void **state)
{
	(void)state;
	server_closes("fin", "closed");
}

static void server_closes_by_reset(void **state)
{
	(void)state;
	server_closes("rst", "reset");
}

/* The second is refused, the first goes on. */
static void second_server_on_the_port(void **state)
{
	const char *const first_args[] = {"--listen", MANY, NULL};
	const char *const second_args[] = {"--listen", "127.0.0.1:28315", NULL};
	const char *const args[] = {MANY, "-n", apart_n_text(), "--hold", "0", NULL};
	struct trial first, second;

	(void)state;
	apart_serve(&first, NULL, first_args);
	trial_start_command(&second, "serve", NULL, second_args);
	trial_wait(&second, 30);
	trial_assert_code(&second, 4);
	assert_string_equal(trial_word(&second, "verdict"), "refused");
	assert_non_null(strstr(second.err, "cannot listen on 127.0.0.1 port 28315"));
	assert_non_null(strstr(second.err, "another program listens there"));
	trial_end(&second);
	run_proved(args);
	apart_stop(&first, SIGTERM, 0);
	apart_assert_served(&first, apart_n(), 2 * apart_n());
	trial_end(&first);
}

/* A worker is killed: its connections are lost, exactly, on both sides; the other one goes on. */
static void worker_killed(const char *engine)
{
	const char *const serve_args[] = {"--listen",  ONE, "--engine", engine,
	                                  "--workers", "2", NULL};
	const char *const args[] = {
		ONE, "-n", apart_n_text(), "--watch", "--hold", "1s", "--workers", "2", NULL};
	const char *const after[] = {ONE, "-n", apart_n_text(), "--hold", "0", NULL};
	struct trial serve, connect;

	apart_serve(&serve, NULL, serve_args);
	apart_hold(&connect, NULL, args);
	apart_settle(&serve);
	kill(trial_find(&serve, "mc-server-0"), SIGKILL);
	trial_wait(&connect, 60);
	int64_t lost = trial_number(&connect, "lost");

	trial_assert_code(&connect, lost > 0 ? 3 : 0);
	assert_int_equal(trial_number(&connect, "open_at_end"), apart_n() - lost);
	assert_int_equal(trial_number(&connect, "proved.echoed"), apart_n() - lost);
	trial_end(&connect);
	run_proved(after);
	apart_stop(&serve, SIGTERM, 1);
	assert_string_equal(trial_word(&serve, "verdict"), "fail");
	assert_non_null(strstr(trial_word(&serve, "reason"), "server worker 0"));
	assert_int_equal(trial_number(&serve, "workers.died"), 1);
	assert_int_equal(trial_number(&serve, "served.accepted"), 2 * apart_n());
	assert_int_equal(trial_number(&serve, "open_at_end"), 0);
	if (lost > 0)
		assert_int_equal(trial_number(&serve, "lost_by_cause.worker_died"), lost);
	assert_int_equal(trial_number(&serve, "lost"), 2 * apart_n());
	trial_end(&serve);
}

static void server_worker_killed(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++)
		worker_killed(apart_engine(i));
}

static void two_ordinary_users(void **state)
{
	const char *const serve_args[] = {"--listen", ONE, NULL};
	const char *const args[] = {ONE, "-n", apart_n_text(), "--hold", "0", NULL};
	struct trial serve, connect;

	(void)state;
	if (!trial_is_root())
		apart_skip("this is an ordinary user's run already");
	apart_serve(&serve, trial_become_nobody, serve_args);
	apart_run(&connect, trial_become_nobody, args);
	apart_assert_proved(&connect, apart_n());
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, apart_n(), 2 * apart_n());
	trial_end(&serve);
}

/* --- two networks, joined by a wire ----------------------------------------------------------- */

static void over_a_wire(const char *listen, const char *target, const char *sources)
{
	const char *const serve_args[] = {"--listen", listen, NULL};
	const char *const args[] = {target,  "-n",     apart_n_text(), "--source",
	                            sources, "--hold", "100ms",        NULL};
	struct trial serve, connect;

	apart_serve(&serve, wire_cross, serve_args);
	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, apart_n());
	assert_int_equal(trial_number(&connect, "source_ips"), 20);
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, apart_n(), 2 * apart_n());
	apart_assert_lost(&serve, "reset", apart_n());
	trial_end(&serve);
}

static void two_networks(void **state)
{
	(void)state;
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	if (!wire_make())
		apart_skip("no pair of veth devices can be made here");
	over_a_wire(FAR4, FAR4, "198.18.1.10-198.18.1.29");
	over_a_wire(FAR6, FAR6, "2001:2:0:1::10-2001:2:0:1::23");
	wire_drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(both_solutions_by_uring),   APART_TEST(both_solutions_by_epoll),
		APART_TEST(many_sources_of_ipv6),      APART_TEST(server_that_only_holds),
		APART_TEST(server_closes_by_fin),      APART_TEST(server_closes_by_reset),
		APART_TEST(second_server_on_the_port), APART_TEST(server_worker_killed),
		APART_TEST(two_ordinary_users),        APART_TEST(two_networks),
	};

	return cmocka_run_group_tests_name("lab_apart", tests, apart_set_up, NULL);
}
