/* fake_poll: what the caller is told, made from the state of the ends, in any order of them. */
#include "fake_state.h"

#include "base/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_NS   10000 /* what a poll takes in time that is not real */
#define IDLE_MOST 20000 /* sleeps without end one after the other: a hang */
#define POISON    0xa5

static void lend(struct side *s, struct block *b)
{
	b->next = s->lent;
	s->lent = b;
}

void fake_take_back(struct side *s)
{
	while (s->lent) {
		struct block *b = s->lent;

		s->lent = b->next;
		memset(b->data, POISON, sizeof(b->data));
		free(b);
	}
}

static uint32_t get(struct stream *to, uint8_t *data, uint32_t most)
{
	uint32_t len = to->len < most ? to->len : most;

	for (uint32_t i = 0; i < len; i++)
		data[i] = to->data[(to->from + i) % STREAM_BYTES];
	to->from = (to->from + len) % STREAM_BYTES;
	to->len -= len;
	return len;
}

static uint64_t tag_of(struct side *s, struct end *end, enum engine_op op)
{
	return engine_tag((uint8_t)op, end->generation, (uint32_t)(end - s->ends));
}

static void note_end(struct side *s, struct end *end, int32_t result, bool is_end)
{
	if (!is_end || end->has_ended)
		return;
	end->has_ended = true;
	s->tally.ended[result == 0 ? CAUSE_CLOSED : cause_of_loss(result)]++;
}

static int tell_connected(struct side *s, struct end *end, struct engine_event *event)
{
	if (end->is_unanswered)
		return 0;
	*event = (struct engine_event){.tag = tag_of(s, end, ENGINE_CONNECTED),
	                               .result = end->connect_code};
	if (end->connect_code < 0) {
		s->tally.refused[cause_of_errno(end->connect_code)]++;
		fake_make_free(s, end);
	} else {
		s->tally.connected++;
		end->state = END_OPEN;
	}
	return 1;
}

static int tell_sent(struct side *s, struct end *end, struct engine_event *event)
{
	struct block *b = end->sending;

	if (b && end->is_blocked)
		fake_transmit(s, end);
	if (!b || end->is_blocked)
		return 0;
	*event = (struct engine_event){.tag = tag_of(s, end, ENGINE_SENT),
	                               .result = end->sent,
	                               .len = b->len,
	                               .data = b->data};
	s->tally.momentary += engine_is_momentary(end->sent);
	s->tally.short_sends += end->sent > 0 && (uint32_t)end->sent < b->len;
	s->tally.sent_bytes += end->sent > 0 ? (uint64_t)end->sent : 0;
	note_end(s, end, end->sent, end->sent < 0 && !engine_is_momentary(end->sent));
	lend(s, b);
	end->sending = NULL;
	s->sends--;
	return 1;
}

static int tell_received(struct side *s, struct end *end, struct engine_event *event)
{
	struct stream *from = &end->link->to[s->role];
	uint32_t most = fake_chance(s->fake, s->fake->faults.one_byte) ? 1 : ENGINE_SEND_MAX;

	if (!end->is_wanted || (from->len == 0 && !from->is_finished && !from->is_reset))
		return 0;
	struct block *b = fake_block(NULL, 0);
	int32_t result = (int32_t)get(from, b->data, most);

	lend(s, b);
	if (result == 0 && from->is_reset)
		result = -ECONNRESET;
	end->is_wanted = false;
	s->tally.received_bytes += result > 0 ? (uint64_t)result : 0;
	note_end(s, end, result, result <= 0);
	*event = (struct engine_event){.tag = tag_of(s, end, ENGINE_RECEIVED),
	                               .result = result,
	                               .data = result > 0 ? b->data : NULL};
	return 1;
}

static int tell(struct side *s, struct end *end, struct engine_event *events, int max)
{
	struct fake *f = s->fake;
	int made = 0;

	if (end->state == END_FREE || max == 0 || fake_chance(f, f->faults.delay))
		return 0;
	if (end->state == END_CONNECTING)
		return tell_connected(s, end, events);
	if (fake_draw(f) % 2)
		made += tell_received(s, end, events);
	if (made < max && !fake_chance(f, f->faults.delay))
		made += tell_sent(s, end, events + made);
	return made;
}

static int tell_accepted(struct side *s, struct engine_event *event)
{
	struct fake *f = s->fake;
	struct link *link = f->waiting;
	uint32_t index = (uint32_t)(fake_draw(f) % s->base.index_end);

	if (fake_chance(f, f->faults.accept)) {
		s->tally.accept_errors++;
		*event = (struct engine_event){.tag = engine_tag(ENGINE_ACCEPTED, 0, UINT32_MAX),
		                               .result = -EMFILE};
		return 1;
	}
	while (s->ends[index].state != END_FREE)
		index = (index + 1) % s->base.index_end;
	f->waiting = link->next;
	if (!f->waiting)
		f->waiting_end = &f->waiting;
	s->ends[index] = (struct end){.state = END_OPEN,
	                              .generation = s->ends[index].generation,
	                              .link = link,
	                              .is_wanted = true};
	s->used++;
	s->tally.accepted++;
	*event = (struct engine_event){.tag = tag_of(s, &s->ends[index], ENGINE_ACCEPTED)};
	return 1;
}

static bool may_accept(const struct side *s)
{
	return s->is_listening && s->accepts && s->fake->waiting && s->used < s->base.index_end;
}

/* What there is, in any order of connections. ACCEPTED comes last, as nothing of a connection may
 * come before it. */
static int tell_all(struct side *s, struct engine_event *events, int max)
{
	uint32_t n = s->base.index_end, start = (uint32_t)(fake_draw(s->fake) % n);
	bool backwards = fake_draw(s->fake) % 2;
	int made = 0;

	for (uint32_t i = 0; i < n && made < max; i++) {
		uint32_t at = (start + (backwards ? n - i : i)) % n;

		made += tell(s, &s->ends[at], events + made, max - made);
	}
	while (made < max && may_accept(s) && !fake_chance(s->fake, s->fake->faults.delay))
		made += tell_accepted(s, &events[made]);
	return made;
}

static bool has_something(const struct side *s)
{
	for (uint32_t i = 0; i < s->base.index_end; i++) {
		const struct end *end = &s->ends[i];

		if (end->state == END_CONNECTING && !end->is_unanswered)
			return true;
		if (end->state != END_OPEN)
			continue;
		const struct stream *from = &end->link->to[s->role];

		if (end->sending && (!end->is_blocked || room_of(&end->link->to[1 - s->role]) > 0))
			return true;
		if (end->is_wanted && (from->len > 0 || from->is_finished || from->is_reset))
			return true;
	}
	return may_accept(s);
}

static void sleep_really(struct side *s, uint64_t deadline_ns)
{
	struct pollfd bell = {.fd = s->wake_fd, .events = POLLIN};
	uint64_t count;

	if (poll(&bell, 1, clock_timeout_ms(deadline_ns)) > 0)
		(void)!read(s->wake_fd, &count, sizeof(count));
}

/* Nothing comes: the time goes on to the deadline. Without one, and with nobody doing anything,
 * nothing will ever come. Returns 0 or the end of this engine. */
static int sleep_until(struct side *s, uint64_t deadline_ns)
{
	struct fake *f = s->fake;
	uint64_t *now_ns = f->faults.now_ns;

	if (f->is_pumping || has_something(s))
		return 0;
	if (!now_ns) {
		sleep_really(s, deadline_ns);
		return 0;
	}
	if (f->has_progress || has_something(&f->sides[1 - s->role]))
		return 0;
	if (deadline_ns != UINT64_MAX) {
		*now_ns = deadline_ns > *now_ns ? deadline_ns : *now_ns;
		return 0;
	}
	if (++f->idle < IDLE_MOST)
		return 0;
	fake_note(f, "sleeps for ever");
	return -EDEADLK;
}

int fake_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	struct side *s = side_of(e);
	struct fake *f = s->fake;

	if (max <= 0)
		fake_note(f, "poll for no events");
	fake_take_back(s);
	if (!f->is_pumping) {
		f->has_progress = false;
		f->polls++;
		if (f->faults.now_ns)
			*f->faults.now_ns += STEP_NS;
	}
	if (f->faults.polls_most > 0 && f->polls > f->faults.polls_most) {
		fake_note(f, "polls without end");
		return -EDEADLK;
	}
	if (f->faults.pump && !f->is_pumping) {
		f->is_pumping = true;
		f->faults.pump(f->faults.with);
		f->is_pumping = false;
	}
	int made = tell_all(s, events, max);

	if (made == 0)
		return sleep_until(s, deadline_ns);
	f->has_progress = true;
	f->idle = 0;
	return made;
}
