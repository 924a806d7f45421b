// SPDX-License-Identifier: GPL-2.0
/*
 * What the errors of sampled miss curves promise: over many samples of many traces, the exact
 * curve lies within them at 90 to 99 % of the points.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/hvanalysis.h"
#include "../../bpf/page_event.h"
#include "random.h"
#include "trace_shapes.h"

#define PAGES 20000
#define MAX_REFS 1000000
#define REFS 200000
#define TRACES 3 /* of each kind */
#define SAMPLES 7
#define SIZES 12 /* of each scale */

static __u64 trace[MAX_REFS];

/* --- traces --- */

enum kind { ZIPF_06, ZIPF_09, ZIPF_11, UNIFORM, LOOP, SCANS, PHASES, KINDS };

static const char *const kind_names[KINDS] = {"zipf 0.6", "zipf 0.9", "zipf 1.1", "uniform",
					      "loop",	  "scans",    "phases"};

static void fill_zipf(struct random *r, double exponent, int refs)
{
	for (int i = 0; i < refs; i++)
		trace[i] = random__zipf(r, PAGES, exponent);
}

static void fill_shape(struct random *r, enum kind kind, int refs)
{
	static const enum trace_shape shapes[KINDS] = {[UNIFORM] = SHAPE_UNIFORM,
						       [LOOP] = SHAPE_LOOP,
						       [SCANS] = SHAPE_SCANS,
						       [PHASES] = SHAPE_PHASES};

	switch (kind) {
	case ZIPF_06:
		return fill_zipf(r, 0.6, refs);
	case ZIPF_09:
		return fill_zipf(r, 0.9, refs);
	case ZIPF_11:
		return fill_zipf(r, 1.1, refs);
	default:
		trace_shape__fill(shapes[kind], r, PAGES, trace, refs);
	}
}

/* A sample has its share of each neighbourhood: neighbours that are alike, pages that are anywhere,
 * and the stride that pe_lot() likes least. */
static void fill(struct random *r, enum kind kind, int refs, int t)
{
	fill_shape(r, kind, refs);
	for (int i = 0; i < refs; i++)
		trace[i] = t % 3 == 0	? trace[i]
			   : t % 3 == 1 ? pe_hash(trace[i], 1)
					: trace[i] * 233;
}

/* --- curves --- */

struct curves {
	struct curve_point even[SIZES], logarithmic[SIZES];
};

/* Up to all pages; logarithmic from 16 on. */
static void take_curves(const struct mrc *m, struct curves *out)
{
	__u64 even[SIZES], logarithmic[SIZES];

	for (int i = 0; i < SIZES; i++) {
		even[i] = PAGES * (i + 1) / SIZES;
		logarithmic[i] = 16 * pow(PAGES / 16.0, i / (SIZES - 1.0));
	}
	assert_int_equal(mrc__curve(m, even, SIZES, out->even), 0);
	assert_int_equal(mrc__curve(m, logarithmic, SIZES, out->logarithmic), 0);
}

static void run(const struct mrc_opts *opts, int refs, struct curves *out)
{
	struct mrc *m = mrc__new(opts);

	assert_non_null(m);
	assert_int_equal(mrc__access(m, trace, refs), 0);
	take_curves(m, out);
	mrc__free(m);
}

/* --- points whose interval has the exact ratio, of all --- */

struct cover {
	int points, within;
	double off, error; /* sums */
};

static void compare(struct cover *c, const struct curve_point *exact,
		    const struct curve_point *sampled)
{
	for (int i = 0; i < SIZES; i++) {
		double off = curve_point__ratio(&exact[i]) - curve_point__ratio(&sampled[i]);

		assert_true(exact[i].error == 0);
		assert_true(fabs(sampled[i].accesses - exact[i].accesses) < 1e-3);
		assert_true(sampled[i].error > 0 && sampled[i].error <= 1);
		c->within += fabs(off) <= sampled[i].error;
		c->off += fabs(off);
		c->error += sampled[i].error;
		c->points++;
	}
}

struct covers {
	struct cover even, logarithmic;
};

static void add(struct cover *to, const struct cover *c)
{
	to->points += c->points;
	to->within += c->within;
}

static double share(const struct cover *c)
{
	return 100.0 * c->within / c->points;
}

/* What is looked at, and how often. */
struct plan {
	struct mrc_opts opts;
	int refs, traces, samples;
};

static void cover_trace(struct random *r, const struct plan *p, enum kind kind, int t,
			struct covers *c)
{
	struct mrc_opts opts = {.sz = sizeof(opts)};
	struct curves exact, sampled;

	fill(r, kind, p->refs, t);
	run(&opts, p->refs, &exact);
	opts = p->opts;
	opts.sz = sizeof(opts);
	for (int i = 0; i < p->samples; i++) {
		opts.seed = random__next(r);
		run(&opts, p->refs, &sampled);
		compare(&c->even, exact.even, sampled.even);
		compare(&c->logarithmic, exact.logarithmic, sampled.logarithmic);
	}
}

static void tell(enum kind kind, const struct covers *c)
{
	const struct cover *e = &c->even, *l = &c->logarithmic;

	printf("  %-9s even %5.1f %%, off %.4f, error %.4f; log %5.1f %%, off %.4f, error %.4f\n",
	       kind_names[kind], share(e), e->off / e->points, e->error / e->points, share(l),
	       l->off / l->points, l->error / l->points);
}

/* Samples of one trace have much in common: each kind gets more room than all together. */
static void check(const char *name, const struct plan *p)
{
	struct random r = {random__seed_or(1)};
	struct cover all = {0};

	printf("%s:\n", name);
	for (int kind = 0; kind < KINDS; kind++) {
		struct covers c = {0};

		for (int t = 0; t < p->traces; t++)
			cover_trace(&r, p, kind, t, &c);
		tell(kind, &c);
		/* Few traces and samples of each: they have much in common. */
		assert_true(share(&c.even) >= 60 && share(&c.logarithmic) >= 60);
		add(&all, &c.even);
		add(&all, &c.logarithmic);
	}
	printf("  all %.1f %%\n", share(&all));
	assert_true(share(&all) >= 90 && share(&all) <= 99);
}

static void check_plain(const char *name, struct mrc_opts opts)
{
	check(name, &(struct plan){opts, REFS, TRACES, SAMPLES});
}

/* Takes as many windows as there is time for: long traces. */
static void check_detail(const char *name, struct mrc_opts opts)
{
	check(name, &(struct plan){opts, MAX_REFS, TRACES, 2});
}

static void test_tenth(void **state)
{
	check_plain("1/10", (struct mrc_opts){.rate = 0.1});
}

static void test_tenth_detail(void **state)
{
	check_detail("1/10, detail", (struct mrc_opts){.rate = 0.1, .detail = 4});
}

static void test_hundredth(void **state)
{
	check_plain("1/100", (struct mrc_opts){.rate = 0.01});
}

static void test_hundredth_detail(void **state)
{
	check_detail("1/100, detail", (struct mrc_opts){.rate = 0.01, .detail = 20});
}

static void test_bound(void **state)
{
	check_plain("1000 pages", (struct mrc_opts){.max_pages = 1000});
}

static void test_bound_detail(void **state)
{
	check_detail("1000 pages, detail", (struct mrc_opts){.max_pages = 1000, .detail = 4});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tenth),	  cmocka_unit_test(test_tenth_detail),
		cmocka_unit_test(test_hundredth), cmocka_unit_test(test_hundredth_detail),
		cmocka_unit_test(test_bound),	  cmocka_unit_test(test_bound_detail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
