/* ports: how many sockets there are by port and state. A socket whose local port is listened on is
 * that server's; any other one is a client's, and counted by the port that it goes to. Pure;
 * kernel/diag shows the sockets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORTS_ROWS_MOST 64

/* What is told apart, of the states of linux/tcp_states.h. */
enum ports_state {
	PORTS_ESTABLISHED,
	PORTS_SYN, /* SYN_SENT, SYN_RECV                                 */
	PORTS_TIME_WAIT,
	PORTS_CLOSE_WAIT, /* the peer has closed, the program has not yet       */
	PORTS_CLOSING,    /* FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING, CLOSE     */
	PORTS_STATE_COUNT
};

struct ports_row {
	uint16_t port;
	bool is_server;
	uint32_t total, by_state[PORTS_STATE_COUNT];
};

/* What was seen, the most sockets first. */
struct ports_table {
	uint64_t at_ns;               /* when they were looked at                          */
	uint64_t seen;                /* sockets, without those that listen                */
	bool is_partial;              /* there are more: time was up                       */
	int failed;                   /* 0, or the negative errno for which there is none  */
	uint32_t row_count, left_out; /* rows that had no place               */
	struct ports_row rows[PORTS_ROWS_MOST];
};

/* Counts: of servers by local port, of clients by remote port. 2.8 MB; zeroed is empty. */
struct ports_counts {
	uint8_t listening[8192]; /* a bit for each local port */
	uint64_t seen;
	uint32_t by_port[2][65536][PORTS_STATE_COUNT];
};

/* Counts a socket in `state`, of linux/tcp_states.h; those that listen are none. */
void ports_count(struct ports_counts *counts, uint8_t state, uint16_t local, uint16_t remote);

/* Puts the rows with the most sockets in order into the table, and says how many were seen. */
void ports_rank(const struct ports_counts *counts, struct ports_table *out);
