/* Two hosts: serve on one, connect on the other, on a switch and by a router. */
#include "apart.h"
#include "hosts.h"

#include <signal.h>

static void run_between(const struct host *client, const struct host *server, const char *target)
{
	const char *const serving[] = {"--listen", target, NULL};
	const char *const args[] = {target, "-n", apart_n_text(), "--hold", "0", NULL};
	struct trial serve, connect;

	apart_serve(&serve, host_enter(server), serving);
	apart_run(&connect, host_enter(client), args);
	apart_assert_proved(&connect, apart_n());
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, apart_n(), 2 * apart_n());
	trial_end(&connect);
	trial_end(&serve);
}

static void on_a_switch(void **state)
{
	struct host hosts[3];

	(void)state;
	hosts_need();
	hosts_lan(hosts, 2);
	run_between(&hosts[0], &hosts[1], "198.18.0.2:8090");
	run_between(&hosts[1], &hosts[0], "[2001:2::1]:8090");
}

static void by_a_router(void **state)
{
	struct host near, router, far;

	(void)state;
	hosts_need();
	hosts_routed(&near, &router, &far);
	run_between(&near, &far, "198.19.0.1:8090");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(on_a_switch),
		APART_TEST(by_a_router),
	};

	return cmocka_run_group_tests_name("lab_hosts", tests, apart_set_up, NULL);
}
