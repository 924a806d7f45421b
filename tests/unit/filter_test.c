// SPDX-License-Identifier: GPL-2.0
/* Which references are in a sample: on every code path, by the plain rule. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/filter.h"
#include "../../analysis/sample.h"
#include "random.h"

#define REFS 1024

struct sampled {
	size_t found;
	__u64 *hashes, *lots;
};

/* As large as they are, so that the sanitizer sees a look beyond. */
static struct sampled room_for(size_t n)
{
	return (struct sampled){.hashes = malloc(n * sizeof(__u64)),
				.lots = malloc(n * sizeof(__u64))};
}

static void free_room(struct sampled *s)
{
	free(s->hashes);
	free(s->lots);
}

static void expect(const struct filter *f, const __u64 *pages, size_t n, struct sampled *s)
{
	for (size_t i = 0; i < n; i++) {
		__u64 lot = sample__lot(pages[i], f->key), moved = lot + f->offset;

		if (moved > f->threshold)
			continue;
		s->hashes[s->found] = sample__hash(pages[i], f->key);
		s->lots[s->found++] = lot;
	}
}

static void check(struct filter f, const __u64 *pages, size_t n)
{
	struct sampled want = room_for(n), got = room_for(n);
	__u64 *in = malloc(n * sizeof(*in));

	expect(&f, pages, n, &want);
	if (n)
		memcpy(in, pages, n * sizeof(*in));
	for (int isa = 0; isa <= (int)filter__best(); isa++) {
		f.isa = isa;
		assert_int_equal(filter__apply(&f, in, n, got.hashes, got.lots), want.found);
		if (!want.found)
			continue;
		assert_memory_equal(got.hashes, want.hashes, want.found * sizeof(__u64));
		assert_memory_equal(got.lots, want.lots, want.found * sizeof(__u64));
	}
	free(in);
	free_room(&want);
	free_room(&got);
}

static void test_isa(void **state)
{
	assert_in_range(filter__best(), FILTER_PORTABLE, FILTER_ISAS - 1);
	for (int isa = 0; isa < FILTER_ISAS; isa++)
		printf("code path %d: %s\n", isa,
		       isa <= (int)filter__best() ? "tested" : "not on this CPU");
}

static void random_pages(struct random *r, __u64 *pages)
{
	for (int i = 0; i < REFS; i++)
		pages[i] = random__one_in(r, 2) ? random__next(r) : random__below(r, 100);
	pages[1] = 0;
	pages[2] = ~0ULL;
}

static void test_all_lengths(void **state)
{
	static const __u64 thresholds[] = {0, 1, ~0ULL / 1000, ~0ULL / 3, ~0ULL / 2 + 1, ~0ULL};
	struct random r = {random__seed()};
	__u64 pages[REFS];

	random_pages(&r, pages);
	for (size_t n = 0; n < 70; n++)
		for (size_t t = 0; t < sizeof(thresholds) / sizeof(thresholds[0]); t++)
			check((struct filter){.key = random__next(&r), .threshold = thresholds[t]},
			      pages + n % 8, n);
}

static void test_offsets(void **state)
{
	static const __u64 offsets[] = {0, 1, ~0ULL, 1ULL << 63, ~0ULL / 3};
	struct random r = {random__seed()};
	__u64 pages[REFS];

	for (int i = 0; i < 200; i++) {
		__u64 offset = i < 50 ? offsets[i % 5] : random__next(&r);
		__u64 threshold = i % 7 ? random__next(&r) >> random__below(&r, 12) : ~0ULL;

		random_pages(&r, pages);
		check((struct filter){random__next(&r), offset, threshold, 0}, pages, REFS);
	}
}

/* On both sides of the threshold, and where lot + offset wraps. */
static void test_edges(void **state)
{
	struct random r = {random__seed()};
	__u64 pages[REFS], hashes[REFS], lots[REFS];

	random_pages(&r, pages);
	for (int i = 0; i < 500; i++) {
		struct filter f = {.key = random__next(&r), .isa = filter__best()};
		__u64 lot = sample__lot(pages[i], f.key);

		f.threshold = lot;
		check(f, pages, 16 + i);
		assert_int_equal(filter__apply(&f, pages + i, 1, hashes, lots), 1);
		f.threshold = lot - 1;
		assert_int_equal(filter__apply(&f, pages + i, 1, hashes, lots), 0);
		f.threshold = 0;
		f.offset = -lot;
		check(f, pages, 16 + i);
		assert_int_equal(filter__apply(&f, pages + i, 1, hashes, lots), 1);
		f.offset = -lot - 1;
		assert_int_equal(filter__apply(&f, pages + i, 1, hashes, lots), 0);
	}
}

/* The share of the pages is the rate, near 1 and far from it. */
static void test_rate(void **state)
{
	static const double rates[] = {1, 0.9999, 0.999, 0.97, 0.75, 0.51, 0.5, 0.34, 0.1, 0.001};
	struct random r = {random__seed_or(1)};
	__u64 pages[REFS], hashes[REFS], lots[REFS];
	double n = 1000 * REFS;

	for (size_t k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
		struct filter f = {.key = sample__key(random__next(&r)),
				   .threshold = sample__threshold(rates[k]),
				   .isa = filter__best()};
		double found = 0;

		for (int i = 0; i < 1000; i++) {
			for (int j = 0; j < REFS; j++)
				pages[j] = i * REFS + j;
			found += filter__apply(&f, pages, REFS, hashes, lots);
		}
		assert_float_equal(found, n * rates[k],
				   4 * sqrt(n * rates[k] * (1 - rates[k])) + 0.1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isa),	cmocka_unit_test(test_all_lengths),
		cmocka_unit_test(test_offsets), cmocka_unit_test(test_edges),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
