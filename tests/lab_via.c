/* lab --via: each box lets everything through that it has room for, and where it has not, its limit
 * is found: exactly the connections that it holds are established, proved and counted at both ends.
 * $BOXES_TABLE gets a line of each, for docs/boxes.md (scripts/boxes.sh). */
#include "wall.h"

#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define COUNT_OF(a)      (sizeof(a) / sizeof((a)[0]))
#define SECONDS_MOST     300
#define EXIT_NOT_HERE    4
#define DESCRIPTORS_LEFT 10 /* that a proxy keeps for itself, at most */
#define DESCRIPTORS_OWN  20 /* that it has beside its connections     */

static void need_networks(void)
{
	if (!trial_is_root() && !trial_has_user_namespaces())
		apart_skip("no network namespaces are allowed here");
}

static bool is_installed(const char *via)
{
	static const char module[] = "/usr/lib/nginx/modules/ngx_stream_module.so";

	if (strcmp(via, "haproxy") == 0)
		return access("/usr/sbin/haproxy", X_OK) == 0;
	if (strcmp(via, "nginx-stream") == 0)
		return access("/usr/sbin/nginx", X_OK) == 0 && access(module, R_OK) == 0;
	return access("/usr/sbin/nft", X_OK) == 0;
}

/* A program that is not installed is no fault of ours; but that is looked at here, too. */
static void skip_where_missing(struct trial *trial, const char *via)
{
	if (trial->code != EXIT_NOT_HERE || !strstr(trial->err, "apt-get install"))
		return;
	char why[sizeof(trial->err)];

	if (is_installed(via))
		fail_msg("it is here: %s", trial->err);
	memcpy(why, trial->err, sizeof(why));
	trial_end(trial);
	apart_skip(why);
}

static void run(struct trial *trial, trial_prepare prepare, const char *via, const char *n,
                const char *const *more)
{
	const char *args[TRIAL_ARGS_MOST] = {"--via", via, "-n", n, "--hold", "0"};
	int count = 6;

	while (more && *more)
		args[count++] = *more++;
	trial_start(trial, prepare, args);
	trial_wait(trial, SECONDS_MOST);
	skip_where_missing(trial, via);
}

/* ---- all get through ------------------------------------------------------------------------- */

static void passes(const char *via, const char *const *more)
{
	const char *n = trial_n("2000", "1000", "10000");
	struct trial trial;

	need_networks();
	run(&trial, NULL, via, n, more);
	trial_assert_passed(&trial, strtoll(n, NULL, 10));
	assert_string_equal(trial_word(&trial, "via.kind"), via);
	trial_end(&trial);
}

static const char *const patient[] = {"--timeout", "5s", "--retries", "3", NULL};
static const char *const ipv6[] = {"-6", "--timeout", "5s", "--retries", "3", NULL};
static const char *const ports[] = {"-s", "2", "--timeout", "5s", "--retries", "3", NULL};

static void all_through_nat(void **state)
{
	(void)state;
	passes("nat", patient);
	passes("nat", ipv6);
}

static void all_through_conntrack(void **state)
{
	(void)state;
	passes("conntrack", patient);
	passes("conntrack", ipv6);
}

static void all_through_haproxy(void **state)
{
	(void)state;
	passes("haproxy", ipv6);
	passes("haproxy", ports);
}

static void all_through_nginx(void **state)
{
	(void)state;
	passes("nginx-stream", ipv6);
	passes("nginx-stream", ports);
}

/* A process has too few descriptors for all: there are several. */
static void haproxy_for_50000(void **state)
{
	struct trial trial;

	(void)state;
	need_networks();
	if (!trial_is_full())
		apart_skip("only in the full run");
	run(&trial, NULL, "haproxy", "50000", patient);
	trial_assert_passed(&trial, 50000);
	assert_in_range(trial_number(&trial, "via.descriptors"), 100000,
	                100000 + trial_number(&trial, "via.processes") * DESCRIPTORS_OWN);
	trial_end(&trial);
}

/* ---- limits ---------------------------------------------------------------------------------- */

struct limit {
	const char *via, *n;
	const char *how;  /* for docs/boxes.md */
	const char *path; /* where megaconn says that it ends */
	int64_t limit;
	trial_prepare prepare;
	const char *timeout; /* of the full run; NULL: as ever */
	int64_t slack;       /* that may be missing, where the last are found by chance */
};

/* The row is what was found, and what was said of it. */
static void tell(const struct limit *l, const struct trial *trial, int64_t found)
{
	const char *path = getenv("BOXES_TABLE");
	FILE *table = path && path[0] != '\0' ? fopen(path, "a") : NULL;

	if (!table)
		return;
	fprintf(table, "%s\t%s\t%lld %s\t%lld\t%s\t%s\n", l->via, l->how, (long long)l->limit,
	        trial_word(trial, "via.limits"), (long long)found, l->path,
	        trial_word(trial, "path.says"));
	fclose(table);
}

static void assert_counts(const struct trial *trial, int64_t found)
{
	assert_int_equal(trial_number(trial, "established.client"), found);
	assert_int_equal(trial_number(trial, "established.server"), found);
	assert_int_equal(trial_number(trial, "established.kernel"), found);
	assert_int_equal(trial_number(trial, "proved.echoed"), found);
	assert_int_equal(trial_number(trial, "proved.server_echoed"), found);
	assert_int_equal(trial_number(trial, "proved.differing"), 0);
}

/* Each connection takes one of what is limited. */
static void assert_router(const struct limit *l, const struct trial *trial, int64_t found)
{
	const char *refused = strncmp(l->via, "nat", 3) == 0 ? "via.insert_failed"
	                      : strchr(l->via, ':')          ? "via.refused"
	                                                     : "via.dropped";

	assert_in_range(found, l->limit - l->slack, l->limit);
	assert_counts(trial, found);
	assert_int_equal(trial_number(trial, "via.entries"), found);
	assert_true(trial_number(trial, refused) > 0);
}

/* Each connection takes two, and there is no room for another. */
static void assert_proxy(const struct limit *l, const struct trial *trial, int64_t found)
{
	int64_t descriptors = trial_number(trial, "via.descriptors");

	assert_counts(trial, found);
	assert_in_range(descriptors, l->limit - DESCRIPTORS_LEFT, l->limit);
	assert_in_range(found, (descriptors - DESCRIPTORS_OWN) / 2, descriptors / 2);
}

static void find_limit(const struct limit *l)
{
	const char *timeout = trial_is_full() ? l->timeout : "500ms";
	const char *const options[] = {timeout ? "--timeout" : NULL, timeout, NULL};
	bool is_router = strncmp(l->via, "h", 1) != 0 && strncmp(l->via, "ng", 2) != 0;
	struct trial trial;

	need_networks();
	run(&trial, l->prepare, l->via, l->n, options);
	trial_assert_code(&trial, 1);
	int64_t found = trial_number(&trial, "established.server");

	assert_string_equal(trial_word(&trial, "verdict"), "partial");
	assert_int_equal(trial_number(&trial, "via.limit"), l->limit);
	assert_string_equal(trial_word(&trial, "path.kind"), l->path);
	assert_int_equal(trial_number(&trial, "path.limit"), found);
	if (is_router)
		assert_router(l, &trial, found);
	else
		assert_proxy(l, &trial, found);
	tell(l, &trial, found);
	trial_end(&trial);
}

static void conntrack_1000(void **state)
{
	static const struct limit l = {
		.via = "conntrack:1000",
		.n = "2000",
		.how = "`ct count over 1000 drop`",
		.path = "table",
		.limit = 1000,
	};

	(void)state;
	find_limit(&l);
}

/* On a busy machine 512 packets that each look through all entries take longer than 2 s. */
static void conntrack_50000(void **state)
{
	static const struct limit l = {
		.via = "conntrack:50k",
		.n = "52000",
		.how = "`ct count over 50000 drop`",
		.path = "table",
		.limit = 50000,
		.timeout = "10s",
	};

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	find_limit(&l);
}

/* The kernel's own table, by the machine's own number. */
static void find_machine_limit(const char *number, const char *n, int64_t limit)
{
	char how[64];
	const struct limit l = {
		.via = "conntrack",
		.n = n,
		.how = how,
		.path = "table",
		.limit = limit,
	};

	need_networks();
	wall_need_root();
	if (!trial_is_full())
		apart_skip("only in the full run");
	snprintf(how, sizeof(how), "`nf_conntrack_max` %s", number);
	wall_set_machine("net.netfilter.nf_conntrack_max", "%lld", (long long)limit);
	find_limit(&l);
}

static void conntrack_max_1000(void **state)
{
	(void)state;
	find_machine_limit("1,000", "2000", 1000);
}

static void conntrack_max_50000(void **state)
{
	(void)state;
	find_machine_limit("50,000", "52000", 50000);
}

static void conntrack_max_262144(void **state)
{
	(void)state;
	find_machine_limit("262,144", "264000", 262144);
}

static void nat_1000(void **state)
{
	static const struct limit l = {
		.via = "nat:1000",
		.n = "2000",
		.how = "`snat to 198.18.255.3:1024-2023`",
		.path = "nat_ports",
		.limit = 1000,
	};

	(void)state;
	find_limit(&l);
}

static void nat_10000(void **state)
{
	static const struct limit l = {
		.via = "nat:10k",
		.n = "12000",
		.how = "`snat to 198.18.255.3:1024-11023`",
		.path = "nat_ports",
		.limit = 10000,
	};

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	find_limit(&l);
}

/* The kernel's own range, 1024-65535: it looks at 240 of them for each SYN. */
static void nat_64512(void **state)
{
	static const struct limit l = {
		.via = "nat",
		.n = "66000",
		.how = "`snat to 198.18.255.3`",
		.path = "nat_ports",
		.limit = 64512,
		.slack = 64,
	};

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	find_limit(&l);
}

static void haproxy_1000(void **state)
{
	static const struct limit l = {
		.via = "haproxy:1000",
		.n = "2000",
		.how = "`RLIMIT_NOFILE` 1,000",
		.path = "proxy",
		.limit = 1000,
	};

	(void)state;
	find_limit(&l);
}

static void haproxy_10000(void **state)
{
	static const struct limit l = {
		.via = "haproxy:10k",
		.n = "7000",
		.how = "`RLIMIT_NOFILE` 10,000",
		.path = "proxy",
		.limit = 10000,
	};

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	find_limit(&l);
}

static void nginx_1000(void **state)
{
	static const struct limit l = {
		.via = "nginx-stream:1000",
		.n = "2000",
		.how = "`worker_connections` and `RLIMIT_NOFILE` 1,000",
		.path = "proxy",
		.limit = 1000,
	};

	(void)state;
	find_limit(&l);
}

static void nginx_10000(void **state)
{
	static const struct limit l = {
		.via = "nginx-stream:10k",
		.n = "7000",
		.how = "`worker_connections` and `RLIMIT_NOFILE` 10,000",
		.path = "proxy",
		.limit = 10000,
	};

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	find_limit(&l);
}

/* ---- rights, endings, mistakes --------------------------------------------------------------- */

static void limits_for_nobody(void **state)
{
	static const struct limit limits[] = {
		{
			.via = "conntrack:500",
			.n = "800",
			.path = "table",
			.limit = 500,
			.prepare = trial_become_nobody,
		},
		{
			.via = "nat:500",
			.n = "800",
			.path = "nat_ports",
			.limit = 500,
			.prepare = trial_become_nobody,
		},
	};

	(void)state;
	if (!trial_has_user_namespaces())
		apart_skip("no network namespaces are allowed for an ordinary user");
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		struct trial trial;

		run(&trial, limits[i].prepare, limits[i].via, limits[i].n,
		    (const char *const[]){"--timeout", "500ms", NULL});
		trial_assert_code(&trial, 1);
		assert_router(&limits[i], &trial, limits[i].limit);
		trial_end(&trial);
	}
}

/* What a proxy reads is nowhere in the file system. */
static void assert_no_file(const struct trial *trial)
{
	pid_t pid = trial_find(trial, "haproxy");
	char path[64], is[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)pid);
	ssize_t len = readlink(path, is, sizeof(is) - 1);

	assert_true(len > 0);
	is[len] = '\0';
	assert_string_equal(is, "/memfd:megaconn (deleted)");
}

static void kill_leaves_nothing(void **state)
{
	static const char *const args[] = {"--via", "haproxy", "-n", "1000", "--hold", "60s", NULL};
	struct trial trial;

	(void)state;
	need_networks();
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "hold ", 30);
	assert_no_file(&trial);
	kill(trial.pid, SIGKILL);
	trial_wait(&trial, 10);
	trial_assert_no_process_left(&trial);
	trial_end(&trial);
}

/* Where system programs are there is nothing. */
static void hide_programs(void)
{
	static const char *const places[] = {"/usr/sbin", "/sbin", "/usr/local/sbin"};

	if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		_exit(125);
	for (size_t i = 0; i < COUNT_OF(places); i++)
		(void)mount("none", places[i], "tmpfs", 0, NULL);
	setenv("PATH", "/usr/bin:/bin", 1);
}

static void missing_programs(void **state)
{
	static const struct {
		const char *via, *says;
	} all[] = {
		{"nat", "--via nat needs nft(8), which is not here: apt-get install nftables"},
		{"conntrack", "apt-get install nftables"},
		{"haproxy",
	         "--via haproxy needs haproxy, which is not here: apt-get install haproxy"},
		{"nginx-stream", "apt-get install nginx-light libnginx-mod-stream"},
	};

	(void)state;
	wall_need_network();
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		const char *const args[] = {"--via", all[i].via, "-n", "10", NULL};
		struct trial trial;

		trial_run(&trial, hide_programs, args);
		trial_assert_code(&trial, 4);
		assert_non_null(strstr(trial.err, all[i].says));
		trial_end(&trial);
	}
}

static void mistakes(void **state)
{
	static const struct apart_mistake all[] = {
		{{"--via", "vpn"},
	         2,
	         "--via 'vpn': must be nat, conntrack, haproxy or nginx-stream"},
		{{"--via", "nat:x"}, 2, "--via nat: 'x' is no limit"},
		{{"--via", "nat:70000"}, 2, "--via nat: a limit is from 1 to 64512 ports"},
		{{"--via", "haproxy:3"}, 2, "--via haproxy: a limit is from 256 to"},
		{{"--via", "nat", "--no-netns"}, 4, "--via needs private networks"},
		{{"--via", "nat", "--clients", "tun"}, 2, "--via takes clients that are sockets"},
	};

	(void)state;
	need_networks();
	apart_assert_mistakes("lab", all, COUNT_OF(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALL_TEST(all_through_nat),
		WALL_TEST(all_through_conntrack),
		WALL_TEST(all_through_haproxy),
		WALL_TEST(all_through_nginx),
		WALL_TEST(haproxy_for_50000),
		WALL_TEST(conntrack_1000),
		WALL_TEST(conntrack_50000),
		WALL_TEST(conntrack_max_1000),
		WALL_TEST(conntrack_max_50000),
		WALL_TEST(conntrack_max_262144),
		WALL_TEST(nat_1000),
		WALL_TEST(nat_10000),
		WALL_TEST(nat_64512),
		WALL_TEST(haproxy_1000),
		WALL_TEST(haproxy_10000),
		WALL_TEST(nginx_1000),
		WALL_TEST(nginx_10000),
		WALL_TEST(limits_for_nobody),
		WALL_TEST(kill_leaves_nothing),
		WALL_TEST(missing_programs),
		WALL_TEST(mistakes),
	};

	return cmocka_run_group_tests_name("lab_via", tests, wall_set_up, wall_tear_down);
}
