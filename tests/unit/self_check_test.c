// SPDX-License-Identifier: GPL-2.0
/* A guest whose memory changes: what the curve promised, and what came. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/engine.h"
#include "../../analysis/self_check.h"
#include "../../analysis/size.h"
#include "../../cli/vm_memory.h"
#include "random.h"

#define VM 5
static __u64 seed;
#define PAGES 4000
#define MAX_FRAMES 3000

/* Evicts the page used longest ago, as the curve takes for granted. */
struct guest {
	struct engine *engine;
	struct self_check *check;
	__u64 sizes[240];
	struct random rng;
	__u64 now, fills, frames, used;
	__u64 page[MAX_FRAMES], at[MAX_FRAMES]; /* of a frame: page; last use, 0: free */
	__s64 frame[PAGES];			/* of a page; -1: none */
	double time;
};

static int take_sums(void *ctx, struct curve_sums *out)
{
	struct guest *g = ctx;

	return engine__sums(g->engine, VM, SPACE_DISK, out);
}

static void guest__boot(struct guest *g, __u64 frames)
{
	struct engine_opts eo = {.sz = sizeof(eo), .threshold = PE_SAMPLE_ALL};
	struct self_check_opts so = {.sums = take_sums, .ctx = g, .sizes = g->sizes};

	memset(g, 0, sizeof(*g));
	g->rng.state = seed;
	g->frames = frames;
	memset(g->frame, 0xff, sizeof(g->frame));
	g->engine = engine__new(&eo);
	so.nr_sizes = size__grid(8, 28, g->sizes);
	g->check = self_check__new(&so);
	assert_non_null(g->engine);
	assert_non_null(g->check);
}

static void guest__halt(struct guest *g)
{
	engine__free(g->engine);
	self_check__free(g->check);
}

static void guest__event(struct guest *g, enum page_event_kind kind, __u64 frame)
{
	const struct page_event e = {
		.kind = kind, .count = 1, .vm = VM, .page = g->page[frame], .frame = frame};

	assert_int_equal(engine__apply(g->engine, &e, 1), 0);
}

/* The frame used longest ago; a free one was never used. */
static __u64 guest__oldest(const struct guest *g, bool in_use)
{
	__u64 oldest = MAX_FRAMES;

	for (__u64 i = 0; i < MAX_FRAMES; i++)
		if (!g->at[i] != in_use && (oldest == MAX_FRAMES || g->at[i] < g->at[oldest]))
			oldest = i;
	return oldest;
}

static __u64 guest__evict(struct guest *g)
{
	__u64 frame = guest__oldest(g, true);

	guest__event(g, PAGE_EVICT, frame);
	g->frame[g->page[frame]] = -1;
	g->at[frame] = 0;
	g->used--;
	return frame;
}

static void guest__fill(struct guest *g, __u64 page)
{
	__u64 frame = g->used < g->frames ? guest__oldest(g, false) : guest__evict(g);

	g->page[frame] = page;
	g->frame[page] = frame;
	g->used++;
	g->fills++;
	guest__event(g, PAGE_FILL, frame);
}

static void guest__read(struct guest *g, __u64 page)
{
	if (g->frame[page] < 0)
		guest__fill(g, page);
	g->at[g->frame[page]] = ++g->now;
}

/* Hot pages more often than others. */
static void guest__work(struct guest *g)
{
	for (int i = 0; i < 500; i++)
		guest__read(g, random__below(&g->rng, 1 + random__below(&g->rng, PAGES)));
	g->time++;
}

/* So many seconds; how often its memory was found changed. */
static int guest__run(struct guest *g, int seconds)
{
	int changes = 0;

	for (int s = 0; s < seconds; s++) {
		const struct check_moment m = {g->time, g->frames, g->fills};
		int rc = self_check__tell(g->check, &m);

		assert_true(rc >= 0);
		changes += rc;
		guest__work(g);
	}
	return changes;
}

static void guest__resize(struct guest *g, __u64 frames)
{
	while (g->used > frames)
		guest__evict(g);
	g->frames = frames;
}

static void grows(void **state)
{
	struct guest g;
	struct check c;
	size_t n;

	guest__boot(&g, 800);
	assert_int_equal(guest__run(&g, 60), 0);
	assert_int_equal(self_check__running(g.check, &c), -ENOENT);
	guest__resize(&g, 1600);
	assert_int_equal(guest__run(&g, 60), 1);
	assert_int_equal(self_check__running(g.check, &c), 0);
	assert_int_equal(c.before, 800);
	assert_int_equal(c.now, 1600);
	assert_true(c.at == 60 && c.seconds > 40 && c.seconds < 60);
	/* Many were saved, as many as was said. */
	assert_true(c.observed < c.smaller * 0.8);
	assert_true(fabs(check__difference(&c)) < 0.02);
	assert_false(check__differs(&c));
	self_check__over(g.check, &n);
	assert_int_equal(n, 0);
	guest__halt(&g);
}

static void shrinks(void **state)
{
	const struct check *over;
	struct guest g;
	struct check c;
	size_t n;

	guest__boot(&g, 1600);
	guest__run(&g, 60);
	guest__resize(&g, 800);
	assert_int_equal(guest__run(&g, 60), 1);
	assert_int_equal(self_check__running(g.check, &c), 0);
	assert_true(c.before == 1600 && c.now == 800 && c.seconds > 50);
	assert_true(c.observed < c.smaller * 0.8);
	assert_true(fabs(check__difference(&c)) < 0.03);
	/* And back: the first check is over, the next one begins. */
	guest__resize(&g, 1600);
	assert_int_equal(guest__run(&g, 30), 1);
	over = self_check__over(g.check, &n);
	assert_int_equal(n, 1);
	assert_true(over[0].before == 1600 && over[0].now == 800);
	assert_true(fabs(check__difference(&over[0])) < 0.03);
	assert_int_equal(self_check__running(g.check, &c), 0);
	assert_true(c.before == 800 && c.now == 1600 && fabs(check__difference(&c)) < 0.03);
	guest__halt(&g);
}

/* A balloon is not filled at once: sizes on the way are none to compare. */
static void on_the_way(void **state)
{
	struct guest g;
	struct check c;
	size_t n;

	guest__boot(&g, 1600);
	guest__run(&g, 40);
	for (__u64 frames = 1300; frames >= 700; frames -= 300) {
		guest__resize(&g, frames);
		guest__run(&g, 1);
	}
	guest__run(&g, 40);
	self_check__over(g.check, &n);
	assert_int_equal(n, 0);
	assert_int_equal(self_check__running(g.check, &c), 0);
	assert_true(c.before == 1600 && c.now == 700);
	assert_true(fabs(check__difference(&c)) < 0.05);
	guest__halt(&g);
}

/* The VM ends, and comes back with more memory and none of its pages. */
static void starts_again(void **state)
{
	struct guest g, again;
	struct check c;

	guest__boot(&g, 800);
	guest__run(&g, 40);
	assert_int_equal(self_check__end(g.check), 0);
	guest__boot(&again, 1600);
	assert_int_equal(self_check__follows(again.check, g.check), 0);
	guest__halt(&g);
	guest__run(&again, 60);
	assert_int_equal(self_check__running(again.check, &c), 0);
	assert_true(c.before == 800 && c.now == 1600 && c.at == 0);
	assert_true(fabs(check__difference(&c)) < 0.03);
	guest__halt(&again);

	/* Of the same size there is nothing to tell. */
	guest__boot(&g, 800);
	guest__run(&g, 20);
	self_check__end(g.check);
	guest__boot(&again, 800);
	assert_int_equal(self_check__follows(again.check, g.check), 0);
	guest__run(&again, 20);
	assert_int_equal(self_check__running(again.check, &c), -ENOENT);
	guest__halt(&again);
	guest__halt(&g);
}

/* More memory of which the guest makes nothing: for a while that says little, later it does. */
static void differs(void **state)
{
	struct guest g;
	struct check c;

	guest__boot(&g, 800);
	guest__run(&g, 30);
	for (int s = 0; s < 120; s++) {
		const struct check_moment m = {g.time, 1600, g.fills};

		assert_true(self_check__tell(g.check, &m) >= 0);
		guest__work(&g);
		if (!self_check__running(g.check, &c))
			assert_int_equal(check__differs(&c), c.seconds >= 60);
	}
	assert_true(check__difference(&c) < -0.1);
	guest__halt(&g);
}

static void unknown_memory(void **state)
{
	const struct check_moment m[] = {{0, 0, 0}, {10, 0, 500}, {20, 0, 1000}};
	struct guest g;
	struct check c;

	guest__boot(&g, 800);
	for (int i = 0; i < 3; i++)
		assert_int_equal(self_check__tell(g.check, &m[i]), 0);
	assert_int_equal(self_check__running(g.check, &c), -ENOENT);
	assert_int_equal(self_check__end(g.check), 0);
	guest__halt(&g);
}

/* Between two points, on one, beyond the last; one alone is everywhere. */
static void between_points(void **state)
{
	static const struct curve_point points[] = {
		{0, 100, 100, 0}, {10, 60, 100, 0.2}, {30, 20, 100, 0}};
	struct curve_point p = curve_point__at(points, 3, 5);

	assert_true(p.size == 5 && p.misses == 80 && p.accesses == 100 && p.error == 0.1);
	assert_true(curve_point__at(points, 3, 0).misses == 100);
	assert_true(curve_point__at(points, 3, 10).misses == 60);
	assert_true(curve_point__at(points, 3, 25).misses == 30);
	assert_true(curve_point__at(points, 3, 31).misses == 20);
	assert_true(curve_point__at(points, 1, 7).misses == 100);
}

/* What a VM has: slots less the balloon. */
static void memory(void **state)
{
	struct vm_memory m = {0};

	assert_int_equal(vm_memory__now(&m, 0, 50, 0), 0);
	/* First touches are no change. */
	assert_int_equal(vm_memory__now(&m, 1000, 200, 0), 1000);
	assert_int_equal(vm_memory__now(&m, 1000, 900, 0), 1000);
	/* Paged out by the host; then a balloon. */
	assert_int_equal(vm_memory__now(&m, 1000, 700, 0), 1000);
	assert_int_equal(vm_memory__now(&m, 1000, 500, 400), 600);
	assert_int_equal(vm_memory__now(&m, 1000, 600, 400), 700);
	/* All is back: what was unmapped once counts no more. */
	assert_int_equal(vm_memory__now(&m, 1000, 900, 400), 1000);
	assert_int_equal(vm_memory__now(&m, 1000, 800, 400), 1000);
	/* Plugged in: nobody has touched it yet. */
	assert_int_equal(vm_memory__now(&m, 1500, 800, 450), 1500);
	assert_int_equal(vm_memory__now(&m, 1500, 0, 450), 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),      cmocka_unit_test(shrinks),
		cmocka_unit_test(on_the_way), cmocka_unit_test(starts_again),
		cmocka_unit_test(differs),    cmocka_unit_test(unknown_memory),
		cmocka_unit_test(memory),     cmocka_unit_test(between_points),
	};

	seed = random__seed_or(7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
