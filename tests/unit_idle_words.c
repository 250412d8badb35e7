/* idle_words and result_idle: each way to die has its sentence and its advice; JSON and back. */
#include "out/result_idle.h"
#include "run/idle_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static const struct result_idle nothing = {.most_ns = 600 * S,
                                           .dead_ns = RESULT_UNKNOWN,
                                           .ended_least_ns = RESULT_UNKNOWN,
                                           .ended_most_ns = RESULT_UNKNOWN,
                                           .is_near = true};

static char said[1024];

static const char *say(const struct result_idle *idle)
{
	struct text t;

	text_init(&t, said, sizeof(said));
	idle_words(&t, idle);
	assert_true(t.len < sizeof(((struct result *)NULL)->reason));
	return said;
}

static void has(const char *words)
{
	if (!strstr(said, words))
		fail_msg("'%s' is not in: %s", words, said);
}

static void test_silent(void **state)
{
	struct result_idle idle = nothing;

	(void)state;
	idle.how = IDLE_SILENT;
	idle.lives_ns = 30 * S;
	idle.dead_ns = 31 * S;
	assert_string_equal(
		say(&idle),
		"idle connections live 30.0 s and are silently dead after 31.0 s: no FIN or RST "
		"came, and nothing answers; something between forgets them: a router's connection "
		"tracking (nf_conntrack_tcp_timeout_established), or a load balancer; send "
		"something every 15.0 s (--every 15s), or let keepalive do it "
		"(net.ipv4.tcp_keepalive_time below 30)");
	idle.is_near = false;
	say(&idle);
	has("after 31.0 s (more connections would say it closer: -n): no FIN");
}

static void test_spoken(void **state)
{
	struct result_idle idle = nothing;

	(void)state;
	idle.lives_ns = 1500 * MS;
	idle.dead_ns = 2 * S;
	idle.how = IDLE_RESET;
	say(&idle);
	has("live 1.50 s and are dead after 2.00 s: who speaks to them is answered by RST");
	has("send something every 750 ms (--every 750ms)");
	assert_null(strstr(said, "keepalive"));
	idle.how = IDLE_UNREACHABLE;
	say(&idle);
	has("answered by an ICMP error");
	idle.how = IDLE_CLOSED_AFTER;
	say(&idle);
	has("answered by FIN");
	idle.lives_ns = 0; /* dead at once */
	say(&idle);
	has("idle connections are dead after 2.00 s");
	has("--every 1s");
}

static void test_at_rest(void **state)
{
	struct result_idle idle = nothing;

	(void)state;
	idle.lives_ns = 55 * S;
	idle.dead_ns = idle.ended_least_ns = idle.ended_most_ns = 60 * S;
	idle.how = IDLE_CLOSED;
	say(&idle);
	has("closed by FIN after 1m00s; ");
	has("--every 30s");
	has("timeout client and server");
	assert_null(strstr(said, "tcp_keepalive_time"));
	idle.how = IDLE_CUT;
	idle.ended_most_ns = 63 * S;
	say(&idle);
	has("reset, by RST that comes by itself, after 1m00s (nine of ten between 1m00s and");
}

static void test_alive(void **state)
{
	struct result_idle idle = nothing;

	(void)state;
	idle.lives_ns = 600 * S;
	assert_string_equal(say(&idle), "idle connections live for 10m00s and more: nothing "
	                                "between forgets them sooner");
	idle.is_kept = true;
	say(&idle);
	has("but the other end spoke to them meanwhile");
	idle.is_kept = false;
	idle.lives_ns = 20 * S;
	assert_string_equal(say(&idle), "idle connections live for 20.0 s at least");
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static struct result made, back;

static int read_back(struct err *err)
{
	json_t *document = json_object();
	int failed;

	result_idle_add(document, &made);
	memset(&back, 0, sizeof(back));
	failed = result_idle_read(document, "r.json", &back, err);
	json_decref(document);
	return failed;
}

static void test_json(void **state)
{
	struct err err = {""};

	(void)state;
	memset(&made, 0, sizeof(made));
	assert_int_equal(read_back(&err), 0);
	assert_false(back.has_idle);
	made.has_idle = true;
	for (int how = 0; how < IDLE_END_COUNT; how++) {
		made.idle = nothing;
		made.idle.how = (enum idle_end)how;
		made.idle.lives_ns = 1500 * MS;
		made.idle.dead_ns = how == IDLE_LIVES ? RESULT_UNKNOWN : 2 * S;
		made.idle.by_echo = how % 2 == 0;
		made.idle.is_kept = how % 3 == 0;
		made.idle.passes = 2;
		made.idle.ends[how] = 40 + (uint64_t)how;
		assert_int_equal(read_back(&err), 0);
		assert_true(back.has_idle);
		assert_memory_equal(&back.idle, &made.idle, sizeof(made.idle));
	}
}

static void test_damaged(void **state)
{
	static const char *const texts[] = {
		"{\"idle\": {}}",
		"{\"idle\": 7}",
		"{\"idle\": {\"how\": \"sleeps\"}}",
		"{\"idle\": {\"how\": \"silent\", \"dead_s\": \"x\"}}",
		"{\"idle\": {\"how\": \"silent\", \"dead_s\": -1}}",
		"{\"idle\": {\"how\": \"silent\", \"dead_s\": 1e300}}",
		"{\"idle\": {\"how\": \"silent\", \"ends\": {\"silent\": -1}}}",
		"{\"idle\": {\"how\": \"silent\", \"ends\": {\"silent\": 1.5}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = {""};
		json_t *document = json_loads(texts[i], 0, NULL);

		assert_non_null(document);
		memset(&back, 0, sizeof(back));
		assert_true(result_idle_read(document, "r.json", &back, &err) < 0);
		assert_non_null(strstr(err.text, "r.json: 'idle"));
		assert_false(back.has_idle);
		json_decref(document);
	}
}

static void test_lines(void **state)
{
	char asked[RESULT_IDLE_BYTES], ends[RESULT_IDLE_BYTES];

	(void)state;
	memset(&made, 0, sizeof(made));
	made.idle = nothing;
	made.idle.passes = 2;
	made.established.client = 1294;
	result_idle_lines(&made, asked, ends);
	assert_string_equal(asked, "1,294 connections over IPv4, rests up to 10m00s, asked by "
	                           "keepalive; 2 passes");
	assert_string_equal(ends, "nothing");
	made.idle.ends[IDLE_LIVES] = 87;
	made.idle.ends[IDLE_SILENT] = 6;
	result_idle_lines(&made, asked, ends);
	assert_string_equal(ends, "87 alive, 6 silent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent),  cmocka_unit_test(test_spoken),
		cmocka_unit_test(test_at_rest), cmocka_unit_test(test_alive),
		cmocka_unit_test(test_json),    cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
