/* bench: the child, and rtnetlink on the host's side. */
#include "bench.h"

#include "apart.h"
#include "base/clock.h"
#include "base/map.h"
#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/route.h"
#include "task.h"
#include "utcp/device_packet.h"
#include "utcp/device_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <liburing.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST4      "198.19.0.1"
#define HOST6      "2001:2:0:2::1"
#define NOBODY     65534
#define LINKS_MOST 16
#define TASK_MS    30000
#define GONE_NS    (10 * NS_PER_S)

static bool is_root;
static struct tuple_plan plan; /* the worker's, from before it is forked */

/* --- rings ----------------------------------------------------------------------------------- */

static enum bench_ring ring_kind;

/* NOLINTBEGIN(*-reserved-identifier,cert-dcl*): what the linker calls them */
int __real_io_uring_queue_init(unsigned int entries, struct io_uring *ring, unsigned int flags);
int __wrap_io_uring_queue_init(unsigned int entries, struct io_uring *ring, unsigned int flags);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

void bench_set_ring(enum bench_ring ring)
{
	ring_kind = ring;
}

int __wrap_io_uring_queue_init(unsigned int entries, struct io_uring *ring, unsigned int flags)
{
	int failed = __real_io_uring_queue_init(entries, ring, flags);

	if (ring_kind == BENCH_RING_OLD)
		ring->features &= ~IORING_FEAT_CQE_SKIP;
	return failed;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	const unsigned int end = ring->sq.sqe_tail, held = io_uring_sq_ready(ring) / 2;
	int count;

	if (ring_kind == BENCH_RING_OLD)
		return -EINVAL;
	ring->sq.sqe_tail -= ring_kind == BENCH_RING_SHORT ? held : 0;
	count = __real_io_uring_submit(ring);
	ring->sq.sqe_tail = end;
	return count;
}
/* NOLINTEND(*-reserved-identifier,cert-dcl*) */

/* --- the host -------------------------------------------------------------------------------- */

bool bench_is_root(void)
{
	return is_root;
}

uint8_t bench_byte(uint32_t at)
{
	return (uint8_t)(at * 7 + at / 256);
}

static int add_hosts(void)
{
	struct ip host4, host6;

	if (ip_parse(HOST4, &host4) != 0 || ip_parse(HOST6, &host6) != 0 ||
	    netlink_add_addresses("lo", &host4, 1) != 0)
		return -1;
	return netlink_add_addresses("lo", &host6, 1);
}

int bench_set_up(void **state)
{
	is_root = geteuid() == 0 && access("/proc/1/environ", R_OK) == 0;
	if (apart_set_up(state) != 0)
		return -1;
	return apart_is_private() ? add_hosts() : 0;
}

static int list_links(struct link *ours)
{
	struct link all[LINKS_MOST];
	int count = link_list(all, LINKS_MOST), found = 0;

	for (int i = 0; i < count && i < LINKS_MOST; i++) {
		if (strncmp(all[i].name, "mctun", 5) == 0 || strncmp(all[i].name, "mcveth", 6) == 0)
			ours[found++] = all[i];
	}
	return count < 0 ? count : found;
}

static int await_no_link(void)
{
	const uint64_t end = clock_now_ns() + GONE_NS;
	struct link ours[LINKS_MOST];
	int count = list_links(ours);

	for (; count > 0 && clock_now_ns() < end; count = list_links(ours))
		apart_sleep(5);
	return count;
}

int bench_tear_down(void **state)
{
	apart_tear_down(state);
	ring_kind = BENCH_RING_AS_IT_IS;
	return apart_is_private() ? await_no_link() : 0;
}

/* --- the child ------------------------------------------------------------------------------- */

enum who { WHO_SELF, WHO_NOBODY, WHO_NOBODY_APART };

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return is_written;
}

static bool become(enum who who)
{
	if (who == WHO_SELF)
		return true;
	/* A process that has changed its user must not write its own /proc files, else. */
	if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
		return false;
	if (who == WHO_NOBODY)
		return true;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", "0 65534 1") &&
	       write_file("/proc/self/gid_map", "0 65534 1") && netlink_link_up("lo") == 0 &&
	       add_hosts() == 0;
}

static void serve_tasks(const struct bench *b, struct device *device,
                        const struct device_config *config)
{
	uint8_t task;

	while (read(b->down, &task, 1) == 1) {
		if (task == BENCH_CLOSE)
			device_close(device);
		else
			task_do((enum bench_task)task, device, config, b->report);
		if (write(b->up, &task, 1) != 1)
			return;
	}
}

static void run_child(const struct bench *b, enum bench_device kind, enum who who,
                      const struct device_config *config)
{
	const uint8_t task = BENCH_OPEN;
	struct device *device = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!become(who))
		b->report->opened = BENCH_NO_NAMESPACE;
	else
		b->report->opened = (kind == BENCH_TUN ? device_tun_open : device_packet_open)(
			config, &device, &b->report->err);
	if (write(b->up, &task, 1) == 1 && b->report->opened == 0)
		serve_tasks(b, device, config);
	_exit(0);
}

/* --- its parent ------------------------------------------------------------------------------ */

static void await_task(struct bench *b, enum bench_task task)
{
	struct pollfd ready = {.fd = b->up, .events = POLLIN};
	uint8_t done;

	assert_int_equal(poll(&ready, 1, TASK_MS), 1);
	assert_int_equal(read(b->up, &done, 1), 1);
	assert_int_equal(done, task);
}

static void start(struct bench *b, enum bench_device kind, enum who who,
                  const struct device_config *config)
{
	int down[2], up[2];

	b->report = map_shared(sizeof(*b->report));
	assert_non_null(b->report);
	b->first = pool_at(&plan.sources, config->first_source);
	b->host = plan.target;
	assert_return_code(pipe2(down, O_CLOEXEC), errno);
	assert_return_code(pipe2(up, O_CLOEXEC), errno);
	b->pid = fork();
	assert_return_code(b->pid, errno);
	if (b->pid == 0) {
		close(down[1]);
		close(up[0]);
		b->down = down[0];
		b->up = up[1];
		run_child(b, kind, who, config);
	}
	apart_keep(b->pid);
	close(down[0]);
	close(up[1]);
	b->down = down[1];
	b->up = up[0];
	await_task(b, BENCH_OPEN);
}

static struct device_config config_of(const char *sources, uint32_t from, uint32_t count)
{
	struct err err = {0};

	if (pool_parse(sources, &plan.sources, &err) != 0)
		fail_msg("%s", err.text);
	const uint32_t left = plan.sources.count - from;

	plan.source_count = plan.sources.count;
	assert_int_equal(ip_parse(plan.sources.ranges[0].first.family == AF_INET ? HOST4 : HOST6,
	                          &plan.target),
	                 0);
	return (struct device_config){
		.tuples = &plan,
		.first_source = from,
		.source_count = count < left ? count : left,
	};
}

void bench_start(struct bench *b, enum bench_device device, const char *sources, uint32_t from,
                 uint32_t count)
{
	const struct device_config config = config_of(sources, from, count);

	start(b, device, WHO_SELF, &config);
}

void bench_start_as_nobody(struct bench *b, const char *sources, uint32_t from, uint32_t count)
{
	const struct device_config config = config_of(sources, from, count);

	start(b, BENCH_PACKET, WHO_NOBODY_APART, &config);
}

void bench_start_without_rights(struct bench *b, enum bench_device device, const char *sources)
{
	const struct device_config config = config_of(sources, 0, 1);

	start(b, device, WHO_NOBODY, &config);
}

void bench_tell(struct bench *b, enum bench_task task)
{
	const uint8_t byte = (uint8_t)task;

	assert_int_equal(write(b->down, &byte, 1), 1);
	await_task(b, task);
}

void bench_end(struct bench *b)
{
	/* Its pipes do not end where a child that was forked later has them. */
	kill(b->pid, SIGKILL);
	close(b->down);
	close(b->up);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
	map_drop(b->report, sizeof(*b->report));
}

/* --- the host's side ------------------------------------------------------------------------- */

int bench_links(void)
{
	struct link ours[LINKS_MOST];
	int count = list_links(ours);

	assert_return_code(count, -count);
	return count;
}

void bench_delete_link(void)
{
	struct link ours[LINKS_MOST];
	struct channel c;

	assert_int_equal(list_links(ours), 1);
	assert_int_equal(channel_open(&c), 0);
	assert_int_equal(link_delete(&c, ours[0].index), 0);
	channel_close(&c);
}

void bench_await_no_link(void)
{
	assert_int_equal(await_no_link(), 0);
}

/* Those of multicast addresses, which the kernel keeps for itself, do not count. */
static int count_neighbour(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct ndmsg *body = mnl_nlmsg_get_payload(msg);
	int *count = context;

	(void)number;
	*count += msg->nlmsg_type == RTM_NEWNEIGH && body->ndm_type != RTN_MULTICAST &&
	          body->ndm_ifindex != 1;
	return 0;
}

int bench_neighbours(void)
{
	struct channel c;
	int count = 0;

	assert_int_equal(channel_open(&c), 0);
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ndm_family = AF_UNSPEC;
	assert_int_equal(channel_dump(&c, count_neighbour, &count), 0);
	channel_close(&c);
	return count;
}

bool bench_is_routed(const struct bench *b)
{
	struct route_prefix found;
	struct channel c;

	assert_int_equal(channel_open(&c), 0);
	int result = route_overlap(&c, &b->first, 1, &found);

	channel_close(&c);
	assert_return_code(result, -result);
	return result > 0;
}
