/* outage: see the header.
 *
 * Two things are followed apart, and make one outage: silence and losses.
 *
 * Silence. base/waits says how many messages were said at which time and have no answer. When it is
 * noticed it began with the message that has waited longest (but for 2 % of them, which may have
 * been unlucky by themselves). It is over when nothing is left of what was said before the first
 * answer came again. What is usual is what answers have taken that came in the last two seconds; it
 * is not learnt in an outage. */
#include "run/outage.h"

#include "base/clock.h"

#include <string.h>

#define PATIENCE_NS    (500 * NS_PER_MS)
#define PATIENCE_TIMES 4
#define WELL_NS        NS_PER_S
#define FEW            8
#define PART           50 /* a fiftieth: 2 % */
#define LUCK           8  /* an eighth: so much of a silence may be of single packets lost */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t sum_of(const uint64_t *counts)
{
	uint64_t sum = 0;

	for (int i = 0; i < CAUSE_COUNT; i++)
		sum += counts[i];
	return sum;
}

/* --- what is usual ------------------------------------------------------------------------ */

void outage_forget_usual(struct outage *o)
{
	if (!o->is_silent)
		o->usual_ns[0] = o->usual_ns[1] = 0;
}

static void learn_usual(struct outage *o, const struct outage_look *look)
{
	if (look->took_ns == 0)
		return;
	o->usual_ns[0] = o->usual_ns[1];
	o->usual_ns[1] = look->took_ns;
}

/* After so long an answer stays away; never, where none has come yet. */
static uint64_t patience_ns(const struct outage *o)
{
	uint64_t usual_ns = o->usual_ns[0] > o->usual_ns[1] ? o->usual_ns[0] : o->usual_ns[1];

	if (usual_ns == 0)
		return WAITS_NEVER;
	return usual_ns * PATIENCE_TIMES > PATIENCE_NS ? usual_ns * PATIENCE_TIMES : PATIENCE_NS;
}

/* --- it begins ---------------------------------------------------------------------------- */

static void start(struct outage *o, uint64_t at_ns, const struct outage_look *look)
{
	if (o->is_on) {
		o->well_ns = 0;
		return;
	}
	o->is_on = true;
	o->is_silent = false;
	o->began_ns = at_ns > o->hold_ns ? at_ns : o->hold_ns;
	o->well_ns = 0;
	o->back_before = o->last.back;
	memset(&o->now, 0, sizeof(o->now));
	o->now.start_ns = o->began_ns - o->hold_ns;
	o->now.open_before = o->last.open;
	o->now.open_least = look->open;
	o->now.duration_ns = o->now.quiet_ns = o->now.answered_ns = RESULT_UNKNOWN;
	o->now.back_50_ns = o->now.back_99_ns = o->now.back_100_ns = RESULT_UNKNOWN;
}

/* How many have waited too long; 0 where they are too few to be more than bad luck. */
static uint64_t count_silent(const struct outage *o, const struct outage_look *look, bool *is_total)
{
	uint64_t wait_ns = patience_ns(o), floor = FEW, silent;

	*is_total = false;
	if (wait_ns == WAITS_NEVER || look->now_ns < o->hold_ns + wait_ns)
		return 0;
	silent = waits_before(&look->waits, look->now_ns - wait_ns);
	*is_total = look->now_ns - o->last_answer_ns >= wait_ns;
	if (!*is_total && wait_ns >= WAITS_NS) /* who has waited for so long is not told apart */
		return 0;
	if (!*is_total && look->open / PART > floor)
		floor = look->open / PART;
	return silent >= least(floor, look->open) ? silent : 0;
}

/* Of what has waited for longer than base/waits can say: when the last answer came, where there is
 * none, else as long ago as was waited at least. */
static uint64_t silent_since_ns(const struct outage *o, const struct outage_look *look,
                                uint64_t silent, bool is_total)
{
	if (look->waits.older > silent / PART)
		return is_total
		               ? o->last_answer_ns
		               : least(waits_since(&look->waits, 0), look->now_ns - patience_ns(o));
	return waits_since(&look->waits, silent / PART);
}

static void note_silence(struct outage *o, const struct outage_look *look)
{
	bool is_total;
	uint64_t silent = count_silent(o, look, &is_total);

	if (o->is_silent || silent == 0)
		return;
	start(o, silent_since_ns(o, look, silent, is_total), look);
	o->is_silent = true;
	o->is_total = is_total;
	o->first_ns = 0;
	o->lost_before = sum_of(look->lost);
	o->now.answered_ns = RESULT_UNKNOWN; /* where it is silent once more */
	if (silent > o->now.silent)
		o->now.silent = silent;
}

/* --- it goes on --------------------------------------------------------------------------- */

static void note_losses(struct outage *o, const struct outage_look *look)
{
	uint64_t more = sum_of(look->lost) - sum_of(o->last.lost);

	if (more > 0)
		start(o, look->now_ns, look);
	if (!o->is_on)
		return;
	for (int i = 0; i < CAUSE_COUNT; i++)
		o->now.lost_by_cause[i] += look->lost[i] - o->last.lost[i];
	o->now.lost += more;
}

/* The first answer after the silence: where none came at all, one; else fewer are silent than
 * losses, and some luck, would make it. */
static bool has_first(const struct outage *o, const struct outage_look *look, uint64_t silent)
{
	uint64_t lost = sum_of(look->lost) - o->lost_before;

	if (o->is_total)
		return look->answered > o->last.answered;
	return silent + lost + o->now.silent / LUCK < o->now.silent;
}

static void see_first(struct outage *o, const struct outage_look *look, uint64_t silent)
{
	if (silent > o->now.silent)
		o->now.silent = silent;
	if (!has_first(o, look, silent))
		return;
	o->first_ns = look->now_ns;
	if (o->now.quiet_ns == RESULT_UNKNOWN)
		o->now.quiet_ns = look->now_ns - o->began_ns;
}

static void follow_silence(struct outage *o, const struct outage_look *look)
{
	if (!o->is_silent)
		return;
	uint64_t silent = waits_before(&look->waits, look->now_ns - patience_ns(o));

	if (o->first_ns == 0)
		see_first(o, look, silent);
	if (o->first_ns == 0) {
		o->is_silent = silent > 0; /* else all of them are lost */
	} else if (patience_ns(o) >= WAITS_NS || waits_until(&look->waits, o->first_ns) == 0) {
		o->is_silent = false;
		o->now.answered_ns = look->now_ns - o->began_ns;
	}
}

/* The first time that so many % were back; more losses may undo it. */
static void note_back(uint64_t *at_ns, const struct result_outage *r, uint64_t percent,
                      uint64_t since_ns)
{
	if (r->lost == 0 || r->back * 100 < r->lost * percent)
		*at_ns = RESULT_UNKNOWN;
	else if (*at_ns == RESULT_UNKNOWN)
		*at_ns = since_ns;
}

static void follow_losses(struct outage *o, const struct outage_look *look)
{
	uint64_t since_ns = look->now_ns - o->began_ns;

	o->now.back = look->back - o->back_before;
	if (o->now.back > o->now.lost) /* of an earlier one */
		o->now.back = o->now.lost;
	if (look->open < o->now.open_least)
		o->now.open_least = look->open;
	note_back(&o->now.back_50_ns, &o->now, 50, since_ns);
	note_back(&o->now.back_99_ns, &o->now, 99, since_ns);
	note_back(&o->now.back_100_ns, &o->now, 100, since_ns);
}

/* --- it ends ------------------------------------------------------------------------------ */

static void keep(struct outage *o)
{
	if (o->well_ns > 0)
		o->now.duration_ns = o->well_ns - o->began_ns;
	if (o->result->outage_count < RESULT_OUTAGES_MAX)
		o->result->outages[o->result->outage_count] = o->now;
	o->result->outage_count++;
	o->is_on = false;
}

static bool is_well(const struct outage *o)
{
	return !o->is_silent && (!o->reconnects || o->now.back == o->now.lost);
}

static void note_well(struct outage *o, uint64_t now_ns)
{
	if (!is_well(o))
		o->well_ns = 0;
	else if (o->well_ns == 0)
		o->well_ns = now_ns;
}

static enum outage_news see_its_end(struct outage *o, const struct outage_look *look)
{
	note_well(o, look->now_ns);
	if (o->well_ns == 0 || look->now_ns - o->well_ns < WELL_NS)
		return OUTAGE_NO_NEWS;
	keep(o);
	return OUTAGE_ENDED;
}

void outage_begin(struct outage *o, const struct outage_look *look, bool reconnects,
                  struct result *result)
{
	memset(o, 0, sizeof(*o));
	o->hold_ns = o->last_answer_ns = look->now_ns;
	o->reconnects = reconnects;
	o->result = result;
	o->last = *look;
	outage_forget_usual(o);
}

enum outage_news outage_look(struct outage *o, const struct outage_look *look)
{
	enum outage_news news = OUTAGE_NO_NEWS;
	bool was_on = o->is_on;

	if (look->answered > o->last.answered)
		o->last_answer_ns = look->now_ns;
	note_losses(o, look);
	note_silence(o, look);
	if (!o->is_on) {
		learn_usual(o, look);
	} else {
		follow_silence(o, look);
		follow_losses(o, look);
		news = was_on ? see_its_end(o, look) : OUTAGE_BEGAN;
	}
	o->last = *look;
	return news;
}

void outage_end(struct outage *o)
{
	if (!o->is_on)
		return;
	note_well(o, o->last.now_ns);
	keep(o);
}
