/* show: the live line's numbers several times a second, a whole sample once a second. */
#include "run/show.h"

#include "base/clock.h"
#include "base/text.h"
#include "run/survey.h"

#include <string.h>

void show_say(const struct run_view *view, const char *line)
{
	if (view && view->say)
		view->say(view->context, line);
}

/* --- the live line ------------------------------------------------------------------------ */

/* What the rate is of: in a ramp all that were opened, also those that have ended since. */
static uint64_t counted(const struct show *s, const struct live *live, enum phase phase)
{
	return phase == PHASE_RAMP ? shm_sum(s->shm, survey_role(s->experiment), SHM_FIELD(opened))
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
		return end_ns > now_ns ? end_ns - now_ns : UINT64_MAX;
	if (phase == PHASE_HOLD || s->rate_per_s == 0 || live->opened >= live->target)
		return UINT64_MAX;
	return (live->target - live->opened) * NS_PER_S / s->rate_per_s;
}

static struct live live_now(struct show *s, enum phase phase)
{
	uint64_t now_ns = clock_now_ns();
	struct live live;

	survey_live(s->experiment, s->shm, phase, &live);
	update_rate(s, phase, counted(s, &live, phase), now_ns);
	live.rate_per_s = s->rate_per_s;
	live.eta_ns = eta_ns(s, &live, phase, now_ns);
	return live;
}

/* Whole seconds of a countdown, from its first on. */
static uint64_t starts_in_ns(const struct show *s)
{
	uint64_t at_ns = shm_get(s->shm->start_at_unix_ns), now_ns = clock_unix_ns();
	uint64_t left_ns = at_ns > now_ns ? at_ns - now_ns : 0;

	return (left_ns / NS_PER_S + 1) * NS_PER_S;
}

static void show_live(struct show *s)
{
	enum phase phase = shm_get(s->shm->phase);

	bool waits = phase < PHASE_RAMP && shm_get(s->shm->start_at_unix_ns) > 0;

	if (!s->view || !s->view->live || (phase < PHASE_RAMP && !waits))
		return;
	struct live live = live_now(s, phase);

	if (waits)
		live.starts_in_ns = starts_in_ns(s);

	s->view->live(s->view->context, &live);
}

/* Those that were taken since the last time, but for any that have been written over. */
static void show_samples(struct show *s)
{
	uint32_t samples = __atomic_load_n(&s->shm->samples, __ATOMIC_ACQUIRE);

	if (samples - s->samples > SHM_SAMPLES - 1)
		s->samples = samples - (SHM_SAMPLES - 1);
	while (s->samples < samples) {
		s->samples++;
		if (s->view && s->view->sample)
			s->view->sample(s->view->context,
			                &s->shm->sample[s->samples % SHM_SAMPLES]);
	}
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
	text_count(&t, s->experiment->ramp_to > 0 ? s->experiment->ramp_to : s->experiment->asked);
	text_add(&t, " connections");
	if (shm_sum(s->shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed)) > 0)
		text_add(&t, ", proved by echo");
	show_say(s->view, line);
}

/* One that was interrupted before it held passes through the hold only to close. */
static void show_ready(struct show *s)
{
	bool is_server = s->experiment->kind == RUN_SERVE;

	if (s->is_ready || shm_get(s->shm->phase) < (is_server ? PHASE_RAMP : PHASE_HOLD))
		return;
	if (!is_server && shm_get(s->shm->stop) == STOP_INTERRUPTED)
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
	show_samples(show);
}
