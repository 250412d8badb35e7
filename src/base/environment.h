/* environment: the machine a run is on, as far as it matters to who repeats the run; who runs it,
 * and what the machine is called, is not in it. run/environment fills it, out/environment draws it.
 */
#pragma once

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define ENVIRONMENT_SETTINGS_MOST    64
#define ENVIRONMENT_MITIGATIONS_MOST 48

/* A text that could not be read is "". */
struct environment_setting {
	const char *name; /* "net.core.somaxconn"; static */
	char value[96];
};

struct environment_mitigation {
	char name[48];   /* "spectre_v2" */
	char value[160]; /* "Mitigation: Retpolines; ..." */
};

struct environment {
	uint64_t unix_ns;        /* when it was looked at */
	bool is_root;            /* effective user 0, perhaps of a user namespace alone */
	char kernel_release[65]; /* uname(2) */
	char kernel_version[65];
	char machine[65];    /* "x86_64"; also of uname(2) */
	char cpu_model[128]; /* of the first CPU */
	uint32_t cpus;       /* online; limits.cpus are those that we may run on */
	char governor[32];   /* of the first CPU's frequency: "performance" */
	char clocksource[32];
	char huge_pages[48]; /* transparent ones: "always [madvise] never" */
	char lsm[128];       /* security modules: "capability,landlock,yama,apparmor" */
	struct limits limits;

	/* Kernel settings as the network namespace has them that megaconn was started in. */
	uint32_t setting_count;
	struct environment_setting settings[ENVIRONMENT_SETTINGS_MOST];

	/* What the kernel does against faults of the CPU, some of which slows every system call. */
	uint32_t mitigation_count;
	struct environment_mitigation mitigations[ENVIRONMENT_MITIGATIONS_MOST];
};
