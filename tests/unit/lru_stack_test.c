// SPDX-License-Identifier: GPL-2.0
/* The LRU stack against a list, on every code path that the CPU has. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include "../../bpf/page_event.h"
#include "../../cache/lru_stack.h"
#include "../../cache/region.h"
#include "random.h"

#define CASES 10000
#define MAX_PAGES 4096
/* The slots of a new stack: when they run out, pages are renumbered, or there are more slots. */
#define FIRST_SLOTS 4096U
#define WORD 64U

/* --- the list --- */

struct list {
	__u32 page[MAX_PAGES]; /* the last one first */
	__u32 nr;
};

static __u32 list__touch(struct list *l, __u32 page)
{
	__u32 i = 0;

	while (i < l->nr && l->page[i] != page)
		i++;
	memmove(l->page + 1, l->page, i * sizeof(l->page[0]));
	l->page[0] = page;
	if (i < l->nr)
		return i;
	l->nr++;
	return LRU_COLD;
}

static void list__retain(struct list *l, const __u64 *hash_of, __u64 threshold)
{
	__u32 kept = 0;

	for (__u32 i = 0; i < l->nr; i++)
		if (hash_of[l->page[i]] <= threshold)
			l->page[kept++] = l->page[i];
	l->nr = kept;
}

/* --- traces --- */

struct trace {
	__u32 pages, n;
	__u64 hash_of[MAX_PAGES];
	__u32 *page; /* n of them */
	__u64 *hash; /* theirs */
	__u32 *want; /* distances by the list */
	__u32 *got;  /* by the stack */
};

enum shape { UNIFORM, ZIPF, LOOP, SCAN, PHASES, REPEATS, SAWTOOTH, ONE_PAGE, SHAPES };

static __u32 next_page(const struct trace *t, enum shape shape, __u32 i, struct random *r)
{
	__u32 n = t->pages, phase = 1 + n / 4;

	switch (shape) {
	case UNIFORM:
		return random__below(r, n);
	case ZIPF:
		return random__zipf(r, n, 0.9);
	case LOOP:
		return i % n;
	case SCAN: /* a few hot pages, and all others once in a while */
		return random__one_in(r, 2) ? random__below(r, 1 + n / 10) : i % n;
	case PHASES:
		return (i / 200 * phase + random__below(r, phase)) % n;
	case REPEATS:
		return i / 3 % n;
	case SAWTOOTH:
		return i / n % 2 ? n - 1 - i % n : i % n;
	default:
		return 0;
	}
}

/* Page numbers small, huge, far apart. */
static void hash_pages(struct trace *t, struct random *r)
{
	__u64 first = random__one_in(r, 2) ? random__below(r, 1000) : ~0ULL - t->pages / 2;
	__u64 step = random__one_in(r, 2) ? 1 : random__next(r) | 1;

	for (__u32 p = 0; p < t->pages; p++)
		t->hash_of[p] = pe_hash(first + p * step, 0);
}

static struct trace *trace__new(__u32 pages, __u32 n, enum shape shape, struct random *r)
{
	struct trace *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	assert_in_range(pages, 1, MAX_PAGES);
	t->pages = pages;
	t->n = n;
	hash_pages(t, r);
	/* As large as they are, so that the sanitizer sees a look beyond. */
	t->page = malloc(n * sizeof(*t->page));
	t->hash = malloc(n * sizeof(*t->hash));
	t->want = malloc(n * sizeof(*t->want));
	t->got = malloc(n * sizeof(*t->got));
	for (__u32 i = 0; i < n; i++) {
		t->page[i] = next_page(t, shape, i, r);
		t->hash[i] = t->hash_of[t->page[i]];
	}
	return t;
}

static void trace__free(struct trace *t)
{
	free(t->page);
	free(t->hash);
	free(t->want);
	free(t->got);
	free(t);
}

static void trace__expect(struct trace *t, struct list *l, __u32 from, __u32 to)
{
	for (__u32 i = from; i < to; i++)
		t->want[i] = list__touch(l, t->page[i]);
}

static void trace__compare(const struct trace *t, __u32 from, __u32 to)
{
	for (__u32 i = from; i < to; i++)
		if (t->got[i] != t->want[i])
			fail_msg("reference %u: distance %u, not %u", i, t->got[i], t->want[i]);
}

/* --- stacks --- */

struct under_test {
	struct memory memory;
	struct lru_stack *stack;
};

/* false: not on this CPU. */
static bool up(struct under_test *u, enum lru_isa isa)
{
	memory__init(&u->memory, 0);
	u->stack = lru_stack__new(&u->memory);
	assert_non_null(u->stack);
	if (!lru_stack__use(u->stack, isa))
		return true;
	lru_stack__free(u->stack);
	return false;
}

static void down(struct under_test *u)
{
	lru_stack__free(u->stack);
	assert_int_equal(u->memory.used, 0);
}

/* References from..to-1 in batches of `batch`, or of any size up to 130 (0 to 2 words) if 0. */
static void access_all(struct under_test *u, struct trace *t, __u32 from, __u32 to, __u32 batch,
		       struct random *r)
{
	while (from < to) {
		__u32 n = batch ? batch : random__below(r, 131);

		n = n < to - from ? n : to - from;
		memset(t->got + from, 0xa5, n * sizeof(*t->got));
		assert_int_equal(lru_stack__access(u->stack, t->hash + from, n, t->got + from), n);
		from += n;
	}
}

/* By all code paths, all at once and in pieces. */
static void run_all(struct trace *t, __u32 batch, struct random *r)
{
	struct list l = {0};
	struct under_test u;

	trace__expect(t, &l, 0, t->n);
	for (int isa = 0; isa < LRU_ISAS; isa++) {
		if (!up(&u, isa))
			continue;
		access_all(&u, t, 0, t->n, batch, r);
		trace__compare(t, 0, t->n);
		assert_int_equal(lru_stack__pages(u.stack), l.nr);
		down(&u);
	}
}

static __u32 some_batch(struct random *r, __u32 n)
{
	static const __u32 sizes[] = {0, 0, 0, 1, 63, 64, 65, 128};
	__u32 i = random__below(r, 10);

	return i < 8 ? sizes[i] : n;
}

/* --- the tests --- */

static void test_small(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < CASES; i++) {
		__u32 n = 1 + random__below(&r, 400);
		struct trace *t = trace__new(1 + random__below(&r, 200), n, i % SHAPES, &r);

		run_all(t, some_batch(&r, n), &r);
		trace__free(t);
	}
}

/* Through renumberings and growth of both the table and the slots. */
static void test_long(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 4 * SHAPES; i++) {
		__u32 n = 20000;
		struct trace *t = trace__new(1 + random__below(&r, i % 4 ? 1000 : MAX_PAGES), n,
					     i % SHAPES, &r);

		run_all(t, some_batch(&r, n), &r);
		trace__free(t);
	}
}

static void test_batches(void **state)
{
	struct random r = {random__seed()};
	struct trace *t = trace__new(50, 2000, ZIPF, &r);

	for (__u32 batch = 1; batch <= 130; batch++)
		run_all(t, batch, &r);
	run_all(t, t->n, &r);
	trace__free(t);
}

/*
 * Slots run out in every position: of the word, by the number of pages that are left in it after
 * a renumbering; of the batch, by how many references came before.
 */
static void test_compaction(void **state)
{
	struct random r = {random__seed()};

	for (__u32 pages = 1; pages <= 2 * WORD + 1; pages++) {
		struct trace *t =
			trace__new(pages, 3 * FIRST_SLOTS, pages % 2 ? UNIFORM : LOOP, &r);

		run_all(t, 0, &r);
		if (pages % WORD < 3)
			for (__u32 batch = WORD - 2; batch <= WORD + 2; batch++)
				run_all(t, batch, &r);
		trace__free(t);
	}
	for (__u32 before = 0; before < 2 * WORD; before++) {
		struct trace *t = trace__new(100, 2 * FIRST_SLOTS, UNIFORM, &r);
		struct under_test u;
		struct list l = {0};

		trace__expect(t, &l, 0, t->n);
		up(&u, before % LRU_ISAS) ? (void)0 : (void)up(&u, LRU_PORTABLE);
		access_all(&u, t, 0, FIRST_SLOTS - before, 1 + before % 7, &r);
		access_all(&u, t, FIRST_SLOTS - before, t->n, t->n, &r);
		trace__compare(t, 0, t->n);
		down(&u);
		trace__free(t);
	}
}

static void test_empty(void **state)
{
	struct under_test u;
	__u64 hash = ~0ULL;
	__u32 d = 7;

	for (int isa = 0; isa < LRU_ISAS; isa++) {
		if (!up(&u, isa))
			continue;
		assert_int_equal(lru_stack__access(u.stack, NULL, 0, NULL), 0);
		assert_int_equal(lru_stack__pages(u.stack), 0);
		assert_int_equal(lru_stack__access(u.stack, &hash, 1, &d), 1);
		assert_int_equal(d, LRU_COLD);
		assert_int_equal(lru_stack__access(u.stack, &hash, 1, &d), 1);
		assert_int_equal(d, 0);
		assert_int_equal(lru_stack__access(u.stack, &hash, 0, &d), 0);
		assert_int_equal(lru_stack__pages(u.stack), 1);
		down(&u);
	}
	lru_stack__free(NULL);
}

static void test_isa(void **state)
{
	struct under_test u;

	assert_true(up(&u, LRU_PORTABLE));
	assert_int_equal(lru_stack__use(u.stack, LRU_ISAS), -EINVAL);
	assert_int_equal(lru_stack__use(u.stack, (enum lru_isa) - 1), -EINVAL);
	down(&u);
	for (int isa = 0; isa < LRU_ISAS; isa++) {
		bool there = up(&u, isa);

		printf("code path %d: %s\n", isa, there ? "tested" : "not on this CPU");
		if (there)
			down(&u);
	}
}

/* A loop over so many pages that all levels of the slots have several nodes; then backwards. */
static void test_large(void **state)
{
	const __u32 n = (1U << 20) + 1000;
	__u64 *hash = malloc(n * sizeof(*hash));
	__u32 *d = malloc(n * sizeof(*d)), wrong = 0;
	struct under_test u;

	assert_true(hash && d);
	memory__init(&u.memory, 0);
	u.stack = lru_stack__new(&u.memory);
	for (__u32 i = 0; i < n; i++)
		hash[i] = pe_hash(i, 0);
	for (int round = 0; round < 4; round++) {
		assert_int_equal(lru_stack__access(u.stack, hash, n, d), n);
		for (__u32 i = 0; i < n; i++)
			wrong += d[i] != (round ? n - 1 : LRU_COLD);
	}
	for (__u32 i = 0; i < n; i++)
		hash[i] = pe_hash(n - 1 - i, 0);
	assert_int_equal(lru_stack__access(u.stack, hash, n, d), n);
	for (__u32 i = 0; i < n; i++)
		wrong += d[i] != i;
	assert_int_equal(wrong, 0);
	assert_int_equal(lru_stack__pages(u.stack), n);
	/* All told. */
	printf("%.1f bytes a page\n", (double)u.memory.used / n);
	assert_true(u.memory.used <= 28UL * n);
	down(&u);
	free(hash);
	free(d);
}

/* --- forgetting --- */

static __u64 some_threshold(const struct trace *t, struct random *r)
{
	return random__one_in(r, 5) ? random__next(r) : t->hash_of[random__below(r, t->pages)];
}

static bool not_above(const void *threshold, __u64 hash)
{
	return hash <= *(const __u64 *)threshold;
}

static void forget_and_go_on(struct under_test *u, struct trace *t, struct random *r)
{
	struct list l = {0};
	__u32 done = 0;

	while (done < t->n) {
		__u32 to = done + 1 + random__below(r, t->n / 4), at;
		__u64 threshold = some_threshold(t, r);

		at = to < t->n ? to : t->n;
		trace__expect(t, &l, done, at);
		access_all(u, t, done, at, 0, r);
		trace__compare(t, done, at);
		done = at;
		if (random__one_in(r, 6)) {
			lru_stack__clear(u->stack);
			l.nr = 0;
		} else {
			lru_stack__retain(u->stack, not_above, &threshold);
			list__retain(&l, t->hash_of, threshold);
		}
		assert_int_equal(lru_stack__pages(u->stack), l.nr);
	}
}

static void test_forgetting(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 600; i++) {
		__u32 n = i % 10 ? 4 + random__below(&r, 1000) : 20000;
		struct trace *t =
			trace__new(1 + random__below(&r, 300), n, random__below(&r, SHAPES), &r);
		struct under_test u;

		if (!up(&u, i % LRU_ISAS))
			up(&u, LRU_PORTABLE);
		forget_and_go_on(&u, t, &r);
		down(&u);
		trace__free(t);
	}
}

/* All go, at every number of slots used, and it keeps its memory. */
static void test_clear(void **state)
{
	struct random r = {random__seed()};
	struct trace *t = trace__new(1000, 2 * FIRST_SLOTS, UNIFORM, &r);
	struct under_test u;
	size_t used;

	assert_true(up(&u, LRU_PORTABLE));
	lru_stack__clear(u.stack);
	access_all(&u, t, 0, t->n, 0, &r);
	used = u.memory.used;
	for (__u32 n = 0; n < 200; n++) {
		struct list l = {0};

		lru_stack__clear(u.stack);
		assert_int_equal(lru_stack__pages(u.stack), 0);
		trace__expect(t, &l, 0, n);
		access_all(&u, t, 0, n, 0, &r);
		trace__compare(t, 0, n);
	}
	assert_int_equal(u.memory.used, used);
	down(&u);
	trace__free(t);
}

/* --- one at a time, with tags --- */

static void test_touch(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 200; i++) {
		struct trace *t = trace__new(1 + random__below(&r, 300), i % 20 ? 500 : 15000,
					     i % SHAPES, &r);
		__u32 *tags = calloc(t->pages, sizeof(*tags));
		struct list l = {0};
		struct under_test u;

		assert_true(up(&u, LRU_PORTABLE));
		trace__expect(t, &l, 0, t->n);
		for (__u32 k = 0; k < t->n; k++) {
			__u32 mine = random__next(&r), tag = mine;
			bool cold = t->want[k] == LRU_COLD;

			assert_int_equal(lru_stack__touch(u.stack, t->hash[k], &tag, &t->got[k]),
					 0);
			assert_int_equal(tag, cold ? mine : tags[t->page[k]]);
			tags[t->page[k]] = mine;
		}
		trace__compare(t, 0, t->n);
		down(&u);
		free(tags);
		trace__free(t);
	}
}

/* --- memory is short --- */

static __u32 count_cold(const struct trace *t, __u32 n)
{
	__u32 cold = 0;

	for (__u32 i = 0; i < n; i++)
		cold += t->want[i] == LRU_COLD;
	return cold;
}

/* As far as memory goes. */
static __u32 access_until_short(struct under_test *u, struct trace *t, struct random *r)
{
	__u32 done = 0;

	while (done < t->n) {
		__u32 ask = 1 + random__below(r, 300);
		ssize_t n;

		ask = ask < t->n - done ? ask : t->n - done;
		n = lru_stack__access(u->stack, t->hash + done, ask, t->got + done);
		assert_true(n == -ENOMEM || (n > 0 && n <= ask));
		if (n < 0)
			break;
		done += n;
	}
	return done;
}

/* What was done is right, what is known stays, and more memory is all it takes to go on. */
static void starve(struct trace *t, size_t max, enum lru_isa isa, struct random *r)
{
	struct under_test u;
	__u32 done;

	if (!up(&u, isa))
		return;
	u.memory.max = u.memory.used + max;
	done = access_until_short(&u, t, r);
	assert_true(u.memory.used <= u.memory.max);
	trace__compare(t, 0, done);
	assert_int_equal(lru_stack__pages(u.stack), count_cold(t, done));
	u.memory.max = 0;
	access_all(&u, t, done, t->n, 0, r);
	trace__compare(t, done, t->n);
	down(&u);
}

static void test_no_memory(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 3; i++) {
		struct trace *t = trace__new(MAX_PAGES, 15000, i ? UNIFORM : LOOP, &r);
		struct list l = {0};

		trace__expect(t, &l, 0, t->n);
		for (size_t max = 0; max < 200 << 10; max += 4096)
			starve(t, max, (max / 4096 + i) % LRU_ISAS, &r);
		trace__free(t);
	}
}

static void test_no_memory_at_all(void **state)
{
	struct memory m;
	size_t need;

	memory__init(&m, 0);
	lru_stack__free(lru_stack__new(&m));
	for (need = 1;; need += 4096) {
		struct lru_stack *s;

		memory__init(&m, need);
		s = lru_stack__new(&m);
		if (s) {
			lru_stack__free(s);
			break;
		}
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(m.used, 0);
	}
	assert_true(need > 4096 && need < 64 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isa),	  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_small),	  cmocka_unit_test(test_long),
		cmocka_unit_test(test_batches),	  cmocka_unit_test(test_compaction),
		cmocka_unit_test(test_large),	  cmocka_unit_test(test_forgetting),
		cmocka_unit_test(test_clear),	  cmocka_unit_test(test_touch),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_no_memory_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
