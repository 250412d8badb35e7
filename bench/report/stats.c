#include "stats.h"

#include <math.h>
#include <stdlib.h>

const struct pair stats_pairs[PAIRS] = {
	{URING, CLASSIC}, {EPOLL, CLASSIC}, {URING, EPOLL},
	{APART, URING},   {TUN, URING},     {PACKET, URING},
};

bool stats_add_size(struct bench *b, uint64_t n)
{
	size_t at = 0;

	while (at < b->size_count && b->sizes[at] < n)
		at++;
	if (at < b->size_count && b->sizes[at] == n)
		return true;
	if (b->size_count == SIZES_MAX)
		return false;
	for (size_t i = b->size_count; i > at; i--)
		b->sizes[i] = b->sizes[i - 1];
	b->sizes[at] = n;
	b->size_count++;
	return true;
}

unsigned int stats_rounds(const struct bench *b, uint64_t n)
{
	unsigned int most = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (b->runs[i].n == n && b->runs[i].round > most)
			most = b->runs[i].round;
	}
	return most;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median and range of the values that are known; sorts `values`. */
static struct spread spread_of(double *values, unsigned int count)
{
	unsigned int known = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (isfinite(values[i]))
			values[known++] = values[i];
	}
	if (known == 0)
		return (struct spread){.median = NAN, .least = NAN, .most = NAN};
	qsort(values, known, sizeof(values[0]), ascending);
	return (struct spread){
		.median = (values[(known - 1) / 2] + values[known / 2]) / 2,
		.least = values[0],
		.most = values[known - 1],
		.count = known,
	};
}

static const struct run *find_run(const struct bench *b, struct cell cell, unsigned int round)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct run *r = &b->runs[i];

		if (r->ok && r->round == round && r->n == cell.n && r->solution == cell.solution &&
		    r->design == cell.design)
			return r;
	}
	return NULL;
}

struct spread stats_figure(const struct bench *b, struct cell cell, enum figure figure)
{
	double values[ROUNDS_MAX];
	unsigned int count = 0;

	for (unsigned int round = 1; round <= ROUNDS_MAX; round++) {
		const struct run *r = find_run(b, cell, round);

		if (r)
			values[count++] = r->figures[figure];
	}
	return spread_of(values, count);
}

struct spread stats_ratio(const struct bench *b, uint64_t n, unsigned int solution,
                          struct pair pair, enum figure figure)
{
	const struct cell over_cell = {n, solution, pair.over};
	const struct cell under_cell = {n, solution, pair.under};
	double values[ROUNDS_MAX];
	unsigned int count = 0;

	for (unsigned int round = 1; round <= ROUNDS_MAX; round++) {
		const struct run *over = find_run(b, over_cell, round);
		const struct run *under = find_run(b, under_cell, round);

		if (over && under && under->figures[figure] > 0)
			values[count++] = over->figures[figure] / under->figures[figure];
	}
	return spread_of(values, count);
}

double stats_growth(const struct bench *b, size_t to, unsigned int solution, enum design design,
                    enum figure figure)
{
	if (to == 0 || to >= b->size_count)
		return NAN;
	const struct spread before =
		stats_figure(b, (struct cell){b->sizes[to - 1], solution, design}, figure);
	const struct spread after = stats_figure(b, (struct cell){b->sizes[to], solution, design},
	                                         figure);

	return before.median > 0 ? after.median / before.median : NAN;
}
