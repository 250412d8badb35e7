/* api: what two hosts say of the same connections. serve on one, connect --server-api on the other:
 * all three counts, the server's bill, and by index what differs, where a box in between eats
 * echoes or sends some connections elsewhere; addresses translated; two clients with the same
 * indexes; an API that goes away; hosts whose clocks have nothing in common. */
#include "apart.h"
#include "hosts.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN    "test-token-0123456789"
#define SERVER   "198.19.0.1:8090"
#define API      "http://198.19.0.1:9464"
#define LOST     3
#define PORT_LOW 40000

static char token_file[] = "/tmp/megaconn-lab-api.XXXXXX";
static struct host near, router, far;
static const char *const serving[] = {"--listen",          SERVER,     "--http", "198.19.0.1:9464",
                                      "--http-token-file", token_file, NULL};

static int set_up(void **state)
{
	int fd = mkstemp(token_file);

	if (fd < 0 || write(fd, TOKEN "\n", strlen(TOKEN) + 1) < 0)
		return -1;
	close(fd);
	return apart_set_up(state);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(token_file);
}

static void connect_to(struct trial *connect, const char *n, const char *hold, const char *timeout)
{
	const char *const args[] = {SERVER,
	                            "-n",
	                            n,
	                            "--hold",
	                            hold,
	                            "--server-api",
	                            API,
	                            "--server-token-file",
	                            token_file,
	                            "--timeout",
	                            timeout,
	                            "--ports",
	                            "40000-59999",
	                            NULL};

	apart_run(connect, host_enter(&near), args);
}

static void assert_all(const struct trial *connect, int64_t n)
{
	assert_int_equal(trial_number(connect, "established.client"), n);
	assert_int_equal(trial_number(connect, "established.server"), n);
	assert_int_equal(trial_number(connect, "established.kernel"), n);
	assert_int_equal(trial_number(connect, "established.server_kernel"), n);
	assert_int_equal(trial_number(connect, "proved_ramp.server_echoed"), n);
	assert_int_equal(trial_number(connect, "proved_ramp.differing"), 0);
	assert_int_equal(trial_number(connect, "proved.server_echoed"), n);
	assert_int_equal(trial_number(connect, "proved.differing"), 0);
	assert_int_equal(trial_number(connect, "server.counts_hold.of_run"), n);
}

/* Its CLOCK_MONOTONIC is 1000 days ahead of ours, where the kernel has time namespaces. */
static void far_in_another_time(void)
{
	static const char offset[] = "monotonic 86400000 0\n";
	int fd;

	host_cross(&far);
	if (unshare(CLONE_NEWTIME) != 0)
		return;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, offset, strlen(offset)) < 0)
		return;
	close(fd);
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	(void)!setns(fd, CLONE_NEWTIME);
	close(fd);
}

static void counts_agree(void **state)
{
	const char *text = trial_n("10000", "1000", "100000");
	int64_t n = strtoll(text, NULL, 10);
	struct trial serve, connect;

	(void)state;
	hosts_need();
	hosts_routed(&near, &router, &far);
	apart_serve(&serve, far_in_another_time, serving);
	connect_to(&connect, text, "0", "5s");
	trial_assert_code(&connect, 0);
	assert_all(&connect, n);
	assert_int_equal(trial_number(&connect, "server.memory.connections"), n);
	assert_true(json_array_size(json_object_get(
			    json_object_get(json_object_get(connect.result, "server"), "memory"),
			    "bill")) > 10);
	assert_string_equal(trial_word(&connect, "server.api"), API);
	assert_int_equal(apart_count(&connect, TOKEN) + apart_count(&serve, TOKEN), 0);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, n, 2 * n);
	trial_end(&connect);
	trial_end(&serve);
}

/* --- what differs --------------------------------------------------------------------------- */

/* Each of the last ports of the plan is named, once, and nothing else. */
static void assert_differing(const struct trial *connect, bool client, bool server)
{
	const json_t *list = json_object_get(json_object_get(connect->result, "server"),
	                                     "differing");
	bool seen[LOST] = {false};
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		unsigned int port = 0;
		const char *source = json_string_value(json_object_get(one, "source"));

		if (json_integer_value(json_object_get(one, "round")) != 1)
			continue;
		assert_memory_equal(source, "198.18.0.2:", 11);
		port = (unsigned int)strtoul(source + 11, NULL, 10);
		assert_in_range(port, PORT_LOW, PORT_LOW + LOST - 1);
		assert_false(seen[port - PORT_LOW]);
		seen[port - PORT_LOW] = true;
		assert_true(json_is_true(json_object_get(one, "client")) == client);
		assert_true(json_is_true(json_object_get(one, "server")) == server);
		assert_int_equal(json_integer_value(json_object_get(one, "index")),
		                 port - PORT_LOW);
		assert_string_equal(json_string_value(json_object_get(one, "target")), SERVER);
	}
	for (i = 0; i < LOST; i++)
		assert_true(seen[i]);
	assert_int_equal(trial_number(connect, "proved_ramp.differing"), LOST);
}

/* A box that lets acknowledgements through, but no data back. */
static void echoes_are_eaten(void **state)
{
	struct trial serve, connect;

	(void)state;
	hosts_need();
	hosts_routed(&near, &router, &far);
	if (!host_try(&router,
	              "nft add table ip box && nft 'add chain ip box way "
	              "{ type filter hook forward priority 0; }' && nft add rule ip box "
	              "way tcp sport 8090 tcp dport %d-%d meta length gt 60 drop",
	              PORT_LOW, PORT_LOW + LOST - 1))
		apart_skip("no nft(8) here");
	apart_serve(&serve, host_enter(&far), serving);
	connect_to(&connect, "1000", "0", "500ms");
	trial_assert_code(&connect, 3);
	assert_int_equal(trial_number(&connect, "lost"), LOST);
	assert_differing(&connect, false, true);
	assert_non_null(strstr(trial_word(&connect, "reason"),
	                       "index 0 (198.18.0.2:40000 to 198.19.0.1:8090): seen by the server, "
	                       "whose echo never reached the client"));
	assert_non_null(strstr(connect.out, "index 2 (198.18.0.2:40002 to"));
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
}

/* A box that sends some connections to another server, which echoes as well. */
static void some_go_elsewhere(void **state)
{
	const char *const other_args[] = {"--listen", "198.18.0.1:8091", NULL};
	struct trial serve, other, connect;

	(void)state;
	hosts_need();
	hosts_routed(&near, &router, &far);
	if (!host_try(&router,
	              "nft add table ip box && nft 'add chain ip box way "
	              "{ type nat hook prerouting priority -100; }' && nft add rule ip "
	              "box way tcp sport %d-%d tcp dport 8090 dnat to 198.18.0.1:8091",
	              PORT_LOW, PORT_LOW + LOST - 1))
		apart_skip("no nft(8) here, or no NAT");
	apart_serve(&serve, host_enter(&far), serving);
	apart_serve(&other, host_enter(&router), other_args);
	connect_to(&connect, "1000", "0", "5s");
	trial_assert_code(&connect, 3);
	assert_int_equal(trial_number(&connect, "lost"), 0);
	assert_int_equal(trial_number(&connect, "proved.echoed"), 1000);
	assert_int_equal(trial_number(&connect, "established.client"), 1000);
	assert_int_equal(trial_number(&connect, "established.server"), 1000 - LOST);
	assert_int_equal(trial_number(&connect, "established.server_kernel"), 1000 - LOST);
	assert_differing(&connect, true, false);
	assert_non_null(strstr(trial_word(&connect, "reason"),
	                       "the counts do not agree after the ramp: client 1,000, server 997, "
	                       "its kernel 997; 3 are proved at one end only, the first: index 0"));
	apart_stop(&other, SIGTERM, 0);
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&other);
	trial_end(&serve);
}

/* --- NAT ------------------------------------------------------------------------------------ */

static void addresses_are_translated(void **state)
{
	struct trial serve, connect;

	(void)state;
	hosts_need();
	hosts_routed(&near, &router, &far);
	if (!host_try(&router, "nft add table ip nat && nft 'add chain ip nat out { type nat hook "
	                       "postrouting priority 100; }' && nft add rule ip nat out oifname "
	                       "eth1 masquerade"))
		apart_skip("no nft(8) here, or no NAT");
	apart_serve(&serve, host_enter(&far), serving);
	connect_to(&connect, "1000", "0", "5s");
	trial_assert_code(&connect, 0);
	assert_all(&connect, 1000);
	assert_int_equal(trial_number(&connect, "server.counts_ramp.kernel_of_sources"), 0);
	assert_true(json_is_true(
		json_object_get(json_object_get(connect.result, "server"), "translated")));
	assert_non_null(strstr(connect.out, "translated"));
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
}

/* --- two at a time -------------------------------------------------------------------------- */

#define CLIENTS 2

static void two_with_the_same_indexes(void **state)
{
	static const char *const on_lan[] = {
		"--listen",          "198.18.0.3:8090", "--http", "198.18.0.3:9464",
		"--http-token-file", token_file,        NULL};
	static const char *const args[] = {"198.18.0.3:8090",
	                                   "-n",
	                                   "500",
	                                   "--hold",
	                                   "1500ms",
	                                   "--server-api",
	                                   "http://198.18.0.3:9464/",
	                                   "--server-token-file",
	                                   token_file,
	                                   NULL};
	struct host hosts[CLIENTS + 2];
	struct trial serve, connects[CLIENTS];

	(void)state;
	hosts_need();
	hosts_lan(hosts, CLIENTS + 1);
	apart_serve(&serve, host_enter(&hosts[CLIENTS]), on_lan);
	for (int i = 0; i < CLIENTS; i++)
		apart_hold(&connects[i], host_enter(&hosts[i]), args);
	for (int i = 0; i < CLIENTS; i++) {
		trial_wait(&connects[i], 30);
		trial_assert_code(&connects[i], 0);
		assert_all(&connects[i], 500);
	}
	/* The second began while the first was held. */
	assert_int_equal(trial_number(&connects[1], "server.counts_ramp.open"), 500 * CLIENTS);
	apart_stop(&serve, SIGTERM, 0);
	for (int i = 0; i < CLIENTS; i++)
		trial_end(&connects[i]);
	trial_end(&serve);
}

/* --- an API that goes away ------------------------------------------------------------------- */

static void api_goes_away(void **state)
{
	static const char *const args[] = {
		SERVER,     "-n", "500", "--hold", "1s", "--server-api", API, "--server-token-file",
		token_file, NULL};
	struct trial serve, connect;

	(void)state;
	hosts_need();
	hosts_routed(&near, &router, &far);
	apart_serve(&serve, host_enter(&far), serving);
	apart_hold(&connect, host_enter(&near), args);
	trial_wait_text(&connect, "the server has 500 open, its kernel 500, proved 500, client 500",
	                30);
	if (!host_try(&router, "nft add table ip box && nft 'add chain ip box way "
	                       "{ type filter hook forward priority 0; }' && "
	                       "nft add rule ip box way tcp dport 9464 reject with tcp reset"))
		apart_skip("no nft(8) here");
	trial_wait(&connect, 30);
	trial_assert_code(&connect, 3);
	assert_int_equal(trial_number(&connect, "proved.echoed"), 500);
	assert_int_equal(trial_number(&connect, "established.server"), 500);
	assert_int_equal(trial_number(&connect, "proved.server_echoed"), -1);
	assert_true(json_is_null(
		json_object_get(json_object_get(connect.result, "server"), "counts_hold")));
	assert_non_null(strstr(trial_word(&connect, "reason"),
	                       "the server's counts are not known: " API ": Connection refused"));
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(counts_agree),
		APART_TEST(echoes_are_eaten),
		APART_TEST(some_go_elsewhere),
		APART_TEST(addresses_are_translated),
		APART_TEST(two_with_the_same_indexes),
		APART_TEST(api_goes_away),
	};

	return cmocka_run_group_tests_name("lab_api", tests, set_up, tear_down);
}
