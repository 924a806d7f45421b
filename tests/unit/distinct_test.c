// SPDX-License-Identifier: GPL-2.0
/* Distinct pages counted in little memory, from none to ten million. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/distinct.h"
#include "../../analysis/sample.h"
#include "random.h"

#define MANY 10000000

static void check(const struct distinct *d, double n)
{
	assert_float_equal(distinct__estimate(d), n, 4 * distinct__error() * n + 0.01);
}

static void test_empty(void **state)
{
	struct distinct *d = calloc(1, sizeof(*d));

	assert_true(distinct__estimate(d) == 0);
	assert_true(distinct__error() > 0.003 && distinct__error() < 0.005);
	free(d);
}

/* With few of them, each is seen: off by the odd two that fall together only. */
static void test_few(void **state)
{
	struct random r = {random__seed_or(1)};
	struct distinct *d = calloc(1, sizeof(*d));

	for (int n = 1; n <= 300; n++) {
		__u64 hash = sample__hash(random__next(&r), 0);

		for (int again = 0; again < 3; again++)
			distinct__add(d, hash);
		assert_float_equal(distinct__estimate(d), n, 1.5 + n * 0.01);
	}
	free(d);
}

static void count_to(__u64 seed)
{
	struct distinct *d = calloc(1, sizeof(*d));
	double next = 10;

	for (int n = 1; n <= MANY; n++) {
		distinct__add(d, sample__hash(n, seed));
		if (n < next && n < MANY)
			continue;
		check(d, n);
		next *= 1.1;
	}
	free(d);
}

/* Through all sizes, also where other estimators change over. */
static void test_many(void **state)
{
	struct random r = {random__seed_or(1)};

	for (int i = 0; i < 3; i++)
		count_to(random__next(&r));
}

static double after(int n, __u64 seed)
{
	struct distinct *d = calloc(1, sizeof(*d));
	double e;

	for (int i = 0; i < n; i++)
		distinct__add(d, sample__hash(i, seed));
	e = distinct__estimate(d);
	free(d);
	return e / n - 1;
}

/* The error that it tells of is the one it has, and the mean is right. */
static void test_error(void **state)
{
	struct random r = {random__seed_or(1)};
	double sum = 0, squares = 0, n = 100, error;

	for (int i = 0; i < n; i++) {
		double off = after(200000, random__next(&r));

		sum += off;
		squares += off * off;
	}
	error = sqrt(squares / n);
	printf("mean %+.5f, standard error %.5f, told %.5f\n", sum / n, error, distinct__error());
	assert_float_equal(sum / n, 0, 3 * distinct__error() / sqrt(n));
	assert_true(error > 0.75 * distinct__error() && error < 1.25 * distinct__error());
}

/* Pages of a sample have small hashes: one in 8, to one in 16 million. */
static void test_small_hashes(void **state)
{
	struct random r = {random__seed_or(1)};

	for (int shift = 3; shift <= 24; shift += 3) {
		struct distinct *d = calloc(1, sizeof(*d));

		for (int n = 1; n <= 500000; n++) {
			distinct__add(d, random__next(&r) >> shift);
			if (!(n & (n - 1)))
				check(d, n);
		}
		check(d, 500000);
		free(d);
	}
}

/* All there is to be seen: a rank for each register, the highest. */
static void test_full(void **state)
{
	struct distinct *d = calloc(1, sizeof(*d));

	memset(d->rank, 64, sizeof(d->rank));
	assert_true(distinct__estimate(d) > 1e18);
	memset(d->rank, 63, sizeof(d->rank));
	assert_true(isfinite(distinct__estimate(d)));
	assert_true(distinct__estimate(d) > 1e18);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty), cmocka_unit_test(test_few),
		cmocka_unit_test(test_many),  cmocka_unit_test(test_error),
		cmocka_unit_test(test_full),  cmocka_unit_test(test_small_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
