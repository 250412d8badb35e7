/* http: see the header.
 *
 * The parser's state is 32 bytes and lives in the hearing, but only from one read to the next: a
 * response that comes whole, which is nearly every one, is heard on the stack. Its pointer for
 * callbacks is set for the time of a call. */
#include "behave/http.h"

#include <assert.h>
#include <http_parser.h>
#include <string.h>

static_assert(sizeof(http_parser) <= sizeof(((struct hearing *)NULL)->state), "it is kept there");

#define SWITCHING 101

/* What a call of the parser finds. */
struct finding {
	bool is_whole;
	bool is_foreign; /* not HTTP/1 as it was asked for */
	bool is_last;
};

/* 1 tells the parser that there is no body, whatever the head says of its length (RFC 9112 section
 * 6.3). */
static int on_headers_complete(http_parser *parser)
{
	struct finding *finding = parser->data;
	unsigned int status = parser->status_code;

	finding->is_foreign = parser->http_major != 1 || status == SWITCHING || status < 100;
	return status < 200 || status == 204 || status == 304;
}

/* After an interim response the parser goes on with the next. Pausing has it stop behind the end.
 */
static int on_message_complete(http_parser *parser)
{
	struct finding *finding = parser->data;

	if (parser->status_code < 200 && !finding->is_foreign)
		return 0;
	finding->is_whole = true;
	finding->is_last = !http_should_keep_alive(parser);
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_headers_complete = on_headers_complete,
	.on_message_complete = on_message_complete,
};

/* Whether the next response may begin like that. */
static bool is_response(const uint8_t *data, uint32_t len)
{
	static const char begin[] = "HTTP/1.";
	size_t shown = len < sizeof(begin) - 1 ? len : sizeof(begin) - 1;

	return memcmp(data, begin, shown) == 0;
}

static uint32_t add(uint32_t heard, uint32_t len)
{
	return heard > UINT32_MAX - len ? UINT32_MAX : heard + len;
}

static void keep(struct hearing *hearing, http_parser *parser, uint32_t len)
{
	parser->data = NULL;
	memcpy(hearing->state, parser, sizeof(*parser));
	hearing->heard = add(hearing->heard, len);
}

void http_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out)
{
	(void)index;
	(void)number;
	*out = (struct turn){.say_bytes = b->request->bytes, .is_answered = true};
}

void http_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                uint8_t *out, uint32_t len)
{
	(void)index;
	(void)number;
	memcpy(out, b->request->text + offset, len);
}

enum answer http_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                      struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used)
{
	struct finding finding = {false, false, false};
	http_parser parser;

	(void)b;
	(void)index;
	(void)number;
	if (hearing->heard == 0)
		http_parser_init(&parser, HTTP_RESPONSE);
	else
		memcpy(&parser, hearing->state, sizeof(parser));
	parser.data = &finding;
	size_t parsed = http_parser_execute(&parser, &settings, (const char *)data, len);

	*used = parsed < len ? (uint32_t)parsed : len;
	if (finding.is_foreign)
		return ANSWER_MALFORMED;
	if (!finding.is_whole) {
		if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
			return ANSWER_MALFORMED;
		keep(hearing, &parser, len);
		return BEHAVIOUR_MORE;
	}
	if (!is_response(data + *used, len - *used))
		return ANSWER_MALFORMED;
	if (finding.is_last)
		hearing->is_last = true;
	return parser.status_code < 400 ? ANSWER_GOOD : ANSWER_STATUS;
}
