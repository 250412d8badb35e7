/* via_proxy: processes of one thread that share their ports (SO_REUSEPORT): the kernel's hash
 * spreads connections over them. A process cannot have more descriptors than RLIMIT_NOFILE, which
 * for many is a few thousand connections.
 *
 * There is no file: the configuration is stdin, a memory file, read as /proc/self/fd/0; what nginx
 * writes as its pidfile goes to stdout, where it cannot unlink it. */
#include "run/via_proxy.h"

#include "base/clock.h"
#include "kernel/diag.h"
#include "kernel/program.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWN_DESCRIPTORS 128   /* of a process, at most: what it listens on, and its own */
#define PER_SOURCE      20000 /* connections from an address, of the 55,296 ports it has */
#define SOURCES_MOST    250
#define START_MOST_NS   (10 * NS_PER_S)
#define CONFIGURATION   "/proc/self/fd/0"
#define NGINX_MODULE    "ngx_stream_module.so"

static const struct {
	const char *program, *package;
} kinds[VIA_KIND_COUNT] = {
	[VIA_HAPROXY] = {"haproxy", "haproxy"},
	[VIA_NGINX_STREAM] = {"nginx", "nginx-light libnginx-mod-stream"},
};

/* --- how many ------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* As many as n takes, a tenth to spare as the hash is not quite even; or as the limit says, which
 * they share where one process may not have it. */
static void choose_processes(const struct limits *limits, struct experiment *x)
{
	uint64_t most = least(limits->nr_open, limits->nofile_hard), wanted = x->via.box.limit;
	uint64_t holds = most > OWN_DESCRIPTORS + 2 ? (most - OWN_DESCRIPTORS) / 2 : 1;

	x->via.proxies = (uint32_t)(wanted > 0      ? (wanted + most - 1) / most
	                            : x->n <= holds ? 1
	                                            : x->n / (holds - holds / 10) + 1);
	x->via.proxies = (uint32_t)least(x->via.proxies, EXPERIMENT_PROXIES_MAX);
	x->via.nofile = wanted > 0 ? least(wanted / x->via.proxies, most) : most;
	x->via.source_ips = (uint32_t)least(x->n / PER_SOURCE + 1, SOURCES_MOST);
}

/* Debian's nginx has the module as a file, others have it within. */
static int find_module(struct experiment *x)
{
	static const char *const places[] = {"/usr/lib/nginx/modules", "/usr/lib64/nginx/modules",
	                                     "/etc/nginx/modules", "/usr/local/libexec/nginx"};
	const char *const argv[] = {x->via.program, "-V", NULL};
	char said[8192];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(x->via.module, sizeof(x->via.module), "%s/" NGINX_MODULE, places[i]);
		if (access(x->via.module, R_OK) == 0)
			return 0;
	}
	x->via.module[0] = '\0';
	int in = program_text("", 0), out = program_text("", 0);
	const struct program nginx = {x->via.program, argv, -1, in, out, 0};
	pid_t pid = program_start(&nginx);
	bool has_ended = pid > 0 && program_wait(pid) == 0;
	ssize_t len = has_ended ? pread(out, said, sizeof(said) - 1, 0) : 0;

	close(in);
	close(out);
	said[len > 0 ? len : 0] = '\0';
	return strstr(said, "--with-stream ") ? 0 : -ENOENT;
}

int via_proxy_choose(const struct limits *limits, struct experiment *x, struct err *err)
{
	enum via_kind kind = x->via.box.kind;

	choose_processes(limits, x);
	int failed = program_find(kinds[kind].program, x->via.program);

	if (failed == 0 && kind == VIA_NGINX_STREAM)
		failed = find_module(x);
	if (failed == 0)
		return 0;
	return err_set(err, failed, "--via %s needs %s%s, which is not here: apt-get install %s",
	               via_name(kind), kinds[kind].program,
	               kind == VIA_NGINX_STREAM ? " with its stream module" : "",
	               kinds[kind].package);
}

/* --- configuration -------------------------------------------------------------------------- */

/* "198.18.0.1", "[2001:2::1]" */
static void add_ip(struct text *t, const struct ip *ip)
{
	char text[IP_TEXT_BYTES];

	text_add(t, ip->family == AF_INET6 ? "[%s]" : "%s", ip_format(ip, text));
}

static void add_listen(struct text *t, const struct experiment *x)
{
	const struct tuple_plan *plan = &x->tuples;

	add_ip(t, &plan->target);
	text_add(t, ":%u", plan->target_port_low);
	if (plan->target_port_count > 1)
		text_add(t, "-%u", plan->target_port_low + plan->target_port_count - 1);
}

/* Its own maxconn comes of the descriptors it may have. A server's port is the client's. */
static void write_haproxy(const struct experiment *x, const struct ip *from, struct text *t)
{
	text_add(t, "global\n\tnbthread 1\n"
	            "defaults\n\tmode tcp\n\ttimeout connect 10s\n\ttimeout client 1d\n"
	            "\ttimeout server 1d\n"
	            "listen box\n\tbind ");
	add_listen(t, x);
	text_add(t, "\n\tbalance roundrobin\n");
	for (uint32_t i = 0; i < x->via.source_ips; i++) {
		struct ip source = ip_add(from, i);

		text_add(t, "\tserver s%u ", i);
		add_ip(t, &x->via.server);
		text_add(t, ":+0 source ");
		add_ip(t, &source);
		text_add(t, "\n");
	}
}

static void write_nginx_sources(const struct experiment *x, const struct ip *from, struct text *t)
{
	text_add(t, "\tsplit_clients \"$remote_addr $remote_port\" $from {\n");
	for (uint32_t i = 0; i < x->via.source_ips; i++) {
		struct ip source = ip_add(from, i);
		char ip[IP_TEXT_BYTES];

		if (i + 1 < x->via.source_ips)
			text_add(t, "\t\t%.2f%% %s;\n", 100.0 / x->via.source_ips,
			         ip_format(&source, ip));
		else
			text_add(t, "\t\t* %s;\n", ip_format(&source, ip));
	}
	text_add(t, "\t}\n");
}

static void write_nginx(const struct experiment *x, const struct ip *from, struct text *t)
{
	if (x->via.module[0] != '\0')
		text_add(t, "load_module %s;\n", x->via.module);
	text_add(t,
	         "daemon off;\nmaster_process off;\npid /proc/self/fd/1;\nerror_log stderr error;\n"
	         "events {\n\tworker_connections %llu;\n}\nstream {\n",
	         (unsigned long long)x->via.nofile);
	write_nginx_sources(x, from, t);
	text_add(t, "\tserver {\n\t\tlisten ");
	add_listen(t, x);
	text_add(t, " reuseport;\n\t\tproxy_bind $from;\n\t\tproxy_buffer_size 1k;\n"
	            "\t\tproxy_connect_timeout 10s;\n\t\tproxy_timeout 1d;\n\t\tproxy_pass ");
	add_ip(t, &x->via.server);
	text_add(t, ":$server_port;\n\t}\n}\n");
}

void via_proxy_write(const struct experiment *x, const struct ip *from, struct text *t)
{
	if (x->via.box.kind == VIA_HAPROXY)
		write_haproxy(x, from, t);
	else
		write_nginx(x, from, t);
}

/* --- processes ------------------------------------------------------------------------------ */

static uint64_t count_listening(const struct experiment *x)
{
	const struct tuple_plan *plan = &x->tuples;
	const struct diag_query query = {
		.family = plan->target.family,
		.low = plan->target_port_low,
		.high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1),
		.state_mask = 1U << TCP_LISTEN,
	};
	struct diag_counts counts;

	return diag_count(&query, &counts) == 0 ? counts.total : 0;
}

static bool do_all_live(struct experiment *x)
{
	for (uint32_t i = 0; i < x->via.proxies; i++) {
		if (x->via.proxy[i] > 0 && waitpid(x->via.proxy[i], NULL, WNOHANG) != 0) {
			x->via.proxy[i] = 0;
			return false;
		}
	}
	return true;
}

static int await(struct experiment *x, int out, struct err *err)
{
	uint64_t wanted = (uint64_t)x->via.proxies * x->tuples.target_port_count;
	uint64_t end_ns = clock_now_ns() + START_MOST_NS;
	char line[256];
	bool do_live;

	while ((do_live = do_all_live(x)) && count_listening(x) < wanted && clock_now_ns() < end_ns)
		clock_sleep_ns(NS_PER_MS);
	if (do_live && clock_now_ns() < end_ns)
		return 0;
	program_last_line(out, line, sizeof(line));
	return err_set(err, -ECHILD, "%s %s: %s", x->via.program,
	               do_live ? "does not listen" : "has ended at once",
	               line[0] != '\0' ? line : "it says nothing");
}

static int start_all(struct experiment *x, int in, int out, struct err *err)
{
	const char *const haproxy[] = {x->via.program, "-db", "-f", CONFIGURATION, NULL};
	const char *const nginx[] = {x->via.program, "-e", "stderr", "-c", CONFIGURATION, NULL};
	const struct program program = {
		.path = x->via.program,
		.argv = x->via.box.kind == VIA_HAPROXY ? haproxy : nginx,
		.net = -1,
		.in = in,
		.out = out,
		.nofile = x->via.nofile,
	};

	for (uint32_t i = 0; i < x->via.proxies; i++) {
		x->via.proxy[i] = program_start(&program);
		if (x->via.proxy[i] < 0)
			return err_set(err, x->via.proxy[i], "cannot start %s: %s", x->via.program,
			               strerror(-x->via.proxy[i]));
	}
	return await(x, out, err);
}

int via_proxy_start(struct experiment *x, const struct ip *from, struct err *err)
{
	static char text[VIA_PROXY_TEXT_BYTES];
	struct text t;

	text_init(&t, text, sizeof(text));
	via_proxy_write(x, from, &t);
	int in = program_text(text, t.len), out = program_text("", 0);
	int failed = in >= 0 && out >= 0
	                     ? start_all(x, in, out, err)
	                     : err_set(err, -ENOMEM, "no memory for a proxy's configuration");

	close(in);
	close(out);
	return failed;
}

void via_proxy_look(const struct experiment *x, struct result_via *out)
{
	uint64_t sum = 0;

	out->limit = x->via.nofile * x->via.proxies;
	out->processes = x->via.proxies;
	for (uint32_t i = 0; i < x->via.proxies; i++) {
		uint64_t count = x->via.proxy[i] > 0 ? program_descriptors(x->via.proxy[i]) : 0;

		if (count == UINT64_MAX)
			return;
		sum += count;
	}
	out->descriptors = sum;
}

void via_proxy_end(const struct experiment *x)
{
	for (uint32_t i = 0; i < x->via.proxies; i++) {
		/* One that has ended may have been reaped with the workers: then its id is no
		 * child's. */
		if (x->via.proxy[i] > 0 && waitpid(x->via.proxy[i], NULL, WNOHANG) == 0)
			kill(x->via.proxy[i], SIGKILL);
	}
}
