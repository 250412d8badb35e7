/* fuzz_probe: any bytes into any parser of kernel/; the first byte selects it. The probe parsers
 * get the fuzzer's bytes as they are, with no NUL behind them, so that the sanitizer sees a read
 * too far; the others take strings and get a copy. */
#include "kernel/cgroup.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"
#include "kernel/tasks.h"
#include "kernel/vitals.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_slabinfo(const char *text, size_t len)
{
	static struct probe_slabinfo slabs;

	if (!probe_parse_slabinfo(text, len, 4096, &slabs) && !probe_find_slab(&slabs, "TCP") &&
	    slabs.count > PROBE_SLABS_MAX)
		abort();
}

static void fuzz_meminfo(const char *text, size_t len)
{
	struct probe_meminfo m;

	probe_parse_meminfo(text, len, &m);
	probe_memory_left_bytes(&m);
}

static void fuzz_cgroup(const char *string)
{
	static char path[64];
	int version = cgroup_parse(string, "memory", path, sizeof(path));

	if (!version)
		version = cgroup_parse(string, "pids", path, sizeof(path));
	if (version && (path[0] != '/' || strlen(path) >= sizeof(path) || strchr(path, '\n')))
		abort();
}

static void fuzz_ports(const char *string)
{
	static uint8_t ports[8192];
	static const uint8_t none[8192];

	memset(ports, 0, sizeof(ports));
	if (sysctl_parse_ports(string, ports) && memcmp(ports, none, sizeof(ports)) != 0)
		abort();
}

static void fuzz_numbers(const char *string)
{
	uint64_t three[3] = {7, 7, 7};

	if (sysctl_parse_numbers(string, three, 3) &&
	    (three[0] != 7 || three[1] != 7 || three[2] != 7))
		abort();
}

/* The same bytes as both texts of /proc that count tasks. */
static void fuzz_tasks(const char *string)
{
	uint64_t count = 7, uid = 7, threads = 7;

	if (tasks_parse_loadavg(string, &count) && count != 7)
		abort();
	if (tasks_parse_status(string, &uid, &threads) && (uid != 7 || threads != 7))
		abort();
}

static void fuzz_neighbours(const char *text, size_t len)
{
	uint64_t entries;

	if (probe_parse_neighbours(text, len, &entries) && entries != PROBE_UNKNOWN)
		abort();
}

/* The three files of kernel/vitals.h. */
static void fuzz_vitals(uint8_t selector, const char *text, size_t len)
{
	static struct probe_cpus cpus;
	struct probe_vitals vitals = {7, 7, 7, 7, 7};

	if (selector == 0 && !vitals_parse_stat(text, len, 100, &cpus) &&
	    (cpus.count == 0 || cpus.count > PROBE_CPUS_MAX))
		abort();
	if (selector == 1 && vitals_parse_softnet(text, len, &vitals) &&
	    (vitals.backlog_drops != 7 || vitals.squeezes != 7))
		abort();
	if (selector == 2 && vitals_parse_files(text, len, &vitals) && vitals.files != 7)
		abort();
}

static void fuzz_strings(uint8_t selector, const char *text, size_t len)
{
	static void (*const parsers[])(const char *string) = {fuzz_ports, fuzz_cgroup, fuzz_numbers,
	                                                      fuzz_tasks};
	char *string = malloc(len + 1);

	if (!string)
		return;
	memcpy(string, text, len);
	string[len] = '\0';
	parsers[selector](string);
	free(string);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe_sockstat sockstat;
	struct probe_smaps smaps;
	struct probe_tcp tcp;
	const char *text;

	if (!size)
		return 0;
	text = (const char *)data + 1;
	size--;
	switch (data[0] % 13) {
	case 0:
		fuzz_meminfo(text, size);
		break;
	case 1:
		fuzz_slabinfo(text, size);
		break;
	case 2:
		probe_parse_sockstat(text, size, &sockstat);
		break;
	case 3:
		probe_parse_tcp(text, size, &tcp);
		break;
	case 4:
		probe_parse_smaps(text, size, &smaps);
		break;
	case 5:
		fuzz_neighbours(text, size);
		break;
	case 6:
	case 7:
	case 8:
		fuzz_vitals((uint8_t)(data[0] % 13 - 6), text, size);
		break;
	default:
		fuzz_strings((uint8_t)(data[0] % 13 - 9), text, size);
		break;
	}
	return 0;
}
