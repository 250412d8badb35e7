/* start: see the header. */
#include "run/start.h"

#include "base/clock.h"
#include "base/text.h"

#define LATE_NS (100 * NS_PER_MS) /* that is told */

static void say_late(struct shm *shm, uint64_t late_ns)
{
	char line[128];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_add(&t, "ready ");
	text_duration(&t, late_ns);
	text_add(&t, " after the time of --start-at: begins now");
	shm_notice(shm, line);
}

void start_begin(const struct experiment *x, struct shm *shm)
{
	uint64_t now_ns = clock_unix_ns();

	if (x->start_at_unix_ns == 0)
		return;
	if (now_ns > x->start_at_unix_ns + LATE_NS)
		say_late(shm, now_ns - x->start_at_unix_ns);
	shm_set(shm->start_at_unix_ns, x->start_at_unix_ns);
}

uint64_t start_left_ns(const struct experiment *x)
{
	uint64_t now_ns = clock_unix_ns();

	return x->start_at_unix_ns > now_ns ? x->start_at_unix_ns - now_ns : 0;
}
