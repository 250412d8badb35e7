/* shard: see the header. Products have 128 bits, so that none overflows. */
#include "plan/shard.h"

#include "base/text.h"
#include "base/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

/* Where part `number` of `of` begins: all * number / of, rounded down. */
static uint64_t begin_of(uint64_t all, uint64_t number, uint64_t of)
{
	return (uint64_t)((u128)all * number / of);
}

int shard_parse(const char *text, struct shard *out, struct err *err)
{
	const char *at = text, *end = text + strlen(text);
	uint64_t number = 0, of = 0;
	bool is_good = unit_take_digits(&at, end, &number) && at < end && *at++ == '/' &&
	               unit_take_digits(&at, end, &of) && at == end;

	if (!is_good)
		return err_set(err, -EINVAL, "--shard %s: not a shard (try 3/20: the third of 20)",
		               text_quote(text, strlen(text)).text);
	if (of < 1 || of > SHARDS_MAX)
		return err_set(err, -EINVAL, "--shard %s: of 1 to %d shards",
		               text_quote(text, strlen(text)).text, SHARDS_MAX);
	if (number < 1 || number > of)
		return err_set(err, -EINVAL, "--shard %s: shards are numbered from 1 to %u",
		               text_quote(text, strlen(text)).text, (unsigned int)of);
	*out = (struct shard){.number = (uint32_t)number, .of = (uint32_t)of};
	return 0;
}

static int refuse_empty(const struct shard *shard, uint64_t n, struct err *err)
{
	char count[32];
	struct text t;

	text_init(&t, count, sizeof(count));
	text_count(&t, n);
	return err_set(err, -EINVAL,
	               "--shard %u/%u has none of %s connections: more connections, or fewer "
	               "shards",
	               shard->number, shard->of, count);
}

int shard_divide(const struct shard *shard, uint64_t n, uint32_t sources, struct shard_part *out,
                 struct err *err)
{
	uint64_t from = shard->number - 1, to = shard->number, of = shard->of;

	*out = (struct shard_part){.whole = n};
	if (n > SHARD_INDEXES_MAX)
		return err_set(err, -EINVAL,
		               "-n: shards have 4,294,967,296 connections together at most");
	if (sources > 0 && sources < of)
		return err_set(err, -EINVAL,
		               "--source has %u address%s for %u shards: no two hosts can have "
		               "the same one (at least one for each)",
		               sources, sources == 1 ? "" : "es", shard->of);
	if (sources > 0) {
		from = begin_of(sources, from, of);
		to = begin_of(sources, to, of);
		of = sources;
		out->source_first = (uint32_t)from;
		out->source_count = (uint32_t)(to - from);
	}
	out->first = begin_of(n, from, of);
	out->count = begin_of(n, to, of) - out->first;
	return out->count > 0 ? 0 : refuse_empty(shard, n, err);
}

uint64_t shard_share(const struct shard_part *part, uint64_t all)
{
	if (all == UINT64_MAX || part->whole == 0)
		return all;
	return begin_of(all, part->first + part->count, part->whole) -
	       begin_of(all, part->first, part->whole);
}

int shard_take(const struct shard_part *part, const char *name, uint64_t *all, struct err *err)
{
	uint64_t share = shard_share(part, *all);

	if (share == 0 && *all > 0)
		return err_set(err, -EINVAL,
		               "%s is of all shards together, and %" PRIu64
		               " leaves none for this one",
		               name, *all);
	*all = share;
	return 0;
}
