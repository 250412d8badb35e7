/* fake_state: what the parts of the fake engine share. */
#pragma once

#include "fake_engine.h"

#define STREAM_BYTES 2048

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

static inline struct side *side_of(struct engine *e)
{
	return (struct side *)(void *)e;
}

static inline uint32_t room_of(const struct stream *to)
{
	bool swallows = to->is_muted || to->is_finished || to->is_reset;

	return swallows ? STREAM_BYTES : STREAM_BYTES - to->len;
}

/* A number, and whether something happens that does so often in a thousand. */
uint64_t fake_draw(struct fake *f);
bool fake_chance(struct fake *f, unsigned int per_mille);

/* Notes what the caller did. */
void fake_note(struct fake *f, const char *what);
struct block *fake_block(const void *data, uint32_t len);

/* Moves what there is room for of what is being sent to the peer. */
void fake_transmit(struct side *s, struct end *end);
void fake_make_free(struct side *s, struct end *end);

/* fake_poll: the operation of the contract, and what the caller has until then. */
int fake_poll(struct engine *e, struct engine_event *events, int max, uint64_t deadline_ns);
void fake_take_back(struct side *s);
