/* sizing: what N connections need, and how many connections what is given allows: the arithmetic
 * of `megaconn plan`. Pure: nothing here asks this machine. Numbers that do not fit 64 bits are
 * UINT64_MAX. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* net.ipv4.ip_local_port_range and fs.nr_open as the kernel has them. */
#define SIZING_PORT_LOW     32768
#define SIZING_PORT_HIGH    60999
#define SIZING_NOFILE_USUAL 1048576

/* The widest range of source ports that an ordinary user can bind. */
#define SIZING_PORT_WIDE_LOW  1024
#define SIZING_PORT_WIDE_HIGH 65535
#define SIZING_PORTS_WIDE     (SIZING_PORT_WIDE_HIGH - SIZING_PORT_WIDE_LOW + 1)

/* A 4-tuple's other half: source addresses (2^32) times source ports (2^16) to one server port. */
#define SIZING_N_MOST (UINT64_C(1) << 48)

#define SIZING_SERVER_PORTS_MOST 65535
#define SIZING_IPV4_ADDRESSES    (UINT64_C(1) << 32)

/* What a process has open besides its connections. */
#define SIZING_SPARE_DESCRIPTORS 24

/* Source addresses of one run in the example network: 198.18.0.1 ... 198.18.255.254. */
#define SIZING_RUN_SOURCES 65534

/* Whose memory: of a server alone, of clients alone, of a machine with both ends. */
enum sizing_role { SIZING_SERVER, SIZING_CLIENT, SIZING_BOTH, SIZING_ROLE_COUNT };

/* What ends first. */
enum sizing_end {
	SIZING_END_MEMORY,    /* what was given                                     */
	SIZING_END_SOURCES,   /* the source IPs that were given                     */
	SIZING_END_ADDRESSES, /* the addresses that IPv4 has, or a /64 of IPv6      */
	SIZING_END_COUNT
};

struct sizing_ask {
	uint64_t n;            /* 0: as many as what is given allows                    */
	uint64_t memory_bytes; /* free on each machine; 0: not given                    */
	uint64_t sources;      /* source IPs that there are; 0: as many as are needed   */
	uint32_t server_ports; /* 1 .. SIZING_SERVER_PORTS_MOST                         */
	uint32_t source_ports; /* of each source IP, 1 .. 65535                         */
	uint64_t nofile;       /* of a process, > SIZING_SPARE_DESCRIPTORS              */
	bool is_ipv6;
};

/* Source IPs times source ports times server ports. */
struct sizing_shape {
	uint64_t sources, server_ports;
	uint64_t room;    /* 4-tuples, >= n where it is possible                            */
	bool is_possible; /* there are so many addresses, and so many ports at one address  */
};

struct sizing {
	uint64_t n;           /* that was asked about, or the largest, at least 1 */
	uint64_t largest;     /* n that what is given allows                              */
	enum sizing_end ends; /* what allows no more than that                            */
	bool fits;            /* n <= largest                                         */
	struct sizing_shape by_sources; /* solution 1: the server ports that were given    */
	struct sizing_shape by_ports;   /* solution 2: the source IPs that were given, or 1 */
	uint64_t sources_wide; /* source IPs of solution 1 with SIZING_PORTS_WIDE          */
	uint64_t processes;    /* at each end, of programs with a descriptor a connection  */
	uint64_t memory_bytes[SIZING_ROLE_COUNT]; /* that n needs, with the reserve        */
	uint64_t held[SIZING_ROLE_COUNT];         /* by the memory given; else 0           */

	/* How it is run: the smaller of n and largest, in equal runs of what one run of the program
	 * can number and the example network has addresses for. */
	uint64_t servers, server_n;
	uint64_t clients, client_n, client_sources;
};

/* Fills *out. */
void sizing_work(const struct sizing_ask *ask, struct sizing *out);

/* The least memory that holds n connections and leaves the guard's reserve (capacity.h). */
uint64_t sizing_memory_bytes(uint64_t n, enum sizing_role role, bool is_ipv6);

/* Its inverse: the connections that `bytes` of free memory hold. */
uint64_t sizing_held(uint64_t bytes, enum sizing_role role, bool is_ipv6);
