/* unit_http: requests, and what is heard of responses, cut anywhere. What is read lies in memory of
 * exactly its size, so that the sanitizer sees a byte too many. */
#include "behave/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* --- requests -------------------------------------------------------------------------------- */

static void assert_request(const char *host, uint16_t port, const char *path, const char *text)
{
	struct request request;
	struct err err = {""};

	assert_int_equal(request_make(&request, host, port, path, &err), 0);
	assert_string_equal(request.text, text);
	assert_int_equal(request.bytes, strlen(text));
	assert_string_equal(err.text, "");
}

#define REST "User-Agent: megaconn/0.1.0\r\nAccept: */*\r\n\r\n"

static void requests_are_made(void **state)
{
	(void)state;
	assert_request("127.0.0.1", 8080, "/", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" REST);
	assert_request("example.org", 80, "/a%20b?c=d&e",
	               "GET /a%20b?c=d&e HTTP/1.1\r\nHost: example.org:80\r\n" REST);
	assert_request("2001:2::1", 65535, "/x",
	               "GET /x HTTP/1.1\r\nHost: [2001:2::1]:65535\r\n" REST);
	assert_request("fe80::1%eth0", 1, "/x", "GET /x HTTP/1.1\r\nHost: [fe80::1]:1\r\n" REST);
}

static void assert_refused(const char *path, const char *why)
{
	struct request request;
	struct err err = {""};

	assert_true(request_make(&request, "127.0.0.1", 80, path, &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("%s: '%s' does not say '%s'", path, err.text, why);
}

static void paths_are_refused(void **state)
{
	char path[REQUEST_PATH_MOST + 2];

	(void)state;
	assert_refused("", "begins with no slash (try /index.html)");
	assert_refused("index.html", "begins with no slash");
	assert_refused("http://127.0.0.1/", "begins with no slash");
	assert_refused("/a b", "%20 is a blank");
	assert_refused("/a\r\nHost: other", "has a blank");
	assert_refused("/a\tb", "has a blank");
	assert_refused("/\x7f", "no printable ASCII");
	assert_refused("/\xc3\xa4", "no printable ASCII");
	assert_refused("/a#b", "write # as %23");
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_refused(path, "too long: 1025 bytes (at most 1024)");
}

/* With the longest host and path there is room. */
static void longest_request(void **state)
{
	char host[256], path[REQUEST_PATH_MOST + 1];
	struct request request;

	(void)state;
	memset(host, 'h', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(request_make(&request, host, 65535, path, NULL), 0);
	assert_string_equal(request.text + request.bytes - 4, "\r\n\r\n");
}

/* All of it is said, in any part. */
static void requests_are_said(void **state)
{
	struct request request;
	const struct behaviour b = {.request = &request};
	struct turn turn;
	uint8_t part[REQUEST_BYTES_MOST];

	(void)state;
	assert_int_equal(request_make(&request, "127.0.0.1", 80, "/", NULL), 0);
	http_turn(&b, 7, 9, &turn);
	assert_int_equal(turn.say_bytes, request.bytes);
	assert_true(turn.is_answered);
	assert_false(turn.is_last);
	assert_int_equal(turn.wait_ns, 0);
	for (uint32_t offset = 0; offset < turn.say_bytes; offset++) {
		http_write(&b, 7, 9, offset, part, turn.say_bytes - offset);
		assert_memory_equal(part, request.text + offset, turn.say_bytes - offset);
	}
}

/* --- responses ------------------------------------------------------------------------------- */

/* One read. `memory` may be NULL. */
static enum answer hear_with(struct http_memory *memory, struct hearing *hearing, const char *data,
                             size_t len, uint32_t *used)
{
	const struct behaviour b = {.memory = memory};
	uint8_t *piece = malloc(len + 1);

	assert_non_null(piece);
	memcpy(piece + 1, data, len);
	*used = UINT32_MAX;
	enum answer answer = http_hear(&b, 3, 5, hearing, piece + 1, (uint32_t)len, used);

	free(piece);
	assert_in_range(*used, 0, len);
	if (answer == BEHAVIOUR_MORE)
		assert_int_equal(*used, len);
	return answer;
}

static enum answer hear(struct hearing *hearing, const char *data, size_t len, uint32_t *used)
{
	return hear_with(NULL, hearing, data, len, used);
}

/* Reads that end at these places. */
struct heard {
	enum answer answer;
	size_t used; /* of all of them */
	bool is_last;
};

static struct heard hear_cut(const char *text, size_t len, const size_t *cuts, size_t count)
{
	struct hearing hearing = {0};
	struct heard heard = {BEHAVIOUR_MORE, 0, false};
	uint32_t used;

	for (size_t i = 0; i <= count && heard.answer == BEHAVIOUR_MORE; i++) {
		size_t end = i < count ? cuts[i] : len;

		if (end == heard.used)
			continue;
		heard.answer = hear(&hearing, text + heard.used, end - heard.used, &used);
		heard.used += used;
	}
	heard.is_last = hearing.is_last;
	return heard;
}

static const struct response {
	const char *text;
	enum answer answer;
	bool is_last;
} responses[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ANSWER_GOOD, false},
	{"HTTP/1.1 200 OK\r\ncontent-length:0\r\nX: y\r\n\r\n", ANSWER_GOOD, false},
	{"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n\n", ANSWER_GOOD, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         ANSWER_GOOD, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\nA\r\n0123456789\r\n"
         "0\r\nTrailer: z\r\n\r\n",
         ANSWER_GOOD, false},
	{"HTTP/1.1 204 No Content\r\nServer: nginx\r\n\r\n", ANSWER_GOOD, false},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", ANSWER_GOOD, false},
	{"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 204 None\r\n\r\n", ANSWER_GOOD,
         false},
	{"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2\r\n\r\nhi", ANSWER_GOOD, false},
	{"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", ANSWER_STATUS, false},
	{"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 1\r\n\r\n!", ANSWER_STATUS,
         true},
	{"HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n", ANSWER_STATUS, false},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
         ANSWER_GOOD, false},
	{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n"
         "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nabc",
         ANSWER_STATUS, false},
	{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", ANSWER_GOOD,
         true},
	{"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", ANSWER_GOOD,
         false},
	{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", ANSWER_GOOD, true},
	{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", ANSWER_GOOD,
         false},
};

static void assert_heard(const struct response *r, const char *text, size_t len, const size_t *cuts,
                         size_t count)
{
	struct heard heard = hear_cut(text, len, cuts, count);

	if (heard.answer != r->answer || heard.used != strlen(r->text) ||
	    heard.is_last != r->is_last)
		fail_msg("%s\ncut at %zu, %zu: %d after %zu bytes, last %d", text, cuts[0], cuts[1],
		         (int)heard.answer, heard.used, heard.is_last);
}

/* Wherever it is cut, once and twice, it is whole at its last byte and not before. */
static void responses_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(responses); i++) {
		size_t len = strlen(responses[i].text);

		for (size_t a = 0; a <= len; a++) {
			for (size_t b = a; b <= len; b++)
				assert_heard(&responses[i], responses[i].text, len,
				             (const size_t[]){a, b}, 2);
		}
	}
}

static void responses_byte_by_byte(void **state)
{
	size_t cuts[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cuts); i++)
		cuts[i] = i + 1;
	for (size_t i = 0; i < COUNT_OF(responses); i++) {
		size_t len = strlen(responses[i].text);

		assert_in_range(len, 1, COUNT_OF(cuts));
		assert_heard(&responses[i], responses[i].text, len, cuts, len - 1);
	}
}

/* What follows is left, be it whole or a part; only where it is a response. */
static void what_follows_is_not_heard(void **state)
{
	static const char next[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(responses); i++) {
		size_t len = strlen(responses[i].text);

		for (size_t more = 0; more < sizeof(next); more++) {
			memcpy(text, responses[i].text, len);
			memcpy(text + len, next, more);
			assert_heard(&responses[i], text, len + more, (const size_t[]){0, 0}, 2);
		}
	}
}

/* A whole response in one read leaves the memory of the connection alone. */
static void nothing_is_kept_of_a_whole_one(void **state)
{
	static const struct hearing none;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(responses); i++) {
		struct hearing hearing = {0};
		uint32_t used;

		hear(&hearing, responses[i].text, strlen(responses[i].text), &used);
		assert_memory_equal(hearing.state, none.state, sizeof(none.state));
		assert_int_equal(hearing.heard, 0);
	}
}

/* --- what is remembered ---------------------------------------------------------------------- */

/* With a memory and without it is the same. */
static void assert_same(struct http_memory *memory, const char *text, size_t len)
{
	struct hearing with = {0}, without = {0};
	uint32_t used, expected_used;
	enum answer answer = hear_with(memory, &with, text, len, &used);
	enum answer expected = hear(&without, text, len, &expected_used);

	if (answer != expected || used != expected_used || with.is_last != without.is_last ||
	    with.heard != without.heard)
		fail_msg("'%.*s': %d after %u, not %d after %u", (int)len, text, (int)answer, used,
		         (int)expected, expected_used);
}

/* After each of them each other, cut anywhere. */
static void memory_changes_no_answer(void **state)
{
	struct http_memory memory = {0};

	(void)state;
	for (size_t a = 0; a < COUNT_OF(responses); a++) {
		for (size_t b = 0; b < COUNT_OF(responses); b++) {
			assert_same(&memory, responses[a].text, strlen(responses[a].text));
			for (size_t len = 1; len <= strlen(responses[b].text); len++)
				assert_same(&memory, responses[b].text, len);
		}
	}
}

#define DATED_AT(server, time)                                                                    \
	"HTTP/1.1 200 OK\r\nServer: " server "/1.22.1\r\nDate: Mon, 23 Nov 2026 " time " GMT\r\n" \
	"Content-Type: text/html\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"
#define DATED DATED_AT("nginx", "12:00:00")

/* Any byte of it, turned into any other. */
static void memory_knows_a_date_alone(void **state)
{
	static const char text[] = DATED;
	size_t len = strlen(text);
	char other[sizeof(text)];

	(void)state;
	for (size_t at = 0; at < len; at++) {
		for (int byte = 0; byte < 256; byte++) {
			struct http_memory memory = {0};

			assert_same(&memory, text, len);
			assert_true(memory.head_bytes == len - 5 && memory.date_at > 0);
			memcpy(other, text, sizeof(text));
			other[at] = (char)byte;
			assert_same(&memory, other, len);
			assert_same(&memory, text, len);
			assert_same(&memory, other, len - 1);
		}
	}
}

/* What came of the last is what comes of one with a new date: the parser is not asked. */
static void memory_is_used(void **state)
{
	struct http_memory memory = {0};
	struct hearing hearing = {0};
	static const char later[] = DATED_AT("nginx", "12:00:01"),
			  other[] = DATED_AT("Nginx", "12:00:01");
	static const char text[] = DATED;
	uint32_t used;

	(void)state;
	assert_int_equal(hear_with(&memory, &hearing, text, strlen(text), &used), ANSWER_GOOD);
	memory.answer = ANSWER_STATUS;
	assert_int_equal(hear_with(&memory, &hearing, later, strlen(later), &used), ANSWER_STATUS);
	assert_int_equal(hear_with(&memory, &hearing, other, strlen(other), &used), ANSWER_GOOD);
}

/* A head that has no room, one of chunks, one after another: none is kept. */
static void memory_keeps_plain_heads(void **state)
{
	static const char *const others[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
	};
	char text[HTTP_HEAD_MOST + 64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct http_memory memory = {0};

		assert_same(&memory, others[i], strlen(others[i]));
		assert_int_equal(memory.head_bytes, 0);
	}
	for (int more = -1; more <= 1; more++) {
		struct http_memory memory = {0};
		int fill = HTTP_HEAD_MOST - (int)strlen("HTTP/1.1 204 N\r\nX: \r\n\r\n") + more;

		snprintf(text, sizeof(text), "HTTP/1.1 204 N\r\nX: %0*d\r\n\r\n", fill, 1);
		assert_same(&memory, text, strlen(text));
		assert_int_equal(memory.head_bytes, more > 0 ? 0 : HTTP_HEAD_MOST + more);
	}
}

/* And of a part no pointer. */
static void no_pointer_is_kept(void **state)
{
	struct hearing hearing = {0}, other = {0};
	char room[2][8192];
	uint32_t used;

	(void)state;
	memset(room, 'x', sizeof(room));
	hear(&hearing, responses[0].text, 20, &used);
	memset(room, 'y', sizeof(room));
	hear(&other, responses[0].text, 20, &used);
	assert_memory_equal(&hearing, &other, sizeof(other));
}

static const char *const malformed[] = {
	"HTTP/1.1 2x0 OK\r\n\r\n",
	"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 020 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
	"SSH-2.0-OpenSSH_9.2\r\n",
	"+PONG\r\n",
	"hello",
	"<html></html>",
};

/* Wherever it is cut. */
static void malformed_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(malformed); i++) {
		size_t len = strlen(malformed[i]);

		for (size_t a = 0; a < len; a++) {
			struct heard heard = hear_cut(malformed[i], len, &a, 1);

			if (heard.answer != ANSWER_MALFORMED)
				fail_msg("%s\ncut at %zu: %d", malformed[i], a, (int)heard.answer);
		}
	}
}

static void body_longer_than_said(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world";
	struct hearing hearing = {0};
	uint32_t used;

	(void)state;
	assert_int_equal(hear(&hearing, text, strlen(text), &used), ANSWER_MALFORMED);
	/* Of the rest alone the next answer is made. */
	size_t whole = strlen(text) - strlen(", world");

	assert_int_equal(hear(&hearing, text, whole, &used), ANSWER_GOOD);
	assert_int_equal(used, whole);
	assert_int_equal(hear(&hearing, text + whole, strlen(text) - whole, &used),
	                 ANSWER_MALFORMED);
}

/* Shorter than said, and those that only the end of the connection would end. */
static void never_whole(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		"HTTP/1.1 200 OK\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		for (size_t a = 0; a < strlen(texts[i]); a++)
			assert_int_equal(hear_cut(texts[i], strlen(texts[i]), &a, 1).answer,
			                 BEHAVIOUR_MORE);
	}
}

/* A body of 5 GB, in reads of 1 MiB. */
static void body_beyond_32_bits(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 5368709120\r\n\r\n";
	static uint8_t body[1U << 20];
	static const struct behaviour b;
	struct hearing hearing = {0};
	uint32_t used;
	enum answer answer = hear(&hearing, head, strlen(head), &used);

	(void)state;
	for (int i = 0; i < 5120; i++) {
		assert_int_equal(answer, BEHAVIOUR_MORE);
		answer = http_hear(&b, 0, 0, &hearing, body, sizeof(body), &used);
		assert_int_equal(used, sizeof(body));
	}
	assert_int_equal(answer, ANSWER_GOOD);
}

static void endless_head(void **state)
{
	static const struct behaviour b;
	struct hearing hearing = {0};
	char line[] = "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	uint32_t used;
	enum answer answer = hear(&hearing, "HTTP/1.1 200 OK\r\n", 17, &used);

	(void)state;
	for (int i = 0; i < 10000 && answer == BEHAVIOUR_MORE; i++)
		answer = http_hear(&b, 0, 0, &hearing, (uint8_t *)line, sizeof(line) - 1, &used);
	assert_int_equal(answer, ANSWER_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_made),
		cmocka_unit_test(paths_are_refused),
		cmocka_unit_test(longest_request),
		cmocka_unit_test(requests_are_said),
		cmocka_unit_test(responses_cut_anywhere),
		cmocka_unit_test(responses_byte_by_byte),
		cmocka_unit_test(what_follows_is_not_heard),
		cmocka_unit_test(nothing_is_kept_of_a_whole_one),
		cmocka_unit_test(memory_changes_no_answer),
		cmocka_unit_test(memory_knows_a_date_alone),
		cmocka_unit_test(memory_is_used),
		cmocka_unit_test(memory_keeps_plain_heads),
		cmocka_unit_test(no_pointer_is_kept),
		cmocka_unit_test(malformed_cut_anywhere),
		cmocka_unit_test(body_longer_than_said),
		cmocka_unit_test(never_whole),
		cmocka_unit_test(body_beyond_32_bits),
		cmocka_unit_test(endless_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
