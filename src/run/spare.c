/* spare: see the header. */
#include "run/spare.h"

#include "base/clock.h"
#include "kernel/sysctl.h"

#include <sys/socket.h>

#define CHURN_MOST_PER_S 50000 /* that a CPU can do: the handshake alone takes more than 10 us */
#define CHURN_LAG_S      1
#define CHURN_UNDER_WAY  2048

static bool is_by_fin(const struct stage *stage)
{
	return stage->churn_per_s > 0 && !stage->churn_by_reset;
}

bool spare_churns_by_fin(const struct experiment *x)
{
	for (uint32_t i = 0; i < x->stage_count; i++) {
		if (is_by_fin(&x->stages[i]))
			return true;
	}
	return false;
}

bool spare_is_needed(const struct experiment *x)
{
	return spare_churns_by_fin(x) && !engine_is_utcp(x->clients);
}

static bool is_loopback(const struct ip *ip)
{
	static const uint8_t one[16] = {[15] = 1};

	if (ip->family == AF_INET)
		return ip->bytes[0] == 127;
	for (size_t i = 0; i < sizeof(one); i++) {
		if (ip->bytes[i] != one[i])
			return false;
	}
	return true;
}

uint64_t spare_rest_ns(const struct experiment *x)
{
	uint64_t reuse = 0, timestamps = 0, delay_ms = 0;

	(void)sysctl_get_u64("net.ipv4.tcp_tw_reuse", &reuse);
	(void)sysctl_get_u64("net.ipv4.tcp_timestamps", &timestamps);
	if (timestamps == 0 || reuse == 0 || (reuse == 2 && !is_loopback(&x->tuples.target)))
		return SPARE_REST_NS;
	if (sysctl_get_u64("net.ipv4.tcp_tw_reuse_delay", &delay_ms) == 0)
		return NS_PER_S + delay_ms * NS_PER_MS;
	return SPARE_REUSE_NS;
}

/* Rounded up, with what a server may lag behind: a rate and a time in ns would not fit 64 bits. */
static uint64_t seconds_of(uint64_t ns)
{
	return ns / NS_PER_S + 1 + CHURN_LAG_S;
}

static uint64_t rate_of(const struct stage *stage, uint64_t cpus)
{
	if (!is_by_fin(stage))
		return 0;
	return stage->churn_per_s == STAGE_AS_FAST ? cpus * CHURN_MOST_PER_S : stage->churn_per_s;
}

/* What all stages close together, but no more than the fastest of them while a tuple rests. */
uint64_t spare_wanted(const struct experiment *x, uint64_t rest_ns, uint64_t cpus)
{
	uint64_t rest_s = seconds_of(rest_ns), most = 0, sum = 0;

	if (!spare_is_needed(x))
		return 0;
	for (uint32_t i = 0; i < x->stage_count; i++) {
		uint64_t rate = rate_of(&x->stages[i], cpus);
		uint64_t stage_s = seconds_of(x->stages[i].duration_ns);

		sum += rate * (stage_s < rest_s ? stage_s : rest_s);
		most = rate * rest_s > most ? rate * rest_s : most;
	}
	return (sum < most ? sum : most) + CHURN_UNDER_WAY;
}

uint64_t spare_rate(uint64_t spares, uint64_t rest_ns)
{
	return spares / ((rest_ns + NS_PER_S - 1) / NS_PER_S);
}
