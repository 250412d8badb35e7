/* unit_wheel: the timer wheel against a naive array of deadlines. */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT 300
#define TICK  UINT64_C(1000)
#define TURN  (TICK * WHEEL_SLOTS)
#define START UINT64_C(987654321)

static struct wheel wheel;
static struct wheel_entry entries[COUNT];
static uint64_t model[COUNT]; /* the deadline, 0: not armed */
static uint64_t random_state;
static uint64_t now;

/* splitmix64: the same numbers on every machine. */
static uint64_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int reset(void **state)
{
	(void)state;
	random_state = 42;
	now = START;
	memset(model, 0, sizeof(model));
	memset(entries, 0, sizeof(entries));
	wheel_init(&wheel, entries, sizeof(entries[0]), COUNT, TICK, now);
	return 0;
}

/* Timers as a part of larger records, at an offset, with a stride that is no power of two. */
static struct record {
	uint64_t before[2];
	struct wheel_entry timer;
	uint32_t behind[2];
} records[COUNT];

static uint64_t before_of(uint32_t index)
{
	return ~(uint64_t)index;
}

static uint32_t behind_of(uint32_t index)
{
	return index * 0x01010101U + 1;
}

static int reset_records(void **state)
{
	reset(state);
	memset(records, 0, sizeof(records));
	for (uint32_t i = 0; i < COUNT; i++) {
		records[i].before[0] = records[i].before[1] = before_of(i);
		records[i].behind[0] = records[i].behind[1] = behind_of(i);
	}
	wheel_init(&wheel, &records[0].timer, sizeof(records[0]), COUNT, TICK, now);
	return 0;
}

/* What is not the wheel's is as it was; its own is zero again where nothing is armed. */
static int records_are_whole(void **state)
{
	static const struct wheel_entry none;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_true(records[i].before[0] == before_of(i) &&
		            records[i].before[1] == before_of(i));
		assert_true(records[i].behind[0] == behind_of(i) &&
		            records[i].behind[1] == behind_of(i));
		if (model[i] == 0)
			assert_memory_equal(&records[i].timer, &none, sizeof(none));
		else
			assert_true(records[i].timer.deadline_ns == model[i]);
	}
	return 0;
}

/* When the timer must have fired: at the end of the deadline's tick. */
static uint64_t latest(uint64_t deadline)
{
	return (deadline + TICK - 1) / TICK * TICK;
}

static void arm(uint32_t index, uint64_t deadline)
{
	wheel_arm(&wheel, index, deadline);
	model[index] = deadline;
}

static void cancel(uint32_t index)
{
	wheel_cancel(&wheel, index);
	model[index] = 0;
}

static uint32_t model_armed(void)
{
	uint32_t armed = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		assert_true(wheel_is_armed(&wheel, i) == (model[i] != 0));
		armed += model[i] != 0;
	}
	return armed;
}

/* One call: all it returns was armed and is due. */
static size_t expire_some(size_t max)
{
	uint32_t expired[COUNT + 1];
	size_t n = wheel_expire(&wheel, now, expired, max);

	assert_true(n <= max);
	for (size_t i = 0; i < n; i++) {
		assert_true(expired[i] < COUNT);
		assert_true(model[expired[i]] != 0);
		assert_true(model[expired[i]] <= now);
		model[expired[i]] = 0;
	}
	return n;
}

/* Calls until it is drained: nothing is left that should have fired. */
static size_t expire_all(size_t max)
{
	size_t n, total = 0;

	do {
		n = expire_some(max);
		total += n;
	} while (n == max);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(model[i] == 0 || latest(model[i]) > now);
	assert_true(wheel_next_ns(&wheel) > now);
	return total;
}

static void check_next(void)
{
	uint64_t next = wheel_next_ns(&wheel);
	bool any = false;

	for (uint32_t i = 0; i < COUNT; i++) {
		any = any || model[i] != 0;
		assert_true(model[i] == 0 || next <= latest(model[i]));
	}
	assert_true(any || next == UINT64_MAX);
}

static uint64_t random_deadline(void)
{
	switch (next_random() % 8) {
	case 0:
		return now - next_random() % (5 * TURN / 4); /* past */
	case 1:
		return now + next_random() % (10 * TURN); /* further than a turn */
	case 2:
		return now / TICK * TICK + TICK * (next_random() % 4); /* on a tick */
	case 3:
		return now + TURN - 2 * TICK + next_random() % (4 * TICK); /* about a turn */
	default:
		return now + next_random() % TURN;
	}
}

static uint64_t random_step(void)
{
	switch (next_random() % 16) {
	case 0:
		return next_random() % (3 * TURN);
	case 1:
		return TURN - 2 * TICK + next_random() % (4 * TICK);
	case 2:
		return 0;
	default:
		return next_random() % (8 * TICK);
	}
}

static void test_model(void **state)
{
	size_t fired = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		uint32_t index = (uint32_t)(next_random() % COUNT);

		switch (next_random() % 8) {
		case 0:
			cancel(index);
			break;
		case 1:
			now += random_step();
			fired += expire_all(1 + next_random() % 8);
			break;
		case 2: /* the caller stops in the middle, and arms before it goes on */
			now += random_step();
			fired += expire_some(1 + next_random() % 4);
			break;
		default:
			arm(index, random_deadline());
			break;
		}
		if (round % 16 == 0) {
			assert_int_equal(wheel.armed, model_armed());
			check_next();
		}
	}
	assert_true(fired > 10000);
	now += 20 * TURN;
	expire_all(COUNT + 1);
	assert_int_equal(model_armed(), 0);
	assert_int_equal(wheel.armed, 0);
}

/* The same in records, and whole while timers are armed. */
static void test_records(void **state)
{
	test_model(state);
	for (uint32_t i = 0; i < COUNT; i += 3)
		arm(i, random_deadline());
}

static void test_empty(void **state)
{
	(void)state;
	assert_true(wheel_next_ns(&wheel) == UINT64_MAX);
	assert_int_equal(expire_all(4), 0);
	now += 100 * TURN;
	assert_int_equal(expire_all(4), 0);
	cancel(3);
	assert_false(wheel_is_armed(&wheel, 3));
	assert_int_equal(wheel.armed, 0);
}

/* Step by step in ns around the deadline: not early, not more than a tick late. */
static void test_never_early(void **state)
{
	for (uint64_t ahead = 1; ahead < 3 * TICK; ahead += 37) {
		uint64_t deadline;

		reset(state);
		deadline = now + ahead;
		arm(7, deadline);
		for (now = START; model[7] != 0; now++)
			expire_all(4);
		assert_true(now - 1 >= deadline);
		assert_true(now - 1 < deadline + TICK);
	}
}

/* A caller that sleeps until wheel_next_ns is in time, also beyond a turn. */
static void test_far(void **state)
{
	static const uint64_t turns[] = {1, 2, 3, 50};

	for (size_t i = 0; i < 4; i++) {
		uint64_t deadline;
		int wakes = 0;

		reset(state);
		deadline = now + turns[i] * TURN + 5;
		arm(1, deadline);
		while (model[1] != 0) {
			now = wheel_next_ns(&wheel);
			assert_true(now <= latest(deadline));
			expire_all(4);
			wakes++;
		}
		assert_int_equal(now, latest(deadline));
		assert_true(wakes <= (int)turns[i] + 2);
	}
}

/* After a pause of a turn the next tick shares the slot of the first one that is made up for. */
static void test_not_early_after_pause(void **state)
{
	(void)state;
	now = (START / TICK + WHEEL_SLOTS) * TICK + 10;
	arm(1, now + 1);
	arm(2, now - 20);
	assert_int_equal(expire_all(4), 1);
	assert_true(wheel_is_armed(&wheel, 1));
	now = latest(now + 1);
	assert_int_equal(expire_all(4), 1);
}

static void test_past(void **state)
{
	(void)state;
	arm(1, 1);
	arm(2, START - START % TICK);
	assert_int_equal(wheel_next_ns(&wheel), 0);
	assert_int_equal(expire_all(4), 2);
	arm(1, 1);
	arm(2, 2);
	cancel(1);
	arm(2, now + 10 * TICK); /* out of the list of the overdue, into a slot */
	assert_int_equal(expire_all(4), 0);
	arm(2, 1); /* and back */
	assert_int_equal(expire_all(4), 1);
}

static void test_huge_deadline(void **state)
{
	(void)state;
	arm(0, UINT64_MAX);
	arm(1, UINT64_MAX - 1);
	assert_true(wheel_next_ns(&wheel) != 0);
	now += 1000 * TURN;
	assert_int_equal(wheel_expire(&wheel, now, NULL, 0), 0);
	assert_int_equal(wheel.armed, 2);
	cancel(0);
	assert_true(wheel_is_armed(&wheel, 1));
}

/* All in one slot: links in both directions survive cancelling first, middle and last. */
static void test_one_slot(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		arm(i, now + 10 * TICK + i % 3 * TURN);
	for (uint32_t i = 0; i < COUNT; i += 7)
		cancel(i);
	cancel(COUNT - 1);
	cancel(1);
	now += 11 * TICK;
	expire_all(5);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(model[i] == 0 || i % 3 != 0);
	now += 2 * TURN;
	expire_all(5);
	assert_int_equal(model_armed(), 0);
}

/* A table that is mapped costs what is used of it: neither setting up nor sleeping, nor the timers
 * of others, touch a record. Here that would be the end of the test. */
static void test_mapped(void **state)
{
	static const uint32_t used[] = {0, 100000, 199999};
	size_t stride = 32, count = 200000, len = stride * count;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *table = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t expired[4];

	(void)state;
	assert_true(table != MAP_FAILED);
	wheel_init(&wheel, (struct wheel_entry *)(void *)table, stride, (uint32_t)count, TICK, now);
	assert_true(wheel_next_ns(&wheel) == UINT64_MAX);
	now += 2 * TURN;
	assert_int_equal(wheel_expire(&wheel, now, expired, 4), 0);
	for (size_t i = 0; i < 3; i++) {
		uint8_t *at = table + used[i] * stride / page * page;

		assert_int_equal(mprotect(at, page, PROT_READ | PROT_WRITE), 0);
		wheel_arm(&wheel, used[i], now + (i + 1) * TICK);
	}
	wheel_cancel(&wheel, used[1]);
	now += 4 * TICK;
	assert_int_equal(wheel_expire(&wheel, now, expired, 4), 2);
	assert_int_equal(expired[0], used[0]);
	assert_int_equal(expired[1], used[2]);
	assert_int_equal(wheel.armed, 0);
	assert_int_equal(munmap(table, len), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_model, reset),
		cmocka_unit_test_setup(test_empty, reset),
		cmocka_unit_test_setup(test_never_early, reset),
		cmocka_unit_test_setup(test_far, reset),
		cmocka_unit_test_setup(test_not_early_after_pause, reset),
		cmocka_unit_test_setup(test_past, reset),
		cmocka_unit_test_setup(test_huge_deadline, reset),
		cmocka_unit_test_setup(test_one_slot, reset),
		cmocka_unit_test_setup_teardown(test_records, reset_records, records_are_whole),
		cmocka_unit_test_setup_teardown(test_one_slot, reset_records, records_are_whole),
		cmocka_unit_test_setup(test_mapped, reset),
	};

	return cmocka_run_group_tests_name("unit_wheel", tests, NULL, NULL);
}
