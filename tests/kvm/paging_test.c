// SPDX-License-Identifier: GPL-2.0
/* The host pages guest memory out, and in again when the guest touches it: space mem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/engine.h"
#include "harness.h"

#define FRAMES 256
#define SWAP_PAGES 16384

static void up(struct rig *r, enum vmm_memory memory, __u64 disk_pages)
{
	const struct vmm_opts opts = {.memory = memory, .frames = FRAMES};

	rig__up(r, &opts, disk_pages);
	rig__add(r, (struct guest_op){.kind = OP_TOUCH_WRITE, .count = FRAMES, .stride = 1});
	rig__run(r);
	trace__clear(r->trace);
}

static __u64 count(const struct rig *r, enum page_event_kind kind)
{
	return rig__count(r, kind, SPACE_MEM);
}

static void page_out(struct rig *r, __u64 frame, __u64 n)
{
	rig__add(r, (struct guest_op){.kind = OP_PAGEOUT, .frame = frame, .count = n});
	rig__run(r);
}

static void touch(struct rig *r, __u64 frame, __u64 n)
{
	rig__add(r, (struct guest_op){
			    .kind = OP_TOUCH_WRITE, .frame = frame, .count = n, .stride = 1});
	rig__run(r);
}

/* Reclaim takes pages in an order of its own: each frame of the range once. */
static void expect_evictions(const struct rig *r, __u64 frame, __u64 n)
{
	const struct page_event *e;
	bool seen[FRAMES] = {false};

	assert_int_equal(count(r, PAGE_EVICT), n);
	for (__u64 i = 0; i < n; i++) {
		__u64 at;

		e = trace__nth(r->trace, r->id, PAGE_EVICT, SPACE_MEM, i);
		at = frame_index(e) - vm__frame_index(r->vm, 0);
		assert_in_range(at, frame, frame + n - 1);
		assert_false(seen[at]);
		seen[at] = true;
		assert_int_equal(e->page, e->frame);
		assert_int_equal(!frame_region(e), vm__is_anonymous(r->vm));
	}
}

static void check_memory(enum vmm_memory memory)
{
	struct vm_counters c;
	struct rig r;

	up(&r, memory, 0);
	page_out(&r, 50, 100);
	expect_evictions(&r, 50, 100);
	/* Paging is not ballooning: nothing was lost. */
	assert_int_equal(count(&r, PAGE_DISCARD), 0);

	/* Neighbours that never left are no fills. */
	touch(&r, 40, 20);
	assert_int_equal(count(&r, PAGE_FILL), 10);
	touch(&r, 0, FRAMES);
	assert_int_equal(count(&r, PAGE_FILL), 100);
	for (__u64 i = 0; i < 100; i++)
		rig__expect(&r, PAGE_FILL, SPACE_MEM, i, 0, 50 + i, 0);
	touch(&r, 0, FRAMES);
	assert_int_equal(count(&r, PAGE_FILL), 100);

	/* Once more, some of them. */
	trace__clear(r.trace);
	page_out(&r, 100, 30);
	expect_evictions(&r, 100, 30);
	touch(&r, 90, 60);
	assert_int_equal(count(&r, PAGE_FILL), 30);
	c = trace__counters(r.trace, r.id);
	assert_int_equal(c.page_outs, 130);
	assert_int_equal(c.page_ins, 130);
	assert_int_equal(c.frame_discards, 0);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), 0);
	rig__down(&r);
}

static void test_anonymous(void **state)
{
	check_memory(VMM_ANON);
}

static void test_memfd(void **state)
{
	check_memory(VMM_MEMFD);
}

/* A frame's disk page stays in it on the way out and back. */
static void test_disk_page_stays(void **state)
{
	struct rig r;

	up(&r, VMM_ANON, 64);
	rig__add(&r, (struct guest_op){OP_READ, 1, 10, 20, 8, 0});
	rig__run(&r);
	page_out(&r, 20, 8);
	rig__add(&r, (struct guest_op){OP_CHECK, 0, 10, 20, 8, 0});
	rig__add(&r, (struct guest_op){OP_READ, 1, 30, 20, 8, 0});
	rig__run(&r);
	assert_int_equal(count(&r, PAGE_EVICT), 8);
	assert_int_equal(count(&r, PAGE_FILL), 8);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), 8);
	for (__u64 i = 0; i < 8; i++)
		rig__expect(&r, PAGE_EVICT, SPACE_DISK, i, 10 + i, 20 + i, 0);
	rig__down(&r);
}

/* The frames that left last are nearest: the curve of a scan in the order of eviction. */
static void test_curve(void **state)
{
	const struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	const __u64 sizes[] = {0, 99, 100, 200};
	struct curve_point curve[4];
	struct engine_counts counts;
	const struct page_event *events;
	struct engine *e = engine__new(&opts);
	struct rig r;
	size_t n;

	up(&r, VMM_ANON, 0);
	for (__u64 i = 0; i < 100; i++)
		rig__add(&r, (struct guest_op){.kind = OP_PAGEOUT, .frame = i, .count = 1});
	rig__run(&r);
	touch(&r, 0, 100);
	events = trace__events(r.trace, &n);
	assert_int_equal(engine__apply(e, events, n), 0);
	assert_true(engine__counts(e, r.id, SPACE_MEM, &counts));
	assert_int_equal(counts.refaults, 100);
	assert_int_equal(counts.cold, 0);
	assert_int_equal(counts.unseen, 0);
	/* Frame 0 left first and comes first: 99 left after it. Then each next one, too: those
	 * that came back no longer lie above. */
	assert_int_equal(engine__curve(e, r.id, SPACE_MEM, sizes, 4, curve), 0);
	assert_int_equal(curve[0].misses, 100);
	assert_int_equal(curve[1].misses, 1);
	assert_int_equal(curve[2].misses, 0);
	assert_int_equal(curve[3].misses, 0);
	engine__free(e);
	rig__down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_disk_page_stays),
		cmocka_unit_test(test_curve),
	};

	host__require_kvm();
	if (!host__add_swap(SWAP_PAGES))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
