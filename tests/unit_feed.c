/* unit_feed: what readers of events are given: the past first, each sample once, none twice, and
 * the end. */
#include "out/feed.h"

#include "base/figure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define PAST 3
#define MOST 2

static struct feed *feed;
static int rests, wakes; /* of reader "a" */
static char text[65536];

static void rest(void *own)
{
	rests += strcmp(own, "a") == 0;
}

static void wake(void *own)
{
	wakes += strcmp(own, "a") == 0;
}

static int set_up(void **state)
{
	(void)state;
	rests = wakes = 0;
	feed = feed_new(PAST, rest, wake);
	return feed ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	feed_free(feed);
	return 0;
}

static void publish(uint64_t established)
{
	static struct sample sample;

	figure_clear(&sample);
	sample.tcp.curr_estab = established;
	feed_publish(feed, &sample);
}

static char name_a[] = "a", name_b[] = "b", name_c[] = "c";

/* All that can be read now, in pieces of `size`; the last answer is returned. */
static ssize_t read_all(struct feed_reader *reader, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = feed_read(reader, text + len, size)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	return got;
}

/* The numbers of established sockets in what was read, and "!" for the end. */
static void assert_read(const char *expected)
{
	char found[256] = "";

	for (const char *at = text; (at = strstr(at, "\ndata: ")); at++) {
		const char *number = strstr(at, "\"tcp_established\":");
		const char *next = strstr(at + 1, "\ndata: ");
		size_t len = strlen(found);

		if (number && (!next || number < next))
			snprintf(found + len, sizeof(found) - len, "%ld ",
			         strtol(strchr(number, ':') + 1, NULL, 10));
		else
			snprintf(found + len, sizeof(found) - len, "! ");
	}
	assert_string_equal(found, expected);
}

static void the_past_first(void **state)
{
	struct feed_reader *reader;

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		publish(i);
	reader = feed_open(feed, name_a, MOST);
	assert_int_equal(read_all(reader, 4096), FEED_WAIT);
	assert_int_equal(strncmp(text, "retry: 1000\n\ndata: {", 20), 0);
	assert_read("3 4 5 ");
	feed_close(reader);
}

/* In pieces of any size: an event is whole however it is read. */
static void in_pieces(void **state)
{
	static char whole[sizeof(text)];
	static const size_t sizes[] = {1, 7, 100, 65000};

	(void)state;
	publish(1);
	publish(2);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct feed_reader *reader = feed_open(feed, name_a, MOST);

		assert_int_equal(read_all(reader, sizes[i]), FEED_WAIT);
		if (i == 0)
			memcpy(whole, text, sizeof(whole));
		assert_string_equal(text, whole);
		feed_close(reader);
	}
}

/* It rests when it has read all, and is woken once, by what is next. */
static void rests_and_wakes(void **state)
{
	struct feed_reader *reader = feed_open(feed, name_a, MOST);
	char byte[64];

	(void)state;
	assert_true(feed_read(reader, byte, sizeof(byte)) > 0); /* the greeting */
	publish(1);
	assert_int_equal(wakes, 0); /* it was not at rest */
	assert_int_equal(read_all(reader, 4096), FEED_WAIT);
	assert_int_equal(rests, 1);
	publish(2);
	publish(3);
	assert_int_equal(wakes, 1);
	assert_int_equal(read_all(reader, 4096), FEED_WAIT);
	assert_int_equal(rests, 2);
	feed_close(reader);
	publish(4);
	assert_int_equal(wakes, 1);
}

/* What it has begun it reads to the end, though it is long gone; then it skips. */
static void too_slow(void **state)
{
	struct feed_reader *reader = feed_open(feed, name_a, MOST);
	char begun[32];

	(void)state;
	publish(1);
	assert_int_equal(read_all(reader, 4096), FEED_WAIT);
	publish(2);
	assert_int_equal(feed_read(reader, begun, sizeof(begun)), sizeof(begun));
	for (uint64_t i = 3; i <= 9; i++)
		publish(i);
	text[0] = '\n';
	memcpy(text + 1, begun, sizeof(begun));
	size_t len = sizeof(begun) + 1;

	for (ssize_t got; (got = feed_read(reader, text + len, 4096)) > 0;)
		len += (size_t)got;
	text[len] = '\0';
	assert_read("2 7 8 9 ");
	feed_close(reader);
}

static void so_many_readers(void **state)
{
	struct feed_reader *a = feed_open(feed, name_a, MOST), *b = feed_open(feed, name_b, MOST);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_null(feed_open(feed, name_c, MOST));
	feed_close(a);
	a = feed_open(feed, name_c, MOST);
	assert_non_null(a);
	feed_close(b);
	feed_close(a);
}

static void the_end(void **state)
{
	static struct result result;
	struct feed_reader *reader = feed_open(feed, name_a, MOST);

	(void)state;
	publish(1);
	assert_int_equal(read_all(reader, 4096), FEED_WAIT);
	publish(2);
	result.verdict = VERDICT_PARTIAL;
	snprintf(result.reason, sizeof(result.reason), "a \"reason\"\nof two lines");
	feed_result(feed, &result);
	feed_end(feed, 1); /* the reader is still there: it waits no longer */
	assert_int_equal(read_all(reader, 4096), FEED_END);
	assert_non_null(strstr(text,
	                       "\n\nevent: end\ndata: {\"verdict\":\"partial\",\"reason\":\"a "
	                       "\\\"reason\\\"\\nof two lines\"}\n\n"));
	assert_int_equal(feed_read(reader, text, 10), FEED_END);
	feed_close(reader);
	reader = feed_open(feed, name_b, MOST); /* one that comes then is told all */
	assert_int_equal(read_all(reader, 4096), FEED_END);
	assert_read("1 2 ! ");
	feed_close(reader);
}

static void the_last_sample(void **state)
{
	char *written = NULL;
	size_t len;
	FILE *out = open_memstream(&written, &len);

	(void)state;
	assert_non_null(out);
	assert_false(feed_write_line(feed, out));
	assert_false(feed_write_metrics(feed, out));
	publish(1);
	publish(2);
	assert_true(feed_write_line(feed, out));
	assert_int_equal(fflush(out), 0);
	assert_int_equal(strncmp(written, "{\"schema\":", 10), 0);
	assert_string_equal(written + len - 2, "}\n");
	assert_non_null(strstr(written, "\"tcp_established\":2}"));
	assert_true(feed_write_metrics(feed, out));
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(written, "\nmegaconn_tcp_established 2\n"));
	free(written);
}

#define FEED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(the_past_first),  FEED_TEST(in_pieces),       FEED_TEST(rests_and_wakes),
		FEED_TEST(too_slow),        FEED_TEST(so_many_readers), FEED_TEST(the_end),
		FEED_TEST(the_last_sample),
	};

	return cmocka_run_group_tests_name("unit_feed", tests, NULL, NULL);
}
