// SPDX-License-Identifier: GPL-2.0
/* The page table against an array of what is in it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../bpf/page_event.h"
#include "../../cache/page_table.h"
#include "random.h"

#define MAX_PAGES 40000U

struct page {
	__u64 key;
	__u32 pos, check; /* pos 0: not in it */
};

struct model {
	struct memory memory;
	struct page_table table;
	struct page *page;
	__u32 nr, in;
};

static void up(struct model *m, __u32 nr)
{
	*m = (struct model){.page = calloc(nr + 1, sizeof(*m->page)), .nr = nr};
	assert_non_null(m->page);
	memory__init(&m->memory, 0);
	assert_int_equal(page_table__init(&m->table, &m->memory), 0);
}

static void down(struct model *m)
{
	page_table__free(&m->table, &m->memory);
	assert_int_equal(m->memory.used, 0);
	free(m->page);
}

/* Not cleared yet. */
static bool in_hole(const struct page_table *t, __u32 i)
{
	return t->hole && t->hole + PAGE_PROBES <= i && i < t->hole_end;
}

/* What its header promises of the cells: in order, no hole before a page that is not at home. */
static void check_cells(const struct page_table *t)
{
	__u32 pages = 0, wrong = 0;

	for (__u32 i = 0; i < t->room; i++) {
		const struct page_cell *c = t->cells + i;

		if (!c->pos) {
			wrong += c->key != PAGE_CELL_EMPTY && !in_hole(t, i);
			continue;
		}
		pages++;
		wrong += page_table__home(t, c->key) > c;
		if (page_table__home(t, c->key) < c)
			wrong += !i || !c[-1].pos || c[-1].key >= c->key;
	}
	for (__u32 i = t->room; i < t->room + PAGE_PROBES; i++)
		wrong += t->cells[i].pos || (t->cells[i].key != PAGE_CELL_EMPTY && !in_hole(t, i));
	assert_int_equal(wrong, 0);
	assert_int_equal(pages, t->pages);
	assert_true(t->region.bytes >= (t->room + PAGE_PROBES) * sizeof(*t->cells));
}

static void check(const struct model *m)
{
	__u32 wrong = 0;

	check_cells(&m->table);
	for (__u32 i = 0; i < m->nr; i++) {
		const struct page *p = &m->page[i];
		const struct page_cell *c = page_table__find(&m->table, p->key);

		wrong += !c != !p->pos;
		if (c && p->pos)
			wrong += c->pos != p->pos || c->check != p->check || c->key != p->key;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(m->table.pages, m->in);
}

/* false: the tail is full. */
static bool put(struct model *m, __u32 i, __u32 pos)
{
	struct page *p = &m->page[i];
	struct page_cell *c = page_table__seek(&m->table, p->key);

	assert_false(page_cell__holds(c, p->key));
	c = page_table__insert(&m->table, c, p->key);
	if (!c)
		return false;
	assert_true(c->key == p->key && !c->pos && !c->check);
	c->pos = p->pos = pos;
	c->check = p->check = ~pos;
	m->in++;
	return true;
}

static void take(struct model *m, __u32 i)
{
	struct page_cell *c = page_table__find(&m->table, m->page[i].key);

	assert_non_null(c);
	page_table__erase(&m->table, c);
	m->page[i].pos = 0;
	m->in--;
}

static void toggle(struct model *m, __u32 i, struct random *r)
{
	if (m->page[i].pos) {
		take(m, i);
		return;
	}
	assert_int_equal(page_table__reserve(&m->table, &m->memory, 1), 0);
	assert_true(put(m, i, 1 + random__below(r, ~0U)));
}

/* --- keys --- */

static void random_keys(struct model *m, struct random *r)
{
	for (__u32 i = 0; i < m->nr; i++)
		m->page[i].key = page_table__key(&m->table, random__next(r));
}

/* Pages as they are in life: neighbours. */
static void neighbours(struct model *m, struct random *r)
{
	__u64 first = random__one_in(r, 2) ? random__next(r) : ~0ULL - m->nr / 2;

	for (__u32 i = 0; i < m->nr; i++)
		m->page[i].key = page_table__key(&m->table, pe_hash(first + i, 1));
}

/* All in one place, where they make a run as long as there are pages. */
static void crowd(struct model *m, struct random *r)
{
	__u64 step = ~0ULL / m->nr / 1000 + 1, first = random__next(r) >> 3;

	for (__u32 i = 0; i < m->nr; i++)
		m->page[i].key = first + i * step;
}

/* The first keys there are, and the last, which empty cells have. */
static void extremes(struct model *m, struct random *r)
{
	random_keys(m, r);
	for (__u32 i = 0; i < m->nr && i < 50; i++)
		m->page[i].key = i % 2 ? ~0ULL - i / 2 : i / 2;
}

static void (*const kinds[])(struct model *, struct random *) = {random_keys, neighbours, crowd,
								 extremes};

static void test_random(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 200; i++) {
		struct model m;

		up(&m, 1 + random__below(&r, i % 20 ? 400 : 4000));
		kinds[i % 4](&m, &r);
		for (__u32 k = 0; k < 6 * m.nr; k++) {
			/* Mostly ever more, or ever fewer. */
			__u32 page = random__below(&r, m.nr);
			bool grow = k / m.nr % 3 != 1;

			if (!m.page[page].pos == grow || random__one_in(&r, 4))
				toggle(&m, page, &r);
			if (random__one_in(&r, m.nr))
				check(&m);
		}
		check(&m);
		down(&m);
	}
}

/* Page by page, with a look at everything before and after each growth, as memory is 20 to 25
 * bytes a page from some size on. */
static void test_growth(void **state)
{
	struct random r = {random__seed()};
	struct model m;

	up(&m, MAX_PAGES);
	neighbours(&m, &r);
	for (__u32 i = 0; i < m.nr; i++) {
		__u32 homes = m.table.homes;
		bool full = m.table.pages == m.table.full;

		if (full)
			check(&m);
		assert_int_equal(page_table__reserve(&m.table, &m.memory, 1), 0);
		assert_int_equal(m.table.homes != homes, full);
		assert_true(m.table.homes <= homes + homes / 2);
		if (full)
			check(&m);
		assert_true(put(&m, i, i + 1));
	}
	for (__u32 i = 0; i < m.nr; i++)
		take(&m, i);
	check(&m);
	down(&m);
}

/* For so many at once that it takes several steps. */
static void test_reserve(void **state)
{
	struct random r = {random__seed()};
	struct model m;

	for (__u32 n = 1; n < MAX_PAGES; n = 3 * n + 1) {
		__u32 homes;

		up(&m, MAX_PAGES);
		random_keys(&m, &r);
		for (__u32 i = 0; i < 150; i++)
			assert_true(put(&m, i, i + 1));
		assert_int_equal(page_table__reserve(&m.table, &m.memory, n), 0);
		check(&m);
		homes = m.table.homes;
		for (__u32 i = 150; i < 150 + n && i < m.nr; i++)
			assert_true(put(&m, i, i + 1));
		assert_int_equal(m.table.homes, homes);
		check(&m);
		down(&m);
	}
}

/* What is behind the last home is all that the last home's pages have. */
static void test_tail(void **state)
{
	struct random r = {random__seed()};
	struct model m;
	__u32 n = 0, room;

	up(&m, 400);
	/* Downwards: each goes before all others. */
	for (__u32 i = 0; i < m.nr; i++)
		m.page[i].key = ~0ULL - i;
	room = m.table.room - (m.table.homes - 1);
	while (put(&m, n, n + 1))
		n++;
	assert_int_equal(n, room);
	check(&m);
	assert_false(put(&m, m.nr - 1, 1));
	check(&m);
	/* One out, one in; in any order. */
	for (int i = 0; i < 2000; i++) {
		__u32 in = random__below(&r, n), out = n + random__below(&r, m.nr - n);

		take(&m, in);
		assert_true(put(&m, out, 7));
		assert_false(put(&m, in, 1));
		take(&m, out);
		assert_true(put(&m, in, 8));
	}
	check(&m);
	/* Larger, with all of them where they were. */
	assert_int_equal(page_table__reserve(&m.table, &m.memory, 1000), 0);
	check(&m);
	assert_false(put(&m, m.nr - 1, 1));
	while (n--)
		take(&m, n);
	check(&m);
	down(&m);
}

/* --- sweeps --- */

struct sweep {
	struct model *m;
	struct random *r;
	__u64 last;
	__u32 seen, share;
};

static struct page *page_of_key(struct model *m, __u64 key)
{
	for (__u32 i = 0; i < m->nr; i++)
		if (m->page[i].key == key)
			return &m->page[i];
	return NULL;
}

static bool visit(void *ctx, struct page_cell *c)
{
	struct sweep *s = ctx;
	struct page *p = page_of_key(s->m, c->key);

	assert_true(p && p->pos == c->pos && p->check == c->check);
	assert_true(!s->seen || c->key > s->last);
	s->last = c->key;
	s->seen++;
	if (s->share && random__one_in(s->r, s->share)) {
		s->m->in--;
		p->pos = 0;
		return true;
	}
	c->pos = p->pos = 1 + random__below(s->r, ~0U);
	c->check = p->check = random__next(s->r);
	return false;
}

static void test_sweep(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 300; i++) {
		struct sweep s = {.r = &r, .share = i % 5};
		struct model m;
		__u32 in;

		up(&m, 1 + random__below(&r, 500));
		s.m = &m;
		kinds[i / 5 % 4](&m, &r);
		for (__u32 k = 0; k < m.nr; k++)
			if (random__one_in(&r, 1 + i % 3))
				toggle(&m, k, &r);
		in = m.in;
		page_table__sweep(&m.table, visit, &s);
		assert_int_equal(s.seen, in);
		if (s.share == 1)
			assert_int_equal(m.in, 0);
		check(&m);
		for (__u32 k = 0; k < m.nr; k++)
			toggle(&m, k, &r);
		check(&m);
		down(&m);
	}
}

/* --- in steps --- */

static void count_lost(void *ctx, const struct page_cell *c)
{
	struct model *m = ctx;

	page_of_key(m, c->key)->pos = 0;
	m->in--;
}

/* As many and as few as there may be, with everything looked at between any two steps. */
static void test_steps(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 60; i++) {
		__u32 moving = 0;
		struct model m;

		up(&m, 1 + random__below(&r, i % 4 == 2 ? 300 : i % 10 ? 1500 : 6000));
		kinds[i % 4](&m, &r);
		m.table.lost = count_lost;
		m.table.lost_ctx = &m;
		for (__u32 k = 0; k < 8 * m.nr; k++) {
			__u32 page = random__below(&r, m.nr);
			bool grow = k / m.nr % 4 < 2;

			if (random__one_in(&r, 20) || !grow)
				page_table__step(&m.table, &m.memory);
			if (!grow && random__one_in(&r, 30))
				page_table__begin_shrink(&m.table);
			moving += page_table__moving(&m.table);
			if (m.page[page].pos && (!grow || random__one_in(&r, 4))) {
				take(&m, page);
			} else if (!m.page[page].pos && (grow || random__one_in(&r, 4))) {
				assert_int_equal(page_table__make_room(&m.table, &m.memory), 0);
				put(&m, page, 1 + random__below(&r, ~0U));
			}
			if (random__one_in(&r, 1 + m.nr / 8))
				check(&m);
		}
		/* It begins with room for 152. */
		assert_true(moving || m.nr < 400);
		check(&m);
		down(&m);
	}
}

/* Sweeps while it grows or shrinks. */
static void test_sweep_steps(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 200; i++) {
		struct sweep s = {.r = &r, .share = 2 + i % 4};
		struct model m;

		up(&m, 400 + random__below(&r, 1000));
		s.m = &m;
		random_keys(&m, &r);
		m.table.lost = count_lost;
		m.table.lost_ctx = &m;
		for (__u32 k = 0; k < m.nr; k++) {
			assert_int_equal(page_table__make_room(&m.table, &m.memory), 0);
			put(&m, k, k + 1);
			if (k > 300 && page_table__moving(&m.table) && random__one_in(&r, 8))
				break;
		}
		if (!page_table__moving(&m.table))
			page_table__begin_shrink(&m.table);
		page_table__sweep(&m.table, visit, &s);
		check(&m);
		while (page_table__moving(&m.table))
			page_table__step(&m.table, &m.memory);
		check(&m);
		down(&m);
	}
}

/* Never more than 25 bytes a page that was in it at once, 32 of those that are left, and a page of
 * memory and the cells behind the last home. */
static void test_step_bytes(void **state)
{
	struct random r = {random__seed()};

	for (__u32 n = 300; n < MAX_PAGES; n = n * 5 / 4) {
		struct model m;
		__u32 kept = n / (2 + random__below(&r, 20));

		up(&m, n);
		memory__tighten(&m.memory);
		random_keys(&m, &r);
		for (__u32 i = 0; i < n; i++) {
			assert_int_equal(page_table__make_room(&m.table, &m.memory), 0);
			assert_true(put(&m, i, i + 1));
			assert_true(m.memory.used <= 25 * (i + 1) + 5120 + 4096);
		}
		for (__u32 i = kept; i < n; i++)
			take(&m, i);
		do
			page_table__step(&m.table, &m.memory);
		while (page_table__moving(&m.table));
		page_table__begin_shrink(&m.table);
		while (page_table__moving(&m.table))
			page_table__step(&m.table, &m.memory);
		assert_true(m.memory.used <= 24 * kept + 5120 + 4096);
		check(&m);
		down(&m);
	}
}

/* --- the rest --- */

static void test_hash(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 100; i++) {
		struct model m;

		up(&m, 0);
		for (int k = 0; k < 100; k++) {
			__u64 hash = random__next(&r) >> random__below(&r, 64);
			__u64 key = page_table__key(&m.table, hash);

			assert_true(page_table__hash(&m.table, key) == hash);
			assert_true(page_table__hash(&m.table, page_table__key(&m.table, ~hash)) ==
				    ~hash);
		}
		down(&m);
	}
}

/* A table that nobody can aim at: not the same twice. */
static void test_secret(void **state)
{
	struct model a, b;

	up(&a, 0);
	up(&b, 0);
	assert_true(a.table.secret != b.table.secret);
	down(&a);
	down(&b);
}

/* Memory ends at each growth in turn: all stays, and what needs no room still works. */
static void test_no_memory(void **state)
{
	struct random r = {random__seed()};

	for (size_t max = 0; max < 600 << 10; max += max / 4 / 4096 * 4096 + 4096) {
		struct model m;
		__u32 n = 0;

		up(&m, MAX_PAGES);
		random_keys(&m, &r);
		m.memory.max = m.memory.used + max;
		while (!page_table__reserve(&m.table, &m.memory, 1)) {
			assert_true(put(&m, n, n + 1));
			n++;
		}
		check(&m);
		assert_int_equal(n, m.table.full);
		assert_int_equal(page_table__reserve(&m.table, &m.memory, ~0U), -ENOMEM);
		check(&m);
		take(&m, 0);
		assert_int_equal(page_table__reserve(&m.table, &m.memory, 1), 0);
		assert_true(put(&m, n, 3));
		m.memory.max = 0;
		assert_int_equal(page_table__reserve(&m.table, &m.memory, 1), 0);
		assert_true(put(&m, 0, 4));
		check(&m);
		down(&m);
	}
}

static void test_no_memory_at_all(void **state)
{
	struct page_table t;
	struct memory m;

	memory__init(&m, 4095);
	assert_int_equal(page_table__init(&t, &m), -ENOMEM);
	page_table__free(&t, &m);
	assert_int_equal(m.used, 0);
}

/* 20 to 25 bytes a page, once it is large, and a huge page begun. */
static void test_bytes(void **state)
{
	const __u32 n = 2000000;
	struct random r = {random__seed()};
	struct model m;

	up(&m, 1);
	for (__u32 i = 0; i < n; i++) {
		struct page_cell *c;

		m.page[0].key = page_table__key(&m.table, random__next(&r));
		assert_int_equal(page_table__reserve(&m.table, &m.memory, 1), 0);
		c = page_table__seek(&m.table, m.page[0].key);
		c = page_table__insert(&m.table, c, m.page[0].key);
		assert_non_null(c);
		c->pos = 1;
		if (i > 1 << 20)
			assert_true(m.memory.used < 25.1 * i + REGION_CHUNK);
	}
	check_cells(&m.table);
	down(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	    cmocka_unit_test(test_growth),
		cmocka_unit_test(test_reserve),	    cmocka_unit_test(test_tail),
		cmocka_unit_test(test_sweep),	    cmocka_unit_test(test_steps),
		cmocka_unit_test(test_sweep_steps), cmocka_unit_test(test_step_bytes),
		cmocka_unit_test(test_hash),	    cmocka_unit_test(test_secret),
		cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_no_memory_at_all),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
