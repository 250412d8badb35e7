/* others: configurations for very many connections that say nothing. */
#include "others.h"

#include "apart.h"

#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "plan/ip.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_S 3600

static char dir[64], config[128], log_path[128];
static size_t greeting_len; /* of the log, when it listened */

static int make_directory(void)
{
	snprintf(dir, sizeof(dir), "/tmp/megaconn-lab-others-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(config, sizeof(config), "%s/a.conf", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	return 0;
}

static void clear(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) != 0)
		rmdir(path);
}

int others_tear_down(void **state)
{
	static const char *const names[] = {"a.conf", "body",  "fastcgi", "log",
	                                    "pid",    "proxy", "scgi",    "uwsgi"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		clear(names[i]);
	return rmdir(dir);
}

int others_set_up(void **state)
{
	return make_directory() == 0 ? apart_set_up(state) : -1;
}

int others_set_up_here(void **state)
{
	struct ip here;

	if (others_set_up(state) != 0)
		return -1;
	if (!apart_is_private())
		return 0;
	assert_int_equal(ip_parse(OTHERS_HERE, &here), 0);
	assert_int_equal(netlink_add_addresses("lo", &here, 1), 0);
	/* A burst of connects finds room: what is sent again then is somebody's mistake. */
	return sysctl_set("net.core.somaxconn", "65535");
}

/* --- processes ------------------------------------------------------------------------------- */

/* Where it is; skips the test where it is nowhere. */
static const char *need_program(const char *name)
{
	static const char *const dirs[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin",
	                                   "/usr/local/bin"};
	static char path[128];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return path;
	}
	snprintf(path, sizeof(path), "%s is not installed (scripts/deps.sh servers)", name);
	apart_skip(path);
}

static void write_config(const char *text)
{
	int fd = open(config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* `option` stands before the path of the configuration. */
static void become(const char *path, const char *option)
{
	int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (option)
		execl(path, path, option, config, (char *)NULL);
	else
		execl(path, path, config, (char *)NULL);
	_exit(127);
}

static const char *read_log(size_t from)
{
	static char text[4096];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	ssize_t len = pread(fd, text, sizeof(text) - 1, (off_t)from);

	close(fd);
	assert_true(len >= 0);
	text[len] = '\0';
	return text;
}

static pid_t start(const char *path, const char *option, const struct others *others)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			become(path, option);
		_exit(127);
	}
	apart_keep(pid);
	apart_await(others->address, others->port, pid);
	greeting_len = 0;
	return pid;
}

/* Up to the line that ends it. */
static void await_greeting(const char *last)
{
	const char *found = NULL;

	for (int i = 0; i < 1000 && !(found = strstr(read_log(0), last)); i++)
		apart_sleep(10);
	if (!found || !strchr(found, '\n'))
		fail_msg("no '%s' in its log", last);
	greeting_len = strlen(read_log(0));
}

void others_stop(pid_t pid)
{
	assert_int_equal(kill(pid, SIGTERM), 0);
	for (int i = 0; i < 1000; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		apart_sleep(10);
	}
	fail_msg("not ended after 10 s");
}

int64_t others_said(const char *text)
{
	char line[1024];
	int64_t count = 0;
	FILE *log = fopen(log_path, "r");

	assert_non_null(log);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, text) != NULL;
	fclose(log);
	return count;
}

const char *others_log(void)
{
	return read_log(greeting_len);
}

/* --- the four -------------------------------------------------------------------------------- */

/* No access is logged; of errors, what is worth a warning. */
pid_t others_nginx(const struct others *others)
{
	const char *path = need_program("nginx");
	char text[1024];

	snprintf(text, sizeof(text),
	         "daemon off; master_process off; user root root;\n"
	         "pid %s/pid; error_log stderr warn;\n"
	         "worker_rlimit_nofile 20000;\n"
	         "events { worker_connections 19000; multi_accept on; }\n"
	         "http { access_log off; client_body_temp_path %s/body; proxy_temp_path %s/proxy;\n"
	         "fastcgi_temp_path %s/fastcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
	         "client_header_timeout %us; client_header_buffer_size 1k;\n"
	         "server { listen %s:%u backlog=16384 so_keepalive=%s;\n"
	         "keepalive_timeout %us; keepalive_requests 1000000000; log_not_found off;\n"
	         "location / { %s } location = /status { stub_status; } } }\n",
	         dir, dir, dir, dir, dir, dir, others->idle_s > 0 ? others->idle_s : LONG_S,
	         others->address, others->port, others->probes ? "1s:1s:9" : "off",
	         others->idle_s > 0 ? others->idle_s : LONG_S,
	         others->location ? others->location : "return 204;");
	write_config(text);
	return start(path, "-c", others);
}

/* Of keep-alive 1 it makes: the first probe after 1 s, then each second, 3 of them. */
pid_t others_redis(const struct others *others)
{
	const char *path = need_program("redis-server");
	char text[512];

	snprintf(text, sizeof(text),
	         "bind %s\nport %u\ndir %s\ntimeout %u\nsave \"\"\nappendonly no\n"
	         "daemonize no\nprotected-mode no\nmaxclients 19000\ntcp-backlog 16384\n"
	         "tcp-keepalive %d\nhz 100\n",
	         others->address, others->port, dir, others->idle_s, others->probes);
	write_config(text);
	pid_t pid = start(path, NULL, others);

	await_greeting("Ready to accept connections");
	return pid;
}

/* It tells each client that has come. Its listen queue is of 100. */
pid_t others_mosquitto(const struct others *others)
{
	const char *path = need_program("mosquitto");
	char text[512];

	snprintf(text, sizeof(text),
	         "listener %u %s\nallow_anonymous true\nuser root\npersistence false\n"
	         "log_dest stdout\nlog_type error\nlog_type warning\nlog_type notice\n"
	         "connection_messages true\nset_tcp_nodelay true\nmax_keepalive 65535\n",
	         others->port, others->address);
	write_config(text);
	return start(path, "-c", others);
}

/* Two descriptors a connection. */
pid_t others_haproxy(const struct others *others)
{
	const char *path = need_program("haproxy");
	const char *probes = "  option clitcpka\n  clitcpka-idle 1s\n  clitcpka-intvl 1s\n"
			     "  clitcpka-cnt 9\n";
	char text[1024];

	snprintf(text, sizeof(text),
	         "global\n  maxconn 9500\n  nbthread 1\n"
	         "  log stderr format raw local0 warning\n"
	         "defaults\n  mode tcp\n  log global\n"
	         "  timeout connect 10s\n  timeout client %us\n  timeout server %us\n"
	         "frontend front\n  bind %s:%u backlog 16384\n%s  default_backend back\n"
	         "backend back\n  server one 127.0.0.1:%u\n",
	         others->idle_s > 0 ? others->idle_s : LONG_S, LONG_S, others->address,
	         others->port, others->probes ? probes : "", others->behind_port);
	write_config(text);
	return start(path, "-f", others);
}
