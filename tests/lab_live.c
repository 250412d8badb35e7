/* The live page in a real browser (FULL=1): its numbers are the run's; it says how the run has
 * ended, finds the next one, and says when that is gone. Screenshots are left beside the logs. */
#include "apart.h"
#include "web.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 60000

static int browser_fd;
static char said[65536];

static pid_t open_browser(uint16_t port)
{
	const char *logs = getenv("LOGS");
	char url[64];
	int ends[2];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned int)port);
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		setenv("NODE_PATH", "build/npm/node_modules", 0);
		setenv("HOME", "/tmp", 1);
		execlp("node", "node", "tests/npm/live.js", url, logs ? logs : "build/test-logs",
		       NULL);
		_exit(127);
	}
	close(ends[1]);
	browser_fd = ends[0];
	apart_keep(pid);
	return pid;
}

/* Until it says this word. */
static void await(const char *word)
{
	struct pollfd one = {.fd = browser_fd, .events = POLLIN};
	size_t len = strlen(said);

	while (!strstr(said, word)) {
		ssize_t got = poll(&one, 1, WAIT_MS) == 1
		                      ? read(browser_fd, said + len, sizeof(said) - 1 - len)
		                      : 0;

		if (got <= 0)
			fail_msg("the browser did not come to '%s': %s", word, said);
		len += (size_t)got;
		said[len] = '\0';
	}
}

static void page_in_a_browser(void **state)
{
	const char *const args[] = {"-n",        "2000",        "--hold",  "15s",
	                            "--traffic", "echo",        "--every", "100ms",
	                            "--http",    "127.0.0.1:0", NULL};
	char address[32];
	const char *const serve_args[] = {"--listen", "127.0.0.1:28710", "--http", address, NULL};
	struct trial lab, serve;
	int status;

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	trial_start(&lab, NULL, args);
	uint16_t port = web_port(&lab);
	pid_t browser = open_browser(port);

	await("held\n");
	trial_wait(&lab, 60);
	trial_assert_passed(&lab, 2000);
	trial_end(&lab);
	await("ended\n");
	snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned int)port);
	apart_serve(&serve, NULL, serve_args);
	await("live again\n");
	kill(serve.pid, SIGKILL);
	trial_wait(&serve, 5);
	trial_assert_no_process_left(&serve);
	trial_end(&serve);
	await("lost\n");
	assert_int_equal(waitpid(browser, &status, 0), browser);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(page_in_a_browser),
	};

	return cmocka_run_group_tests_name("lab_live", tests, apart_set_up, NULL);
}
