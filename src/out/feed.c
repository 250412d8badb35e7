/* feed: lines are written once, when a sample is published, and shared by all readers until the
 * last of them has let it go. */
#include "out/feed.h"

#include "base/clock.h"
#include "out/json.h"
#include "out/prom.h"
#include "out/series.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DATA     "data: "
#define DATA_LEN (sizeof(DATA) - 1)
#define GAP      "\n\n" /* ends an event */
#define GAP_LEN  (sizeof(GAP) - 1)

/* Read first by every reader: after a broken connection it comes again in a second. */
#define GREETING "retry: 1000\n\n"

struct line {
	uint32_t holders;
	size_t len;
	char text[]; /* a whole event */
};

struct feed_reader {
	struct feed *feed;
	void *own;
	uint64_t next;     /* the number of the sample that comes next */
	struct line *line; /* being read, or NULL */
	size_t at;         /* how far */
	bool rests, has_end;
	struct feed_reader *after, **before;
};

struct feed {
	pthread_mutex_t lock;
	pthread_cond_t gone; /* a reader */
	void (*rest)(void *reader);
	void (*wake)(void *reader);
	struct feed_reader *readers;
	uint32_t reader_count;
	struct line *greeting, *end;
	bool has_ended;
	struct sample sample; /* the last one */
	uint64_t count;       /* samples so far */
	char scratch[SERIES_LINE_MOST];
	uint32_t past;
	struct line *lines[]; /* sample i is at i % past */
};

/* --- lines -------------------------------------------------------------------------------- */

static struct line *line_new(const char *before, const char *text, size_t len, const char *after)
{
	size_t before_len = strlen(before), after_len = strlen(after);
	size_t all = before_len + len + after_len;
	struct line *line = malloc(sizeof(*line) + all);

	if (!line)
		return NULL;
	line->holders = 1;
	line->len = all;
	mempcpy(mempcpy(mempcpy(line->text, before, before_len), text, len), after, after_len);
	return line;
}

static void line_drop(struct line *line)
{
	if (line && --line->holders == 0)
		free(line);
}

static struct line *line_hold(struct line *line)
{
	line->holders++;
	return line;
}

/* --- the feed ----------------------------------------------------------------------------- */

static void set_clock(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct feed *feed_new(uint32_t past, void (*rest)(void *reader), void (*wake)(void *reader))
{
	static const char ended[] = "event: end\ndata: {}\n\n";
	struct feed *feed = calloc(1, sizeof(*feed) + past * sizeof(struct line *));

	if (!feed)
		return NULL;
	feed->greeting = line_new("", GREETING, sizeof(GREETING) - 1, "");
	feed->end = line_new("", ended, sizeof(ended) - 1, "");
	if (!feed->greeting || !feed->end) {
		free(feed->greeting);
		free(feed->end);
		free(feed);
		return NULL;
	}
	pthread_mutex_init(&feed->lock, NULL);
	set_clock(&feed->gone);
	feed->rest = rest;
	feed->wake = wake;
	feed->past = past;
	return feed;
}

void feed_free(struct feed *feed)
{
	for (uint32_t i = 0; i < feed->past; i++)
		line_drop(feed->lines[i]);
	line_drop(feed->greeting);
	line_drop(feed->end);
	pthread_cond_destroy(&feed->gone);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

static void wake_all(struct feed *feed)
{
	for (struct feed_reader *r = feed->readers; r; r = r->after) {
		if (r->rests)
			feed->wake(r->own);
		r->rests = false;
	}
}

void feed_publish(struct feed *feed, const struct sample *sample)
{
	pthread_mutex_lock(&feed->lock);
	size_t len = series_write(sample, feed->scratch, sizeof(feed->scratch));
	struct line *line = line_new(DATA, feed->scratch, len, GAP);
	struct line **place = &feed->lines[feed->count % feed->past];

	feed->sample = *sample;
	if (line) { /* else this one is missing */
		line_drop(*place);
		*place = line;
		feed->count++;
	}
	wake_all(feed);
	pthread_mutex_unlock(&feed->lock);
}

void feed_result(struct feed *feed, const struct result *result)
{
	json_t *said = json_pack("{s:s, s:s}", "verdict", json_verdict(result->verdict), "reason",
	                         result->reason);
	char *text = said ? json_dumps(said, JSON_COMPACT) : NULL;
	struct line *end = text ? line_new("event: end\n" DATA, text, strlen(text), GAP) : NULL;

	free(text);
	json_decref(said);
	if (!end) /* no memory: it ends without its words */
		return;
	pthread_mutex_lock(&feed->lock);
	line_drop(feed->end);
	feed->end = end;
	pthread_mutex_unlock(&feed->lock);
}

void feed_end(struct feed *feed, unsigned int most_ms)
{
	uint64_t until_ns = clock_now_ns() + most_ms * NS_PER_MS;
	const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
	                               .tv_nsec = (long)(until_ns % NS_PER_S)};
	int failed = 0;

	pthread_mutex_lock(&feed->lock);
	feed->has_ended = true;
	wake_all(feed);
	while (feed->readers && failed == 0)
		failed = pthread_cond_timedwait(&feed->gone, &feed->lock, &until);
	pthread_mutex_unlock(&feed->lock);
}

/* --- readers ------------------------------------------------------------------------------ */

struct feed_reader *feed_open(struct feed *feed, void *own, uint32_t most)
{
	struct feed_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->feed = feed;
	reader->own = own;
	pthread_mutex_lock(&feed->lock);
	bool is_full = feed->reader_count == most;

	if (!is_full) {
		reader->line = line_hold(feed->greeting);
		reader->next = feed->count > feed->past ? feed->count - feed->past : 0;
		reader->before = &feed->readers;
		reader->after = feed->readers;
		if (reader->after)
			reader->after->before = &reader->after;
		feed->readers = reader;
		feed->reader_count++;
	}
	pthread_mutex_unlock(&feed->lock);
	if (!is_full)
		return reader;
	free(reader);
	return NULL;
}

void feed_close(struct feed_reader *reader)
{
	struct feed *feed = reader->feed;

	pthread_mutex_lock(&feed->lock);
	*reader->before = reader->after;
	if (reader->after)
		reader->after->before = reader->before;
	feed->reader_count--;
	line_drop(reader->line);
	pthread_cond_signal(&feed->gone);
	pthread_mutex_unlock(&feed->lock);
	free(reader);
}

/* The line that is being read, or the next one; NULL where there is none yet. */
static struct line *line_of(struct feed_reader *reader)
{
	const struct feed *feed = reader->feed;

	if (reader->line && reader->at < reader->line->len)
		return reader->line;
	line_drop(reader->line);
	reader->line = NULL;
	reader->at = 0;
	if (reader->next + feed->past < feed->count) /* too slow: what is gone is skipped */
		reader->next = feed->count - feed->past;
	if (reader->next < feed->count) {
		reader->line = line_hold(feed->lines[reader->next % feed->past]);
		reader->next++;
	} else if (feed->has_ended && !reader->has_end) {
		reader->has_end = true;
		reader->line = line_hold(feed->end);
	}
	return reader->line;
}

ssize_t feed_read(struct feed_reader *reader, char *into, size_t size)
{
	struct feed *feed = reader->feed;
	ssize_t done = FEED_WAIT;

	pthread_mutex_lock(&feed->lock);
	const struct line *line = line_of(reader);

	if (line) {
		size_t left = line->len - reader->at;
		size_t len = left < size ? left : size;

		memcpy(into, line->text + reader->at, len);
		reader->at += len;
		done = (ssize_t)len;
	} else if (reader->has_end) {
		done = FEED_END;
	} else {
		reader->rests = true;
		feed->rest(reader->own);
	}
	pthread_mutex_unlock(&feed->lock);
	return done;
}

/* --- the last sample ---------------------------------------------------------------------- */

bool feed_write_line(struct feed *feed, FILE *out)
{
	pthread_mutex_lock(&feed->lock);
	bool is_there = feed->count > 0;

	if (is_there) {
		const struct line *line = feed->lines[(feed->count - 1) % feed->past];

		fwrite(line->text + DATA_LEN, 1, line->len - DATA_LEN - GAP_LEN, out);
		fputc('\n', out);
	}
	pthread_mutex_unlock(&feed->lock);
	return is_there;
}

bool feed_write_metrics(struct feed *feed, FILE *out)
{
	pthread_mutex_lock(&feed->lock);
	bool is_there = feed->count > 0;

	if (is_there)
		prom_write(out, &feed->sample);
	pthread_mutex_unlock(&feed->lock);
	return is_there;
}
