/* responder: see the header. Answers are not kept but written from their number: which of them have
 * no body is all that differs. */
#include "behave/responder.h"

#include "base/text.h"
#include "behave/chargen.h"

#include <assert.h>
#include <string.h>

/* What is heard in one go are at most as many requests as there are bits for: the shortest is
 * "GET / HTTP/1.1" and two line feeds. */
static_assert(RESPONDER_READ_BYTES / 16 <= RESPONDER_MOST, "a bit for each request of a read");

static const char malformed[] = "HTTP/1.1 400 Bad Request\r\n"
				"Server: megaconn\r\n"
				"Content-Length: 0\r\n"
				"Connection: close\r\n\r\n";

static uint32_t write_headers(char *out, size_t size, uint32_t body_bytes, const char *connection)
{
	struct text t;

	text_init(&t, out, size);
	text_add(&t,
	         "HTTP/1.1 200 OK\r\n"
	         "Server: megaconn\r\n"
	         "Content-Type: text/plain\r\n"
	         "Content-Length: %u\r\n"
	         "Connection: %s\r\n\r\n",
	         body_bytes, connection);
	return (uint32_t)t.len;
}

void response_make(struct response *r, uint32_t body_bytes)
{
	r->body_bytes = body_bytes;
	r->keep_bytes = write_headers(r->keep, sizeof(r->keep), body_bytes, "keep-alive");
	r->end_bytes = write_headers(r->end, sizeof(r->end), body_bytes, "close");
}

/* --- requests ------------------------------------------------------------------------------ */

static int on_begin(http_parser *parser)
{
	struct responder *r = parser->data;

	r->in_request = true;
	return 0;
}

/* An Upgrade is not taken: what follows is HTTP. CONNECT, and HTTP before 1.0, we do not speak. */
static int on_headers(http_parser *parser)
{
	if (parser->method == HTTP_CONNECT || parser->http_major != 1)
		return -1;
	parser->upgrade = 0;
	return 0;
}

static int on_complete(http_parser *parser)
{
	struct responder *r = parser->data;

	if (r->count == RESPONDER_MOST)
		return -1;
	if (parser->method == HTTP_HEAD)
		r->heads[r->count / 64] |= UINT64_C(1) << r->count % 64;
	r->count++;
	r->in_request = false;
	if (!http_should_keep_alive(parser)) {
		r->ends = true;
		http_parser_pause(parser, 1);
	}
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_begin,
	.on_headers_complete = on_headers,
	.on_message_complete = on_complete,
};

void responder_init(struct responder *r)
{
	*r = (struct responder){.in_request = false};
	http_parser_init(&r->parser, HTTP_REQUEST);
}

void responder_hear(struct responder *r, const uint8_t *data, uint32_t len)
{
	if (r->ends) /* what comes after the last request is nobody's */
		return;
	r->parser.data = r; /* it may have been moved */
	(void)http_parser_execute(&r->parser, &settings, (const char *)data, len);
	if (HTTP_PARSER_ERRNO(&r->parser) == HPE_OK || r->ends)
		return;
	r->is_malformed = r->ends = true;
	r->in_request = false;
	r->count++;
}

/* --- answers ------------------------------------------------------------------------------- */

bool responder_has_answer(const struct responder *r)
{
	return r->next < r->count;
}

bool responder_rests(const struct responder *r)
{
	return r->count == 0 && !r->in_request && !r->ends;
}

/* The answer that is said now: its headers, and how many bytes follow them. */
static uint64_t answer_of(const struct responder *r, const struct response *of, const char **head,
                          uint32_t *head_bytes)
{
	bool is_last = r->ends && r->next + 1 == r->count;

	if (is_last && r->is_malformed) {
		*head = malformed;
		*head_bytes = sizeof(malformed) - 1;
		return 0;
	}
	*head = is_last ? of->end : of->keep;
	*head_bytes = is_last ? of->end_bytes : of->keep_bytes;
	return r->heads[r->next / 64] >> r->next % 64 & 1 ? 0 : of->body_bytes;
}

/* All has been said: as it was before, but for a request of which a part has come. */
static void forget_answers(struct responder *r)
{
	memset(r->heads, 0, ((size_t)r->count + 63) / 64 * sizeof(r->heads[0]));
	r->next = r->count = 0;
}

static uint32_t min(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

uint32_t responder_say(struct responder *r, const struct response *response, uint8_t *out,
                       uint32_t most)
{
	uint32_t written = 0;

	while (r->next < r->count && written < most) {
		const char *head;
		uint32_t head_bytes, piece;
		uint64_t whole = answer_of(r, response, &head, &head_bytes) + head_bytes;

		if (r->said < head_bytes) {
			piece = min(head_bytes - r->said, most - written);
			memcpy(out + written, head + r->said, piece);
		} else {
			piece = min(whole - r->said, most - written);
			chargen_write(r->said - head_bytes, out + written, piece);
		}
		written += piece;
		r->said += piece;
		if (r->said == whole) {
			r->said = 0;
			r->next++;
		}
	}
	if (r->next == r->count && r->count > 0)
		forget_answers(r);
	return written;
}
