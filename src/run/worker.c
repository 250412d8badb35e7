/* worker: sets a process up (dies with its parent, first to go when memory ends, pinned), opens its
 * engine, and walks it through the phases. */
#include "run/worker.h"

#include "base/text.h"
#include "engine/engine.h"
#include "kernel/limits.h"
#include "run/client.h"
#include "run/engines.h"
#include "run/server.h"
#include "run/via.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void worker_ring(int bell)
{
	const uint64_t one = 1;

	/* It cannot fill up, and a bell that is gone needs no ringing. */
	(void)!write(bell, &one, sizeof(one));
}

static void set_name(const struct shm_worker *me)
{
	char name[16];
	struct text t;

	text_init(&t, name, sizeof(name));
	text_add(&t, "mc-%s-%u", me->role == ROLE_SERVER ? "server" : "client", me->number);
	prctl(PR_SET_NAME, name);
}

/* The OOM killer shall take a worker before anything of the user's. */
static void volunteer_for_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1000", 4);
	close(fd);
}

static void set_up_process(const struct shm_worker *me, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	prctl(PR_SET_TIMERSLACK, 1); /* ns; the kernel's own 50 us would make every message late */
	set_name(me);
	volunteer_for_oom();
	limits_raise_nofile();
	if (me->cpu >= 0) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		CPU_SET((size_t)me->cpu, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
}

/* `client` is NULL for a server. */
static int open_engine(const struct experiment *x, struct shm_worker *me, struct client *client,
                       int bell, struct engine **engine)
{
	const struct engine_config config = {
		.connections = me->count,
		.listeners = me->role == ROLE_SERVER ? x->listeners : 0,
		.nofile = x->nofile,
		.memlock_bytes = x->memlock_bytes,
		.without = x->without,
		.freebind = x->freebind,
		.backlog = x->backlog,
		.wake_fd = bell,
		.message_bytes = x->message_bytes,
		.tuples = &x->tuples,
		.first = me->first,
		.message = client_message,
		.message_context = client,
		.packets = &me->packets,
		.taken = client ? client_taken(client) : NULL,
		.lan = client && x->is_on_lan ? &x->lan : NULL,
	};

	return engines_open(client ? x->clients : x->engine, &config, engine, &me->error);
}

static void report(struct shm_worker *me, enum phase phase, int bell)
{
	__atomic_store_n(&me->done, phase, __ATOMIC_RELEASE);
	worker_ring(bell);
}

static int walk_client(struct client *client, const struct shm *shm, struct shm_worker *me,
                       int bell)
{
	enum phase phase = PHASE_START;
	int failed = 0;

	report(me, PHASE_START, bell);
	while (phase < PHASE_CLOSE && failed == 0) {
		failed = client_wait_beyond(client, phase);
		phase = shm_get(shm->phase);
		if (failed == 0)
			failed = client_run_phase(client, phase);
		if (failed == 0)
			report(me, phase, bell);
	}
	return failed;
}

static int run_client(const struct experiment *x, struct shm *shm, struct shm_worker *me,
                      const struct worker_bells *bells)
{
	struct client *client = client_make(x, shm, me);
	struct engine *engine;
	int failed;

	if (!client)
		return err_set(&me->error, -ENOMEM, "no memory for a client's tables");
	failed = open_engine(x, me, client, bells->workers, &engine);
	if (failed != 0)
		return failed;
	client_take_engine(client, engine);
	failed = walk_client(client, shm, me, bells->director);
	engine_shut(engine);
	return failed;
}

static int walk_server(struct server *server, struct shm_worker *me, int bell, const int *listeners)
{
	int failed = server_listen(server, listeners, &me->error);

	if (failed != 0)
		return failed;
	report(me, PHASE_START, bell);
	failed = server_serve(server);
	if (failed == 0)
		report(me, PHASE_CLOSE, bell);
	return failed;
}

static int run_server(const struct experiment *x, struct shm *shm, struct shm_worker *me,
                      const struct worker_bells *bells, const int *listeners)
{
	struct server *server;
	struct engine *engine;
	int failed = open_engine(x, me, NULL, bells->workers, &engine);

	if (failed != 0)
		return failed;
	server = server_make(x, shm, me, engine);
	failed = server ? walk_server(server, me, bells->director, listeners)
	                : err_set(&me->error, -ENOMEM, "no memory for a server's tables");
	engine_shut(engine);
	return failed;
}

static int run(const struct experiment *x, struct shm *shm, struct shm_worker *me,
               const struct worker_bells *bells, const int *listeners)
{
	int failed = me->role == ROLE_SERVER ? run_server(x, shm, me, bells, listeners)
	                                     : run_client(x, shm, me, bells);

	if (failed == 0)
		report(me, PHASE_END, bells->director);
	return failed;
}

/* Its engine says no more than an errno. */
static void say_failed(const struct experiment *x, struct shm_worker *me, int failed)
{
	bool is_utcp = me->role == ROLE_CLIENT && engine_is_utcp(x->clients);

	err_set(&me->error, failed, "%s worker %u (%llu connections): its %s failed: %s%s",
	        me->role == ROLE_SERVER ? "server" : "client", me->number,
	        (unsigned long long)me->open, is_utcp ? "device" : "engine", strerror(-failed),
	        is_utcp ? " (has somebody deleted its link, or set it down?)" : "");
}

/* Clients of a box have a network of their own. */
static int go_to_network(const struct experiment *x, struct shm_worker *me)
{
	if (x->via.box.kind == VIA_NONE || me->role != ROLE_CLIENT)
		return 0;
	int failed = via_go(x, VIA_CLIENTS);

	return failed == 0 ? 0
	                   : err_set(&me->error, failed, "cannot enter the clients' network: %s",
	                             strerror(-failed));
}

pid_t worker_start(const struct experiment *x, struct shm *shm, uint32_t number,
                   const struct worker_bells *bells, const int *listeners)
{
	struct shm_worker *me = &shm->workers[number];
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	set_up_process(me, parent);
	int failed = go_to_network(x, me);

	if (failed == 0)
		failed = run(x, shm, me, bells, listeners);

	if (failed != 0 && me->error.text[0] == '\0')
		say_failed(x, me, failed);
	worker_ring(bells->director);
	_exit(failed == 0 ? EXIT_PASS : EXIT_FAILED);
}
