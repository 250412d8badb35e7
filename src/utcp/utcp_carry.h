/* utcp_carry: carries a step's wishes out: segments are put, events told, the timer set. */
#pragma once

#include "utcp/utcp_state.h"

/* What a step is about: its connection, and what is at hand so that it need not be computed. */
struct about {
	uint32_t index;
	const struct tuple *tuple;     /* NULL: to be computed                    */
	const struct segment *segment; /* that came                               */
	const uint8_t *message;        /* that is being sent                      */
	bool was_alive;
};

struct about utcp_about(const struct utcp *u, uint32_t index);

void utcp_carry(struct utcp *u, const struct about *about, const struct tcp_out *out);

/* The same for a segment of no connection, which has only something to send. */
void utcp_carry_stray(struct utcp *u, const struct tuple *tuple, const struct tcp_out *out);
