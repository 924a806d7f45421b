// SPDX-License-Identifier: GPL-2.0
/*
 * Scaled-down caches against those of all pages: what the errors promise, over many samples of
 * many traces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../analysis/hvanalysis.h"
#include "../../analysis/sample.h"
#include "random.h"
#include "trace_shapes.h"

#define PAGES 4000
#define REFS 30000
#define TRACES 3 /* of each shape */
#define SAMPLES 12
#define SIZES 8
#define RATE 0.1

static __u64 trace[REFS];

/* Points whose interval has the exact ratio, of all. */
struct cover {
	int points, within;
	double off; /* sum of the absolute errors */
};

static void run(enum policy policy, double rate, __u64 seed, const __u64 *sizes,
		struct curve_point *out)
{
	const struct policy_opts opts = {.sz = sizeof(opts),
					 .policy = policy,
					 .sizes = sizes,
					 .nr_sizes = SIZES,
					 .rate = rate,
					 .seed = seed};
	struct policy_sim *s = policy_sim__new(&opts);

	assert_non_null(s);
	assert_int_equal(policy_sim__access(s, trace, REFS), 0);
	assert_int_equal(policy_sim__curve(s, out), 0);
	policy_sim__free(s);
}

static void compare(struct cover *c, const struct curve_point *exact,
		    const struct curve_point *sampled)
{
	for (int i = 0; i < SIZES; i++) {
		double off = curve_point__ratio(&exact[i]) - curve_point__ratio(&sampled[i]);

		assert_true(sampled[i].accesses == REFS);
		assert_true(sampled[i].error > 0 && sampled[i].error <= 1);
		c->within += fabs(off) <= sampled[i].error;
		c->off += fabs(off);
		c->points++;
	}
}

static void cover_trace(struct cover *c, struct random *r, enum policy policy, double rate,
			const __u64 *sizes)
{
	struct curve_point exact[SIZES], sampled[SIZES];

	run(policy, 1, 0, sizes, exact);
	for (int i = 0; i < SAMPLES; i++) {
		run(policy, rate, random__next(r), sizes, sampled);
		compare(c, exact, sampled);
	}
}

static struct cover cover_shape(struct random *r, enum trace_shape shape, double rate,
				const __u64 *sizes)
{
	struct cover c = {0};

	for (int t = 0; t < TRACES; t++) {
		trace_shape__fill(shape, r, PAGES, trace, REFS);
		/* Of neighbours that are alike a sample has its share: errors are small. */
		for (int i = 0; t > 0 && i < REFS; i++)
			trace[i] = pe_hash(trace[i], 1);
		for (int p = 0; p < POLICIES; p++)
			cover_trace(&c, r, p, rate, sizes);
	}
	printf("%s: %d of %d points within their error; off by %.4f\n", trace_shape__name(shape),
	       c.within, c.points, c.off / c.points);
	return c;
}

/* From ten sampled pages to almost all. */
static void log_sizes(__u64 *sizes)
{
	for (int i = 0; i < SIZES; i++)
		sizes[i] = 10 / RATE * pow(0.9 * PAGES * RATE / 10, i / (SIZES - 1.0));
}

static void test_errors_cover(void **state)
{
	struct random r = {random__seed_or(1)};
	int points = 0, within = 0;
	__u64 sizes[SIZES];

	log_sizes(sizes);
	for (int shape = 0; shape < SHAPES; shape++) {
		struct cover c = cover_shape(&r, shape, RATE, sizes);

		/* Samples of one trace have much in common: more room than for all together. */
		assert_true(c.within >= 0.85 * c.points);
		points += c.points;
		within += c.within;
	}
	assert_true(within >= 0.90 * points && within <= 0.99 * points);
}

/* Where all pages are alike, how many of them are in the sample must not matter. */
static void test_uniform_is_corrected(void **state)
{
	struct random r = {random__seed_or(2)};
	__u64 sizes[SIZES];
	struct cover c;

	log_sizes(sizes);
	c = cover_shape(&r, SHAPE_UNIFORM, RATE, sizes);
	assert_true(c.off / c.points < 0.015);
}

/* Less than a few sampled pages: a simulated cache means little, the error has to say so. */
static void test_tiny_sizes_are_honest(void **state)
{
	const __u64 sizes[SIZES] = {1, 5, 12, 20, 30, 45, 60, 80};
	struct random r = {random__seed_or(3)};

	for (int shape = 0; shape < SHAPES; shape++) {
		struct cover c = cover_shape(&r, shape, RATE, sizes);

		assert_true(c.within >= 0.90 * c.points);
	}
}

/* Sizes chosen on the way are those of a simulation that was told of them. */
static void test_chosen_sizes(void **state)
{
	struct policy_opts opts = {.sz = sizeof(opts), .nr_sizes = SIZES, .rate = RATE, .seed = 6};
	struct curve_point chosen[SIZES], given[SIZES];
	__u64 sizes[SIZES];

	trace_shape__fill(SHAPE_ZIPF, &(struct random){5}, PAGES, trace, REFS);
	for (int p = 0; p < POLICIES; p++) {
		struct policy_sim *s;
		size_t n;

		opts.policy = p;
		s = policy_sim__new(&opts);
		assert_non_null(s);
		assert_int_equal(policy_sim__access(s, trace, REFS), 0);
		n = policy_sim__points(s);
		assert_in_range(n, SIZES / 2, SIZES);
		assert_int_equal(policy_sim__curve(s, chosen), 0);
		policy_sim__free(s);
		for (size_t i = 0; i < SIZES; i++)
			sizes[i] = i < n ? chosen[i].size : PAGES;
		assert_true(sizes[0] >= 8 / RATE);
		run(p, RATE, 6, sizes, given);
		for (size_t i = 0; i < n; i++)
			assert_true(chosen[i].misses == given[i].misses);
	}
}

/* A sample without any page of the trace says nothing. */
static void test_empty_sample(void **state)
{
	const __u64 sizes[SIZES] = {1, 2, 3, 5, 8, 12, 16, 20};
	struct curve_point curve[SIZES];

	trace_shape__fill(SHAPE_LOOP, &(struct random){1}, PAGES, trace, REFS);
	for (int p = 0; p < POLICIES; p++) {
		run(p, 0x1p-32, 1, sizes, curve); /* seed 0 has page 0 at hash 0 */
		for (int i = 0; i < SIZES; i++)
			assert_true(curve[i].error == 1);
	}
}

/* Near 1 a whole sampling factor would be 1 or 2. */
static void test_rate_has_no_bias_near_1(void **state)
{
	struct curve_point exact[SIZES], sampled[SIZES];
	__u64 sizes[SIZES];

	log_sizes(sizes);
	trace_shape__fill(SHAPE_UNIFORM, &(struct random){4}, PAGES, trace, REFS);
	for (int p = 0; p < POLICIES; p++) {
		run(p, 1, 0, sizes, exact);
		run(p, 0.99, 5, sizes, sampled);
		for (int i = 0; i < SIZES; i++)
			assert_true(fabs(curve_point__ratio(&exact[i]) -
					 curve_point__ratio(&sampled[i])) < 0.01);
	}
}

static void test_sampling(void **state)
{
	struct random r = {random__seed()};

	assert_true(sample__threshold(1) == PE_SAMPLE_ALL);
	assert_true(sample__rate(PE_SAMPLE_ALL) == 1);
	assert_true(sample__threshold(0x1p-70) == 0);
	assert_true(sample__rate(0) == 0x1p-64);
	for (int i = 0; i < 1000; i++) {
		double rate = random__unit(&r) * exp2(-(double)random__below(&r, 40));
		__u64 page = random__next(&r);

		assert_true(fabs(sample__rate(sample__threshold(rate)) - rate) <=
			    rate * 1e-9 + 0x1p-63);
		/* What the BPF programs do. */
		assert_true(sample__lot(page, sample__key(0)) == pe_lot(page, 0));
		assert_true(sample__lot(page, sample__key(1)) != pe_lot(page, 0));
		assert_true(sample__page(sample__hash(page, rate), rate) == page);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_cover),
		cmocka_unit_test(test_uniform_is_corrected),
		cmocka_unit_test(test_tiny_sizes_are_honest),
		cmocka_unit_test(test_chosen_sizes),
		cmocka_unit_test(test_empty_sample),
		cmocka_unit_test(test_rate_has_no_bias_near_1),
		cmocka_unit_test(test_sampling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
