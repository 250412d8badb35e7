/* classic_next: the step of the classic experiment that follows, by what megaconn.conf says and
 * which of its hosts this one is. */
#pragma once

#include "cmd/classic_conf.h"
#include "cmd/classic_host.h"

#include <stddef.h>

/* What has been done. */
enum classic_step {
	CLASSIC_TUNED,
	CLASSIC_PINGED,
	CLASSIC_PINGED_TAKEN, /* somebody has some of the client-ips */
	CLASSIC_UP,
	CLASSIC_SERVING,
	CLASSIC_ENDED_CLIENT,
	CLASSIC_DOWN,
	CLASSIC_ENDED_SERVER,
	CLASSIC_UNTUNED,
	CLASSIC_STEP_COUNT
};

/* What a sentence is made of. */
struct classic_case {
	const struct classic_conf *conf;
	const struct classic_host *host;
	const char *config; /* the file's path                 */
	bool is_root;       /* else steps that need root are said with sudo */
};

/* Pure: writes the lines, each with its end: "next: make ifup\n". */
void classic_next_text(enum classic_step after, const struct classic_case *of, char *out,
                       size_t size);

/* Reads the file, looks at this host, and prints that. Nothing where there is no file, or no look:
 * what was done is done all the same. */
void classic_next(enum classic_step after, const char *config);
