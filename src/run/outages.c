/* outages: see the header. */
#include "run/outages.h"

#include "base/clock.h"
#include "base/text.h"
#include "run/outage.h"

#include <string.h>

#define SAID_MOST 16 /* what is more stands in the result alone */

static struct outage outage; /* too large for a stack; a director has one */
static bool is_on;
static struct hist took, took_before; /* all answers since the run began, and a second ago */
static uint64_t took_at_ns;
static uint32_t said;
static bool is_gone_said;

/* What a server has announced is no loss to be told of. A worker counts it as announced first and
 * then as lost, maybe while we look: then one is missing, until the next look. */
static void add_closed(struct outage_look *look, uint64_t lost, uint64_t announced)
{
	look->lost[CAUSE_CLOSED] += lost > announced ? lost - announced : 0;
}

/* False where it writes too fast to be read. */
static bool add_worker(struct outage_look *look, const struct shm_worker *w)
{
	const uint64_t *answers = w->traffic.answers;

	look->answered += shm_get(answers[ANSWER_GOOD]) + shm_get(answers[ANSWER_LATE]) +
	                  shm_get(answers[ANSWER_MISMATCHED]) + shm_get(answers[ANSWER_REPEATED]) +
	                  shm_get(answers[ANSWER_STATUS]) + shm_get(answers[ANSWER_MALFORMED]);
	look->back += shm_get(w->reconnected);
	for (int i = 0; i < CAUSE_COUNT; i++)
		look->lost[i] += i == CAUSE_CLOSED ? 0 : shm_get(w->lost[i]);
	add_closed(look, shm_get(w->lost[CAUSE_CLOSED]), shm_get(w->announced));
	return w->died || waits_add(&look->waits, &w->waits);
}

static void begin_second(const struct shm *shm, uint64_t now_ns)
{
	took_at_ns = now_ns;
	took_before = took;
	memset(&took, 0, sizeof(took));
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		if (shm->workers[i].role == ROLE_CLIENT)
			hist_merge(&took, &shm->workers[i].traffic.uncorrected);
	}
}

/* What 99 % of the answers of the last second took at most; 0 between seconds, and of none. */
static uint64_t took_ns(const struct shm *shm, uint64_t now_ns)
{
	static struct hist since;

	if (now_ns - took_at_ns < NS_PER_S)
		return 0;
	begin_second(shm, now_ns);
	hist_subtract(&since, &took, &took_before);
	return since.count > 0 ? quantiles_of(&since).p99_ns : 0;
}

static bool look_now(const struct shm *shm, struct outage_look *look)
{
	bool is_whole = true;

	memset(look, 0, sizeof(*look));
	look->now_ns = clock_now_ns();
	look->open = shm_open(shm, ROLE_CLIENT);
	look->took_ns = took_ns(shm, look->now_ns);
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		if (shm->workers[i].role == ROLE_CLIENT)
			is_whole &= add_worker(look, &shm->workers[i]);
	}
	if (look->lost[CAUSE_CLOSED] < outage.last.lost[CAUSE_CLOSED])
		look->lost[CAUSE_CLOSED] = outage.last.lost[CAUSE_CLOSED];
	return is_whole;
}

static void say_gone(const struct experiment *x, struct shm *shm)
{
	const struct ip *gone = shm_source_gone(shm);
	char address[IP_TEXT_BYTES], line[256];
	struct text t;

	if (!gone || is_gone_said)
		return;
	is_gone_said = true;
	text_init(&t, line, sizeof(line));
	text_add(&t,
	         x->is_on_lan ? "another host of the LAN has taken %s: its connections die"
	                      : "source address %s is no longer this host's: its connections are "
	                        "dead",
	         ip_format(gone, address));
	shm_notice(shm, line);
}

static void add_count(struct text *t, uint64_t count, const struct result_outage *o)
{
	text_count(t, count);
	text_add(t, " of ");
	text_count(t, o->open_before);
}

/* "12.3 s into the hold: answers stay away (42 of 10,000 connections so far)"; "... 10,000 of
 * 10,000 silent; over after 10.4 s". */
static void say(struct shm *shm, enum outage_news news)
{
	const struct result_outage *now = &outage.now;
	bool is_over = news == OUTAGE_ENDED;
	char line[256];
	struct text t;

	if (news == OUTAGE_NO_NEWS || said >= SAID_MOST)
		return;
	said++;
	text_init(&t, line, sizeof(line));
	text_duration(&t, now->start_ns);
	text_add(&t, " into the hold: ");
	if (!is_over)
		text_add(&t, now->silent > 0 ? "answers stay away (" : "connections are lost (");
	add_count(&t, now->silent > 0 ? now->silent : now->lost, now);
	if (is_over) {
		text_add(&t, now->silent > 0 ? " silent" : " lost");
		cause_list(&t, now->lost_by_cause, now->silent > 0 ? ", lost (" : " (", ")");
		text_add(&t, "; over after ");
		text_duration(&t, now->duration_ns);
	} else {
		text_add(&t, " so far)");
	}
	shm_notice(shm, line);
}

void outages_begin(const struct experiment *x, struct shm *shm)
{
	static struct outage_look look;

	is_on = x->client_workers > 0;
	said = 0;
	is_gone_said = false;
	begin_second(shm, clock_now_ns());
	(void)look_now(shm, &look);
	outage_begin(&outage, &look, x->reconnect, &shm->result);
}

void outages_stage(const struct shm *shm)
{
	if (!is_on)
		return;
	begin_second(shm, clock_now_ns());
	outage_forget_usual(&outage);
}

void outages_look(const struct experiment *x, struct shm *shm)
{
	static struct outage_look look;

	if (!is_on)
		return;
	say_gone(x, shm);
	if (look_now(shm, &look))
		say(shm, outage_look(&outage, &look));
}

void outages_end(const struct experiment *x, struct shm *shm)
{
	outages_look(x, shm);
	if (is_on)
		outage_end(&outage);
	is_on = false;
}
