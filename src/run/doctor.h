/* doctor: what this machine's limits allow, and which settings stand in the way. */
#pragma once

#include "base/err.h"
#include "base/wall.h"

#include <stdint.h>

struct doctor_options {
	uint64_t n;
	enum wall_role role;
	const char *source, *target; /* as given; NULL: none */
	int family;                  /* AF_UNSPEC: either    */
};

/* Judges this machine; fills report incl. report->asks (base/wall.h: the settings that rows ask
 * for). 0 or negative errno with err. Changes nothing. */
int doctor_examine(const struct doctor_options *options, struct wall_report *report,
                   struct err *err);
