/* feed: the last sample, and those of the last minutes as server-sent events, for any number of
 * readers in another thread. One lock guards it all; nothing is waited for with the lock held.
 *
 * A reader asks feed_read for more bytes until it says FEED_WAIT; it is then told by feed_init's
 * `wake`, once, when there is more. One that is slower than the samples are skips some. */
#pragma once

#include "base/result.h"
#include "base/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define FEED_WAIT ((ssize_t)0)
#define FEED_END  ((ssize_t)-1)

struct feed;
struct feed_reader;

/* Keeps `past` samples. `wake` and `rest` are called with the lock held, with a reader's own
 * pointer: rest where feed_read is about to return FEED_WAIT, wake later. NULL: no memory. The
 * caller's. */
struct feed *feed_new(uint32_t past, void (*rest)(void *reader), void (*wake)(void *reader));
void feed_free(struct feed *feed);

void feed_publish(struct feed *feed, const struct sample *sample);

/* The event that readers are given as the last one, and the end: by feed_end they all wake, and
 * then end; it waits at most `most_ms` until they are gone. */
void feed_result(struct feed *feed, const struct result *result);
void feed_end(struct feed *feed, unsigned int most_ms);

/* A reader, which is first given the past; NULL where there are `most`, or no memory. To be closed
 * by who opened it. */
struct feed_reader *feed_open(struct feed *feed, void *own, uint32_t most);
void feed_close(struct feed_reader *reader);

/* Copies what comes next, at most `size` bytes; or FEED_WAIT, FEED_END. */
ssize_t feed_read(struct feed_reader *reader, char *into, size_t size);

/* Writes the last sample to `out`: as a line of JSON, as metrics. False where there is none yet. */
bool feed_write_line(struct feed *feed, FILE *out);
bool feed_write_metrics(struct feed *feed, FILE *out);
