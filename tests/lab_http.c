/* http while something runs: what the paths answer, the stream of events to its end, requests that
 * are none, connections that rest, and addresses that cannot be listened on. */
#include "apart.h"
#include "web.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#define PORT     28700
#define HERE     "127.0.0.1:28700"
#define WEB      "127.0.0.1:0"
#define IDLE     100 /* more than are held at a time */
#define CONNECTS 7

static struct web_answer answer;
static struct trial serve;
static uint16_t port;

static void serve_start(void)
{
	const char *const args[] = {"--listen", HERE, "--workers", "1", "--http", WEB, NULL};

	apart_serve(&serve, NULL, args);
	port = web_port(&serve);
}

static void serve_stop(void)
{
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

static void assert_has(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("'%s' is not in: %.2000s", words, text);
}

/* A sample is there a second after the start. */
static void wait_sample(void)
{
	for (int i = 0; i < 50; i++) {
		web_send(port, "GET /api/v1/sample HTTP/1.0\r\n\r\n", 31, 5000, &answer);
		if (answer.status == 200)
			return;
		assert_int_equal(answer.status, 503);
		apart_sleep(100);
	}
	fail_msg("no sample in 5 s");
}

/* --- answers -------------------------------------------------------------------------------- */

static void assert_metrics(void)
{
	web_get(port, "/metrics", 200, &answer);
	assert_has(answer.text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_has(answer.body, "\nmegaconn_run_server_connections 7\n");
	assert_has(answer.body, "\nmegaconn_run_accepted_total 7\n");
	assert_has(answer.body, "\nmegaconn_run_phase{phase=\"serve\"} 1\n");
	assert_has(answer.body, "\nmegaconn_tcp_passive_opens_total ");
	assert_has(answer.body, "\nmegaconn_memory_left_bytes ");
	assert_null(strstr(answer.body, "127.0.0.1"));
}

static void assert_sample(void)
{
	web_get(port, "/api/v1/sample", 200, &answer);
	assert_has(answer.text, "Content-Type: application/json\r\n");
	json_t *sample = json_loads(answer.body, 0, NULL);

	assert_non_null(sample);
	assert_string_equal(json_string_value(json_object_get(sample, "schema")),
	                    "megaconn.sample/1");
	assert_int_equal(json_integer_value(json_object_get(sample, "run_accepted")), CONNECTS);
	json_decref(sample);
}

/* Each single number of the sample is in the table that says what it means. */
static void assert_figures(void)
{
	web_get(port, "/api/v1/figures", 200, &answer);
	json_t *said = json_loads(answer.body, 0, NULL);
	json_t *figures = json_object_get(said, "figures"), *figure;
	size_t i;

	assert_true(json_array_size(figures) > 50);
	web_get(port, "/api/v1/sample", 200, &answer);
	json_array_foreach (figures, i, figure) {
		char key[80];
		const char *label = json_string_value(json_object_get(figure, "label"));
		const char *group = json_string_value(json_object_get(figure, "group"));

		snprintf(key, sizeof(key),
		         "\"%s\":", json_string_value(json_object_get(figure, "key")));
		if (!label && strcmp(group, "run") == 0)
			assert_has(answer.body, key);
	}
	json_decref(said);
}

static void assert_page(void)
{
	web_get(port, "/", 200, &answer);
	assert_has(answer.text, "Content-Type: text/html; charset=utf-8\r\n");
	assert_has(answer.text, "Content-Security-Policy: default-src 'none';");
	assert_has(answer.text, "X-Content-Type-Options: nosniff\r\n");
	assert_null(strstr(answer.text, "Access-Control"));
	assert_null(strstr(answer.text, "evil.example"));
	assert_int_equal(strncmp(answer.body, "<!doctype html>", 15), 0);
	assert_has(answer.body, "</script>\n"); /* whole */
	assert_null(strstr(answer.body, "src="));
	web_get(port, "/favicon.ico", 204, &answer);
	assert_string_equal(answer.body, "");
}

static void assert_heads(void)
{
	static const char *const paths[] = {"/", "/metrics", "/api/v1/sample", "/api/v1/events",
	                                    "/api/v1/figures"};

	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		char request[128];
		int len = snprintf(request, sizeof(request),
		                   "HEAD %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		                   paths[i]);

		web_send(port, request, (size_t)len, 5000, &answer);
		assert_int_equal(answer.status, 200);
		assert_has(answer.text, "Content-Type: ");
		assert_string_equal(answer.body, "");
	}
}

static void assert_refusals(void)
{
	static const struct {
		const char *request;
		int status;
	} table[] = {
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
	         405},
		{"DELETE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405},
		{"GET /metrics/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404},
		{"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404},
		{"GET /metrics?name=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400}, /* no Host */
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		web_send(port, table[i].request, strlen(table[i].request), 5000, &answer);
		if (answer.status != table[i].status)
			fail_msg("%s: %d: %s", table[i].request, answer.status, answer.text);
		if (answer.status == 405)
			assert_has(answer.text, "Allow: GET, HEAD\r\n");
	}
}

/* --- requests that are none ----------------------------------------------------------------- */

static void garbage(void)
{
	static char long_line[300000];
	static const char nothing[64];

	memset(long_line, 'x', sizeof(long_line));
	web_send(port, long_line, sizeof(long_line), 200, &answer);
	assert_true(answer.status != 200);
	long_line[snprintf(long_line, 20, "GET / HTTP/1.1\r\nA: ")] = 'x';
	web_send(port, long_line, sizeof(long_line), 200, &answer);
	assert_true(answer.status != 200);
	web_send(port, nothing, sizeof(nothing), 100, &answer);
	assert_true(answer.status != 200);
	web_send(port, "GET / HT", 8, 100, &answer); /* half of one */
	assert_int_equal(answer.status, 0);
	web_send(port, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, 100, &answer); /* TLS */
	assert_true(answer.status != 200);
}

/* More connections that say nothing than there is room for: the run goes on, and when they go, or
 * after HTTP_TIMEOUT_S, others are answered. */
static void idle(void)
{
	int fds[IDLE];

	for (int i = 0; i < IDLE; i++)
		fds[i] = apart_dial("127.0.0.1", port);
	int fd = apart_dial("127.0.0.1", PORT); /* of the run's own */

	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(fd, fds, 1, MSG_PEEK), 1);
	close(fd);
	if (trial_is_full())
		web_get(port, "/metrics", 200, &answer);
	for (int i = 0; i < IDLE; i++)
		close(fds[i]);
	web_get(port, "/metrics", 200, &answer);
}

static void answers(void **state)
{
	int fds[CONNECTS];

	(void)state;
	serve_start();
	for (int i = 0; i < CONNECTS; i++)
		fds[i] = apart_dial("127.0.0.1", PORT);
	apart_settle(&serve);
	apart_sleep(1100); /* until they are in a sample */
	wait_sample();
	assert_metrics();
	assert_sample();
	assert_figures();
	assert_page();
	assert_heads();
	assert_refusals();
	garbage();
	idle();
	for (int i = 0; i < CONNECTS; i++)
		close(fds[i]);
	serve_stop();
}

/* --- events --------------------------------------------------------------------------------- */

static int count_of(const char *text, const char *words)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

/* A lab in namespaces of its own is seen from outside of them, to its end. */
static void events(void **state)
{
	const char *const args[] = {"-n", "500", "--hold", "1500ms", "--http", WEB, NULL};
	static const char request[] = "GET /api/v1/events HTTP/1.1\r\nHost: a\r\n\r\n";
	struct trial lab;

	(void)state;
	trial_start(&lab, NULL, args);
	port = web_port(&lab);
	web_send(port, request, sizeof(request) - 1, 20000, &answer);
	trial_wait(&lab, 30);
	trial_assert_passed(&lab, 500);
	assert_int_equal(answer.status, 200);
	assert_has(answer.text, "Content-Type: text/event-stream\r\n");
	assert_has(answer.body, "retry: 1000\n\n");
	assert_true(count_of(answer.body, "data: {\"schema\":\"megaconn.sample/1\"") >= 2);
	assert_has(answer.body, "\"run_client_connections\":500");
	assert_has(answer.body, "\"phase\":\"hold\"");
	assert_has(answer.body, "event: end\ndata: {\"verdict\":\"pass\",\"reason\":\"500 conn");
	assert_int_equal(count_of(answer.body, "event: end"), 1);
	trial_end(&lab);
}

/* The clients' side has the time of each connect. */
static void assert_connect_times(struct trial *connect)
{
	uint16_t serve_port = port;

	port = web_port(connect);
	for (int i = 0; i < 30; i++) {
		wait_sample();
		web_get(port, "/metrics", 200, &answer);
		if (strstr(answer.body, "\nmegaconn_connect_duration_seconds_count 100\n"))
			break;
		apart_sleep(100);
	}
	assert_has(answer.body, "\nmegaconn_connect_duration_seconds_count 100\n");
	assert_has(answer.body, "\nmegaconn_connect_duration_seconds_bucket{le=\"+Inf\"} 100\n");
	assert_has(answer.body, "\nmegaconn_run_client_connections 100\n");
	port = serve_port;
}

/* Readers who do not read do not keep it from ending, nor do those who wait. */
static void ends_with_readers(void **state)
{
	static const char request[] = "GET /api/v1/events HTTP/1.1\r\nHost: a\r\n\r\n";
	const char *const args[] = {HERE, "-n", "100", "--hold", "60s", "--http", WEB, NULL};
	struct trial connect;
	int fds[40];
	int refused = 0;

	(void)state;
	serve_start();
	apart_connect(&connect, NULL, args);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = apart_dial("127.0.0.1", port);
		assert_int_equal(send(fds[i], request, sizeof(request) - 1, 0),
		                 sizeof(request) - 1);
	}
	wait_sample(); /* there is room beside them */
	assert_connect_times(&connect);
	apart_stop(&connect, SIGINT, 130);
	trial_end(&connect);
	apart_stop(&serve, SIGTERM, 0);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		char text[64] = "";

		assert_true(recv(fds[i], text, sizeof(text) - 1, MSG_WAITALL) > 0);
		refused += strncmp(text, "HTTP/1.1 503", 12) == 0;
		close(fds[i]);
	}
	assert_int_equal(refused, 40 - 32);
	trial_end(&serve);
}

/* --- addresses ------------------------------------------------------------------------------ */

static void mistakes(void **state)
{
	static const struct apart_mistake table[] = {
		{{"--http", "9464"}, 2, "--http 9464: not ADDR:PORT"},
		{{"--http", "localhost:9464"}, 2, "not ADDR:PORT"},
		{{"--http", "203.0.113.7:9464"}, 4, "this host has no such address"},
		{{"--http", "127.0.0.1:28701"}, 4, "another program listens there"},
		{{"--http"}, 2, "--http"},
	};
	int fd = apart_listen("127.0.0.1", 28701, 1);

	(void)state;
	apart_assert_mistakes("serve", table, COUNT_OF(table));
	apart_assert_mistakes("lab", table, COUNT_OF(table));
	close(fd);
}

/* Nobody has the port any more when megaconn is gone, whatever runs on for a moment. */
static void killed(void **state)
{
	(void)state;
	serve_start();
	kill(serve.pid, SIGKILL);
	trial_wait(&serve, 5);
	close(apart_listen("127.0.0.1", port, 1));
	trial_assert_no_process_left(&serve);
	trial_end(&serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(answers),  APART_TEST(events), APART_TEST(ends_with_readers),
		APART_TEST(mistakes), APART_TEST(killed),
	};

	return cmocka_run_group_tests_name("lab_http", tests, apart_set_up, NULL);
}
