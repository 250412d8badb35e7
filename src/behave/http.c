/* http: see the header.
 *
 * The parser's state is 32 bytes and lives in the hearing, but only from one read to the next: a
 * response that comes whole, which is nearly every one, is heard on the stack. Its pointer for
 * callbacks is set for the time of a call.
 *
 * To take a head apart costs half of all the user time of an exchange, and nearly all heads of a
 * server are the same but for their date. So the last one is kept, with what came of it. What the
 * parser makes of a head is a function of its bytes, and those of a date are none that it heeds: it
 * is a value of a field that it does not know, whose end stays where it was, as only letters,
 * digits, blanks, commas and colons may change in it. A response is only compared where all of it
 * is there, and its length is of the head alone: chunks, and heads after an interim response, are
 * not kept. */
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
	bool is_plain; /* no chunks, and no response before it */
	uint64_t body_bytes;
};

/* 1 tells the parser that there is no body, whatever the head says of its length (RFC 9112 section
 * 6.3). */
static int on_headers_complete(http_parser *parser)
{
	struct finding *finding = parser->data;
	unsigned int status = parser->status_code;

	finding->is_foreign = parser->http_major != 1 || status == SWITCHING || status < 100;
	bool has_body = status >= 200 && status != 204 && status != 304;

	finding->is_plain &= (parser->flags & F_CHUNKED) == 0;
	finding->body_bytes = has_body ? parser->content_length : 0;
	return !has_body;
}

/* After an interim response the parser goes on with the next. Pausing has it stop behind the end.
 */
static int on_message_complete(http_parser *parser)
{
	struct finding *finding = parser->data;

	if (parser->status_code < 200 && !finding->is_foreign) {
		finding->is_plain = false;
		return 0;
	}
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

/* --- saying -------------------------------------------------------------------------------- */

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

/* --- what is kept -------------------------------------------------------------------------- */

static bool is_of_date(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == ' ' || c == ',' || c == ':';
}

static bool is_date(const uint8_t *at)
{
	for (int i = 0; i < HTTP_DATE_BYTES; i++) {
		if (!is_of_date(at[i]))
			return false;
	}
	return true;
}

/* Where the value of its date begins; 0: there is none of the usual form. */
static uint32_t find_date(const uint8_t *head, uint32_t bytes)
{
	static const char name[] = "\r\nDate: ";
	const uint8_t *found = memmem(head, bytes, name, sizeof(name) - 1);

	if (!found)
		return 0;
	uint32_t at = (uint32_t)(found - head) + (uint32_t)sizeof(name) - 1;
	uint32_t end = at + HTTP_DATE_BYTES;

	if (end + 2 > bytes || !is_date(head + at) || memcmp(head + end, "\r\n", 2) != 0)
		return 0;
	return at;
}

static void remember(struct http_memory *m, const struct finding *finding, const uint8_t *data,
                     uint32_t len, enum answer answer)
{
	if (!finding->is_plain || finding->body_bytes >= len ||
	    len - finding->body_bytes > HTTP_HEAD_MOST)
		return;
	m->body_bytes = (uint32_t)finding->body_bytes;
	m->head_bytes = len - m->body_bytes;
	memcpy(m->head, data, m->head_bytes);
	m->date_at = find_date(data, m->head_bytes);
	m->answer = answer;
	m->is_last = finding->is_last;
}

/* Whether the response begins with the head that is kept, and all of it is there. The date is kept
 * anew where it is another: it stays for a second. */
static bool is_known(struct http_memory *m, const uint8_t *data, uint32_t len)
{
	uint32_t date = m->date_at, after = date + HTTP_DATE_BYTES;

	if (m->head_bytes == 0 || len < m->head_bytes || len - m->head_bytes < m->body_bytes)
		return false;
	if (memcmp(data, m->head, m->head_bytes) == 0)
		return true;
	if (date == 0 || memcmp(data, m->head, date) != 0 ||
	    memcmp(data + after, m->head + after, m->head_bytes - after) != 0 ||
	    !is_date(data + date))
		return false;
	memcpy(m->head + date, data + date, HTTP_DATE_BYTES);
	return true;
}

/* --- hearing ------------------------------------------------------------------------------- */

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

static enum answer parse(struct hearing *hearing, struct finding *finding, const uint8_t *data,
                         uint32_t len, uint32_t *used)
{
	http_parser parser;

	if (hearing->heard == 0)
		http_parser_init(&parser, HTTP_RESPONSE);
	else
		memcpy(&parser, hearing->state, sizeof(parser));
	parser.data = finding;
	size_t parsed = http_parser_execute(&parser, &settings, (const char *)data, len);

	*used = parsed < len ? (uint32_t)parsed : len;
	if (finding->is_foreign)
		return ANSWER_MALFORMED;
	if (!finding->is_whole) {
		if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
			return ANSWER_MALFORMED;
		keep(hearing, &parser, len);
		return BEHAVIOUR_MORE;
	}
	return parser.status_code < 400 ? ANSWER_GOOD : ANSWER_STATUS;
}

enum answer http_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                      struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used)
{
	struct http_memory *memory = hearing->heard == 0 ? b->memory : NULL;
	struct finding finding = {.is_plain = true};
	enum answer answer;

	(void)index;
	(void)number;
	if (memory && is_known(memory, data, len)) {
		*used = memory->head_bytes + memory->body_bytes;
		answer = memory->answer;
		finding.is_last = memory->is_last;
	} else {
		answer = parse(hearing, &finding, data, len, used);
		if (answer != ANSWER_GOOD && answer != ANSWER_STATUS)
			return answer;
		if (memory)
			remember(memory, &finding, data, *used, answer);
	}
	if (!is_response(data + *used, len - *used))
		return ANSWER_MALFORMED;
	if (finding.is_last)
		hearing->is_last = true;
	return answer;
}
