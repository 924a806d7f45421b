// SPDX-License-Identifier: GPL-2.0
/* Ends and new beginnings: rings that stop and go on, front ends and servers that come back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend.h"
#include "load.h"
#include "raw.h"

static struct frontend f;
static struct load loads[BACKEND_QUEUES];
static __u64 seed;

static void begin_load(struct backend *b, unsigned queues, __u64 no_features)
{
	backend__open(b, &f, &(struct frontend_opts){.queues = queues, .no_features = no_features});
	for (unsigned q = 0; q < queues; q++)
		load__start(&loads[q], &f, q, seed);
}

static void end_load(struct backend *b)
{
	for (unsigned q = 0; q < f.nr_queues; q++)
		load__end(&loads[q]);
	for (unsigned q = 0; q < f.nr_queues; q++)
		load__check(&loads[q], b->disk);
	frontend__free(&f);
}

static void await_more(unsigned n)
{
	for (unsigned q = 0; q < f.nr_queues; q++)
		load__await(&loads[q], loads[q].done + n);
}

static void pause_all(void)
{
	for (unsigned q = 0; q < f.nr_queues; q++)
		load__pause(&loads[q]);
}

static void go_on_all(void)
{
	for (unsigned q = 0; q < f.nr_queues; q++)
		load__go_on(&loads[q]);
}

/* --- rings that stop --- */

/* GET_VRING_BASE: what is in flight ends before the answer, nothing is taken after it. */
static void test_stop_and_go_on(void **state)
{
	begin_load(*state, 2, 0);
	for (unsigned i = 0; i < 30; i++) {
		int base;

		await_more(20);
		load__pause(&loads[0]);
		base = frontend__stop_queue(&f, 0);
		assert_true(base >= 0);
		assert_int_equal(base, f.queue[0].ring.used->idx);
		assert_int_equal(frontend__start_queue(&f, 0), 0);
		/* Offered while it was stopping. */
		driver_ring__force_kick(&f.queue[0].ring);
		load__go_on(&loads[0]);
	}
	end_load(*state);
}

static void test_stop_with_requests(void **state)
{
	struct ring_seg seg = {0, RAM_PAGE};
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .seg = &seg, .nr = 1}, other = io;
	struct backend *b = *state;

	backend__open(b, &f, NULL);
	seg.gpa = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);
	assert_int_equal(frontend__queue(&f, 0, &io), 0);
	frontend__publish(&f, 0);
	assert_int_equal(frontend__wait(&f, 0, &io), 0);
	assert_int_equal(frontend__stop_queue(&f, 0), 1);
	/* To a ring that is stopped. */
	assert_int_equal(frontend__queue(&f, 0, &io), 0);
	assert_int_equal(frontend__queue(&f, 0, &other), 0);
	frontend__publish(&f, 0);
	driver_ring__force_kick(&f.queue[0].ring);
	assert_int_equal(frontend__sync(&f), 0);
	usleep(10000);
	assert_int_equal(frontend__reap(&f, 0), 0);
	assert_int_equal(frontend__start_queue(&f, 0), 0);
	driver_ring__force_kick(&f.queue[0].ring);
	assert_int_equal(frontend__wait_all(&f, 0), 0);
	assert_int_equal(io.times + other.times, 2);
	frontend__free(&f);
}

/* --- front ends that come back --- */

static void test_new_front_end(void **state)
{
	struct backend *b = *state;

	begin_load(b, 2, 0);
	for (unsigned i = 0; i < 20; i++) {
		await_more(20);
		pause_all();
		/* QEMU's (7.2) may die of an assertion when a front end leaves requests behind. */
		for (unsigned q = 0; q < 2 && b->reference; q++)
			load__settle(&loads[q]);
		/* The old one's requests end before the new one's begin. */
		frontend__disconnect(&f);
		assert_int_equal(frontend__resume(&f), 0);
		go_on_all();
	}
	end_load(b);
}

/* --- servers that are killed --- */

/* A load that sleeps for its server would see it go. */
static void kill_and_resume(struct backend *b)
{
	backend__kill(b);
	b->shared->hold = 0;
	pause_all();
	for (unsigned q = 0; q < f.nr_queues; q++)
		if (loads[q].err == -ECONNRESET)
			loads[q].err = 0;
	frontend__disconnect(&f);
	backend__restart(b);
	if (frontend__resume(&f))
		fail_msg("%s", f.why);
	go_on_all();
}

static void kill_often(struct backend *b, unsigned queues, __u64 no_features, unsigned times)
{
	struct random r = {seed};

	begin_load(b, queues, no_features);
	for (unsigned i = 0; i < times; i++) {
		b->shared->held = 0;
		await_more(random__below(&r, 20));
		/* With some of them held, or none. */
		b->shared->hold = random__below(&r, 4);
		usleep(random__below(&r, 2000));
		kill_and_resume(b);
	}
	await_more(20);
	end_load(b);
}

static void test_killed(void **state)
{
	kill_often(*state, 2, 0, 60);
}

static void test_killed_plain(void **state)
{
	kill_often(*state, 1, 1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_RING_F_INDIRECT_DESC,
		   30);
}

/* All that were taken, and not answered, are done by the next server: once each, in any order they
 * were answered before. */
static void test_in_flight(void **state)
{
	struct backend *b = *state;
	struct ring_seg seg[32];
	struct blk_io io[32];
	__u64 memory;

	backend__open(b, &f, NULL);
	memory = ram__alloc(&f.ram, 32 * RAM_PAGE, RAM_PAGE);
	b->shared->hold = 2;
	for (unsigned i = 0; i < 32; i++) {
		seg[i] = (struct ring_seg){memory + i * RAM_PAGE, RAM_PAGE};
		put_pattern(ram__at(&f.ram, seg[i].gpa, RAM_PAGE), i, 1);
		io[i] = (struct blk_io){
			.type = VIRTIO_BLK_T_OUT, .sector = i * 8, .seg = &seg[i], .nr = 1};
		assert_int_equal(frontend__queue(&f, 0, &io[i]), 0);
	}
	frontend__publish(&f, 0);
	await(&b->shared->held, 16);
	await(&b->shared->served, 16);
	backend__kill(b);
	frontend__disconnect(&f);
	assert_int_equal(f.queue[0].ring.used->idx, 16);
	b->shared->hold = b->shared->held = b->shared->served = 0;
	backend__restart(b);
	assert_int_equal(frontend__resume(&f), 0);
	assert_int_equal(frontend__wait_all(&f, 0), 0);
	assert_int_equal(b->shared->served, 16);
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(io[i].status, 0);
		assert_int_equal(io[i].times, 1);
		assert_true(has_pattern(b->disk + i * RAM_PAGE, i, 1));
	}
	frontend__free(&f);
}

/* Two writes to the same page, both in flight: the later one is the later one again. */
static void test_order(void **state)
{
	struct backend *b = *state;
	struct ring_seg seg[20];
	struct blk_io io[20];
	__u64 memory;

	backend__open(b, &f, NULL);
	memory = ram__alloc(&f.ram, 20 * RAM_PAGE, RAM_PAGE);
	b->shared->hold = 1;
	for (unsigned i = 0; i < 20; i++) {
		seg[i] = (struct ring_seg){memory + i * RAM_PAGE, RAM_PAGE};
		put_pattern(ram__at(&f.ram, seg[i].gpa, RAM_PAGE), 0, i);
		io[i] = (struct blk_io){.type = VIRTIO_BLK_T_OUT, .seg = &seg[i], .nr = 1};
		assert_int_equal(frontend__queue(&f, 0, &io[i]), 0);
		frontend__publish(&f, 0);
	}
	await(&b->shared->held, 20);
	backend__kill(b);
	frontend__disconnect(&f);
	b->shared->hold = b->shared->held = 0;
	backend__restart(b);
	assert_int_equal(frontend__resume(&f), 0);
	assert_int_equal(frontend__wait_all(&f, 0), 0);
	/* memdisk answers at once, in the order that requests come in. */
	assert_true(has_pattern(b->disk, 0, 19));
	frontend__free(&f);
}

/* --- logs --- */

/* Whatever the log says, the server stays, and the next front end is served. */
static void test_damaged_log(void **state)
{
	struct backend *b = *state;
	struct random r = {seed};

	for (unsigned i = 0; i < 60; i++) {
		struct raw c;
		__u8 junk[4096];

		backend__open(b, &f, NULL);
		raw__init(&c, &f, 0);
		assert_int_equal(frontend__stop_queue(&f, 0), 0);
		for (unsigned n = 0; n < sizeof(junk); n++)
			junk[n] = random__next(&r);
		if (i % 2)
			memset(junk, i, 8 + i);
		/* Of the version that is known, mostly. */
		if (i % 4)
			memcpy(junk + 8, &(__u16){1}, 2);
		assert_in_range(f.inflight.bytes, 128 * 16, sizeof(junk));
		assert_int_equal(pwrite(f.inflight_fd, junk, f.inflight.bytes, f.inflight.offset),
				 f.inflight.bytes);
		/* Refused or not. */
		frontend__start_queue(&f, 0);
		raw__request(&c, VIRTIO_BLK_T_IN, 0, c.data, 512);
		raw__submit(&c);
		usleep(500);
		frontend__free(&f);
	}
	backend__open(b, &f, NULL);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 0, 1 << 20, RAM_PAGE), 0);
	frontend__free(&f);
}

static void test_truncated_log(void **state)
{
	struct backend *b = *state;

	backend__open(b, &f, NULL);
	/* Sealed: the server's own. */
	assert_int_equal(ftruncate(f.inflight_fd, 0), -1);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 0, 1 << 20, RAM_PAGE), 0);
	frontend__free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(test_stop_and_go_on), both(test_stop_with_requests), both(test_new_front_end),
		own(test_killed),	  own(test_killed_plain),	 own(test_in_flight),
		own(test_order),	  own(test_damaged_log),	 own(test_truncated_log),
	};

	seed = random__seed();
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
