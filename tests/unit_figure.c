/* unit_figure: the table of figures: names that cannot collide, and each number found again where
 * it was put. */
#include "base/figure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct sample sample, other;

static void names(void **state)
{
	(void)state;
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);

		assert_ptr_equal(figure_find(f->name), f); /* the first of that name */
		assert_true(strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
		            strlen(f->name));
		assert_null(strstr(f->name, "_bytes"));
		assert_true(f->title[0] != '\0');
		assert_int_equal(f->help[strlen(f->help) - 1], '.');
		assert_true(f->offset % sizeof(uint64_t) == 0);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(figure_at((enum figure_id)j)->offset, f->offset);
	}
	assert_null(figure_find("nothing"));
}

static void cleared(void **state)
{
	(void)state;
	figure_clear(&sample);
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);

		if (f->family == FIGURE_ONE)
			assert_true(figure_value(f, &sample, 0) == PROBE_UNKNOWN);
		else
			assert_int_equal(figure_count(f, &sample), 0);
		assert_true(figure_sum(f, &sample) == PROBE_UNKNOWN);
	}
}

static const char *a_label(const struct figure *f)
{
	switch (f->family) {
	case FIGURE_BY_CAUSE:
		return "refused";
	case FIGURE_BY_ANSWER:
		return "missing";
	case FIGURE_BY_CPU:
		return "3";
	case FIGURE_BY_CACHE:
		return "TCP";
	default:
		return "";
	}
}

static void put_and_found(void **state)
{
	(void)state;
	figure_clear(&sample);
	for (int i = 0; i < FIGURE_COUNT; i++)
		assert_true(figure_put(figure_at((enum figure_id)i), &sample,
		                       a_label(figure_at((enum figure_id)i)), 1000U + (unsigned)i));
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);
		uint32_t at = 0;

		while (strcmp(figure_label(f, &sample, at), a_label(f)) != 0)
			at++;
		assert_true(figure_value(f, &sample, at) == 1000U + (unsigned)i);
	}
	assert_int_equal(sample.slabs.count, 1);
	assert_int_equal(sample.cpus.count, 1);
	assert_true(sample.has_slabs && sample.has_run);
}

static void no_such_label(void **state)
{
	(void)state;
	figure_clear(&sample);
	assert_false(figure_put(figure_at(FIGURE_RUN_FAILED), &sample, "bad luck", 1));
	assert_false(figure_put(figure_at(FIGURE_TCP_RESETS), &sample, "one", 1));
	assert_false(figure_put(figure_at(FIGURE_SLAB), &sample, "", 1));
	assert_false(figure_put(figure_at(FIGURE_CPU_BUSY), &sample, "123456789", 1));
	assert_int_equal(sample.slabs.count + sample.cpus.count, 0);
}

static void rates(void **state)
{
	const struct figure *f = figure_at(FIGURE_LISTEN_DROPS);

	(void)state;
	figure_clear(&sample);
	figure_clear(&other);
	assert_true(figure_rate_per_s(f, &sample, &other) < 0);
	sample.at_ns = 1000000000;
	other.at_ns = 3000000000;
	sample.tcp.listen_drops = 10;
	other.tcp.listen_drops = 110;
	assert_true(figure_rate_per_s(f, &sample, &other) == 50);
	assert_true(figure_rate_per_s(f, &other, &sample) < 0);
	other.tcp.listen_drops = 5; /* started anew */
	assert_true(figure_rate_per_s(f, &sample, &other) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),         cmocka_unit_test(cleared),
		cmocka_unit_test(put_and_found), cmocka_unit_test(no_such_label),
		cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
