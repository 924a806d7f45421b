// SPDX-License-Identifier: GPL-2.0
/* The arena: zeroed blocks of one size out of huge pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/arena.h"

static int is_zero(const unsigned char *p)
{
	return !p[0] && !memcmp(p, p + 1, ARENA_BLOCK - 1);
}

static void test_blocks(void **state)
{
	enum { N = 3 * ARENA_CHUNK / ARENA_BLOCK };
	struct arena *a = arena__new(0);
	unsigned char *block[N];

	assert_non_null(a);
	assert_int_equal(arena__used(a), 0);
	for (int i = 0; i < N; i++) {
		block[i] = arena__get(a);
		assert_non_null(block[i]);
		assert_int_equal((uintptr_t)block[i] % ARENA_BLOCK, 0);
		assert_true(is_zero(block[i]));
		memset(block[i], i + 1, ARENA_BLOCK);
	}
	/* No block overlaps another. */
	for (int i = 0; i < N; i++)
		for (size_t k = 0; k < ARENA_BLOCK; k += 512)
			assert_int_equal(block[i][k], (unsigned char)(i + 1));
	assert_int_equal(arena__used(a), N * ARENA_BLOCK);
	assert_true(arena__bytes(a) >= 3 * ARENA_CHUNK);
	assert_true(arena__bytes(a) < 3 * ARENA_CHUNK + 4096);
	arena__free(a);
}

static void test_reuse(void **state)
{
	struct arena *a = arena__new(0);
	unsigned char *first = arena__get(a), *second = arena__get(a);
	size_t bytes = arena__bytes(a);

	memset(first, 0xff, ARENA_BLOCK);
	arena__put(a, first);
	assert_int_equal(arena__used(a), ARENA_BLOCK);
	assert_ptr_equal(arena__get(a), first);
	assert_true(is_zero(first));
	assert_ptr_not_equal(first, second);
	assert_int_equal(arena__bytes(a), bytes);
	arena__free(a);
}

static void test_limit(void **state)
{
	struct arena *a = arena__new(ARENA_CHUNK + ARENA_CHUNK / 2);
	struct arena_table t = {0};
	size_t n = 0;

	while (!arena_table__grow(&t, a))
		n++;
	assert_int_equal(n, ARENA_CHUNK / ARENA_BLOCK);
	assert_int_equal(t.nr, n);
	assert_null(arena__get(a));
	arena_table__clear(&t, a);
	assert_int_equal(t.nr, 0);
	assert_int_equal(arena__used(a), 0);
	assert_non_null(arena__get(a));
	arena__free(a);
	arena__free(NULL);
}

/* KiB of huge pages that really back this process: AnonHugePages plus Private_Hugetlb. */
static long huge_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long sum = 0, v;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %ld", &v) == 1 ||
		    sscanf(line, "Private_Hugetlb: %ld", &v) == 1)
			sum += v;
	fclose(f);
	return sum;
}

/* What the arena says of its backing is what the kernel says. */
static void test_backing(void **state)
{
	struct arena *a = arena__new(0);
	long before = huge_kib(), after;

	for (size_t i = 0; i < 4 * ARENA_CHUNK / ARENA_BLOCK; i++)
		memset(arena__get(a), 1, ARENA_BLOCK);
	after = huge_kib();
	printf("%s, %ld KiB in huge pages\n", arena__backing(a), after - before);
	if (before < 0)
		skip();
	if (!strcmp(arena__backing(a), "4K pages"))
		assert_int_equal(after, before);
	else if (after == before) /* allowed, but memory is too fragmented */
		skip();
	else
		assert_true(after - before >= 2048);
	arena__free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_backing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
