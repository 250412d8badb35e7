/* connect against other people's servers, where they are installed (deps.sh servers): nginx and
 * redis. They do not echo, so connections are held and watched. */
#include "apart.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NGINX_PORT 28700
#define REDIS_PORT 28710

static char dir[64], config[128];

static int64_t many(void)
{
	return trial_is_small() ? 1000 : 15000;
}

static const char *many_text(void)
{
	return trial_is_small() ? "1000" : "15000";
}

/* --- their processes ------------------------------------------------------------------------- */

static const char *find_program(const char *name)
{
	static const char *const dirs[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin",
	                                   "/usr/local/bin"};
	static char path[128];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/megaconn-lab-others-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(config, sizeof(config), "%s/a.conf", dir);
	return apart_set_up(state);
}

static void clear(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) != 0)
		rmdir(path);
}

static int tear_down(void **state)
{
	static const char *const names[] = {"a.conf", "body",  "error.log", "fastcgi", "log",
	                                    "pid",    "proxy", "scgi",      "uwsgi"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		clear(names[i]);
	return rmdir(dir);
}

static void write_config(const char *text)
{
	int fd = open(config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* One process, in the foreground, that ends with the test. */
static pid_t start_program(const char *path, const char *option, uint16_t port)
{
	char log[128];
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(log, sizeof(log), "%s/log", dir);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		if (getppid() == parent && option)
			execl(path, path, option, config, (char *)NULL);
		else if (getppid() == parent)
			execl(path, path, config, (char *)NULL);
		_exit(127);
	}
	apart_keep(pid);
	apart_await(port, pid);
	return pid;
}

static pid_t start_nginx(const char *header_timeout)
{
	const char *path = find_program("nginx");
	char text[1024];

	if (!path)
		apart_skip("nginx is not installed (scripts/deps.sh servers)");
	snprintf(text, sizeof(text),
	         "daemon off; master_process off; user root root;\n"
	         "pid %s/pid; error_log %s/error.log crit;\n"
	         "worker_rlimit_nofile 20000;\n"
	         "events { worker_connections 19000; multi_accept on; }\n"
	         "http { access_log off; client_body_temp_path %s/body; proxy_temp_path %s/proxy;\n"
	         "fastcgi_temp_path %s/fastcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
	         "client_header_timeout %s; client_header_buffer_size 1k;\n"
	         "server { listen 127.0.0.1:%d backlog=4096; return 204; } }\n",
	         dir, dir, dir, dir, dir, dir, dir, header_timeout, NGINX_PORT);
	write_config(text);
	return start_program(path, "-c", NGINX_PORT);
}

static pid_t start_redis(const char *timeout)
{
	const char *path = find_program("redis-server");
	char text[512];

	if (!path)
		apart_skip("redis-server is not installed (scripts/deps.sh servers)");
	snprintf(text, sizeof(text),
	         "bind 127.0.0.1\nport %d\ndir %s\ntimeout %s\nsave \"\"\nappendonly no\n"
	         "daemonize no\nprotected-mode no\nmaxclients 19000\ntcp-backlog 4096\n"
	         "tcp-keepalive 0\nhz 100\n",
	         REDIS_PORT, dir, timeout);
	write_config(text);
	return start_program(path, NULL, REDIS_PORT);
}

static void stop(pid_t pid)
{
	assert_int_equal(kill(pid, SIGTERM), 0);
	for (int i = 0; i < 1000; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		apart_sleep(10);
	}
	fail_msg("not ended after 10 s");
}

/* --- three ways to end ----------------------------------------------------------------------- */

static void hold(struct trial *connect, int port, const char *engine, const char *time)
{
	char target[32];

	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	const char *const args[] = {target,   "-n", many_text(), "--source", "127.0.1.1-127.0.1.4",
	                            "--hold", time, "--engine",  engine,     NULL};

	apart_hold(connect, NULL, args);
	assert_non_null(strstr(connect->err, "no echo proof is possible"));
}

static void assert_held(struct trial *connect, int code)
{
	trial_wait(connect, 60);
	trial_assert_code(connect, code);
	trial_assert_no_process_left(connect);
	assert_string_equal(trial_word(connect, "proof"), "none");
	assert_int_equal(trial_number(connect, "failed.total"), 0);
	assert_int_equal(trial_number(connect, "not_tried"), 0);
}

static void closed_by_us(int port, int engine)
{
	struct trial connect;

	hold(&connect, port, apart_engine(engine), "500ms");
	assert_held(&connect, 0);
	assert_string_equal(trial_word(&connect, "verdict"), "pass");
	assert_int_equal(trial_number(&connect, "established.client"), many());
	assert_int_equal(trial_number(&connect, "established.kernel"), many());
	apart_assert_lost(&connect, "closed", 0);
	assert_int_equal(trial_number(&connect, "open_at_end"), many());
	trial_end(&connect);
}

/* All are lost, the first perhaps before the last are there; the hold need not last longer. */
static void closed_by_them(int port)
{
	struct trial connect;

	hold(&connect, port, apart_engine(0), "30s");
	assert_held(&connect, 1);
	apart_assert_lost(&connect, "closed", many());
	assert_int_equal(trial_number(&connect, "open_at_end"), 0);
	trial_end(&connect);
}

/* What it has accepted the kernel closes, what was in its queue it resets. */
static void killed(int port, pid_t pid)
{
	struct trial connect;

	hold(&connect, port, apart_engine(1), "30s");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_held(&connect, 1);
	int64_t closed = trial_number(&connect, "lost_by_cause.closed");
	int64_t reset = trial_number(&connect, "lost_by_cause.reset");

	assert_int_equal(trial_number(&connect, "lost"), many());
	assert_int_equal((closed > 0 ? closed : 0) + (reset > 0 ? reset : 0), many());
	assert_int_equal(trial_number(&connect, "open_at_end"), 0);
	trial_end(&connect);
}

static void nginx_closed_by_us(void **state)
{
	pid_t pid = start_nginx("60s");

	(void)state;
	closed_by_us(NGINX_PORT, 0);
	closed_by_us(NGINX_PORT, 1);
	stop(pid);
}

static void nginx_closed_by_it(void **state)
{
	pid_t pid = start_nginx("2s");

	(void)state;
	closed_by_them(NGINX_PORT);
	stop(pid);
}

static void nginx_killed(void **state)
{
	(void)state;
	killed(NGINX_PORT, start_nginx("60s"));
}

static void redis_closed_by_us(void **state)
{
	pid_t pid = start_redis("0");

	(void)state;
	closed_by_us(REDIS_PORT, 1);
	stop(pid);
}

static void redis_closed_by_it(void **state)
{
	pid_t pid = start_redis("2");

	(void)state;
	closed_by_them(REDIS_PORT);
	stop(pid);
}

static void redis_killed(void **state)
{
	(void)state;
	killed(REDIS_PORT, start_redis("0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(nginx_closed_by_us), APART_TEST(nginx_closed_by_it),
		APART_TEST(nginx_killed),       APART_TEST(redis_closed_by_us),
		APART_TEST(redis_closed_by_it), APART_TEST(redis_killed),
	};

	return cmocka_run_group_tests_name("lab_others", tests, set_up, tear_down);
}
