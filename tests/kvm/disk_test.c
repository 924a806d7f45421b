// SPDX-License-Identifier: GPL-2.0
/* Direct I/O between disk and guest memory: each page told, with the right page and frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../unit/skips.h"
#include "harness.h"

#define FRAMES 2048
#define DISK_PAGES 4096
#define HUGE_PAGES 8

static void up(struct rig *r, enum vmm_memory memory)
{
	const struct vmm_opts opts = {.memory = memory, .frames = FRAMES};

	if (memory == VMM_HUGETLB && !host__add_huge_pages(HUGE_PAGES))
		because("no huge pages to be had");
	rig__up(r, &opts, DISK_PAGES);
}

static __u64 count(const struct rig *r, enum page_event_kind kind)
{
	return rig__count(r, kind, SPACE_DISK);
}

static void expect(const struct rig *r, enum page_event_kind kind, size_t i, __u64 page,
		   __u64 frame)
{
	rig__expect(r, kind, SPACE_DISK, i, page, frame, 0);
}

/* Reads and writes of n pages, `batch` a request. */
static void check_transfer(struct rig *r, __u64 page, __u64 frame, __u64 n, __u32 batch)
{
	trace__clear(r->trace);
	rig__add(r, (struct guest_op){OP_READ, batch, page, frame, n, 0});
	rig__add(r, (struct guest_op){OP_CHECK, 0, page, frame, n, 0});
	rig__add(r, (struct guest_op){OP_WRITE, batch, page, frame, n, 0});
	rig__run(r);
	assert_int_equal(count(r, PAGE_FILL), n);
	assert_int_equal(count(r, PAGE_WRITEBACK), n);
	assert_int_equal(count(r, PAGE_EVICT), 0);
	for (__u64 i = 0; i < n; i++) {
		expect(r, PAGE_FILL, i, page + i, frame + i);
		expect(r, PAGE_WRITEBACK, i, page + i, frame + i);
	}
}

/* Frames that do not lie side by side, one request. */
static void check_vector(struct rig *r, __u64 page, __u64 frame, __u64 n)
{
	struct guest_seg segs[64];

	trace__clear(r->trace);
	for (__u64 i = 0; i < n; i++)
		segs[i] = (struct guest_seg){frame + (n - 1 - i) * 3, 0, GUEST_PAGE};
	script__add_vector(&r->script, OP_READV, page * GUEST_PAGE, segs, n);
	for (__u64 i = 0; i < n; i++)
		rig__add(r, (struct guest_op){OP_CHECK, 0, page + i, segs[i].frame, 1, 0});
	script__add_vector(&r->script, OP_WRITEV, page * GUEST_PAGE, segs, n);
	rig__run(r);
	assert_int_equal(count(r, PAGE_FILL), n);
	assert_int_equal(count(r, PAGE_WRITEBACK), n);
	for (__u64 i = 0; i < n; i++) {
		expect(r, PAGE_FILL, i, page + i, segs[i].frame);
		expect(r, PAGE_WRITEBACK, i, page + i, segs[i].frame);
	}
}

static void check_memory(enum vmm_memory memory)
{
	struct rig r;

	up(&r, memory);
	check_transfer(&r, 100, 7, 20, 1);
	/* One request of many pages; across a huge page's boundary; more than one bio holds. */
	check_transfer(&r, 200, 40, 16, 0);
	check_transfer(&r, 300, 505, 32, 0);
	check_transfer(&r, 1000, 600, 1000, 0);
	check_transfer(&r, 2500, 1700, 100, 7);
	check_vector(&r, 3000, 1900, 40);
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

static void test_hugetlb(void **state)
{
	check_memory(VMM_HUGETLB);
}

static void test_thp(void **state)
{
	check_memory(VMM_THP);
}

static void test_counters(void **state)
{
	struct vm_counters c;
	__u64 reads = 0, writes = 0;
	struct rig r;

	up(&r, VMM_ANON);
	rig__add(&r, (struct guest_op){OP_READ, 1, 0, 0, 30, 0});
	rig__add(&r, (struct guest_op){OP_WRITE, 1, 0, 0, 12, 0});
	rig__add(&r, (struct guest_op){OP_DISCARD, 0, 50, 0, 8, 0});
	rig__run(&r);
	c = trace__counters(r.trace, r.id);
	assert_int_equal(c.fills, 30);
	assert_int_equal(c.writebacks, 12);
	assert_int_equal(c.discards, 8);
	assert_int_equal(c.frameless, 0);
	assert_int_equal(c.partials, 0);
	assert_int_equal(c.ios, 43);
	assert_int_equal(c.io_errors, 0);
	assert_int_equal(c.events, 43);
	for (int i = 0; i < PE_LATENCY_BUCKETS; i++) {
		reads += c.latency[0][i];
		writes += c.latency[1][i];
	}
	assert_int_equal(reads, 30);
	assert_int_equal(writes, 12);
	rig__down(&r);
}

/* A transfer of less than a page has no frame that would hold the page. */
static void expect_partial(const struct rig *r, enum page_event_kind kind, size_t i, __u64 page)
{
	rig__expect(r, kind, SPACE_DISK, i, page, NO_FRAME, PE_PARTIAL);
}

static void test_partial_pages(void **state)
{
	/* Into frame 10: the middle of page 70. From frame 11: from the middle of page 80 to
	 * the middle of page 81. */
	const struct guest_seg in = {10, 1024, 512}, out = {11, 0, 4096};
	struct rig r;

	up(&r, VMM_ANON);
	rig__add(&r, (struct guest_op){OP_READ, 1, 60, 10, 2, 0});
	script__add_vector(&r.script, OP_READV, 70 * GUEST_PAGE + 1536, &in, 1);
	script__add_vector(&r.script, OP_WRITEV, 80 * GUEST_PAGE + 2048, &out, 1);
	rig__run(&r);
	assert_int_equal(count(&r, PAGE_FILL), 3);
	expect_partial(&r, PAGE_FILL, 2, 70);
	/* Frame 10 was overwritten in part: it is no copy of page 60 any more. */
	assert_int_equal(count(&r, PAGE_EVICT), 1);
	expect(&r, PAGE_EVICT, 0, 60, 10);
	assert_int_equal(count(&r, PAGE_WRITEBACK), 2);
	expect_partial(&r, PAGE_WRITEBACK, 0, 80);
	expect_partial(&r, PAGE_WRITEBACK, 1, 81);
	assert_int_equal(trace__counters(r.trace, r.id).partials, 3);
	rig__down(&r);
}

/* A whole disk page that lies across two frames is read, but neither holds it. */
static void test_unaligned_buffer(void **state)
{
	const struct guest_seg across = {20, 512, 4096};
	struct rig r;

	up(&r, VMM_ANON);
	rig__add(&r, (struct guest_op){OP_READ, 1, 90, 20, 2, 0});
	script__add_vector(&r.script, OP_READV, 95 * GUEST_PAGE, &across, 1);
	rig__run(&r);
	assert_int_equal(count(&r, PAGE_FILL), 3);
	expect(&r, PAGE_FILL, 2, 95, NO_FRAME);
	assert_int_equal(count(&r, PAGE_EVICT), 2);
	expect(&r, PAGE_EVICT, 0, 90, 20);
	expect(&r, PAGE_EVICT, 1, 91, 21);
	assert_int_equal(trace__counters(r.trace, r.id).frameless, 1);
	rig__down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous),	 cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_hugetlb),		 cmocka_unit_test(test_thp),
		cmocka_unit_test(test_counters),	 cmocka_unit_test(test_partial_pages),
		cmocka_unit_test(test_unaligned_buffer),
	};

	host__require_kvm();
	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
