// SPDX-License-Identifier: GPL-2.0
/* Both kinds of histogram against a list of values. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/dense_histogram.h"
#include "../../analysis/log_histogram.h"
#include "random.h"

#define VALUES 3000

static __u64 any_value(struct random *r)
{
	return random__next(r) >> (24 + random__below(r, 40));
}

/* --- logarithmic --- */

static void test_log_exact_below(void **state)
{
	struct log_histogram h = {.bits = 4};

	/* Steps of one up to 2^5. */
	for (__u64 v = 0; v < 32; v++)
		assert_int_equal(log_histogram__add(&h, v, v + 1), 0);
	for (__u64 y = 0; y <= 32; y++)
		assert_float_equal(log_histogram__from(&h, y), (32 * 33 - y * (y + 1)) / 2, 0);
	assert_float_equal(log_histogram__from(&h, 3.25), 0.75 * 4 + (32 * 33 - 4 * 5) / 2, 1e-9);
	assert_float_equal(log_histogram__from(&h, -5), 32 * 33 / 2, 0);
	assert_int_equal(log_histogram__end(&h), 32);
	assert_true(log_histogram__heap(&h) >= 2 * 16 * sizeof(double));
	log_histogram__clear(&h);
	assert_int_equal(log_histogram__heap(&h), 0);
	assert_int_equal(log_histogram__end(&h), 0);
	assert_float_equal(log_histogram__from(&h, 0), 0, 0);
}

/* Beyond 2^5 buckets are wider: their values are spread evenly. */
static void test_log_within_bucket(void **state)
{
	struct log_histogram h = {.bits = 4};

	/* In the bucket of 40 to 41, and in that of 72 to 75. */
	assert_int_equal(log_histogram__add(&h, 41, 0.5), 0);
	assert_int_equal(log_histogram__add(&h, 73, 8), 0);
	assert_float_equal(log_histogram__from(&h, 40), 8.5, 0);
	assert_float_equal(log_histogram__from(&h, 41), 8.25, 1e-12);
	assert_float_equal(log_histogram__from(&h, 42), 8, 0);
	assert_float_equal(log_histogram__from(&h, 73), 6, 1e-12);
	assert_float_equal(log_histogram__from(&h, 74.5), 3, 1e-12);
	assert_float_equal(log_histogram__from(&h, 76), 0, 0);
	assert_int_equal(log_histogram__end(&h), 76);
	log_histogram__clear(&h);
}

/* What was taken back leaves nothing. */
static void test_log_taken_back(void **state)
{
	struct log_histogram h = {.bits = 3};

	assert_int_equal(log_histogram__add(&h, 1000, 2.5), 0);
	assert_int_equal(log_histogram__add(&h, 3, 1), 0);
	assert_int_equal(log_histogram__add(&h, 1000, -2.5), 0);
	assert_float_equal(log_histogram__from(&h, 0), 1, 0);
	assert_int_equal(log_histogram__end(&h), 4);
	log_histogram__clear(&h);
}

/* The weights at y and above, were all values y - width to y + width on either side of it. */
static void check_from(const struct log_histogram *h, const __u64 *v, const double *weight, __u64 y)
{
	__u64 width = (y >> h->bits) * 2 + 1;
	double sure = 0, may = 0, from = log_histogram__from(h, y);

	for (int i = 0; i < VALUES; i++) {
		sure += v[i] >= y + width ? weight[i] : 0;
		may += v[i] + width >= y ? weight[i] : 0;
	}
	assert_true(from >= sure - 1e-6 && from <= may + 1e-6);
}

static void test_log_random(void **state)
{
	struct random r = {random__seed()};

	for (int bits = 2; bits <= 9; bits++) {
		struct log_histogram h = {.bits = bits};
		static double weight[VALUES];
		static __u64 v[VALUES];
		__u64 max = 0;

		for (int i = 0; i < VALUES; i++) {
			v[i] = any_value(&r);
			weight[i] = random__one_in(&r, 2) ? 1 : random__unit(&r) * 100;
			max = v[i] > max ? v[i] : max;
			assert_int_equal(log_histogram__add(&h, v[i], weight[i]), 0);
		}
		assert_true(log_histogram__end(&h) > max);
		assert_true(log_histogram__end(&h) <= max + 1 + (max >> bits));
		for (int k = 0; k < 200; k++)
			check_from(&h, v, weight, any_value(&r));
		log_histogram__clear(&h);
	}
}

/* Never down, by less than a bucket, and to where one starts: all of it is from there on. */
static void test_log_round_up(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < VALUES; i++) {
		struct log_histogram h = {.bits = 2 + i % 8};
		__u64 v = any_value(&r), up = log_histogram__round_up(&h, v);

		assert_true(up >= v && up - v <= v >> h.bits);
		assert_int_equal(log_histogram__round_up(&h, up), up);
		assert_int_equal(log_histogram__add(&h, up, 1), 0);
		assert_float_equal(log_histogram__from(&h, up), 1, 0);
		log_histogram__clear(&h);
	}
}

/* Up to the largest numbers there are, and asked for beyond them. */
static void test_log_huge(void **state)
{
	for (int bits = 2; bits <= 9; bits++) {
		struct log_histogram h = {.bits = bits};

		for (int k = 0; k < 63; k++)
			assert_int_equal(log_histogram__add(&h, 1ULL << k, 1), 0);
		for (int k = 0; k < 63; k++)
			assert_float_equal(log_histogram__from(&h, 1ULL << k), 63 - k, 0);
		assert_float_equal(log_histogram__from(&h, 0x1p63), 0, 0);
		assert_float_equal(log_histogram__from(&h, 0x1p64 - 0x1p11), 0, 0);
		assert_float_equal(log_histogram__from(&h, 0x1p64), 0, 0);
		assert_float_equal(log_histogram__from(&h, 1e30), 0, 0);
		assert_float_equal(log_histogram__from(&h, INFINITY), 0, 0);
		log_histogram__clear(&h);
	}
}

/* --- dense --- */

#define DISTANCES 3000

static void add(struct dense_histogram *h, struct memory *m, __u64 d)
{
	assert_int_equal(dense_histogram__reserve(h, m, d + 1, 1), 0);
	dense_histogram__add(h, d);
}

/* Sums of counts from y on, by hand. */
static double sum_from(const __u64 *count, double y)
{
	double sum = 0;

	for (int d = 0; d < DISTANCES; d++) {
		double part = d >= y ? 1 : d + 1 > y ? d + 1 - y : 0;

		sum += part * count[d];
	}
	return sum;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void check_dense(const struct dense_histogram *h, const __u64 *count, struct random *r)
{
	double y[40], got[40];

	for (int i = 0; i < 40; i++) {
		y[i] = random__unit(r) * DISTANCES * 1.1 - 5;
		if (i % 2)
			y[i] = round(y[i]);
	}
	y[0] = 0;
	y[1] = 1e18;
	y[2] = y[3];
	y[4] = 0x1p64;
	qsort(y, 40, sizeof(y[0]), ascending);
	dense_histogram__from(h, y, 40, got);
	for (int i = 0; i < 40; i++) {
		double want = sum_from(count, y[i] < 0 ? 0 : y[i]);

		assert_float_equal(got[i], want, 1e-9 * want);
	}
}

static void test_dense(void **state)
{
	struct random r = {random__seed()};
	struct dense_histogram h = {0};
	static __u64 count[DISTANCES];
	struct memory m;
	__u64 max = 0;

	memory__init(&m, 0);
	check_dense(&h, count, &r);
	for (int i = 0; i < 20000; i++) {
		__u64 d = random__zipf(&r, DISTANCES, 0.5);

		max = d > max ? d : max;
		count[d]++;
		add(&h, &m, d);
		if (i % 4000 == 5)
			check_dense(&h, count, &r);
	}
	check_dense(&h, count, &r);
	assert_int_equal(h.end, max + 1);
	assert_int_equal(h.counted, 20000);
	assert_null(h.high);
	dense_histogram__free(&h, &m);
	assert_int_equal(m.used, 0);
	assert_int_equal(h.room, 0);
}

/* Counts that do not fit into 32 bits: nothing is lost before, at and after they wrap. */
static void test_dense_wide(void **state)
{
	const double all = 0, y[] = {0, 6.5, 7, 8, 900, 901};
	struct dense_histogram h = {0};
	struct memory m;
	double got[6];

	memory__init(&m, 0);
	add(&h, &m, 7);
	h.low[7] = ~0U - 2;
	h.counted = ~0U - 2;
	for (int i = 0; i < 8; i++)
		add(&h, &m, 7);
	dense_histogram__from(&h, &all, 1, got);
	assert_float_equal(got[0], 0x1p32 + 5, 0);
	assert_non_null(h.high);
	/* Room for more of both. */
	for (int i = 0; i < 3; i++)
		add(&h, &m, 900);
	dense_histogram__from(&h, y, 6, got);
	for (int i = 0; i < 3; i++)
		assert_float_equal(got[i], 0x1p32 + 8, 0);
	assert_float_equal(got[3], 3, 0);
	assert_float_equal(got[4], 3, 0);
	assert_float_equal(got[5], 0, 0);
	dense_histogram__free(&h, &m);
	assert_int_equal(m.used, 0);
}

static void test_dense_no_memory(void **state)
{
	struct dense_histogram h = {0};
	const double all = 0;
	struct memory m;
	double got;

	memory__init(&m, 64 << 10);
	add(&h, &m, 1);
	assert_int_equal(dense_histogram__reserve(&h, &m, 1 << 20, 1), -ENOMEM);
	assert_int_equal(dense_histogram__reserve(&h, &m, 1ULL << 32, 1), -ENOMEM);
	/* The rest that wide counts need is not there: still as it was. */
	m.max = m.used;
	assert_int_equal(dense_histogram__reserve(&h, &m, 2, 1ULL << 32), -ENOMEM);
	add(&h, &m, 0);
	dense_histogram__from(&h, &all, 1, &got);
	assert_float_equal(got, 2, 0);
	m.max = 0;
	assert_int_equal(dense_histogram__reserve(&h, &m, 2, 1ULL << 32), 0);
	add(&h, &m, 100000);
	dense_histogram__from(&h, &all, 1, &got);
	assert_float_equal(got, 3, 0);
	dense_histogram__free(&h, &m);
	assert_int_equal(m.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_exact_below), cmocka_unit_test(test_log_within_bucket),
		cmocka_unit_test(test_log_taken_back),	cmocka_unit_test(test_log_random),
		cmocka_unit_test(test_log_round_up),	cmocka_unit_test(test_log_huge),
		cmocka_unit_test(test_dense),		cmocka_unit_test(test_dense_wide),
		cmocka_unit_test(test_dense_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
