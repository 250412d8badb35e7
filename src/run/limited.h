/* limited: what kept the traffic of a stage from being more, or from being in time: this tool, or
 * what it talked to. The rule stands in docs/result.md. Pure. */
#pragma once

#include "base/result.h"
#include "run/experiment.h"

#include <stdint.h>

/* What the traffic's own numbers do not tell. */
struct limited_case {
	enum run_kind kind;
	bool is_open_loop;
	uint64_t every_ns; /* of a push: from one round to the next; 0: not known */
	uint64_t duration_ns;
	uint32_t client_workers;
	uint32_t cpus;    /* of the machine */
	double busy_cpus; /* of all of them, whoever it was; < 0: not known */
};

/* Fills `limited` and `why` of a traffic whose other fields are filled. */
void limited_judge(struct result_traffic *t, const struct limited_case *c);
