#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The text after "key ... : " in a file of such lines; "unknown" where there is none. */
static void value_of(const char *path, const char *key, char *out, size_t size)
{
	char line[512];
	FILE *f = fopen(path, "re");

	snprintf(out, size, "unknown");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		const char *at = strchr(line, ':');

		if (!at || strncmp(line, key, strlen(key)) != 0)
			continue;
		at += 1 + strspn(at + 1, " \t");
		snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
		break;
	}
	fclose(f);
}

void host_read(struct host *out)
{
	const time_t now = time(NULL);
	struct utsname name;
	char memory[64];
	struct tm tm;

	memset(out, 0, sizeof(*out));
	if (gmtime_r(&now, &tm))
		strftime(out->date, sizeof(out->date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (uname(&name) == 0)
		snprintf(out->kernel, sizeof(out->kernel), "%s %s %s", name.sysname, name.release,
		         name.machine);
	value_of("/proc/cpuinfo", "model name", out->cpu, sizeof(out->cpu));
	value_of("/proc/meminfo", "MemTotal", memory, sizeof(memory));
	out->memory_mib = strtoll(memory, NULL, 10) / 1024;
	out->cores = sysconf(_SC_NPROCESSORS_ONLN);
}
