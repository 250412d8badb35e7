/* fuzz_probe: any bytes into any parser of kernel/; the first byte selects it. The probe parsers
 * get the fuzzer's bytes as they are, with no NUL behind them, so that the sanitizer sees a read
 * too far; the others take strings and get a copy. */
#include "kernel/cgroup.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"

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

static void fuzz_strings(uint8_t selector, const char *text, size_t len)
{
	char *string = malloc(len + 1);

	if (!string)
		return;
	memcpy(string, text, len);
	string[len] = '\0';
	if (selector)
		fuzz_cgroup(string);
	else
		fuzz_ports(string);
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
	switch (data[0] % 7) {
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
	default:
		fuzz_strings(data[0] % 7 == 5, text, size);
		break;
	}
	return 0;
}
