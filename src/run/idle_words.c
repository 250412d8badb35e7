/* idle_words: a sentence for each way to die. */
#include "run/idle_words.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>

/* How it is, how that shows, and who does that. */
static const struct {
	const char *dead, *shows, *who;
} words[] = {
	[IDLE_LIVES] = {"", "", ""},
	[IDLE_SILENT] = {"silently dead", ": no FIN or RST came, and nothing answers",
                         "something between forgets them: a router's connection tracking "
                         "(nf_conntrack_tcp_timeout_established), or a load balancer"},
	[IDLE_RESET] = {"dead", ": who speaks to them is answered by RST",
                        "something between has forgotten them and says so, as load balancers and "
                        "rejecting firewalls do"},
	[IDLE_UNREACHABLE] = {"dead", ": who speaks to them is answered by an ICMP error",
                              "something between has forgotten them and rejects what it does not "
                              "know, or the way is gone"},
	[IDLE_CLOSED_AFTER] = {"dead", ": who speaks to them is answered by FIN",
                               "the server, or a proxy in its place, has given them up"},
	[IDLE_CLOSED] = {"closed by FIN", "",
                         "the server's idle time-out, or that of a proxy in its place (HAProxy: "
                         "timeout client and server; nginx: proxy_timeout); megaconn serve has "
                         "none"},
	[IDLE_CUT] = {"reset, by RST that comes by itself,", "",
                      "the idle time-out of the server, or of something between that cuts"},
};
static_assert(sizeof(words) / sizeof(words[0]) == IDLE_END_COUNT, "words for each end");

/* As an option takes it: "15s", "750ms". */
static void add_option(struct text *t, uint64_t duration_ns)
{
	if (duration_ns % NS_PER_S == 0)
		text_add(t, "%" PRIu64 "s", (uint64_t)(duration_ns / NS_PER_S));
	else
		text_add(t, "%" PRIu64 "ms", (uint64_t)(duration_ns / NS_PER_MS));
}

/* Half of what is safe, as a round number. */
static uint64_t often_ns(uint64_t safe_ns)
{
	uint64_t unit_ns = safe_ns >= 4 * NS_PER_S ? NS_PER_S : 10 * NS_PER_MS;

	return safe_ns / 2 / unit_ns * unit_ns;
}

/* "; send something every 15 s (--every 15s), or ..."; nothing helps those that die at once. */
static void add_advice(struct text *t, const struct result_idle *idle)
{
	bool is_at_rest = idle->how == IDLE_CLOSED || idle->how == IDLE_CUT;
	uint64_t safe_ns = is_at_rest || idle->lives_ns == 0 ? idle->dead_ns : idle->lives_ns;

	if (often_ns(safe_ns) == 0)
		return;
	text_add(t, "; send something every ");
	text_duration(t, often_ns(safe_ns));
	text_add(t, " (--every ");
	add_option(t, often_ns(safe_ns));
	text_add(t, ")");
	/* Who counts what programs say is not kept awake by what TCP says. */
	if (!is_at_rest && safe_ns >= 2 * NS_PER_S)
		text_add(t,
		         ", or let keepalive do it (net.ipv4.tcp_keepalive_time below %" PRIu64 ")",
		         (uint64_t)(safe_ns / NS_PER_S));
}

static void add_alive(struct text *t, const struct result_idle *idle)
{
	text_add(t, "idle connections live for ");
	text_duration(t, idle->lives_ns);
	if (idle->is_kept)
		text_add(t,
		         ", but the other end spoke to them meanwhile (keepalive, or a server that "
		         "talks): what is between may forget others sooner");
	else if (idle->lives_ns < idle->most_ns)
		text_add(t, " at least");
	else
		text_add(t, " and more: nothing between forgets them sooner");
}

static void add_ended(struct text *t, const struct result_idle *idle)
{
	text_add(t, "idle connections are %s after ", words[idle->how].dead);
	text_duration(t, idle->dead_ns);
	if (idle->ended_most_ns - idle->ended_least_ns > idle->dead_ns / 50) {
		text_add(t, " (nine of ten between ");
		text_duration(t, idle->ended_least_ns);
		text_add(t, " and ");
		text_duration(t, idle->ended_most_ns);
		text_add(t, ")");
	}
}

static void add_dead(struct text *t, const struct result_idle *idle)
{
	if (idle->lives_ns > 0) {
		text_add(t, "idle connections live ");
		text_duration(t, idle->lives_ns);
		text_add(t, " and are ");
	} else {
		text_add(t, "idle connections are ");
	}
	text_add(t, "%s after ", words[idle->how].dead);
	text_duration(t, idle->dead_ns);
	if (!idle->is_near)
		text_add(t, " (more connections would say it closer: -n)");
	text_add(t, "%s", words[idle->how].shows);
}

void idle_words(struct text *t, const struct result_idle *idle)
{
	if (idle->how == IDLE_LIVES) {
		add_alive(t, idle);
		return;
	}
	if (idle->how == IDLE_CLOSED || idle->how == IDLE_CUT)
		add_ended(t, idle);
	else
		add_dead(t, idle);
	text_add(t, "; %s", words[idle->how].who);
	add_advice(t, idle);
}
