/* connect against other people's servers, where they are installed (deps.sh servers): nginx and
 * redis. They do not echo, so connections are held and watched. */
#include "apart.h"
#include "others.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NGINX_PORT 28700
#define REDIS_PORT 28710

#define HERE "127.0.0.1"

static const struct others nginx = {.address = HERE, .port = NGINX_PORT};
static const struct others hasty_nginx = {.address = HERE, .port = NGINX_PORT, .idle_s = 2};
static const struct others redis = {.address = HERE, .port = REDIS_PORT};
static const struct others hasty_redis = {.address = HERE, .port = REDIS_PORT, .idle_s = 2};

static int64_t many(void)
{
	return trial_is_full() ? 15000 : trial_is_small() ? 1000 : 4000;
}

static const char *many_text(void)
{
	return trial_n("4000", "1000", "15000");
}

/* --- three ways to end ----------------------------------------------------------------------- */

/* The time-out is what redis is given to echo in, which says nothing to what is no command. */
static void hold(struct trial *connect, int port, const char *engine, const char *time)
{
	char target[32];

	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	const char *const args[] = {target,   "-n", many_text(), "--source", "127.0.1.1-127.0.1.4",
	                            "--hold", time, "--engine",  engine,     "--timeout",
	                            "1s",     NULL};

	apart_hold(connect, NULL, args);
	assert_non_null(strstr(connect->err, "no echo proof is possible"));
}

static void assert_held(struct trial *connect, int code)
{
	trial_wait(connect, 60);
	trial_assert_code(connect, code);
	trial_assert_no_process_left(connect);
	assert_string_equal(trial_word(connect, "proof"), "none");
	assert_int_equal(trial_number(connect, "failed.total"), 0);
	assert_int_equal(trial_number(connect, "not_tried"), 0);
}

static void closed_by_us(int port, int engine)
{
	struct trial connect;

	hold(&connect, port, apart_engine(engine), "200ms");
	assert_held(&connect, 0);
	assert_string_equal(trial_word(&connect, "verdict"), "pass");
	assert_int_equal(trial_number(&connect, "established.client"), many());
	assert_int_equal(trial_number(&connect, "established.kernel"), many());
	apart_assert_lost(&connect, "closed", 0);
	assert_int_equal(trial_number(&connect, "open_at_end"), many());
	trial_end(&connect);
}

/* All are lost, the first perhaps before the last are there; the hold need not last longer. */
static void closed_by_them(int port)
{
	struct trial connect;

	hold(&connect, port, apart_engine(0), "30s");
	assert_held(&connect, 1);
	apart_assert_lost(&connect, "closed", many());
	assert_int_equal(trial_number(&connect, "open_at_end"), 0);
	trial_end(&connect);
}

/* What it has accepted the kernel closes, what was in its queue it resets. */
static void killed(int port, pid_t pid)
{
	struct trial connect;

	hold(&connect, port, apart_engine(1), "30s");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_held(&connect, 1);
	int64_t closed = trial_number(&connect, "lost_by_cause.closed");
	int64_t reset = trial_number(&connect, "lost_by_cause.reset");

	assert_int_equal(trial_number(&connect, "lost"), many());
	assert_int_equal((closed > 0 ? closed : 0) + (reset > 0 ? reset : 0), many());
	assert_int_equal(trial_number(&connect, "open_at_end"), 0);
	trial_end(&connect);
}

static void nginx_closed_by_us(void **state)
{
	pid_t pid = others_nginx(&nginx);

	(void)state;
	closed_by_us(NGINX_PORT, 0);
	closed_by_us(NGINX_PORT, 1);
	others_stop(pid);
}

static void nginx_closed_by_it(void **state)
{
	pid_t pid = others_nginx(&hasty_nginx);

	(void)state;
	closed_by_them(NGINX_PORT);
	others_stop(pid);
}

static void nginx_killed(void **state)
{
	(void)state;
	killed(NGINX_PORT, others_nginx(&nginx));
}

static void redis_closed_by_us(void **state)
{
	pid_t pid = others_redis(&redis);

	(void)state;
	closed_by_us(REDIS_PORT, 1);
	others_stop(pid);
}

static void redis_closed_by_it(void **state)
{
	pid_t pid = others_redis(&hasty_redis);

	(void)state;
	closed_by_them(REDIS_PORT);
	others_stop(pid);
}

static void redis_killed(void **state)
{
	(void)state;
	killed(REDIS_PORT, others_redis(&redis));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(nginx_closed_by_us), APART_TEST(nginx_closed_by_it),
		APART_TEST(nginx_killed),       APART_TEST(redis_closed_by_us),
		APART_TEST(redis_closed_by_it), APART_TEST(redis_killed),
	};

	return cmocka_run_group_tests_name("lab_others", tests, others_set_up, others_tear_down);
}
