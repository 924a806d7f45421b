// SPDX-License-Identifier: GPL-2.0
/* The recent past of VMs, against the difference of two engines: one that stopped where it begins.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../cli/vm_recent.h"
#include "random.h"

#define VMS 3
#define FRAMES 30
#define PAGES 60
#define EVENTS 4000
#define HALF (PE_SAMPLE_ALL >> 1)

static const __u64 sizes[] = {0, 1, 4, 10, 20, 40};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

struct run {
	struct page_event events[EVENTS];
	size_t n;
	struct engine *engine;
	struct vm_recent *recent;
	size_t applied;
	size_t fall; /* from this event on, half of the pages are followed; 0: never */
	/* of intervals */
	__u64 told[VMS], references[VMS];
	double misses[VMS];
};

static struct engine *new_engine(void)
{
	const struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct engine *e = engine__new(&opts);

	assert_non_null(e);
	return e;
}

/* Guests that read at random and evict what was in the frame; some are silent for long. */
static void make_events(struct run *run, struct random *r)
{
	static __u64 held[VMS][FRAMES];
	__u64 now = 1000000;

	for (int i = 0; i < VMS * FRAMES; i++)
		held[i / FRAMES][i % FRAMES] = ~0ULL;
	while (run->n + 2 <= EVENTS) {
		__u16 vm = random__below(r, run->n < EVENTS / 4 ? 1 : VMS);
		__u64 frame = random__below(r, FRAMES), page = random__zipf(r, PAGES, 0.7);
		struct page_event e = {.time = now, .vm = vm, .count = 1, .frame = frame};

		if (held[vm][frame] != ~0ULL) {
			e.kind = PAGE_EVICT;
			e.page = held[vm][frame];
			run->events[run->n++] = e;
		}
		e.kind = PAGE_FILL;
		e.page = held[vm][frame] = page;
		run->events[run->n++] = e;
		now += random__one_in(r, 200) ? random__below(r, 30000) : random__below(r, 20);
	}
}

static int apply(void *ctx, const struct page_event *events, size_t n)
{
	struct run *run = ctx;

	assert_ptr_equal(events, run->events + run->applied);
	run->applied += n;
	return engine__apply(run->engine, events, n);
}

static int on_interval(void *ctx, __u16 vm, enum page_space space, const struct interval *i)
{
	struct run *run = ctx;

	assert_int_equal(space, SPACE_DISK);
	assert_true(i->from >= run->told[vm]);
	run->told[vm] = i->to;
	run->references[vm] += i->references;
	if (i->curve)
		run->misses[vm] += i->curve[2].misses;
	return 0;
}

static void begin(struct run *run, struct past past, struct span every)
{
	const struct vm_recent_opts opts = {
		.past = past,
		.every = every,
		.sizes = sizes,
		.nr_sizes = SIZES,
		.apply = apply,
		.interval = on_interval,
		.ctx = run,
	};

	run->engine = new_engine();
	run->recent = vm_recent__new(&opts, run->engine);
	assert_non_null(run->recent);
	assert_int_equal(vm_recent__opts(run->recent)->nr_sizes, SIZES);
}

static void end(struct run *run)
{
	vm_recent__free(run->recent);
	engine__free(run->engine);
	free(run);
}

static struct run *new_run(struct random *r)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	make_events(run, r);
	return run;
}

static void feed(struct run *run, struct random *r)
{
	for (size_t i = 0, n; i < run->n; i += n) {
		n = 1 + random__below(r, 100);
		if (n > run->n - i)
			n = run->n - i;
		if (i < run->fall && i + n > run->fall)
			n = run->fall - i;
		if (run->fall && i == run->fall)
			assert_int_equal(engine__set_threshold(run->engine, HALF), 0);
		assert_int_equal(vm_recent__apply(run->recent, run->events + i, n), 0);
		assert_int_equal(run->applied, i + n);
	}
}

static __u64 first_fill(const struct run *run, __u16 vm)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->events[i].vm == vm && run->events[i].kind == PAGE_FILL)
			return run->events[i].time;
	return ~0ULL;
}

static void apply_up_to(struct engine *e, const struct run *run, size_t n)
{
	size_t whole = run->fall && run->fall < n ? run->fall : n;

	assert_int_equal(engine__apply(e, run->events, whole), 0);
	if (whole < n)
		assert_int_equal(engine__set_threshold(e, HALF), 0);
	assert_int_equal(engine__apply(e, run->events + whole, n - whole), 0);
}

/* All but what came before the window. */
static void expect(const struct run *run, __u16 vm, __u64 window, struct curve_point *out)
{
	__u64 now = run->events[run->n - 1].time, first = first_fill(run, vm);
	__u64 step = (window + 15) / 16, at = first;
	struct curve_sums *sums = curve_sums__new(sizes, SIZES);
	struct curve_sums *before = curve_sums__new(sizes, SIZES);
	struct engine *e = new_engine();
	size_t n = 0;

	assert_true(sums && before);
	if (now - first > window)
		at = first + (now - window - first) / step * step;
	while (n < run->n && run->events[n].time < at)
		n++;
	apply_up_to(e, run, n);
	engine__sums(e, vm, SPACE_DISK, before);
	assert_int_equal(engine__sums(run->engine, vm, SPACE_DISK, sums), 0);
	curve_sums__add(sums, before, -1);
	curve_sums__points(sums, out);
	free(sums);
	free(before);
	engine__free(e);
}

/* But for errors, which depend on whether the rate fell just before a step or just after. */
static void check(const struct curve_point *points, const struct curve_point *expected)
{
	for (size_t k = 0; k < SIZES; k++) {
		assert_int_equal(points[k].size, expected[k].size);
		assert_true(points[k].misses == expected[k].misses);
		assert_true(points[k].accesses == expected[k].accesses);
	}
}

/* Whatever the sampling rate does in it. */
static void test_window(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 30; i++) {
		struct past past = {.window.n = 1 + random__below(&r, 60000)};
		struct curve_point points[SIZES], expected[SIZES];
		struct run *run = new_run(&r);

		run->fall = i % 3 ? 0 : 1 + random__below(&r, run->n - 1);
		begin(run, past, (struct span){0});
		feed(run, &r);
		for (int vm = 0; vm < VMS; vm++) {
			assert_int_equal(vm_recent__curve(run->recent, vm, SPACE_DISK, 0, points),
					 0);
			expect(run, vm, past.window.n, expected);
			check(points, expected);
		}
		assert_int_equal(vm_recent__curve(run->recent, 0, SPACE_MEM, 0, points), -ENOENT);
		/* An hour on, nothing is left of it. */
		assert_int_equal(vm_recent__curve(run->recent, 0, SPACE_DISK,
						  run->events[run->n - 1].time + 3600000000000ULL,
						  points),
				 0);
		assert_true(points[0].accesses == 0);
		end(run);
	}
}

static void check_whole(const struct run *run, __u64 weight)
{
	for (int vm = 0; vm < VMS; vm++) {
		struct engine_counts c;
		struct curve_point p;

		assert_true(engine__counts(run->engine, vm, SPACE_DISK, &c));
		assert_int_equal(run->references[vm], c.fills * weight);
		assert_int_equal(engine__curve(run->engine, vm, SPACE_DISK, &sizes[2], 1, &p), 0);
		assert_true(run->misses[vm] == p.misses);
	}
}

/* By time and by references: intervals add up to the whole, for each VM. */
static void test_intervals(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 40; i++) {
		struct span every = {1 + random__below(&r, 2000), i % 2};
		struct run *run = new_run(&r);
		__u64 weight = i % 4 == 3 ? 8 : 1;

		begin(run, (struct past){0}, every);
		vm_recent__set_weight(run->recent, weight);
		feed(run, &r);
		for (int vm = 0; vm < VMS; vm++)
			assert_int_equal(vm_recent__end(run->recent, vm), 0);
		check_whole(run, weight);
		end(run);
	}
}

/* A slot's next VM knows nothing of the last one; an event that comes late is no harm. */
static void test_forget(void **state)
{
	struct random r = {random__seed()};
	struct run *run = new_run(&r);
	struct curve_point points[SIZES];
	struct page_event late = {.kind = PAGE_FILL, .page = 1, .count = 1, .frame = 5};

	begin(run, (struct past){.window.n = 1000}, (struct span){0});
	feed(run, &r);
	vm_recent__forget(run->recent, 0);
	engine__forget(run->engine, 0);
	assert_int_equal(vm_recent__curve(run->recent, 0, SPACE_DISK, 0, points), -ENOENT);
	late.time = run->events[run->n - 1].time - 5000;
	run->events[0] = late;
	run->applied = 0;
	assert_int_equal(vm_recent__apply(run->recent, run->events, 1), 0);
	assert_int_equal(vm_recent__curve(run->recent, 0, SPACE_DISK, 0, points), 0);
	assert_true(points[0].accesses == 1 && points[0].misses == 1);
	end(run);
	vm_recent__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
