// SPDX-License-Identifier: GPL-2.0
/* Intervals of a stream: they lie side by side, add up to the whole, and silence is told of once.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/mrc.h"
#include "../../analysis/recent.h"
#include "../../analysis/size.h"
#include "random.h"

#define PAGES 40
#define ACCESSES 1000

static const __u64 sizes[] = {0, 1, 3, 10, 25, PAGES};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* A stream on its way, and what was told of it. */
struct run {
	struct recent *recent;
	struct mrc *mrc;
	struct curve_window *twin; /* of the same past; NULL: none */
	bool refs, in_a_gap;
	__u64 every, start;
	__u64 time[ACCESSES];
	__u64 told;    /* up to here, since the start */
	__u64 counted; /* accesses */
	double misses[SIZES];
	int told_last; /* intervals */
	int stop_after;
};

static int take_sums(void *ctx, struct curve_sums *out)
{
	struct run *run = ctx;

	return mrc__sums(run->mrc, out);
}

static __u64 accesses_within(const struct run *run, __u64 from, __u64 to, bool last)
{
	__u64 n = 0;

	if (run->refs)
		return to - from;
	for (int i = 0; i < ACCESSES; i++) {
		__u64 t = run->time[i] - run->start;

		n += t >= from && (t < to || (last && t == to));
	}
	return n;
}

static void check_twin(struct run *run, const struct interval *i)
{
	const __u64 last = run->time[ACCESSES - 1], now = run->start + i->to;
	struct curve_point points[SIZES];

	assert_int_equal(curve_window__step(run->twin, run->mrc, now < last ? now : last), 0);
	assert_int_equal(curve_window__curve(run->twin, run->mrc, now < last ? now : last, points),
			 0);
	assert_memory_equal(points, i->curve, sizeof(points));
}

static int on_interval(void *ctx, const struct interval *i)
{
	struct run *run = ctx;
	bool last = i->to % run->every;

	assert_int_equal(i->refs, run->refs);
	assert_int_equal(i->from, run->told);
	assert_true(i->to > i->from);
	assert_int_equal(i->from % run->every, 0);
	run->told = i->to;
	if (!i->curve) {
		/* Two in a row would be one. */
		assert_false(run->in_a_gap);
		run->in_a_gap = true;
		assert_int_equal(accesses_within(run, i->from, i->to, last), 0);
		return 0;
	}
	run->in_a_gap = false;
	assert_true(i->to - i->from <= run->every);
	assert_int_equal(i->references, accesses_within(run, i->from, i->to, last));
	assert_true(i->references > 0);
	run->counted += i->references;
	for (size_t k = 0; k < SIZES; k++) {
		run->misses[k] += i->curve[k].misses;
		assert_true(run->twin || i->curve[k].accesses == i->references);
	}
	if (run->twin)
		check_twin(run, i);
	return ++run->told_last == run->stop_after ? -ECANCELED : 0;
}

static void begin(struct run *run, struct past past, __u64 every, bool refs)
{
	const struct mrc_opts mrc_opts = {.sz = sizeof(mrc_opts)};
	const struct recent_opts opts = {
		.past = past,
		.every = {every, refs},
		.start = {.ns = refs ? 0 : run->start},
		.first = {.ns = refs ? 0 : run->start},
		.sizes = sizes,
		.nr_sizes = SIZES,
		.sums = take_sums,
		.interval = on_interval,
		.ctx = run,
	};
	const struct curve_window_opts twin = {
		.sz = sizeof(twin),
		.window = past.window.n,
		.half_life = past.half_life.n,
		.start = run->start,
		.sizes = sizes,
		.nr_sizes = SIZES,
	};

	run->every = every;
	run->refs = refs;
	run->mrc = mrc__new(&mrc_opts);
	run->recent = recent__new(&opts);
	run->twin = past__limited(&past) ? curve_window__new(&twin) : NULL;
	assert_non_null(run->mrc);
	assert_non_null(run->recent);
}

static int end(struct run *run, int err)
{
	recent__free(run->recent);
	curve_window__free(run->twin);
	mrc__free(run->mrc);
	return err;
}

static int feed(struct run *run, struct random *r)
{
	int err = 0;

	for (__u64 i = 0; i < ACCESSES && !err; i++) {
		const struct moment now = {.ns = run->time[i], .refs = i};
		const __u64 page = random__zipf(r, PAGES, 0.8);

		err = recent__pass(run->recent, now);
		assert_true(err || recent__due(run->recent) > (run->refs ? i : run->time[i]));
		if (run->twin)
			assert_int_equal(curve_window__step(run->twin, run->mrc, run->time[i]), 0);
		assert_int_equal(mrc__access(run->mrc, &page, 1), 0);
	}
	return err ?: recent__end(run->recent, (struct moment){run->time[ACCESSES - 1], ACCESSES});
}

static void make_times(struct run *run, struct random *r)
{
	__u64 now = random__one_in(r, 2) ? 0 : random__next(r) >> 8, pace = 1 + random__below(r, 9);

	run->start = now;
	for (int i = 0; i < ACCESSES; i++) {
		run->time[i] = now;
		now += random__one_in(r, 60) ? random__below(r, 100000) : random__below(r, pace);
	}
}

static void check_whole(const struct run *run)
{
	struct curve_point points[SIZES];

	assert_int_equal(run->counted, ACCESSES);
	assert_int_equal(mrc__curve(run->mrc, sizes, SIZES, points), 0);
	for (size_t k = 0; k < SIZES; k++)
		assert_true(points[k].misses == run->misses[k]);
}

static void test_intervals(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 200; i++) {
		struct run run = {0};
		__u64 last;

		make_times(&run, &r);
		begin(&run, (struct past){0}, 1 + random__below(&r, 300), random__one_in(&r, 3));
		assert_int_equal(feed(&run, &r), 0);
		check_whole(&run);
		last = run.refs ? ACCESSES : run.time[ACCESSES - 1] - run.start;
		assert_in_range(run.told, last, last + 1);
		end(&run, 0);
	}
}

/* Intervals of windows: each has the curve of the window that ends with it. */
static void test_windows(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 100; i++) {
		struct run run = {0};
		struct past past = {.window.n = 1 + random__below(&r, 3000)};

		make_times(&run, &r);
		begin(&run, past, 1 + random__below(&r, 300), false);
		assert_int_equal(feed(&run, &r), 0);
		assert_int_equal(run.counted, ACCESSES);
		end(&run, 0);
	}
}

static void test_stop(void **state)
{
	struct random r = {random__seed()};
	struct run run = {.stop_after = 2};

	for (int i = 0; i < ACCESSES; i++)
		run.time[i] = i;
	begin(&run, (struct past){0}, 100, false);
	assert_int_equal(end(&run, feed(&run, &r)), -ECANCELED);
	assert_int_equal(run.told_last, 2);
	assert_int_equal(run.counted, 200);
}

/* Nothing comes: there is nothing to tell of. */
static void test_nothing(void **state)
{
	struct run run = {0};

	begin(&run, (struct past){0}, 100, false);
	assert_int_equal(recent__end(run.recent, (struct moment){0}), 0);
	assert_int_equal(run.told_last, 0);
	assert_int_equal(recent__due(run.recent), 100);
	end(&run, 0);
	recent__free(NULL);
}

/* --- sizes --- */

static void test_grid(void **state)
{
	__u64 grid[2 + 8 * 36];
	size_t n = size__grid(8, 36, grid), powers = 0;

	assert_in_range(n, 100, 2 + 8 * 36);
	assert_int_equal(grid[0], 0);
	assert_int_equal(grid[n - 1], 1ULL << 36);
	for (size_t i = 1; i < n; i++) {
		assert_true(grid[i] > grid[i - 1]);
		assert_true(grid[i] - grid[i - 1] <= 1 + grid[i - 1] / 8);
		powers += !(grid[i] & (grid[i] - 1));
	}
	assert_int_equal(powers, 37);
	assert_int_equal(size__grid(4, 1, grid), 3);
	assert_int_equal(size__grid(1, 3, grid), 5);
	assert_int_equal(grid[4], 8);
}

static void test_flat(void **state)
{
	struct curve_point p[] = {
		{0, 10, 10, 0}, {1, 8, 10, 0}, {2, 5, 10, 0}, {4, 5, 10, 0}, {8, 5, 10, 0}};

	assert_int_equal(recent__until_flat(p, 5), 3);
	assert_int_equal(recent__until_flat(p, 3), 3);
	assert_int_equal(recent__until_flat(p, 1), 1);
	assert_int_equal(recent__until_flat(p + 2, 3), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals), cmocka_unit_test(test_windows),
		cmocka_unit_test(test_stop),	  cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_grid),	  cmocka_unit_test(test_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
