/* noise: how it is estimated.
 *
 * - rates, and the latency of answers: the samples are cut into blocks, and the spread of the
 *   blocks' means says how far their mean may be off (blocks, as seconds that follow each other are
 *   alike);
 * - quantiles of the time to connect: which ranks the quantile may have had by chance, by how many
 *   were counted (in batches of 16, which wait for each other), and what values these ranks have;
 *   and how far the quantile still moved in the second half of the ramp. */
#include "out/noise.h"

#include <math.h>

#define BLOCKS_MOST  10
#define BLOCKS_LEAST 3
#define SHORT_NS     UINT64_C(200000000)
#define BATCH        16
#define HIST_STEP    (1.0 / 128) /* how exact a histogram's values are */

/* Student's t, two-sided 95 %, by degrees of freedom. */
static double student(uint32_t freedom)
{
	static const double t[] = {NAN,   12.71, 4.303, 3.182, 2.776,
	                           2.571, 2.447, 2.365, 2.306, 2.262};

	return freedom < sizeof(t) / sizeof(t[0]) ? t[freedom] : 1.96;
}

static double spread(const double *means, uint32_t count)
{
	double mean = 0, squares = 0;

	for (uint32_t i = 0; i < count; i++)
		mean += means[i] / count;
	for (uint32_t i = 0; i < count; i++)
		squares += (means[i] - mean) * (means[i] - mean);
	return student(count - 1) * sqrt(squares / (count - 1) / count);
}

/* A number of each time between two samples; < 0 where it has none. */
typedef double (*number_fn)(const struct track *track, int of, uint32_t point);

/* A time between two samples counts where the phase held at both of its ends, unless it is so short
 * that its number would be chance. */
static bool does_count(const struct track *track, uint32_t p, uint32_t phase)
{
	return track->points[p].phase == phase && track->points[p - 1].phase == phase &&
	       track->points[p].at_ns - track->points[p - 1].at_ns >= SHORT_NS;
}

static double of_means(const struct track *track, number_fn number, int of, uint32_t phase)
{
	double sums[BLOCKS_MOST] = {0}, means[BLOCKS_MOST];
	uint32_t counts[BLOCKS_MOST] = {0}, all = 0, at = 0, blocks = 0;

	for (int round = 0; round < 2; round++) {
		for (uint32_t p = 1; p < track->count; p++) {
			double one = number(track, of, p);

			if (one < 0 || !does_count(track, p, phase))
				continue;
			if (round == 0) {
				all++;
				continue;
			}
			uint32_t block = at++ * blocks / all;

			sums[block] += one;
			counts[block]++;
		}
		blocks = all < BLOCKS_MOST ? all : BLOCKS_MOST;
		if (blocks < BLOCKS_LEAST)
			return NAN;
	}
	for (uint32_t i = 0; i < blocks; i++)
		means[i] = sums[i] / counts[i];
	return spread(means, blocks);
}

static double rate_at(const struct track *track, int figure, uint32_t p)
{
	return track_rate_per_s(track, (enum figure_id)figure, p);
}

double noise_of_rate(const struct track *track, enum figure_id figure, uint32_t phase)
{
	return of_means(track, rate_at, (int)figure, phase);
}

static double latency_at(const struct track *track, int quantile, uint32_t p)
{
	const struct quantiles *q = &track->points[p].latency;

	return q->count > 0 ? (double)quantiles_at(q, quantile) : -1;
}

double noise_of_latency(const struct track *track, const struct quantiles *all, int quantile)
{
	double noise = of_means(track, latency_at, quantile, LIVE_HOLD);

	return isnan(noise) ? NAN : fmax(noise, (double)quantiles_at(all, quantile) * HIST_STEP);
}

/* The time at a quantile between those that are known, on the lines of the chart: by the logarithm
 * of both. */
static double time_at(const uint64_t *ns, double beyond, double least)
{
	double decades = -log10(fmax(beyond, least)), from = -log10(0.5), to = 0;

	if (decades <= from)
		return (double)ns[0];
	for (int i = 1; i < TRACK_QUANTILES; i++) {
		to = -log10(i < TRACK_QUANTILES - 1 ? 1 - track_quantiles[i] : least);
		if (decades <= to && to > from)
			return (double)ns[i - 1] * pow((double)ns[i] / (double)ns[i - 1],
			                               (decades - from) / (to - from));
		from = to;
	}
	return (double)ns[TRACK_QUANTILES - 1];
}

/* How far it moved in the second half of the time in which connects were made. */
static double wander(const struct track *track, int quantile)
{
	uint64_t all = track->count > 0 ? track->points[track->count - 1].connects : 0;
	double least = NAN, most = NAN;

	for (uint32_t p = 0; p < track->count; p++) {
		double ns = (double)track->points[p].connect_ns[quantile];

		if (track->points[p].connects < all / 2 || ns <= 0)
			continue;
		least = fmin(least, ns);
		most = fmax(most, ns);
	}
	return isnan(least) ? 0 : (most - least) / 2;
}

double noise_of_connect(const struct report *run, const uint64_t *ns, int quantile)
{
	double count = (double)run->result.established.client / BATCH;
	double beyond = 1 - track_quantiles[quantile];

	if (run->result.established.client == RESULT_UNKNOWN || count * beyond < 5)
		return NAN;
	double ranks = 1.96 * sqrt(beyond * (1 - beyond) / count);
	double low = time_at(ns, beyond + ranks, 1 / count);
	double high = time_at(ns, beyond - ranks, 1 / count);
	/* The median has nothing known below it: the other side stands for both. */
	double half = quantile == 0 ? high - (double)ns[0] : (high - low) / 2;

	return fmax(fmax(half, wander(&run->track, quantile)), (double)ns[quantile] * HIST_STEP);
}
