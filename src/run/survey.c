/* survey: sums of counters that workers write and nobody locks. */
#include "run/survey.h"

#include "base/clock.h"
#include "base/probed.h"

#include <string.h>

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

enum role survey_role(const struct experiment *x)
{
	return x->kind == RUN_SERVE ? ROLE_SERVER : ROLE_CLIENT;
}

static uint64_t progress_of(const struct shm *shm, enum role role, enum phase phase)
{
	switch (phase) {
	case PHASE_PROVE:
		return shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed));
	case PHASE_PROVE_AGAIN:
		return shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[1].echoed));
	default:
		return shm_open(shm, role);
	}
}

static void count_causes(const struct shm *shm, enum role role, struct live *live)
{
	for (int i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = (enum cause)i;

		live->lost_by_cause[i] = shm_sum_cause(shm, role, SHM_FIELD(lost), cause);
		live->failed_by_cause[i] = shm_sum_cause(shm, role, SHM_FIELD(failed), cause) +
		                           live->lost_by_cause[i];
		live->failed += live->failed_by_cause[i];
		live->retried += shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(retried), cause);
	}
}

static void count_stages(const struct shm *shm, struct live *live)
{
	live->said = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(traffic.said));
	live->heard_bytes = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(traffic.heard_bytes));
	for (size_t i = 0; i < ANSWER_COUNT; i++)
		live->answers[i] = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(traffic.answers[i]));
	live->churned = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(churn.opened));
	live->storm_cut = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(storm.cut));
	live->storm_back = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(storm.back));
	live->answers_per_s = shm_get(shm->live.answers_per_s);
	live->latency_p99_ns = shm_get(shm->live.latency_p99_ns);
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

/* In the ramp and after it: again after a loss, a churn or a storm, or since a stage wanted more.
 */
static uint64_t count_connected(const struct shm *shm)
{
	return shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened)) +
	       shm_sum(shm, ROLE_CLIENT, SHM_FIELD(reconnected)) +
	       shm_sum(shm, ROLE_CLIENT, SHM_FIELD(staged)) +
	       shm_sum(shm, ROLE_CLIENT, SHM_FIELD(churn.opened)) +
	       shm_sum(shm, ROLE_CLIENT, SHM_FIELD(storm.back));
}

void survey_live(const struct experiment *x, const struct shm *shm, enum phase phase,
                 struct live *out)
{
	enum role role = survey_role(x);

	*out = (struct live){
		.phase = live_phase_of(x->kind, phase),
		.stage = shm_get(shm->stage),
		.target = x->kind == RUN_SERVE
	                          ? 0
	                          : experiment_wanted(x, (uint32_t)shm_get(shm->stage)),
		.opened = progress_of(shm, role, phase),
		.eta_ns = UINT64_MAX,
		.kernel_bytes_per_connection = shm_get(shm->live.kernel_bytes_per_connection),
		.memory_left_bytes = shm_get(shm->live.memory_left_bytes),
		.connected = count_connected(shm),
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
	count_causes(shm, role, out);
	count_stages(shm, out);
}

/* A live line's 0 says so; in a sample it would be a number. */
static void leave_out_unknown(const struct experiment *x, struct live *live)
{
	bool has_traffic = false, has_churn = false, has_storm = false;

	for (uint32_t i = 0; x->kind != RUN_SERVE && i < x->stage_count; i++) {
		has_traffic |= x->stages[i].traffic != TRAFFIC_HOLD;
		has_churn |= x->stages[i].churn_per_s > 0;
		has_storm |= x->stages[i].storm_parts > 0;
	}
	if (!has_traffic) {
		live->said = live->heard_bytes = PROBE_UNKNOWN;
		memset(live->answers, 0xff, sizeof(live->answers));
	}
	if (!has_churn)
		live->churned = PROBE_UNKNOWN;
	if (!has_storm)
		live->storm_cut = live->storm_back = PROBE_UNKNOWN;
	if (live->kernel_bytes_per_connection == 0)
		live->kernel_bytes_per_connection = PROBE_UNKNOWN;
	if (live->user_bytes == 0)
		live->user_bytes = PROBE_UNKNOWN;
}

static void merge_times(const struct shm *shm, struct sample *out)
{
	memset(&out->connect, 0, sizeof(out->connect));
	memset(&out->corrected, 0, sizeof(out->corrected));
	memset(&out->uncorrected, 0, sizeof(out->uncorrected));
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role != ROLE_CLIENT)
			continue;
		hist_merge(&out->connect, &w->connect);
		hist_merge(&out->corrected, &w->traffic.corrected);
		hist_merge(&out->uncorrected, &w->traffic.uncorrected);
	}
}

void survey_sample(const struct experiment *x, const struct shm *shm, enum phase phase,
                   const struct sample *before, struct sample *out)
{
	static struct hist since;

	out->has_run = true;
	survey_live(x, shm, phase, &out->run);
	leave_out_unknown(x, &out->run);
	merge_times(shm, out);
	memset(&out->latency, 0, sizeof(out->latency));
	if (out->corrected.count == 0)
		return;
	hist_subtract(&since, &out->corrected, &before->corrected);
	out->latency = quantiles_of(&since);
}

void survey_note_answers(struct shm *shm, const struct sample *before, const struct sample *now)
{
	uint64_t took_ns = now->at_ns - before->at_ns;

	shm_set(shm->live.latency_p99_ns, now->latency.p99_ns);
	shm_set(shm->live.answers_per_s,
	        before->at_ns > 0 && took_ns > 0 ? now->latency.count * NS_PER_S / took_ns : 0);
}
