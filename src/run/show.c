/* show: the live line's numbers several times a second, a whole sample once a second. */
#include "run/show.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

void show_say(const struct run_view *view, const char *line)
{
	if (view && view->say)
		view->say(view->context, line);
}

/* --- the live line ------------------------------------------------------------------------ */

static enum live_phase live_phase_of(enum run_kind kind, enum phase phase)
{
	switch (phase) {
	case PHASE_RAMP:
		return kind == RUN_SERVE ? LIVE_SERVE : LIVE_RAMP;
	case PHASE_PROVE:
	case PHASE_PROVE_AGAIN:
		return LIVE_PROOF;
	case PHASE_HOLD: /* a server alone is counted then, and closes */
		return kind == RUN_SERVE ? LIVE_CLOSE : LIVE_HOLD;
	case PHASE_CLOSE_CLIENTS:
	case PHASE_CLOSE:
	case PHASE_END:
		return LIVE_CLOSE;
	default:
		return LIVE_START;
	}
}

static enum role watched_role(const struct show *s)
{
	return s->experiment->kind == RUN_SERVE ? ROLE_SERVER : ROLE_CLIENT;
}

static uint64_t progress_of(const struct show *s, enum phase phase)
{
	switch (phase) {
	case PHASE_PROVE:
		return shm_sum(s->shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed));
	case PHASE_PROVE_AGAIN:
		return shm_sum(s->shm, ROLE_CLIENT, SHM_FIELD(proof[1].echoed));
	default:
		return shm_open(s->shm, watched_role(s));
	}
}

/* What the rate is of: in a ramp all that were opened, also those that have ended since. */
static uint64_t counted(const struct show *s, const struct live *live, enum phase phase)
{
	return phase == PHASE_RAMP ? shm_sum(s->shm, watched_role(s), SHM_FIELD(opened))
	                           : live->opened;
}

/* A rate over the last half second, so that it is steady and still true. */
static void update_rate(struct show *s, enum phase phase, uint64_t count, uint64_t now_ns)
{
	if (phase != s->rate_phase) {
		s->rate_phase = phase;
		s->rate_at_ns = now_ns;
		s->rate_from = phase == PHASE_RAMP ? 0 : count;
		s->rate_per_s = 0;
	} else if (now_ns - s->rate_at_ns >= NS_PER_S / 2) {
		uint64_t done = count > s->rate_from ? count - s->rate_from : 0;

		s->rate_per_s = done * NS_PER_S / (now_ns - s->rate_at_ns);
		s->rate_at_ns = now_ns;
		s->rate_from = count;
	}
}

static uint64_t eta_ns(const struct show *s, const struct live *live, enum phase phase,
                       uint64_t now_ns)
{
	uint64_t hold_ns = s->experiment->hold_ns;
	uint64_t end_ns = shm_get(s->shm->hold_start_ns) + hold_ns;

	if (live->target == 0)
		return UINT64_MAX;
	if (phase == PHASE_HOLD && hold_ns != UINT64_MAX)
		return end_ns > now_ns ? end_ns - now_ns : 0;
	if (phase == PHASE_HOLD || s->rate_per_s == 0 || live->opened >= live->target)
		return UINT64_MAX;
	return (live->target - live->opened) * NS_PER_S / s->rate_per_s;
}

static void count_causes(const struct show *s, struct live *live)
{
	for (int i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = (enum cause)i;

		live->lost_by_cause[i] = shm_sum_cause(s->shm, watched_role(s), SHM_FIELD(lost),
		                                       cause);
		live->failed_by_cause[i] = shm_sum_cause(s->shm, watched_role(s), SHM_FIELD(failed),
		                                         cause) +
		                           live->lost_by_cause[i];
		live->failed += live->failed_by_cause[i];
		live->retried += shm_sum_cause(s->shm, ROLE_CLIENT, SHM_FIELD(retried), cause);
	}
}

static uint64_t user_bytes(const struct shm *shm)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		uint64_t bytes = shm_get(shm->workers[i].user_bytes);

		if (bytes != RESULT_UNKNOWN)
			sum += bytes;
	}
	return sum;
}

static struct live live_now(struct show *s, enum phase phase)
{
	const struct shm *shm = s->shm;
	uint64_t now_ns = clock_now_ns();
	struct live live = {
		.phase = live_phase_of(s->experiment->kind, phase),
		.target = s->experiment->kind == RUN_SERVE ? 0 : s->experiment->n,
		.opened = progress_of(s, phase),
		.kernel_bytes_per_connection = shm_get(shm->live.kernel_bytes_per_connection),
		.memory_left_bytes = shm_get(shm->live.memory_left_bytes),
		.connected = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened)),
		.accepted = shm_sum(shm, ROLE_SERVER, SHM_FIELD(opened)),
		.proved = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed)) +
	                  shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[1].echoed)),
		.reconnected = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(reconnected)),
		.received_bytes = shm_sum(shm, ROLE_SERVER, SHM_FIELD(received_bytes)) +
	                          shm_sum(shm, ROLE_CLIENT, SHM_FIELD(received_bytes)),
		.clients_open = shm_open(shm, ROLE_CLIENT),
		.servers_open = shm_open(shm, ROLE_SERVER),
		.user_bytes = user_bytes(shm),
	};

	count_causes(s, &live);
	update_rate(s, phase, counted(s, &live, phase), now_ns);
	live.rate_per_s = s->rate_per_s;
	live.eta_ns = eta_ns(s, &live, phase, now_ns);
	return live;
}

static void show_live(struct show *s)
{
	enum phase phase = shm_get(s->shm->phase);

	if (!s->view || !s->view->live || phase < PHASE_RAMP)
		return;
	struct live live = live_now(s, phase);

	s->view->live(s->view->context, &live);
}

/* The director's part of the last sample, and ours. It writes the next one elsewhere. */
static void show_sample(struct show *s)
{
	uint32_t samples = __atomic_load_n(&s->shm->samples, __ATOMIC_ACQUIRE);

	if (samples == s->samples || !s->view || !s->view->sample)
		return;
	s->samples = samples;
	s->sample = s->shm->sample[samples % SHM_SAMPLES];
	s->sample.has_run = true;
	s->sample.run = live_now(s, shm_get(s->shm->phase));
	memset(&s->sample.connect, 0, sizeof(s->sample.connect));
	for (uint32_t i = 0; i < s->shm->worker_count; i++) {
		if (s->shm->workers[i].role == ROLE_CLIENT)
			hist_merge(&s->sample.connect, &s->shm->workers[i].connect);
	}
	s->view->sample(s->view->context, &s->sample);
}

/* Lines of the director's, the last of them where there were many at once. */
static void show_notices(struct show *s)
{
	uint32_t count = __atomic_load_n(&s->shm->notices, __ATOMIC_ACQUIRE);

	if (count - s->notices > SHM_NOTICES)
		s->notices = count - SHM_NOTICES;
	for (; s->notices < count; s->notices++)
		show_say(s->view, s->shm->notice[s->notices % SHM_NOTICES]);
}

static void say_holding(const struct show *s)
{
	char line[128];
	struct text t;

	if (s->experiment->kind != RUN_CONNECT)
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "holding ");
	text_count(&t, shm_get(s->shm->live.held));
	text_add(&t, " of ");
	text_count(&t, s->experiment->asked);
	text_add(&t, " connections");
	if (shm_sum(s->shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed)) > 0)
		text_add(&t, ", proved by echo");
	show_say(s->view, line);
}

static void show_ready(struct show *s)
{
	enum phase ready = s->experiment->kind == RUN_SERVE ? PHASE_RAMP : PHASE_HOLD;

	if (s->is_ready || shm_get(s->shm->phase) < ready)
		return;
	s->is_ready = true;
	if (s->listening)
		show_say(s->view, s->listening);
	else
		say_holding(s);
	if (s->view && s->view->ready)
		s->view->ready(s->view->context);
}

void show_init(struct show *show, const struct run_view *view, const struct experiment *experiment,
               const struct shm *shm, const char *listening)
{
	memset(show, 0, sizeof(*show));
	show->view = view;
	show->experiment = experiment;
	show->shm = shm;
	show->listening = listening;
}

void show_update(struct show *show)
{
	show_notices(show);
	show_ready(show);
	show_live(show);
	show_sample(show);
}
