// SPDX-License-Identifier: GPL-2.0
/* Buffered images: what enters and leaves the host's page cache, checked against mincore. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"

#define FRAMES 64
#define IMAGE_PAGES 1024
#define IMAGE_REGION 0xff

static void await_source(struct trace *t)
{
	for (int i = 0; i < 200; i++) {
		if (tracer__source(trace__tracer(t), TRACER_CACHE) == SOURCE_ON)
			return;
		tracer__poll(trace__tracer(t), 20, NULL, NULL);
	}
	fail_msg("the page cache is not traced: %s",
		 tracer__source_reason(trace__tracer(t), TRACER_CACHE));
}

static void up(struct rig *r, const struct image *image)
{
	const struct vmm_opts opts = {
		.frames = FRAMES, .disk = image__path(image), .buffered = true};

	rig__up(r, &opts, 0);
	await_source(r->trace);
}

/* The events of a kind are these pages, each once. */
static void check_pages(const struct rig *r, enum page_event_kind kind, const unsigned char *pages)
{
	unsigned char seen[IMAGE_PAGES] = {0};
	const struct page_event *e;
	__u64 n = 0, wanted = 0;

	for (size_t i = 0; (e = trace__nth(r->trace, r->id, kind, SPACE_DISK, i)); i++) {
		assert_int_equal(e->flags, PE_HOST_CACHE);
		assert_int_equal(frame_region(e), IMAGE_REGION);
		assert_int_equal(frame_index(e), page_number(e));
		assert_in_range(page_number(e), 0, IMAGE_PAGES - 1);
		assert_int_equal(seen[page_number(e)], 0);
		seen[page_number(e)] = 1;
		n++;
	}
	for (int i = 0; i < IMAGE_PAGES; i++) {
		assert_int_equal(seen[i], pages[i]);
		wanted += pages[i];
	}
	assert_int_equal(n, wanted);
	assert_true(wanted > 0);
}

static void test_reads(void **state)
{
	unsigned char cached[IMAGE_PAGES];
	struct image *image = image__new(IMAGE_PAGES);
	struct vm_counters c;
	struct rig r;
	__u64 fills;

	up(&r, image);
	rig__add(&r, (struct guest_op){OP_READ, 1, 100, 0, 20, 0});
	rig__add(&r, (struct guest_op){OP_CHECK, 0, 100, 0, 20, 0});
	rig__add(&r, (struct guest_op){OP_READ, 1, 700, 20, 1, 0});
	rig__run(&r);
	image__cached(image, cached);
	for (int i = 100; i < 120; i++)
		assert_int_equal(cached[i], 1);
	check_pages(&r, PAGE_FILL, cached);
	assert_int_equal(rig__count(&r, PAGE_EVICT, SPACE_DISK), 0);
	fills = rig__count(&r, PAGE_FILL, SPACE_DISK);

	/* Hits in the host's cache are not seen; they cost the guest no I/O. */
	rig__add(&r, (struct guest_op){OP_READ, 1, 100, 0, 20, 0});
	rig__run(&r);
	assert_int_equal(rig__count(&r, PAGE_FILL, SPACE_DISK), fills);

	image__drop_cache(image);
	trace__collect(r.trace);
	check_pages(&r, PAGE_EVICT, cached);
	c = trace__counters(r.trace, r.id);
	assert_int_equal(c.cache_adds, fills);
	assert_int_equal(c.cache_drops, fills);
	/* The file system's own reads are not the guest's. */
	assert_int_equal(c.fills, 0);
	rig__down(&r);
	image__free(image);
}

/* A write of a whole page brings it into the cache without a read. */
static void test_writes(void **state)
{
	unsigned char cached[IMAGE_PAGES], written[IMAGE_PAGES] = {0};
	struct image *image = image__new(IMAGE_PAGES);
	struct rig r;

	up(&r, image);
	rig__add(&r, (struct guest_op){OP_WRITE, 1, 40, 0, 16, 0});
	rig__run(&r);
	memset(written + 40, 1, 16);
	image__cached(image, cached);
	assert_memory_equal(cached, written, IMAGE_PAGES);
	check_pages(&r, PAGE_FILL, written);
	image__drop_cache(image);
	trace__collect(r.trace);
	check_pages(&r, PAGE_EVICT, written);
	assert_int_equal(trace__counters(r.trace, r.id).writebacks, 0);
	rig__down(&r);
	image__free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_writes),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
