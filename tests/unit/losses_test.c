// SPDX-License-Identifier: GPL-2.0
/* What a VM was seen to miss, kept for a time, and what a plan makes of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/plan/losses.h"
#include "random.h"

static const struct losses_price price = {.miss = 0.1, .trial = 5, .step = 20};

/* A loop over so many pages: all of it misses, or nothing. */
static double loop(void *ctx, __u64 pages)
{
	return pages < *(__u64 *)ctx ? 1000 : 0;
}

static void close_to(double a, double b)
{
	assert_true(fabs(a - b) < 1e-9);
}

static void known_upwards(void **state)
{
	struct losses *l = losses__new(10, 60);
	__u64 set = 150;
	double misses;

	assert_false(losses__at(l, 100, 0, &misses));
	assert_int_equal(losses__known_from(l, 100, 0), 100);
	assert_int_equal(losses__see(l, 100, 200, loop, &set, 5), 0);
	assert_true(losses__at(l, 100, 6, &misses));
	close_to(misses, 1000);
	assert_true(losses__at(l, 150, 6, &misses));
	close_to(misses, 0);
	assert_false(losses__at(l, 90, 6, &misses));
	assert_false(losses__at(l, 220, 6, &misses));
	assert_int_equal(losses__known_from(l, 100, 6), 100);
	losses__free(l);
}

/* It grew by 50 pages since, and misses nothing now: but it would. */
static void remembers(void **state)
{
	struct losses *l = losses__new(10, 60);
	__u64 set = 150;
	double misses;

	losses__see(l, 100, 200, loop, &set, 0);
	losses__see(l, 150, 200, loop, &set, 50);
	assert_int_equal(losses__known_from(l, 150, 50), 100);
	close_to(losses__cost(l, 140, 150, &price, 50), 100);
	close_to(losses__cost(l, 100, 150, &price, 50), 100);
	/* Below that, two trials. */
	close_to(losses__cost(l, 60, 150, &price, 50), 110);
	close_to(losses__cost(l, 150, 150, &price, 50), 0);
	/* For a minute only. */
	assert_true(losses__at(l, 140, 60, &misses));
	assert_false(losses__at(l, 140, 61, &misses));
	assert_int_equal(losses__known_from(l, 150, 61), 150);
	close_to(losses__cost(l, 140, 150, &price, 61), 2.5);
	losses__free(l);
}

/* Of two times at which it was seen the worse one counts; what is forgotten does not. */
static void seen_twice(void **state)
{
	struct losses *l = losses__new(10, 60);
	struct plan_step *steps;
	__u64 set = 190;
	size_t n;

	losses__see(l, 100, 200, loop, &set, 0);
	set = 0;
	losses__see(l, 100, 150, loop, &set, 50);
	close_to(losses__cost(l, 100, 180, &price, 50), 100);
	close_to(losses__cost(l, 100, 150, &price, 50), 0);
	close_to(losses__cost(l, 180, 150, &price, 50), 100);
	close_to(losses__cost(l, 180, 150, &price, 61), 0);
	assert_int_equal(losses__steps(l, 100, 200, 150, &price, 61, &steps, &n), 0);
	assert_int_equal(n, 1);
	close_to(steps[0].cost, 0);
	free(steps);
	losses__free(l);
}

static void not_in_granules(void **state)
{
	struct losses *l = losses__new(16, 60);
	__u64 set = 150;
	double misses;

	losses__see(l, 101, 203, loop, &set, 0);
	assert_true(losses__at(l, 101, 0, &misses));
	close_to(misses, 1000);
	assert_true(losses__at(l, 203, 0, &misses));
	close_to(losses__cost(l, 101, 101, &price, 0), 100);
	losses__free(l);
	l = losses__new(16, 60);
	losses__see(l, 110, 200, loop, &set, 0);
	assert_int_equal(losses__known_from(l, 110, 0), 110);
	losses__free(l);
}

static void steps_of_a_plan(void **state)
{
	struct losses *l = losses__new(10, 60);
	struct plan_step *steps;
	__u64 set = 150;
	size_t n;

	losses__see(l, 100, 200, loop, &set, 0);
	assert_int_equal(losses__steps(l, 80, 200, 100, &price, 0, &steps, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(steps[0].size, 80);
	close_to(steps[0].cost, 105);
	assert_int_equal(steps[1].size, 90);
	close_to(steps[1].cost, 102.5);
	assert_int_equal(steps[2].size, 100);
	close_to(steps[2].cost, 100);
	assert_int_equal(steps[3].size, 150);
	close_to(steps[3].cost, 0);
	free(steps);
	/* One size, and nothing known at all. */
	assert_int_equal(losses__steps(l, 130, 130, 130, &price, 0, &steps, &n), 0);
	assert_int_equal(n, 1);
	free(steps);
	losses__free(l);
}

struct fall {
	double most, half; /* misses, and pages at which it is half of that */
};

static double falling(void *ctx, __u64 pages)
{
	const struct fall *f = ctx;

	return f->most * f->half / (f->half + pages);
}

/* From where on. */
static __u64 see_at_random(struct random *r, struct losses *l, double time)
{
	struct fall f = {random__below(r, 1000), 1 + random__below(r, 300)};
	__u64 from = random__below(r, 300);

	assert_int_equal(losses__see(l, from, 400, falling, &f, time), 0);
	return from;
}

/* A plan's steps say of each size what it costs, whatever was seen when, and is forgotten. */
static void steps_are_costs(void **state)
{
	struct random r = {random__seed()};

	for (int round = 0; round < 1000; round++) {
		struct losses *l = losses__new(10, 60);
		__u64 least = random__below(&r, 200), most = least + random__below(&r, 200);
		__u64 now = 0;
		double time = random__below(&r, 90);
		struct plan_step *steps;
		size_t n;

		for (double at = 0; at <= time; at += 20)
			now = see_at_random(&r, l, at) + random__below(&r, 100);
		assert_int_equal(losses__steps(l, least, most, now, &price, time, &steps, &n), 0);
		assert_int_equal(steps[0].size, least);
		for (__u64 size = least, k = 0; size <= most; size += 10) {
			while (k + 1 < n && steps[k + 1].size <= size)
				k++;
			close_to(steps[k].cost, losses__cost(l, size, now, &price, time));
		}
		for (size_t k = 1; k < n; k++)
			assert_true(steps[k].cost < steps[k - 1].cost);
		free(steps);
		losses__free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_upwards),   cmocka_unit_test(remembers),
		cmocka_unit_test(seen_twice),	   cmocka_unit_test(not_in_granules),
		cmocka_unit_test(steps_of_a_plan), cmocka_unit_test(steps_are_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
