/* stages: see the header. */
#include "run/stages.h"

#include "base/text.h"

void stages_begin(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t start_ns)
{
	struct result_stage *r = &shm->result.stages[i];
	struct text t;

	text_init(&t, r->name, sizeof(r->name));
	text_add(&t, "%s", x->stages[i].name);
	r->start_ns = start_ns - shm->hold_start_ns;
	r->open_before = shm_open(shm, ROLE_CLIENT);
	shm->result.stage_count = i + 1;
}

void stages_sample(const struct experiment *x, struct shm *shm, const struct sample *sample)
{
	(void)x;
	(void)shm;
	(void)sample;
}

void stages_end(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t duration_ns)
{
	struct result_stage *r = &shm->result.stages[i];

	(void)x;
	r->duration_ns = duration_ns;
	r->open_after = shm_open(shm, ROLE_CLIENT);
}

void stages_set_hold(struct experiment *x, uint64_t hold_ns)
{
	struct stage *stage = &x->stages[0];
	struct text t;

	*stage = (struct stage){.duration_ns = hold_ns, .traffic = TRAFFIC_HOLD};
	text_init(&t, stage->name, sizeof(stage->name));
	text_add(&t, "hold");
	x->stage_count = 1;
	x->hold_ns = hold_ns;
}
