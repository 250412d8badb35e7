/* doctor: asks for the settings that are there. */
#include "run/doctor.h"

#include "kernel/sysctl.h"

#include <inttypes.h>
#include <stdio.h>

static void ask(struct wall_report *report, const char *row, const char *name, const char *value)
{
	char now[256];

	if (sysctl_get(name, now, sizeof(now)) < 0)
		return;
	struct wall_ask *one = &report->asks[report->ask_count++];

	one->row = row;
	one->name = name;
	snprintf(one->value, sizeof(one->value), "%s", value);
}

int doctor_examine(const struct doctor_options *options, struct wall_report *report,
                   struct err *err)
{
	char n[24];

	(void)err;
	*report = (struct wall_report){.n = options->n};
	snprintf(n, sizeof(n), "%" PRIu64, options->n);
	ask(report, "somaxconn", "net.core.somaxconn", "65535");
	ask(report, "syn_backlog", "net.ipv4.tcp_max_syn_backlog", "65536");
	ask(report, "source_ports", "net.ipv4.ip_local_port_range", "10240 65535");
	ask(report, "reserved_ports", "net.ipv4.ip_local_reserved_ports", "8090-8119");
	ask(report, "tw_buckets", "net.ipv4.tcp_max_tw_buckets", n);
	ask(report, "orphans", "net.ipv4.tcp_max_orphans", n);
	return 0;
}
