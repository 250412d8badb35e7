/* unit_responder: requests that are cut anywhere, one behind the other; answers in pieces of any
 * size; what is no HTTP; when a connection stays open. Pieces lie in memory of exactly their size.
 */
#include "behave/responder.h"

#include "behave/chargen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define BODY        100
#define OUT_MOST    (RESPONDER_READ_BYTES * 16)

static struct response response;
static uint8_t out[OUT_MOST];
static size_t out_len;

/* Hears a piece and says all that it has to say, `most` bytes at a time. */
static void hear(struct responder *r, const char *data, uint32_t len, uint32_t most)
{
	uint8_t *piece = malloc(len);
	struct responder moved;

	assert_non_null(piece);
	memcpy(piece, data, len);
	moved = *r; /* as the server does that keeps it in a table */
	memset(r, 0xee, sizeof(*r));
	responder_hear(&moved, piece, len);
	free(piece);
	while (responder_has_answer(&moved)) {
		uint32_t said;

		assert_true(out_len + most <= sizeof(out));
		said = responder_say(&moved, &response, out + out_len, most);
		assert_in_range(said, 1, most);
		out_len += said;
	}
	*r = moved;
}

/* "200 keep", "200 close" and so on, as text, for each answer that stands in `out`. */
static void describe(char *text, size_t size)
{
	size_t at = 0, len = 0;

	text[0] = '\0';
	while (at < out_len) {
		const char *head = (const char *)out + at;
		const char *end = memmem(head, out_len - at, "\r\n\r\n", 4);
		char headers[256];

		assert_non_null(end);
		snprintf(headers, sizeof(headers), "%.*s", (int)(end - head), head);
		at += (size_t)(end - head) + 4;
		bool is_closed = strstr(headers, "Connection: close") != NULL;
		bool has_body = strstr(headers, "Content-Length: 100") && at < out_len &&
		                out[at] == ' ';
		uint8_t body[BODY];

		chargen_write(0, body, BODY);
		if (has_body) {
			assert_true(at + BODY <= out_len);
			assert_memory_equal(out + at, body, BODY);
			at += BODY;
		}
		len += (size_t)snprintf(text + len, size - len, "%s%.3s%s%s", len ? " " : "",
		                        headers + 9, has_body ? "" : "-", is_closed ? "!" : "");
	}
}

static void assert_answers(const char *wanted)
{
	char text[512];

	describe(text, sizeof(text));
	assert_string_equal(text, wanted);
}

/* Requests, and how they are answered: the status, - without a body, ! and closed. */
static const struct {
	const char *requests, *answers;
	bool ends;
} conversations[] = {
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200", false},
	{"GET / HTTP/1.1\n\n", "200", false},
	{"\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n", "200", false},
	{"HEAD /x?y=z HTTP/1.1\r\nHost: a\r\n\r\n", "200-", false},
	{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "200!", true},
	{"HEAD / HTTP/1.1\r\nconnection: Close\r\n\r\n", "200-!", true},
	{"GET / HTTP/1.0\r\n\r\n", "200!", true},
	{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200", false},
	{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "200", false},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
         "200", false},
	{"PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", "200 200-", false},
	{"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nGET / HTTP/1.1\r\n\r\n",
         "200 200", false},
	{"OPTIONS * HTTP/1.1\r\n\r\n", "200", false},
	{"GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nDELETE / HTTP/1.1\r\n"
         "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nConnection: close\r\n\r\n",
         "200 200- 200 200 200!", true},
	{"GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n", "200!", true},
	{"HELLO\r\n\r\n", "400-!", true},
	{"GET / HTTP/1.1\r\n\r\nHELLO\r\n\r\n", "200 400-!", true},
	{"GET /\r\n\r\n", "400-!", true},
	{"GET / HTTP/2.0\r\n\r\n", "400-!", true},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400-!", true},
	{"CONNECT a:80 HTTP/1.1\r\n\r\n", "400-!", true},
	{"GET / HTTP/1.1\r\nNo colon\r\n\r\n", "400-!", true},
	{"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", "400-!", true},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400-!", true},
	{"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400-!",
         true},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400-!", true},
	{"\x16\x03\x01\x02", "400-!", true}, /* TLS */
	{"GET / HTTP/1.1\r\nHost:", "", false},
};

static void converse(size_t i, uint32_t cut, uint32_t most)
{
	const char *text = conversations[i].requests;
	uint32_t len = (uint32_t)strlen(text);
	struct responder r;

	out_len = 0;
	responder_init(&r);
	if (cut > 0)
		hear(&r, text, cut, most);
	if (cut < len)
		hear(&r, text + cut, len - cut, most);
	assert_answers(conversations[i].answers);
	assert_int_equal(r.ends, conversations[i].ends);
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(conversations); i++)
		for (uint32_t cut = 0; cut <= strlen(conversations[i].requests); cut++)
			converse(i, cut, 4096);
}

static void test_answers_in_pieces(void **state)
{
	static const uint32_t most[] = {1, 2, 7, 100, 128, 209, 1000, 16384};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(conversations); i++)
		for (size_t j = 0; j < COUNT_OF(most); j++)
			converse(i, 0, most[j]);
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(conversations); i++) {
		struct responder r;

		out_len = 0;
		responder_init(&r);
		for (const char *at = conversations[i].requests; *at; at++)
			hear(&r, at, 1, 4096);
		assert_answers(conversations[i].answers);
	}
}

/* It rests, and need not be kept, exactly where no part of anything is under way. */
static void test_rests(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct responder r;

	(void)state;
	responder_init(&r);
	assert_true(responder_rests(&r));
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		hear(&r, request + i, 1, 4096);
		assert_int_equal(responder_rests(&r), i == sizeof(request) - 2);
	}
	responder_hear(&r, (const uint8_t *)request, sizeof(request) - 1);
	assert_false(responder_rests(&r)); /* the answer is still to be said */
	assert_true(responder_has_answer(&r));
}

/* As many as a read can have, and one that was begun before it. */
static void test_most_of_a_read(void **state)
{
	static const char shortest[] = "GET / HTTP/1.1\n\n";
	static char all[RESPONDER_READ_BYTES];
	const size_t each = sizeof(shortest) - 1;
	struct responder r;

	(void)state;
	for (size_t at = 0; at < sizeof(all); at += each)
		memcpy(all + at, shortest, each);
	responder_init(&r);
	out_len = 0;
	hear(&r, all, sizeof(all), 16384);
	assert_true(responder_rests(&r));
	assert_int_equal(out_len, RESPONDER_MOST * ((size_t)response.keep_bytes + BODY));
	out_len = 0;
	hear(&r, all, each - 1, 16384);
	hear(&r, all + each - 1, sizeof(all) - each + 1, 16384);
	assert_int_equal(out_len, RESPONDER_MOST * ((size_t)response.keep_bytes + BODY));
	/* the last one's answer is 400, beyond as many as could be good */
	all[sizeof(all) - 5] = 'x';
	memset(all + sizeof(all) - 4, '\r', 4);
	out_len = 0;
	hear(&r, all, sizeof(all), 16384);
	assert_true(r.ends && r.is_malformed);
}

/* A body that is larger than any send, and none. */
static void test_bodies(void **state)
{
	static const uint32_t sizes[] = {0, 1, 16384, 100000, RESPONDER_BODY_MOST};
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct response of;
		struct responder r;
		uint64_t said = 0;
		char length[64];

		response_make(&of, sizes[i]);
		snprintf(length, sizeof(length), "Content-Length: %u\r\n", sizes[i]);
		assert_non_null(strstr(of.keep, length));
		assert_non_null(strstr(of.end, length));
		responder_init(&r);
		responder_hear(&r, (const uint8_t *)request, sizeof(request) - 1);
		while (responder_has_answer(&r))
			said += responder_say(&r, &of, out, sizeof(out));
		assert_int_equal(said, (uint64_t)of.keep_bytes + sizes[i]);
	}
}

static int set_up(void **state)
{
	(void)state;
	response_make(&response, BODY);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),   cmocka_unit_test(test_answers_in_pieces),
		cmocka_unit_test(test_byte_by_byte),   cmocka_unit_test(test_rests),
		cmocka_unit_test(test_most_of_a_read), cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests_name("responder", tests, set_up, NULL);
}
