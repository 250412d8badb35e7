/* environment: small files below /proc and /sys. Settings are listed by name: those that the table
 * of limits goes by, and those that change what a connection costs or how fast it is made. A list
 * and not whole directories, in which there are keys (tcp_fastopen_key, netdev_rss_key). */
#include "run/environment.h"

#include "base/clock.h"
#include "kernel/limits.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char *const settings[] = {
	"fs.epoll.max_user_watches",
	"fs.file-max",
	"fs.file-nr",
	"fs.nr_open",
	"kernel.io_uring_disabled",
	"kernel.pid_max",
	"kernel.sched_autogroup_enabled",
	"kernel.threads-max",
	"kernel.unprivileged_userns_clone",
	"net.core.busy_poll",
	"net.core.default_qdisc",
	"net.core.netdev_budget",
	"net.core.netdev_budget_usecs",
	"net.core.netdev_max_backlog",
	"net.core.optmem_max",
	"net.core.rmem_default",
	"net.core.rmem_max",
	"net.core.somaxconn",
	"net.core.wmem_default",
	"net.core.wmem_max",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.neigh.default.gc_thresh3",
	"net.ipv4.tcp_abort_on_overflow",
	"net.ipv4.tcp_congestion_control",
	"net.ipv4.tcp_ehash_entries",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_max_orphans",
	"net.ipv4.tcp_max_syn_backlog",
	"net.ipv4.tcp_max_tw_buckets",
	"net.ipv4.tcp_mem",
	"net.ipv4.tcp_migrate_req",
	"net.ipv4.tcp_moderate_rcvbuf",
	"net.ipv4.tcp_no_metrics_save",
	"net.ipv4.tcp_retries2",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_sack",
	"net.ipv4.tcp_syn_retries",
	"net.ipv4.tcp_synack_retries",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_timestamps",
	"net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_window_scaling",
	"net.ipv4.tcp_wmem",
	"net.ipv6.neigh.default.gc_thresh3",
	"net.netfilter.nf_conntrack_buckets",
	"net.netfilter.nf_conntrack_max",
	"vm.max_map_count",
	"vm.min_free_kbytes",
	"vm.overcommit_memory",
	"vm.overcommit_ratio",
	"vm.swappiness",
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))
_Static_assert(SETTINGS <= ENVIRONMENT_SETTINGS_MOST, "all have room");

/* One line without what JSON or a terminal would have to escape. */
static void make_plain(char *text)
{
	size_t len = strcspn(text, "\n");

	text[len] = '\0';
	while (len > 0 && text[len - 1] == ' ')
		text[--len] = '\0';
	for (char *c = text; *c; c++) {
		if (*c == '\t')
			*c = ' ';
		else if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

/* The first line of a file. */
static void read_line(const char *path, char *line, size_t size)
{
	char text[512];

	line[0] = '\0';
	if (probe_read_file(path, text, sizeof(text)) <= 0)
		return;
	make_plain(text);
	snprintf(line, size, "%.*s", (int)size - 1, text);
}

static void read_names(struct environment *out)
{
	struct utsname names;

	if (uname(&names) != 0)
		return;
	snprintf(out->kernel_release, sizeof(out->kernel_release), "%s", names.release);
	snprintf(out->kernel_version, sizeof(out->kernel_version), "%s", names.version);
	snprintf(out->machine, sizeof(out->machine), "%s", names.machine);
}

/* What stands after `key` and a colon at the beginning of a line of /proc/cpuinfo, or NULL. */
static const char *find_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += line[0] == '\n';
		if (strncmp(line, key, len) != 0)
			continue;
		const char *colon = line + len + strspn(line + len, " \t");

		if (colon[0] == ':' && colon[1] == ' ')
			return colon + 2;
	}
	return NULL;
}

/* Architectures have words of their own for it, or none. */
static void read_cpu_model(char *model, size_t size)
{
	static const char *const keys[] = {"model name", "cpu model", "Model", "cpu"};
	const char *value = NULL;
	char text[4096];

	if (probe_read_file("/proc/cpuinfo", text, sizeof(text)) <= 0)
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !value; i++)
		value = find_value(text, keys[i]);
	if (!value)
		return;
	snprintf(model, size, "%.*s", (int)strcspn(value, "\n"), value);
	make_plain(model);
}

static void read_settings(struct environment *out)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		struct environment_setting *setting = &out->settings[out->setting_count];
		long len = sysctl_get(settings[i], setting->value, sizeof(setting->value));

		if (len < 0)
			continue; /* this kernel has it not, or keeps it to itself */
		make_plain(setting->value);
		setting->name = settings[i];
		out->setting_count++;
	}
}

static int compare_mitigations(const void *a, const void *b)
{
	const struct environment_mitigation *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void read_mitigations(struct environment *out)
{
	static const char dir[] = "/sys/devices/system/cpu/vulnerabilities";
	DIR *entries = opendir(dir);
	char path[sizeof(dir) + sizeof(out->mitigations[0].name)];

	if (!entries)
		return;
	for (struct dirent *e = readdir(entries); e; e = readdir(entries)) {
		struct environment_mitigation *one = &out->mitigations[out->mitigation_count];

		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(one->name) ||
		    out->mitigation_count == ENVIRONMENT_MITIGATIONS_MOST)
			continue;
		memcpy(one->name, e->d_name, strlen(e->d_name) + 1);
		snprintf(path, sizeof(path), "%s/%s", dir, one->name);
		read_line(path, one->value, sizeof(one->value));
		make_plain(one->name);
		out->mitigation_count++;
	}
	closedir(entries);
	qsort(out->mitigations, out->mitigation_count, sizeof(out->mitigations[0]),
	      compare_mitigations);
}

void environment_read(struct environment *out)
{
	struct timespec now;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(out, 0, sizeof(*out));
	clock_gettime(CLOCK_REALTIME, &now);
	out->unix_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	out->is_root = geteuid() == 0;
	out->cpus = cpus > 0 ? (uint32_t)cpus : 0;
	read_names(out);
	read_cpu_model(out->cpu_model, sizeof(out->cpu_model));
	read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out->governor,
	          sizeof(out->governor));
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
	          out->clocksource, sizeof(out->clocksource));
	read_line("/sys/kernel/mm/transparent_hugepage/enabled", out->huge_pages,
	          sizeof(out->huge_pages));
	read_line("/sys/kernel/security/lsm", out->lsm, sizeof(out->lsm));
	limits_read(&out->limits);
	read_settings(out);
	read_mitigations(out);
}
