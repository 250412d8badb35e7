/* script: a text with marks is a row of pieces, each a run of bytes as they stand or what a mark
 * stands for, so that any part of it can be written without the rest. */
#include "behave/script.h"

#include "base/mix.h"
#include "behave/behaviour.h"

#include <string.h>

#define NONCE_DIGITS 16
#define INDEX_DIGITS 10 /* of UINT32_MAX */
#define WINDOW       256

/* Which message it is, of which connection. */
struct place {
	const struct script *script;
	uint64_t key;
	uint32_t index, number;
};

/* A text on its way out. */
struct reader {
	const uint8_t *at, *end;
	uint32_t index;
	uint64_t nonce;
	uint8_t room[NONCE_DIGITS]; /* what a mark stands for */
};

struct piece {
	const uint8_t *at;
	uint32_t len;
};

static struct place place_of(const struct behaviour *b, uint32_t index, uint32_t number)
{
	return (struct place){b->script, b->key, index, number};
}

/* Which of its turns is number `number`; count where it has come to its end. */
static uint32_t position(const struct script *script, uint32_t number)
{
	uint32_t loop = script->count - script->loop_from;

	if (number < script->count)
		return number;
	return loop == 0 ? script->count : script->loop_from + (number - script->loop_from) % loop;
}

/* The nonce of an answer is that of what was said last. */
static uint64_t nonce_of(const struct place *place)
{
	const struct script *script = place->script;
	uint32_t number = place->number;

	for (int i = 0; i < SCRIPT_TURNS_MOST && number > 0; i++, number--) {
		if (script->turns[position(script, number)].say_bytes > 0)
			break;
	}
	return mix64(mix64(place->key ^ place->index) ^ number);
}

static struct reader read_text(const struct place *place, uint16_t at, uint16_t bytes)
{
	return (struct reader){
		.at = place->script->text + at,
		.end = place->script->text + at + bytes,
		.index = place->index,
		.nonce = nonce_of(place),
	};
}

/* `width` digits of that base, from the end of the room. */
static struct piece digits(struct reader *r, uint64_t value, unsigned int base, uint32_t width)
{
	for (uint32_t i = 0; i < width; i++, value /= base)
		r->room[NONCE_DIGITS - 1 - i] = (uint8_t) "0123456789abcdef"[value % base];
	return (struct piece){r->room + NONCE_DIGITS - width, width};
}

static uint32_t index_width(uint32_t index, uint32_t width)
{
	uint32_t needed = 1;

	for (; index >= 10; index /= 10)
		needed++;
	return needed > width ? needed : width;
}

static struct piece mark(struct reader *r, uint8_t kind)
{
	if (kind == SCRIPT_MARK_BYTE) {
		r->room[0] = SCRIPT_MARK;
		return (struct piece){r->room, 1};
	}
	if (kind == SCRIPT_MARK_NONCE)
		return digits(r, r->nonce, 16, NONCE_DIGITS);
	return digits(r, r->index, 10, index_width(r->index, kind - SCRIPT_MARK_INDEX));
}

/* The next piece; one without bytes is the end. */
static struct piece next_piece(struct reader *r)
{
	size_t left = (size_t)(r->end - r->at);
	const uint8_t *found = memchr(r->at, SCRIPT_MARK, left);
	struct piece piece = {r->at, (uint32_t)(found ? (size_t)(found - r->at) : left)};

	if (found != r->at || left == 0) {
		r->at += piece.len;
		return piece;
	}
	r->at += 2;
	return mark(r, found[1]);
}

/* Bytes offset .. offset + len - 1 of it, as far as there are; returns how many. */
static uint32_t write_text(struct reader r, uint32_t offset, uint8_t *out, uint32_t len)
{
	uint32_t written = 0;

	for (struct piece p = next_piece(&r); p.len > 0 && written < len; p = next_piece(&r)) {
		uint32_t skipped = offset < p.len ? offset : p.len;
		uint32_t taken = p.len - skipped;

		if (taken > len - written)
			taken = len - written;
		memcpy(out + written, p.at + skipped, taken);
		written += taken;
		offset -= skipped;
	}
	return written;
}

static uint32_t text_bytes(struct reader r)
{
	uint32_t bytes = 0;

	for (struct piece p = next_piece(&r); p.len > 0; p = next_piece(&r))
		bytes += p.len;
	return bytes;
}

/* --- what is said --------------------------------------------------------------------------- */

static struct reader read_said(const struct place *place, uint32_t at)
{
	const struct script_turn *t = &place->script->turns[at];

	return read_text(place, t->say_at, t->say_bytes);
}

static uint64_t wait_ns(const struct script *script, uint32_t number, uint32_t at)
{
	uint64_t pause_ns = script->turns[at].wait_ns;

	if (at != script->loop_from)
		return pause_ns;
	return pause_ns + (number == at ? script->enter_ns : script->again_ns);
}

void script_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out)
{
	const struct script *script = b->script;
	const struct place place = place_of(b, index, number);
	uint32_t at = position(script, number);

	if (at == script->count) {
		*out = (struct turn){.is_last = true};
		return;
	}
	*out = (struct turn){
		.wait_ns = wait_ns(script, number, at),
		.say_bytes = text_bytes(read_said(&place, at)),
		.is_answered = script->turns[at].expect_bytes > 0,
		.is_last = at + 1 == script->count && script->loop_from == script->count,
	};
}

void script_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                  uint8_t *out, uint32_t len)
{
	const struct place place = place_of(b, index, number);
	uint32_t at = position(b->script, number);

	if (at < b->script->count)
		write_text(read_said(&place, at), offset, out, len);
}

bool script_waits(const struct script *script)
{
	uint64_t sum_ns = script->enter_ns + script->again_ns;

	for (uint32_t at = 0; at < script->count; at++)
		sum_ns += script->turns[at].wait_ns;
	return sum_ns > 0;
}

uint32_t script_longest(const struct script *script)
{
	const struct place place = {.script = script, .index = UINT32_MAX};
	uint32_t most = 0;

	for (uint32_t at = 0; at < script->count; at++) {
		uint32_t bytes = text_bytes(read_said(&place, at));

		most = bytes > most ? bytes : most;
	}
	return most;
}

/* --- what is heard -------------------------------------------------------------------------- */

/* Whether these are the text's bytes from `offset` on, which has so many. */
static bool is_text(struct reader r, uint32_t offset, const uint8_t *data, uint32_t len)
{
	uint8_t window[WINDOW];

	for (uint32_t at = 0; at < len; at += WINDOW) {
		uint32_t bytes = len - at < WINDOW ? len - at : WINDOW;

		write_text(r, offset + at, window, bytes);
		if (memcmp(window, data + at, bytes) != 0)
			return false;
	}
	return true;
}

/* A line that has begun right is heard to its end. */
static enum answer hear_line(struct hearing *hearing, const uint8_t *data, uint32_t len,
                             uint32_t begun, uint32_t *used)
{
	const uint8_t *end = memchr(data + begun, '\n', len - begun);

	*used = end ? (uint32_t)(end - data) + 1 : len;
	if (end)
		return ANSWER_GOOD;
	hearing->heard = hearing->heard > UINT32_MAX - len ? UINT32_MAX : hearing->heard + len;
	return BEHAVIOUR_MORE;
}

enum answer script_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                        struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used)
{
	const struct place place = place_of(b, index, number);
	uint32_t at = position(b->script, number);

	*used = len;
	if (at == b->script->count)
		return ANSWER_MISMATCHED;
	const struct script_turn *t = &b->script->turns[at];
	const struct reader expected = read_text(&place, t->expect_at, t->expect_bytes);
	uint32_t bytes = text_bytes(expected);
	uint32_t missing = hearing->heard < bytes ? bytes - hearing->heard : 0;
	uint32_t taken = missing < len ? missing : len;

	if (!is_text(expected, hearing->heard, data, taken))
		return ANSWER_MISMATCHED;
	if (t->is_prefix && taken == missing)
		return hear_line(hearing, data, len, taken, used);
	if (taken == missing) {
		*used = taken;
		return ANSWER_GOOD;
	}
	hearing->heard += taken;
	return BEHAVIOUR_MORE;
}
