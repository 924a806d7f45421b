// SPDX-License-Identifier: GPL-2.0
/* Evictions by frame reuse, and what an LRU guest's evictions add up to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/engine.h"
#include "harness.h"

#define FRAMES 512

static void up(struct rig *r, __u64 disk_pages, __u64 heap_bytes)
{
	struct vmm_opts opts = {.memory = VMM_MEMFD, .frames = FRAMES};

	opts.heap_pages = (heap_bytes + GUEST_PAGE - 1) / GUEST_PAGE;
	rig__up(r, &opts, disk_pages);
}

static __u64 count(const struct rig *r, enum page_event_kind kind)
{
	return rig__count(r, kind, SPACE_DISK);
}

static void test_reuse(void **state)
{
	const struct guest_op ops[] = {
		{OP_READ, 1, 0, 0, 10, 0},  /* pages 0-9 into frames 0-9 */
		{OP_READ, 1, 5, 5, 2, 0},   /* the same again: nothing leaves */
		{OP_READ, 1, 20, 0, 3, 0},  /* 0-2 leave frames 0-2 */
		{OP_READ, 1, 0, 3, 1, 0},   /* 3 leaves frame 3 */
		{OP_WRITE, 1, 20, 0, 1, 0}, /* written back where it came from: stays */
		{OP_WRITE, 1, 40, 9, 1, 0}, /* frame 9 is now page 40: 9 leaves */
		{OP_READ, 1, 41, 9, 1, 0},  /* 40 leaves frame 9 */
	};
	const __u64 left[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {9, 9}, {40, 9}};
	struct rig r;

	up(&r, 64, 0);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		rig__add(&r, ops[i]);
	rig__run(&r);
	assert_int_equal(count(&r, PAGE_EVICT), sizeof(left) / sizeof(left[0]));
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		rig__expect(&r, PAGE_EVICT, SPACE_DISK, i, left[i][0], left[i][1], 0);
	assert_int_equal(count(&r, PAGE_FILL), 17);
	assert_int_equal(count(&r, PAGE_WRITEBACK), 2);
	assert_int_equal(trace__counters(r.trace, r.id).evictions, 6);
	rig__down(&r);
}

/* Within a frame's events an eviction comes before the fill that caused it. */
static void test_order(void **state)
{
	const struct page_event *events;
	struct rig r;
	size_t n;

	up(&r, 64, 0);
	rig__add(&r, (struct guest_op){OP_READ, 1, 0, 0, 1, 0});
	rig__add(&r, (struct guest_op){OP_READ, 1, 1, 0, 1, 0});
	rig__run(&r);
	events = trace__events(r.trace, &n);
	assert_int_equal(n, 3);
	assert_int_equal(events[0].kind, PAGE_FILL);
	assert_int_equal(events[1].kind, PAGE_EVICT);
	assert_int_equal(events[2].kind, PAGE_FILL);
	assert_true(events[0].time <= events[1].time && events[1].time <= events[2].time);
	rig__down(&r);
}

/* At every size the curve of what the engine saw is the number of misses that an
 * LRU memory of so many pages more would have had. */
static void check_curve(const struct rig *r, const struct workload *w, __u64 steps, __u64 frames)
{
	const struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct engine *e = engine__new(&opts);
	const struct page_event *events;
	struct engine_counts counts;
	struct reference ref;
	size_t n;

	assert_non_null(e);
	events = trace__events(r->trace, &n);
	assert_int_equal(engine__apply(e, events, n), 0);
	assert_true(engine__counts(e, r->id, SPACE_DISK, &counts));
	assert_int_equal(counts.unseen, 0);
	for (__u64 x = 0; x <= w->disk_pages - frames; x++) {
		struct curve_point point;

		assert_int_equal(reference__run(w, steps, frames + x, &ref), 0);
		assert_int_equal(engine__curve(e, r->id, SPACE_DISK, &x, 1, &point), 0);
		if (point.misses != ref.fills)
			print_error("at %llu pages more\n", x);
		assert_int_equal((__u64)point.misses, ref.fills);
	}
	engine__free(e);
}

static void check_guest(const struct workload *w, __u64 steps, __u64 frames)
{
	struct reference ref;
	struct rig r;

	assert_int_equal(reference__run(w, steps, frames, &ref), 0);
	up(&r, w->disk_pages, guest_cache__bytes(frames, w->disk_pages));
	r.script.workload = *w;
	rig__add(&r, (struct guest_op){.kind = OP_CACHE, .count = frames, .stride = steps});
	rig__run(&r);
	assert_int_equal(count(&r, PAGE_FILL), ref.fills);
	assert_int_equal(count(&r, PAGE_EVICT), ref.evictions);
	assert_int_equal(count(&r, PAGE_WRITEBACK), ref.writebacks);
	check_curve(&r, w, steps, frames);
	rig__down(&r);
}

static void test_loop(void **state)
{
	const struct workload w = {
		.seed = 1,
		.disk_pages = 300,
		.nr_parts = 1,
		.part = {{WORKLOAD_LOOP, 1, 0, 300, 0, 0}},
	};

	check_guest(&w, 3000, 100);
}

static void test_mixture(void **state)
{
	const struct workload w = {
		.seed = 2,
		.disk_pages = 800,
		.nr_parts = 3,
		.part = {{WORKLOAD_LOOP, 3, 0, 150, 0, 0},
			 {WORKLOAD_UNIFORM, 2, 150, 200, 30, 0},
			 {WORKLOAD_ZIPF, 5, 350, 450, 20, 0}},
	};

	check_guest(&w, 20000, 128);
	check_guest(&w, 5000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_mixture),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
