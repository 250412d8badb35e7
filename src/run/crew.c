/* crew: one parent, many workers.
 *
 * All workers share one bell: an eventfd that nobody reads, watched for its edges, wakes all who
 * wait for it at each write. So the parent's descriptors do not grow with the number of workers.
 *
 * Listening sockets are opened here and inherited, a set for each group of servers that share them.
 * The parent keeps none, so that they go with the servers. */
#include "run/crew.h"

#include "base/clock.h"
#include "base/map.h"
#include "run/listen.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int crew_init(struct crew *crew, const struct experiment *x, struct shm *shm)
{
	crew->x = x;
	crew->shm = shm;
	crew->listeners = map_private(x->listeners * sizeof(*crew->listeners));
	crew->bells.workers = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	crew->bells.director = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!crew->listeners)
		return -ENOMEM;
	return crew->bells.workers < 0 || crew->bells.director < 0 ? -EMFILE : 0;
}

static int start_worker(struct crew *crew, uint32_t number)
{
	struct shm_worker *w = &crew->shm->workers[number];

	w->pid = worker_start(crew->x, crew->shm, number, &crew->bells, crew->listeners);
	if (w->pid > 0)
		return 0;
	int failed = w->pid;

	w->pid = 0;
	return err_set(&crew->shm->error, failed, "cannot start a worker: %s (see ulimit -u)",
	               strerror(-failed));
}

static int start_group(struct crew *crew, uint32_t group)
{
	const struct experiment *x = crew->x;
	int failed = listen_open(x, crew->shm->workers[group].cpu, crew->listeners,
	                         &crew->shm->error);

	if (failed != 0)
		return failed;
	for (uint32_t i = group; i < x->server_workers && failed == 0; i += x->listen_groups)
		failed = start_worker(crew, i);
	listen_close(x, crew->listeners);
	return failed;
}

static int start_servers(struct crew *crew)
{
	int failed = 0;

	for (uint32_t group = 0; group < crew->x->listen_groups && failed == 0; group++)
		failed = start_group(crew, group);
	return failed;
}

int crew_start(struct crew *crew, enum role role)
{
	int failed = 0;

	if (role == ROLE_SERVER)
		return start_servers(crew);
	for (uint32_t i = 0; i < crew->shm->worker_count && failed == 0; i++) {
		if (crew->shm->workers[i].role == role)
			failed = start_worker(crew, i);
	}
	return failed;
}

void crew_ring(const struct crew *crew)
{
	worker_ring(crew->bells.workers);
}

static void note_death(struct crew *crew, struct shm_worker *w, int status)
{
	if (w->done == PHASE_END || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return;
	shm_set(w->died, true);
	if (w->error.text[0] == '\0')
		err_set(&w->error, 0, "%s worker %u (%llu connections) ended by signal %d%s",
		        w->role == ROLE_SERVER ? "server" : "client", w->number,
		        (unsigned long long)w->open, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		        WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
		                ? " (killed: by somebody, or by the OOM killer)"
		                : "");
	if (crew->shm->error.text[0] == '\0')
		crew->shm->error = w->error;
}

void crew_reap(struct crew *crew)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
			if (crew->shm->workers[i].pid != pid)
				continue;
			note_death(crew, &crew->shm->workers[i], status);
			crew->shm->workers[i].pid = 0; /* it may be another process's from now on */
		}
	}
}

void crew_await_ends(uint64_t most_ns)
{
	const struct timespec pause = {.tv_nsec = NS_PER_MS};
	uint64_t end_ns = clock_now_ns() + most_ns;
	int status;

	while (waitpid(-1, &status, WNOHANG) >= 0 && clock_now_ns() < end_ns)
		nanosleep(&pause, NULL);
}

bool crew_has_dead(const struct crew *crew)
{
	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		if (crew->shm->workers[i].died)
			return true;
	}
	return false;
}

bool crew_lives(const struct crew *crew)
{
	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		if (!crew->shm->workers[i].died)
			return true;
	}
	return false;
}

bool crew_is_done(const struct crew *crew, enum role role, enum phase phase)
{
	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		const struct shm_worker *w = &crew->shm->workers[i];

		if (w->role == role && !w->died &&
		    __atomic_load_n(&w->done, __ATOMIC_ACQUIRE) < phase)
			return false;
	}
	return true;
}

uint32_t crew_count_done(const struct crew *crew, enum phase phase)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		const struct shm_worker *w = &crew->shm->workers[i];

		if (w->role == ROLE_CLIENT &&
		    (w->died || __atomic_load_n(&w->done, __ATOMIC_ACQUIRE) >= phase))
			count++;
	}
	return count;
}

bool crew_has_ended(const struct crew *crew, uint32_t stage)
{
	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		const struct shm_worker *w = &crew->shm->workers[i];

		if (w->role == ROLE_CLIENT && !w->died &&
		    __atomic_load_n(&w->stage_done, __ATOMIC_ACQUIRE) < stage)
			return false;
	}
	return true;
}

uint64_t crew_progress(const struct crew *crew)
{
	uint64_t mark = 0;

	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		const struct shm_worker *w = &crew->shm->workers[i];

		/* One that is opened counts once, and once more when it is closed. */
		mark += (uint64_t)w->done + 2 * shm_get(w->opened) - shm_get(w->open);
		for (int round = 0; round < TOKEN_ROUNDS; round++)
			mark += shm_get(w->proof[round].sent) + shm_get(w->proof[round].echoed) +
			        shm_get(w->proof[round].repeated);
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			mark += shm_get(w->failed[cause]) + shm_get(w->retried[cause]) +
			        shm_get(w->lost[cause]);
	}
	return mark;
}

void crew_kill_stuck(struct crew *crew, enum role role, enum phase phase)
{
	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		struct shm_worker *w = &crew->shm->workers[i];

		if (w->role == role && !w->died && w->done < phase && w->pid > 0)
			kill(w->pid, SIGKILL);
	}
}

static uint64_t user_bytes_of(const struct crew *crew, const struct shm_worker *w)
{
	for (int tries = 0; tries < 1000 && !w->died; tries++) {
		if (__atomic_load_n(&w->measured, __ATOMIC_ACQUIRE) == crew->shm->measure)
			return shm_get(w->user_bytes);
		clock_sleep_ns(NS_PER_MS);
	}
	return RESULT_UNKNOWN;
}

int64_t crew_user_bytes(const struct crew *crew, enum role role)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < crew->shm->worker_count; i++) {
		const struct shm_worker *w = &crew->shm->workers[i];

		if (w->role != role || w->died)
			continue;
		uint64_t bytes = user_bytes_of(crew, w);

		if (bytes == RESULT_UNKNOWN)
			return RESULT_UNKNOWN_BYTES;
		sum += (int64_t)bytes;
	}
	return sum;
}
