// SPDX-License-Identifier: GPL-2.0
/* Both histograms: the logarithmic one against a list of values, the dense one by its sums. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/log_histogram.h"
#include "../../analysis/reuse_histogram.h"
#include "random.h"

#define VALUES 3000

static __u64 any_value(struct random *r)
{
	return random__next(r) >> (24 + random__below(r, 40));
}

static void test_log_exact_below(void **state)
{
	struct log_histogram h = {.bits = 4};

	/* Steps of one up to 2^5. */
	for (__u64 v = 0; v < 32; v++)
		*log_histogram__at(&h, v) += v + 1;
	for (__u64 y = 0; y <= 32; y++)
		assert_float_equal(log_histogram__from(&h, y), (32 * 33 - y * (y + 1)) / 2, 0);
	assert_float_equal(log_histogram__from(&h, 3.25), 0.75 * 4 + (32 * 33 - 4 * 5) / 2, 1e-9);
	assert_int_equal(log_histogram__end(&h), 32);
	assert_true(log_histogram__heap(&h) > 0);
	log_histogram__clear(&h);
	assert_int_equal(log_histogram__heap(&h), 0);
	assert_int_equal(log_histogram__end(&h), 0);
}

/* Values that start buckets are exact at bucket starts, and all stay within a bucket's width. */
static void test_log_random(void **state)
{
	struct random r = {random__seed()};

	for (int bits = 2; bits <= 8; bits += 3) {
		struct log_histogram h = {.bits = bits};
		static __u64 v[VALUES];
		__u64 max = 0;

		for (int i = 0; i < VALUES; i++) {
			v[i] = any_value(&r);
			max = v[i] > max ? v[i] : max;
			++*log_histogram__at(&h, v[i]);
			assert_true(log_histogram__round_up(&h, v[i]) >= v[i]);
			assert_true(log_histogram__round_up(&h, v[i]) - v[i] <= v[i] >> bits);
		}
		assert_true(log_histogram__end(&h) > max);
		assert_true(log_histogram__end(&h) <= max + 1 + (max >> bits));
		for (int k = 0; k < 200; k++) {
			__u64 y = any_value(&r), width = y >> bits, sure = 0, may = 0;

			for (int i = 0; i < VALUES; i++) {
				sure += v[i] >= y + 2 * width + 1;
				may += v[i] + 2 * width + 1 >= y;
			}
			assert_true(log_histogram__from(&h, y) >= sure);
			assert_true(log_histogram__from(&h, y) <= may);
		}
		log_histogram__clear(&h);
	}
}

/* Halving the histogram is the histogram of the halves. */
static void test_log_halve(void **state)
{
	struct random r = {random__seed()};
	struct log_histogram a = {.bits = 4}, b = {.bits = 4};

	for (int i = 0; i < VALUES; i++) {
		__u64 v = i % 3 ? any_value(&r) : random__below(&r, 64);

		++*log_histogram__at(&a, v);
		++*log_histogram__at(&b, v / 8);
	}
	for (int i = 0; i < 3; i++)
		log_histogram__halve(&a);
	for (__u64 y = 0; y < 1 << 20; y = y * 5 / 4 + 1)
		assert_float_equal(log_histogram__from(&a, y), log_histogram__from(&b, y), 1e-6);
	assert_int_equal(log_histogram__end(&a), log_histogram__end(&b));
	log_histogram__clear(&a);
	log_histogram__clear(&b);
}

static void test_log_halve_sparse(void **state)
{
	/* Octave 1 alone, octave 0 alone, and neither. */
	static const __u64 value[] = {20, 7, 992};

	for (int i = 0; i < 3; i++) {
		struct log_histogram h = {.bits = 4};

		*log_histogram__at(&h, value[i]) += 5;
		log_histogram__halve(&h);
		assert_float_equal(log_histogram__from(&h, 0), 5, 0);
		assert_true(log_histogram__from(&h, value[i] / 2) >= 4.9);
		assert_float_equal(log_histogram__from(&h, value[i] / 2 * 1.07 + 1), 0, 0);
		log_histogram__clear(&h);
	}
}

static const struct reuse one = {.units = 1};

static void test_dense(void **state)
{
	struct arena *a = arena__new(0);
	struct reuse_histogram *h = reuse_histogram__new(a);
	struct random r = {random__seed()};
	static __u64 count[40000];
	__u64 above = 0;

	for (int i = 0; i < 100000; i++) {
		__u64 d = random__zipf(&r, 40000, 0.5);

		count[d]++;
		assert_int_equal(reuse_histogram__refault(h, &one, d), 0);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(reuse_histogram__cold(h, &one), 0);
	assert_int_equal(reuse_histogram__accesses(h), 100010);
	for (int d = 39999; d >= 0; d--) {
		above += count[d];
		if (d % 8192 > 3 && d % 97)
			continue;
		assert_float_equal(reuse_histogram__refaults_from(h, d), above, 0);
		assert_float_equal(reuse_histogram__refaults_from(h, d + 0.5),
				   above - 0.5 * count[d], 1e-6);
		assert_float_equal(reuse_histogram__misses(h, d), above + 10, 0);
	}
	assert_float_equal(reuse_histogram__refaults_from(h, 1e18), 0, 0);
	assert_int_equal(reuse_histogram__samples(h), 0);
	reuse_histogram__free(h);
	assert_int_equal(arena__used(a), 0);
	arena__free(a);
}

/* Counts that do not fit into 32 bits. */
static void test_dense_wide(void **state)
{
	const struct reuse many = {.units = 3ULL << 30};
	struct arena *a = arena__new(0);
	struct reuse_histogram *h = reuse_histogram__new(a);

	for (int i = 0; i < 5; i++)
		assert_int_equal(reuse_histogram__refault(h, &many, 9000), 0);
	assert_int_equal(reuse_histogram__refault(h, &one, 9001), 0);
	assert_float_equal(reuse_histogram__refaults_from(h, 9000), 15.0 * (1 << 30) + 1, 0);
	assert_float_equal(reuse_histogram__refaults_from(h, 9001), 1, 0);
	reuse_histogram__halve(h);
	assert_float_equal(reuse_histogram__refaults_from(h, 4500), 15.0 * (1 << 30) + 1, 0);
	assert_float_equal(reuse_histogram__refaults_from(h, 4501), 0, 0);
	reuse_histogram__free(h);
	arena__free(a);
}

static void test_dense_halve(void **state)
{
	struct arena *a = arena__new(0);
	struct reuse_histogram *x = reuse_histogram__new(a), *y = reuse_histogram__new(a);
	struct random r = {random__seed()};

	for (int i = 0; i < 50000; i++) {
		/* No distances below 20000 at all in the first half: chunks that are not there. */
		__u64 d = 20000 + random__below(&r, 50000);
		const struct reuse s = {.units = 2, .sampled = true, .group = d % REUSE_GROUPS};

		assert_int_equal(reuse_histogram__refault(x, &s, d), 0);
		assert_int_equal(reuse_histogram__refault(y, &s, d / 4), 0);
		if (i % 10)
			continue;
		assert_int_equal(reuse_histogram__unseen(x, &s, d), 0);
		assert_int_equal(reuse_histogram__unseen(y, &s, d / 4), 0);
	}
	reuse_histogram__halve(x);
	reuse_histogram__halve(x);
	for (__u64 d = 0; d < 20000; d += 41)
		assert_float_equal(reuse_histogram__refaults_from(x, d),
				   reuse_histogram__refaults_from(y, d), 0);
	for (int g = 0; g < REUSE_GROUPS; g++) {
		assert_int_equal(reuse_histogram__group_accesses(x, g),
				 reuse_histogram__group_accesses(y, g));
		assert_float_equal(reuse_histogram__group_misses(x, g, 8000),
				   reuse_histogram__group_misses(y, g, 8000), 1e-6);
	}
	assert_int_equal(reuse_histogram__accesses(x), 110000);
	assert_int_equal(reuse_histogram__samples(x), 55000);
	assert_true(abs((int)reuse_histogram__refault_end(x) -
			(int)reuse_histogram__refault_end(y)) <= 1);
	reuse_histogram__free(x);
	reuse_histogram__free(y);
	assert_int_equal(arena__used(a), 0);
	arena__free(a);
}

/* Bounds below 512 are exact; above, they are never made smaller, and by 1/256 larger at most. */
static void test_unseen(void **state)
{
	static const __u64 bounds[] = {0, 1, 255, 511, 777, 123457, 99999999};
	struct arena *a = arena__new(0);

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		struct reuse_histogram *h = reuse_histogram__new(a);
		__u64 b = bounds[i];

		assert_int_equal(reuse_histogram__unseen(h, &one, b), 0);
		assert_float_equal(reuse_histogram__unseen_from(h, b), 1, 0);
		assert_float_equal(reuse_histogram__unseen_from(h, b + 1 + b / 100), 0, 0);
		if (b < 512)
			assert_float_equal(reuse_histogram__unseen_from(h, b + 1), 0, 0);
		assert_float_equal(reuse_histogram__misses(h, 0), 1, 0);
		if (b)
			assert_float_equal(reuse_histogram__misses(h, b), 0.5, 0);
		assert_true(reuse_histogram__unseen_end(h) > b);
		reuse_histogram__free(h);
	}
	arena__free(a);
}

static void test_no_memory(void **state)
{
	struct arena *a = arena__new(ARENA_CHUNK);
	struct reuse_histogram *h = reuse_histogram__new(a);
	__u64 d = 0;

	while (!reuse_histogram__refault(h, &one, d * 8192))
		d++;
	assert_int_equal(d, ARENA_CHUNK / ARENA_BLOCK);
	assert_int_equal(reuse_histogram__refault(h, &one, d * 8192), -ENOMEM);
	assert_int_equal(reuse_histogram__accesses(h), d);
	/* Folding gives blocks back, so it needs none. */
	reuse_histogram__halve(h);
	assert_int_equal(reuse_histogram__accesses(h), d);
	assert_float_equal(reuse_histogram__refaults_from(h, 4096), d - 1, 0);
	assert_int_equal(reuse_histogram__refault(h, &one, d * 8192), 0);
	reuse_histogram__free(h);
	arena__free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_exact_below), cmocka_unit_test(test_log_random),
		cmocka_unit_test(test_log_halve),	cmocka_unit_test(test_log_halve_sparse),
		cmocka_unit_test(test_dense),		cmocka_unit_test(test_dense_wide),
		cmocka_unit_test(test_dense_halve),	cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
