// SPDX-License-Identifier: GPL-2.0
/* What a front end or its guest breaks for itself: memory that it takes away while requests are in
 * flight, rings that can't be followed. The server says so once, nothing that the guest did not
 * write gets to the disk, and others are served as before. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend.h"
#include "load.h"
#include "raw.h"
#include "rig.h"

#define FAR (1ULL << 32)
#define PAGES 1024u
/* Of a request, and requests at a time. */
#define GROUP 4u
#define DEPTH 16u

static struct rig rig;
static struct frontend f;

static void fill_disk(struct rig *r)
{
	for (__u64 i = 0; i < PAGES; i++)
		put_pattern(r->disk + i * RAM_PAGE, i, 1);
	assert_int_equal(msync(r->disk, r->bytes, MS_SYNC), 0);
}

/* Rings are in the first region; in the other one are the frames to be taken away, each with what
 * may be written to the disk's page of its number. */
static void begin(unsigned queues)
{
	rig = (struct rig){.queues = queues};
	rig__start(&rig);
	fill_disk(&rig);
	rig__open(&rig, &f, NULL);
	assert_int_equal(ram__add(&f.ram, FAR, (__u64)PAGES * RAM_PAGE, 0, false), 0);
	for (__u64 i = 0; i < PAGES; i++)
		put_pattern(f.ram.region[1].base + i * RAM_PAGE, i, 2);
	assert_int_equal(frontend__add_region(&f, 1), 0);
}

static void take_memory_away(void)
{
	assert_int_equal(ftruncate(f.ram.region[1].fd, 0), 0);
}

/* This front end is left, which is said once; the next one is served. No test writes page 1. */
static void expect_left(void)
{
	__u64 frame;

	assert_int_equal(link__hung_up(f.sock, 20000), 1);
	frontend__free(&f);
	rig__open(&rig, &f, NULL);
	assert_int_equal(rig.lines, 1);
	assert_non_null(strstr(rig.line, "took away memory"));
	frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, RAM_PAGE, frame, RAM_PAGE), 0);
	assert_true(has_pattern(ram__at(&f.ram, frame, RAM_PAGE), 1, 1));
}

static void end(void)
{
	frontend__free(&f);
	rig__end(&rig);
}

/* --- memory that is taken away --- */

static void check_refused(__u32 type)
{
	struct ring_seg seg = {FAR, GROUP * RAM_PAGE};
	struct blk_io io = {.type = type, .seg = &seg, .nr = 1};

	begin(1);
	take_memory_away();
	assert_int_equal(frontend__queue(&f, 0, &io), 0);
	frontend__publish(&f, 0);
	/* The answer is there before the connection ends, whichever is seen first. */
	if (frontend__wait(&f, 0, &io))
		assert_true(frontend__reap(&f, 0) >= 0);
	assert_true(io.done);
	assert_int_equal(io.status, VIRTIO_BLK_S_IOERR);
	expect_left();
	for (unsigned i = 0; i < GROUP; i++)
		assert_true(has_pattern(rig.disk + i * RAM_PAGE, i, 1));
	end();
}

static void test_read(void **state)
{
	check_refused(VIRTIO_BLK_T_IN);
}

static void test_write(void **state)
{
	check_refused(VIRTIO_BLK_T_OUT);
}

/* Of a group of pages each; the last round that it was in. */
struct request {
	struct blk_io io;
	struct ring_seg seg;
};

static struct request requests[PAGES / GROUP];

/* Every third one is a read, to frames that no write takes. */
static void queue_group(unsigned group)
{
	struct request *r = &requests[group];
	__u64 page = (__u64)group * GROUP;

	r->seg = (struct ring_seg){FAR + page * RAM_PAGE, GROUP * RAM_PAGE};
	r->io = (struct blk_io){.type = group % 3 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
				.sector = page * (RAM_PAGE / SECTOR),
				.seg = &r->seg,
				.nr = 1};
	assert_int_equal(frontend__queue(&f, 0, &r->io), 0);
}

/* Many in flight; memory goes after some of them are done. How many were offered. */
static unsigned run_into_it(void)
{
	unsigned offered = 0, done = 0;

	while (offered < PAGES / GROUP) {
		int n;

		for (; offered < done + DEPTH && offered < PAGES / GROUP; offered++)
			queue_group(offered);
		frontend__publish(&f, 0);
		if (done > PAGES / GROUP / 3)
			take_memory_away();
		n = frontend__wait_some(&f, 0);
		if (n < 0)
			break;
		done += n;
	}
	assert_true(frontend__reap(&f, 0) >= 0);
	return offered;
}

static void check_group(unsigned group)
{
	const struct blk_io *io = &requests[group].io;

	assert_true(!io->done || io->status == VIRTIO_BLK_S_OK || io->status == VIRTIO_BLK_S_IOERR);
	for (__u64 page = group * GROUP; page < (group + 1) * GROUP; page++) {
		const char *at = rig.disk + page * RAM_PAGE;
		bool is_new = has_pattern(at, page, 2);

		assert_true(is_new || has_pattern(at, page, 1));
		assert_true(!is_new || io->type == VIRTIO_BLK_T_OUT);
		assert_true(is_new || io->type == VIRTIO_BLK_T_IN || !io->done || io->status);
	}
}

static void test_under_load(void **state)
{
	static struct frontend g;
	static struct load load;
	struct rig other = {};
	unsigned offered;

	begin(2);
	rig__add_disk(&rig, &other);
	rig__open(&other, &g, NULL);
	load__start(&load, &g, 0, random__seed());
	load__await(&load, 100);
	offered = run_into_it();
	expect_left();
	load__await(&load, load.done + 100);
	load__end(&load);
	load__check(&load, other.disk);
	for (unsigned i = 0; i < offered; i++)
		check_group(i);
	frontend__free(&g);
	end();
	rig__remove_image(&other);
}

/* --- rings that die --- */

static void test_dead_ring(void **state)
{
	struct raw c;

	begin(2);
	raw__init(&c, &f, 0);
	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, c.header, 16, false)->next = c.first;
	raw__submit_as_is(&c);
	await(&rig.lines, 1);
	assert_non_null(strstr(rig.line, "descriptors form a loop"));
	/* Whatever it had to say of that has been said when it has ended. */
	frontend__free(&f);
	rig__stop(&rig);
	assert_int_equal(rig.lines, 1);
	rig__end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_under_load),
		cmocka_unit_test(test_dead_ring),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
