/* client_stage: see the header. */
#include "run/client_stage.h"

#include "base/clock.h"
#include "run/client_churn.h"
#include "run/client_open.h"
#include "run/client_push.h"
#include "run/client_share.h"
#include "run/client_state.h"
#include "run/client_storm.h"
#include "run/client_traffic.h"

#define HURRIED_NS (500 * NS_PER_MS)

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

bool client_stage_make(struct client *c)
{
	c->wanted = client_share(c, c->x->ramp_to);
	return client_traffic_make(c) && client_push_make(c) && client_churn_make(c);
}

/* What is still under way is not waited for any more. */
static void end(struct client *c)
{
	if (shm_get(c->shm->stop) != STOP_INTERRUPTED)
		client_open_give_up(c);
	client_traffic_end(c);
	client_push_end(c);
	c->stage = NULL;
	__atomic_store_n(&c->me->stage_done, c->stage_number, __ATOMIC_RELEASE);
}

void client_stage_leave(struct client *c)
{
	if (c->stage)
		end(c);
}

static void begin(struct client *c, uint32_t number)
{
	client_stage_leave(c);
	c->stage = &c->x->stages[number - 1];
	c->stage_number = number;
	c->stage_ns = shm_get(c->shm->stage_start_ns);
	c->is_draining = c->is_hurried = false;
	client_share_begin(c);
	client_traffic_begin(c);
	client_push_begin(c);
	client_churn_begin(c);
	client_storm_begin(c);
}

/* Whether what is under way has come to its end. An interrupt waits for answers alone. */
static bool is_at_rest(struct client *c, bool is_interrupted)
{
	if (!client_traffic_is_idle(c))
		return false;
	return is_interrupted ||
	       (client_push_is_idle(c) && client_open_is_whole(c) && client_share_is_done(c));
}

/* What is still under way when a time-out has passed will not come. Who interrupts does not want to
 * wait for it, nor to hear of messages as missing whose answers are on their way. */
static void drain(struct client *c)
{
	bool is_interrupted = shm_get(c->shm->stop) == STOP_INTERRUPTED;

	if (!c->is_draining) {
		c->is_draining = true;
		c->drain_end_ns = c->now_ns + c->x->timeout_ns;
	}
	if (is_interrupted && !c->is_hurried) {
		c->is_hurried = true;
		c->drain_end_ns = earlier(c->drain_end_ns, c->now_ns + HURRIED_NS);
	}
	if (!is_at_rest(c, is_interrupted) && c->now_ns < c->drain_end_ns)
		return;
	end(c);
}

void client_stage_heed(struct client *c)
{
	uint32_t number = __atomic_load_n(&c->shm->stage, __ATOMIC_ACQUIRE);

	if (number != c->stage_number)
		begin(c, number);
	if (c->stage && shm_get(c->shm->stage_over) == number)
		drain(c);
}

void client_stage_due(struct client *c)
{
	if (!c->stage)
		return;
	client_share_due(c);
	if (!c->is_draining)
		client_storm_due(c);
	client_churn_due(c);
	client_traffic_say_due(c);
	client_push_due(c);
}

uint64_t client_stage_next_ns(const struct client *c)
{
	if (!c->stage)
		return UINT64_MAX;
	uint64_t next_ns = earlier(client_traffic_next_ns(c), client_push_next_ns(c));

	next_ns = earlier(next_ns, client_churn_next_ns(c));
	next_ns = earlier(next_ns, client_share_next_ns(c));
	if (c->is_draining)
		return earlier(next_ns, c->drain_end_ns);
	return earlier(next_ns, client_storm_next_ns(c));
}
