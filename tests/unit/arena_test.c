// SPDX-License-Identifier: GPL-2.0
/* The arena: chunks come and go as it says, and the kernel says so, too. */
#define _GNU_SOURCE
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/store/arena.h"
#include "random.h"
#include "skips.h"

#define MAX_CHUNKS 40
#define SMALL_PAGE 4096UL
#define GIANT (1UL << 30)
/* <linux/mempolicy.h> */
#define MPOL_BIND 2
#define MPOL_F_NODE 1
#define MPOL_F_ADDR 2

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct arena *new_arena(struct arena_opts o)
{
	struct arena *a = NULL;
	char why[256] = "";

	o.sz = sizeof(o);
	assert_int_equal(arena__new(&a, &o, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	return a;
}

static bool all_zero(const void *chunk)
{
	const __u64 *word = chunk;
	__u64 any = 0;

	for (size_t i = 0; i < ARENA_CHUNK / 8; i++)
		any |= word[i];
	return !any;
}

static size_t backed(const struct arena *a)
{
	size_t bytes[BACKINGS], sum = 0;

	arena__backed(a, bytes);
	for (int i = 0; i < BACKINGS; i++)
		sum += bytes[i];
	return sum;
}

/* A chunk's memory that is there. */
static size_t present(void *chunk)
{
	unsigned char page[ARENA_CHUNK / SMALL_PAGE];
	size_t n = 0;

	assert_int_equal(mincore(chunk, ARENA_CHUNK, page), 0);
	for (size_t i = 0; i < sizeof(page); i++)
		n += page[i] & 1;
	return n * SMALL_PAGE;
}

static void *take(struct arena *a)
{
	void *chunk = arena__take(a);

	assert_non_null(chunk);
	assert_int_equal((uintptr_t)chunk % ARENA_CHUNK, 0);
	assert_true(all_zero(chunk));
	assert_int_equal(present(chunk), ARENA_CHUNK);
	memset(chunk, 0x5a, ARENA_CHUNK);
	return chunk;
}

/* --- what it promises --- */

struct model {
	struct arena *arena;
	void *chunk[MAX_CHUNKS];
	size_t n, capacity;
};

static void check(const struct model *m)
{
	size_t chunks = m->n > m->capacity ? m->n : m->capacity;

	assert_int_equal(arena__taken(m->arena), m->n);
	assert_int_equal(arena__chunks(m->arena), m->capacity);
	assert_int_equal(arena__excess(m->arena), m->n > m->capacity ? m->n - m->capacity : 0);
	assert_true(backed(m->arena) >= m->n * ARENA_CHUNK);
	assert_true(backed(m->arena) <= chunks * ARENA_CHUNK);
	for (size_t i = 0; i < m->n; i++)
		assert_int_equal(*(char *)m->chunk[i], 0x5a);
}

static void take_one(struct model *m)
{
	if (m->n >= m->capacity) {
		errno = 0;
		assert_null(arena__take(m->arena));
		assert_int_equal(errno, ENOSPC);
		return;
	}
	m->chunk[m->n] = take(m->arena);
	for (size_t i = 0; i < m->n; i++)
		assert_ptr_not_equal(m->chunk[i], m->chunk[m->n]);
	m->n++;
}

static void give_one(struct model *m, struct random *r)
{
	size_t i = random__below(r, m->n ?: 1);

	if (!m->n)
		return;
	arena__give(m->arena, m->chunk[i]);
	m->chunk[i] = m->chunk[--m->n];
}

static void test_random(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 4; i++) {
		struct arena_opts o = {.bytes = MAX_CHUNKS / 2 * ARENA_CHUNK + 77,
				       .page = i % 2 ? GIANT : 0,
				       .node = -1,
				       .no_hugetlb = i / 2};
		struct model m = {.arena = new_arena(o), .capacity = MAX_CHUNKS / 2};

		for (int k = 0; k < 300; k++) {
			if (random__one_in(&r, 20)) {
				m.capacity = random__below(&r, MAX_CHUNKS + 1);
				arena__resize(m.arena, m.capacity * ARENA_CHUNK + 5);
			} else if (random__below(&r, 5) < 3) {
				take_one(&m);
			} else {
				give_one(&m, &r);
			}
			check(&m);
		}
		arena__free(m.arena);
	}
	arena__free(NULL);
}

/* What is beyond a smaller capacity goes back to the system, not only off the books. */
static void test_give_back(void **state)
{
	struct arena *a = new_arena((struct arena_opts){.bytes = 6 * ARENA_CHUNK, .node = -1});
	void *chunk[6];
	size_t left = 0;

	for (int i = 0; i < 6; i++)
		chunk[i] = take(a);
	arena__give(a, chunk[0]);
	arena__give(a, chunk[1]);
	assert_int_equal(backed(a), 6 * ARENA_CHUNK);
	arena__resize(a, 3 * ARENA_CHUNK);
	assert_int_equal(backed(a), 4 * ARENA_CHUNK);
	assert_int_equal(present(chunk[0]) + present(chunk[1]), 0);
	assert_int_equal(arena__excess(a), 1);
	arena__give(a, chunk[2]);
	assert_int_equal(arena__excess(a), 0);
	for (int i = 0; i < 3; i++)
		left += present(chunk[i]);
	assert_int_equal(left, 0);
	assert_int_equal(backed(a), 3 * ARENA_CHUNK);
	arena__free(a);
}

/* Chunks in hand have their memory before they are taken, and are no more than there may be. */
static void test_prepare(void **state)
{
	struct arena *a = new_arena((struct arena_opts){.bytes = 3 * ARENA_CHUNK, .node = -1});

	assert_int_equal(arena__ready(a), 0);
	take(a);
	assert_int_equal(arena__prepare(a), 0);
	assert_int_equal(arena__prepare(a), 0);
	assert_int_equal(arena__ready(a), 2);
	assert_int_equal(backed(a), 3 * ARENA_CHUNK);
	assert_int_equal(arena__prepare(a), -ENOSPC);
	take(a); /* looks whether it is there */
	assert_int_equal(arena__ready(a), 1);
	assert_int_equal(backed(a), 3 * ARENA_CHUNK);
	arena__resize(a, 2 * ARENA_CHUNK);
	assert_int_equal(arena__ready(a), 0);
	assert_int_equal(arena__prepare(a), -ENOSPC);
	arena__free(a);
}

/* --- what the kernel says --- */

struct huge {
	size_t thp, hugetlb; /* bytes that really back this process */
};

static struct huge huge_now(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	struct huge h = {0};
	char line[256];
	size_t kib;

	if (!f)
		because("no /proc/self/smaps_rollup");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			h.thp = kib << 10;
		/* A kernel may take a page of 1 GiB that has one user for a shared one. */
		if (sscanf(line, "Private_Hugetlb: %zu", &kib) == 1 ||
		    sscanf(line, "Shared_Hugetlb: %zu", &kib) == 1)
			h.hugetlb += kib << 10;
	}
	if (f)
		fclose(f);
	return h;
}

static void check_kernel(const struct arena *a, struct huge before)
{
	struct huge now = huge_now();
	size_t bytes[BACKINGS];

	arena__backed(a, bytes);
	printf("%s: %zu KiB THP, %zu KiB hugetlb\n", arena__backing(a),
	       (now.thp - before.thp) >> 10, (now.hugetlb - before.hugetlb) >> 10);
	assert_int_equal(now.hugetlb - before.hugetlb, bytes[BACKING_HUGETLB]);
	/* Allowed at best: memory may be too fragmented. */
	assert_true(now.thp - before.thp <= bytes[BACKING_THP]);
}

/* --- pools of huge pages, of 2 MiB and 1 GiB --- */

static const char *const pools[] = {
	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
	"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages",
};

/* ~0: cannot be told. */
static size_t pool(int i)
{
	FILE *f = fopen(pools[i], "r");
	size_t n = 0;

	if (!f)
		return ~0UL;
	if (fscanf(f, "%zu", &n) != 1)
		n = ~0UL;
	fclose(f);
	return n;
}

static bool set_pool(int i, size_t n)
{
	FILE *f = fopen(pools[i], "w");

	if (!f)
		return false;
	fprintf(f, "%zu", n);
	return !fclose(f) && pool(i) == n;
}

static size_t old_pool[2];

static int save_pools(void **state)
{
	for (int i = 0; i < 2; i++)
		old_pool[i] = pool(i);
	return 0;
}

static int restore_pools(void **state)
{
	for (int i = 0; i < 2; i++)
		if (old_pool[i] != ~0UL)
			set_pool(i, old_pool[i]);
	return 0;
}

static void check_hugetlb(const struct arena *a, size_t chunks, struct huge before)
{
	size_t bytes[BACKINGS];

	arena__backed(a, bytes);
	assert_int_equal(bytes[BACKING_HUGETLB], chunks * ARENA_CHUNK);
	check_kernel(a, before);
}

/* A pool that is too small, is taken away, and comes back. */
static void test_hugetlb(void **state)
{
	struct arena *a = new_arena((struct arena_opts){.bytes = 16 * ARENA_CHUNK, .node = -1});
	struct huge before = huge_now();
	void *chunk[5];

	if (!set_pool(0, 3)) {
		arena__free(a);
		because("the pool of huge pages can't be set (needs root)");
	}
	for (int i = 0; i < 5; i++)
		chunk[i] = take(a);
	check_hugetlb(a, 3, before);
	assert_string_equal(arena__backing(a), "hugetlb");
	/* The pool's pages are in use: they stay. Others are not to be had. */
	set_pool(0, 0);
	take(a);
	check_hugetlb(a, 3, before);
	for (int i = 0; i < 5; i++)
		arena__give(a, chunk[i]);
	arena__resize(a, 0);
	check_hugetlb(a, 0, before);
	assert_true(set_pool(0, 2));
	arena__resize(a, 16 * ARENA_CHUNK);
	for (int i = 0; i < 3; i++)
		take(a);
	check_hugetlb(a, 2, before);
	arena__free(a);
	assert_int_equal(huge_now().hugetlb, before.hugetlb);
}

static void test_no_hugetlb(void **state)
{
	struct arena_opts o = {.bytes = 2 * ARENA_CHUNK, .node = -1, .no_hugetlb = true};
	struct arena *a = new_arena(o);
	struct huge before = huge_now();

	if (!set_pool(0, 3)) {
		arena__free(a);
		because("the pool of huge pages can't be set (needs root)");
	}
	take(a);
	check_hugetlb(a, 0, before);
	arena__free(a);
}

/* One of 1 GiB in the kernel's pool, and none of the others'. */
static void need_giant(struct arena *a)
{
	bool giant = set_pool(1, 1);

	set_pool(0, 0);
	if (giant)
		return;
	arena__free(a);
	because("no huge page of 1 GiB is to be had: needs root, and so much memory in one piece");
}

/* All of it comes, and goes, at once. */
static void test_giant(void **state)
{
	struct arena_opts o = {.bytes = GIANT + 3 * ARENA_CHUNK, .page = GIANT, .node = -1};
	size_t chunks = GIANT / ARENA_CHUNK;
	struct arena *a = new_arena(o);
	struct huge before = huge_now();
	void *first;

	need_giant(a);
	first = take(a);
	check_hugetlb(a, chunks, before);
	for (size_t i = 1; i < chunks; i++)
		assert_non_null(arena__take(a));
	/* The second one would be beyond the capacity. */
	take(a);
	check_hugetlb(a, chunks, before);
	arena__resize(a, ARENA_CHUNK);
	arena__give(a, first);
	check_hugetlb(a, chunks, before);
	arena__free(a);
	assert_int_equal(huge_now().hugetlb, before.hugetlb);
}

/* The kernel has none: chunk by chunk, as without. */
static void test_no_giant(void **state)
{
	struct arena_opts o = {.bytes = GIANT + 3 * ARENA_CHUNK, .page = GIANT, .node = -1};
	struct arena *a = new_arena(o);
	struct huge before = huge_now();
	void *one, *two;

	if (!set_pool(0, 0) || !set_pool(1, 0)) {
		arena__free(a);
		because("the pools of huge pages can't be set (needs root)");
	}
	one = take(a);
	two = take(a);
	check_hugetlb(a, 0, before);
	assert_int_equal(backed(a), 2 * ARENA_CHUNK);
	arena__resize(a, ARENA_CHUNK);
	arena__give(a, one);
	assert_int_equal(backed(a), ARENA_CHUNK);
	arena__give(a, two);
	arena__free(a);
}

static void test_giant_given_back(void **state)
{
	struct arena *a = new_arena((struct arena_opts){.bytes = GIANT, .page = GIANT, .node = -1});
	struct huge before = huge_now();
	void *one, *two;

	need_giant(a);
	one = take(a);
	two = take(a);
	arena__resize(a, 0);
	arena__give(a, one);
	assert_int_equal(backed(a), GIANT);
	arena__give(a, two);
	assert_int_equal(backed(a), 0);
	check_kernel(a, before);
	arena__free(a);
}

/* --- NUMA --- */

static int policy_of(void *at, unsigned flags)
{
	int value = -1;

	if (syscall(SYS_get_mempolicy, &value, NULL, 0UL, at, (unsigned long)flags))
		return -1;
	return value;
}

static void test_node(void **state)
{
	struct arena *a = new_arena((struct arena_opts){.bytes = 4 * ARENA_CHUNK, .node = 0});

	set_pool(0, 1);
	for (int i = 0; i < 2; i++) {
		char *chunk = take(a);

		assert_int_equal(policy_of(chunk + i, MPOL_F_ADDR), MPOL_BIND);
		assert_int_equal(policy_of(chunk, MPOL_F_NODE | MPOL_F_ADDR), 0);
	}
	arena__free(a);
	a = new_arena((struct arena_opts){.bytes = ARENA_CHUNK, .node = -1});
	assert_int_not_equal(policy_of(take(a), MPOL_F_ADDR), MPOL_BIND);
	arena__free(a);
}

/* --- what is refused --- */

static void refused(struct arena_opts o, const char *word)
{
	struct arena *a = NULL;
	char why[256] = "";

	o.sz = sizeof(o);
	assert_int_equal(arena__new(&a, &o, why, sizeof(why)), -EINVAL);
	assert_null(a);
	assert_non_null(strstr(why, word));
}

static void test_refused(void **state)
{
	refused((struct arena_opts){.bytes = 4095, .node = -1}, "2MiB");
	refused((struct arena_opts){.bytes = ARENA_CHUNK, .node = -1, .page = 4096}, "1GiB");
	refused((struct arena_opts){.bytes = ARENA_CHUNK, .node = 1000}, "node 1000");
	refused((struct arena_opts){.bytes = ARENA_CHUNK, .node = 100000}, "node 100000");
}

/* In a process of its own: which step failed, or 0. */
static int with_few_addresses(void)
{
	struct arena *a = new_arena((struct arena_opts){.bytes = 3 * GIANT, .node = -1});
	struct rlimit limit = {.rlim_cur = 4 * GIANT, .rlim_max = RLIM_INFINITY};
	size_t n = 0;

	if (setrlimit(RLIMIT_AS, &limit))
		return 1;
	/* An emulator may take no notice. */
	if (mmap(NULL, 8 * GIANT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 77;
	limit.rlim_cur = 2 * ARENA_CHUNK;
	if (setrlimit(RLIMIT_AS, &limit))
		return 2;
	if (arena__take(a) || errno != ENOMEM || arena__taken(a) || backed(a))
		return 3;
	limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_AS, &limit))
		return 4;
	while (n < 3 && arena__take(a))
		n++;
	return n == 3 ? 0 : 5;
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
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_give_back),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test_setup_teardown(test_hugetlb, save_pools, restore_pools),
		cmocka_unit_test_setup_teardown(test_no_hugetlb, save_pools, restore_pools),
		cmocka_unit_test_setup_teardown(test_giant, save_pools, restore_pools),
		cmocka_unit_test_setup_teardown(test_no_giant, save_pools, restore_pools),
		cmocka_unit_test_setup_teardown(test_giant_given_back, save_pools, restore_pools),
		cmocka_unit_test_setup_teardown(test_node, save_pools, restore_pools),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_few_addresses),
	};

	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
