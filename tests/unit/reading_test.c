// SPDX-License-Identifier: GPL-2.0
/* Working set and knee of curves of all shapes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../analysis/hvanalysis.h"
#include "random.h"

#define POINTS(...)                                                                                \
	(const struct curve_point[])                                                               \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
/* A point with a miss ratio of so many thousandths. */
#define AT(pages, thousandths, e)                                                                  \
	{                                                                                          \
		.size = (pages), .misses = (thousandths), .accesses = 1000, .error = (e)           \
	}

static __u64 working_set(const struct curve_point *curve, size_t n, double ratio)
{
	__u64 size = ~0ULL;
	int err = curve__working_set(curve, n, ratio, &size);

	assert_int_equal(err, size == ~0ULL ? -ENOENT : 0);
	return size;
}

static void test_working_set(void **state)
{
	const struct curve_point *c = POINTS(AT(0, 1000, 0), AT(100, 500, 0), AT(200, 100, 0));

	assert_int_equal(working_set(c, 3, 1), 0);
	assert_int_equal(working_set(c, 3, 0.75), 50);
	assert_int_equal(working_set(c, 3, 0.5), 100);
	assert_int_equal(working_set(c, 3, 0.3), 150);
	assert_int_equal(working_set(c, 3, 0.1), 200);
	assert_int_equal(working_set(c, 3, 0.0999), ~0ULL);
	/* Never a size that is too small. */
	assert_int_equal(working_set(c, 3, 0.749), 51);
}

static void test_working_set_edges(void **state)
{
	const struct curve_point *flat = POINTS(AT(0, 0, 0), AT(10, 0, 0));
	const struct curve_point *none = POINTS({.size = 0}, {.size = 5});

	assert_int_equal(working_set(flat, 0, 0.5), ~0ULL);
	assert_int_equal(working_set(flat, 1, 0.5), 0);
	assert_int_equal(working_set(flat, 2, 0), 0);
	/* No access: nothing is missed. */
	assert_int_equal(working_set(none, 2, 0.01), 0);
}

/* A sampled curve, or FIFO's, may rise: the first size that does is meant. */
static void test_working_set_rising(void **state)
{
	const struct curve_point *c =
		POINTS(AT(0, 1000, 0), AT(10, 200, 0), AT(20, 400, 0), AT(30, 100, 0));

	assert_int_equal(working_set(c, 4, 0.2), 10);
	assert_int_equal(working_set(c, 4, 0.6), 5);
	assert_int_equal(working_set(c, 4, 0.1), 30);
}

static void test_working_set_cliff(void **state)
{
	const struct curve_point *c =
		POINTS(AT(0, 1000, 0), AT(999, 1000, 0), AT(1000, 10, 0), AT(1ULL << 40, 10, 0));

	assert_int_equal(working_set(c, 4, 0.5), 1000);
	assert_int_equal(working_set(c, 4, 0.01), 1000);
}

/* On any curve: there the line is at the ratio or below, one page less and it is above. */
static void test_working_set_random(void **state)
{
	struct random r = {random__seed()};

	for (int round = 0; round < 2000; round++) {
		struct curve_point c[8];
		double ratio = 0.05 + random__unit(&r) * 0.9;
		__u64 found, at = 0;
		size_t n = 2 + random__below(&r, 7), i = 1;

		for (size_t k = 0; k < n; k++) {
			c[k] = (struct curve_point)AT(at, k ? random__below(&r, 1001) : 1000, 0);
			at += 1 + random__below(&r, 1000);
		}
		found = working_set(c, n, ratio);
		for (i = 0; i < n && curve_point__ratio(&c[i]) > ratio; i++)
			;
		if (i == n) {
			assert_int_equal(found, ~0ULL);
			continue;
		}
		assert_true(found > c[i - 1].size && found <= c[i].size);
		for (__u64 x = found - 1; x <= found; x++) {
			double share = (double)(x - c[i - 1].size) / (c[i].size - c[i - 1].size);
			double y = curve_point__ratio(&c[i - 1]) * (1 - share) +
				   curve_point__ratio(&c[i]) * share;

			assert_true(x < found ? y > ratio - 1e-7 : y <= ratio + 1e-7);
		}
	}
}

static size_t knee(const struct curve_point *curve, size_t n)
{
	size_t at = ~0UL;
	int err = curve__knee(curve, n, &at);

	assert_int_equal(err, at == ~0UL ? -ENOENT : 0);
	return at;
}

static void test_knee(void **state)
{
	const struct curve_point *c = POINTS(AT(0, 1000, 0), AT(10, 400, 0), AT(20, 200, 0),
					     AT(50, 150, 0), AT(100, 100, 0));

	assert_int_equal(knee(c, 5), 2);
	/* Seen from the second point on, the line is another one. */
	assert_int_equal(knee(c + 1, 4), 1);
}

static void test_no_knee(void **state)
{
	const struct curve_point *flat = POINTS(AT(0, 500, 0), AT(10, 500, 0), AT(20, 500, 0));
	const struct curve_point *line = POINTS(AT(0, 900, 0), AT(10, 600, 0), AT(30, 0, 0));
	const struct curve_point *above = POINTS(AT(0, 1000, 0), AT(90, 990, 0), AT(100, 0, 0));
	const struct curve_point *none = POINTS({.size = 0}, {.size = 5}, {.size = 6});

	assert_int_equal(knee(flat, 3), ~0UL);
	assert_int_equal(knee(line, 3), ~0UL);
	assert_int_equal(knee(above, 3), ~0UL);
	assert_int_equal(knee(none, 3), ~0UL);
	for (size_t n = 0; n < 3; n++)
		assert_int_equal(knee(flat, n), ~0UL);
}

/* What may be chance is no knee; of those that are not, the furthest counts. */
static void test_knee_error(void **state)
{
	struct curve_point c[] = {AT(0, 1000, 0), AT(25, 500, 0.2), AT(50, 300, 0.25),
				  AT(100, 0, 0)};

	assert_int_equal(knee(c, 4), 1);
	c[1].error = 0.3;
	assert_int_equal(knee(c, 4), ~0UL);
	c[2].error = 0.1;
	assert_int_equal(knee(c, 4), 2);
}

/* Non-monotone: a dip between two rises is the lowest point all the same. */
static void test_knee_dip(void **state)
{
	const struct curve_point *c =
		POINTS(AT(0, 1000, 0), AT(10, 700, 0), AT(20, 50, 0), AT(30, 300, 0), AT(40, 0, 0));

	assert_int_equal(knee(c, 5), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_working_set),
		cmocka_unit_test(test_working_set_edges),
		cmocka_unit_test(test_working_set_rising),
		cmocka_unit_test(test_working_set_cliff),
		cmocka_unit_test(test_working_set_random),
		cmocka_unit_test(test_knee),
		cmocka_unit_test(test_no_knee),
		cmocka_unit_test(test_knee_error),
		cmocka_unit_test(test_knee_dip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
