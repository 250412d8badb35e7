/* The classic verbs, as the Makefile calls them: what runs, what is said, what is left. Each call's
 * output is read to the end of the pipe, which would not come if what goes on in the background
 * held it. */
#include "trial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_LOW  28190
#define PORT_HIGH 28194
#define CONFIG                                                                       \
	"[experiment]\nsolution = 2\nconnections = 100\nhold = 30s\n[server]\n"      \
	"server-ip = 127.0.0.1\nserver-ports = 28190-28194\n[client]\nclient-ips = " \
	"127.0.0.2-127.0.0.3\nclient-ports = 30000-31000\n"

static char dir[64], config[128];
static char said[4096];

static void become(const char *verb, int out)
{
	const char *program = getenv("MEGACONN");

	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl(program ? program : "build/megaconn", "megaconn", "classic", verb, "--config", config,
	      (char *)NULL);
	_exit(127);
}

/* Runs a verb; what it said is in `said`. Returns its exit code. */
static int verb(const char *name)
{
	size_t len = 0;
	ssize_t got = 1;
	int ends[2], status = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		become(name, ends[1]);
	close(ends[1]);
	while (got > 0 && len < sizeof(said) - 1) {
		struct pollfd fd = {.fd = ends[0], .events = POLLIN};

		if (poll(&fd, 1, 60000) != 1)
			fail_msg("%s: still open after 60 s: %.*s", name, (int)len, said);
		got = read(ends[0], said + len, sizeof(said) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check(const char *name, int code, const char *text)
{
	int got = verb(name);

	if (got != code || !strstr(said, text))
		fail_msg("%s: exit code %d, said: %s, not: %s", name, got, said, text);
}

static void write_config(const char *text)
{
	int fd = open(config, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/megaconn-lab-classic-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(config, sizeof(config), "%s/a.conf", dir);
	/* What is left by a test that failed is ended with the tests. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return setenv("MEGACONN_RUN_DIR", dir, 1);
}

static int tear_down(void **state)
{
	static const char *const logs[] = {"srv.log", "srv.json", "cli.log", "cli.json", "a.conf"};
	char path[128];

	(void)state;
	(void)verb("stop-cli");
	(void)verb("stop-srv");
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, logs[i]);
		unlink(path);
	}
	return rmdir(dir); /* refuses where a pidfile is left */
}

static bool listens(uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
	                                    .sin_port = htons(port),
	                                    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));

	close(fd);
	return rc == 0;
}

static pid_t said_pid(void)
{
	const char *at = strstr(said, "pid ");

	assert_non_null(at);
	return (pid_t)strtol(at + 4, NULL, 10);
}

static void check_ports(bool expected)
{
	for (uint16_t port = PORT_LOW; port <= PORT_HIGH; port++)
		assert_int_equal(listens(port), expected);
}

static void server_starts_and_ends(void **state)
{
	(void)state;
	write_config(CONFIG);
	check("stop-srv", 0, "server: none runs that run-srv started");
	check("status", 0, "server: does not run\nclient: does not run\n");
	check("run-srv", 0, "server: listens on 127.0.0.1, ports 28190-28194 (pid ");
	pid_t pid = said_pid();

	check_ports(true);
	check("run-srv", 4, "the server already runs (pid ");
	assert_int_equal(said_pid(), pid);
	check("status", 0, "server: runs (pid ");
	assert_int_equal(said_pid(), pid);
	check("stop-cli", 0, "client: none runs that run-cli started");
	check("stop-srv", 0, "server: ended (pid ");
	assert_int_equal(said_pid(), pid);
	check_ports(false);
	check("stop-srv", 0, "server: has ended before; its last run came to\n  accepted ");
}

static void killed_server_is_replaced(void **state)
{
	(void)state;
	write_config(CONFIG);
	check("run-srv", 0, "server: listens on");
	pid_t pid = said_pid();

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	check("status", 0, "server: ended without a word");
	check("run-srv", 0, "server: listens on");
	assert_int_not_equal(said_pid(), pid);
	check("stop-srv", 0, "server: ended (pid ");
}

/* A port is taken: said where the command was given, and nothing is left. */
static void server_that_cannot(void **state)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
	                                    .sin_port = htons(PORT_HIGH),
	                                    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	write_config(CONFIG);
	check("run-srv", 4, "cannot listen on 127.0.0.1 port 28194");
	assert_non_null(strstr(said, "the server did not start"));
	close(fd);
	check("status", 0, "server: does not run\n");
}

static void mistakes_are_exit_2(void **state)
{
	static const struct {
		const char *config, *says;
	} mistakes[] = {
		{"[experiment]\nhold = 10x\n", "a.conf:2: hold 10x: not a duration"},
		{"[server]\nip = 127.0.0.1\n", "a.conf:2: unknown key ip in [server]"},
		{"[client]\n  client-ips\n", "a.conf:2: client-ips: not of the form key = value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		write_config(mistakes[i].config);
		check("run-srv", 2, mistakes[i].says);
		assert_ptr_equal(strchr(said, '\n'), strrchr(said, '\n'));
		check("run-cli", 2, mistakes[i].says);
	}
	unlink(config);
	check("run-srv", 2, "no such file");
	check("start", 2, "unknown verb 'start'");
	check("--conf", 2, "unknown option --conf");
	check("status", 0, "server: does not run\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_starts_and_ends),
		cmocka_unit_test(killed_server_is_replaced),
		cmocka_unit_test(server_that_cannot),
		cmocka_unit_test(mistakes_are_exit_2),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
