// SPDX-License-Identifier: GPL-2.0
/* Bounce buffers: no page is handed out twice, and all of them can be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/serve/bounce.h"
#include "random.h"

struct run {
	char *at;
	unsigned n;
};

static struct memory memory;

static int set_up(void **state)
{
	static struct bounce b;

	memory__init(&memory, 0);
	*state = &b;
	return bounce__init(&b, &memory);
}

static int tear_down(void **state)
{
	bounce__free(*state, &memory);
	return 0;
}

static void test_all_of_it(void **state)
{
	char *run[BOUNCE_WORDS];

	for (int i = 0; i < BOUNCE_WORDS; i++) {
		run[i] = bounce__take(*state, BOUNCE_RUN);
		assert_non_null(run[i]);
		memset(run[i], i, BOUNCE_RUN * 4096);
	}
	assert_null(bounce__take(*state, 1));
	bounce__give(*state, run[3], BOUNCE_RUN);
	assert_ptr_equal(bounce__take(*state, 1), run[3]);
	assert_ptr_equal(bounce__take(*state, BOUNCE_RUN - 1), run[3] + 4096);
	for (int i = 0; i < BOUNCE_WORDS; i++)
		assert_int_equal(run[i][4096 * 5], i);
}

/* A run that fits into a gap is found, wherever it is; one that does not is not. */
static void test_gaps(void **state)
{
	struct bounce *b = *state;

	for (unsigned n = 1; n <= BOUNCE_RUN; n++) {
		for (unsigned at = 0; at + n <= BOUNCE_RUN; at++) {
			memset(b->free, 0, sizeof(b->free));
			bounce__give(b, (char *)b->region.base + (BOUNCE_RUN + at) * 4096UL, n);
			if (n < BOUNCE_RUN)
				assert_null(bounce__take(b, n + 1));
			assert_ptr_equal(bounce__take(b, n),
					 (char *)b->region.base + (BOUNCE_RUN + at) * 4096UL);
		}
	}
}

static void test_random(void **state)
{
	struct random r = {random__seed()};
	struct run runs[BOUNCE_PAGES];
	unsigned char used[BOUNCE_PAGES] = {};
	struct bounce *b = *state;
	unsigned nr = 0;

	for (int i = 0; i < 100000; i++) {
		unsigned n = 1 + random__below(&r, random__one_in(&r, 3) ? BOUNCE_RUN : 4);
		char *at = random__one_in(&r, 2) ? bounce__take(b, n) : NULL;
		size_t page;

		if (at) {
			page = (at - (char *)b->region.base) / 4096;
			for (unsigned k = 0; k < n; k++)
				assert_int_equal(used[page + k]++, 0);
			runs[nr++] = (struct run){at, n};
		} else if (nr) {
			unsigned k = random__below(&r, nr);

			page = (runs[k].at - (char *)b->region.base) / 4096;
			memset(used + page, 0, runs[k].n);
			bounce__give(b, runs[k].at, runs[k].n);
			runs[k] = runs[--nr];
		}
	}
	while (nr--)
		bounce__give(b, runs[nr].at, runs[nr].n);
	for (int i = 0; i < BOUNCE_WORDS; i++)
		assert_true(b->free[i] == ~0ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
