/* course: one connect and one serve on hosts of their own, and what breaks between them: built,
 * begun, broken, mended and looked at; many side by side, as they mostly wait. */
#pragma once

#include "apart.h"
#include "hosts.h"

#define ROUTED_TARGET "198.19.0.1"
#define LAN_TARGET    "[2001:2::2]"
#define PORT          ":8090"
#define TWIN_PORT     ":8091"

struct network {
	struct host hosts[3]; /* client, server, what is between */
	bool has_again;
	struct trial serve, again;
	uint64_t down_ms; /* until the fault was undone; of twins that break each, the longest */
};

struct course;
typedef void (*course_act)(struct course *course);

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): by what belongs together */
struct course {
	const char *name;
	bool is_twin; /* on the network of the one before it, which breaks for both */
	bool is_ipv6; /* on a switch; else IPv4, by a router                        */
	const char *args[10];
	const char *timeout; /* NULL: 3s */
	unsigned int hold_s;
	course_act fault, repair;
	unsigned int for_ms; /* from when it is broken to the repair */
	course_act check;

	/* while it runs */
	struct network *network;
	struct trial connect;
	uint64_t held_ms, fault_ms, broken_ms; /* what breaks it takes its time */
	int64_t segments;                      /* that its host had sent when it began to hold */
};

/* How many connections each opens. */
int64_t course_n(void);

/* Where the machine is busy with other things all takes longer: how many times. */
unsigned int course_slowness(void);

/* Starts the server of its network. */
void course_serve(struct course *c, struct trial *trial);

/* Runs them all, each to its end within `seconds` after all is mended, and checks each. */
#define COURSES_MOST 20
void courses_run(struct course *courses, size_t count, unsigned int seconds);
