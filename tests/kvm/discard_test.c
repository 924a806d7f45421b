// SPDX-License-Identifier: GPL-2.0
/* Contents that are gone: disk ranges discarded, writes that failed, frames the VMM dropped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"

#define FRAMES 128
#define DISK_PAGES 256

static void up(struct rig *r, enum vmm_memory memory)
{
	const struct vmm_opts opts = {.memory = memory, .frames = FRAMES};

	rig__up(r, &opts, DISK_PAGES);
}

static void expect_range(const struct rig *r, enum page_space space, size_t i, __u64 page,
			 __u64 frame, __u32 n)
{
	const struct page_event *e = trace__nth(r->trace, r->id, PAGE_DISCARD, space, i);

	rig__expect(r, PAGE_DISCARD, space, i, page, frame, 0);
	assert_int_equal(e->count, n);
}

static void test_disk_ranges(void **state)
{
	struct rig r;

	up(&r, VMM_ANON);
	rig__add(&r, (struct guest_op){OP_READ, 1, 0, 0, 20, 0});
	rig__add(&r, (struct guest_op){OP_DISCARD, 0, 5, 0, 5, 0});
	rig__add(&r, (struct guest_op){OP_DISCARD, 0, 100, 0, 100, 0});
	rig__run(&r);
	assert_int_equal(rig__count(&r, PAGE_DISCARD, SPACE_DISK), 105);
	expect_range(&r, SPACE_DISK, 0, 5, NO_FRAME, 5);
	expect_range(&r, SPACE_DISK, 1, 100, NO_FRAME, 100);
	assert_int_equal(trace__counters(r.trace, r.id).discards, 105);
	assert_int_equal(rig__count(&r, PAGE_DISCARD, SPACE_MEM), 0);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), 0);
	assert_int_equal(disk__stamp(r.disk, 5), 0);
	assert_int_equal(disk__stamp(r.disk, 10), 10);
	rig__down(&r);
}

static void check_dropped_frames(enum vmm_memory memory)
{
	struct vm_counters c;
	struct rig r;

	up(&r, memory);
	/* Frames 0-19 hold pages 30-49; the guest has touched frames 0-39. */
	rig__add(&r, (struct guest_op){OP_READ, 1, 30, 0, 20, 0});
	rig__add(&r, (struct guest_op){.kind = OP_TOUCH_READ, .count = 40, .stride = 1});
	rig__add(&r, (struct guest_op){OP_DROP, 0, 0, 16, 8, 0});
	rig__run(&r);
	assert_int_equal(rig__count(&r, PAGE_DISCARD, SPACE_MEM), 8);
	expect_range(&r, SPACE_MEM, 0, 0, 16, 8);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), 4);
	for (__u64 i = 0; i < 4; i++)
		rig__expect(&r, PAGE_EVICT, SPACE_DISK, i, 46 + i, 16 + i, PE_UNCAPTURED);
	c = trace__counters(r.trace, r.id);
	assert_int_equal(c.frame_discards, 8);
	assert_int_equal(c.evictions, 4);

	/* A dropped frame holds nothing: filling it evicts nothing more. */
	trace__clear(r.trace);
	rig__add(&r, (struct guest_op){OP_READ, 1, 60, 16, 8, 0});
	rig__run(&r);
	assert_int_equal(rig__count(&r, PAGE_FILL, SPACE_DISK), 8);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), 0);
	/* Memory that was dropped is not memory that was paged out. */
	rig__add(&r, (struct guest_op){.kind = OP_TOUCH_READ, .count = 40, .stride = 1});
	rig__run(&r);
	assert_int_equal(rig__count(&r, PAGE_FILL, SPACE_MEM), 0);
	rig__down(&r);
}

static void test_dropped_anonymous(void **state)
{
	check_dropped_frames(VMM_ANON);
}

static void test_dropped_memfd(void **state)
{
	check_dropped_frames(VMM_MEMFD);
}

/* What is on disk after a failed write nobody knows. */
static void test_failed_write(void **state)
{
	struct rig r;

	up(&r, VMM_ANON);
	rig__add(&r, (struct guest_op){OP_READ, 1, 0, 0, 4, 0});
	rig__run(&r);
	disk__fail_writes(r.disk);
	rig__add(&r, (struct guest_op){OP_WRITE, 0, 1, 1, 2, 0});
	assert_int_equal(trace__run(r.trace, r.vm, &r.script), -EILSEQ);
	assert_int_equal(rig__count(&r, PAGE_WRITEBACK, SPACE_DISK), 2);
	assert_int_equal(rig__count(&r, PAGE_DISCARD, SPACE_DISK), 2);
	expect_range(&r, SPACE_DISK, 0, 1, NO_FRAME, 2);
	assert_int_equal(trace__counters(r.trace, r.id).io_errors, 1);
	rig__down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_ranges),
		cmocka_unit_test(test_dropped_anonymous),
		cmocka_unit_test(test_dropped_memfd),
		cmocka_unit_test(test_failed_write),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
