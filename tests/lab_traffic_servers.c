/* connect's traffic against other people's servers, where they are installed (deps.sh servers):
 * what we count is what they count. nginx is asked over keep-alive connections, redis and mosquitto
 * by the scripts in examples/. */
#include "apart.h"
#include "others.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCES    "198.18.0.1-198.18.0.10"
#define PORT       28770 /* the first: each server has another one */
#define N          INT64_C(1000)
#define N_TEXT     "1000"
#define HOLD       "800ms"
#define AGAIN_HOLD "2s" /* on a busy machine, too, some are back in it */
#define LAST_HOLD  "4s" /* ... and each has come to its last request, or its third */
#define EACH_MOST  10   /* requests on a connection, where nginx counts them */

static uint16_t port = PORT;

static struct others place(const char *location)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	port++;
	return (struct others){.address = OTHERS_HERE, .port = port, .location = location};
}

/* --- we ------------------------------------------------------------------------------------- */

/* With at most 8 options more. */
static void run(struct trial *connect, const char *engine, const char *const *more)
{
	char target[32];
	const char *args[24] = {target,    "-n",   N_TEXT,   "--engine", engine,
	                        "--proof", "none", "--hold", HOLD};
	size_t count = 9;

	if (strcmp(engine, "tun") == 0) {
		args[count++] = "--source";
		args[count++] = SOURCES;
	}
	for (size_t i = 0; more[i]; i++)
		args[count++] = more[i];
	snprintf(target, sizeof(target), OTHERS_HERE ":%u", port);
	apart_run(connect, NULL, args);
}

static int64_t answers(const struct trial *connect, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "traffic.answers.%s", name);
	return trial_number(connect, path);
}

/* All that was said came to this end, and nothing else came. */
static void assert_answered(const struct trial *connect, const char *name)
{
	int64_t said = trial_number(connect, "traffic.said");

	if (answers(connect, name) != said || said < N)
		fail_msg("%lld said, %lld %s\n%s", (long long)said,
		         (long long)answers(connect, name), name, connect->out);
	assert_int_equal(answers(connect, "unasked"), 0);
	assert_int_equal(answers(connect, "overdue"), 0);
}

static void assert_all_good(const struct trial *connect)
{
	trial_assert_code(connect, 0);
	assert_string_equal(trial_word(connect, "verdict"), "pass");
	assert_answered(connect, "good");
	apart_assert_lost(connect, "closed", 0);
	assert_int_equal(trial_number(connect, "open_at_end"), N);
}

/* --- they ----------------------------------------------------------------------------------- */

/* Says a line to the server, and takes what comes until it pauses. */
static void ask(const char *question, char *answer, size_t size)
{
	int fd = apart_dial(OTHERS_HERE, port);
	const struct timeval pause = {.tv_usec = 100000};
	size_t len = 0;
	ssize_t got = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause)), 0);
	assert_int_equal(write(fd, question, strlen(question)), strlen(question));
	while (got > 0 && len < size - 1) {
		got = read(fd, answer + len, size - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	answer[len] = '\0';
	close(fd);
}

/* "server accepts handled requests\n 5 5 12 \n": requests, with this one. */
static int64_t nginx_requests(void)
{
	char text[4096];

	ask("GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", text, sizeof(text));
	char *at = strstr(text, "requests\n");
	int64_t number = -1;

	assert_non_null(at);
	at += strlen("requests\n");
	for (int i = 0; i < 3; i++)
		number = strtoll(at, &at, 10);
	return number;
}

static int64_t redis_commands(void)
{
	static const char words[] = "total_commands_processed:";
	char text[16384];

	ask("INFO stats\r\n", text, sizeof(text));
	const char *at = strstr(text, words);

	assert_non_null(at);
	return at ? strtoll(at + strlen(words), NULL, 10) : -1;
}

/* --- nginx ---------------------------------------------------------------------------------- */

#define PAGE "return 200 'hello, world\\n';"
#define HTTP "--traffic", "http"

static void asked(const char *engine)
{
	const struct others nginx = place(PAGE);
	const char *const more[] = {HTTP, "--path", "/any?x=y", NULL};
	struct trial connect;
	pid_t pid = others_nginx(&nginx);
	int64_t before = nginx_requests();

	run(&connect, engine, more);
	assert_all_good(&connect);
	assert_int_equal(nginx_requests() - before - 1, trial_number(&connect, "traffic.said"));
	trial_end(&connect);
	others_stop(pid);
}

static void nginx_is_asked(void **state)
{
	(void)state;
	asked(apart_engine(0));
}

static void nginx_is_asked_by_epoll(void **state)
{
	(void)state;
	asked("epoll");
}

static void nginx_is_asked_by_tun(void **state)
{
	(void)state;
	if (!apart_has_tun())
		apart_skip("/dev/net/tun cannot be opened here");
	asked("tun");
}

/* Bodies of more than one read, of a length or in chunks. */
static void answered_at_length(const char *options)
{
	char dir[256], location[512];
	struct others nginx;
	const char *const more[] = {HTTP, "--path", "/docs/architecture.md", NULL};
	struct trial connect;
	struct stat page;

	assert_non_null(getcwd(dir, sizeof(dir)));
	assert_int_equal(stat("docs/architecture.md", &page), 0);
	snprintf(location, sizeof(location), "root %s; %s", dir, options);
	nginx = place(location);
	pid_t pid = others_nginx(&nginx);

	run(&connect, apart_engine(0), more);
	assert_all_good(&connect);
	assert_true(trial_number(&connect, "traffic.heard_bytes") >
	            trial_number(&connect, "traffic.said") * page.st_size);
	trial_end(&connect);
	others_stop(pid);
}

static void nginx_answers_at_length(void **state)
{
	(void)state;
	answered_at_length("");
}

static void nginx_answers_in_chunks(void **state)
{
	(void)state;
	answered_at_length("ssi on; ssi_types *;");
}

/* The stream keeps its place: nobody is lost. */
static void nginx_has_it_not(void **state)
{
	const struct others nginx = place("return 404;");
	const char *const more[] = {HTTP, NULL};
	struct trial connect;

	(void)state;
	pid_t pid = others_nginx(&nginx);

	run(&connect, apart_engine(0), more);
	trial_assert_code(&connect, 3);
	assert_answered(&connect, "status");
	apart_assert_lost(&connect, "closed", 0);
	assert_non_null(strstr(trial_word(&connect, "reason"), "status"));
	trial_end(&connect);
	others_stop(pid);
}

#define FEW PAGE " keepalive_requests 10;"

/* It says that it closes: nothing is said into the void. */
static void nginx_closes_after_ten(void **state)
{
	const struct others nginx = place(FEW);
	const char *const more[] = {HTTP, "--hold", LAST_HOLD, NULL};
	struct trial connect;

	(void)state;
	pid_t pid = others_nginx(&nginx);

	run(&connect, apart_engine(0), more);
	trial_assert_code(&connect, 1);
	assert_answered(&connect, "good");
	assert_int_equal(trial_number(&connect, "traffic.said"), N * EACH_MOST);
	apart_assert_lost(&connect, "closed", N);
	trial_end(&connect);
	others_stop(pid);
}

static void nginx_closes_and_they_come_again(void **state)
{
	const struct others nginx = place(FEW);
	const char *const more[] = {HTTP, "--reconnect", "--hold", AGAIN_HOLD, NULL};
	struct trial connect;

	(void)state;
	pid_t pid = others_nginx(&nginx);
	int64_t before = nginx_requests();

	run(&connect, apart_engine(1), more);
	assert_answered(&connect, "good");
	assert_true(trial_number(&connect, "traffic.said") > N * EACH_MOST);
	assert_true(trial_number(&connect, "reconnected") > 0);
	assert_int_equal(nginx_requests() - before - 1, trial_number(&connect, "traffic.said"));
	trial_end(&connect);
	others_stop(pid);
}

/* --- redis and mosquitto -------------------------------------------------------------------- */

static void pinged(const char *engine)
{
	const struct others redis = place(NULL);
	const char *const more[] = {"--script", "examples/redis-ping.script", NULL};
	struct trial connect;
	pid_t pid = others_redis(&redis);
	int64_t before = redis_commands();

	run(&connect, engine, more);
	assert_all_good(&connect);
	assert_int_equal(redis_commands() - before - 1, trial_number(&connect, "traffic.said"));
	trial_end(&connect);
	others_stop(pid);
}

static void redis_is_pinged(void **state)
{
	(void)state;
	pinged(apart_engine(0));
}

static void redis_is_pinged_by_epoll(void **state)
{
	(void)state;
	pinged("epoll");
}

/* The example with shorter pauses, in a file of its own. */
static void write_script(char *path, size_t size)
{
	char text[4096];
	int fd = open("examples/mqtt.script", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	assert_true(fd >= 0 && len > 0);
	close(fd);
	text[len] = '\0';
	char *wait = strstr(text, "\nwait 30s\n");

	assert_non_null(wait);
	memcpy(wait, "\nwait 0.1\n", strlen("\nwait 30s\n"));
	snprintf(path, size, "/tmp/megaconn-lab-mqtt-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == len);
	close(fd);
}

/* Each is a client of its own name: one of another's would have cut that one off. */
static void lives(const char *engine)
{
	const struct others mosquitto = place(NULL);
	char path[64];
	struct trial connect;

	write_script(path, sizeof(path));
	pid_t pid = others_mosquitto(&mosquitto);

	run(&connect, engine,
	    (const char *const[]){"--script", path, "--rate", "4k", "--hold", LAST_HOLD, NULL});
	unlink(path);
	assert_all_good(&connect);
	assert_true(trial_number(&connect, "traffic.said") >= N * 3);
	assert_int_equal(others_said(" as megaconn-0000"), N);
	assert_int_equal(others_said(" as megaconn-00000999 (p2, c1, k60)"), 1);
	assert_int_equal(others_said("already connected"), 0);
	trial_end(&connect);
	others_stop(pid);
}

static void mosquitto_has_clients(void **state)
{
	(void)state;
	lives(apart_engine(0));
}

static void mosquitto_has_clients_by_epoll(void **state)
{
	(void)state;
	lives("epoll");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(nginx_is_asked),          APART_TEST(nginx_is_asked_by_epoll),
		APART_TEST(nginx_is_asked_by_tun),   APART_TEST(nginx_answers_at_length),
		APART_TEST(nginx_answers_in_chunks), APART_TEST(nginx_has_it_not),
		APART_TEST(nginx_closes_after_ten),  APART_TEST(nginx_closes_and_they_come_again),
		APART_TEST(redis_is_pinged),         APART_TEST(redis_is_pinged_by_epoll),
		APART_TEST(mosquitto_has_clients),   APART_TEST(mosquitto_has_clients_by_epoll),
	};

	return cmocka_run_group_tests_name("lab_traffic_servers", tests, others_set_up_here,
	                                   others_tear_down);
}
