/* unit_uring: what the io_uring engine makes of a ring's shared memory. */
#include "base/clock.h"
#include "engine/engine.h"
#include "engine/uring.h"
#include "engine/uring_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define STUCK_S  20
#define SLEEP_NS (50 * NS_PER_MS)

static struct engine *engine;
static int wake_fd;

static int open_engine(void **state)
{
	struct err err;
	const struct engine_config config = {.connections = 1000,
	                                     .nofile = 64,
	                                     .memlock_bytes = UINT64_MAX,
	                                     .wake_fd = wake_fd = eventfd(0, EFD_NONBLOCK),
	                                     .message_bytes = 64};

	(void)state;
	alarm(STUCK_S);
	engine = NULL;
	return uring_probe(&err) == 0 ? uring_open(&config, &engine, &err) : 0;
}

static int shut_engine(void **state)
{
	(void)state;
	if (engine)
		engine_shut(engine);
	close(wake_fd);
	alarm(0);
	return 0;
}

/* As the kernel does where work was done before it is announced. */
static void announce_nothing(void)
{
	if (!engine)
		skip();
	struct uring *u = uring_of(engine);

	assert_true(u->layout.rings > 1);
	for (uint32_t i = 0; i < u->layout.rings; i++)
		__atomic_fetch_or(u->rings[i].io.sq.kflags, IORING_SQ_TASKRUN, __ATOMIC_SEQ_CST);
}

static void work_that_is_none_keeps_nobody_awake(void **state)
{
	struct engine_event events[16];
	uint64_t start_ns = clock_now_ns(), end_ns = start_ns + SLEEP_NS;
	int turns = 0;

	(void)state;
	announce_nothing();
	for (; clock_now_ns() < end_ns; turns++)
		assert_int_equal(engine_poll(engine, events, 16, end_ns), 0);
	assert_in_range(turns, 1, 3);
}

static void work_that_is_none_holds_no_end_up(void **state)
{
	(void)state;
	announce_nothing();
	engine_close_all(engine, ENGINE_CLOSE_FIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(work_that_is_none_keeps_nobody_awake, open_engine,
	                                        shut_engine),
		cmocka_unit_test_setup_teardown(work_that_is_none_holds_no_end_up, open_engine,
	                                        shut_engine),
	};

	return cmocka_run_group_tests_name("unit_uring", tests, NULL, NULL);
}
