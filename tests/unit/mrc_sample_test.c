// SPDX-License-Identifier: GPL-2.0
/* Sampled miss curves: bounds that are kept, estimates that are right on average. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/hvanalysis.h"
#include "../../analysis/sample.h"
#include "random.h"
#include "trace_shapes.h"

#define PAGES 20000
#define REFS 100000
#define MAX_REFS 1000000
#define SIZES 16
#define SEEDS 60

static __u64 trace[MAX_REFS];

static struct mrc *new_mrc(struct mrc_opts o)
{
	struct mrc *m;

	o.sz = sizeof(o);
	m = mrc__new(&o);
	assert_non_null(m);
	return m;
}

static struct mrc *run(struct mrc_opts o, size_t n)
{
	struct mrc *m = new_mrc(o);

	assert_int_equal(mrc__access(m, trace, n), 0);
	return m;
}

static struct mrc_counts counts_of(const struct mrc *m)
{
	struct mrc_counts c;

	mrc__counts(m, &c);
	return c;
}

/* From 16 pages to all, logarithmic. */
static void take_curve(const struct mrc *m, struct curve_point *out)
{
	__u64 sizes[SIZES];

	for (int i = 0; i < SIZES; i++)
		sizes[i] = 16 * pow(PAGES / 16.0, i / (SIZES - 1.0));
	assert_int_equal(mrc__curve(m, sizes, SIZES, out), 0);
}

static void curve_of(struct mrc_opts o, size_t n, struct curve_point *out)
{
	struct mrc *m = run(o, n);

	take_curve(m, out);
	mrc__free(m);
}

static double mean_off(const struct curve_point *a, const struct curve_point *b)
{
	double sum = 0;

	for (int i = 0; i < SIZES; i++)
		sum += fabs(curve_point__ratio(&a[i]) - curve_point__ratio(&b[i]));
	return sum / SIZES;
}

/* --- fixed rate --- */

static double mean_off_of(struct mrc_opts o, const struct curve_point *exact)
{
	struct curve_point sampled[SIZES];
	double sum = 0;

	for (o.seed = 1; o.seed <= 8; o.seed++) {
		curve_of(o, REFS, sampled);
		sum += mean_off(exact, sampled) / 8;
	}
	return sum;
}

/* Each page that is left out makes a difference, but no more than that. */
static void test_near_1(void **state)
{
	static const double rates[] = {0.9999, 0.999, 0.99, 0.9, 0.5};
	struct curve_point exact[SIZES];

	for (int shape = 0; shape < SHAPES; shape++) {
		trace_shape__fill(shape, &(struct random){1}, PAGES, trace, REFS);
		curve_of((struct mrc_opts){0}, REFS, exact);
		for (int k = 0; k < 5; k++)
			assert_true(mean_off_of((struct mrc_opts){.rate = rates[k]}, exact) <
				    0.003 + 0.05 * sqrt(1 - rates[k]));
	}
}

struct mean {
	double n, sum, squares;
};

static void add(struct mean *m, double x)
{
	m->n++;
	m->sum += x;
	m->squares += x * x;
}

/* On average, give or take what the number of samples allows, and a bit that the eye can't see. */
static void check_mean(const struct mean *m, double want, double slack)
{
	double mean = m->sum / m->n, variance = m->squares / m->n - mean * mean;
	double error = 4 * sqrt(fmax(variance, 0) / (m->n - 1)) + slack;

	if (fabs(mean - want) > error)
		fail_msg("%f on average, not %f +- %f", mean, want, error);
}

/* Estimates over many samples against the numbers of all pages. */
static void check_unbiased(struct mrc_opts o)
{
	struct random r = {random__seed_or(1)};

	for (int shape = 0; shape < SHAPES; shape++) {
		struct mean cold = {0}, reused = {0}, all = {0};
		struct mrc *exact;

		trace_shape__fill(shape, &r, PAGES, trace, REFS);
		exact = run((struct mrc_opts){0}, REFS);
		for (int i = 0; i < SEEDS; i++) {
			struct mrc *m;

			o.seed = random__next(&r);
			m = run(o, REFS);
			add(&cold, counts_of(m).cold);
			add(&reused, mrc__reuse(m, 2000, 12000));
			add(&all, mrc__reuse(m, 0, ~0ULL));
			assert_int_equal(counts_of(m).accesses, REFS);
			mrc__free(m);
		}
		check_mean(&cold, counts_of(exact).cold, 0.5);
		check_mean(&reused, mrc__reuse(exact, 2000, 12000), 0.01 * REFS);
		check_mean(&all, mrc__reuse(exact, 0, ~0ULL), 0.5);
		mrc__free(exact);
	}
}

static void test_rate_unbiased(void **state)
{
	check_unbiased((struct mrc_opts){.rate = 0.5});
	check_unbiased((struct mrc_opts){.rate = 0.05});
}

static void test_bound_unbiased(void **state)
{
	check_unbiased((struct mrc_opts){.max_pages = 2000});
}

static void test_counts(void **state)
{
	struct mrc_counts c;
	__u64 samples = 0;
	struct mrc *m;

	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, PAGES, trace, REFS);
	for (int i = 0; i < REFS; i++)
		samples += sample__lot(trace[i], sample__key(7)) <= sample__threshold(0.1);
	m = run((struct mrc_opts){.rate = 0.1, .seed = 7}, REFS);
	c = counts_of(m);
	assert_int_equal(c.accesses, REFS);
	assert_int_equal(c.samples, samples);
	assert_float_equal(c.cold * c.rate, c.tracked, 1e-6);
	assert_float_equal(c.rate, 0.1, 1e-12);
	mrc__free(m);
}

static void test_max_distance(void **state)
{
	struct curve_point p[2];
	struct mrc *m;

	for (int shape = 0; shape < SHAPES; shape++)
		for (int seed = 0; seed < 20; seed++) {
			__u64 sizes[2] = {0, ~0ULL};

			trace_shape__fill(shape, &(struct random){seed}, PAGES, trace, REFS);
			m = run((struct mrc_opts){.rate = 0.02, .seed = seed}, REFS);
			sizes[0] = mrc__max_distance(m);
			assert_int_equal(mrc__curve(m, sizes, 2, p), 0);
			assert_float_equal(p[0].misses, p[1].misses, 1e-3 * REFS);
			mrc__free(m);
		}
}

/* --- seeds --- */

static void feed_in_pieces(struct mrc *m, size_t n, struct random *r)
{
	for (size_t done = 0, some; done < n; done += some) {
		some = random__below(r, 3000);
		some = some < n - done ? some : n - done;
		assert_int_equal(mrc__access(m, trace + done, some), 0);
	}
}

static void check_seeds(struct mrc_opts o)
{
	struct curve_point first[SIZES], again[SIZES], other[SIZES];

	o.seed = 5;
	curve_of(o, REFS, first);
	curve_of(o, REFS, again);
	assert_memory_equal(first, again, sizeof(first));
	o.seed = 6;
	curve_of(o, REFS, other);
	assert_true(mean_off(first, other) > 0);
}

static void test_seeds(void **state)
{
	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, PAGES, trace, REFS);
	check_seeds((struct mrc_opts){.rate = 0.5});
	check_seeds((struct mrc_opts){.rate = 0.01});
	check_seeds((struct mrc_opts){.rate = 0.1, .detail = 10});
	check_seeds((struct mrc_opts){.max_pages = 500});
	check_seeds((struct mrc_opts){.max_pages = 500, .detail = 3});
}

/* In which pieces references come is nothing to go by. */
static void test_pieces(void **state)
{
	static const struct mrc_opts opts[] = {
		{.rate = 0.3},	     {.rate = 0.01},	{.rate = 0.1, .detail = 10},
		{.max_pages = 1000}, {.max_pages = 70}, {.max_pages = 500, .detail = 5}};
	struct curve_point whole[SIZES], pieces[SIZES];
	struct random r = {random__seed()};

	trace_shape__fill(SHAPE_PHASES, &r, PAGES, trace, REFS);
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++) {
		struct mrc *m = new_mrc(opts[i]);

		feed_in_pieces(m, REFS, &r);
		take_curve(m, pieces);
		curve_of(opts[i], REFS, whole);
		assert_memory_equal(whole, pieces, sizeof(whole));
		mrc__free(m);
	}
}

/* --- bound --- */

static void check_bound(struct mrc_opts o, size_t n, struct random *r)
{
	struct mrc *m = new_mrc(o);
	double rate = counts_of(m).rate;

	for (size_t done = 0, some; done < n; done += some) {
		struct mrc_counts c;

		some = 1 + random__below(r, random__one_in(r, 20) ? 5000 : 40);
		some = some < n - done ? some : n - done;
		assert_int_equal(mrc__access(m, trace + done, some), 0);
		c = counts_of(m);
		assert_true(c.tracked <= o.max_pages && c.rate <= rate);
		rate = c.rate;
	}
	/* Few pages are left, and few are given away. */
	assert_true(counts_of(m).tracked >= o.max_pages / 2);
	assert_true(rate < 1.5 * o.max_pages / (PAGES / 2.0));
	mrc__free(m);
}

static void test_bound(void **state)
{
	static const __u64 bounds[] = {64, 65, 100, 777, 4096};
	struct random r = {random__seed_or(1)};

	for (int shape = 0; shape < SHAPES; shape++)
		for (int i = 0; i < 5; i++) {
			struct mrc_opts o = {.max_pages = bounds[i], .seed = random__next(&r)};

			trace_shape__fill(shape, &r, PAGES, trace, REFS);
			for (int k = 0; k < PAGES && k < REFS; k++)
				trace[k] = k; /* all pages, whatever the shape */
			check_bound(o, REFS, &r);
		}
}

/* Nothing is given away before it must. */
static void test_within_bound(void **state)
{
	const struct mrc_opts o = {.max_pages = 4000, .detail = 1};
	struct curve_point exact[SIZES], bound[SIZES];
	struct mrc *m;

	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, 3500, trace, REFS);
	curve_of((struct mrc_opts){0}, REFS, exact);
	curve_of(o, REFS, bound);
	assert_memory_equal(exact, bound, sizeof(exact));
	m = run(o, REFS);
	assert_true(counts_of(m).rate == 1);
	assert_int_equal(counts_of(m).samples, REFS);
	mrc__free(m);
}

/* Pages of the lowest lots there are: a guest may know the seed. */
static __u64 next_low(__u64 page, __u64 seed)
{
	while (sample__lot(page, sample__key(seed)) >> 52)
		page++;
	return page;
}

static void test_chosen_pages(void **state)
{
	struct curve_point p[SIZES];
	__u64 page = 0;
	struct mrc *m;

	for (int i = 0; i < REFS; i++)
		trace[i] = i < 4000 ? page = next_low(page + 1, 3) : trace[i - 4000];
	m = run((struct mrc_opts){.max_pages = 64, .seed = 3, .detail = 1}, REFS);
	assert_in_range(counts_of(m).tracked, 1, 64);
	assert_true(counts_of(m).rate > 0 && counts_of(m).rate < 0x1p-16);
	take_curve(m, p);
	for (int i = 0; i < SIZES; i++) {
		assert_true(p[i].misses >= 0 && p[i].misses <= p[i].accesses);
		assert_true(p[i].error > 0 && p[i].error <= 1);
	}
	mrc__free(m);
}

/* No page of the trace is followed. */
static void test_empty_sample(void **state)
{
	struct curve_point p[SIZES];
	struct mrc *m;

	for (int i = 0; i < REFS; i++)
		trace[i] = 1 + i % 3;
	m = run((struct mrc_opts){.rate = 0x1p-32}, REFS);
	assert_int_equal(counts_of(m).tracked, 0);
	assert_int_equal(mrc__max_distance(m), 0);
	take_curve(m, p);
	for (int i = 0; i < SIZES; i++)
		assert_true(p[i].accesses == REFS && p[i].error == 1);
	mrc__free(m);
}

/* Without memory all are misses: nothing to doubt about that. */
static void test_size_0(void **state)
{
	const struct mrc_opts opts[] = {
		{.rate = 0.01}, {.max_pages = 100}, {.rate = .1, .detail = 9}};

	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, PAGES, trace, REFS);
	for (int i = 0; i < 3; i++) {
		struct mrc *m = run(opts[i], REFS);
		const __u64 sizes[] = {0, 1};
		struct curve_point p[2];

		assert_int_equal(mrc__curve(m, sizes, 2, p), 0);
		assert_true(p[0].misses == p[0].accesses && p[0].error == 0);
		assert_float_equal(p[0].accesses, REFS, 1e-6);
		assert_true(p[1].error > 0);
		mrc__free(m);
	}
}

/* --- detail --- */

/* Where the rate is too low, and the windows are not. */
static void check_detail(struct mrc_opts o, double within)
{
	struct curve_point exact[SIZES], plain[SIZES], fine[SIZES];
	struct random r = {random__seed_or(1)};
	double off_plain = 0, off_fine = 0;

	curve_of((struct mrc_opts){0}, MAX_REFS, exact);
	for (int i = 0; i < 5; i++) {
		struct mrc_opts without = o;

		without.seed = o.seed = random__next(&r);
		without.detail = 0;
		curve_of(o, MAX_REFS, fine);
		curve_of(without, MAX_REFS, plain);
		off_plain += mean_off(exact, plain) / 5;
		off_fine += mean_off(exact, fine) / 5;
	}
	printf("off by %.4f without, %.4f with detail\n", off_plain, off_fine);
	assert_true(off_fine < within && off_fine < off_plain / 2);
}

static void test_detail(void **state)
{
	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, PAGES, trace, MAX_REFS);
	check_detail((struct mrc_opts){.rate = 0.01, .detail = 20}, 0.015);
	check_detail((struct mrc_opts){.max_pages = 500, .detail = 10}, 0.015);
}

/* What was before the first window counts as well: a loop that fits, then many pages. */
static void test_detail_after_all(void **state)
{
	const struct mrc_opts o = {.max_pages = 1000, .detail = 10};
	struct curve_point exact[SIZES], fine[SIZES];

	trace_shape__fill(SHAPE_UNIFORM, &(struct random){1}, PAGES, trace, MAX_REFS);
	for (int i = 0; i < MAX_REFS / 2; i++)
		trace[i] = i % 20;
	curve_of((struct mrc_opts){0}, MAX_REFS, exact);
	curve_of(o, MAX_REFS, fine);
	for (int i = 0; i < 8; i++)
		assert_true(fabs(curve_point__ratio(&exact[i]) - curve_point__ratio(&fine[i])) <
			    0.002);
}

static void test_detail_costs(void **state)
{
	struct mrc *plain, *fine;
	__u64 without, with;

	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, PAGES, trace, MAX_REFS);
	plain = run((struct mrc_opts){.rate = 0.01, .seed = 1}, MAX_REFS);
	fine = run((struct mrc_opts){.rate = 0.01, .seed = 1, .detail = 1}, MAX_REFS);
	without = counts_of(plain).samples;
	with = counts_of(fine).samples;
	printf("%llu references followed without, %llu with detail\n", without, with);
	/* Four levels, each as much again on average; few windows yet. */
	assert_true(with > without * 2 && with < without * 10);
	assert_true(counts_of(fine).bytes > counts_of(plain).bytes);
	mrc__free(plain);
	mrc__free(fine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near_1),	       cmocka_unit_test(test_rate_unbiased),
		cmocka_unit_test(test_bound_unbiased), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_max_distance),   cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_pieces),	       cmocka_unit_test(test_bound),
		cmocka_unit_test(test_within_bound),   cmocka_unit_test(test_chosen_pages),
		cmocka_unit_test(test_empty_sample),   cmocka_unit_test(test_size_0),
		cmocka_unit_test(test_detail),	       cmocka_unit_test(test_detail_after_all),
		cmocka_unit_test(test_detail_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
