/* classic: the baseline that megaconn is measured against, in the design that everybody knows.
 *
 * Blocking processes, as many as the descriptor limit demands, half of them clients and half of
 * them servers. A client does socket, setsockopt, bind, connect in a loop, a server accept in a
 * loop; descriptors are ordinary ones, nobody pauses. Two ways to more connections than one
 * address has ports:
 *
 *   --solution 1   many source IPs (127.0.0.2 ...) to one port; the parent makes the listening
 *                  socket and all servers accept on it, each up to its own limit
 *   --solution 2   one source IP to many ports (8090 ...); each server has a port of its own
 *
 * Everything runs in a network namespace of its own (root: the namespace alone; others: in a user
 * namespace), with a TCP hash that fits N, so that the host's settings do not count. Children wait
 * behind a pipe until all of them exist; the baseline of the memory is taken then, so that what a
 * process costs the kernel is not in the bill, what its descriptor table costs is. User memory is
 * what the children share with nobody. CPU time is theirs, from their birth to the ramp's end: as
 * megaconn counts that of its workers.
 *
 * Limits: IPv4 over loopback; kernel and memory figures are the machine's, so nothing else may make
 * sockets meanwhile; readers of /proc/PID/fd (monitoring) add to the slabs; 300 seconds at most.
 */
#include "classic/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER_IP   0x7f000001u /* 127.0.0.1 */
#define SOURCE_IP   0x7f000002u /* 127.0.0.2, and up */
#define SERVER_PORT 8090
#define PORT_LO     10240
#define PORT_HI     65535
#define PORTS       (PORT_HI - PORT_LO + 1)
#define SERVERS_MAX (PORT_LO - SERVER_PORT) /* server ports stay below the clients' */
#define SPARE_FDS   100
#define BACKLOG     65535
#define TARGET_MAX  (16u << 20) /* pairs */
#define PAIR_BYTES  11000       /* generous: refuses before the machine runs out of memory */
#define GIVE_UP_S   300
#define STALLED_S   20 /* longer than a few retransmissions of a SYN */
#define CPU_REPORT  1024

/* One cache line each: a child writes its own, the parent reads all. */
struct child {
	_Alignas(64) _Atomic uint64_t held; /* connections */
	_Atomic int64_t cpu_us;             /* user and system time */
	_Atomic int error;                  /* errno of the call that stopped it, or 0 */
	_Atomic bool ready;                 /* waits for the start */
	_Atomic bool done;                  /* will not make any more */
	pid_t pid;                          /* the parent's */
};

struct shared {
	_Alignas(64) _Atomic uint64_t tickets; /* solution 1: pairs that a server has claimed */
	struct child children[];               /* servers, then clients */
};

struct bench {
	uint64_t target;
	int solution;
	uint64_t servers, clients;
	uint64_t per_server, per_client; /* connections of one process */
	uint64_t limit;                  /* descriptors of one process for connections */
	struct shared *shared;
	int start_pipe[2], stop_pipe[2]; /* closed by the parent: go */
	pid_t parent;
};

struct outcome {
	uint64_t established;
	int64_t ramp_ns, cpu_us, teardown_ns;
	int64_t user_bytes; /* -1: not known */
	struct memory before, after;
	bool torn_down;
};

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* What process `i` of those that take `per` each has to make. */
static uint64_t share(uint64_t target, uint64_t per, uint64_t i)
{
	uint64_t begin = per * i;

	if (begin >= target)
		return 0;
	return target - begin < per ? target - begin : per;
}

/* ---- children ---------------------------------------------------------------------------- */

static struct sockaddr_in address(uint64_t ip, uint64_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl((uint32_t)ip),
	};
}

static int tcp_socket(const struct sockaddr_in *local)
{
	const int one = 1;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)local, sizeof(*local)) < 0) {
		const int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

static int listen_on(uint64_t port)
{
	const struct sockaddr_in local = address(SERVER_IP, port);
	const int fd = tcp_socket(&local);

	if (fd >= 0 && listen(fd, BACKLOG) < 0) {
		const int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

/* Opens connection `index`; the descriptor is kept by being kept open. */
static int open_connection(const struct bench *b, uint64_t index)
{
	struct sockaddr_in local, remote;
	int fd;

	if (b->solution == 1) {
		local = address(SOURCE_IP + index / PORTS, PORT_LO + index % PORTS);
		remote = address(SERVER_IP, SERVER_PORT);
	} else {
		local = address(SOURCE_IP, PORT_LO + index % b->per_server);
		remote = address(SERVER_IP, SERVER_PORT + index / b->per_server);
	}
	fd = tcp_socket(&local);
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&remote, sizeof(remote)) < 0) {
		const int code = -errno;

		close(fd);
		return code;
	}
	return 0;
}

static void count_connection(struct child *c, uint64_t held)
{
	/* The only writer: a store is enough. */
	atomic_store_explicit(&c->held, held, memory_order_release);
	if (held % CPU_REPORT == 0)
		atomic_store_explicit(&c->cpu_us, cpu_us(), memory_order_relaxed);
}

static int run_client(const struct bench *b, uint64_t i, struct child *c)
{
	const uint64_t count = share(b->target, b->per_client, i);

	for (uint64_t n = 0; n < count; n++) {
		const int r = open_connection(b, b->per_client * i + n);

		if (r < 0)
			return r;
		count_connection(c, n + 1);
	}
	return 0;
}

/* Solution 1: a ticket before each accept, so that no server is left waiting in the last one. */
static int run_server(const struct bench *b, uint64_t i, int listener, struct child *c)
{
	const uint64_t count = b->solution == 1 ? b->limit : share(b->target, b->per_server, i);

	for (uint64_t n = 0; n < count; n++) {
		if (b->solution == 1 && atomic_fetch_add(&b->shared->tickets, 1) >= b->target)
			break;
		if (accept(listener, NULL, NULL) < 0)
			return -errno;
		count_connection(c, n + 1);
	}
	return 0;
}

static void wait_for_close(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

/* The life of a child; `slot` counts the servers first, then the clients. */
static void child_main(const struct bench *b, uint64_t slot, int listener)
{
	struct child *c = &b->shared->children[slot];
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != b->parent)
		_exit(1);
	close(b->start_pipe[1]);
	close(b->stop_pipe[1]);
	atomic_store(&c->ready, true);
	wait_for_close(b->start_pipe[0]);

	if (slot < b->servers)
		r = run_server(b, slot, listener, c);
	else
		r = run_client(b, slot - b->servers, c);
	atomic_store(&c->cpu_us, cpu_us());
	atomic_store(&c->error, -r);
	atomic_store(&c->done, true);

	wait_for_close(b->stop_pipe[0]);
	_exit(0);
}

static int start_child(struct bench *b, uint64_t slot, int listener)
{
	const pid_t pid = fork();

	if (pid == 0)
		child_main(b, slot, listener);
	b->shared->children[slot].pid = pid;
	if (pid < 0) {
		complain("process %" PRIu64 ": %s", slot + 1, strerror(errno));
		return -1;
	}
	return 0;
}

/* A listening socket is the parent's only until its servers have it. */
static int start_children(struct bench *b)
{
	int listener = -1, r = 0;

	for (uint64_t i = 0; i < b->servers && r == 0; i++) {
		if (b->solution == 2 || i == 0)
			listener = listen_on(SERVER_PORT + i);
		if (listener < 0) {
			complain("listening on port %" PRIu64 ": %s", SERVER_PORT + i,
			         strerror(-listener));
			return -1;
		}
		r = start_child(b, i, listener);
		if (b->solution == 2 || i + 1 == b->servers)
			close(listener);
	}
	for (uint64_t i = 0; i < b->clients && r == 0; i++)
		r = start_child(b, b->servers + i, -1);
	for (uint64_t i = 0; i < b->servers + b->clients && r == 0;) {
		if (atomic_load(&b->shared->children[i].ready))
			i++;
		else
			sleep_ms(1);
	}
	return r;
}

/* ---- the experiment ---------------------------------------------------------------------- */

struct progress {
	uint64_t accepted, connected, servers_done, clients_done;
};

static struct progress progress_now(const struct bench *b)
{
	struct progress p = {0};

	for (uint64_t i = 0; i < b->servers + b->clients; i++) {
		const struct child *c = &b->shared->children[i];

		if (i < b->servers) {
			p.accepted += atomic_load_explicit(&c->held, memory_order_acquire);
			p.servers_done += atomic_load(&c->done);
			continue;
		}
		p.connected += atomic_load_explicit(&c->held, memory_order_acquire);
		p.clients_done += atomic_load(&c->done);
	}
	return p;
}

/* Whether nothing more can come: connections that no server will accept are none. */
static bool exhausted(const struct bench *b, const struct progress *p)
{
	return p->clients_done == b->clients &&
	       (p->accepted >= p->connected || p->servers_done == b->servers);
}

/* Waits for the end of the ramp and returns the pairs; `*end_ns` is when the last of them came. */
static uint64_t wait_for_ramp(const struct bench *b, int64_t start_ns, int64_t *end_ns)
{
	uint64_t last = 0;

	*end_ns = start_ns;
	for (;;) {
		const struct progress p = progress_now(b);
		const uint64_t sum = p.accepted + p.connected;
		const uint64_t pairs = p.accepted < p.connected ? p.accepted : p.connected;
		const int64_t now = now_ns();

		if (sum != last)
			*end_ns = now;
		last = sum;
		if (pairs >= b->target || exhausted(b, &p))
			return pairs;
		if (now - *end_ns > STALLED_S * NS_PER_S) {
			complain("no connection more for %d s", STALLED_S);
			return pairs;
		}
		if (now - start_ns > GIVE_UP_S * NS_PER_S) {
			complain("given up after %d s", GIVE_UP_S);
			return pairs;
		}
		sleep_ms(1);
	}
}

/* Those who have made all their connections report just after the last one. */
static int64_t children_cpu_us(const struct bench *b, bool complete)
{
	const int64_t deadline = now_ns() + NS_PER_S;
	int64_t sum = 0;

	for (uint64_t i = 0; i < b->servers + b->clients; i++) {
		const struct child *c = &b->shared->children[i];

		while (complete && !atomic_load(&c->done) && now_ns() < deadline)
			sleep_ms(1);
		sum += atomic_load(&c->cpu_us);
	}
	return sum;
}

static int64_t children_private_bytes(const struct bench *b)
{
	int64_t sum = 0;

	for (uint64_t i = 0; i < b->servers + b->clients; i++) {
		const int64_t bytes = private_bytes(b->shared->children[i].pid);

		if (bytes < 0)
			return -1;
		sum += bytes;
	}
	return sum;
}

static void report_errors(const struct bench *b)
{
	uint64_t failed = 0, first = 0;

	for (uint64_t i = 0; i < b->servers + b->clients; i++) {
		if (!atomic_load(&b->shared->children[i].error))
			continue;
		if (failed++ == 0)
			first = i;
	}
	if (failed == 0)
		return;
	complain("%" PRIu64 " of %" PRIu64 " processes stopped early; the first, a %s, at %" PRIu64
	         " connections: %s",
	         failed, b->servers + b->clients, first < b->servers ? "server" : "client",
	         atomic_load(&b->shared->children[first].held),
	         strerror(atomic_load(&b->shared->children[first].error)));
}

/* Ends all children and reaps them; those that still wait for a connection need the signal. */
static void end_children(struct bench *b, bool complete)
{
	close(b->stop_pipe[1]);
	for (uint64_t i = 0; i < b->servers + b->clients; i++) {
		if (b->shared->children[i].pid > 0 && !complete)
			kill(b->shared->children[i].pid, SIGKILL);
	}
	for (uint64_t i = 0; i < b->servers + b->clients; i++) {
		if (b->shared->children[i].pid > 0)
			waitpid(b->shared->children[i].pid, NULL, 0);
	}
}

static void tear_down(struct bench *b, struct outcome *o)
{
	const int64_t start_ns = now_ns();
	const int64_t enough = o->before.sockets + (int64_t)b->target / 100;

	end_children(b, o->established == b->target);
	for (;;) {
		o->teardown_ns = now_ns() - start_ns;
		if (sockets_allocated() <= enough) {
			o->torn_down = true;
			return;
		}
		if (o->teardown_ns > GIVE_UP_S * NS_PER_S) {
			complain("the kernel still has sockets after %d s", GIVE_UP_S);
			return;
		}
		sleep_ms(5);
	}
}

static void run(struct bench *b, struct outcome *o)
{
	int64_t start_ns, end_ns;
	bool complete;

	wait_until_quiet(b->target);
	o->before = memory_now();
	start_ns = now_ns();
	close(b->start_pipe[1]);
	o->established = wait_for_ramp(b, start_ns, &end_ns);
	o->ramp_ns = end_ns - start_ns;
	complete = o->established == b->target;
	o->after = memory_now();
	o->cpu_us = children_cpu_us(b, complete);
	o->user_bytes = children_private_bytes(b);
	report_errors(b);
	tear_down(b, o);
}

static void print_figure(const char *key, double value)
{
	if (isfinite(value))
		printf(",\"%s\":%.3f", key, value);
	else
		printf(",\"%s\":null", key);
}

static void print_outcome(const struct bench *b, const struct outcome *o)
{
	const double ramp_s = (double)o->ramp_ns / NS_PER_S;

	printf("{\"design\":\"classic\",\"solution\":%d,\"target\":%" PRIu64
	       ",\"established\":%" PRIu64 ",\"ramp_s\":%.3f,\"rate_per_s\":%.0f",
	       b->solution, b->target, o->established, ramp_s, (double)o->established / ramp_s);
	/* With no pair there is no price of one. */
	if (o->established > 0) {
		const double pairs = (double)o->established;

		print_figure("cpu_us_per_pair", (double)o->cpu_us / pairs);
		print_figure("kernel_bytes_per_pair",
		             (double)(o->after.kernel_bytes - o->before.kernel_bytes) / pairs);
		print_figure("user_bytes_per_pair",
		             o->user_bytes < 0 ? NAN : (double)o->user_bytes / pairs);
		print_figure("memfree_bytes_per_pair",
		             (double)(o->before.free_bytes - o->after.free_bytes) / pairs);
	}
	print_figure("teardown_s", o->torn_down ? (double)o->teardown_ns / NS_PER_S : NAN);
	printf("}\n");
}

/* ---- setting up -------------------------------------------------------------------------- */

static int parse_count(const char *text, uint64_t *out)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		return -1;
	if (*end == 'k' || *end == 'M') {
		const unsigned long long unit = *end == 'k' ? 1000 : 1000000;

		if (n > TARGET_MAX / unit)
			return -1;
		n *= unit;
		end++;
	}
	if (*end || n == 0 || n > TARGET_MAX)
		return -1;
	*out = n;
	return 0;
}

static int parse_options(int argc, char **argv, struct bench *b)
{
	static const struct option options[] = {{"solution", required_argument, NULL, 's'}, {0}};
	int c;

	b->solution = 1;
	while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		if (c == 'n' && parse_count(optarg, &b->target) == 0)
			continue;
		if (c == 's' && (strcmp(optarg, "1") == 0 || strcmp(optarg, "2") == 0)) {
			b->solution = optarg[0] - '0';
			continue;
		}
		return -1;
	}
	return b->target > 0 && optind == argc ? 0 : -1;
}

/* How many processes it takes: the descriptor limit says so, and the ports in solution 2. */
static int plan(struct bench *b)
{
	struct rlimit lim;
	const int64_t cache = meminfo_bytes("Cached:") - meminfo_bytes("Shmem:");
	const int64_t usable = meminfo_bytes("MemFree:") + (cache > 0 ? cache : 0);
	uint64_t server_limit;

	if ((int64_t)b->target * PAIR_BYTES > usable) {
		complain("%" PRIu64 " pairs want about %" PRIu64 " MiB, %" PRId64 " MiB are free",
		         b->target, b->target * PAIR_BYTES >> 20, usable >> 20);
		return -1;
	}
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -1;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur <= SPARE_FDS) {
		complain("the limit of descriptors is too small: %ju", (uintmax_t)lim.rlim_cur);
		return -1;
	}
	b->limit = lim.rlim_cur - SPARE_FDS;
	server_limit = b->solution == 2 && b->limit > PORTS ? PORTS : b->limit;
	b->clients = divide_up(b->target, b->limit);
	b->servers = divide_up(b->target, server_limit);
	b->per_client = divide_up(b->target, b->clients);
	b->per_server = divide_up(b->target, b->servers);
	if (b->solution == 2 && b->servers > SERVERS_MAX) {
		complain("%" PRIu64 " server ports, at most %d: raise the limit of descriptors",
		         b->servers, SERVERS_MAX);
		return -1;
	}
	return 0;
}

static int make_shared(struct bench *b)
{
	const uint64_t count = b->servers + b->clients;

	b->shared = mmap(NULL, sizeof(struct shared) + count * sizeof(struct child),
	                 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (b->shared == MAP_FAILED || pipe(b->start_pipe) < 0 || pipe(b->stop_pipe) < 0) {
		complain("setting up: %s", strerror(errno));
		return -1;
	}
	b->parent = getpid();
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	struct outcome o = {0};

	if (parse_options(argc, argv, &b) < 0) {
		fputs("usage: classic -n N [--solution 1|2]   N: 1 .. 16777216, 200k, 1M\n",
		      stderr);
		return 2;
	}
	if (plan(&b) < 0 || enter_namespace(b.target) < 0 || make_shared(&b) < 0)
		return 1;
	if (start_children(&b) < 0) {
		end_children(&b, false);
		return 1;
	}
	run(&b, &o);
	print_outcome(&b, &o);
	return o.established == b.target ? 0 : 1;
}
