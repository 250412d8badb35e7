/* fake_engine: see the header.
 *
 * A connection is a link with a stream of bytes to either end. What a side sends is in the other's
 * stream at once; its SENT is told later, so that the answer may overtake it. What is told to the
 * caller is made in poll from the state of the ends: nothing is queued, so nothing can be stale. */
#include "fake_engine.h"

#include "base/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAM_BYTES 2048
#define STEP_NS      10000 /* what a poll takes in time that is not real */
#define IDLE_MOST    20000 /* sleeps without end one after the other: a hang */
#define POISON       0xa5

enum end_state { END_FREE, END_CONNECTING, END_OPEN };

struct stream {
	uint8_t data[STREAM_BYTES];
	uint32_t from, len;
	bool is_finished, is_reset, is_muted;
};

struct link {
	struct stream to[FAKE_ROLES];
	struct link *next; /* in the listen queue */
	bool is_held[FAKE_ROLES];
};

/* Memory that is lent to the caller. */
struct block {
	struct block *next;
	uint32_t len;
	uint8_t data[ENGINE_SEND_MAX];
};

struct end {
	enum end_state state;
	uint32_t generation;
	struct link *link;
	bool is_wanted, has_ended;
	bool is_unanswered;
	int connect_code;
	struct block *sending; /* what was given, until its SENT */
	bool is_blocked;
	int32_t sent;
};

struct side {
	struct engine base;
	struct fake *fake;
	enum fake_role role;
	struct end *ends;
	uint32_t used, sends;
	struct block *lent;
	bool is_listening, accepts;
	int wake_fd;
	struct fake_tally tally;
};

struct fake {
	struct fake_faults faults;
	struct side sides[FAKE_ROLES];
	uint32_t connections;
	struct link *waiting, **waiting_end; /* the listen queue */
	uint64_t random, polls, idle;
	bool is_pumping, has_progress;
	int refuse_next;
	const char *breach;
};

static struct side *side_of(struct engine *e)
{
	return (struct side *)(void *)e;
}

static uint64_t draw(struct fake *f)
{
	uint64_t x = f->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static bool chance(struct fake *f, unsigned int per_mille)
{
	return per_mille > 0 && draw(f) % 1000 < per_mille;
}

static void breach(struct fake *f, const char *what)
{
	if (!f->breach)
		f->breach = what;
}

static struct block *block_make(const void *data, uint32_t len)
{
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->len = len;
	if (len > 0)
		memcpy(b->data, data, len);
	return b;
}

static void lend(struct side *s, struct block *b)
{
	b->next = s->lent;
	s->lent = b;
}

static void take_back(struct side *s)
{
	while (s->lent) {
		struct block *b = s->lent;

		s->lent = b->next;
		memset(b->data, POISON, sizeof(b->data));
		free(b);
	}
}

/* --- links -------------------------------------------------------------------------------- */

static void let_go(struct link *link, enum fake_role role)
{
	link->is_held[role] = false;
	if (!link->is_held[FAKE_SERVER] && !link->is_held[FAKE_CLIENT])
		free(link);
}

static void put(struct stream *to, const uint8_t *data, uint32_t len)
{
	if (to->is_muted || to->is_finished || to->is_reset)
		return;
	for (uint32_t i = 0; i < len; i++)
		to->data[(to->from + to->len + i) % STREAM_BYTES] = data[i];
	to->len += len;
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

static uint32_t room_of(const struct stream *to)
{
	bool swallows = to->is_muted || to->is_finished || to->is_reset;

	return swallows ? STREAM_BYTES : STREAM_BYTES - to->len;
}

static void reset_link(struct link *link)
{
	for (int i = 0; i < FAKE_ROLES; i++) {
		link->to[i].is_reset = true;
		link->to[i].len = 0;
	}
}

/* --- operations --------------------------------------------------------------------------- */

static struct end *end_at(struct side *s, uint32_t index, const char *what)
{
	s->fake->has_progress = true;
	if (index >= s->base.index_end || s->ends[index].state != END_OPEN) {
		breach(s->fake, what);
		return NULL;
	}
	return &s->ends[index];
}

static int fake_listen(struct engine *e, int fd)
{
	struct side *s = side_of(e);

	if (s->is_listening)
		return -ENOSPC;
	s->is_listening = s->accepts = true;
	if (fd >= 0)
		close(fd);
	return 0;
}

static void fake_accept(struct engine *e, bool on)
{
	side_of(e)->accepts = on;
}

static int draw_connect_code(struct fake *f)
{
	static const int codes[] = {-ECONNREFUSED, -ETIMEDOUT,     -ENOBUFS,      -EMFILE,
	                            -EADDRINUSE,   -EADDRNOTAVAIL, -EHOSTUNREACH, -EPERM};
	int code = f->refuse_next;

	f->refuse_next = 0;
	if (code == 0 && chance(f, f->faults.connect))
		code = codes[draw(f) % (sizeof(codes) / sizeof(codes[0]))];
	return code;
}

static void fake_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                         const struct sockaddr *target, socklen_t len)
{
	struct side *s = side_of(e);
	struct fake *f = s->fake;
	struct end *end = &s->ends[index];

	f->has_progress = true;
	if (index >= s->base.index_end || end->state != END_FREE || s->role != FAKE_CLIENT ||
	    source->sa_family != target->sa_family || len == 0) {
		breach(f, "connect of an index that is not free, or from a server");
		return;
	}
	*end = (struct end){.state = END_CONNECTING, .generation = end->generation};
	end->connect_code = draw_connect_code(f);
	end->is_unanswered = end->connect_code == 0 && chance(f, f->faults.unanswered);
	s->used++;
	if (end->connect_code != 0 || end->is_unanswered)
		return;
	end->link = calloc(1, sizeof(*end->link));
	if (!end->link)
		abort();
	end->link->is_held[FAKE_SERVER] = end->link->is_held[FAKE_CLIENT] = true;
	*f->waiting_end = end->link;
	f->waiting_end = &end->link->next;
}

/* How the way to the peer fails with this send. Returns how many bytes still arrive. */
static uint32_t hurt(struct side *s, struct end *end, struct block *b)
{
	struct fake *f = s->fake;
	struct stream *to = &end->link->to[1 - s->role];
	uint32_t len = b->len;

	if (chance(f, f->faults.mute))
		to->is_muted = true;
	if (chance(f, f->faults.finish)) {
		len = (uint32_t)(draw(f) % len);
		put(to, b->data, len);
		to->is_finished = true;
	} else if (chance(f, f->faults.reset)) {
		reset_link(end->link);
		end->sent = draw(f) % 2 ? -ECONNRESET : (int32_t)b->len;
		return 0;
	}
	return len;
}

/* Moves what there is room for to the peer. */
static void transmit(struct side *s, struct end *end)
{
	struct fake *f = s->fake;
	struct block *b = end->sending;
	struct stream *to = &end->link->to[1 - s->role];
	uint32_t len = b->len, room = room_of(to);
	uint8_t bytes[ENGINE_SEND_MAX];

	if (end->link->to[s->role].is_reset) {
		end->is_blocked = false;
		end->sent = -ECONNRESET;
		return;
	}
	end->is_blocked = room == 0;
	if (end->is_blocked)
		return;
	len = len < room ? len : room;
	if (len > 1 && chance(f, f->faults.short_send))
		len = 1 + (uint32_t)(draw(f) % (len - 1));
	end->sent = (int32_t)len;
	uint32_t arrives = hurt(s, end, b);

	memcpy(bytes, b->data, b->len);
	if (chance(f, f->faults.corrupt))
		bytes[draw(f) % len] ^= (uint8_t)(1U << draw(f) % 8);
	put(to, bytes, arrives < len ? arrives : len);
}

static int fake_send(struct engine *e, uint32_t index, const void *data, uint32_t len)
{
	struct side *s = side_of(e);
	struct fake *f = s->fake;
	struct end *end = end_at(s, index, "send on an index that is not open");

	if (!end)
		return 0;
	if (end->sending || len == 0 || len > ENGINE_SEND_MAX) {
		breach(f, end->sending ? "send while one is under way"
		                       : "send of nothing, or of too much");
		return 0;
	}
	if (chance(f, f->faults.try_again) ||
	    (f->faults.send_slots > 0 && s->sends >= f->faults.send_slots)) {
		s->tally.tried_again++;
		return -EAGAIN;
	}
	s->sends++;
	end->sending = block_make(data, len);
	end->is_blocked = false;
	if (end->link->to[s->role].is_reset)
		end->sent = -EPIPE;
	else if (chance(f, f->faults.no_buffers))
		end->sent = draw(f) % 2 ? -ENOBUFS : -ENOMEM;
	else
		transmit(s, end);
	return 0;
}

static void fake_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct side *s = side_of(e);
	struct end *end = end_at(s, index, "receive on an index that is not open");

	if (!end)
		return;
	if (end->is_wanted || (wait != ENGINE_WAIT_SOON && wait != ENGINE_WAIT_IDLE))
		breach(s->fake, "receive while one is asked for");
	end->is_wanted = true;
}

static void make_free(struct side *s, struct end *end)
{
	if (end->sending) {
		free(end->sending);
		s->sends--;
	}
	s->used--;
	*end = (struct end){.generation = (end->generation + 1) & ENGINE_GENERATION_MASK};
}

static void fake_close(struct engine *e, uint32_t index, enum engine_close how)
{
	struct side *s = side_of(e);
	struct end *end = &s->ends[index];

	s->fake->has_progress = true;
	if (index >= s->base.index_end || end->state == END_FREE) {
		breach(s->fake, "close of an index that is free");
		return;
	}
	s->tally.given_up += end->state == END_CONNECTING;
	if (end->link) {
		/* Unread data makes a kernel send RST too. */
		if (how == ENGINE_CLOSE_RESET || end->link->to[s->role].len > 0)
			reset_link(end->link);
		else if (how == ENGINE_CLOSE_FIN)
			end->link->to[1 - s->role].is_finished = true;
		else
			end->link->to[1 - s->role].is_muted = true;
		end->link->to[s->role].is_reset = true; /* what still comes here is answered so */
		let_go(end->link, s->role);
	}
	make_free(s, end);
}

/* --- poll --------------------------------------------------------------------------------- */

static uint64_t tag_of(struct side *s, struct end *end, enum engine_op op)
{
	return engine_tag((uint8_t)op, end->generation, (uint32_t)(end - s->ends));
}

static void note_end(struct side *s, struct end *end, int32_t result, bool is_end)
{
	if (!is_end || end->has_ended)
		return;
	end->has_ended = true;
	s->tally.ended[result == 0 ? CAUSE_CLOSED : cause_of_errno(result)]++;
}

static int tell_connected(struct side *s, struct end *end, struct engine_event *event)
{
	if (end->is_unanswered)
		return 0;
	*event = (struct engine_event){.tag = tag_of(s, end, ENGINE_CONNECTED),
	                               .result = end->connect_code};
	if (end->connect_code < 0) {
		s->tally.refused[cause_of_errno(end->connect_code)]++;
		make_free(s, end);
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
		transmit(s, end);
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
	uint32_t most = chance(s->fake, s->fake->faults.one_byte) ? 1 : ENGINE_SEND_MAX;

	if (!end->is_wanted || (from->len == 0 && !from->is_finished && !from->is_reset))
		return 0;
	struct block *b = block_make(NULL, 0);
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

	if (end->state == END_FREE || max == 0 || chance(f, f->faults.delay))
		return 0;
	if (end->state == END_CONNECTING)
		return tell_connected(s, end, events);
	if (draw(f) % 2)
		made += tell_received(s, end, events);
	if (made < max && !chance(f, f->faults.delay))
		made += tell_sent(s, end, events + made);
	return made;
}

static int tell_accepted(struct side *s, struct engine_event *event)
{
	struct fake *f = s->fake;
	struct link *link = f->waiting;
	uint32_t index = (uint32_t)(draw(f) % s->base.index_end);

	if (chance(f, f->faults.accept)) {
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
	uint32_t n = s->base.index_end, start = (uint32_t)(draw(s->fake) % n);
	bool backwards = draw(s->fake) % 2;
	int made = 0;

	for (uint32_t i = 0; i < n && made < max; i++) {
		uint32_t at = (start + (backwards ? n - i : i)) % n;

		made += tell(s, &s->ends[at], events + made, max - made);
	}
	while (made < max && may_accept(s) && !chance(s->fake, s->fake->faults.delay))
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
	breach(f, "sleeps for ever");
	return -EDEADLK;
}

static int fake_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns)
{
	struct side *s = side_of(e);
	struct fake *f = s->fake;

	if (max <= 0)
		breach(f, "poll for no events");
	take_back(s);
	if (!f->is_pumping) {
		f->has_progress = false;
		f->polls++;
		if (f->faults.now_ns)
			*f->faults.now_ns += STEP_NS;
	}
	if (f->faults.polls_most > 0 && f->polls > f->faults.polls_most) {
		breach(f, "polls without end");
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

static void fake_close_all(struct engine *e, enum engine_close how)
{
	struct side *s = side_of(e);

	s->is_listening = false;
	for (uint32_t i = 0; i < s->base.index_end; i++) {
		if (s->ends[i].state != END_FREE)
			fake_close(e, i, how);
	}
}

static void fake_shut(struct engine *e)
{
	struct side *s = side_of(e);

	fake_close_all(e, ENGINE_CLOSE_FIN);
	take_back(s);
	free(s->ends);
	s->ends = NULL;
	s->base.index_end = 0;
}

static const struct engine_ops fake_ops = {
	.name = "fake",
	.listen = fake_listen,
	.accept = fake_accept,
	.connect = fake_connect,
	.send = fake_send,
	.receive = fake_receive,
	.close = fake_close,
	.poll = fake_poll,
	.close_all = fake_close_all,
	.shut = fake_shut,
};

struct fake *fake_make(const struct fake_faults *faults, uint32_t connections, int server_wake,
                       int client_wake)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->faults = *faults;
	f->random = faults->seed;
	f->connections = connections;
	f->waiting_end = &f->waiting;
	for (int i = 0; i < FAKE_ROLES; i++) {
		f->sides[i] = (struct side){
			.base = {.ops = &fake_ops, .index_end = connections},
			.fake = f,
			.role = (enum fake_role)i,
			.ends = calloc(connections, sizeof(struct end)),
			.wake_fd = i == FAKE_SERVER ? server_wake : client_wake,
		};
		if (!f->sides[i].ends)
			abort();
	}
	return f;
}

struct engine *fake_engine(struct fake *fake, enum fake_role role)
{
	return &fake->sides[role].base;
}

const struct fake_tally *fake_tally(const struct fake *fake, enum fake_role role)
{
	return &fake->sides[role].tally;
}

const char *fake_breach(const struct fake *fake)
{
	return fake->breach;
}

void fake_refuse_next(struct fake *fake, int code)
{
	fake->refuse_next = code;
}

uint32_t fake_open(const struct fake *fake, enum fake_role role)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fake->sides[role].base.index_end; i++)
		count += fake->sides[role].ends[i].state == END_OPEN;
	return count;
}

void fake_drop(struct fake *fake)
{
	while (fake->waiting) {
		struct link *link = fake->waiting;

		fake->waiting = link->next;
		let_go(link, FAKE_SERVER);
	}
	free(fake);
}
