// SPDX-License-Identifier: GPL-2.0
/*
 * The claim that all rests on: of a guest that evicts in LRU order from m frames, the curve that
 * comes from its evictions tells, at every x, exactly the misses that m + x frames would have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/engine.h"
#include "random.h"

#define CASES 1200
#define MAX_DISK 64
#define MAX_ACCESSES 600
#define VM 3

struct access {
	int page;
	bool write;
};

/* What a guest keeps: pages in order of use, each in a frame of any number. */
struct guest {
	int frames;
	int lru[MAX_DISK]; /* latest first */
	int nr;
	__u64 frame_of[MAX_DISK];
	bool dirty[MAX_DISK];
	__u64 free[MAX_DISK]; /* frames in no use, in any order */
	int nr_free;
};

static struct engine *new_engine(void)
{
	const struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct engine *e = engine__new(&opts);

	assert_non_null(e);
	return e;
}

static void send(struct engine *e, enum page_event_kind kind, int page, __u64 frame)
{
	const struct page_event ev = {
		.page = pe_page(7, page),
		.frame = frame,
		.count = 1,
		.vm = VM,
		.kind = kind,
	};

	assert_int_equal(engine__apply(e, &ev, 1), 0);
}

static int find(const int *lru, int nr, int page)
{
	int i = 0;

	while (i < nr && lru[i] != page)
		i++;
	return i;
}

/* Move what is at i (or was, if it is about to come in) to the front. */
static void to_front(int *lru, int i, int page)
{
	memmove(lru + 1, lru, i * sizeof(*lru));
	lru[0] = page;
}

static void guest__write_back(struct guest *g, struct engine *e, int page)
{
	if (g->dirty[page])
		send(e, PAGE_WRITEBACK, page, g->frame_of[page]);
	g->dirty[page] = false;
}

/* A frame for a page that is to come in. What held it is told by its reuse, as a host sees it. */
static __u64 guest__take_frame(struct guest *g, struct engine *e, struct random *r)
{
	int victim, i;
	__u64 frame;

	if (g->nr_free) {
		i = random__below(r, g->nr_free);
		frame = g->free[i];
		g->free[i] = g->free[--g->nr_free];
		return frame;
	}
	victim = g->lru[--g->nr];
	guest__write_back(g, e, victim);
	send(e, PAGE_EVICT, victim, g->frame_of[victim]);
	return g->frame_of[victim];
}

static bool guest__access(struct guest *g, struct engine *e, struct random *r, struct access a)
{
	int i = find(g->lru, g->nr, a.page);
	bool hit = i < g->nr;

	if (!hit) {
		g->frame_of[a.page] = guest__take_frame(g, e, r);
		send(e, PAGE_FILL, a.page, g->frame_of[a.page]);
		i = g->nr++;
	}
	to_front(g->lru, i, a.page);
	g->dirty[a.page] |= a.write;
	return hit;
}

/* The misses of a plain LRU memory: nothing shared with the code above but find and to_front. */
static __u64 lru_misses(const struct access *a, int n, int frames)
{
	int lru[MAX_DISK + 1], nr = 0;
	__u64 misses = 0;

	for (int i = 0; i < n; i++) {
		int at = find(lru, nr, a[i].page);

		if (at == nr) {
			misses++;
			if (nr < frames)
				nr++;
			else
				at--;
		}
		to_front(lru, at, a[i].page);
	}
	return misses;
}

/* A mix of what guests do: loops, hot pages, random ones. */
static int make_accesses(struct random *r, struct access *a, int disk)
{
	int n = 1 + random__below(r, MAX_ACCESSES), loop = 1 + random__below(r, disk);
	double skew = 0.2 + 1.5 * random__unit(r);
	int loops = random__below(r, 4), writes = 1 + random__below(r, 10);

	for (int i = 0; i < n; i++) {
		a[i].page = (int)random__below(r, 4) < loops ? i % loop
							     : (int)random__zipf(r, disk, skew);
		a[i].write = random__one_in(r, writes);
	}
	return n;
}

static void run_case(struct random *r)
{
	int disk = 1 + random__below(r, MAX_DISK), frames = 1 + random__below(r, disk);
	static struct access a[MAX_ACCESSES];
	int n = make_accesses(r, a, disk);
	struct guest g = {.frames = frames, .nr_free = frames};
	struct engine *e = new_engine();
	struct engine_counts c;
	__u64 fills = 0;

	for (int i = 0; i < frames; i++)
		g.free[i] = random__next(r) >> 20;
	for (int i = 0; i < n; i++) {
		fills += !guest__access(&g, e, r, a[i]);
		if (random__one_in(r, 20)) /* flushers write without evicting */
			guest__write_back(&g, e, g.lru[random__below(r, g.nr)]);
	}
	assert_true(engine__counts(e, VM, SPACE_DISK, &c));
	assert_int_equal(c.fills, fills);
	assert_int_equal(c.unseen, 0);
	assert_int_equal(c.stale, 0);
	for (__u64 x = 0; x <= (__u64)disk + 2; x++) {
		struct curve_point p;

		assert_int_equal(engine__curve(e, VM, SPACE_DISK, &x, 1, &p), 0);
		if (p.misses != lru_misses(a, n, frames + x))
			print_error("m = %d, x = %llu, disk of %d pages\n", frames, x, disk);
		assert_float_equal(p.misses, lru_misses(a, n, frames + x), 0);
		assert_float_equal(p.accesses, fills, 0);
		assert_float_equal(p.error, 0, 0);
		/* Beyond the largest distance it is flat, and not before. */
		assert_int_equal(p.misses == c.cold, x >= engine__max_distance(e, VM, SPACE_DISK));
	}
	engine__free(e);
}

static void test_theorem(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < CASES; i++)
		run_case(&r);
}

/* The same for a guest whose frames nobody knows: the curve is then that of all accesses. */
static void test_access_order(void **state)
{
	struct random r = {random__seed()};
	static struct access a[MAX_ACCESSES];

	for (int k = 0; k < 200; k++) {
		int disk = 1 + random__below(&r, MAX_DISK), n = make_accesses(&r, a, disk);
		struct engine *e = new_engine();

		for (int i = 0; i < n; i++)
			send(e, PAGE_FILL, a[i].page, PE_FRAME_NONE);
		assert_string_equal(engine__order(e, VM, SPACE_DISK), "access");
		for (__u64 x = 1; x <= (__u64)disk + 1; x++) {
			struct curve_point p;

			engine__curve(e, VM, SPACE_DISK, &x, 1, &p);
			assert_float_equal(p.misses, lru_misses(a, n, x), 0);
		}
		engine__free(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_theorem),
		cmocka_unit_test(test_access_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
