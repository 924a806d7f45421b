// SPDX-License-Identifier: GPL-2.0
/* What became of accesses, exact and sampled, against a list of them. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/reuse_histogram.h"
#include "../../cache/lru_stack.h"
#include "random.h"

#define ACCESSES 4000
#define SIZES 12

enum outcome { COLD, REUSED, UNSEEN, OUTCOMES };

struct access {
	enum outcome outcome;
	struct reuse reuse;
	__u64 distance; /* or its bound */
};

struct fixture {
	struct memory memory;
	struct reuse_histogram *h;
	struct access list[ACCESSES];
	int n;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	memory__init(&f->memory, 0);
	f->h = reuse_histogram__new(&f->memory);
	assert_non_null(f->h);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	reuse_histogram__free(f->h);
	assert_int_equal(f->memory.used, 0);
	free(f);
	return 0;
}

static int count(struct reuse_histogram *h, const struct access *a)
{
	switch (a->outcome) {
	case COLD:
		return reuse_histogram__cold(h, &a->reuse);
	case REUSED:
		return reuse_histogram__reused(h, &a->reuse, a->distance);
	default:
		return reuse_histogram__unseen(h, &a->reuse, a->distance);
	}
}

static void put(struct fixture *f, struct access a)
{
	assert_int_equal(count(f->h, &a), 0);
	f->list[f->n++] = a;
}

/* As many as there is room for, at rates of 1 and below. */
static void put_many(struct fixture *f, struct random *r, bool exact, bool sampled)
{
	static const double rates[] = {0.999, 0.5, 0.25, 0.01};

	while (f->n < ACCESSES) {
		struct access a = {.outcome = random__below(r, OUTCOMES),
				   .distance = random__below(r, 1000) >> random__below(r, 10)};
		bool all = exact && (!sampled || random__one_in(r, 2));

		a.reuse.rate = all ? 1 : rates[random__below(r, 4)];
		a.reuse.group = random__below(r, ESTIMATE_GROUPS);
		put(f, a);
	}
}

/* --- the list --- */

/* In pages. */
static double distance_of(const struct access *a)
{
	return floor((a->distance + (1 - a->reuse.rate) / 2) / a->reuse.rate);
}

/* How much of an access counts as a miss: distances between two sizes by halves. */
static double is_miss(const struct access *a, double size)
{
	if (a->outcome == COLD || size <= 0)
		return 1;
	if (a->outcome == UNSEEN)
		return distance_of(a) >= size ? 0.5 : 0;
	return distance_of(a) >= size;
}

static double misses(const struct fixture *f, double size, bool sampled, int group)
{
	double sum = 0;

	for (int i = 0; i < f->n; i++) {
		const struct access *a = &f->list[i];

		if (sampled != (a->reuse.rate < 1) || (group >= 0 && (int)a->reuse.group != group))
			continue;
		sum += is_miss(a, size) / a->reuse.rate;
	}
	return sum;
}

static double accesses(const struct fixture *f, enum outcome o)
{
	double sum = 0;

	for (int i = 0; i < f->n; i++)
		if (o == OUTCOMES || f->list[i].outcome == o)
			sum += 1 / f->list[i].reuse.rate;
	return sum;
}

/* --- comparing --- */

static void about(double got, double want, double tolerance)
{
	tolerance += 1e-12 * want * (tolerance > 0);
	if (fabs(got - want) > tolerance)
		fail_msg("%f, not %f +- %f", got, want, tolerance);
}

/* Sampled counts lie in buckets: between the list's a bucket's width to either side. */
static void between(double got, double low, double high)
{
	if (got < low - 1e-6 || got > high + 1e-6)
		fail_msg("%f, not %f to %f", got, low, high);
}

static void check_groups(const struct fixture *f, const struct reuse_misses *m, double size)
{
	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		between(m->group[g], misses(f, size * (1 + 1.0 / 16) + 1, true, g),
			misses(f, size * (1 - 1.0 / 16) - 1, true, g));
}

static void check_size(const struct fixture *f, const struct reuse_misses *m, double size,
		       double off)
{
	double wide = size * (1 + 1.0 / 256) + 1, narrow = fmax(size * (1 - 1.0 / 256) - 1, 0.5);

	if (size <= 0) {
		about(m->exact, misses(f, 0, false, -1), 0);
		about(m->sampled, misses(f, 0, true, -1), 1e-6);
		assert_true(m->fewer == m->sampled && m->more == m->sampled && m->unseen == 0);
		return;
	}
	between(m->exact, misses(f, wide, false, -1), misses(f, narrow, false, -1));
	between(m->sampled, misses(f, wide, true, -1), misses(f, narrow, true, -1));
	between(m->more, misses(f, (size + off) * (1 + 1.0 / 256) + 1, true, -1), m->sampled);
	assert_true(m->fewer >= m->sampled);
	check_groups(f, m, size);
}

static void check_misses(const struct fixture *f)
{
	const double size[SIZES] = {0, 1, 2, 3, 5, 20, 100, 777, 1000, 20000, 120000, 1e18};
	struct reuse_misses m[SIZES];
	double off[SIZES];

	for (int i = 0; i < SIZES; i++)
		off[i] = sqrt(size[i]);
	assert_int_equal(reuse_histogram__misses(f->h, size, off, 1, SIZES, m), 0);
	for (int i = 0; i < SIZES; i++)
		check_size(f, &m[i], size[i], off[i]);
	about(m[SIZES - 1].exact + m[SIZES - 1].sampled, accesses(f, COLD), 1e-6);
}

static void check_sums(const struct fixture *f)
{
	double groups = 0, cold = 0;
	__u64 samples = 0;

	for (int i = 0; i < f->n; i++)
		samples += f->list[i].reuse.rate < 1;
	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		groups += reuse_histogram__group_accesses(f->h, g);
		cold += reuse_histogram__group_cold(f->h, g);
		about(reuse_histogram__group_accesses(f->h, g), misses(f, 0, true, g), 1e-6);
	}
	about(reuse_histogram__accesses(f->h), accesses(f, OUTCOMES), 1e-6);
	about(reuse_histogram__cold_misses(f->h), accesses(f, COLD), 1e-6);
	about(reuse_histogram__exact_accesses(f->h), misses(f, 0, false, -1), 0);
	about(reuse_histogram__exact_accesses(f->h) + groups, accesses(f, OUTCOMES), 1e-6);
	about(reuse_histogram__exact_cold(f->h) + cold, accesses(f, COLD), 1e-6);
	about(reuse_histogram__reused_from(f->h, 0), accesses(f, REUSED), 1e-6);
	assert_int_equal(reuse_histogram__samples(f->h), samples);
}

static void check_ends(const struct fixture *f)
{
	double reused = -1, unseen = -1;

	for (int i = 0; i < f->n; i++) {
		const struct access *a = &f->list[i];

		if (a->outcome == REUSED)
			reused = fmax(reused, distance_of(a));
		if (a->outcome == UNSEEN)
			unseen = fmax(unseen, distance_of(a));
	}
	between(reuse_histogram__reused_end(f->h), reused + 1, (reused + 1) * (1 + 1.0 / 512));
	between(reuse_histogram__unseen_end(f->h), unseen + 1, (unseen + 1) * (1 + 1.0 / 128) + 1);
}

/* --- the tests --- */

static void test_empty(void **state)
{
	struct fixture *f = *state;

	check_misses(f);
	check_sums(f);
	assert_int_equal(reuse_histogram__reused_end(f->h), 0);
	assert_int_equal(reuse_histogram__unseen_end(f->h), 0);
	reuse_histogram__prefetch(f->h, 123456789);
	reuse_histogram__free(NULL);
}

static void check_many(struct fixture *f, bool exact, bool sampled)
{
	struct random r = {random__seed()};

	put_many(f, &r, exact, sampled);
	check_misses(f);
	check_sums(f);
	check_ends(f);
}

static void test_exact(void **state)
{
	check_many(*state, true, false);
}

static void test_sampled(void **state)
{
	check_many(*state, false, true);
}

static void test_mixed(void **state)
{
	check_many(*state, true, true);
}

/* Not a range but each number: at every size, and between two. */
static void test_exact_at_each_size(void **state)
{
	struct fixture *f = *state;
	struct random r = {random__seed()};

	for (int i = 0; i < ACCESSES; i++) {
		struct access a = {.outcome = random__one_in(&r, 9) ? COLD : REUSED,
				   .reuse.rate = 1,
				   .distance = random__below(&r, 500)};

		put(f, a);
	}
	for (double size = 0; size < 510; size++) {
		double next = misses(f, size + 1, false, -1), want = misses(f, size, false, -1);
		double half = size + 0.5, zero = 0;
		struct reuse_misses m;

		assert_int_equal(reuse_histogram__misses(f->h, &size, &zero, 1, 1, &m), 0);
		assert_true(m.exact == want && m.sampled == 0 && m.unseen == 0);
		assert_int_equal(reuse_histogram__misses(f->h, &half, &zero, 1, 1, &m), 0);
		assert_true(m.exact == (size > 0 ? (want + next) / 2
						 : (accesses(f, COLD) + accesses(f, REUSED) -
						    reuse_histogram__reused_from(f->h, 0) +
						    reuse_histogram__reused_from(f->h, 0.5))));
	}
}

/* Many at once are the same as one after the other. */
static void test_exact_at_once(void **state)
{
	struct fixture *f = *state;
	struct random r = {random__seed()};
	__u32 distance[300];

	for (int i = 0; i < 300; i++) {
		struct access a = {.outcome = random__one_in(&r, 3) ? COLD : REUSED,
				   .reuse.rate = 1,
				   .distance = random__below(&r, 2000)};

		distance[i] = a.outcome == COLD ? LRU_COLD : a.distance;
		f->list[f->n++] = a;
	}
	for (int from = 0, n; from < 300; from += n) {
		n = 1 + random__below(&r, 40);
		n = n < 300 - from ? n : 300 - from;
		assert_int_equal(reuse_histogram__exact(f->h, distance + from, n, 2000), 0);
	}
	check_misses(f);
	check_sums(f);
	check_ends(f);
	assert_int_equal(reuse_histogram__exact(f->h, NULL, 0, 0), 0);
}

/* Bounds below 512 are exact; above, they are never made smaller, and by 1/256 larger at most. */
static void test_unseen(void **state)
{
	static const __u64 bounds[] = {0, 1, 255, 511, 777, 123457, 99999999, 0xffffffff};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		const double b = bounds[i];
		const double size[] = {0, b, b + 1, b + 1 + b / 100}, off[4] = {0};
		struct reuse_misses m[4];
		struct access a = {UNSEEN, {.rate = 1}, bounds[i]};

		set_up(state);
		put(*state, a);
		assert_int_equal(
			reuse_histogram__misses(((struct fixture *)*state)->h, size, off, 1, 4, m),
			0);
		assert_true(m[0].exact == 1 && m[0].unseen == 0);
		if (b > 0)
			assert_true(m[1].exact == 0.5 && m[1].unseen == 1);
		if (b < 512)
			assert_true(m[2].exact == 0 && m[2].unseen == 0);
		assert_true(m[3].exact == 0 && m[3].unseen == 0);
		tear_down(state);
	}
	set_up(state);
}

/* Of few pages distances are far: as far as numbers go. */
static void test_lowest_rates(void **state)
{
	struct fixture *f = *state;

	for (int k = 1; k <= 64; k++) {
		struct access a = {REUSED, {.rate = ldexp(1, -k), .group = k % 16}, 4000000000};

		put(f, a);
	}
	check_sums(f);
	for (int k = 1; k <= 24; k++)
		about(reuse_histogram__reused_from(f->h, ldexp(4.1e9, k)),
		      ldexp(2, 64) - ldexp(2, k), ldexp(1, 12));
	assert_true(reuse_histogram__reused_end(f->h) > 1ULL << 61);
	about(reuse_histogram__reused_from(f->h, 0x1p63), 0, 0);
}

/* Nothing is counted, and what was stays. */
static void test_no_memory(void **state)
{
	struct fixture *f = *state;
	struct access a = {REUSED, {.rate = 1}, 5}, far = {REUSED, {.rate = 1}, 1 << 20};
	__u32 distance[2] = {3, 1 << 20};

	put(f, a);
	f->memory.max = f->memory.used;
	assert_int_equal(count(f->h, &far), -ENOMEM);
	assert_int_equal(reuse_histogram__exact(f->h, distance, 2, far.distance + 1), -ENOMEM);
	put(f, a);
	check_misses(f);
	check_sums(f);
	f->memory.max = 0;
	put(f, far);
	check_misses(f);
	check_ends(f);
}

static void test_heap(void **state)
{
	struct fixture *f = *state;
	size_t empty = reuse_histogram__heap(f->h);

	put(f, (struct access){REUSED, {.rate = 1}, 5});
	assert_int_equal(reuse_histogram__heap(f->h), empty);
	put(f, (struct access){REUSED, {.rate = 0.5}, 5});
	assert_true(reuse_histogram__heap(f->h) >= empty + 512 * sizeof(double));
	assert_true(reuse_histogram__heap(f->h) < 128 << 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_exact),
		TEST(test_sampled),
		TEST(test_mixed),
		TEST(test_exact_at_each_size),
		TEST(test_exact_at_once),
		cmocka_unit_test_teardown(test_unseen, tear_down),
		TEST(test_lowest_rates),
		TEST(test_no_memory),
		TEST(test_heap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
