/* survey: what a run's shared memory says of it, added up over its workers. */
#pragma once

#include "base/live.h"
#include "base/sample.h"
#include "run/experiment.h"
#include "run/shm.h"

/* Whose connections are counted: clients', but of a server alone. */
enum role survey_role(const struct experiment *x);

/* Fills all but rate and eta, which one look does not tell: they are unknown. */
void survey_live(const struct experiment *x, const struct shm *shm, enum phase phase,
                 struct live *out);

/* The run's part of a sample; `before` is the one before it, of which has_run may be false. */
void survey_sample(const struct experiment *x, const struct shm *shm, enum phase phase,
                   const struct sample *before, struct sample *out);

/* For the live line: answers a second, and their latency, between two samples. */
void survey_note_answers(struct shm *shm, const struct sample *before, const struct sample *now);
