// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated caches against plain models of the policies, at every size, on traces of all shapes.
 * One simulation does all sizes at once and forks a cache off when its size is reached, a model
 * does one size from the start: they agree only if forking changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy_model.h"
#include "random.h"
#include "trace_shapes.h"

#define SMALL_CASES 300
#define MAX_PAGES 24
#define MAX_REFS 240
#define LARGE_CASES 2
#define LARGE_PAGES 800
#define LARGE_REFS 9000
#define MAX_SIZES 64

struct trace {
	__u64 pages[LARGE_REFS];
	size_t n;
	enum trace_shape shape;
};

static struct policy_sim *new_sim(enum policy policy, const __u64 *sizes, size_t n)
{
	const struct policy_opts opts = {
		.sz = sizeof(opts), .policy = policy, .sizes = sizes, .nr_sizes = n};
	struct policy_sim *s = policy_sim__new(&opts);

	assert_non_null(s);
	return s;
}

/* In parts of any length. */
static void feed(struct policy_sim *s, struct random *r, const __u64 *pages, size_t n)
{
	while (n) {
		size_t some = 1 + random__below(r, n);

		assert_int_equal(policy_sim__access(s, pages, some), 0);
		pages += some;
		n -= some;
	}
}

static void random_trace(struct trace *t, struct random *r, size_t pages, size_t n)
{
	/* Pages far apart, as disk pages are. */
	__u64 base = random__next(r), factor = random__next(r) | 1;

	t->n = n;
	t->shape = random__below(r, SHAPES);
	trace_shape__fill(t->shape, r, pages, t->pages, n);
	for (size_t i = 0; i < n; i++)
		t->pages[i] = t->pages[i] * factor + base;
}

static void check_against_model(const struct policy_sim *s, const struct curve_point *curve,
				enum policy policy, const struct trace *t)
{
	for (size_t i = 0; i < policy_sim__points(s); i++) {
		size_t misses = policy_model__misses(policy, curve[i].size, t->pages, t->n);

		if (curve[i].misses != misses)
			fail_msg("%s, %s, size %llu: %f misses, not %zu", policy__name(policy),
				 trace_shape__name(t->shape), curve[i].size, curve[i].misses,
				 misses);
		assert_true(curve[i].accesses == t->n);
		assert_true(curve[i].error == 0);
	}
}

static void check_case(struct random *r, const struct trace *t, const __u64 *sizes, size_t n)
{
	struct curve_point curve[POLICIES][MAX_SIZES];

	for (int p = 0; p < POLICIES; p++) {
		struct policy_sim *s = new_sim(p, sizes, n);

		feed(s, r, t->pages, t->n);
		assert_int_equal(policy_sim__points(s), n);
		assert_int_equal(policy_sim__curve(s, curve[p]), 0);
		check_against_model(s, curve[p], p, t);
		policy_sim__free(s);
	}
	for (int p = 0; p < POLICIES; p++)
		for (size_t i = 0; i < n; i++)
			assert_true(curve[POLICY_OPT][i].misses <= curve[p][i].misses);
}

static void test_every_size_is_the_model(void **state)
{
	struct random r = {random__seed()};
	__u64 sizes[MAX_PAGES + 2];
	static struct trace t;

	for (size_t i = 0; i < MAX_PAGES + 2; i++)
		sizes[i] = i + 1;
	for (int i = 0; i < SMALL_CASES; i++) {
		random_trace(&t, &r, 1 + random__below(&r, MAX_PAGES), random__below(&r, MAX_REFS));
		check_case(&r, &t, sizes, MAX_PAGES + 2);
	}
}

/* Over many batches, with state that grows and queues that go round. */
static void test_large_caches_are_the_model(void **state)
{
	const __u64 sizes[] = {1, 9, 10, 10, 11, 99, 300, 600, 799, 800, 1600, 1ULL << 60};
	struct random r = {random__seed()};
	static struct trace t;

	for (int i = 0; i < LARGE_CASES; i++) {
		random_trace(&t, &r, LARGE_PAGES, LARGE_REFS);
		check_case(&r, &t, sizes, sizeof(sizes) / sizeof(*sizes));
	}
}

static void check_chosen(const struct policy_sim *s, const struct curve_point *curve, size_t max,
			 size_t footprint)
{
	size_t n = policy_sim__points(s);

	assert_in_range(n, 1, max);
	for (size_t i = 1; i < n; i++)
		assert_true(curve[i].size > curve[i - 1].size);
	assert_int_equal(curve[n - 1].size, footprint);
	/* There are 16 steps a power of two; those of the first few are less than a page. */
	if (footprint > 512)
		assert_true(n >= (max < 64 ? max : 64) / 2);
}

static size_t footprint(const struct trace *t)
{
	return policy_model__misses(POLICY_FIFO, t->n + 1, t->pages, t->n);
}

static void test_chosen_sizes_are_the_model(void **state)
{
	struct curve_point curve[MAX_SIZES];
	struct random r = {random__seed()};
	static struct trace t;

	for (int i = 0; i < SMALL_CASES; i++) {
		size_t max = 1 + random__below(&r, MAX_SIZES);
		enum policy p = random__below(&r, POLICIES);
		struct policy_sim *s = new_sim(p, NULL, max);

		random_trace(&t, &r, 1 + random__below(&r, i % 16 ? 64 : 800),
			     1 + random__below(&r, i % 16 ? MAX_REFS : 2000));
		feed(s, &r, t.pages, t.n);
		assert_int_equal(policy_sim__curve(s, curve), 0);
		check_chosen(s, curve, max, footprint(&t));
		check_against_model(s, curve, p, &t);
		policy_sim__free(s);
	}
}

static void test_a_curve_can_be_had_any_time(void **state)
{
	const __u64 sizes[] = {2, 5, 7, 20};
	struct curve_point curve[4];
	struct random r = {random__seed()};
	static struct trace t;

	for (int p = 0; p < POLICIES; p++) {
		struct policy_sim *s = new_sim(p, sizes, 4);
		struct trace part = {0};

		random_trace(&t, &r, 15, MAX_REFS);
		part = t;
		for (part.n = 0; part.n < t.n; part.n++) {
			assert_int_equal(policy_sim__curve(s, curve), 0);
			check_against_model(s, curve, p, &part);
			assert_int_equal(policy_sim__access(s, t.pages + part.n, 1), 0);
		}
		policy_sim__free(s);
	}
}

/* Reuse distances give the same for all sizes at once. */
static void test_lru_is_the_reuse_distances(void **state)
{
	const struct mrc_opts opts = {.sz = sizeof(opts)};
	struct curve_point distances[MAX_PAGES], curve[MAX_PAGES];
	struct random r = {random__seed()};
	__u64 sizes[MAX_PAGES];
	static struct trace t;

	for (size_t i = 0; i < MAX_PAGES; i++)
		sizes[i] = 1 + i * LARGE_PAGES / MAX_PAGES;
	for (int i = 0; i < SHAPES; i++) {
		struct policy_sim *s = new_sim(POLICY_LRU, sizes, MAX_PAGES);
		struct mrc *m = mrc__new(&opts);

		assert_non_null(m);
		random_trace(&t, &r, LARGE_PAGES, LARGE_REFS);
		feed(s, &r, t.pages, t.n);
		assert_int_equal(mrc__access(m, t.pages, t.n), 0);
		assert_int_equal(policy_sim__curve(s, curve), 0);
		assert_int_equal(mrc__curve(m, sizes, MAX_PAGES, distances), 0);
		assert_memory_equal(curve, distances, sizeof(curve));
		policy_sim__free(s);
		mrc__free(m);
	}
}

static void test_nothing_referenced(void **state)
{
	const __u64 sizes[] = {1, 2};
	struct curve_point curve[2];

	for (int p = 0; p < POLICIES; p++) {
		struct policy_sim *given = new_sim(p, sizes, 2), *chosen = new_sim(p, NULL, 2);

		assert_int_equal(policy_sim__curve(given, curve), 0);
		assert_true(curve_point__ratio(&curve[1]) == 0);
		assert_int_equal(policy_sim__points(chosen), 1);
		assert_int_equal(policy_sim__curve(chosen, curve), 0);
		assert_true(curve[0].size == 0 && curve[0].misses == 0);
		policy_sim__free(given);
		policy_sim__free(chosen);
	}
}

static void refuse(struct policy_opts opts)
{
	errno = 0;
	assert_null(policy_sim__new(&opts));
	assert_int_equal(errno, EINVAL);
}

static void test_bad_options(void **state)
{
	const __u64 zero[] = {0, 1}, descending[] = {2, 1}, fine[] = {1, 2};
	const struct policy_opts opts = {.sz = sizeof(opts), .sizes = fine, .nr_sizes = 2};
	struct policy_opts bad = opts;

	bad.sz = 0;
	refuse(bad);
	bad.sz = sizeof(bad) + 8;
	refuse(bad);
	bad = opts;
	bad.policy = POLICIES;
	refuse(bad);
	bad = opts;
	bad.nr_sizes = 0;
	refuse(bad);
	bad = opts;
	bad.sizes = zero;
	refuse(bad);
	bad.sizes = descending;
	refuse(bad);
	for (int i = 0; i < 4; i++) {
		bad = opts;
		bad.rate = (double[]){-0.1, 1.1, 0x1p-33, __builtin_nan("")}[i];
		refuse(bad);
	}
	errno = 0;
	assert_null(policy_sim__new(NULL));
	assert_int_equal(errno, EINVAL);
	policy_sim__free(NULL);
}

static void test_names(void **state)
{
	enum policy p = POLICIES;

	for (int i = 0; i < POLICIES; i++) {
		assert_int_equal(policy__parse(policy__name(i), &p), 0);
		assert_int_equal(p, i);
	}
	assert_int_equal(policy__parse("mru", &p), -EINVAL);
	assert_int_equal(policy__parse("", &p), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size_is_the_model),
		cmocka_unit_test(test_large_caches_are_the_model),
		cmocka_unit_test(test_chosen_sizes_are_the_model),
		cmocka_unit_test(test_a_curve_can_be_had_any_time),
		cmocka_unit_test(test_lru_is_the_reuse_distances),
		cmocka_unit_test(test_nothing_referenced),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
