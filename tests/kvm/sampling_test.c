// SPDX-License-Identifier: GPL-2.0
/* Sampling in BPF: of the sampled pages everything is seen, of the others nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"

#define FRAMES 512
#define DISK_PAGES 4096
#define MANY 16384 /* frames: sampled by half, more than the smallest map holds */
#define QUARTER (PE_SAMPLE_ALL / 4)
#define SIXTEENTH (PE_SAMPLE_ALL / 16)

/* A rig whose tracer samples from the start. */
static void up(struct rig *r, __u64 threshold)
{
	const struct vmm_opts opts = {.memory = VMM_MEMFD, .frames = FRAMES};

	rig__up(r, &opts, DISK_PAGES);
	tracer__set_threshold(trace__tracer(r->trace), threshold);
}

/* Disk pages from first on, one for each frame, read into frames 0, 1, ... */
static void read_pages(struct rig *r, __u64 first)
{
	rig__add(r, (struct guest_op){OP_READ, 1, first, 0, FRAMES, 0});
	rig__run(r);
}

/* The disk's id, taken from a page that is sampled in any case. */
static __u64 disk_of(const struct rig *r)
{
	size_t n;

	return trace__events(r->trace, &n)[0].page >> PE_DISK_SHIFT;
}

static __u64 sampled_among(__u64 disk, __u64 first, __u64 count, __u64 threshold)
{
	__u64 n = 0;

	for (__u64 i = first; i < first + count; i++)
		n += pe_lot(pe_page(disk, i), SPACE_DISK) <= threshold;
	return n;
}

static __u64 sampled_pages(__u64 disk, __u64 first, __u64 threshold)
{
	return sampled_among(disk, first, FRAMES, threshold);
}

static void expect_all_under(const struct rig *r, __u64 threshold)
{
	const struct page_event *events;
	size_t n;

	events = trace__events(r->trace, &n);
	for (size_t i = 0; i < n; i++)
		assert_true(pe_lot(events[i].page, SPACE_DISK) <= threshold);
}

/* An unsampled fill into a frame that holds a sampled page evicts that one. */
static void test_rate(void **state)
{
	struct rig r;
	__u64 disk;

	up(&r, QUARTER);
	read_pages(&r, 0);
	read_pages(&r, FRAMES);
	read_pages(&r, 2 * FRAMES);
	disk = disk_of(&r);
	expect_all_under(&r, QUARTER);
	assert_int_equal(rig__count(&r, PAGE_FILL, SPACE_DISK),
			 sampled_pages(disk, 0, QUARTER) + sampled_pages(disk, FRAMES, QUARTER) +
				 sampled_pages(disk, 2 * FRAMES, QUARTER));
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK),
			 sampled_pages(disk, 0, QUARTER) + sampled_pages(disk, FRAMES, QUARTER));
	assert_int_equal(trace__counters(r.trace, r.id).fills, 3 * FRAMES);
	rig__down(&r);
}

/* The rate falls while frames hold pages: those that stay sampled are still
 * followed, though the frame map has moved them; the others are forgotten. */
static void test_falling_rate(void **state)
{
	struct rig r;
	__u64 disk;

	up(&r, PE_SAMPLE_ALL);
	read_pages(&r, 0);
	assert_int_equal(rig__count(&r, PAGE_FILL, SPACE_DISK), FRAMES);
	disk = disk_of(&r);
	trace__clear(r.trace);
	tracer__set_threshold(trace__tracer(r.trace), QUARTER);
	tracer__set_threshold(trace__tracer(r.trace), SIXTEENTH);
	read_pages(&r, FRAMES);
	expect_all_under(&r, SIXTEENTH);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), sampled_pages(disk, 0, SIXTEENTH));
	assert_int_equal(rig__count(&r, PAGE_FILL, SPACE_DISK),
			 sampled_pages(disk, FRAMES, SIXTEENTH));
	rig__down(&r);
}

/* A map that took little memory, as little was in it, takes more in time. */
static void test_growing_map(void **state)
{
	const struct vmm_opts opts = {.memory = VMM_MEMFD, .frames = MANY};
	struct rig r;
	__u64 disk;

	rig__up(&r, &opts, 2 * MANY);
	tracer__set_threshold(trace__tracer(r.trace), PE_SAMPLE_ALL / 2);
	for (__u64 page = 0; page < 2 * MANY; page += FRAMES) {
		rig__add(&r, (struct guest_op){OP_READ, 1, page, page % MANY, FRAMES, 0});
		rig__run(&r);
	}
	disk = disk_of(&r);
	/* Each frame was filled twice; what half of the first fills brought is evicted. */
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK),
			 sampled_among(disk, 0, MANY, PE_SAMPLE_ALL / 2));
	rig__down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_falling_rate),
		cmocka_unit_test(test_growing_map),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
