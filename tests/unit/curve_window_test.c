// SPDX-License-Identifier: GPL-2.0
/* Curves of the recent past against a list that knows the time of each access. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../analysis/hvanalysis.h"
#include "random.h"
#include "skips.h"
#include "trace_shapes.h"

#define PAGES 48
#define ACCESSES 500
#define COLD (~0ULL)

static const __u64 sizes[] = {0, 1, 2, 5, 17, 30, PAGES};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* A stream with its times, and how far apart each page's accesses are. */
struct stream {
	__u64 page[ACCESSES], time[ACCESSES], distance[ACCESSES];
	__u64 list[PAGES];
	size_t listed;
};

static __u64 to_front(struct stream *s, __u64 page)
{
	size_t at = 0;

	while (at < s->listed && s->list[at] != page)
		at++;
	if (at == s->listed)
		s->listed++;
	memmove(s->list + 1, s->list, (at < PAGES ? at : PAGES - 1) * sizeof(s->list[0]));
	s->list[0] = page;
	return at;
}

/* Times stand still, go on, and jump further than any window. */
static void make_stream(struct stream *s, struct random *r, __u64 start)
{
	__u64 now = start, pace = 1 + random__below(r, 20);

	s->listed = 0;
	trace_shape__fill(random__below(r, SHAPES), r, PAGES, s->page, ACCESSES);
	for (int i = 0; i < ACCESSES; i++) {
		size_t known = s->listed;

		s->distance[i] = to_front(s, s->page[i]);
		if (s->listed > known)
			s->distance[i] = COLD;
		s->time[i] = now;
		now += random__one_in(r, 100) ? random__below(r, 2000) : random__below(r, pace);
	}
}

static struct curve_window *new_window(__u64 window, __u64 half_life, __u64 start)
{
	const struct curve_window_opts opts = {
		.sz = sizeof(opts),
		.window = window,
		.half_life = half_life,
		.start = start,
		.sizes = sizes,
		.nr_sizes = SIZES,
	};
	struct curve_window *w = curve_window__new(&opts);

	assert_non_null(w);
	return w;
}

static struct mrc *new_mrc(void)
{
	const struct mrc_opts opts = {.sz = sizeof(opts)};
	struct mrc *m = mrc__new(&opts);

	assert_non_null(m);
	return m;
}

static __u64 step_of(__u64 span)
{
	return (span + 15) / 16;
}

/* Where a window that ends now begins, on the grid of its steps. */
static __u64 begin_of(__u64 now, __u64 window, __u64 start)
{
	__u64 step = step_of(window);

	return now - start > window ? start + (now - window - start) / step * step : start;
}

static void check_window(const struct stream *s, int n, __u64 window, const struct curve_point *p)
{
	__u64 begin = begin_of(s->time[n - 1], window, s->time[0]);

	for (size_t k = 0; k < SIZES; k++) {
		double accesses = 0, misses = 0;

		for (int i = n - 1; i >= 0 && s->time[i] >= begin; i--) {
			accesses++;
			misses += s->distance[i] >= sizes[k];
		}
		assert_int_equal(p[k].size, sizes[k]);
		assert_true(p[k].accesses == accesses && p[k].misses == misses);
		assert_true(p[k].error == 0);
	}
}

/* The window is asked for behind each access, and steps wherever it is due. */
static void one_window(struct random *r, __u64 start)
{
	__u64 window = 1 + random__below(r, random__one_in(r, 2) ? 40 : 1000);
	struct curve_window *w = new_window(window, 0, start);
	struct mrc *m = new_mrc();
	struct curve_point points[SIZES];
	struct stream s;

	make_stream(&s, r, start);
	for (int i = 0; i < ACCESSES; i++) {
		if (s.time[i] >= curve_window__due(w))
			assert_int_equal(curve_window__step(w, m, s.time[i]), 0);
		assert_true(curve_window__due(w) > s.time[i]);
		assert_int_equal(mrc__access(m, &s.page[i], 1), 0);
		/* More often than it is due is as good. */
		assert_int_equal(curve_window__step(w, m, s.time[i]), 0);
		assert_int_equal(curve_window__curve(w, m, s.time[i], points), 0);
		check_window(&s, i + 1, window, points);
	}
	curve_window__free(w);
	mrc__free(m);
}

static void test_window(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 300; i++)
		one_window(&r, random__one_in(&r, 2) ? 0 : random__next(&r) >> 8);
}

/* Each access as old as the end of its step: half the weight a half-life ago. The truth is less, by
 * a step at most. */
static void check_faded(const struct stream *s, int n, __u64 half_life, __u64 start,
			const struct curve_point *p)
{
	__u64 now = s->time[n - 1], step = step_of(half_life);

	for (size_t k = 0; k < SIZES; k++) {
		double accesses = 0, misses = 0, truth = 0;

		for (int i = 0; i < n; i++) {
			__u64 end = start + ((s->time[i] - start) / step + 1) * step;
			double weight = end <= now ? exp2(-(double)(now - end) / half_life) : 1;

			accesses += weight;
			misses += s->distance[i] >= sizes[k] ? weight : 0;
			truth += exp2(-(double)(now - s->time[i]) / half_life);
		}
		assert_true(fabs(p[k].accesses - accesses) < 1e-9 * n);
		assert_true(fabs(p[k].misses - misses) < 1e-9 * n);
		assert_true(p[k].accesses > truth * (1 - 1e-9));
		assert_true(p[k].accesses < truth * exp2((double)step / half_life) * (1 + 1e-9));
	}
}

static void one_half_life(struct random *r, __u64 start)
{
	__u64 half_life = 1 + random__below(r, random__one_in(r, 2) ? 40 : 1000);
	struct curve_window *w = new_window(0, half_life, start);
	struct mrc *m = new_mrc();
	struct curve_point points[SIZES];
	struct stream s;

	make_stream(&s, r, start);
	for (int i = 0; i < ACCESSES; i++) {
		assert_int_equal(curve_window__step(w, m, s.time[i]), 0);
		assert_int_equal(mrc__access(m, &s.page[i], 1), 0);
		if (i % 7)
			continue;
		assert_int_equal(curve_window__curve(w, m, s.time[i], points), 0);
		check_faded(&s, i + 1, half_life, start, points);
	}
	curve_window__free(w);
	mrc__free(m);
}

static void test_half_life(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 60; i++)
		one_half_life(&r, random__one_in(&r, 2) ? 0 : random__next(&r) >> 8);
}

/* Long after the last access a window is empty, and next to nothing is left of what faded. */
static void test_silence(void **state)
{
	struct curve_window *w = new_window(100, 0, 0), *h = new_window(0, 100, 0);
	struct mrc *m = new_mrc();
	struct curve_point points[SIZES];
	const __u64 page = 7;

	assert_int_equal(curve_window__curve(w, m, 50, points), 0);
	assert_true(points[0].accesses == 0 && curve_point__ratio(&points[0]) == 0);
	assert_int_equal(mrc__access(m, &page, 1), 0);
	assert_int_equal(curve_window__curve(w, m, 100, points), 0);
	assert_true(points[0].accesses == 1);
	/* Whether a step is made or not. */
	for (__u64 now = 107; now <= 10000; now += 9893) {
		assert_int_equal(curve_window__curve(w, m, now, points), 0);
		assert_true(points[0].accesses == 0 && points[1].misses == 0);
	}
	assert_int_equal(curve_window__curve(h, m, 7 + 300, points), 0);
	assert_true(points[0].accesses == 0.125);
	for (int asked_twice = 0; asked_twice < 2; asked_twice++) {
		assert_int_equal(curve_window__step(w, m, 10000), 0);
		assert_int_equal(curve_window__curve(w, m, 10000, points), 0);
		assert_true(points[0].accesses == 0 && points[1].misses == 0);
	}
	assert_int_equal(curve_window__step(h, m, 10000), 0);
	assert_int_equal(curve_window__curve(h, m, 10000, points), 0);
	assert_true(points[0].accesses > 0 && points[0].accesses < 1e-20);
	assert_true(curve_point__ratio(&points[1]) == 1);
	curve_window__free(w);
	curve_window__free(h);
	mrc__free(m);
}

static void refuse(struct curve_window_opts opts)
{
	opts.sz = sizeof(opts);
	errno = 0;
	assert_null(curve_window__new(&opts));
	assert_int_equal(errno, EINVAL);
}

static void test_options(void **state)
{
	struct curve_window *w;

	refuse((struct curve_window_opts){.sizes = sizes, .nr_sizes = SIZES});
	refuse((struct curve_window_opts){
		.window = 1, .half_life = 1, .sizes = sizes, .nr_sizes = SIZES});
	refuse((struct curve_window_opts){.window = 1});
	w = new_window(~0ULL, 0, 0);
	assert_true(curve_window__due(w) == 1ULL << 60);
	curve_window__free(w);
	w = new_window(1, 0, 5);
	assert_true(curve_window__due(w) == 6);
	curve_window__free(w);
	curve_window__free(NULL);
}

/* --- no memory --- */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

#define MUCH 8192 /* sizes: each snapshot is a mapping of its own */

/* A window of 160 references to one page, at many sizes. */
struct large {
	struct curve_window *w;
	struct mrc *m;
	struct curve_point *points;
	struct rlimit some, none;
	int left_out;
};

static struct curve_window *large_window(void)
{
	static __u64 many[MUCH];
	const struct curve_window_opts opts = {
		.sz = sizeof(opts), .window = 160, .sizes = many, .nr_sizes = MUCH};

	for (int i = 0; i < MUCH; i++)
		many[i] = i;
	return curve_window__new(&opts);
}

static bool has_addresses(void)
{
	void *p = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		munmap(p, 64 << 20);
	return p != MAP_FAILED;
}

/* Addresses are limited to none, and there again afterwards. 0, or what is wrong. */
static int step_without(struct large *l, __u64 now)
{
	int err, wrong = 0;

	if (setrlimit(RLIMIT_AS, &l->none))
		return 1;
	/* An emulator may take no notice. */
	if (has_addresses())
		return 77;
	err = curve_window__step(l->w, l->m, now);
	l->left_out += err != 0;
	if ((err && err != -ENOMEM) || large_window())
		wrong = 2;
	return setrlimit(RLIMIT_AS, &l->some) ? 3 : wrong;
}

/* Whatever was left out: at least the window, and in the end no more than a step more. */
static int check_large(struct large *l, __u64 now)
{
	const __u64 page = 3;

	if (mrc__access(l->m, &page, 1) || curve_window__curve(l->w, l->m, now, l->points))
		return 4;
	if (l->points[0].accesses < (now < 160 ? now + 1 : 160) ||
	    (now == 399 && l->points[0].accesses > 171))
		return 5;
	return 0;
}

/* In a process of its own. */
static int with_no_addresses(void)
{
	struct large l = {.w = large_window(), .m = new_mrc()};
	int wrong = 0;

	l.points = calloc(MUCH, sizeof(*l.points));
	if (!l.w || !l.points || getrlimit(RLIMIT_AS, &l.some))
		return 6;
	l.none.rlim_max = l.some.rlim_max;
	for (__u64 now = 0; now < 400 && !wrong; now++) {
		if (now >= 50 && now < 110)
			wrong = step_without(&l, now);
		else if (curve_window__step(l.w, l.m, now))
			wrong = 7;
		wrong = wrong ?: check_large(&l, now);
	}
	return wrong ?: l.left_out ? 0 : 8;
}

static void test_no_memory(void **state)
{
	int status;
	pid_t pid;

#ifdef SANITIZED
	print_message(
		"left to the build without the address sanitizer, which needs all addresses\n");
	return;
#endif
	pid = fork();
	if (!pid)
		_exit(with_no_addresses());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		because("RLIMIT_AS has no effect here");
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- sampled --- */

#define MANY 60000
#define FOOTPRINT 20000

static const __u64 large[] = {64, 256, 1024, 2048, 4096, 8192, 12000};
#define LARGE (sizeof(large) / sizeof(large[0]))

/* A sampled stream and its window, beside one that is exact. */
struct pair {
	struct mrc *m[2];
	struct curve_window *w[2];
};

static void feed_pair(struct pair *p, const __u64 *pages, __u64 n)
{
	for (__u64 i = 0; i < n; i++)
		for (int k = 0; k < 2; k++) {
			assert_int_equal(curve_window__step(p->w[k], p->m[k], i), 0);
			assert_int_equal(mrc__access(p->m[k], pages + i, 1), 0);
		}
}

/* How many points of the sampled window have the exact one within their error. */
static int covered(struct mrc_opts opts, struct curve_window_opts window, const __u64 *pages)
{
	struct mrc_opts exact = {.sz = sizeof(exact)};
	struct pair p = {.m = {mrc__new(&opts), mrc__new(&exact)},
			 .w = {curve_window__new(&window), curve_window__new(&window)}};
	struct curve_point points[2][LARGE];
	int good = 0;

	feed_pair(&p, pages, MANY);
	for (int k = 0; k < 2; k++)
		assert_int_equal(curve_window__curve(p.w[k], p.m[k], MANY, points[k]), 0);
	for (size_t i = 0; i < LARGE; i++) {
		double off = curve_point__ratio(&points[0][i]) - curve_point__ratio(&points[1][i]);

		assert_true(points[0][i].error > 0 && points[0][i].error <= 1);
		assert_true(fabs(points[0][i].accesses - points[1][i].accesses) <
			    1e-6 * points[1][i].accesses);
		good += fabs(off) <= points[0][i].error;
	}
	for (int k = 0; k < 2; k++) {
		curve_window__free(p.w[k]);
		mrc__free(p.m[k]);
	}
	return good;
}

/* Errors cover the truth nearly always, whatever is sampled, and also where the rate falls on the
 * way. Chance has its part in this: by default it is the same each time. */
static void cover(const struct mrc_opts *opts, const struct curve_window_opts *window)
{
	struct random r = {random__seed_or(20)};
	__u64 *pages = calloc(MANY, sizeof(*pages));
	int good = 0, all = 0;

	assert_non_null(pages);
	for (int i = 0; i < 3 * SHAPES; i++) {
		struct mrc_opts o = *opts;

		o.sz = sizeof(o);
		o.seed = random__next(&r);
		trace_shape__fill(i % SHAPES, &r, FOOTPRINT, pages, MANY);
		good += covered(o, *window, pages);
		all += LARGE;
	}
	free(pages);
	printf("%d of %d points covered\n", good, all);
	assert_true(good >= 0.85 * all);
}

static const struct curve_window_opts window = {
	.sz = sizeof(window), .window = MANY / 4, .sizes = large, .nr_sizes = LARGE};
static const struct curve_window_opts half_life = {
	.sz = sizeof(half_life), .half_life = MANY / 8, .sizes = large, .nr_sizes = LARGE};

static void test_fixed_rate(void **state)
{
	const struct mrc_opts opts = {.rate = 0.1};

	cover(&opts, &window);
	cover(&opts, &half_life);
}

static void test_falling_rate(void **state)
{
	const struct mrc_opts opts = {.max_pages = 1024};

	cover(&opts, &window);
	cover(&opts, &half_life);
}

static void test_detail(void **state)
{
	const struct mrc_opts fixed = {.rate = 0.02, .detail = 4};
	const struct mrc_opts falling = {.max_pages = 512, .detail = 4};

	cover(&fixed, &window);
	cover(&falling, &window);
	cover(&falling, &half_life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),	   cmocka_unit_test(test_half_life),
		cmocka_unit_test(test_silence),	   cmocka_unit_test(test_options),
		cmocka_unit_test(test_fixed_rate), cmocka_unit_test(test_falling_rate),
		cmocka_unit_test(test_detail),	   cmocka_unit_test(test_no_memory),
	};

	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
