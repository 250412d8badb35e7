/* ports: two tables of counters, and the largest of them in order. */
#include "base/ports.h"

#include <netinet/tcp.h>
#include <string.h>

static enum ports_state state_of(uint8_t state)
{
	switch (state) {
	case TCP_ESTABLISHED:
		return PORTS_ESTABLISHED;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return PORTS_SYN;
	case TCP_TIME_WAIT:
		return PORTS_TIME_WAIT;
	case TCP_CLOSE_WAIT:
		return PORTS_CLOSE_WAIT;
	default:
		return PORTS_CLOSING;
	}
}

void ports_count(struct ports_counts *counts, uint8_t state, uint16_t local, uint16_t remote)
{
	bool is_server = counts->listening[local / 8] >> local % 8 & 1;

	if (state == TCP_LISTEN)
		return;
	counts->seen++;
	counts->by_port[is_server][is_server ? local : remote][state_of(state)]++;
}

static void insert(struct ports_table *out, const struct ports_row *row)
{
	uint32_t at = out->row_count;

	while (at > 0 && out->rows[at - 1].total < row->total)
		at--;
	if (out->row_count == PORTS_ROWS_MOST)
		out->left_out++;
	else
		out->row_count++;
	if (at == PORTS_ROWS_MOST)
		return;
	memmove(&out->rows[at + 1], &out->rows[at],
	        (out->row_count - 1 - at) * sizeof(out->rows[0]));
	out->rows[at] = *row;
}

void ports_rank(const struct ports_counts *counts, struct ports_table *out)
{
	out->seen = counts->seen;
	out->row_count = out->left_out = 0;
	for (uint32_t i = 0; i < 2 * 65536; i++) {
		struct ports_row row = {.port = (uint16_t)i, .is_server = i < 65536};
		const uint32_t *by_state = counts->by_port[row.is_server][row.port];

		memcpy(row.by_state, by_state, sizeof(row.by_state));
		for (int s = 0; s < PORTS_STATE_COUNT; s++)
			row.total += by_state[s];
		if (row.total > 0)
			insert(out, &row);
	}
}
