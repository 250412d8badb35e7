#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct figure_info figure_infos[FIGURES] = {
	[RATE] = {"rate_per_s", "ramp, pairs/s", 0},
	[CPU_US] = {"ramp_cpu_us_per_pair", "ramp CPU, us/pair", 1},
	[KERNEL_BYTES] = {"kernel_bytes_per_pair", "kernel, B/pair", 0},
	[USER_BYTES] = {"user_bytes_per_side", "user, B/side", 1},
	[ALL_BYTES] = {"all_bytes_per_pair", "all-in, B/pair", 0},
	[LOST_BYTES] = {"lost_bytes_per_pair", "free memory lost, B/pair", 0},
	[PROOF_S] = {"proof_s", "proof, s", 2},
	[IDLE_PERCENT] = {"idle_percent", "idle hold, % of a core", 2},
	[CLOSE_S] = {"close_s", "close-down, s", 2},
};

const char *const design_names[DESIGNS] = {"classic", "megaconn"};

bool figures_design(const char *name, enum design *out)
{
	for (int i = 0; i < DESIGNS; i++) {
		if (strcmp(name, design_names[i]) == 0) {
			*out = (enum design)i;
			return true;
		}
	}
	return false;
}

/* The number at `object`.`key`; `object` NULL: at the top. NAN where it is null or missing. */
static double number(const json_t *result, const char *object, const char *key)
{
	const json_t *at = object ? json_object_get(result, object) : result;
	const json_t *value = json_object_get(at, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void read_classic(struct run *run)
{
	double *f = run->figures;

	f[RATE] = number(run->result, NULL, "rate_per_s");
	f[CPU_US] = number(run->result, NULL, "cpu_us_per_pair");
	f[KERNEL_BYTES] = number(run->result, NULL, "slab_bytes_per_pair");
	f[LOST_BYTES] = number(run->result, NULL, "memfree_bytes_per_pair");
	f[CLOSE_S] = number(run->result, NULL, "teardown_s");
}

static void read_megaconn(struct run *run)
{
	const json_t *r = run->result;
	const double pairs = number(r, "established", "client");
	double *f = run->figures;

	f[RATE] = number(r, "timing", "rate_per_s");
	if (pairs > 0)
		f[CPU_US] = number(r, "timing", "ramp_cpu_s") * 1e6 / pairs;
	f[KERNEL_BYTES] = number(r, "memory", "kernel_bytes_per_connection");
	f[USER_BYTES] = fmax(number(r, "memory", "server_user_bytes_per_connection"),
	                     number(r, "memory", "client_user_bytes_per_connection"));
	f[ALL_BYTES] = number(r, "memory", "bytes_per_connection");
	f[LOST_BYTES] = f[ALL_BYTES] + number(r, "memory", "residual_bytes_per_connection");
	f[PROOF_S] = fmax(number(r, "proved_ramp", "seconds"), number(r, "proved", "seconds"));
	f[CLOSE_S] = number(r, "timing", "teardown_s");
}

void figures_read(struct run *run, const char *path, double idle_percent)
{
	json_error_t error;

	for (int i = 0; i < FIGURES; i++)
		run->figures[i] = NAN;
	run->result = json_load_file(path, 0, &error);
	run->ok = run->exit_code == 0 && json_is_object(run->result);
	if (!run->result)
		return;
	if (run->design == CLASSIC)
		read_classic(run);
	else
		read_megaconn(run);
	run->figures[IDLE_PERCENT] = idle_percent;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct spread figures_spread(double *values, unsigned int count)
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
