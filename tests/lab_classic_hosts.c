/* The classic experiment on two hosts, from megaconn.conf alone: each verb as the Makefile calls
 * it, in order and out of it, what it says of the next step, and that nothing is left of it all. A
 * host has a network of its own, and its own /var/lib and run directory. */
#include "apart.h"
#include "hosts.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MOST 8
#define CONFIG    "--config", "megaconn.conf"
#define TOKEN     "a-token-of-two-hosts"

struct machine {
	struct host *host;
	pid_t holder; /* of its files */
	char dir[64]; /* megaconn.conf, and what is compared */
	char run[80]; /* pidfiles, logs, results             */
};

static struct host hosts[3];
static struct machine server, client;
static char said[8192];
static char program[4096];
static const char *token = TOKEN;

/* ---- a machine ------------------------------------------------------------------------------ */

static void hold_files(const struct machine *m, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	host_cross(m->host);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("host", "/var/lib", "tmpfs", 0, "mode=0755") != 0)
		_exit(1);
	(void)!write(ready, "r", 1);
	for (;;)
		pause();
}

static void join(pid_t pid, const char *kind, int flag)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, flag) != 0)
		_exit(125);
	close(fd);
}

/* False where no files of its own are allowed. */
static bool open_machine(struct machine *m, struct host *host)
{
	int ends[2];
	char byte;

	m->host = host;
	snprintf(m->dir, sizeof(m->dir), "/tmp/megaconn-hosts-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->run, sizeof(m->run), "%s/run", m->dir);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	m->holder = fork();
	assert_true(m->holder >= 0);
	if (m->holder == 0)
		hold_files(m, ends[1]);
	close(ends[1]);
	apart_keep(m->holder);
	bool is_there = read(ends[0], &byte, 1) == 1;

	close(ends[0]);
	return is_there;
}

static void become(const struct machine *m, const char *const *args, int out)
{
	char *argv[ARGS_MOST + 2] = {program};

	for (size_t i = 0; i < ARGS_MOST && args[i]; i++)
		memcpy(&argv[i + 1], &args[i], sizeof(argv[0])); /* which execv leaves alone */
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	host_cross(m->host);
	join(m->holder, "mnt", CLONE_NEWNS);
	if (chdir(m->dir) != 0 || setenv("MEGACONN_RUN_DIR", m->run, 1) != 0)
		_exit(126);
	execv(program, argv);
	_exit(127);
}

/* Runs the program on the machine; what it said is in `said`. Returns its exit code. */
static int call(const struct machine *m, const char *const *args)
{
	size_t len = 0;
	ssize_t got = 1;
	int ends[2], status = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		become(m, args, ends[1]);
	close(ends[1]);
	while (got > 0 && len < sizeof(said) - 1) {
		struct pollfd fd = {.fd = ends[0], .events = POLLIN};

		if (poll(&fd, 1, 60000) != 1)
			fail_msg("%s %s: still open after 60 s: %.*s", args[0], args[1], (int)len,
			         said);
		got = read(ends[0], said + len, sizeof(said) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* "run-srv" and so on, as the Makefile has them. */
static const char *const verbs[][ARGS_MOST] = {
	{"tune", "apply", CONFIG},       {"tune", "revert", CONFIG},
	{"addr", "ping", CONFIG},        {"addr", "up", CONFIG},
	{"addr", "down", CONFIG},        {"classic", "run-srv", CONFIG},
	{"classic", "run-cli", CONFIG},  {"classic", "stop-cli", CONFIG},
	{"classic", "stop-srv", CONFIG},
};
enum verb { TUNE, UNTUNE, PING, IFUP, IFDOWN, RUN_SRV, RUN_CLI, STOP_CLI, STOP_SRV };

static void must_say(const struct machine *m, enum verb verb, const char *text)
{
	if (!strstr(said, text))
		fail_msg("%s, %s %s said:\n%snot: %s", m == &server ? "server" : "client",
		         verbs[verb][0], verbs[verb][1], said, text);
}

static void check(const struct machine *m, enum verb verb, int code, const char *text)
{
	int got = call(m, verbs[verb]);

	if (got != code)
		fail_msg("%s, %s %s: exit code %d: %s", m == &server ? "server" : "client",
		         verbs[verb][0], verbs[verb][1], got, said);
	must_say(m, verb, text);
}

static void write_config(const struct machine *m, int solution)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/megaconn.conf", m->dir);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fprintf(file, "[experiment]\nsolution = %d\nconnections = %s\nhold = 60s\n", solution,
	        trial_n("10000", "1000", "10000"));
	fprintf(file, "[server]\nserver-ip = 198.18.0.1\nhttp = 9464\ntoken = %s\n", token);
	fprintf(file, "[client]\nclient-ips = 198.18.0.200-198.18.0.219\ndevice = eth0\n");
	fclose(file);
}

/* ---- as it was before ----------------------------------------------------------------------- */

static void note(const struct machine *m, const char *name)
{
	host_sh(m->host,
	        "{ ip -4 -o addr; ip -4 route show table all; "
	        "grep -r . /proc/sys/net/core /proc/sys/net/ipv4 2>/dev/null | sort; } > %s/%s",
	        m->dir, name);
}

static bool is_in(pid_t pid, const char *net)
{
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	ssize_t len = readlink(path, link, sizeof(link) - 1);

	link[len > 0 ? len : 0] = '\0';
	return strcmp(link, net) == 0;
}

/* Processes in the machine's network, but for the two that hold it. */
static int count_processes(const struct machine *m)
{
	char path[64], net[64] = "";
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	assert_non_null(proc);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)m->holder);
	assert_true(readlink(path, net, sizeof(net) - 1) > 0);
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != m->holder && pid != m->host->pid && is_in(pid, net))
			count++;
	}
	closedir(proc);
	return count;
}

static void assert_as_before(const struct machine *m)
{
	note(m, "after");
	host_sh(m->host, "diff %s/before %s/after >&2", m->dir, m->dir);
	assert_int_equal(count_processes(m), 0);
	host_sh(m->host, "! ls %s/*.pid 2>/dev/null", m->run);
	host_sh(m->host, "! ls /proc/%d/root/var/lib/megaconn/*.journal 2>/dev/null",
	        (int)m->holder);
}

/* ---- the walk ------------------------------------------------------------------------------- */

static void prepare_hosts(void)
{
	hosts_need();
	hosts_lan(hosts, 2);
	if (!open_machine(&server, &hosts[0]) || !open_machine(&client, &hosts[1]))
		apart_skip("no files of their own are allowed here");
	/* The way back to a client that was never seen is asked for anew with each address. */
	note(&server, "before");
	note(&client, "before");
}

static void settings_and_addresses(void)
{
	check(&server, TUNE, 0, "next: make run-srv; on the client: make tune, then make ping\n");
	check(&client, TUNE, 0, "next: make ping; on the server: make tune, then make run-srv\n");
	check(&client, RUN_CLI, 4, "0 of 20 client-ips are this host's: make ifup first\n");
	check(&client, RUN_SRV, 4, "server-ip 198.18.0.1 is not this host's");
	check(&server, RUN_CLI, 4, "this is the server's host (server-ip 198.18.0.1 is its own");
	check(&client, PING, 0, "20 of 20 are free\nnext: make ifup\n");
	check(&client, IFUP, 0, "eth0: added 198.18.0.200-198.18.0.219 (/32)\n");
	must_say(&client, IFUP, "next: make run-cli, when the server runs (on it: make run-srv)\n");
	check(&client, PING, 0, "next: client-ips are up: make run-cli");
}

static void check_tokens(void)
{
	token = "a-token-of-another-host";
	write_config(&client, 1);
	check(&client, RUN_CLI, 4,
	      "the server on 198.18.0.1:9464 has another token: make http and "
	      "token of both files the same");
	token = TOKEN;
}

static void until_it_holds(int solution)
{
	write_config(&server, solution);
	check(&client, RUN_CLI, 4,
	      "nobody listens on 198.18.0.1 port 8090: on the server, first: make "
	      "run-srv\n");
	check(&server, RUN_SRV, 0,
	      solution == 1 ? "server: listens on 198.18.0.1, port 8090 (pid "
	                    : "server: listens on 198.18.0.1, ports 8090-8119 "
	                      "(pid ");
	must_say(&server, RUN_SRV,
	         "next, on the client: make ping, make ifup, then make run-cli\n");
	if (solution == 1) {
		write_config(&client, 2);
		check(&client, RUN_CLI, 4, "the server's megaconn.conf has another solution");
		write_config(&client, 1);
		check_tokens();
	}
	write_config(&client, solution);
	check(&client, RUN_CLI, 0, "client: holds its connections for 1m00s, until about ");
	must_say(&client, RUN_CLI, "watch: make watch");
	must_say(&client, RUN_CLI, "next: make stop-cli");
}

static void until_it_ended(void)
{
	const char *n = trial_is_small() ? "1,000" : "10,000";
	char line[160];

	check(&client, RUN_CLI, 4, "the client already runs (pid ");
	check(&client, IFDOWN, 4, "the client that run-cli started runs (pid ");
	snprintf(line, sizeof(line),
	         "  established  %s of %s | kernel %s | server %s, its kernel %s | ", n, n, n, n,
	         n);
	check(&client, STOP_CLI, 0, line);
	snprintf(line, sizeof(line), "  proved       %s, and %s again when the hold was over\n", n,
	         n);
	must_say(&client, STOP_CLI, line);
	must_say(&client, STOP_CLI, "  lost         0\n  PASS: ");
	must_say(&client, STOP_CLI, "next: make ifdown; on the server: make stop-srv\n");
	check(&client, STOP_CLI, 0, "client: has ended before; its last run came to\n");
	snprintf(line, sizeof(line), "  accepted     %s, at most %s at once\n", n, n);
	check(&server, STOP_SRV, 0, line);
	snprintf(line, sizeof(line), "  ended        %s reset and 0 closed by their peers, 0 open",
	         n);
	must_say(&server, STOP_SRV, line);
	must_say(&server, STOP_SRV, "next: make untune\n");
}

static void from_tune_to_untune(void **state)
{
	(void)state;
	prepare_hosts();
	write_config(&server, 1);
	write_config(&client, 1);
	settings_and_addresses();
	for (int solution = 1; solution <= 2; solution++) {
		until_it_holds(solution);
		until_it_ended();
	}
	check(&client, UNTUNE, 0, "next: client-ips are still up: make ifdown\n");
	check(&client, IFDOWN, 0, "eth0: took away 20 of 20: 198.18.0.200-198.18.0.219 (/32)\n");
	must_say(&client, IFDOWN,
	         "next: make untune; on the server: make stop-srv, then make untune\n");
	check(&client, UNTUNE, 0, "next: nothing; this host is as it was\n");
	check(&server, UNTUNE, 0, "net.core.somaxconn: ");
	must_say(&server, UNTUNE, "next: nothing; this host is as it was\n");
	assert_as_before(&server);
	assert_as_before(&client);
}

/* The server first, and the settings under it: said, and what is counted stays true. */
static void in_the_wrong_order(void **state)
{
	const char *n = trial_is_small() ? "1,000" : "10,000";
	char line[96];

	(void)state;
	prepare_hosts();
	write_config(&server, 1);
	write_config(&client, 1);
	check(&client, IFUP, 0, "added");
	check(&server, TUNE, 0, "next: ");
	check(&server, RUN_SRV, 0, "server: listens");
	check(&server, UNTUNE, 0, "warning: the server that run-srv started runs (pid ");
	check(&client, RUN_CLI, 0, "client: holds");
	check(&server, STOP_SRV, 0, "open when it was stopped: the client has lost them\n");
	check(&client, STOP_CLI, 0, "next: make ifdown");
	snprintf(line, sizeof(line), "  lost         %s (reset %s)\n  FAIL: ", n, n);
	must_say(&client, STOP_CLI, line);
	check(&client, IFDOWN, 0, "took away 20 of 20");
	assert_as_before(&server);
	assert_as_before(&client);
}

static int tear_down(void **state)
{
	struct machine *machines[] = {&server, &client};
	int failed = 0;

	for (int i = 0; i < 2; i++) {
		if (machines[i]->dir[0] == '\0')
			continue;
		if (machines[i]->holder > 0) {
			(void)call(machines[i], verbs[STOP_CLI]);
			(void)call(machines[i], verbs[STOP_SRV]);
		}
		if (!host_try(machines[i]->host, "rm -rf %s", machines[i]->dir))
			failed = -1;
		machines[i]->dir[0] = '\0';
	}
	return apart_tear_down(state) | failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(from_tune_to_untune, tear_down),
		cmocka_unit_test_teardown(in_the_wrong_order, tear_down),
	};

	if (!realpath(trial_program() ? trial_program() : "build/megaconn", program))
		return 1;
	/* What is left by a test that failed is ended with the tests. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests_name("lab_classic_hosts", tests, apart_set_up, NULL);
}
