/* utcp: the loop: device -> packet -> tcp -> packet -> device.
 *
 * Theory of operation
 *
 * The table has a record of 32 bytes for each index, mapped and zero; what is never used costs
 * nothing. A packet's 4-tuple gives the index (plan/tuple), the index the record; there is no hash
 * table, and nothing is allocated.
 *
 * A poll exchanges a batch with the device: what has been put since the last one goes out, what has
 * come is taken frame by frame through the state machine, whose wishes are carried out: segments
 * are put, events told, the timer set. Calls between polls put segments, and tell nothing: what
 * they have to tell is told by the timer, at once.
 *
 * A frame that brings data before the caller has asked for it is kept, where the caller is yet to
 * see other events: it may ask when it has. Else it is dropped, and the peer sends it again. */
#include "utcp/utcp.h"

#include "base/clock.h"
#include "base/map.h"
#include "utcp/device_lan.h"
#include "utcp/device_packet.h"
#include "utcp/device_tun.h"
#include "utcp/iss.h"
#include "utcp/packet.h"
#include "utcp/utcp_carry.h"
#include "utcp/utcp_poll.h"
#include "utcp/utcp_state.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_NS        (10 * NS_PER_MS)
#define MTU            1500
#define HEADERS_IPV4   40
#define HEADERS_IPV6   60
#define CLOSE_STILL_NS (2 * NS_PER_S) /* without progress, then the rest is reset */
#define CLOSE_BATCH    64
#define QUIET_NS       NS_PER_S /* several of a peer's first time-outs */
#define QUIET_MOST_NS  (10 * NS_PER_S)

static_assert(TCP_MESSAGE_MOST == ENGINE_SEND_MAX, "a send is a message");
static_assert(PACKET_DATA_MOST == TCP_MESSAGE_MOST, "a message fits into a packet");

static struct utcp *utcp_of(struct engine *e)
{
	return (struct utcp *)(void *)e;
}

/* --- what the caller does -------------------------------------------------------------------- */

static int utcp_listen(struct engine *e, int fd)
{
	(void)e;
	(void)fd;
	return -EOPNOTSUPP;
}

static void utcp_accept(struct engine *e, bool on)
{
	(void)e;
	(void)on;
}

/* The plan says from where to where. */
static void utcp_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                         const struct sockaddr *target, socklen_t len)
{
	struct utcp *u = utcp_of(e);
	struct about about = utcp_about(u, index);
	const struct tuple tuple = tuple_at(u->tuples, (uint64_t)u->first + index);
	uint64_t now_ns = clock_now_ns();
	struct tcp_out out;

	(void)source;
	(void)target;
	(void)len;
	about.tuple = &tuple;
	tcp_connect(&u->conns[index], &u->path, iss_of(u->key, &tuple, now_ns), now_ns, &out);
	utcp_carry(u, &about, &out);
}

static int utcp_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	struct utcp *u = utcp_of(e);
	struct about about = utcp_about(u, index);
	struct tcp_out out;

	about.message = data;
	tcp_send(&u->conns[index], &u->path, (uint8_t)len, clock_now_ns(), &out);
	utcp_carry(u, &about, &out);
	return 0;
}

static void utcp_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct utcp *u = utcp_of(e);
	const struct about about = utcp_about(u, index);
	struct tcp_out out;

	(void)wait; /* it costs nothing either way */
	tcp_receive(&u->conns[index], clock_now_ns(), &out);
	utcp_carry(u, &about, &out);
}

static const enum tcp_close closes[] = {
	[ENGINE_CLOSE_FIN] = TCP_CLOSE_FIN,
	[ENGINE_CLOSE_RESET] = TCP_CLOSE_RESET,
	[ENGINE_CLOSE_SILENT] = TCP_CLOSE_SILENT,
};

static void utcp_close(struct engine *e, uint32_t index, enum engine_close how)
{
	struct utcp *u = utcp_of(e);
	const struct about about = utcp_about(u, index);
	struct tcp_out out;

	tcp_close(&u->conns[index], &u->path, closes[how], clock_now_ns(), &out);
	utcp_carry(u, &about, &out);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Takes what comes, and tells nobody. */
static int turn_unheard(struct utcp *u)
{
	struct engine_event unheard[CLOSE_BATCH];

	u->events = unheard;
	u->event_max = CLOSE_BATCH;
	u->event_count = 0;
	u->left_count = 0;
	return utcp_turn(u);
}

/* Those that the caller has closed in order go on with that. */
static int close_each(struct utcp *u, enum engine_close how)
{
	int failed = 0;

	for (uint32_t i = 0, closed = 0; i < u->count && failed >= 0; i++) {
		const struct tcp_conn *c = &u->conns[i];

		if (!tcp_is_alive(c) || (how == ENGINE_CLOSE_FIN && !(c->flags & TCP_FLAG_HELD)))
			continue;
		utcp_close(&u->engine, i, how);
		if (++closed % CLOSE_BATCH == 0)
			failed = turn_unheard(u);
	}
	return failed < 0 ? failed : device_flush(u->device);
}

/* Until every peer has closed, too, or none has for a while. */
static int await_closed(struct utcp *u)
{
	uint32_t fewest = u->alive;
	uint64_t since_ns = clock_now_ns();
	int count = 0;

	while (u->alive > 0 && count >= 0) {
		count = turn_unheard(u);
		if (u->alive < fewest) {
			fewest = u->alive;
			since_ns = u->now_ns;
		} else if (u->now_ns - since_ns > CLOSE_STILL_NS) {
			break;
		}
		if (count == 0)
			count = utcp_sleep_until(u, since_ns + CLOSE_STILL_NS);
	}
	return count;
}

/* A wire that has lost segments may lose the last ACKs: a peer then sends its FIN again, which is
 * what TIME_WAIT is for. As long as something comes, but not for ever. */
static int await_quiet(struct utcp *u)
{
	uint64_t start_ns = clock_now_ns(), heard_ns = start_ns;
	int count = 0;

	u->now_ns = start_ns; /* it may be of a turn long ago */
	while (count >= 0 && u->now_ns - heard_ns < QUIET_NS &&
	       u->now_ns - start_ns < QUIET_MOST_NS) {
		count = turn_unheard(u);
		if (count > 0)
			heard_ns = u->now_ns;
		else if (count == 0)
			count = utcp_sleep_until(u, heard_ns + QUIET_NS);
	}
	return count;
}

static void utcp_close_all(struct engine *e, enum engine_close how)
{
	struct utcp *u = utcp_of(e);
	int failed = close_each(u, how);

	if (how == ENGINE_CLOSE_FIN && failed >= 0)
		failed = await_closed(u);
	if (how == ENGINE_CLOSE_FIN && failed >= 0 && u->path.retransmitted > 0)
		failed = await_quiet(u);
	if (u->alive > 0 && failed >= 0)
		(void)close_each(u, ENGINE_CLOSE_RESET);
	(void)device_flush(u->device); /* the ACKs of the last FINs */
	utcp_publish_counts(u);
}

static void utcp_shut(struct engine *e)
{
	struct utcp *u = utcp_of(e);

	device_close(u->device);
	if (u->bell_fd >= 0)
		close(u->bell_fd);
	map_drop(u->conns, u->count * sizeof(*u->conns));
	map_drop(u, sizeof(*u));
}

/* A device that fails says so to the next poll, too. */
static void flush(struct engine *e)
{
	(void)device_flush(utcp_of(e)->device);
}

static int poll_events(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	return utcp_poll(utcp_of(e), events, max, deadline_ns);
}

static const struct engine_ops ops = {
	.name = "utcp",
	.listen = utcp_listen,
	.accept = utcp_accept,
	.connect = utcp_connect,
	.send = utcp_send,
	.receive = utcp_receive,
	.close = utcp_close,
	.flush = flush,
	.poll = poll_events,
	.close_all = utcp_close_all,
	.shut = utcp_shut,
};

/* --- opening --------------------------------------------------------------------------------- */

static int open_device(enum engine_kind kind, const struct device_config *config,
                       struct device **out, struct err *err)
{
	return kind == ENGINE_TUN ? device_tun_open(config, out, err)
	                          : device_packet_open(config, out, err);
}

/* Those of the plan's sources that the indexes are of. */
static struct device_config own_sources(const struct engine_config *config)
{
	uint64_t each = tuple_per_source(config->tuples), first = config->first;
	uint64_t end = (first + config->connections + each - 1) / each;

	return (struct device_config){
		.tuples = config->tuples,
		.first_source = (uint32_t)(first / each),
		.source_count = (uint32_t)(end - first / each),
		.taken = config->taken,
	};
}

/* The wake-up is watched for edges: all who share it are woken by a write, and nobody reads it. */
static int open_bell(struct utcp *u, int wake_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	u->bell_fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->bell_fd < 0)
		return -errno;
	return epoll_ctl(u->bell_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0 ? 0 : -errno;
}

static struct utcp *make(const struct engine_config *config)
{
	struct utcp *u = map_private(sizeof(*u));
	struct tcp_conn *conns = map_private(config->connections * sizeof(*conns));

	if (!u || !conns) {
		map_drop(u, sizeof(*u));
		map_drop(conns, config->connections * sizeof(*conns));
		return NULL;
	}
	u->engine = (struct engine){
		.ops = &ops, .index_end = config->connections, .send_most = ENGINE_SEND_MAX};
	u->tuples = config->tuples;
	u->first = config->first;
	u->count = config->connections;
	u->message = config->message;
	u->message_context = config->message_context;
	u->packets = config->packets;
	u->bell_fd = -1;
	if (getrandom(u->key, sizeof(u->key), 0) < 0)
		u->key[0] = clock_now_ns();
	u->conns = conns;
	wheel_init(&u->wheel, &conns->timer, sizeof(*conns), u->count, TICK_NS, clock_now_ns());
	tcp_path_init(&u->path, config->tuples->target.family == AF_INET6 ? MTU - HEADERS_IPV6
	                                                                  : MTU - HEADERS_IPV4);
	return u;
}

int utcp_open_over(struct device *device, const struct engine_config *config, struct engine **out,
                   struct err *err)
{
	struct utcp *u = make(config);
	int failed;

	assert(config->tuples->by_source);
	if (!u) {
		device_close(device);
		return err_set(err, -ENOMEM, "no memory for the clients' table");
	}
	u->device = device;
	failed = open_bell(u, config->wake_fd);
	if (failed != 0) {
		utcp_shut(&u->engine);
		return err_set(err, failed, "cannot watch for wake-ups: %s", strerror(-failed));
	}
	*out = &u->engine;
	return 0;
}

int utcp_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
              struct err *err)
{
	const struct device_config sources = own_sources(config);
	struct device *device;
	int failed = config->lan ? device_lan_open(&sources, config->lan, &device, err)
	                         : open_device(kind, &sources, &device, err);

	return failed == 0 ? utcp_open_over(device, config, out, err) : failed;
}

/* --- probing --------------------------------------------------------------------------------- */

/* In a child: a device that leads to no source. */
static int try_device(enum engine_kind kind, bool is_private, struct err *why)
{
	static struct tuple_plan nowhere = {.target = {.family = AF_INET}};
	const struct device_config config = {.tuples = &nowhere};
	int flags = CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
	struct device *device;

	if (is_private && unshare(flags) != 0)
		return err_set(why, -errno, "cannot make a private network namespace: %s",
		               strerror(errno));
	return open_device(kind, &config, &device, why);
}

int utcp_probe(enum engine_kind kind, bool is_private, struct err *why)
{
	struct shared {
		int failed;
		struct err why;
	} *said = map_shared(sizeof(*said));
	int failed = -ECHILD;
	pid_t pid;

	if (!said)
		return err_set(why, -ENOMEM, "no memory to try %s out", engine_kind_name(kind));
	said->failed = err_set(&said->why, failed, "the process that tried %s out was ended",
	                       engine_kind_name(kind));
	pid = fork();
	if (pid == 0) {
		said->failed = try_device(kind, is_private, &said->why);
		_exit(0);
	}
	if (pid < 0)
		said->failed = err_set(&said->why, -errno, "cannot fork: %s", strerror(errno));
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	failed = said->failed;
	if (failed != 0)
		*why = said->why;
	map_drop(said, sizeof(*said));
	return failed;
}
