/* fuzz_http_response: a libFuzzer target for what is heard of HTTP responses. The first byte says
 * how the rest is cut. However it is cut, the answer is the same and ends at the same byte (but for
 * bytes behind the end, which are only seen where they come with it). Pieces lie in memory of
 * exactly their size. */
#include "behave/http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct heard {
	enum answer answer;
	size_t used;
	bool is_last;
};

/* NULL: without. */
static struct http_memory *memory;

static enum answer hear(struct hearing *hearing, const uint8_t *data, size_t len, uint32_t *used)
{
	const struct behaviour b = {.memory = memory};
	uint8_t *piece = malloc(len);

	require(piece);
	memcpy(piece, data, len);
	enum answer answer = http_hear(&b, 0, 0, hearing, piece, (uint32_t)len, used);

	free(piece);
	require(*used <= len);
	require(answer == ANSWER_GOOD || answer == ANSWER_STATUS || answer == ANSWER_MALFORMED ||
	        (answer == BEHAVIOUR_MORE && *used == len));
	require(answer == BEHAVIOUR_MORE ? hearing->heard > 0 && !hearing->is_last : true);
	return answer;
}

static struct heard hear_all(const uint8_t *data, size_t size, size_t step)
{
	struct heard heard = {BEHAVIOUR_MORE, 0, false};
	struct hearing hearing = {0};
	uint32_t used;

	while (heard.answer == BEHAVIOUR_MORE && heard.used < size) {
		size_t left = size - heard.used;

		heard.answer = hear(&hearing, data + heard.used, left < step ? left : step, &used);
		heard.used += used;
	}
	heard.is_last = hearing.is_last;
	return heard;
}

/* What was heard before changes nothing: as it was, and with a byte of it changed. */
static void check_memory(const uint8_t *data, size_t size, struct heard expected)
{
	static struct http_memory kept;
	uint8_t *before = malloc(size);

	require(before);
	memcpy(before, data, size);
	memset(&kept, 0, sizeof(kept));
	memory = &kept;
	for (int i = 0; i < 3; i++) {
		struct heard heard = hear_all(data, size, size);

		require(heard.answer == expected.answer && heard.used == expected.used &&
		        heard.is_last == expected.is_last);
		before[(size_t)data[0] * 7 % size] ^= (uint8_t)(1U << i);
		hear_all(before, size, size);
	}
	memory = NULL;
	free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 4096)
		return 0;
	size_t step = data[0] % 61 + 1;
	struct heard whole = hear_all(data + 1, size - 1, size);
	struct heard cut = hear_all(data + 1, size - 1, step);
	struct heard bytes = hear_all(data + 1, size - 1, 1);

	check_memory(data + 1, size - 1, whole);
	if (whole.answer == ANSWER_MALFORMED) /* or it is whole, and followed by what is none */
		require(bytes.answer == ANSWER_MALFORMED || bytes.used < size - 1);
	else
		require(bytes.answer == whole.answer && bytes.used == whole.used &&
		        bytes.is_last == whole.is_last);
	if (cut.answer != ANSWER_MALFORMED)
		require(bytes.answer == cut.answer && bytes.used == cut.used &&
		        bytes.is_last == cut.is_last);
	return 0;
}
