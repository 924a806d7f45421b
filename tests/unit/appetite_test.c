// SPDX-License-Identifier: GPL-2.0
/* What a VM loses with so much memory, and how much it needs to keep what it was promised. */
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

#include "../../analysis/plan/appetite.h"
#include "random.h"

/* 1000 accesses a second that take 1 ms each if they miss: 1000 ms a second at a ratio of 1. */
static struct appetite *make(const struct curve_point *p, size_t n, __u64 direct, bool guess)
{
	struct appetite_opts o = {
		.sz = sizeof(o),
		.points = p,
		.n = n,
		.direct = direct,
		.accesses = 1000,
		.latency = 1e6,
		.weight = 2,
		.guess = guess,
	};
	struct appetite *a;

	assert_int_equal(appetite__new(&a, &o), 0);
	return a;
}

static const struct curve_point three[] = {{0, 100, 100, 0}, {10, 60, 100, .05}, {30, 20, 100, .1}};

static void check_range(const struct appetite_range *r, double guess, double lower, double upper)
{
	assert_true(fabs(r->guess - guess) < 1e-9);
	assert_true(fabs(r->lower - lower) < 1e-9);
	assert_true(fabs(r->upper - upper) < 1e-9);
}

static void test_at(void **state)
{
	struct appetite *a = make(three, 3, 1000, false);
	struct appetite_loss l;

	appetite__at(a, 1000, &l);
	assert_true(l.known);
	check_range(&l.ratio, 1, 1, 1);
	check_range(&l.lost, 1000, 1000, 1000);
	check_range(&l.misses, 1000, 1000, 1000);
	/* Half way to the second point: as many misses as at the first, maybe, or as at the second.
	 */
	appetite__at(a, 1005, &l);
	check_range(&l.ratio, .8, .55, 1);
	appetite__at(a, 1010, &l);
	check_range(&l.ratio, .6, .55, .65);
	appetite__at(a, 1029, &l);
	check_range(&l.ratio, .6 - .4 * 19 / 20, .1, .65);
	appetite__at(a, 5000, &l);
	check_range(&l.ratio, .2, .1, .3);
	check_range(&l.lost, 200, 100, 300);
	/* Below today's memory nobody has looked. */
	appetite__at(a, 999, &l);
	assert_false(l.known);
	assert_true(isnan(l.lost.guess) && isnan(l.lost.upper));
	assert_int_equal(appetite__known_from(a), 1000);
	assert_int_equal(appetite__flat_from(a), 1030);
	appetite__free(a);
}

static void test_guess(void **state)
{
	struct appetite *a = make(three, 3, 1000, true);
	struct appetite_loss l;

	/* The steepest of .4 in 10 and .8 in 30. */
	appetite__at(a, 990, &l);
	assert_false(l.known);
	check_range(&l.ratio, 1.4, 1, 1.4);
	appetite__free(a);
	/* From the curve's own first size on: .4 in 20. */
	a = make(three + 1, 2, 1000, true);
	assert_int_equal(appetite__known_from(a), 1010);
	appetite__at(a, 1000, &l);
	check_range(&l.ratio, .8, .55, .85);
	appetite__free(a);
}

/* An error does not make the curve rise, nor is a ratio above 1. */
static void test_monotone(void **state)
{
	const struct curve_point p[] = {
		{0, 90, 100, .3}, {10, 50, 100, .1}, {20, 45, 100, .3}, {30, 48, 100, 0}};
	struct appetite *a = make(p, 4, 0, false);
	struct appetite_loss l;

	appetite__at(a, 0, &l);
	check_range(&l.ratio, .9, .6, 1);
	appetite__at(a, 10, &l);
	check_range(&l.ratio, .5, .48, .6);
	appetite__at(a, 20, &l);
	check_range(&l.ratio, .48, .48, .6);
	appetite__at(a, 30, &l);
	check_range(&l.ratio, .48, .48, .48);
	appetite__free(a);
}

/* What a VM would not use is idle: its curve's flat end. */
static void test_flat(void **state)
{
	const struct curve_point p[] = {
		{0, 90, 100, 0}, {10, 50, 100, 0}, {20, 50, 100, 0}, {30, 50, 100, 0}};
	struct appetite *a = make(p, 4, 1000, false), *all = make(p + 1, 3, 0, false);

	assert_int_equal(appetite__flat_from(a), 1010);
	assert_int_equal(appetite__flat_from(all), 10);
	appetite__free(a);
	appetite__free(all);
}

static void test_assurance(void **state)
{
	const struct curve_point p[] = {
		{0, 100, 100, 0}, {10, 30, 100, .02}, {20, 28, 100, .02}, {30, 25, 100, .01}};
	struct appetite *a = make(p, 4, 0, false);
	struct assurance s = {.baseline = 30, .max_ratio = .08, .max_lost = -1};
	struct appetite_slower slower;

	appetite__slower(a, 30, 10, &slower);
	assert_true(fabs(slower.ratio - (.32 - .24)) < 1e-9);
	assert_true(fabs(slower.lost - 80) < 1e-9);
	s.max_ratio = .0801;
	assert_int_equal(appetite__assured_from(a, &s), 10);
	s.max_ratio = .0799;
	assert_int_equal(appetite__assured_from(a, &s), 20);
	s.max_ratio = .01;
	assert_int_equal(appetite__assured_from(a, &s), 30);
	/* In time; both bounds have to be kept. */
	s = (struct assurance){30, -1, 80.1};
	assert_int_equal(appetite__assured_from(a, &s), 10);
	s.max_ratio = .01;
	assert_int_equal(appetite__assured_from(a, &s), 30);
	s = (struct assurance){30, 0, -1};
	assert_int_equal(appetite__assured_from(a, &s), 30);
	/* No bound; a baseline between points goes by the lower end of the next. */
	s = (struct assurance){30, -1, -1};
	assert_int_equal(appetite__assured_from(a, &s), 0);
	appetite__slower(a, 15, 10, &slower);
	assert_true(fabs(slower.ratio - (.32 - .26)) < 1e-9);
	/* More memory than the baseline is never slower. */
	appetite__slower(a, 15, 16, &slower);
	assert_true(slower.ratio == 0 && slower.lost == 0);
	appetite__free(a);
}

/* An assurance never goes by what was not seen, whatever may be guessed. */
static void test_unknown(void **state)
{
	const struct assurance s = {.baseline = 1000, .max_ratio = 10, .max_lost = -1};
	struct appetite *a = make(three, 3, 1000, true);
	struct appetite_slower slower;

	appetite__slower(a, 1000, 999, &slower);
	assert_true(isinf(slower.ratio) && isinf(slower.lost));
	assert_int_equal(appetite__assured_from(a, &s), 1000);
	appetite__free(a);
}

static void test_steps(void **state)
{
	struct appetite *a = make(three, 3, 1000, false), *guess = make(three, 3, 1000, true);
	struct plan_step *v;
	size_t n;

	assert_int_equal(appetite__steps(a, 0, PLAN_NO_MOST, &v, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(v[0].size, 1000);
	assert_int_equal(v[1].size, 1010);
	assert_int_equal(v[2].size, 1030);
	/* The upper ends by the weight. */
	assert_true(v[0].cost == 2000 && fabs(v[1].cost - 1300) < 1e-9);
	free(v);
	assert_int_equal(appetite__steps(a, 1015, 1029, &v, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].size, 1015);
	assert_true(fabs(v[0].cost - 1300) < 1e-9);
	free(v);
	/* Up to a point is with it. */
	assert_int_equal(appetite__steps(a, 1015, 1030, &v, &n), 0);
	assert_int_equal(n, 2);
	free(v);
	assert_int_equal(appetite__steps(a, 1010, 1030, &v, &n), 0);
	assert_int_equal(n, 2);
	free(v);
	assert_int_equal(appetite__steps(guess, 872, PLAN_NO_MOST, &v, &n), 0);
	/* Every two pages below the curve, and its three points. */
	assert_int_equal(n, 64 + 3);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(v[i].size, 872 + 2 * i);
		assert_true(fabs(v[i].cost - 2000 * (1 + .04 * (128 - 2 * i))) < 1e-6);
	}
	assert_true(v[64].size == 1000 && v[64].cost == 2000);
	assert_true(v[66].size == 1030 && fabs(v[66].cost - 600) < 1e-9);
	free(v);
	/* Closer to the curve than there are steps. */
	assert_int_equal(appetite__steps(guess, 990, 1000, &v, &n), 0);
	assert_int_equal(v[0].size, 990);
	assert_int_equal(v[n - 1].size, 1000);
	free(v);
	appetite__free(a);
	appetite__free(guess);
}

static void test_refused(void **state)
{
	struct curve_point p[] = {{0, 1, 1, 0}, {5, 0, 1, 0}};
	struct appetite_opts o = {
		.sz = sizeof(o), .points = p, .n = 2, .accesses = 1, .latency = 1, .weight = 1};
	struct appetite *a;

	assert_int_equal(appetite__new(&a, &o), 0);
	appetite__free(a);
	o.weight = 0;
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	o.weight = 1;
	o.latency = NAN;
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	o.latency = 1;
	o.n = 0;
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	o.n = 2;
	p[1].size = 0;
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	p[1].size = 5;
	p[1].error = -1;
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	p[1] = (struct curve_point){5, -1, 1, 0};
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	p[1] = (struct curve_point){5, 0, INFINITY, 0};
	assert_int_equal(appetite__new(&a, &o), -EINVAL);
	assert_null(a);
}

/* --- on curves at random --- */

#define POINTS 12

static struct appetite *make_random(struct random *r, __u64 *end)
{
	struct curve_point p[POINTS];
	size_t n = 1 + random__below(r, POINTS);
	__u64 size = random__below(r, 3);

	for (size_t i = 0; i < n; i++) {
		p[i] = (struct curve_point){size, random__unit(r) * 100, 100,
					    random__one_in(r, 3) ? random__unit(r) / 4 : 0};
		size += 1 + random__below(r, 9);
	}
	*end = 50 + size;
	return make(p, n, 50, false);
}

static void test_properties(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 2000; i++) {
		__u64 end, baseline = 45 + random__below(&r, 60), from;
		struct appetite *a = make_random(&r, &end);
		struct assurance s = {baseline, random__unit(&r) / 2, random__unit(&r) * 500};
		struct appetite_loss before, now;
		struct appetite_slower slower;
		struct plan_step *v;
		size_t n;

		/* Never rising, and in order. */
		appetite__at(a, appetite__known_from(a), &before);
		for (__u64 pages = appetite__known_from(a); pages < end + 9; pages++) {
			appetite__at(a, pages, &now);
			assert_true(now.known && now.ratio.lower <= now.ratio.guess + 1e-12 &&
				    now.ratio.guess <= now.ratio.upper + 1e-12);
			assert_true(now.ratio.upper <= before.ratio.upper);
			assert_true(now.ratio.lower <= before.ratio.lower);
			before = now;
		}
		/* From there on it is kept; a page less breaks it. */
		from = appetite__assured_from(a, &s);
		assert_true(from <= baseline);
		appetite__slower(a, baseline, from, &slower);
		assert_true(slower.ratio <= s.max_ratio && slower.lost <= s.max_lost);
		appetite__slower(a, baseline, from - 1, &slower);
		assert_true(slower.ratio > s.max_ratio || slower.lost > s.max_lost);
		/* Steps are the upper ends at each size. */
		assert_int_equal(appetite__steps(a, 0, PLAN_NO_MOST, &v, &n), 0);
		for (__u64 pages = v[0].size, k = 0; pages < end + 9; pages++) {
			while (k + 1 < n && v[k + 1].size <= pages)
				k++;
			appetite__at(a, pages, &now);
			assert_true(fabs(v[k].cost - 2 * now.lost.upper) < 1e-9);
		}
		free(v);
		appetite__free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at),	 cmocka_unit_test(test_guess),
		cmocka_unit_test(test_monotone), cmocka_unit_test(test_assurance),
		cmocka_unit_test(test_unknown),	 cmocka_unit_test(test_steps),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_properties),
		cmocka_unit_test(test_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
