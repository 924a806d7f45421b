// SPDX-License-Identifier: GPL-2.0
/* Regions: contents, limits, and what the kernel says of them. */
#include <errno.h>
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

#include "../../cache/region.h"
#include "random.h"
#include "skips.h"

#define PAGE 4096UL

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static void fill(struct region *r, size_t from)
{
	__u64 *word = r->base;

	for (size_t i = from / 8; i < r->bytes / 8; i++)
		word[i] = ~i;
}

/* What was filled is there, what is new is zero. */
static void check_contents(const struct region *r, size_t filled)
{
	const __u64 *word = r->base;
	size_t bad = 0;

	for (size_t i = 0; i < r->bytes / 8; i++)
		bad += word[i] != (i < filled / 8 ? ~i : 0);
	assert_int_equal(bad, 0);
}

static void check_sums(const struct region *r, size_t nr, const struct memory *m)
{
	size_t used = 0;

	for (size_t i = 0; i < nr; i++) {
		size_t backed = 0;

		for (int b = 0; b < BACKINGS; b++)
			backed += r[i].backed[b];
		assert_int_equal(backed, r[i].bytes);
		used += r[i].bytes;
	}
	assert_int_equal(m->used, used);
	for (int b = 0; b < BACKINGS; b++) {
		size_t backed = 0;

		for (size_t i = 0; i < nr; i++)
			backed += r[i].backed[b];
		assert_int_equal(m->backed[b], backed);
	}
}

static void check_shape(const struct region *r, size_t asked)
{
	assert_true(r->bytes >= asked);
	assert_int_equal((uintptr_t)r->base % PAGE, 0);
	if (r->bytes < REGION_CHUNK)
		return;
	/* In chunks, however it came to be so large. */
	assert_true(r->reserved >= r->bytes);
	assert_int_equal((uintptr_t)r->base % REGION_CHUNK, 0);
	assert_int_equal(r->bytes % REGION_CHUNK, 0);
	assert_true(r->bytes < asked + REGION_CHUNK);
}

static void grow(struct region *r, struct memory *m, size_t bytes)
{
	size_t before = r->bytes;

	assert_int_equal(region__grow(r, m, bytes), 0);
	check_shape(r, bytes);
	check_contents(r, before);
	fill(r, before);
	check_sums(r, 1, m);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {1,
				       PAGE - 1,
				       PAGE,
				       PAGE + 1,
				       REGION_CHUNK - PAGE,
				       REGION_CHUNK - 1,
				       REGION_CHUNK,
				       REGION_CHUNK + 1,
				       2 * REGION_CHUNK,
				       2 * REGION_CHUNK + 1,
				       3 * REGION_CHUNK};
	const size_t nr = sizeof(sizes) / sizeof(sizes[0]);

	/* From every size to every larger one. */
	for (size_t i = 0; i < nr; i++) {
		for (size_t k = i; k < nr; k++) {
			struct region r = {0};
			struct memory m;

			memory__init(&m, 0);
			grow(&r, &m, sizes[i]);
			grow(&r, &m, sizes[k]);
			region__free(&r, &m);
			check_sums(&r, 1, &m);
		}
	}
}

static void test_random(void **state)
{
	struct random rnd = {random__seed()};

	for (int i = 0; i < 8; i++) {
		struct region r = {0};
		struct memory m;
		size_t bytes;

		memory__init(&m, 0);
		for (bytes = 1; bytes < 4 * REGION_CHUNK; bytes += random__below(&rnd, 1 + bytes))
			grow(&r, &m, bytes);
		bytes = r.bytes;
		assert_int_equal(region__grow(&r, &m, random__below(&rnd, bytes + 1)), 0);
		assert_int_equal(r.bytes, bytes); /* it never shrinks */
		check_contents(&r, bytes);
		region__free(&r, &m);
		assert_null(r.base);
		region__free(&r, &m);
	}
}

/* Some need at least so much on the way: growing by copying holds both for a moment. */
static void test_limit(void **state)
{
	for (size_t max = PAGE; max < 3 * REGION_CHUNK; max += REGION_CHUNK / 8 - PAGE) {
		struct region r[2] = {0};
		struct memory m;
		size_t bytes = 1, before = 0;
		int err;

		memory__init(&m, max);
		while (!(err = region__grow(&r[0], &m, bytes))) {
			fill(&r[0], before);
			before = r[0].bytes;
			bytes = before + before / 2 + 1;
			assert_true(m.used <= max);
		}
		assert_int_equal(err, -ENOMEM);
		assert_true(before * 5 / 2 + 2 * PAGE >= max || before + REGION_CHUNK > max);
		assert_true(m.used <= max);
		check_contents(&r[0], before);
		check_sums(r, 2, &m);
		/* What one gives, another takes. */
		region__free(&r[0], &m);
		assert_int_equal(region__grow(&r[1], &m, PAGE), 0);
		check_sums(r, 2, &m);
		region__free(&r[1], &m);
	}
}

/* A growth by many chunks that ends half way keeps what it got, and all that was there. */
static void test_partial_growth(void **state)
{
	struct region r[2] = {0};
	struct memory m;
	size_t before;

	memory__init(&m, 5 * REGION_CHUNK);
	assert_int_equal(region__grow(&r[0], &m, 100), 0);
	assert_int_equal(region__grow(&r[1], &m, 2 * REGION_CHUNK), 0);
	before = r[1].bytes;
	fill(&r[1], 0);
	assert_int_equal(region__grow(&r[1], &m, 9 * REGION_CHUNK), -ENOMEM);
	assert_int_equal(region__grow(&r[1], &m, ~0UL / 2), -ENOMEM);
	check_contents(&r[1], before);
	check_sums(r, 2, &m);
	m.max = 0;
	assert_int_equal(region__grow(&r[1], &m, 9 * REGION_CHUNK), 0);
	check_contents(&r[1], before);
	/* More than there are addresses for. */
	assert_int_equal(region__grow(&r[0], &m, 1UL << 46), -ENOMEM);
	check_sums(r, 2, &m);
	region__free(&r[0], &m);
	region__free(&r[1], &m);
}

/* --- tight ones --- */

static void check_tight(const struct region *r, size_t bytes, const struct memory *m)
{
	assert_int_equal(r->bytes, (bytes + PAGE - 1) / PAGE * PAGE);
	assert_int_equal((uintptr_t)r->base % (r->reserved ? REGION_CHUNK : PAGE), 0);
	assert_int_equal(m->backed[BACKING_HUGETLB], 0);
	check_sums(r, 1, m);
}

/* Up and down: never more than the page that is begun, what stays is there, the rest is zero. */
static void test_tight(void **state)
{
	struct random rnd = {random__seed()};

	for (int i = 0; i < 6; i++) {
		struct region r = {0};
		struct memory m;
		size_t bytes, kept;

		memory__init(&m, 0);
		memory__tighten(&m);
		for (int k = 0; k < 40; k++) {
			bytes = 8 + random__below(&rnd, 4 * REGION_CHUNK + 2) / 8 * 8;
			if (random__one_in(&rnd, 4))
				bytes = (bytes / REGION_CHUNK + 1) * REGION_CHUNK - PAGE * (k % 2);
			kept = r.bytes < bytes ? r.bytes : bytes;
			if (bytes > r.bytes)
				assert_int_equal(region__grow(&r, &m, bytes), 0);
			else
				region__shrink(&r, &m, bytes);
			check_tight(&r, bytes, &m);
			check_contents(&r, kept);
			fill(&r, kept);
		}
		region__shrink(&r, &m, 0);
		assert_null(r.base);
		assert_int_equal(m.used, 0);
	}
}

/* Whole chunks are of huge pages, however they came to be. */
static void test_tight_huge(void **state)
{
	struct region r = {0};
	struct memory m;

	memory__init(&m, 0);
	memory__tighten(&m);
	for (size_t bytes = PAGE; bytes <= 3 * REGION_CHUNK; bytes += PAGE)
		assert_int_equal(region__grow(&r, &m, bytes), 0);
	assert_int_equal(m.backed[m.thp ? BACKING_THP : BACKING_4K], 3 * REGION_CHUNK);
	region__shrink(&r, &m, 2 * REGION_CHUNK + PAGE);
	assert_int_equal(m.used, 2 * REGION_CHUNK + PAGE);
	region__free(&r, &m);
	assert_int_equal(m.used, 0);
}

/* Memory ends anywhere: what there was stays. */
static void test_tight_limit(void **state)
{
	for (size_t max = PAGE; max < 5 * REGION_CHUNK; max += REGION_CHUNK / 3) {
		struct region r = {0};
		struct memory m;
		size_t before = 0;

		memory__init(&m, max / PAGE * PAGE);
		memory__tighten(&m);
		while (!region__grow(&r, &m, before + 100 * PAGE)) {
			fill(&r, before);
			before = r.bytes;
		}
		assert_true(m.used <= m.max && before + REGION_CHUNK + 101 * PAGE > m.max / 2);
		check_contents(&r, before);
		check_sums(&r, 1, &m);
		region__free(&r, &m);
	}
}

/* --- what the kernel says --- */

struct huge {
	size_t thp, hugetlb; /* bytes that really back this process */
};

static bool huge__read(struct huge *h)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	size_t kib;

	*h = (struct huge){0};
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			h->thp = kib << 10;
		if (sscanf(line, "Private_Hugetlb: %zu", &kib) == 1)
			h->hugetlb = kib << 10;
	}
	fclose(f);
	return true;
}

static void check_kernel(struct memory *m)
{
	struct region r = {0};
	struct huge before, after;

	if (!huge__read(&before))
		because("no /proc/self/smaps_rollup");
	assert_int_equal(region__grow(&r, m, 4 * REGION_CHUNK), 0);
	fill(&r, 0);
	assert_true(huge__read(&after));
	printf("%s: %zu KiB THP, %zu KiB hugetlb\n", memory__backing(m),
	       (after.thp - before.thp) >> 10, (after.hugetlb - before.hugetlb) >> 10);
	assert_int_equal(after.hugetlb - before.hugetlb, m->backed[BACKING_HUGETLB]);
	/* Allowed at best: memory may be too fragmented. */
	assert_true(after.thp - before.thp <= m->backed[BACKING_THP]);
	region__free(&r, m);
}

static void test_backing(void **state)
{
	struct memory m;

	memory__init(&m, 0);
	check_kernel(&m);
	assert_int_equal(m.used, 0);
}

static size_t pool(const char *set)
{
	const char *path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	FILE *f = fopen(path, set ? "w" : "r");
	size_t n = 0;

	if (!f)
		return ~0UL;
	if (set)
		fputs(set, f);
	else if (fscanf(f, "%zu", &n) != 1)
		n = ~0UL;
	return fclose(f) ? ~0UL : n;
}

static char old_pool[32];

static int save_pool(void **state)
{
	snprintf(old_pool, sizeof(old_pool), "%zu", pool(NULL));
	return 0;
}

static int restore_pool(void **state)
{
	pool(old_pool);
	return 0;
}

/* Some from a pool that is too small for all. */
static void test_hugetlb(void **state)
{
	size_t before = pool(NULL);
	struct memory m;
	char more[32];

	snprintf(more, sizeof(more), "%zu", before + 3);
	if (before == ~0UL || pool(more) == ~0UL)
		because("the pool of huge pages can't be set (needs root)");
	memory__init(&m, 0);
	check_kernel(&m);
	if (!before)
		assert_false(m.hugetlb);
	assert_int_equal(m.used, 0);
}

static void test_names(void **state)
{
	struct memory m = {.thp = true};

	assert_string_equal(memory__backing(&m), "THP");
	m.thp = false;
	assert_string_equal(memory__backing(&m), "4K pages");
	m.backed[BACKING_4K] = PAGE;
	m.backed[BACKING_HUGETLB] = REGION_CHUNK;
	assert_string_equal(memory__backing(&m), "hugetlb");
	m.backed[BACKING_THP] = 2 * REGION_CHUNK;
	assert_string_equal(memory__backing(&m), "THP");
}

/* --- addresses are rationed --- */

static size_t addresses(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (f && fscanf(f, "%zu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* In a process of its own: which step failed, or 0. */
static int with_few_addresses(void)
{
	struct rlimit limit = {0};
	struct region r[3] = {0};
	struct memory m;
	void *other;

	limit.rlim_cur = limit.rlim_max = addresses() + (256UL << 20);
	if (setrlimit(RLIMIT_AS, &limit))
		return 1;
	/* An emulator may take no notice. */
	if (mmap(NULL, 512UL << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 77;
	memory__init(&m, 0);
	for (int i = 0; i < 3; i++)
		if (region__grow(&r[i], &m, 3 * REGION_CHUNK))
			return 2 + i;
	for (int i = 0; i < 3; i++)
		memset(r[i].base, 1, r[i].bytes);
	other = malloc(1 << 20);
	if (!other)
		return 5;
	free(other);
	/* Beyond the ration. */
	if (region__grow(&r[0], &m, 512UL << 20) != -ENOMEM)
		return 6;
	for (int i = 0; i < 3; i++)
		region__free(&r[i], &m);
	return m.used ? 7 : 0;
}

static void test_few_addresses(void **state)
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
		_exit(with_few_addresses());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		because("RLIMIT_AS has no effect here");
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_partial_growth),
		cmocka_unit_test(test_tight),
		cmocka_unit_test(test_tight_huge),
		cmocka_unit_test(test_tight_limit),
		cmocka_unit_test(test_backing),
		cmocka_unit_test_setup_teardown(test_hugetlb, save_pool, restore_pool),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_few_addresses),
	};

	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
