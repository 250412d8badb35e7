/* axis: round numbers. */
#include "out/axis.h"

#include "base/text.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define NS_PER_S 1e9

/* The smallest of 1, 2, 5 times a power of ten that is not below. */
static double round_up(double step)
{
	double power = pow(10, floor(log10(step)));

	/* A little more than 1: 10^n / 10^n need not be 1. */
	for (int i = 0; i < 3; i++) {
		double round = power * (double[]){1, 2, 5}[i];

		if (round * (1 + 1e-9) >= step)
			return round;
	}
	return power * 10;
}

static double step_of_bytes(double step)
{
	double unit = 1;

	while (step > 512 * unit && unit < 0x1p60)
		unit *= 1024;
	step = round_up(step / unit);
	/* 500 MiB would go on to 1,000 MiB and 1.46 GiB. */
	return (step > 512 ? 1024 : step > 200 ? 512 : step) * unit;
}

static double step_of_time(double step)
{
	static const double steps_s[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
	                                 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};

	if (step <= NS_PER_S)
		return round_up(step);
	for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++) {
		if (steps_s[i] * NS_PER_S >= step)
			return steps_s[i] * NS_PER_S;
	}
	return 86400 * NS_PER_S * round_up(step / 86400 / NS_PER_S);
}

static double step_of(enum axis_unit unit, double step)
{
	switch (unit) {
	case AXIS_BYTES:
		return step_of_bytes(step < 1 ? 1 : step);
	case AXIS_TIME:
		return step_of_time(step);
	case AXIS_COUNT:
		return step < 1 ? 1 : round_up(step);
	default:
		return round_up(step);
	}
}

/* --- words -------------------------------------------------------------------------------- */

/* With as many decimals as it takes: 0.5 of 0.5, 2 of 2.0. */
static void add_short(struct text *t, double value)
{
	if (fabs(value - round(value)) < 1e-6 * (fabs(value) + 1))
		text_count(t, (uint64_t)llround(value));
	else
		text_add(t, "%.3g", value);
}

static void add_scaled(struct text *t, double value, double base, const char *const *units,
                       size_t count)
{
	size_t i = 0;

	while (i + 1 < count && value >= base * (1 - 1e-9)) {
		value /= base;
		i++;
	}
	add_short(t, value);
	text_add(t, " %s", units[i]);
}

static void add_duration(struct text *t, double ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};

	if (ns <= 0)
		text_add(t, "0");
	else
		add_scaled(t, ns, 1000, units, 4);
}

/* Since the beginning: 30 s, 5 min, 1:30 h. */
static void add_time(struct text *t, double ns, double step)
{
	uint64_t seconds = (uint64_t)llround(ns / NS_PER_S);

	if (ns <= 0)
		text_add(t, "0");
	else if (step < NS_PER_S || (seconds < 120 && step < 60 * NS_PER_S))
		ns < NS_PER_S ? add_duration(t, ns) : text_add(t, "%.4g s", ns / NS_PER_S);
	else if (seconds < 3600)
		text_add(t, seconds % 60 == 0 ? "%llu min" : "%llu:%02llu min",
		         (unsigned long long)(seconds / 60), (unsigned long long)(seconds % 60));
	else
		text_add(t, seconds % 3600 == 0 ? "%llu h" : "%llu:%02llu h",
		         (unsigned long long)(seconds / 3600),
		         (unsigned long long)(seconds / 60 % 60));
}

static void add_label(struct text *t, enum axis_unit unit, double value, double step)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

	switch (unit) {
	case AXIS_BYTES:
		if (value > 0)
			add_scaled(t, value, 1024, units, 7);
		else
			text_add(t, "0");
		break;
	case AXIS_PERCENT:
		add_short(t, value);
		text_add(t, " %%");
		break;
	case AXIS_TIME:
		add_time(t, value, step);
		break;
	case AXIS_NS:
		add_duration(t, value);
		break;
	default:
		add_short(t, value);
	}
}

/* --- axes --------------------------------------------------------------------------------- */

static struct text add_tick(struct axis *axis, double at)
{
	struct axis_tick *tick = &axis->ticks[axis->count++];
	struct text t;

	tick->at = at;
	text_init(&t, tick->label, sizeof(tick->label));
	return t;
}

void axis_linear(struct axis *axis, enum axis_unit unit, double most, uint32_t want, int is_open)
{
	/* Nothing at all still has an axis. */
	if (!(most > 0))
		most = unit == AXIS_TIME ? NS_PER_S : unit == AXIS_BYTES ? 1024 : 1;

	double step = step_of(unit, most / want);
	double count = is_open ? ceil(most / step * (1 - 1e-9)) : floor(most / step * (1 + 1e-9));

	*axis = (struct axis){.high = is_open ? count * step : most};
	for (uint32_t i = 0; i <= count && axis->count < AXIS_TICKS_MOST; i++) {
		struct text t = add_tick(axis, i * step / axis->high);

		add_label(&t, unit, i * step, step);
	}
}

void axis_log(struct axis *axis, double least, double most)
{
	int low = (int)floor(log10(least) + 1e-9), high = (int)ceil(log10(most) - 1e-9);

	if (high <= low)
		high = low + 1;
	int step = (high - low + AXIS_TICKS_MOST - 2) / (AXIS_TICKS_MOST - 1);

	*axis = (struct axis){.low = pow(10, low), .high = pow(10, high)};
	for (int power = low; power <= high; power += step) {
		struct text t = add_tick(axis, (double)(power - low) / (high - low));

		add_duration(&t, pow(10, power));
	}
}

struct axis_text axis_text(enum axis_unit unit, double value)
{
	struct axis_text out;
	struct text t;
	uint64_t whole = value > 0 ? (uint64_t)llround(value) : 0;

	text_init(&t, out.text, sizeof(out.text));
	switch (unit) {
	case AXIS_BYTES:
		text_bytes(&t, whole);
		break;
	case AXIS_PERCENT:
		text_add(&t, "%.1f %%", value);
		break;
	case AXIS_TIME:
	case AXIS_NS:
		text_duration(&t, whole);
		break;
	default:
		text_count(&t, whole);
	}
	return out;
}
