/* rules: nft as a child; what it says against a command is the test's output. */
#include "rules.h"

#include "apart.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static bool run(const char *command)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("nft", "nft", command, (char *)NULL);
		execl("/usr/sbin/nft", "nft", command, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

bool rules_add(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return run(command);
}

void rules_need(void)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	if (!run("list ruleset"))
		apart_skip("no nft here, or not allowed");
}

void rules_flush(void)
{
	if (apart_is_private())
		(void)run("flush ruleset");
}
