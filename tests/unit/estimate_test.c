// SPDX-License-Identifier: GPL-2.0
/* From the misses of some pages to those of all: by hand, at the edges, and by chance. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/estimate.h"
#include "random.h"

#define GROUPS ESTIMATE_GROUPS

struct groups {
	double misses[GROUPS], accesses[GROUPS], pages[GROUPS];
};

static struct sample sample_of(const struct groups *g, double rate)
{
	return (struct sample){.misses = g->misses, .accesses = g->accesses, .rate = rate};
}

/* Accesses of 100 and 120 by turns, misses as a share of them and some for each group. */
static void fill(struct groups *g, double share, double each)
{
	for (int i = 0; i < GROUPS; i++) {
		g->accesses[i] = i % 2 ? 120 : 100;
		g->misses[i] = share * g->accesses[i] + each;
		g->pages[i] = 10;
	}
}

/* --- by hand --- */

static void test_all_pages_are_exact(void **state)
{
	struct groups g;
	struct sample s = sample_of(&g, 1);
	struct estimate e;

	fill(&g, 0.25, 3);
	s.total_accesses = 1760;
	e = estimate__misses(&s);
	assert_true(e.misses == 440 + 48 && e.error == 0);
}

static void test_nothing_sampled(void **state)
{
	struct groups g = {0};
	struct sample s = sample_of(&g, 0.1);
	struct estimate e = estimate__misses(&s);

	assert_true(e.misses == 0 && e.error == 0);
	s.total_accesses = 5;
	e = estimate__misses(&s);
	assert_true(e.error == 1);
}

/* As many misses as the sample says. */
static void test_total_unknown(void **state)
{
	struct groups g;
	struct sample s = sample_of(&g, 0.1);
	struct estimate e;

	fill(&g, 0.25, 0);
	e = estimate__misses(&s);
	assert_float_equal(e.misses, 4400, 1e-9);
	/* All groups have the same ratio: what is left is that of few accesses. */
	assert_float_equal(e.error, 3.0 / 1760, 1e-12);
}

/* A quarter of the accesses that the sample lacks are misses, as in all groups. */
static void test_alike_groups_make_up(void **state)
{
	struct groups g;
	struct sample s = sample_of(&g, 0.1);

	fill(&g, 0.25, 0);
	s.total_accesses = 17600;
	assert_float_equal(estimate__misses(&s).misses, 4400, 1e-9);
	s.total_accesses = 17800;
	assert_float_equal(estimate__misses(&s).misses, 4450, 1e-9);
	s.total_accesses = 17400;
	assert_float_equal(estimate__misses(&s).misses, 4350, 1e-9);
}

/* Groups with more accesses have no more misses: what the sample lacks are hits. */
static void test_hot_pages_are_hits(void **state)
{
	struct groups g;
	struct sample s = sample_of(&g, 0.1);

	fill(&g, 0, 30);
	for (double total = 17000; total < 18200; total += 200) {
		s.total_accesses = total;
		assert_float_equal(estimate__misses(&s).misses, 4800, 1e-9);
	}
}

/* Of accesses far from what chance explains, twice the standard error is made up for. */
static void test_beyond_chance(void **state)
{
	double limit = 2 * sqrt(0.9 * GROUPS * 100 * GROUPS / (GROUPS - 1));
	struct groups g;
	struct sample s = sample_of(&g, 0.1);

	fill(&g, 0.25, 0);
	s.total_accesses = 30000;
	assert_float_equal(estimate__misses(&s).misses, (440 + 0.25 * limit) / 0.1, 1e-6);
	s.total_accesses = 10000;
	assert_float_equal(estimate__misses(&s).misses, (440 - 0.25 * limit) / 0.1, 1e-6);
}

/* Each page more comes with its two misses, each access more with none. */
static void test_pages_make_up(void **state)
{
	struct groups g;
	struct sample s = sample_of(&g, 0.1);
	struct estimate e;
	double sum = 0;

	for (int i = 0; i < GROUPS; i++) {
		g.accesses[i] = i % 2 ? 120 : 100;
		g.pages[i] = i / 2 % 2 ? 12 : 10;
		g.misses[i] = 2 * g.pages[i];
		sum += g.misses[i];
	}
	s.pages = g.pages;
	s.total_accesses = 17600;
	s.total_pages = 1900;
	e = estimate__misses(&s);
	assert_float_equal(e.misses, 3800, 1e-6);
	assert_float_equal(e.error, 3.0 / 1760, 1e-9);
	/* How many pages there are is known to a tenth: so are their misses. */
	s.pages_error = 190;
	e = estimate__misses(&s);
	assert_float_equal(e.error, 2.16 * 2 * 190 / 17600, 1e-9);
	/* Not known at all: as without. */
	s.total_pages = 0;
	assert_float_equal(estimate__misses(&s).misses, sum / 0.1, 1e-6);
}

/* The error is that of the groups about their line. */
static void test_error_by_hand(void **state)
{
	struct groups g;
	struct sample s = sample_of(&g, 0.2);
	double variance = 25.0 * GROUPS / (GROUPS - 2);

	fill(&g, 0, 30);
	/* Not with the accesses, which go by pairs: by fours. */
	for (int i = 0; i < GROUPS; i++)
		g.misses[i] += i / 2 % 2 ? 5 : -5;
	s.total_accesses = 1760 / 0.2;
	assert_float_equal(estimate__misses(&s).error, 2.145 * sqrt(0.8 * variance * GROUPS) / 1760,
			   1e-9);
}

/* --- at the edges --- */

static double any_number(struct random *r)
{
	static const double special[] = {0, 1, 1e-300, 0x1p100, 0x1p64, DBL_MIN, 1e-9};

	switch (random__below(r, 4)) {
	case 0:
		return special[random__below(r, 7)];
	case 1:
		return random__below(r, 5);
	case 2:
		return random__unit(r) * exp2(random__below(r, 80));
	default:
		return random__unit(r);
	}
}

static void any_groups(struct random *r, struct groups *g)
{
	bool same = random__one_in(r, 4), sparse = random__one_in(r, 3);

	*g = (struct groups){0};
	for (int i = 0; i < GROUPS; i++) {
		if (sparse && !random__one_in(r, 8))
			continue;
		g->accesses[i] = same && i ? g->accesses[0] : any_number(r);
		g->pages[i] = random__one_in(r, 2) ? any_number(r) : g->accesses[i] / 4;
		g->misses[i] = random__one_in(r, 2) ? g->accesses[i] * random__unit(r)
						    : fmin(any_number(r), g->accesses[i]);
	}
}

static void check_sane(const struct sample *s)
{
	struct estimate e = estimate__misses(s);

	assert_true(isfinite(e.misses) && e.misses >= 0);
	assert_true(e.error >= 0 && e.error <= 1);
	if (s->total_accesses > 0 && s->rate < 1) {
		assert_true(e.misses <= s->total_accesses);
		assert_true(e.error > 0);
	}
}

static void test_any_numbers(void **state)
{
	struct random r = {random__seed()};
	struct groups g;

	for (int i = 0; i < 100000; i++) {
		struct sample s;

		any_groups(&r, &g);
		s = sample_of(&g, random__unit(&r) * exp2(-(double)random__below(&r, 33)));
		s.pages = random__one_in(&r, 2) ? g.pages : NULL;
		s.total_accesses = random__one_in(&r, 3) ? 0 : any_number(&r);
		s.total_pages = random__one_in(&r, 3) ? 0 : any_number(&r);
		s.pages_error = random__one_in(&r, 3) ? 0 : any_number(&r);
		s.blind = random__unit(&r);
		if (s.rate > 0)
			check_sane(&s);
	}
}

static void test_one_group_only(void **state)
{
	for (int i = 0; i < GROUPS; i++) {
		struct groups g = {0};
		struct sample s = sample_of(&g, 0.01);

		g.accesses[i] = 50;
		g.misses[i] = 20;
		check_sane(&s);
		s.total_accesses = 5000;
		check_sane(&s);
		/* Sixteen groups, one of them with all: nearly nothing is known. */
		assert_true(estimate__misses(&s).error > 0.05);
	}
}

/* --- by chance --- */

#define PAGES 4000
#define SAMPLES 600

/* Pages with their accesses and misses. */
struct population {
	double accesses[PAGES], misses[PAGES], all_accesses, all_misses;
};

static void draw(struct random *r, const struct population *p, double rate, struct groups *g)
{
	*g = (struct groups){0};
	for (int i = 0; i < PAGES; i++) {
		int k = random__below(r, GROUPS);

		if (random__unit(r) >= rate)
			continue;
		g->accesses[k] += p->accesses[i];
		g->misses[k] += p->misses[i];
		g->pages[k]++;
	}
}

struct cover {
	double within, off; /* shares of the samples; of their misses, on average */
};

static struct cover cover(struct random *r, const struct population *p, double rate,
			  bool know_accesses, bool know_pages)
{
	struct cover c = {0};

	for (int i = 0; i < SAMPLES; i++) {
		struct groups g;
		struct sample s = sample_of(&g, rate);
		double ratio = p->all_misses / p->all_accesses, total = p->all_accesses;
		struct estimate e;

		draw(r, p, rate, &g);
		if (know_accesses)
			s.total_accesses = total;
		else
			total = 0;
		for (int k = 0; k < GROUPS && !know_accesses; k++)
			total += g.accesses[k] / rate;
		if (know_pages) {
			s.pages = g.pages;
			s.total_pages = PAGES;
		}
		e = estimate__misses(&s);
		c.within += fabs(e.misses / total - ratio) <= e.error;
		c.off += e.misses / total - ratio;
	}
	c.within /= SAMPLES;
	c.off /= SAMPLES;
	return c;
}

/* Pages with more or less as many accesses, or few with most; more or less of them misses. */
static void populate(struct random *r, struct population *p, double skew)
{
	*p = (struct population){0};
	for (int i = 0; i < PAGES; i++) {
		double n = 1 + floor(40 * pow(PAGES / (i + 1.0), skew) * random__unit(r));

		p->accesses[i] = n;
		p->misses[i] = 1 + floor((n - 1) * random__unit(r) / (1 + n / 100));
		p->all_accesses += n;
		p->all_misses += p->misses[i];
	}
}

static void check_cover(const char *name, double skew, double rate)
{
	static struct population p;
	struct random r = {random__seed_or(1)};

	populate(&r, &p, skew);
	for (int known = 0; known < 3; known++) {
		struct cover c = cover(&r, &p, rate, known >= 1, known >= 2);

		printf("%s, rate %g, %s known: %.1f %% covered, off by %+.4f\n", name, rate,
		       known > 1   ? "accesses and pages"
		       : known > 0 ? "accesses"
				   : "nothing",
		       100 * c.within, c.off);
		assert_true(c.within >= 0.90 && c.within <= 0.995);
		assert_true(fabs(c.off) < 0.01);
	}
}

static void test_even_pages(void **state)
{
	check_cover("even", 0, 0.1);
	check_cover("even", 0, 0.5);
}

static void test_skewed_pages(void **state)
{
	check_cover("skewed", 0.5, 0.1);
	check_cover("skewed", 0.5, 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_pages_are_exact),
		cmocka_unit_test(test_nothing_sampled),
		cmocka_unit_test(test_total_unknown),
		cmocka_unit_test(test_alike_groups_make_up),
		cmocka_unit_test(test_hot_pages_are_hits),
		cmocka_unit_test(test_beyond_chance),
		cmocka_unit_test(test_pages_make_up),
		cmocka_unit_test(test_error_by_hand),
		cmocka_unit_test(test_any_numbers),
		cmocka_unit_test(test_one_group_only),
		cmocka_unit_test(test_even_pages),
		cmocka_unit_test(test_skewed_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
