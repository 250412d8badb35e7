/* api_token: who may ask a server over HTTP, and with what; and servers that connect --server-api
 * must not believe: none, one of no runs, garbage, one that sends without end, one that never
 * answers. Nothing is opened then, and one line says why. */
#include "apart.h"
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HERE     "127.0.0.1:28950"
#define RUDE     28951
#define RUDE_URL "http://127.0.0.1:28951"
#define TOKEN    "test-token-0123456789"
#define OTHER    "test-token-0123456780"
#define FILE_IN  "/tmp/megaconn-lab-api-token.XXXXXX"

static struct web_answer answer;
static struct trial serve;
static uint16_t port;
static char token_file[64];

static void write_token(const char *text, mode_t mode)
{
	memcpy(token_file, FILE_IN, sizeof(FILE_IN));
	int fd = mkstemp(token_file);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void start(const char *http, bool with_file)
{
	const char *const args[] = {"--listen",
	                            HERE,
	                            "--workers",
	                            "1",
	                            "--http",
	                            http,
	                            with_file ? "--http-token-file" : NULL,
	                            token_file,
	                            NULL};

	apart_serve(&serve, NULL, args);
	trial_wait_text(&serve, "metrics and live page: http://", 10);
	const char *said = strstr(serve.err, "metrics and live page: http://");
	const char *colon = strchr(said + strlen("metrics and live page: http://"), ':');

	port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static void stop(void)
{
	apart_stop(&serve, SIGTERM, 0);
	trial_end(&serve);
}

/* A request with these header lines, and a body. */
static int say(const char *method, const char *path, const char *headers, const char *body)
{
	char request[24 * 1024];
	int len = snprintf(request, sizeof(request),
	                   "%s %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n%s"
	                   "Content-Length: %zu\r\n\r\n%s",
	                   method, path, headers, strlen(body), body);

	web_send(port, request, (size_t)len, 10000, &answer);
	return answer.status;
}

#define BEARER  "Authorization: Bearer " TOKEN "\r\n"
#define IS_JSON "Content-Type: application/json\r\n"
#define RUN                                                                          \
	"{\"schema\":\"megaconn.run/1\",\"key\":\"0123456789abcdef\",\"first\":100," \
	"\"count\":50,\"sources\":\"127.0.0.1-127.0.0.20\",\"host\":\"test\",\"new\":1}"

/* --- tokens --------------------------------------------------------------------------------- */

static void all_want_the_token(void)
{
	static const char *const paths[] = {"/",
	                                    "/metrics",
	                                    "/api/v1/sample",
	                                    "/api/v1/events",
	                                    "/api/v1/figures",
	                                    "/api/v1/server",
	                                    "/api/v1/bill",
	                                    "/api/v1/runs",
	                                    "/api/v1/runs/1",
	                                    "/no-such"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(say("GET", paths[i], "", ""), 401);
		assert_non_null(strstr(answer.text, "WWW-Authenticate: Bearer"));
		assert_int_equal(say("POST", paths[i], IS_JSON, RUN), 401);
		assert_int_equal(say("DELETE", paths[i], "", ""), 401);
	}
}

static void token_is_asked_for(void **state)
{
	(void)state;
	write_token(TOKEN "\n", 0600);
	start("127.0.0.1:0", true);
	assert_int_equal(apart_count(&serve, TOKEN), 0);
	all_want_the_token();
	assert_int_equal(say("GET", "/", BEARER, ""), 200);
	assert_int_equal(say("GET", "/", "authorization: bearer " TOKEN "\r\n", ""), 200);
	assert_int_equal(say("GET", "/?token=" TOKEN, "", ""), 200);
	assert_int_equal(say("HEAD", "/?token=" TOKEN, "", ""), 200);
	assert_int_equal(say("GET", "/api/v1/server?token=" TOKEN, "", ""), 200);
	assert_int_equal(say("GET", "/?token=" OTHER, "", ""), 401);
	assert_int_equal(say("GET", "/?token=", "", ""), 401);
	assert_int_equal(say("GET", "/?token=" TOKEN "0", "", ""), 401);
	assert_int_equal(say("GET", "/", "Authorization: Bearer " OTHER "\r\n", ""), 401);
	assert_int_equal(say("GET", "/", "Authorization: Basic " TOKEN "\r\n", ""), 401);
	/* A wrong header is not made good by the address; only GETs have it there. */
	assert_int_equal(say("GET", "/?token=" TOKEN, "Authorization: Bearer x\r\n", ""), 401);
	assert_int_equal(say("POST", "/api/v1/runs?token=" TOKEN, IS_JSON, RUN), 401);
	assert_int_equal(say("DELETE", "/api/v1/runs/1?token=" TOKEN, "", ""), 401);
	stop();
	unlink(token_file);
}

static void token_is_made(void **state)
{
	char request[512], token[64];

	(void)state;
	start("0.0.0.0:0", false);
	all_want_the_token();
	trial_wait_text(&serve, "a token made for this run", 10);
	assert_int_equal(sscanf(strstr(serve.err, "MEGACONN_TOKEN="),
	                        "MEGACONN_TOKEN=%63[0-9a-f] megaconn connect", token),
	                 1);
	assert_int_equal(strlen(token), 32);
	snprintf(request, sizeof(request), "--server-api http://HOST:%u", port);
	assert_non_null(strstr(serve.err, request));
	snprintf(request, sizeof(request), "/metrics?token=%s", token);
	assert_int_not_equal(say("GET", request, "", ""), 401);
	stop();
}

static void token_files_that_are_none(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int code;
		const char *says;
	} files[] = {
		{TOKEN "\n", 0640, 4, "others may read it"},
		{TOKEN "\n", 0604, 4, "others may read it"},
		{"short\n", 0600, 2, "no token: 16 to 256"},
		{"", 0600, 2, "no token"},
		{TOKEN " \n", 0600, 2, "no token"},
		{TOKEN "\n" TOKEN "\n", 0600, 2, "no token"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct apart_mistake mistakes[] = {
			{{"--http", "127.0.0.1:0", "--http-token-file", token_file},
		         files[i].code,
		         files[i].says}};
		const struct apart_mistake ours[] = {
			{{HERE, "--server-api", RUDE_URL, "--server-token-file", token_file},
		         files[i].code,
		         files[i].says}};

		write_token(files[i].text, files[i].mode);
		apart_assert_mistakes("serve", mistakes, 1);
		apart_assert_mistakes("connect", ours, 1);
		unlink(token_file);
	}
}

static void options_that_are_none(void **state)
{
	static const struct apart_mistake mistakes[] = {
		{{HERE, "--server-api", "https://127.0.0.1:9464"}, 2, "not http://HOST:PORT"},
		{{HERE, "--server-api", "127.0.0.1:9464"}, 2, "not http://HOST:PORT"},
		{{HERE, "--server-api", "http://127.0.0.1"}, 2, "not http://HOST:PORT"},
		{{HERE, "--server-api", "http://me@127.0.0.1:9464"}, 2, "not http://HOST:PORT"},
		{{HERE, "--server-api", "http://127.0.0.1:9464/x"}, 2, "not http://HOST:PORT"},
		{{HERE, "--server-api", ""}, 2, "not http://HOST:PORT"},
		{{HERE, "--server-token-file", "/x"}, 2, "is of --server-api"},
		{{HERE, "--http-token-file", "/x"}, 2, "is of --http"},
		{{HERE, "--server-api", RUDE_URL, "--server-token-file", "/nowhere"},
	         4,
	         "No such file"},
	};

	(void)state;
	apart_assert_mistakes("connect", mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

/* --- runs ----------------------------------------------------------------------------------- */

/* The number that the server gives a run begins anywhere: a client of one that was restarted must
 * not find another's. */
static unsigned long id;

static unsigned long said_id(void)
{
	const char *at = strstr(answer.body, "\"id\":");

	assert_non_null(at);
	return strtoul(at + 5, NULL, 10);
}

static const char *of_run(const char *rest)
{
	static char path[64];

	snprintf(path, sizeof(path), "/api/v1/runs/%lu%s", id, rest);
	return path;
}

static void runs_are_announced(void **state)
{
	char body[20 * 1024], next[32];

	(void)state;
	start("127.0.0.1:0", false); /* a loopback address: no token */
	assert_int_equal(say("POST", "/api/v1/runs", IS_JSON, RUN), 201);
	id = said_id();
	snprintf(next, sizeof(next), "/api/v1/runs/%lu", id + 1);
	assert_int_equal(say("GET", of_run(""), "", ""), 200);
	assert_non_null(strstr(answer.body, "\"first\":100,\"count\":50,"));
	assert_non_null(strstr(answer.body, "\"proved\":[0,0],\"kernel\":{\"established\":0"));
	assert_int_equal(say("GET", of_run("/proved/2"), "", ""), 200);
	assert_int_equal(answer.text + answer.len - answer.body, 7);
	assert_int_equal(say("GET", of_run("/proved/3"), "", ""), 404);
	assert_int_equal(say("GET", next, "", ""), 404);
	assert_int_equal(say("GET", of_run("x"), "", ""), 404);
	assert_int_equal(say("GET", "/api/v1/bill", "", ""), 404);
	assert_int_equal(say("GET", "/api/v1/runs", "", ""), 405);
	assert_non_null(strstr(answer.text, "Allow: POST\r\n"));
	assert_int_equal(say("POST", of_run(""), IS_JSON, RUN), 405);
	assert_int_equal(say("POST", "/metrics", IS_JSON, RUN), 405);
	assert_non_null(strstr(answer.text, "Allow: GET, HEAD\r\n"));
	assert_int_equal(say("EAD", "/metrics", "", ""), 405);
	assert_int_equal(say("POST", "/api/v1/runs", "", RUN), 415);
	assert_int_equal(say("POST", "/api/v1/runs", IS_JSON, "{}"), 400);
	memset(body, ' ', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	assert_int_equal(say("POST", "/api/v1/runs", IS_JSON, body), 413);
	snprintf(body, sizeof(body),
	         "{\"schema\":\"megaconn.run/1\",\"key\":\"0123456789abcdef\",\"first\":0,"
	         "\"count\":4000000000,\"sources\":null,\"host\":\"\"}");
	assert_int_equal(say("POST", "/api/v1/runs", IS_JSON, body), 507);
	assert_non_null(strstr(answer.body, "does not fit"));
	assert_int_equal(say("DELETE", of_run(""), "", ""), 204);
	assert_int_equal(say("DELETE", of_run(""), "", ""), 404);
	stop();
}

/* Nothing of it is there where something else is served over HTTP. */
static void others_have_no_runs(void **state)
{
	const char *const args[] = {"-n", "10", "--hold", "60s", "--http", "127.0.0.1:0", NULL};
	struct trial lab;

	(void)state;
	trial_start(&lab, NULL, args);
	port = web_port(&lab);
	assert_int_equal(say("GET", "/api/v1/server", "", ""), 404);
	assert_int_equal(say("POST", "/api/v1/runs", IS_JSON, RUN), 405);
	kill(lab.pid, SIGTERM);
	trial_wait(&lab, 30);
	trial_end(&lab);
}

/* --- servers that are none ------------------------------------------------------------------- */

#define HEAD    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define ENDLESS "endless"

/* Answers each connection with the same bytes; ENDLESS: 100 MB; NULL: nothing. */
static void be_rude(int listener, const char *says)
{
	static char block[65536];

	signal(SIGPIPE, SIG_IGN);
	memset(block, '[', sizeof(block));
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		if (says && strcmp(says, ENDLESS) == 0) {
			static const char head[] = HEAD "Content-Length: 104857600\r\n\r\n";

			(void)!write(fd, head, sizeof(head) - 1);
			for (int i = 0; i < 1600; i++) {
				if (write(fd, block, sizeof(block)) <= 0)
					break;
			}
		} else if (says) {
			(void)!read(fd, block, sizeof(block));
			(void)!write(fd, says, strlen(says));
		}
		if (says)
			close(fd);
	}
}

static void refused_with(const char *says, const char *words)
{
	const struct apart_mistake mistake[] = {
		{{HERE, "-n", "10", "--server-api", RUDE_URL}, 4, words}};
	int listener = apart_listen("127.0.0.1", RUDE, 64);
	pid_t pid = fork();

	assert_true(listener >= 0 && pid >= 0);
	if (pid == 0)
		be_rude(listener, says);
	apart_keep(pid);
	close(listener);
	apart_assert_mistakes("connect", mistake, 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void servers_that_are_none(void **state)
{
	static const struct apart_mistake nobody[] = {
		{{HERE, "-n", "10", "--server-api", RUDE_URL}, 4, "Connection refused"}};

	(void)state;
	apart_assert_mistakes("connect", nobody, 1);
	refused_with("SSH-2.0-OpenSSH_9.2\r\n", "speaks no HTTP");
	refused_with("", "ends the connection without a whole answer");
	refused_with(HEAD "Content-Length: 30\r\n\r\n{",
	             "ends the connection without a whole answer");
	refused_with(HEAD "Content-Length: 30\r\n\r\n{\"schema\":\"megaconn.server/2\"} ",
	             "this megaconn speaks megaconn.server/1");
	refused_with(HEAD "Content-Length: 30\r\n\r\n{\"schema\":\"megaconn.server/1\"} ",
	             "its answer is not of megaconn's API: 'version'");
	refused_with("HTTP/1.1 500 No\r\nContent-Length: 12\r\n\r\na\x1b[31mb\nsecond",
	             "answers 500 to /api/v1/server: a");
	refused_with(ENDLESS, "answers with more than 262144 bytes");
	if (trial_is_full()) /* ten seconds */
		refused_with(NULL, "does not answer in 10 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(token_is_asked_for),        APART_TEST(token_is_made),
		APART_TEST(token_files_that_are_none), APART_TEST(options_that_are_none),
		APART_TEST(runs_are_announced),        APART_TEST(others_have_no_runs),
		APART_TEST(servers_that_are_none),
	};

	return cmocka_run_group_tests_name("lab_api_token", tests, apart_set_up, NULL);
}
