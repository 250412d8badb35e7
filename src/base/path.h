/* path: what the two ends of a run know of the path between them, and what is made of it
 * (plan/path). Each end counts what it sends and what it gets: what one has sent and the other has
 * not got was lost in between, by whichever box.
 *
 * It lies in memory that processes share, so it has no pointers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_UNKNOWN       UINT64_MAX /* not counted here: RESULT_UNKNOWN, null in JSON */
#define PATH_ADDRESS_BYTES 46         /* an IPv4 or IPv6 address as text */
#define PATH_SAYS_BYTES    512

/* One end. All are uint64_t, and all but those of the peers only grow (path_counts): a run's are
 * the difference of two. Packets are those from or to the ports that the run connects to. Sent
 * again means that TCP itself did, for want of an answer. */
struct path_end {
	/* On the wire, as it passes this host's devices (kernel/tap). */
	uint64_t syns_out, syns_in;         /* first ones and those sent again                 */
	uint64_t syn_acks_out, syn_acks_in; /* the same                                        */
	uint64_t resets_out, resets_in;
	uint64_t icmp_in;         /* destination unreachable, about packets that we sent to there */
	uint64_t icmp_refused_in; /* of these: prohibited by an administrator (codes 9, 10, 13)   */

	/* Of this network namespace, whoever's: TcpExt TCPSynRetrans, ListenOverflows, ListenDrops,
	 * TCPReqQFullDrop, SyncookiesSent. */
	uint64_t sent_again; /* clients: SYNs; servers: SYN-ACKs */
	uint64_t listen_overflows, listen_drops, syn_queue_drops, cookies_sent;

	/* Of the run. */
	uint64_t asked;       /* clients: connections that were begun                             */
	uint64_t tried;       /* clients: how often connect was called for them                   */
	uint64_t established; /* clients: connected; servers: accepted (never the one for hello)  */
	uint64_t proved; /* clients: have echoed in the first round; servers: have been echoed */
	uint64_t timed_out, refused, unreachable; /* clients: what became of the others        */
	uint64_t local_failures; /* clients: failed at this host: no port, descriptor, memory     */
	uint64_t closed_early;   /* established, and ended by the other end or in between before the
	                          * hold; servers: at any time                                 */
	uint64_t silent;         /* clients: established, without an echo in time              */
	/* Clients, in the order of indexes: connected, and not ended early or silent, although they
	 * come after the half of those that failed or were. Next to none where there is a limit,
	 * about half where any may fail. */
	uint64_t opened_late;

	/* Servers: who the connections come from, by sock_diag at one moment. */
	uint64_t peer_connections; /* how many there were                         */
	uint64_t peer_addresses;   /* different ones among them                   */
	uint64_t peer_port_low, peer_port_high;
	uint64_t peer_ports_most; /* connections of one peer address to one port of ours, at most */
	char peer_low[PATH_ADDRESS_BYTES], peer_high[PATH_ADDRESS_BYTES]; /* ""; unknown */
};

/* Where the path ends, and why. */
enum path_kind {
	PATH_NOT_KNOWN,   /* these counts do not tell, or there are none                     */
	PATH_CLEAR,       /* nothing is wrong in between                                     */
	PATH_ONE_END,     /* SYNs were not answered; which way they went lost only the other end
	                   * knows */
	PATH_BLOCKED,     /* not one SYN arrives                                             */
	PATH_TABLE,       /* so many connections get through: a full table                   */
	PATH_PORTS,       /* so many get through: the ports of a NAT are used up             */
	PATH_ANSWERS,     /* SYNs arrive, their answers do not come back                     */
	PATH_QUEUE,       /* SYNs arrive, the server does not answer: its listen queues      */
	PATH_PROXY,       /* a proxy answers in the server's place, and passes so many on    */
	PATH_SERVER_ENDS, /* one end knows: established, then ended or silent beyond so many */
	PATH_RESET,       /* a box answers with RST                                          */
	PATH_REFUSED,     /* the server does                                                 */
	PATH_PROHIBITED,  /* a box answers with ICMP: prohibited                             */
	PATH_UNREACHABLE, /* a box answers with ICMP: no way, or nobody there                */
	PATH_LOSS,        /* packets are lost at all times: no limit                         */
	PATH_KIND_COUNT
};

/* What a result says of it. */
struct path {
	bool has; /* somebody looked */
	bool has_server;
	uint64_t extra; /* connections of ours beside the run's, that went the same way */
	struct path_end client, server;
	enum path_kind kind;
	uint64_t limit;   /* connections that get through and no more; _UNKNOWN: none found */
	uint64_t ports;   /* of each address of a NAT that has used them up; else _UNKNOWN */
	double lost_out;  /* parts of the SYNs that left and did not arrive; < 0: not known */
	double lost_back; /* the same of SYN-ACKs                                           */
	char says[PATH_SAYS_BYTES];   /* one sentence, with the number                         */
	char advice[PATH_SAYS_BYTES]; /* what to do                                            */
};

/* The counts of an end by name, for JSON. */
struct path_count {
	const char *name; /* "syns_out" */
	size_t offset;    /* in struct path_end, of a uint64_t */
	bool grows;       /* a run's is the difference of two  */
};
extern const struct path_count path_counts[];
extern const size_t path_counts_count;

/* Of which nothing is known. */
void path_end_init(struct path_end *end);
void path_init(struct path *path);

/* What an end has counted since `before` (unknown where either is); who the peers are stays. */
struct path_end path_end_since(const struct path_end *now, const struct path_end *before);

/* Stable names: "table", "ports", ... */
const char *path_kind_name(enum path_kind kind);

/* Whether it is why connections fail. */
bool path_is_fault(enum path_kind kind);

/* By its name; PATH_KIND_COUNT where there is none. */
enum path_kind path_kind_of(const char *name);
