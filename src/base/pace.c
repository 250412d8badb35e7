/* pace: how many operations are due at a time. All of it is one line, rate * (now - start), in 128
 * bits, so that neither a high rate nor a long time overflows and nothing is lost by rounding. */
#include "base/pace.h"

#define NS_PER_S UINT64_C(1000000000)

__extension__ typedef unsigned __int128 u128;

/* How many are due since start_ns, were none taken. */
static u128 line_at(const struct pace *p, uint64_t now_ns)
{
	if (now_ns <= p->start_ns)
		return 0;
	return (u128)p->rate_per_s * (now_ns - p->start_ns) / NS_PER_S;
}

/* The time the line needs for n operations, rounded up. */
static u128 span_ns(const struct pace *p, u128 n)
{
	return (n * NS_PER_S + p->rate_per_s - 1) / p->rate_per_s;
}

/* Moves the line so that burst_max are due now. More than that were due, so the span is no longer
 * than the time since start_ns. Above 10^9 per second one ns is worth several operations; those
 * beyond burst_max count as taken. */
static void give_up_backlog(struct pace *p, uint64_t now_ns)
{
	p->start_ns = now_ns - (uint64_t)span_ns(p, p->burst_max);
	p->taken = (uint64_t)(line_at(p, now_ns) - p->burst_max);
}

uint64_t pace_share(uint64_t rate_per_s, uint32_t number, uint32_t sharers)
{
	uint64_t share = rate_per_s / sharers + (number % sharers < rate_per_s % sharers);

	return share == 0 && rate_per_s > 0 ? 1 : share;
}

void pace_init(struct pace *p, uint64_t rate_per_s, uint64_t burst_max, uint64_t now_ns)
{
	*p = (struct pace){
		.rate_per_s = rate_per_s,
		.start_ns = now_ns,
		.burst_max = burst_max > 0 ? burst_max : 1,
	};
}

uint64_t pace_due(struct pace *p, uint64_t now_ns)
{
	u128 line;

	if (p->rate_per_s == 0)
		return UINT64_MAX;
	line = line_at(p, now_ns);
	if (line <= p->taken)
		return 0;
	if (line - p->taken <= p->burst_max)
		return (uint64_t)(line - p->taken);
	give_up_backlog(p, now_ns);
	return p->burst_max;
}

void pace_take(struct pace *p, uint64_t n)
{
	p->taken += n;
}

uint64_t pace_next_ns(const struct pace *p, uint64_t now_ns)
{
	u128 at;

	if (p->rate_per_s == 0)
		return now_ns;
	at = span_ns(p, (u128)p->taken + 1) + p->start_ns;
	if (at <= now_ns)
		return now_ns;
	return at < UINT64_MAX ? (uint64_t)at : UINT64_MAX;
}
