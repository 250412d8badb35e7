/* fuzz_responder: a libFuzzer target for the server's side of HTTP. The first byte says how the
 * rest is cut. Whatever comes, all answers are whole and in order, none is left, nothing is heard
 * after the end, and how it was cut makes no difference to what is answered. */
#include "behave/responder.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY 3

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Says all there is, in pieces: how many bytes. */
static uint32_t say_all(struct responder *r, const struct response *of, uint32_t most)
{
	uint8_t *out = malloc(most);
	uint32_t bytes = 0;

	require(out != NULL);
	while (responder_has_answer(r)) {
		uint32_t said = responder_say(r, of, out, most);

		require(said > 0 && said <= most);
		bytes += said;
	}
	require(responder_say(r, of, out, most) == 0);
	free(out);
	return bytes;
}

static void feed(struct responder *r, const uint8_t *data, size_t len)
{
	uint8_t *piece = malloc(len);

	require(piece != NULL);
	memcpy(piece, data, len);
	responder_hear(r, piece, (uint32_t)len);
	free(piece);
}

/* How many bytes were answered; whether it ended. */
static uint32_t run(const uint8_t *data, size_t size, size_t cut, uint32_t most, bool *ends)
{
	struct response of;
	struct responder r;
	uint32_t bytes = 0;

	response_make(&of, BODY);
	responder_init(&r);
	for (size_t at = 0; at < size; at += cut) {
		bool was_over = r.ends;
		uint32_t said;

		feed(&r, data + at, size - at < cut ? size - at : cut);
		said = say_all(&r, &of, most);
		require(!was_over || said == 0);
		bytes += said;
		require(r.count == 0 && r.next == 0 && r.said == 0);
		require(responder_rests(&r) == (!r.in_request && !r.ends));
		require(!r.is_malformed || r.ends);
	}
	*ends = r.ends;
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool ends_whole, ends_cut;

	if (size < 2 || size > RESPONDER_READ_BYTES)
		return 0;
	uint32_t whole = run(data + 1, size - 1, size - 1, 16384, &ends_whole);
	uint32_t cut = run(data + 1, size - 1, (size_t)data[0] + 1, (uint32_t)data[0] + 1,
	                   &ends_cut);

	require(ends_whole == ends_cut && whole == cut);
	return 0;
}
