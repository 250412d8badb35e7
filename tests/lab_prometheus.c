/* Metrics before the real Prometheus (FULL=1): promtool has nothing to say of them, and every query
 * of the Grafana dashboard finds something. */
#include "apart.h"
#include "web.h"

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT      28790 /* of Prometheus */
#define LISTEN    "127.0.0.1:28720"
#define WEB       "127.0.0.1:0"
#define DASHBOARD "dashboards/megaconn.json"

static struct web_answer answer;

/* --- promtool ------------------------------------------------------------------------------- */

/* It reads stdin, and says nothing where all is well. */
static void assert_promtool_silent(uint16_t port)
{
	char text[4096] = "";
	int in = memfd_create("metrics", 0), out = memfd_create("said", 0), status = 1;

	web_get(port, "/metrics", 200, &answer);
	size_t len = strlen(answer.body);

	assert_int_equal(write(in, answer.body, len), (ssize_t)len);
	lseek(in, 0, SEEK_SET);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		execlp("promtool", "promtool", "check", "metrics", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(pread(out, text, sizeof(text) - 1, 0) >= 0);
	if (status != 0 || text[0] != '\0')
		fail_msg("promtool: status %d: %s", status, text);
	close(in);
	close(out);
}

/* Until there is a sample. */
static uint16_t metrics_port(struct trial *trial)
{
	uint16_t port = web_port(trial);

	for (int i = 0; i < 50; i++) {
		web_send(port, "GET /metrics HTTP/1.0\r\n\r\n", 25, 5000, &answer);
		if (answer.status == 200)
			return port;
		apart_sleep(100);
	}
	fail_msg("no metrics in 5 s");
	return 0;
}

static void start_pair(struct trial *serve, struct trial *connect)
{
	const char *const serve_args[] = {"--listen", LISTEN, "--http", WEB, NULL};
	const char *const connect_args[] = {LISTEN,   "-n",      "3000",      "--rate",  "1000",
	                                    "--hold", "60s",     "--traffic", "echo",    "--every",
	                                    "500ms",  "--churn", "10/s",      "--storm", "1%",
	                                    "--http", WEB,       NULL};

	apart_serve(serve, NULL, serve_args);
	apart_connect(connect, NULL, connect_args);
}

static void stop_pair(struct trial *serve, struct trial *connect)
{
	apart_stop(connect, SIGINT, 130);
	trial_end(connect);
	apart_stop(serve, SIGTERM, 0);
	trial_end(serve);
}

static void promtool_is_silent(void **state)
{
	const char *const lab_args[] = {"-n", "500", "--hold", "4s", "--http", WEB, NULL};
	struct trial serve, connect, lab;

	(void)state;
	if (!trial_is_full())
		apart_skip("only in the full run");
	start_pair(&serve, &connect);
	assert_promtool_silent(metrics_port(&serve));
	assert_promtool_silent(metrics_port(&connect));
	stop_pair(&serve, &connect);
	trial_start(&lab, NULL, lab_args);
	assert_promtool_silent(metrics_port(&lab));
	trial_wait(&lab, 30);
	trial_assert_passed(&lab, 500);
	trial_end(&lab);
}

/* --- Prometheus ----------------------------------------------------------------------------- */

#define READY "GET /-/ready HTTP/1.0\r\n\r\n"

static char directory[64];

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	(void)stat;
	(void)type;
	(void)walk;
	return remove(path);
}

static pid_t start_prometheus(uint16_t one, uint16_t other)
{
	char config[128], option[160], storage[160];

	snprintf(directory, sizeof(directory), "/tmp/megaconn-prometheus-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(config, sizeof(config), "%s/prometheus.yml", directory);
	FILE *out = fopen(config, "w");

	assert_non_null(out);
	fprintf(out,
	        "global: {scrape_interval: 1s}\n"
	        "scrape_configs:\n"
	        "  - job_name: megaconn\n"
	        "    static_configs: [{targets: [\"127.0.0.1:%u\", \"127.0.0.1:%u\"]}]\n",
	        (unsigned int)one, (unsigned int)other);
	assert_int_equal(fclose(out), 0);
	snprintf(option, sizeof(option), "--config.file=%s", config);
	snprintf(storage, sizeof(storage), "--storage.tsdb.path=%s/data", directory);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execlp("prometheus", "prometheus", option, storage,
		       "--web.listen-address=127.0.0.1:28790", "--log.level=error", NULL);
		_exit(127);
	}
	apart_keep(pid);
	apart_await("127.0.0.1", PORT, pid);
	for (int i = 0; i < 100; i++) {
		web_send(PORT, READY, sizeof(READY) - 1, 5000, &answer);
		if (answer.status == 200)
			return pid;
		apart_sleep(100);
	}
	fail_msg("Prometheus is not ready after 10 s: %s", answer.text);
	return pid;
}

static void stop_prometheus(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What Prometheus answers; the caller's. */
static json_t *query(const char *expr)
{
	char path[4096];
	size_t len = (size_t)snprintf(path, sizeof(path), "/api/v1/query?query=");

	for (; *expr != '\0' && len + 4 < sizeof(path); expr++) {
		if (isalnum((unsigned char)*expr))
			path[len++] = *expr;
		else
			len += (size_t)snprintf(path + len, 4, "%%%02X", (unsigned char)*expr);
	}
	path[len] = '\0';
	char *request = NULL;

	assert_true(asprintf(&request, "GET %s HTTP/1.0\r\nHost: a\r\n\r\n", path) > 0);
	web_send(PORT, request, strlen(request), 10000, &answer);
	free(request);
	return json_loads(answer.body, 0, NULL);
}

static size_t found_by(const char *expr)
{
	json_t *said = query(expr);
	const char *status = json_string_value(json_object_get(said, "status"));

	if (!status || strcmp(status, "success") != 0)
		fail_msg("%s: %s", expr, answer.text);
	size_t found = json_array_size(json_object_get(json_object_get(said, "data"), "result"));

	json_decref(said);
	return found;
}

/* A query as Grafana would send it: with its variables put in. The caller's. */
static char *put_in(const char *expr)
{
	static const char *const variables[][2] = {{"$__rate_interval", "4s"}, {"$instance", ".+"}};
	char *text = strdup(expr);

	for (size_t i = 0; i < 2; i++) {
		const char *at;

		while ((at = strstr(text, variables[i][0]))) {
			char *longer = NULL;

			assert_true(asprintf(&longer, "%.*s%s%s", (int)(at - text), text,
			                     variables[i][1], at + strlen(variables[i][0])) > 0);
			free(text);
			text = longer;
		}
	}
	return text;
}

/* Not every kernel tracks connections, and slab caches are root's to read. */
static bool may_be_unknown(const char *expr)
{
	return strstr(expr, "megaconn_conntrack_") || (geteuid() != 0 && strstr(expr, "_slab_"));
}

static int assert_panel(const json_t *panel)
{
	const json_t *targets = json_object_get(panel, "targets"), *target;
	size_t i;

	json_array_foreach (targets, i, target) {
		const char *expr = json_string_value(json_object_get(target, "expr"));

		assert_non_null(expr);
		char *text = put_in(expr);

		if (found_by(text) == 0 && !may_be_unknown(text))
			fail_msg("%s: nothing is found by %s",
			         json_string_value(json_object_get(panel, "title")), text);
		free(text);
	}
	return (int)json_array_size(targets);
}

static void every_query_finds_something(void **state)
{
	struct trial serve, connect;
	json_t *dashboard = json_load_file(DASHBOARD, 0, NULL), *panel;
	int queries = 0;
	size_t i;

	(void)state;
	assert_non_null(dashboard);
	if (!trial_is_full()) {
		json_decref(dashboard);
		apart_skip("only in the full run");
	}
	start_pair(&serve, &connect);
	pid_t pid = start_prometheus(metrics_port(&serve), metrics_port(&connect));

	for (int wait = 0; wait < 100 && found_by("count_over_time(up[20s]) > 3") < 2; wait++)
		apart_sleep(200);
	assert_int_equal(found_by("up == 1"), 2);
	json_array_foreach (json_object_get(dashboard, "panels"), i, panel)
		queries += assert_panel(panel);
	assert_in_range(queries, 40, 1000);
	assert_int_equal(found_by("megaconn_no_such_thing"), 0);
	json_decref(dashboard);
	stop_prometheus(pid);
	stop_pair(&serve, &connect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(promtool_is_silent),
		APART_TEST(every_query_finds_something),
	};

	return cmocka_run_group_tests_name("lab_prometheus", tests, apart_set_up, NULL);
}
