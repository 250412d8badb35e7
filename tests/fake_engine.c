/* fake_engine: see the header.
 *
 * A connection is a link with a stream of bytes to either end. What a side sends is in the other's
 * stream at once; its SENT is told later, so that the answer may overtake it. What is told to the
 * caller is made in poll from the state of the ends: nothing is queued, so nothing can be stale. */
#include "fake_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t fake_draw(struct fake *f)
{
	uint64_t x = f->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

bool fake_chance(struct fake *f, unsigned int per_mille)
{
	return per_mille > 0 && fake_draw(f) % 1000 < per_mille;
}

void fake_note(struct fake *f, const char *what)
{
	if (!f->breach)
		f->breach = what;
}

struct block *fake_block(const void *data, uint32_t len)
{
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->len = len;
	if (len > 0)
		memcpy(b->data, data, len);
	return b;
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
		fake_note(s->fake, what);
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
	if (code == 0 && fake_chance(f, f->faults.connect))
		code = codes[fake_draw(f) % (sizeof(codes) / sizeof(codes[0]))];
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
		fake_note(f, "connect of an index that is not free, or from a server");
		return;
	}
	*end = (struct end){.state = END_CONNECTING, .generation = end->generation};
	end->connect_code = draw_connect_code(f);
	end->is_unanswered = end->connect_code == 0 && fake_chance(f, f->faults.unanswered);
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
	uint32_t len = (uint32_t)end->sent; /* no more than there is room for */

	if (fake_chance(f, f->faults.mute))
		to->is_muted = true;
	if (fake_chance(f, f->faults.finish)) {
		len = (uint32_t)(fake_draw(f) % len);
		put(to, b->data, len);
		to->is_finished = true;
	} else if (fake_chance(f, f->faults.reset)) {
		reset_link(end->link);
		end->sent = fake_draw(f) % 2 ? -ECONNRESET : (int32_t)b->len;
		return 0;
	}
	return len;
}

void fake_transmit(struct side *s, struct end *end)
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
	if (len > 1 && fake_chance(f, f->faults.short_send))
		len = 1 + (uint32_t)(fake_draw(f) % (len - 1));
	end->sent = (int32_t)len;
	uint32_t arrives = hurt(s, end, b);

	memcpy(bytes, b->data, b->len);
	if (fake_chance(f, f->faults.corrupt))
		bytes[fake_draw(f) % len] ^= (uint8_t)(1U << fake_draw(f) % 8);
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
		fake_note(f, end->sending ? "send while one is under way"
		                          : "send of nothing, or of too much");
		return 0;
	}
	if (fake_chance(f, f->faults.try_again) ||
	    (f->faults.send_slots > 0 && s->sends >= f->faults.send_slots)) {
		s->tally.tried_again++;
		return -EAGAIN;
	}
	s->sends++;
	end->sending = fake_block(data, len);
	end->is_blocked = false;
	if (end->link->to[s->role].is_reset)
		end->sent = -EPIPE;
	else if (fake_chance(f, f->faults.no_buffers))
		end->sent = fake_draw(f) % 2 ? -ENOBUFS : -ENOMEM;
	else
		fake_transmit(s, end);
	return 0;
}

static void fake_receive(struct engine *e, uint32_t index, enum engine_wait wait)
{
	struct side *s = side_of(e);
	struct end *end = end_at(s, index, "receive on an index that is not open");

	if (!end)
		return;
	if (end->is_wanted || (wait != ENGINE_WAIT_SOON && wait != ENGINE_WAIT_IDLE))
		fake_note(s->fake, "receive while one is asked for");
	end->is_wanted = true;
}

void fake_make_free(struct side *s, struct end *end)
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
		fake_note(s->fake, "close of an index that is free");
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
	fake_make_free(s, end);
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
	fake_take_back(s);
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
			.base = {.ops = &fake_ops,
		                 .index_end = connections,
		                 .send_most = ENGINE_SEND_MAX},
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

void fake_set_faults(struct fake *fake, const struct fake_faults *faults)
{
	fake->faults = *faults;
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
