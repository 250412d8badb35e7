/* serve_api: see the header. What it asks of the kernel is asked for each look: a million sockets
 * take about a second, in the thread that answers, not in the run's processes. */
#include "run/serve_api.h"

#include "base/clock.h"
#include "base/mix.h"
#include "base/text.h"
#include "base/version.h"
#include "out/api_json.h"
#include "plan/pool.h"
#include "run/census.h"
#include "run/peers.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ROOM_TIMES   4 /* so often the server's own room, of announced indexes */
#define ROOM_LEAST   UINT64_C(4000000)
#define INDEXES_MOST (UINT64_C(1) << 32)
#define IDS_FROM     1000000000 /* below it */
#define PATH_MOST_NS (500 * NS_PER_MS)
#define PATH_LOOK_NS (5 * NS_PER_MS)

/* enum serve_mode */
static const char *const modes[] = {
	[SERVE_ECHO] = "echo", [SERVE_HOLD] = "hold",       [SERVE_HTTP] = "http",
	[SERVE_PUSH] = "push", [SERVE_DISCARD] = "discard", [SERVE_CHARGEN] = "chargen",
};

int serve_api_make(struct serve_api *api, const struct experiment *x, struct shm *shm)
{
	uint64_t indexes = ROOM_TIMES * x->n > ROOM_LEAST ? ROOM_TIMES * x->n : ROOM_LEAST;

	api->x = x;
	api->shm = shm;
	api->start_ns = clock_now_ns();
	shm->roll = roll_make(x->server_workers, indexes < INDEXES_MOST ? indexes : INDEXES_MOST);
	if (!shm->roll)
		return -ENOMEM;
	/* A client of the server that was here before must not ask about a run of this one's. */
	shm->roll->last_id = (uint32_t)(mix64(api->start_ns ^ shm->key) % IDS_FROM);
	return 0;
}

void serve_api_drop(struct serve_api *api)
{
	if (!api->shm)
		return;
	roll_drop(api->shm->roll);
	api->shm->roll = NULL;
}

/* --- the server --------------------------------------------------------------------------- */

static void set_word(char *to, const char *word)
{
	struct text t;

	text_init(&t, to, API_WORD_BYTES);
	text_add(&t, "%s", word);
	api_json_clean(to); /* a host's name may be anything */
}

/* "8090-8119,9000" */
static void describe_ports(const struct experiment *x, char *to)
{
	struct text t;

	text_init(&t, to, API_PORTS_BYTES);
	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct experiment_listen *on = &x->listens[i];

		text_add(&t, on->port_high > on->port_low ? "%s%u-%u" : "%s%u", i > 0 ? "," : "",
		         on->port_low, on->port_high);
	}
}

static void describe(void *context, struct api_server *out)
{
	const struct serve_api *api = context;
	struct utsname names;

	set_word(out->version, MEGACONN_VERSION);
	if (uname(&names) == 0) {
		set_word(out->host, names.nodename);
		set_word(out->kernel, names.release);
	}
	set_word(out->engine, engine_kind_name(api->x->engine));
	set_word(out->mode, modes[api->x->mode]);
	describe_ports(api->x, out->ports);
	out->room = api->x->n;
	out->workers = api->x->server_workers;
	out->uptime_ns = clock_now_ns() - api->start_ns;
	out->runs = roll_count(api->shm->roll);
	out->has_bill = shm_get(api->shm->bills) > 0;
}

static bool bill(void *context, struct result_memory *out)
{
	const struct serve_api *api = context;

	return shm_read_bill(api->shm, out);
}

/* --- a run -------------------------------------------------------------------------------- */

/* The director takes them each tick: those that it begins to take from now on. */
static struct path_end read_path(const struct serve_api *api)
{
	uint32_t taken = shm_get(api->shm->ends_taken);
	uint64_t end_ns = clock_now_ns() + PATH_MOST_NS;

	while (api->x->watches_path && shm_get(api->shm->ends_taken) - taken < 2 &&
	       clock_now_ns() < end_ns)
		clock_sleep_ns(PATH_LOOK_NS);
	return api->shm->ends[ROLE_SERVER];
}

static size_t place_of(const struct serve_api *api, const struct roll_run *run)
{
	return (size_t)(run - api->shm->roll->runs);
}

static int enter(void *context, const struct roll_said *said, uint32_t *id, struct err *err)
{
	struct serve_api *api = context;
	static struct pool pool;
	struct err why = {""};

	if (said->has_sources && pool_parse(said->sources, &pool, &why) != 0)
		return err_set(err, -EINVAL, "sources: %s", why.text);
	int failed = roll_enter(api->shm->roll, said, clock_now_ns(), id, err);

	if (failed != 0)
		return failed;
	size_t place = place_of(api, roll_find(api->shm->roll, *id));

	api->begun[place].id = *id;
	api->begun[place].path = read_path(api);
	return 0;
}

static bool strike(void *context, uint32_t id)
{
	const struct serve_api *api = context;

	return roll_strike(api->shm->roll, id, clock_now_ns());
}

static void count_kernel(const struct serve_api *api, const struct roll_run *run,
                         struct api_look *out)
{
	static struct pool pool;
	bool has_pool = run->said.has_sources && pool_parse(run->said.sources, &pool, NULL) == 0;
	struct census_peers peers;

	census_peers(api->x, has_pool ? &pool : NULL, &peers);
	out->kernel = peers.all;
	out->kernel_of_sources = has_pool ? peers.of_pool : API_UNKNOWN;
}

/* Who connects is of interest where not all have come: it takes another look at all sockets. */
static struct path_end look_at_path(const struct serve_api *api, const struct roll_run *run)
{
	const size_t place = place_of(api, run);
	const struct path_end now = read_path(api);
	struct path_end out;

	path_end_init(&out);
	if (!api->x->watches_path || api->begun[place].id != run->id)
		return out;
	out = path_end_since(&now, &api->begun[place].path);
	if (out.established < run->said.count)
		peers_look(api->x, &out);
	return out;
}

static bool look(void *context, uint32_t id, struct api_look *out)
{
	const struct serve_api *api = context;
	const struct roll *roll = api->shm->roll;
	uint64_t now_ns = clock_now_ns();
	const struct roll_run *run = roll_ask(api->shm->roll, id, now_ns);

	if (!run)
		return false;
	for (unsigned int round = 0; round < API_ROUNDS; round++)
		out->proved[round] = roll_proved(roll, run, round);
	out->open = shm_open(api->shm, ROLE_SERVER);
	out->accepted = shm_sum(api->shm, ROLE_SERVER, SHM_FIELD(opened));
	out->run_open = roll_open(roll, run);
	out->age_ns = now_ns - run->entered_ns;
	count_kernel(api, run, out);
	out->path = look_at_path(api, run);
	return true;
}

struct api_source serve_api_source(struct serve_api *api)
{
	return (struct api_source){
		.context = api,
		.roll = api->shm->roll,
		.describe = describe,
		.enter = enter,
		.look = look,
		.strike = strike,
		.bill = bill,
	};
}
