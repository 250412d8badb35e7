#include "figures.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct figure_info figure_infos[FIGURES] = {
	[RATE] = {"rate_per_s", "connections/s", "pairs/s", 0},
	[CPU_US] = {"ramp_cpu_us_per_pair", "CPU, us/pair", "us CPU/pair", 1},
	[KERNEL_BYTES] = {"kernel_bytes_per_pair", "kernel, B/pair", NULL, 0},
	[USER_BYTES] = {"user_bytes_per_pair", "user, B/pair", NULL, 0},
	[ALL_BYTES] = {"all_bytes_per_pair", "both, B/pair", "B/pair", 0},
	[LOST_BYTES] = {"lost_bytes_per_pair", "memory lost, B/pair", "B/pair lost", 0},
	[CONNECT_P50_US] = {"connect_p50_us", "connect p50, us", NULL, 0},
	[CONNECT_P99_US] = {"connect_p99_us", "p99, us", NULL, 0},
	[PROOF_S] = {"proof_s", "proof, s", "s to prove", 2},
	[CLOSE_S] = {"close_s", "close-down, s", "s to close", 2},
	[IDLE_PERCENT] = {"idle_percent", "idle hold, % of a core", "% idle", 2},
	[USER_SIDE_BYTES] = {"user_bytes_per_side", "user, B/side", NULL, 1},
	[CLIENT_BYTES] = {"client_bytes", "client, B/connection", NULL, 1},
	[CLOSE_US] = {"close_us_per_pair", "close-down, us/pair", NULL, 1},
};

const char *const design_names[DESIGNS] = {"classic", "epoll", "uring", "apart", "tun", "packet"};

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
	f[KERNEL_BYTES] = number(run->result, NULL, "kernel_bytes_per_pair");
	f[USER_BYTES] = number(run->result, NULL, "user_bytes_per_pair");
	f[LOST_BYTES] = number(run->result, NULL, "memfree_bytes_per_pair");
	f[CLOSE_S] = number(run->result, NULL, "teardown_s");
}

/* What lab and connect have in common. */
static void read_clients(struct run *run)
{
	const json_t *r = run->result;
	const json_t *latency = json_object_get(json_object_get(r, "timing"), "connect_ns");
	double *f = run->figures;

	f[RATE] = number(r, "timing", "rate_per_s");
	f[KERNEL_BYTES] = number(r, "memory", "kernel_bytes_per_connection");
	f[LOST_BYTES] = number(r, "memory", "lost_bytes") / number(r, "memory", "connections");
	f[CONNECT_P50_US] = number(latency, NULL, "p50") / 1e3;
	f[CONNECT_P99_US] = number(latency, NULL, "p99") / 1e3;
	f[PROOF_S] = fmax(number(r, "proved_ramp", "seconds"), number(r, "proved", "seconds"));
	f[CLOSE_S] = number(r, "timing", "teardown_s");
}

static void set_user_bytes(struct run *run, double server, double client)
{
	run->figures[USER_BYTES] = server + client;
	run->figures[USER_SIDE_BYTES] = server > client ? server : client;
	run->figures[CLIENT_BYTES] = client;
}

static void read_lab(struct run *run)
{
	const json_t *r = run->result;
	const double pairs = number(r, "established", "client");

	read_clients(run);
	if (pairs > 0)
		run->figures[CPU_US] = number(r, "timing", "ramp_cpu_s") * 1e6 / pairs;
	set_user_bytes(run, number(r, "memory", "server_user_bytes_per_connection"),
	               number(r, "memory", "client_user_bytes_per_connection"));
}

/* A server alone cannot know when the ramp is over: there is no CPU time of it. The kernel's bytes
 * are the machine's, so the clients' bill has them for both ends. The clients close first, then the
 * server what is left. */
static void read_apart(struct run *run)
{
	const double server = number(run->served, "memory", "server_user_bytes_per_connection");
	const double client = number(run->result, "memory", "client_user_bytes_per_connection");

	read_clients(run);
	if (isfinite(server) && isfinite(client))
		set_user_bytes(run, server, client);
	run->figures[CLOSE_S] += number(run->served, "timing", "teardown_s");
}

static json_t *load(const char *base, const char *ending)
{
	char path[PATH_MAX];
	json_error_t error;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", base, ending) >= sizeof(path))
		return NULL;
	return json_load_file(path, 0, &error);
}

void figures_read(struct run *run, const char *base, double idle_percent)
{
	double *f = run->figures;

	for (int i = 0; i < FIGURES; i++)
		f[i] = NAN;
	run->result = load(base, ".json");
	run->served = run->design == APART ? load(base, ".serve.json") : NULL;
	run->ok = run->exit_code == 0 && json_is_object(run->result);
	if (!json_is_object(run->result))
		return;
	if (run->design == CLASSIC)
		read_classic(run);
	else if (run->design == APART)
		read_apart(run);
	else
		read_lab(run);
	f[ALL_BYTES] = f[KERNEL_BYTES] + f[USER_BYTES];
	f[IDLE_PERCENT] = idle_percent;
	if (run->n > 0)
		f[CLOSE_US] = f[CLOSE_S] * 1e6 / (double)run->n;
}
