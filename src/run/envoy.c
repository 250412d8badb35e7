/* envoy: see the header.
 *
 * The order of what is asked is fixed: who the server is, the run's announcement; then, each time
 * the director asks, counts, bits and the server's bill; at last the run's end. Between them the
 * server is reminded of the run, as it forgets one of which it hears nothing (base/roll.h). A
 * request has time-outs and a bound for its answer; what fails is said, and is not asked again. */
#include "run/envoy.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "out/api_json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CONNECT_NS (2 * NS_PER_S)
#define WHOLE_NS   (10 * NS_PER_S)
#define SOCKET_NS  UINT64_C(50000)    /* and for each that the server may have to count: */
#define ROOM_MOST  UINT64_C(10000000) /* 1 us where it has nothing else to do            */
#define ANNOUNCE_NS                                                                   \
	(30 * NS_PER_S) /* hosts that begin together are taken one by one, 0.2 s each \
	                 */
#define START_MOST_NS (45 * NS_PER_S)
#define LINE_MOST     512 /* bytes of why there is no answer */
#define REMIND_MS     15000
#define AGAIN_NS      (200 * NS_PER_MS)
#define SETTLE_NS     (2 * NS_PER_S) /* until the server has what the client has */
#define BILL_NS       (3 * NS_PER_S) /* until the server has its bill           */

/* What the director writes into the pipe. */
enum order { ORDER_LOOK = '0', ORDER_END = 'e' };

struct envoy {
	const struct envoy_options *options;
	const struct experiment *x;
	struct shm *shm;
	int order[2], ring[2];

	/* as the director sees it */
	unsigned int due; /* answers that are to come */
	bool is_gone;
	bool has_proof; /* found out after the fork (--proof auto): x is each process's own */

	/* written by the envoy */
	char *answer; /* API_ANSWER_MOST bytes */
	uint8_t *bits;
	struct err error;
	uint64_t whole_ns; /* for a request */
	bool is_announced;
	struct result_server told;
};

/* --- asking ------------------------------------------------------------------------------- */

/* What the server says in the place of an answer: one line of ASCII. */
static int refuse_status(const struct envoy *e, const struct fetch *what, unsigned int status,
                         size_t len, struct err *err)
{
	char line[201];
	size_t i;

	for (i = 0;
	     i < len && i + 1 < sizeof(line) && what->into[i] >= ' ' && what->into[i] <= '~';) {
		line[i] = what->into[i];
		i++;
	}
	line[i] = '\0';
	if (status == 401)
		return err_set(err, -EACCES,
		               e->options->token.text[0] == '\0'
		                       ? "wants a token: --server-token-file FILE, or "
		                         "$MEGACONN_TOKEN"
		                       : "does not know this token: --server-token-file, or "
		                         "$MEGACONN_TOKEN, is to be the server's");
	if (status == 404 && !e->is_announced)
		return err_set(err, -ENOENT,
		               "has no %s: it is not of megaconn serve (run with --http)",
		               what->path);
	return err_set(err, status == 507 ? -ENOSPC : -EPROTO, "answers %u to %s: %s", status,
	               what->path, line);
}

/* An answer with status 200, 201 or 204; its length, or a negative errno with `err`. */
static ssize_t ask_for(const struct envoy *e, const struct fetch *what, struct err *err)
{
	struct fetch_host host = {
		.token = e->options->token.text, .connect_ns = CONNECT_NS, .whole_ns = e->whole_ns};
	unsigned int status = 0;
	size_t len = 0;

	memcpy(host.base, e->options->base, sizeof(host.base));
	int failed = fetch(&host, what, &status, &len, err);

	if (failed != 0)
		return failed;
	if (status != 200 && status != 201 && status != 204)
		return refuse_status(e, what, status, len, err);
	return (ssize_t)len;
}

static ssize_t ask(struct envoy *e, const char *method, const char *path, const char *body,
                   struct err *err)
{
	const struct fetch what = {
		.method = method,
		.path = path,
		.body = body,
		.into = e->answer,
		.size = API_ANSWER_MOST,
	};

	return ask_for(e, &what, err);
}

/* "/api/v1/runs/7" and what follows. */
static void path_of_run(const struct envoy *e, const char *rest, char *path, size_t size)
{
	snprintf(path, size, "/api/v1/runs/%u%s", e->told.id, rest);
}

/* --- the announcement --------------------------------------------------------------------- */

/* The addresses that are used: "198.18.0.1-198.18.0.20,198.18.1.1". False where there are too many
 * ranges. */
static bool write_sources(const struct tuple_plan *plan, char *to, size_t size)
{
	char address[IP_TEXT_BYTES];
	uint32_t left = plan->source_count;
	struct text t;

	text_init(&t, to, size);
	for (uint32_t i = 0; i < plan->sources.range_count && left > 0; i++) {
		const struct pool_range *range = &plan->sources.ranges[i];
		uint32_t count = range->count < left ? range->count : left;
		const struct ip last = ip_add(&range->first, count - 1);

		text_add(&t, "%s%s", i > 0 ? "," : "", ip_format(&range->first, address));
		if (count > 1)
			text_add(&t, "-%s", ip_format(&last, address));
		left -= count;
	}
	return !t.cut && t.len > 0;
}

static int announce(struct envoy *e, struct err *err)
{
	static struct roll_said said;
	struct utsname names;

	said.key = e->shm->key;
	said.first = e->x->index_first;
	said.count = e->x->n;
	said.has_sources = write_sources(&e->x->tuples, said.sources, sizeof(said.sources));
	snprintf(said.host, sizeof(said.host), "%s", uname(&names) == 0 ? names.nodename : "");
	api_json_clean(said.host);
	char *body = api_json_said(&said);

	if (!body)
		return err_set(err, -ENOMEM, "no memory to ask with");
	ssize_t len = ask(e, "POST", "/api/v1/runs", body, err);

	/* It may have struck off runs that are gone by this: their places are free in a moment. */
	if (len == -ENOSPC) {
		clock_sleep_ns(ROLL_REST_NS + AGAIN_NS);
		len = ask(e, "POST", "/api/v1/runs", body, err);
	}
	free(body);
	if (len < 0)
		return (int)len;
	return api_read_id(e->answer, (size_t)len, &e->told.id, err);
}

static void take_server(struct envoy *e, const struct api_server *server)
{
	memcpy(e->told.host, server->host, sizeof(e->told.host));
	memcpy(e->told.kernel, server->kernel, sizeof(e->told.kernel));
	memcpy(e->told.version, server->version, sizeof(e->told.version));
	memcpy(e->told.ports, server->ports, sizeof(e->told.ports));
}

/* The line names the server, as the run was not even begun. */
static int introduce(struct envoy *e)
{
	static struct api_server server;
	struct err why = {""};
	ssize_t len = ask(e, "GET", "/api/v1/server", NULL, &why);
	int failed = len < 0 ? (int)len : api_read_server(e->answer, (size_t)len, &server, &why);

	if (failed == 0) {
		take_server(e, &server);
		e->whole_ns = ANNOUNCE_NS;
		failed = announce(e, &why);
	}
	if (failed == -EINVAL || failed == -ENOTSUP)
		return err_set(&e->error, failed,
		               "--server-api %s: its answer is not of megaconn's API: %s",
		               e->options->base, why.text);
	if (failed != 0)
		return err_set(&e->error, failed, "--server-api %s: %s", e->options->base,
		               why.text);
	e->whole_ns = WHOLE_NS + SOCKET_NS * (server.room < ROOM_MOST ? server.room : ROOM_MOST);
	e->is_announced = true;
	return 0;
}

/* --- looking ------------------------------------------------------------------------------ */

static int look(struct envoy *e, struct api_look *out, struct err *err)
{
	char path[64];

	path_of_run(e, "", path, sizeof(path));
	ssize_t len = ask(e, "GET", path, NULL, err);

	return len < 0 ? (int)len : api_read_look(e->answer, (size_t)len, out, err);
}

/* What is on its way to the server when the client is done may take a moment to be counted there.
 */
static bool is_settled(const struct envoy *e, const struct api_look *look)
{
	uint64_t open = shm_open(e->shm, ROLE_CLIENT);
	uint64_t here = e->has_proof ? look->run_open : look->open;
	bool is_seen = look->kernel_of_sources == 0 || look->kernel_of_sources == API_UNKNOWN ||
	               look->kernel_of_sources == open;

	return here == open && is_seen;
}

static int look_settled(struct envoy *e, struct api_look *out, struct err *err)
{
	uint64_t end_ns = clock_now_ns() + SETTLE_NS;
	int failed;

	while ((failed = look(e, out, err)) == 0 && !is_settled(e, out) && clock_now_ns() < end_ns)
		clock_sleep_ns(AGAIN_NS);
	return failed;
}

static size_t bits_bytes(const struct experiment *x)
{
	return (size_t)((x->n + 7) / 8);
}

/* Straight into the servers' bits, which nobody else writes here. */
static int take_bits(struct envoy *e, unsigned int round, struct err *err)
{
	char path[64], rest[24];
	size_t wanted = bits_bytes(e->x);

	snprintf(rest, sizeof(rest), "/proved/%u", round + 1);
	path_of_run(e, rest, path, sizeof(path));
	const struct fetch what = {
		.method = "GET", .path = path, .into = (char *)e->bits, .size = wanted + LINE_MOST};
	ssize_t len = ask_for(e, &what, err);

	if (len < 0)
		return (int)len;
	if ((size_t)len != wanted)
		return err_set(err, -EPROTO, "answers %zd bytes to %s, not %zu", len, path, wanted);
	shm_set_bits(e->shm, ROLE_SERVER, round, e->bits);
	return 0;
}

/* The server takes it when its most has stood for a second: at the end it is waited for. */
static void take_bill(struct envoy *e, unsigned int round)
{
	uint64_t end_ns = clock_now_ns() + (round > 0 ? BILL_NS : 0);
	struct err ignored;

	for (;;) {
		ssize_t len = ask(e, "GET", "/api/v1/bill", NULL, &ignored);

		if (len >= 0 &&
		    api_read_bill(e->answer, (size_t)len, &e->told.memory, &ignored) == 0)
			e->told.has_memory = true;
		if (len != -EPROTO || clock_now_ns() >= end_ns)
			return;
		clock_sleep_ns(AGAIN_NS);
	}
}

static void answer_look(struct envoy *e, unsigned int round)
{
	struct err err = {""};
	struct api_look *out = &e->told.looks[round];
	int failed = look_settled(e, out, &err);

	if (failed == 0 && e->has_proof)
		failed = take_bits(e, round, &err);
	if (failed != 0) {
		snprintf(e->told.unknown, sizeof(e->told.unknown), "%.200s", err.text);
		return;
	}
	e->told.has_look[round] = true;
	take_bill(e, round);
}

/* --- the process -------------------------------------------------------------------------- */

static void remind(struct envoy *e)
{
	char path[64];
	struct err ignored;

	path_of_run(e, "/proved/1", path, sizeof(path));
	(void)ask(e, "HEAD", path, NULL, &ignored);
}

static void end(struct envoy *e)
{
	char path[64];
	struct err ignored;

	path_of_run(e, "", path, sizeof(path));
	(void)ask(e, "DELETE", path, NULL, &ignored);
}

/* Whether it goes on. */
static bool obey(struct envoy *e)
{
	char order;

	if (read(e->order[0], &order, 1) != 1)
		return false; /* the director is gone */
	if (order == ORDER_END) {
		end(e);
		return false;
	}
	answer_look(e, (unsigned int)(order - ORDER_LOOK));
	return write(e->ring[1], "a", 1) == 1;
}

static void live(struct envoy *e)
{
	struct pollfd orders = {.fd = e->order[0], .events = POLLIN};

	for (;;) {
		int count = poll(&orders, 1, REMIND_MS);

		if (count == 0)
			remind(e);
		else if (count > 0 && !obey(e))
			return;
	}
}

static void run(struct envoy *e, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "mc-envoy");
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	close(e->order[1]);
	close(e->ring[0]);
	(void)introduce(e);
	if (write(e->ring[1], "a", 1) == 1 && e->is_announced)
		live(e);
	_exit(EXIT_PASS);
}

/* --- the director's side ------------------------------------------------------------------ */

static struct envoy *make(const struct envoy_options *options, const struct experiment *x,
                          struct shm *shm)
{
	struct envoy *e = map_shared(sizeof(*e));

	if (!e)
		return NULL;
	e->options = options;
	e->x = x;
	e->shm = shm;
	e->answer = map_private(API_ANSWER_MOST);
	e->bits = map_private(bits_bytes(x) + LINE_MOST);
	e->whole_ns = WHOLE_NS;
	e->due = 1; /* the announcement */
	e->told.has = true;
	memcpy(e->told.api, options->base, sizeof(e->told.api));
	if (!e->answer || !e->bits || pipe2(e->order, O_CLOEXEC) != 0 ||
	    pipe2(e->ring, O_CLOEXEC | O_NONBLOCK) != 0)
		return NULL;
	return e;
}

bool envoy_has_answered(struct envoy *e)
{
	char rung[8];
	ssize_t count = e->is_gone ? 0 : read(e->ring[0], rung, sizeof(rung));

	e->is_gone = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
	if (count > 0)
		e->due -= (unsigned int)count;
	return e->due == 0 || e->is_gone;
}

/* At most two looks, the bits and the bill. */
uint64_t envoy_most_ns(const struct envoy *e)
{
	return 4 * e->whole_ns + SETTLE_NS + BILL_NS;
}

/* False where the lifeline speaks: then the run is over before it has begun. */
static bool wait_announced(struct envoy *e, int lifeline)
{
	struct pollfd fds[2] = {{.fd = e->ring[0], .events = POLLIN},
	                        {.fd = lifeline, .events = POLLIN}};
	uint64_t end_ns = clock_now_ns() + START_MOST_NS;

	while (poll(fds, 2, clock_timeout_ms(end_ns)) < 0 && errno == EINTR)
		;
	return fds[1].revents == 0 || fds[0].revents != 0;
}

struct envoy *envoy_start(const struct envoy_options *options, const struct experiment *x,
                          struct shm *shm, int lifeline, struct err *err)
{
	struct envoy *e = make(options, x, shm);
	pid_t parent = getpid();
	pid_t pid = e ? fork() : -1;

	if (pid == 0)
		run(e, parent);
	if (pid < 0) {
		err_set(err, -ENOMEM, "--server-api: no memory, or no process, to ask with");
		return NULL;
	}
	close(e->order[0]);
	close(e->ring[1]);
	if (!wait_announced(e, lifeline)) {
		shm_set(shm->stop, STOP_INTERRUPTED);
		return e;
	}
	if (envoy_has_answered(e) && e->is_announced)
		return e;
	if (e->error.text[0] == '\0')
		err_set(&e->error, -ETIMEDOUT, "--server-api %s: does not answer", options->base);
	*err = e->error;
	return NULL;
}

void envoy_ask(struct envoy *e, unsigned int round)
{
	char order = (char)(ORDER_LOOK + (int)round);

	e->has_proof = e->x->proof;
	e->due++; /* beside one that was not waited for any longer */
	if (write(e->order[1], &order, 1) != 1)
		e->is_gone = true;
}

void envoy_fill(const struct envoy *e, struct result_server *out)
{
	*out = e->told;
	if (e->is_gone && out->unknown[0] == '\0')
		snprintf(out->unknown, sizeof(out->unknown), "the process that asks it has died");
	else if (e->due > 0 && out->unknown[0] == '\0')
		snprintf(out->unknown, sizeof(out->unknown),
		         "had not answered when the run went on");
}

void envoy_end(struct envoy *e)
{
	char order = ORDER_END;

	if (!e->is_gone)
		(void)!write(e->order[1], &order, 1);
}
