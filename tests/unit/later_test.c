// SPDX-License-Identifier: GPL-2.0
/* What is to be told again later: all of it, one to two ticks on, whole runs as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../loader/later.h"
#include "random.h"

#define PAGES 500

static void expect_due(const struct later *l, size_t i, __u64 page, __u64 end)
{
	assert_true(i < l->due.n);
	assert_int_equal(l->due.range[i].page, page);
	assert_int_equal(l->due.range[i].end, end);
}

static void test_told_once(void **state)
{
	struct later l = {};

	assert_true(later__is_empty(&l));
	later__tick(&l);
	assert_int_equal(l.due.n, 0);
	later__add(&l, 7, 9);
	assert_false(later__is_empty(&l));
	/* It may have come right before this one. */
	later__tick(&l);
	assert_int_equal(l.due.n, 0);
	assert_false(later__is_empty(&l));
	later__tick(&l);
	assert_int_equal(l.due.n, 1);
	expect_due(&l, 0, 7, 9);
	assert_true(later__is_empty(&l));
	later__tick(&l);
	assert_int_equal(l.due.n, 0);
}

/* Up or down, a page at a time or overlapping. */
static void test_runs(void **state)
{
	struct later l = {};

	for (__u64 p = 0; p < 1000; p++)
		later__add(&l, p, p + 1);
	for (__u64 p = 5000; p > 4000; p--)
		later__add(&l, p - 1, p + 1);
	later__add(&l, 9000, 9010);
	later__tick(&l);
	later__tick(&l);
	assert_int_equal(l.due.n, 3);
	expect_due(&l, 0, 0, 1000);
	expect_due(&l, 1, 4000, 5001);
	expect_due(&l, 2, 9000, 9010);
}

static void expect_all_due(const struct later *l, const unsigned char *added)
{
	unsigned char due[PAGES] = {};

	for (size_t i = 0; i < l->due.n; i++) {
		const struct page_range *r = &l->due.range[i];

		assert_true(r->page < r->end);
		assert_true(r->end <= PAGES);
		memset(due + r->page, 1, r->end - r->page);
	}
	for (int p = 0; p < PAGES; p++)
		assert_true(due[p] >= added[p]);
}

static void add_some(struct later *l, struct random *r, unsigned char *added)
{
	size_t n = random__below(r, 3 * LATER_RANGES);

	memset(added, 0, PAGES);
	for (size_t i = 0; i < n; i++) {
		__u64 page = random__below(r, PAGES), count = 1 + random__below(r, 5);

		if (page + count > PAGES)
			count = PAGES - page;
		later__add(l, page, page + count);
		memset(added + page, 1, count);
	}
}

/* What came before a tick is told at the one after it. */
static void test_nothing_is_forgotten(void **state)
{
	struct random r = {random__seed()};
	unsigned char added[2][PAGES] = {};
	struct later l = {};

	for (int round = 0; round < 2000; round++) {
		later__tick(&l);
		expect_all_due(&l, added[round % 2]);
		add_some(&l, &r, added[round % 2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_nothing_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
