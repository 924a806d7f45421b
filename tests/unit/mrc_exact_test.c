// SPDX-License-Identifier: GPL-2.0
/* Exact miss curves against a list, and which options there are. */
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
#include "lru_model.h"
#include "random.h"
#include "trace_shapes.h"

#define CASES 400
#define MAX_REFS 5000
#define MAX_PAGES 2500

/* What the list says of a trace. */
struct expected {
	__u64 refs, cold, end;	 /* end: one more than the largest distance */
	__u64 reuses[MAX_PAGES]; /* by distance */
};

static struct expected *expect(const __u64 *pages, size_t n)
{
	struct expected *e = calloc(1, sizeof(*e));
	struct lru_model list = {0};

	e->refs = n;
	for (size_t i = 0; i < n; i++) {
		__u64 d = lru_model__touch(&list, pages[i]);

		if (d == LRU_MODEL_COLD) {
			e->cold++;
			continue;
		}
		assert_true(d < MAX_PAGES);
		e->reuses[d]++;
		e->end = d >= e->end ? d + 1 : e->end;
	}
	lru_model__free(&list);
	return e;
}

/* --- comparing --- */

#define SIZES (MAX_PAGES + 4)

/* All there are, and beyond. */
static void check_curve(const struct mrc *m, const struct expected *e)
{
	static struct curve_point got[SIZES];
	static __u64 sizes[SIZES];
	double misses = e->refs;

	for (__u64 i = 0; i < SIZES; i++)
		sizes[i] = i;
	sizes[SIZES - 2] = 1ULL << 40;
	sizes[SIZES - 1] = ~0ULL;
	assert_int_equal(mrc__curve(m, sizes, SIZES, got), 0);
	for (int i = 0; i < SIZES; i++) {
		assert_true(got[i].size == sizes[i] && got[i].error == 0);
		assert_true(got[i].accesses == e->refs);
		if (got[i].misses != misses)
			fail_msg("size %llu: %g misses, not %g", sizes[i], got[i].misses, misses);
		assert_true(curve_point__ratio(&got[i]) == (e->refs ? misses / e->refs : 0));
		misses -= i < MAX_PAGES ? e->reuses[i] : 0;
	}
}

static void check_counts(const struct mrc *m, const struct expected *e)
{
	struct mrc_counts c;

	mrc__counts(m, &c);
	assert_true(c.cold == e->cold && c.rate == 1 && c.bytes > 0);
	assert_int_equal(c.accesses, e->refs);
	assert_int_equal(c.samples, e->refs);
	assert_int_equal(c.tracked, e->cold);
	assert_int_equal(mrc__max_distance(m), e->end);
}

static void check_reuse(const struct mrc *m, const struct expected *e, struct random *r)
{
	assert_true(mrc__reuse(m, 0, ~0ULL) == e->refs - e->cold);
	for (int i = 0; i < 20; i++) {
		__u64 lo = random__below(r, MAX_PAGES), hi = random__below(r, MAX_PAGES + 1);
		double sum = 0;

		for (__u64 d = lo; d < hi; d++)
			sum += e->reuses[d];
		assert_true(mrc__reuse(m, lo, hi) == sum);
		assert_true(mrc__reuse(m, lo, lo) == 0);
	}
}

static struct mrc *exact(void)
{
	const struct mrc_opts opts = {.sz = sizeof(opts)};
	struct mrc *m = mrc__new(&opts);

	assert_non_null(m);
	return m;
}

/* In pieces of any length, down to none. */
static void feed(struct mrc *m, const __u64 *pages, size_t n, struct random *r)
{
	while (n) {
		size_t some = random__below(r, random__one_in(r, 3) ? 3000 : 50);

		some = some < n ? some : n;
		assert_int_equal(mrc__access(m, pages, some), 0);
		pages += some;
		n -= some;
	}
}

static void check_trace(const __u64 *pages, size_t n, struct random *r)
{
	struct expected *e = expect(pages, n), *half = expect(pages, n / 2);
	struct mrc *m = exact();

	feed(m, pages, n / 2, r);
	check_counts(m, half);
	check_curve(m, half);
	feed(m, pages + n / 2, n - n / 2, r);
	check_counts(m, e);
	check_curve(m, e);
	check_reuse(m, e, r);
	mrc__free(m);
	free(e);
	free(half);
}

/* --- the tests --- */

/* Numbers small, huge, far apart. */
static void renumber(struct random *r, __u64 *pages, size_t n)
{
	__u64 first = random__one_in(r, 2) ? 0 : ~0ULL - random__below(r, MAX_PAGES);
	__u64 step = random__one_in(r, 2) ? 1 : random__next(r) | 1;

	for (size_t i = 0; i < n; i++)
		pages[i] = first + pages[i] * step;
}

static void test_random_traces(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < CASES; i++) {
		size_t n = random__below(&r, i % 10 ? 600 : MAX_REFS);
		__u64 most = i % 3 ? 100 : MAX_PAGES - 1;
		__u64 *pages = malloc(n * sizeof(*pages));

		trace_shape__fill(i % SHAPES, &r, 1 + random__below(&r, most), pages, n);
		renumber(&r, pages, n);
		check_trace(pages, n, &r);
		free(pages);
	}
}

#define CHECK(...)                                                                                 \
	do {                                                                                       \
		const __u64 pages[] = {__VA_ARGS__};                                               \
		check_trace(pages, sizeof(pages) / sizeof(pages[0]), &(struct random){1});         \
	} while (0)

static void test_by_hand(void **state)
{
	check_trace(&(__u64){0}, 0, &(struct random){1});
	CHECK(0);
	CHECK(7);
	CHECK(~0ULL);
	CHECK(0, 0);
	CHECK(~0ULL, ~0ULL, ~0ULL);
	CHECK(0, ~0ULL, 0, ~0ULL);
	CHECK(1, 2, 3, 3, 2, 1, 1, 2, 3);
	CHECK(1ULL << 63, 0, 1, 1ULL << 32, 1ULL << 63, 1);
}

static void test_one_page(void **state)
{
	static __u64 pages[MAX_REFS];

	check_trace(pages, MAX_REFS, &(struct random){1});
	memset(pages, 0xff, sizeof(pages));
	check_trace(pages, MAX_REFS, &(struct random){1});
}

static void test_empty(void **state)
{
	const __u64 sizes[] = {0, 1, ~0ULL};
	struct curve_point p[3];
	struct mrc *m = exact();

	assert_int_equal(mrc__access(m, NULL, 0), 0);
	assert_int_equal(mrc__curve(m, NULL, 0, NULL), 0);
	assert_int_equal(mrc__curve(m, sizes, 3, p), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(p[i].misses == 0 && p[i].accesses == 0 && p[i].error == 0);
		assert_true(curve_point__ratio(&p[i]) == 0);
	}
	assert_int_equal(mrc__max_distance(m), 0);
	assert_true(mrc__reuse(m, 0, ~0ULL) == 0);
	mrc__free(m);
	mrc__free(NULL);
}

/* --detail is of no use when all is followed, and changes nothing. */
static void test_detail_of_exact(void **state)
{
	const struct mrc_opts opts = {.sz = sizeof(opts), .rate = 1, .detail = 1, .seed = 5};
	static __u64 pages[MAX_REFS];
	struct expected *e;
	struct mrc *m = mrc__new(&opts);

	trace_shape__fill(SHAPE_ZIPF, &(struct random){1}, 500, pages, MAX_REFS);
	e = expect(pages, MAX_REFS);
	assert_int_equal(mrc__access(m, pages, MAX_REFS), 0);
	check_curve(m, e);
	check_counts(m, e);
	mrc__free(m);
	free(e);
}

/* --- options --- */

static void refused(struct mrc_opts o)
{
	o.sz = sizeof(o);
	errno = 0;
	assert_null(mrc__new(&o));
	assert_int_equal(errno, EINVAL);
}

static void accepted(struct mrc_opts o)
{
	struct mrc *m;

	o.sz = o.sz ?: sizeof(o);
	m = mrc__new(&o);
	assert_non_null(m);
	mrc__free(m);
}

static void test_wrong_options(void **state)
{
	static const double rates[] = {-1, -1e-300, 1.0000001, 2, NAN, INFINITY, -INFINITY};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		refused((struct mrc_opts){.rate = rates[i]});
	refused((struct mrc_opts){.rate = 0x1p-33});
	refused((struct mrc_opts){.rate = 1e-300});
	for (__u64 n = 1; n < 64; n++)
		refused((struct mrc_opts){.max_pages = n});
	refused((struct mrc_opts){.rate = 0.5, .max_pages = 63});
	refused((struct mrc_opts){.detail = -1});
	refused((struct mrc_opts){.detail = NAN});
	refused((struct mrc_opts){.detail = INFINITY});
}

static void test_options(void **state)
{
	accepted((struct mrc_opts){.rate = 0x1p-32});
	accepted((struct mrc_opts){.rate = nextafter(1, 0)});
	accepted((struct mrc_opts){.max_pages = 64});
	accepted((struct mrc_opts){.max_pages = ~0ULL});
	accepted((struct mrc_opts){.rate = 1e-3, .detail = 1e-9});
	accepted((struct mrc_opts){.rate = 1e-3, .detail = 1e9});
}

/* Options that a program was not built with are not looked at. */
static void test_short_options(void **state)
{
	struct mrc_opts o = {.sz = offsetof(struct mrc_opts, max_pages),
			     .rate = 0.25,
			     .max_pages = 1,
			     .detail = NAN};
	struct mrc_counts c;
	struct mrc *m;

	accepted(o);
	m = mrc__new(&o);
	mrc__counts(m, &c);
	assert_true(c.rate == 0.25);
	mrc__free(m);
	o.sz = offsetof(struct mrc_opts, rate);
	o.rate = NAN;
	accepted(o);
	/* And of a later version, those that are not known here. */
	o = (struct mrc_opts){.sz = sizeof(o) + 64, .rate = 0.25};
	accepted(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),	      cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_empty),	      cmocka_unit_test(test_random_traces),
		cmocka_unit_test(test_wrong_options), cmocka_unit_test(test_options),
		cmocka_unit_test(test_short_options), cmocka_unit_test(test_detail_of_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
