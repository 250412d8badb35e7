/* course: see the header. */
#include "course.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 180000
#define QUICK_MS    400 /* to build a network */
#define SLOWEST     5
#define LEARN_MS    2000ULL
#define PORTS       ":8090-8091"
#define SOURCES     "198.18.0.2-198.18.0.5"
#define SOURCES6    "2001:2::11-2001:2::14"

static unsigned int slowness = 1;

unsigned int course_slowness(void)
{
	return slowness;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *n_text(void)
{
	return trial_n("2000", "500", "5000");
}

int64_t course_n(void)
{
	return strtol(n_text(), NULL, 10);
}

/* Of one worker: of two, one would be there still while the other is being killed. */
void course_serve(struct course *c, struct trial *trial)
{
	const char *const args[] = {"--listen", c->is_ipv6 ? LAN_TARGET PORTS : ROUTED_TARGET PORTS,
	                            "--workers", "1", NULL};

	trial_start_command(trial, "serve", host_enter(&c->network->hosts[1]), args);
	apart_keep(trial->pid);
}

static void open_hosts(struct course *c)
{
	if (c->is_ipv6) {
		hosts_lan(c->network->hosts, 2);
		host_sh(&c->network->hosts[0], "for i in 11 12 13 14; do "
		                               "ip addr add 2001:2::$i/48 dev eth0 nodad; done");
		return;
	}
	hosts_routed(&c->network->hosts[0], &c->network->hosts[2], &c->network->hosts[1]);
	host_sh(&c->network->hosts[0],
	        "for i in 3 4 5; do ip addr add 198.18.0.$i/16 dev eth0; done");
}

static void begin(struct course *c)
{
	const char *routed = c->is_twin ? ROUTED_TARGET TWIN_PORT : ROUTED_TARGET PORT;
	const char *target = c->is_ipv6 ? LAN_TARGET PORT : routed;
	char hold[16];
	const char *args[TRIAL_ARGS_MOST] = {target,
	                                     "-n",
	                                     n_text(),
	                                     "--source",
	                                     c->is_ipv6 ? SOURCES6 : SOURCES,
	                                     "--hold",
	                                     hold,
	                                     "--timeout",
	                                     c->timeout ? c->timeout : "3s"};
	int count = 9;

	for (int i = 0; c->args[i]; i++)
		args[count++] = c->args[i];
	snprintf(hold, sizeof(hold), "%us", c->hold_s + 6 * (slowness - 1));
	apart_connect(&c->connect, host_enter(&c->network->hosts[0]), args);
}

static bool holds(const struct course *c)
{
	static char text[TRIAL_TEXT_BYTES];
	ssize_t len = pread(c->connect.err_fd, text, sizeof(text), 0);

	return len > 0 && memmem(text, (size_t)len, "holding ", strlen("holding "));
}

/* What the client's host has sent: OutSegs, the eleventh number after "Tcp:". */
static int64_t segments(const struct course *c)
{
	char path[64], line[512], *at = line;

	snprintf(path, sizeof(path), "/proc/%d/net/snmp", (int)c->network->hosts[0].pid);
	FILE *snmp = fopen(path, "re");

	assert_non_null(snmp);
	while (fgets(line, sizeof(line), snmp) && strncmp(line, "Tcp: 1", 6) != 0) {
	}
	fclose(snmp);
	for (int i = 0; i < 11 && at; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoll(at, NULL, 10) : 0;
}

/* The hold begins with a look at what it all costs, which may take its time: who speaks speaks
 * after that. */
static bool speaks(struct course *c)
{
	if (!c->args[0] || strcmp(c->args[0], "--traffic") != 0)
		return true;
	if (c->segments == 0)
		c->segments = segments(c);
	return segments(c) >= c->segments + course_n() / 2;
}

/* Whether it, and its twin, have held for a while. */
static bool is_ripe(struct course *c, const struct course *end)
{
	const struct course *twin = c + 1 < end && c[1].is_twin ? c + 1 : c;

	if (c->held_ms == 0 && holds(c) && holds(twin) && speaks(c))
		c->held_ms = now_ms();
	return c->held_ms > 0 && now_ms() - c->held_ms >= LEARN_MS * slowness;
}

/* Of twins that break each for itself, the longest. */
static void note_down(struct network *network, uint64_t down_ms)
{
	if (down_ms > network->down_ms)
		network->down_ms = down_ms;
}

/* What is next to be done with it, where its time has come; false where nothing is. */
static bool go_on(struct course *c, const struct course *end)
{
	if (!c->fault && !c->repair)
		return false;
	if (c->fault && is_ripe(c, end)) {
		c->fault_ms = now_ms();
		c->fault(c);
		c->broken_ms = now_ms();
		c->fault = NULL;
	} else if (!c->fault && now_ms() - c->broken_ms >= c->for_ms) {
		c->repair(c);
		note_down(c->network, now_ms() - c->fault_ms);
		c->repair = NULL;
	}
	return true;
}

static void break_and_mend(struct course *courses, size_t count)
{
	bool is_left = true;

	for (uint64_t end_ms = now_ms() + PATIENCE_MS; is_left && now_ms() < end_ms;) {
		is_left = false;
		for (size_t i = 0; i < count; i++)
			is_left |= go_on(&courses[i], courses + count);
		apart_sleep(10);
	}
	assert_false(is_left);
}

static void finish(struct course *c, unsigned int seconds)
{
	trial_wait(&c->connect, seconds);
	assert_non_null(c->connect.result);
	trial_assert_no_process_left(&c->connect);
	c->check(c);
	trial_end(&c->connect);
}

/* Hosts first, which takes longest, and servers; then all begin at about the same time. */
static void build(struct course *courses, size_t count)
{
	static struct network networks[COURSES_MOST];

	uint64_t start_ms = now_ms(), built = 0;

	memset(networks, 0, sizeof(networks));
	assert_in_range(count, 1, COURSES_MOST);
	for (size_t i = 0; i < count; i++) {
		courses[i].network = courses[i].is_twin ? courses[i - 1].network : &networks[i];
		if (courses[i].is_twin)
			continue;
		open_hosts(&courses[i]);
		course_serve(&courses[i], &courses[i].network->serve);
		built++;
	}
	for (size_t i = 0; i < count; i++)
		trial_wait_text(&courses[i].network->serve, "listening on ", 60);
	slowness = (unsigned int)((now_ms() - start_ms) / (built > 0 ? built : 1) / QUICK_MS) + 1;
	if (slowness > SLOWEST)
		slowness = SLOWEST;
}

static void end(struct course *c)
{
	if (c->is_twin)
		return;
	trial_end(&c->network->serve);
	if (c->network->has_again)
		trial_end(&c->network->again);
}

void courses_run(struct course *courses, size_t count, unsigned int seconds)
{
	hosts_need();
	if (!trial_is_root())
		apart_skip("the rings of so many servers take more than a user may lock");
	build(courses, count);
	for (size_t i = 0; i < count; i++)
		begin(&courses[i]);
	break_and_mend(courses, count);
	for (size_t i = 0; i < count; i++)
		finish(&courses[i], seconds);
	for (size_t i = 0; i < count; i++)
		end(&courses[i]);
}
