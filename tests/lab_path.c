/* lab_path: boxes between clients and server, each on a router of its own, and what both ends make
 * of them: kind and number. Four run at the same time: what they do is wait, mostly.
 *
 * A limit of connections is a rule that counts them by connection tracking, since a network
 * namespace cannot have a table of its own size. */
#include "apart.h"
#include "hosts.h"

#include "out/result_path.h"
#include "plan/path.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SERVER    "198.19.0.1:8090"
#define TOKEN     "a-token-of-this-test"
#define API       "http://198.19.0.1:9464"
#define ROUTER    "198.18.0.1:8090"
#define CHAIN     "nft add table t && nft add chain t f '{ type filter hook "
#define RULE      "nft add rule t f 'tcp dport 8090 "
#define FORWARD   CHAIN "forward priority 0; }' && " RULE
#define ALSO_BACK "nft add rule t f 'tcp sport 8090 "
#define BACK      CHAIN "forward priority 0; }' && " ALSO_BACK
#define INPUT     CHAIN "input priority 0; }' && " RULE
#define NAT                                                                                      \
	"nft add table t && nft add chain t n '{ type nat hook postrouting priority 100; }' && " \
	"nft add rule t n 'oif eth1 tcp dport 8090 snat to 198.19.0.2:"
#define OVER    "ct state new ct count over 1000 "
#define LOSS    "numgen random mod 100 < 5 drop'"
#define AT_ONCE "--timeout", "1s", "--retries", "0"

static const struct course {
	const char *name, *router, *far; /* what is done at these hosts, in shell; NULL: nothing */
	const char *target, *serve[5], *connect[5]; /* options */
	enum path_kind kind, alone;                 /* by both ends, and by the client's */
	int64_t limit, slack;                       /* connections; -1: none is found */
	int64_t ports;                              /* of a NAT */
	const char *says;
	bool is_stopped; /* the server does not accept                 */
	bool is_proxied; /* haproxy on the router, of 1,000 at most    */
} courses[] = {
	{.name = "table",
         .router = FORWARD OVER "drop'",
         .connect = {AT_ONCE},
         .kind = PATH_TABLE,
         .alone = PATH_ONE_END,
         .limit = 1000,
         .says = "lets 1,000 connections through and no more"},
	{.name = "ports",
         .router = NAT "10000-10999'",
         .connect = {AT_ONCE},
         .kind = PATH_PORTS,
         .alone = PATH_ONE_END,
         .limit = 1000,
         .slack = 60, /* it tries some of its ports, not all */
         .ports = 1000,
         .says = "(198.19.0.2) with 1,000 ports, 10000-10999"},
	{.name = "prohibited",
         .router = FORWARD OVER "reject with icmp type admin-prohibited'",
         .connect = {AT_ONCE},
         .kind = PATH_PROHIBITED,
         .alone = PATH_PROHIBITED,
         .limit = 1000,
         .says = "lets 1,000 connections through and no more: the other 200"},
	{.name = "proxy",
         .target = ROUTER,
         .connect = {"--timeout", "2s", "--retries", "0"},
         .kind = PATH_PROXY,
         .alone = PATH_SERVER_ENDS,
         .limit = 1000,
         .says = "(a proxy on layer 4) and lets 1,000 connections through",
         .is_proxied = true},
	{.name = "clear", .kind = PATH_CLEAR, .alone = PATH_CLEAR, .limit = -1, .says = "all SYNs"},
	{.name = "answers",
         .router = BACK "tcp flags == 0x12 quota over 60000 bytes drop'",
         .connect = {AT_ONCE},
         .kind = PATH_ANSWERS,
         .alone = PATH_ONE_END,
         .limit = 999, /* the first to be answered is what asks whether the server echoes */
         .says = "the way back from the server fails beyond 999 connections"},
	{.name = "queue",
         .serve = {"--backlog", "100", "--workers", "1"},
         .connect = {AT_ONCE},
         .kind = PATH_QUEUE,
         .alone = PATH_ONE_END,
         .limit = -1,
         .says = "the server itself, not the path",
         .is_stopped = true},
	{.name = "loss",
         .router = FORWARD LOSS " && " ALSO_BACK LOSS,
         .connect = {"--timeout", "900ms", "--retries", "0"},
         .kind = PATH_LOSS,
         .alone = PATH_LOSS,
         .limit = -1,
         .says = "it is no limit"},
	{.name = "table of a NAT",
         .router = NAT "10000-60000' && " FORWARD OVER "drop'",
         .connect = {AT_ONCE},
         .kind = PATH_TABLE,
         .alone = PATH_ONE_END,
         .limit = 1000,
         .says = "addresses are translated, but not ports"},
	{.name = "reset",
         .router = FORWARD OVER "reject with tcp reset'",
         .connect = {AT_ONCE},
         .kind = PATH_RESET,
         .alone = PATH_ONE_END,
         .limit = 1000,
         .says = "which the server did not send"},
	{.name = "refused",
         .far = INPUT OVER "reject with tcp reset'",
         .connect = {AT_ONCE},
         .kind = PATH_REFUSED,
         .alone = PATH_ONE_END,
         .limit = 1000,
         .says = "the server's host itself refused 200 connections"},
	{.name = "blocked",
         .router = FORWARD "drop'",
         .connect = {AT_ONCE},
         .kind = PATH_BLOCKED,
         .alone = PATH_ONE_END,
         .limit = -1,
         .says = "SYNs left here and none arrived there"},
	{.name = "unreachable",
         .router = FORWARD OVER "reject with icmp type host-unreachable'",
         .connect = {AT_ONCE},
         .kind = PATH_UNREACHABLE,
         .alone = PATH_UNREACHABLE,
         .limit = 1000,
         .says = "cannot be reached"},
	{.name = "recovered loss",
         .router = FORWARD LOSS " && " ALSO_BACK LOSS,
         .connect = {"--timeout", "9s"},
         .kind = PATH_LOSS,
         .alone = PATH_LOSS,
         .limit = -1,
         .says = "TCP recovered them all"},
};
#define COURSES (sizeof(courses) / sizeof(courses[0]))

struct run {
	struct host near, router, far;
	struct trial serve, connect;
};
static struct run runs[COURSES];

/* --- what they are --------------------------------------------------------------------------- */

#define PROXY                                                                                  \
	"cat > %s <<'EOF'\n"                                                                   \
	"global\n maxconn 4000\n"                                                              \
	"defaults\n mode tcp\n timeout connect 9s\n timeout client 99s\n timeout server 99s\n" \
	"frontend f\n maxconn 1000\n bind " ROUTER "\n default_backend b\n"                    \
	"backend b\n server s " SERVER " source 198.19.0.2\n"                                  \
	"EOF\n"

/* haproxy in the foreground. */
static void start_proxy(const struct host *router)
{
	char path[] = "/tmp/megaconn-lab-path-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	host_sh(router, PROXY, path);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		host_cross(router);
		execlp("haproxy", "haproxy", "-q", "-db", "-f", path, (char *)NULL);
		_exit(127);
	}
	apart_keep(pid);
	for (int tries = 0; tries < 500; tries++) {
		if (host_try(router, "ss -Hltn | grep -q 8090"))
			break;
		apart_sleep(10);
	}
	unlink(path);
}

static void start_serve(const struct course *c, struct run *r)
{
	const char *args[12] = {"--listen", SERVER, "--http", "198.19.0.1:9464", "-n", "5000"};

	for (int i = 0; c->serve[i]; i++)
		args[6 + i] = c->serve[i];
	hosts_routed(&r->near, &r->router, &r->far);
	if (c->router)
		host_sh(&r->router, "%s", c->router);
	if (c->far)
		host_sh(&r->far, "%s", c->far);
	trial_start_command(&r->serve, "serve", host_enter(&r->far), args);
	apart_keep(r->serve.pid);
	if (c->is_proxied)
		start_proxy(&r->router);
}

static void start_connect(const struct course *c, struct run *r)
{
	const char *args[16] = {
		c->target ? c->target : SERVER, "-n", "1200", "--hold", "0", "--server-api", API};

	for (int i = 0; c->connect[i]; i++)
		args[7 + i] = c->connect[i];
	trial_wait_text(&r->serve, "listening on ", 60);
	if (c->is_stopped)
		assert_int_equal(kill(trial_find(&r->serve, "mc-server-0"), SIGSTOP), 0);
	trial_start_command(&r->connect, "connect", host_enter(&r->near), args);
	apart_keep(r->connect.pid);
}

/* --- what is made of them -------------------------------------------------------------------- */

static void assert_share(double parts)
{
	assert_true(parts > 0.02 && parts < 0.09);
}

static void assert_number(const char *what, int64_t found, int64_t wanted, int64_t slack)
{
	if (found < wanted - slack || found > wanted + slack)
		fail_msg("%s is %lld, not %lld", what, (long long)found, (long long)wanted);
}

static void assert_found(const struct course *c, const struct trial *connect)
{
	bool has_failed = trial_number(connect, "failed.total") + trial_number(connect, "lost") > 0;
	const char *says = trial_word(connect, "path.says");

	print_message("%s: %s\n", c->name, says);
	assert_string_equal(trial_word(connect, "path.kind"), path_kind_name(c->kind));
	assert_non_null(strstr(says, c->says));
	assert_number("the limit", trial_number(connect, "path.limit"), c->limit, c->slack);
	assert_number("ports", trial_number(connect, "path.nat_ports"),
	              c->ports > 0 ? c->ports : -1, 0);
	assert_int_equal(strstr(trial_word(connect, "reason"), says) != NULL, has_failed);
	assert_non_null(strstr(connect->out, "\n  path "));
	if (c->kind == PATH_LOSS) {
		assert_share(trial_real(connect, "path.lost_out"));
		assert_share(trial_real(connect, "path.lost_back"));
	}
}

/* From the client's end alone. */
static void assert_alone(const struct course *c, const struct trial *connect)
{
	static const struct path_plan plan = {1, "198.18.0.2", "198.18.0.2", 32768, 33967};
	struct err err = {""};
	struct path path;

	assert_int_equal(
		result_path_read(json_object_get(connect->result, "path"), "it", &path, &err), 0);
	path.has_server = false;
	path_judge(&plan, &path);
	assert_string_equal(path_kind_name(path.kind), path_kind_name(c->alone));
	if (c->alone == PATH_ONE_END && c->limit > 0)
		assert_number("alone", (int64_t)path.limit, c->limit, c->slack);
}

/* The server has a minute to answer a request, which takes it 0.2 s (lab_api). */
static void need_answer(const struct trial *connect)
{
	const json_t *server = json_object_get(connect->result, "server");
	const char *unknown = json_string_value(json_object_get(server, "unknown"));

	if (unknown && (strstr(unknown, "does not answer in") || strstr(unknown, "no connection")))
		apart_skip("the server has not answered in time: this machine is too busy");
}

static void judge(const struct course *c, struct run *r)
{
	trial_wait(&r->connect, 120);
	if (c->is_stopped)
		assert_int_equal(kill(trial_find(&r->serve, "mc-server-0"), SIGCONT), 0);
	apart_stop(&r->serve, SIGTERM, 0);
	need_answer(&r->connect);
	assert_found(c, &r->connect);
	assert_alone(c, &r->connect);
	trial_end(&r->connect);
	trial_end(&r->serve);
}

/* --- the tests ------------------------------------------------------------------------------- */

/* The programs that make the boxes. */
static void need_programs(void)
{
	struct host host;

	hosts_need();
	host_open(&host);
	if (!host_try(&host, "nft list ruleset && command -v haproxy >/dev/null"))
		apart_skip("no nft(8) is allowed here, or no haproxy (scripts/deps.sh servers)");
	host_close(&host);
}

static void run_all(size_t first, size_t end)
{
	need_programs();
	setenv("MEGACONN_TOKEN", TOKEN, 1);
	for (size_t i = first; i < end; i++)
		start_serve(&courses[i], &runs[i]);
	for (size_t i = first; i < end; i++)
		start_connect(&courses[i], &runs[i]);
	for (size_t i = first; i < end; i++)
		judge(&courses[i], &runs[i]);
}

static void limits(void **state)
{
	(void)state;
	run_all(0, 4);
}

static void ways_back_and_losses(void **state)
{
	(void)state;
	if (!trial_is_full())
		skip();
	run_all(4, 8);
}

static void refusals(void **state)
{
	(void)state;
	if (!trial_is_full())
		skip();
	run_all(8, COURSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(limits),
		APART_TEST(ways_back_and_losses),
		APART_TEST(refusals),
	};

	return cmocka_run_group_tests_name("lab_path", tests, apart_set_up, NULL);
}
