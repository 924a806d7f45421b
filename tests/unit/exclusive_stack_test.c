// SPDX-License-Identifier: GPL-2.0
/* The exclusive stack against a list, under all events there are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/exclusive_stack.h"
#include "../../cache/region.h"
#include "random.h"

#define MAX_PAGES 4096
#define NONE PE_FRAME_NONE

enum state { UNKNOWN, GHOST, RESIDENT, DEAD };

struct model_page {
	enum state state;
	__u64 frame;
	__u64 time; /* pushes before it came in, or before its own */
};

/* The stack as its description has it, with no thought of speed. */
struct model {
	__u64 pages;
	struct model_page page[MAX_PAGES];
	int ghost[MAX_PAGES]; /* newest first */
	int nr_ghosts;
	__u64 tracked, pushes, dropped, dropped_time;
	bool any_dropped;
	__u64 top_frame; /* left by the newest push, which is still there, and empty since */
	int top_page;
};

static void model__pull(struct model *m, int page)
{
	int i = 0;

	while (m->ghost[i] != page)
		i++;
	memmove(m->ghost + i, m->ghost + i + 1, (m->nr_ghosts - i - 1) * sizeof(m->ghost[0]));
	m->nr_ghosts--;
	if (m->top_page == page)
		m->top_frame = NONE;
}

static void model__push(struct model *m, int page, __u64 frame)
{
	memmove(m->ghost + 1, m->ghost, m->nr_ghosts * sizeof(m->ghost[0]));
	m->ghost[0] = page;
	m->nr_ghosts++;
	m->tracked += m->page[page].state == UNKNOWN;
	m->page[page] = (struct model_page){.state = GHOST, .time = m->pushes++};
	m->top_frame = frame;
	m->top_page = page;
}

static void model__forget(struct model *m, int page)
{
	if (m->page[page].state == GHOST)
		model__pull(m, page);
	m->tracked -= m->page[page].state != UNKNOWN;
	m->page[page].state = UNKNOWN;
}

static int model__evict(struct model *m, int page, __u64 frame)
{
	struct model_page *p = &m->page[page];
	int was = p->state == GHOST	 ? STACK_GHOST
		  : p->state == RESIDENT ? STACK_RESIDENT
					 : STACK_UNKNOWN;

	if ((p->state == RESIDENT || p->state == DEAD) && frame != NONE && frame != p->frame)
		return STACK_STALE;
	if (p->state == DEAD) {
		model__forget(m, page);
		return STACK_DROPPED;
	}
	if (p->state == GHOST)
		model__pull(m, page);
	model__push(m, page, frame);
	return was;
}

/* Ghosts pushed at `time` or later, but for the one that this fill drives out. */
static __u64 model__since(const struct model *m, __u64 time, __u64 frame)
{
	__u64 n = 0;

	for (int i = 0; i < m->nr_ghosts && m->page[m->ghost[i]].time >= time; i++)
		n++;
	return n && frame != NONE && frame == m->top_frame ? n - 1 : n;
}

static int model__fill(struct model *m, int page, __u64 frame, __u64 *distance)
{
	struct model_page *p = &m->page[page];
	int was = STACK_UNKNOWN;

	if (p->state == GHOST) {
		*distance = model__since(m, p->time + 1, frame);
		model__pull(m, page);
		was = STACK_GHOST;
	} else if (p->state == RESIDENT) {
		*distance = model__since(m, p->time, frame);
		if (m->any_dropped && m->dropped_time >= p->time)
			*distance += m->dropped;
		was = STACK_RESIDENT;
	}
	if (frame == NONE) {
		model__push(m, page, NONE);
		return was;
	}
	if (frame == m->top_frame)
		m->top_frame = NONE;
	m->tracked += p->state == UNKNOWN;
	*p = (struct model_page){.state = RESIDENT, .frame = frame, .time = m->pushes};
	return was;
}

static void model__discard(struct model *m, __u64 first, __u64 count, bool mark_dead)
{
	for (__u64 page = 0; page < m->pages; page++) {
		if (page - first >= count)
			continue;
		if (mark_dead && (m->page[page].state == RESIDENT || m->page[page].state == DEAD))
			m->page[page].state = DEAD;
		else
			model__forget(m, page);
	}
}

/* One in sixteen, and one more. */
static __u32 model__drop_oldest(struct model *m)
{
	__u32 n = m->nr_ghosts ? m->nr_ghosts / 16 + 1 : 0;

	for (__u32 i = 0; i < n; i++) {
		int page = m->ghost[m->nr_ghosts - 1];

		m->dropped_time = m->page[page].time;
		m->any_dropped = true;
		model__forget(m, page);
	}
	m->dropped += n;
	return n;
}

static void model__retain(struct model *m, enum page_space space, __u64 base, __u64 threshold)
{
	for (__u64 page = 0; page < m->pages; page++)
		if (pe_lot(base + page, space) > threshold)
			model__forget(m, page);
}

/* Both, side by side. */
struct pair {
	struct memory memory;
	struct stack_budget budget;
	struct exclusive_stack *stack;
	enum page_space space;
	__u64 base; /* page 0 of the model */
	__u64 frames;
	__u64 threshold;
	struct model model;
};

static void pair__up(struct pair *p, struct random *r, __u64 pages, __u64 max)
{
	memset(p, 0, sizeof(*p));
	memory__init(&p->memory, 0);
	p->budget.max = max;
	p->space = random__below(r, 2);
	p->base = random__one_in(r, 2) ? pe_page(random__below(r, 1024), 12345) : ~0ULL - pages;
	p->frames = 1 + random__below(r, pages);
	p->threshold = PE_SAMPLE_ALL;
	p->model.pages = pages;
	p->model.top_frame = NONE;
	p->stack = exclusive_stack__new(&p->memory, &p->budget, p->space);
	assert_non_null(p->stack);
}

static void pair__down(struct pair *p)
{
	exclusive_stack__free(p->stack);
	assert_int_equal(p->budget.used, 0);
	assert_int_equal(p->memory.used, 0);
}

/* The page would be a new one, and there is no room: both sides make some, or neither can. */
static bool pair__room(struct pair *p, int page)
{
	__u32 dropped;

	if (p->model.page[page].state != UNKNOWN || !p->budget.max ||
	    p->model.tracked < p->budget.max)
		return true;
	assert_int_equal(exclusive_stack__evict(p->stack, pe_hash(p->base + page, p->space), 1),
			 -ENOSPC);
	dropped = exclusive_stack__drop_oldest(p->stack);
	assert_int_equal(dropped, model__drop_oldest(&p->model));
	return dropped;
}

static void pair__event(struct pair *p, struct random *r)
{
	__u64 page = random__one_in(r, 2) ? random__below(r, p->model.pages)
					  : random__below(r, 1 + p->model.pages / 8);
	__u64 frame = random__one_in(r, 10) ? NONE : random__below(r, p->frames);
	__u64 hash = pe_hash(p->base + page, p->space), want = 0, got = 0;
	int kind = random__below(r, 10);

	if (pe_lot(p->base + page, p->space) > p->threshold || !pair__room(p, page))
		return;
	if (kind < 5) {
		/* Mostly by the frame that holds it, as it is in life. */
		if (p->model.page[page].state == RESIDENT && !random__one_in(r, 5))
			frame = p->model.page[page].frame;
		assert_int_equal(exclusive_stack__evict(p->stack, hash, frame),
				 model__evict(&p->model, page, frame));
	} else if (kind < 9) {
		/* Often into the frame that was left last. */
		if (random__one_in(r, 3))
			frame = p->model.top_frame;
		assert_int_equal(exclusive_stack__fill(p->stack, hash, frame, &got),
				 model__fill(&p->model, page, frame, &want));
		assert_int_equal(got, want);
	} else {
		assert_int_equal(exclusive_stack__writeback(p->stack, hash, frame),
				 model__fill(&p->model, page, frame, &want));
	}
}

static void pair__discard(struct pair *p, struct random *r)
{
	__u64 first = random__below(r, p->model.pages);
	__u64 count = random__one_in(r, 4) ? ~0U : random__below(r, 1 + p->model.pages / 8);
	bool mark_dead = random__one_in(r, 2);

	exclusive_stack__discard(p->stack, p->base + first, count, mark_dead);
	/* Page numbers do not wrap around: those of the model before `first` stay. */
	model__discard(&p->model, first, count, mark_dead);
}

static void pair__compare(struct pair *p)
{
	for (int i = 0; i < p->model.nr_ghosts; i++) {
		__u64 depth = ~0ULL;

		assert_int_equal(
			exclusive_stack__find(p->stack, p->base + p->model.ghost[i], &depth),
			STACK_GHOST);
		assert_int_equal(depth, i);
	}
	for (__u64 page = 0; page < p->model.pages; page++) {
		__u64 depth;
		int found = exclusive_stack__find(p->stack, p->base + page, &depth);
		enum state s = p->model.page[page].state;

		assert_int_equal(found == STACK_RESIDENT, s == RESIDENT);
		assert_int_equal(found == STACK_GHOST, s == GHOST);
	}
	assert_int_equal(exclusive_stack__tracked(p->stack), p->model.tracked);
	assert_int_equal(exclusive_stack__ghosts(p->stack), p->model.nr_ghosts);
	assert_int_equal(p->budget.used, p->model.tracked);
}

static void run_case(struct random *r, __u64 pages, int events, __u64 max, int rare)
{
	static struct pair p;

	pair__up(&p, r, pages, max);
	for (int i = 0; i < events; i++) {
		pair__event(&p, r);
		if (random__one_in(r, rare))
			pair__discard(&p, r);
		if (random__one_in(r, 10 * rare))
			assert_int_equal(exclusive_stack__drop_oldest(p.stack),
					 model__drop_oldest(&p.model));
		if (random__one_in(r, 40 * rare)) {
			p.threshold >>= random__below(r, 2);
			exclusive_stack__retain(p.stack, p.threshold);
			model__retain(&p.model, p.space, p.base, p.threshold);
		}
		if (random__one_in(r, rare))
			pair__compare(&p);
	}
	pair__compare(&p);
	pair__down(&p);
}

static void test_small(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 1000; i++) {
		__u64 pages = 2 + random__below(&r, 60);

		run_case(&r, pages, 500, random__one_in(&r, 2) ? 1 + random__below(&r, pages) : 0,
			 100);
	}
}

/* So many pushes that slots run out again and again. */
static void test_compaction(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 6; i++) {
		__u64 pages = 2 + random__below(&r, 200);

		run_case(&r, pages, 60000, i % 2 ? 1 + random__below(&r, pages) : 0, 3000);
	}
}

static void test_large(void **state)
{
	struct random r = {random__seed()};

	run_case(&r, MAX_PAGES, 80000, 0, 20000);
	run_case(&r, MAX_PAGES, 80000, MAX_PAGES / 2, 20000);
}

static struct exclusive_stack *stack_new(struct memory *m, struct stack_budget *budget)
{
	struct exclusive_stack *s;

	memory__init(m, 0);
	s = exclusive_stack__new(m, budget, SPACE_DISK);
	assert_non_null(s);
	return s;
}

static __u64 filled(struct exclusive_stack *s, __u64 page, __u64 frame, int want)
{
	__u64 distance = ~0ULL;

	assert_int_equal(exclusive_stack__fill(s, pe_hash(page, SPACE_DISK), frame, &distance),
			 want);
	return distance;
}

static void evicted(struct exclusive_stack *s, __u64 page, __u64 frame, int want)
{
	assert_int_equal(exclusive_stack__evict(s, pe_hash(page, SPACE_DISK), frame), want);
}

/* The figures of a short story, by hand. */
static void test_story(void **state)
{
	struct memory m;
	struct stack_budget budget = {0};
	struct exclusive_stack *s = stack_new(&m, &budget);

	for (__u64 page = 10; page < 15; page++)
		filled(s, page, page - 10, STACK_UNKNOWN);
	for (__u64 page = 10; page < 15; page++)
		evicted(s, page, page - 10, STACK_RESIDENT);
	assert_int_equal(exclusive_stack__ghosts(s), 5);
	/* 14 13 12 11 10: page 12 has two above it. */
	assert_int_equal(filled(s, 12, 9, STACK_GHOST), 2);
	/* 14 left frame 4 last: what is read there now was pushed down by itself only. */
	assert_int_equal(filled(s, 11, 4, STACK_GHOST), 1);
	/* Only once: the frame is taken now. */
	assert_int_equal(filled(s, 10, 4, STACK_GHOST), 2);
	/* 12 is in frame 9, so says nothing that frame 8 stops holding it. */
	evicted(s, 12, 8, STACK_STALE);
	assert_int_equal(exclusive_stack__ghosts(s), 2);
	evicted(s, 12, NONE, STACK_RESIDENT);
	/* Two pushes since 11 came in would bound its distance; 12 came back in between. */
	filled(s, 12, 9, STACK_GHOST);
	assert_int_equal(filled(s, 11, 5, STACK_RESIDENT), 0);
	exclusive_stack__free(s);
}

/* Compaction at the very moment when the arrays are full, with a page that came in just then. */
static void test_full_arrays(void **state)
{
	const __u64 n = 149000, slots = 1 << 18;
	struct memory m;
	struct stack_budget budget = {0};
	struct exclusive_stack *s = stack_new(&m, &budget);

	for (__u64 i = 0; i < slots - 1; i++)
		evicted(s, i % n, NONE, i < n ? STACK_UNKNOWN : STACK_GHOST);
	filled(s, n + 1, 1, STACK_UNKNOWN);
	evicted(s, n + 2, NONE, STACK_UNKNOWN);
	/* This is the moment: slots were taken back, which this page's depth does not show. */
	assert_int_equal(filled(s, n + 1, 1, STACK_RESIDENT), 1);
	assert_int_equal(filled(s, (slots - 2) % n, 2, STACK_GHOST), 1);
	assert_int_equal(filled(s, (slots - 1) % n, 3, STACK_GHOST), n - 1);
	exclusive_stack__free(s);
}

static void test_dead(void **state)
{
	struct memory m;
	struct stack_budget budget = {0};
	struct exclusive_stack *s = stack_new(&m, &budget);

	filled(s, 1, 1, STACK_UNKNOWN);
	filled(s, 2, 2, STACK_UNKNOWN);
	filled(s, 3, 3, STACK_UNKNOWN);
	exclusive_stack__discard(s, 0, 1ULL << 32, true);
	assert_int_equal(exclusive_stack__tracked(s), 3);
	evicted(s, 1, 7, STACK_STALE);
	evicted(s, 1, 1, STACK_DROPPED);
	assert_int_equal(exclusive_stack__tracked(s), 2);
	/* Written or read again, it lives. */
	filled(s, 2, 2, STACK_UNKNOWN);
	evicted(s, 2, 2, STACK_RESIDENT);
	assert_int_equal(exclusive_stack__ghosts(s), 1);
	exclusive_stack__discard(s, 0, 1ULL << 32, false);
	assert_int_equal(exclusive_stack__tracked(s), 0);
	exclusive_stack__free(s);
}

/* Evictions of new pages until memory is short: which one it was short for. */
static __u64 evict_until_short(struct exclusive_stack *s, __u64 page)
{
	int err;

	while ((err = exclusive_stack__evict(s, pe_hash(page, SPACE_DISK), NONE)) == STACK_UNKNOWN)
		page++;
	assert_int_equal(err, -ENOMEM);
	return page;
}

static void check_stack_of(struct exclusive_stack *s, __u64 pages)
{
	__u64 d;

	assert_int_equal(exclusive_stack__tracked(s), pages);
	assert_int_equal(exclusive_stack__ghosts(s), pages);
	for (__u64 p = 0; p < pages; p += 1 + pages / 300) {
		assert_int_equal(exclusive_stack__find(s, p, &d), STACK_GHOST);
		assert_int_equal(d, pages - 1 - p);
	}
}

/* No memory beyond `more` from page `from` on: nothing changes, and all goes on afterwards. */
static void starve(__u64 from, size_t more)
{
	struct stack_budget budget = {0};
	struct memory m;
	struct exclusive_stack *s = stack_new(&m, &budget);
	__u64 pages, left;
	__u32 dropped;

	for (__u64 page = 0; page < from; page++)
		evicted(s, page, NONE, STACK_UNKNOWN);
	m.max = m.used + more;
	pages = evict_until_short(s, from);
	check_stack_of(s, pages);
	/* What needs no memory still works. */
	assert_int_equal(filled(s, pages - 1, 1, STACK_GHOST), 0);
	assert_int_equal(filled(s, 0, 2, STACK_GHOST), pages - 2);
	dropped = exclusive_stack__drop_oldest(s);
	assert_int_equal(dropped, (pages - 2) / 16 + 1);
	evicted(s, pages - 1, 1, STACK_RESIDENT);
	assert_int_equal(exclusive_stack__tracked(s), pages - dropped);
	exclusive_stack__discard(s, 0, pages / 2, true);
	left = exclusive_stack__tracked(s);
	evicted(s, pages, NONE, STACK_UNKNOWN);
	m.max = 0;
	for (__u64 p = 1; p < 5000; p++)
		evicted(s, pages + p, NONE, STACK_UNKNOWN);
	assert_int_equal(exclusive_stack__tracked(s), left + 5000);
	assert_int_equal(filled(s, pages - 1, 3, STACK_GHOST), 5000);
	exclusive_stack__free(s);
	assert_int_equal(m.used, 0);
	assert_int_equal(budget.used, 0);
}

/* Whether it is the table or the slots that memory is short for. */
static void test_no_memory(void **state)
{
	for (size_t more = 0; more < 256 << 10; more += 4096)
		starve(0, more);
	for (__u64 from = 0; from < 70000; from += 1001)
		starve(from, 0);
}

static void test_no_memory_at_all(void **state)
{
	struct stack_budget budget = {0};

	for (size_t max = 1; max < 5 * 4096; max += 4096) {
		struct memory m;

		memory__init(&m, max);
		assert_null(exclusive_stack__new(&m, &budget, SPACE_DISK));
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(m.used, 0);
	}
	exclusive_stack__free(NULL);
}

/*
 * At a million pages, all told: 25 bytes a page and, for a ghost, 3 slots of 0.16 byte, which
 * grow by a half; a huge page begun.
 */
static void test_bytes(void **state)
{
	const __u64 n = 1 << 20;

	for (int ghosts = 0; ghosts < 2; ghosts++) {
		struct stack_budget budget = {0};
		struct memory m;
		struct exclusive_stack *s = stack_new(&m, &budget);
		double each;

		for (__u64 page = 0; page < n; page++)
			filled(s, page * 977, page, STACK_UNKNOWN);
		/* Each page a few times, so that slots run out. */
		for (__u64 i = 0; ghosts && i < 3 * n; i++)
			evicted(s, i % n * 977, NONE, i < n ? STACK_RESIDENT : STACK_GHOST);
		each = (double)m.used / n;
		printf("%s: %.1f bytes\n", ghosts ? "ghost" : "resident", each);
		assert_true(each <= (ghosts ? 28 : 27.5));
		exclusive_stack__free(s);
	}
}

/* A range that is looked for page by page, and one that is looked for in all pages. */
static void test_discard_range(void **state)
{
	static const __u64 bases[] = {0, 1ULL << 40, ~0ULL - 3000};

	for (int i = 0; i < 6; i++) {
		__u64 base = bases[i / 2], count = i % 2 ? 2000 : 500, d;
		struct stack_budget budget = {0};
		struct memory m;
		struct exclusive_stack *s = stack_new(&m, &budget);

		for (__u64 p = 0; p < 1000; p++)
			evicted(s, base + p, NONE, STACK_UNKNOWN);
		exclusive_stack__discard(s, base + 300, count, false);
		for (__u64 p = 0; p < 1000; p++)
			assert_int_equal(exclusive_stack__find(s, base + p, &d),
					 p - 300 < count ? STACK_UNKNOWN : STACK_GHOST);
		exclusive_stack__discard(s, base, 0, false);
		assert_int_equal(exclusive_stack__tracked(s), i % 2 ? 300 : 500);
		exclusive_stack__free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_full_arrays),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_at_all),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_compaction),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_discard_range),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
