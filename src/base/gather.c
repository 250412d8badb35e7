/* gather: see the header. */
#include "base/gather.h"

#include "base/clock.h"

#define SHARE       16 /* one of so many exchanges under way is waited for */
#define WINDOW_NS   NS_PER_MS
#define GAP_MOST    (NS_PER_MS / 20)
#define PAUSE_LEAST (NS_PER_MS / 50) /* a shorter sleep costs more than it saves */
#define PAUSE_MOST  (NS_PER_MS / 5)  /* a longer one saves no more               */

void gather_note(struct gather *g, uint32_t came, uint64_t now_ns)
{
	g->seen += came;
	if (now_ns - g->from_ns < WINDOW_NS)
		return;
	g->gap_ns = g->seen > 0 ? (now_ns - g->from_ns) / g->seen : 0;
	g->from_ns = now_ns;
	g->seen = 0;
}

uint64_t gather_pause_ns(const struct gather *g, uint32_t under_way, uint32_t came)
{
	uint32_t wanted = under_way / SHARE;

	if (came >= wanted || g->gap_ns > GAP_MOST)
		return 0;
	uint64_t pause_ns = (wanted - came) * g->gap_ns;

	if (pause_ns < PAUSE_LEAST)
		return 0;
	return pause_ns < PAUSE_MOST ? pause_ns : PAUSE_MOST;
}
