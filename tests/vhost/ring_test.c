// SPDX-License-Identifier: GPL-2.0
/* Virtqueues: sizes, indices that wrap, notifications, and chains that are as they should be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_ring.h>
#include <cmocka.h>

#include "../unit/random.h"
#include "backend.h"
#include "raw.h"

#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)

static struct frontend f;
static __u64 seed;

/* --- a disk that is written and read at random --- */

#define BATCH 64
#define BATCH_PAGES 4

/* Requests that are made together, of pages of their own on the disk. */
struct batch {
	struct random random;
	__u64 memory;
	struct blk_io io[BATCH];
	struct ring_seg seg[BATCH][BATCH_PAGES];
};

static void make_batch(struct batch *b)
{
	b->random = (struct random){seed};
	b->memory = ram__alloc(&f.ram, BATCH * BATCH_PAGES * RAM_PAGE, RAM_PAGE);
	assert_int_not_equal(b->memory, 0);
}

static __u64 frame_of(const struct batch *b, unsigned i, unsigned page)
{
	return b->memory + (i * BATCH_PAGES + page) * RAM_PAGE;
}

static void make_request(struct batch *b, unsigned i, __u32 type, unsigned pages)
{
	for (unsigned p = 0; p < pages; p++) {
		void *frame = ram__at(&f.ram, frame_of(b, i, p), RAM_PAGE);

		b->seg[i][p] = (struct ring_seg){frame_of(b, i, p), RAM_PAGE};
		if (type == VIRTIO_BLK_T_OUT)
			put_pattern(frame, i * BATCH_PAGES + p, 7);
		else
			memset(frame, 0, RAM_PAGE);
	}
	b->io[i] = (struct blk_io){.type = type,
				   .sector = i * BATCH_PAGES * (RAM_PAGE / SECTOR),
				   .seg = b->seg[i],
				   .nr = pages};
}

/* Make requests 0 to n - 1, in pieces as the queue has room for them. */
static void run_batch(struct batch *b, unsigned q, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int err;

		while ((err = frontend__queue(&f, q, &b->io[i])) == -ENOSPC) {
			frontend__publish(&f, q);
			assert_true(frontend__wait_some(&f, q) > 0);
		}
		assert_int_equal(err, 0);
		if (random__one_in(&b->random, 4))
			frontend__publish(&f, q);
	}
	frontend__publish(&f, q);
	assert_int_equal(frontend__wait_all(&f, q), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(b->io[i].status, VIRTIO_BLK_S_OK);
		assert_int_equal(b->io[i].times, 1);
	}
}

/* Requests as long as the queue's size lets them be, without indirect descriptors. */
static unsigned most_pages(void)
{
	unsigned room = f.features & INDIRECT ? BATCH_PAGES : f.opts.size - 2;

	return room < BATCH_PAGES ? room : BATCH_PAGES;
}

static void write_and_read(struct batch *b, unsigned q)
{
	unsigned pages[BATCH];

	for (unsigned i = 0; i < BATCH; i++) {
		pages[i] = 1 + random__below(&b->random, most_pages());
		make_request(b, i, VIRTIO_BLK_T_OUT, pages[i]);
	}
	run_batch(b, q, BATCH);
	for (unsigned i = 0; i < BATCH; i++)
		make_request(b, i, VIRTIO_BLK_T_IN, pages[i]);
	run_batch(b, q, BATCH);
	for (unsigned i = 0; i < BATCH; i++) {
		assert_int_equal(b->io[i].written, pages[i] * RAM_PAGE + 1);
		for (unsigned p = 0; p < pages[i]; p++)
			assert_true(has_pattern(ram__at(&f.ram, frame_of(b, i, p), RAM_PAGE),
						i * BATCH_PAGES + p, 7));
	}
}

static void use_queues(struct backend *b, const struct frontend_opts *o)
{
	struct batch batch;

	backend__open(b, &f, o);
	make_batch(&batch);
	for (unsigned q = 0; q < f.nr_queues; q++) {
		memset(b->disk, 0, BATCH * BATCH_PAGES * RAM_PAGE);
		write_and_read(&batch, q);
	}
	frontend__free(&f);
}

static void test_sizes(void **state)
{
	for (unsigned size = 2; size <= 1024; size *= size < 8 ? 2 : 4)
		use_queues(*state, &(struct frontend_opts){.size = size});
}

/* Without indirect descriptors a request takes three at least. */
static void test_sizes_direct(void **state)
{
	for (unsigned size = 4; size <= 1024; size *= 4)
		use_queues(*state, &(struct frontend_opts){.size = size, .no_features = INDIRECT});
}

static void test_many_queues(void **state)
{
	use_queues(*state, &(struct frontend_opts){.queues = BACKEND_QUEUES});
}

static void test_without_event_index(void **state)
{
	use_queues(*state, &(struct frontend_opts){.no_features = EVENT_IDX});
	use_queues(*state, &(struct frontend_opts){.no_features = EVENT_IDX | INDIRECT});
}

/* --- indices --- */

/* As if that many requests had been made before. */
static void set_indices(struct driver_ring *r, __u16 index)
{
	r->avail_idx = r->used_idx = r->kicked = index;
	r->avail->idx = r->used->idx = index;
	/* The device waits to be told of the next one. */
	memcpy(&r->used->ring[r->size], &index, sizeof(index));
}

static void start_at(struct backend *b, struct frontend_opts o, __u16 index)
{
	o.path = b->path;
	o.patience = 20;
	assert_int_equal(frontend__init(&f, &o), 0);
	set_indices(&f.queue[0].ring, index);
	assert_int_equal(frontend__resume(&f), 0);
}

static void check_wrap(struct backend *b, const struct frontend_opts *o)
{
	struct batch batch;

	start_at(b, *o, 65500);
	make_batch(&batch);
	write_and_read(&batch, 0);
	assert_true(f.queue[0].ring.used_idx < 65500);
	assert_int_equal(frontend__stop_queue(&f, 0), f.queue[0].ring.used_idx);
	frontend__free(&f);
}

static void test_wrap(void **state)
{
	check_wrap(*state, &(struct frontend_opts){.size = 128});
	check_wrap(*state, &(struct frontend_opts){.size = 4});
	check_wrap(*state, &(struct frontend_opts){.size = 256, .no_features = EVENT_IDX});
}

/* --- interrupts --- */

/* One at a time, each waited for asleep: one that does not come is an error of time. */
static void sleep_for_each(struct backend *b, const struct frontend_opts *o, unsigned n)
{
	__u64 frame;

	backend__open(b, &f, o);
	frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 0, frame, RAM_PAGE), 0);
	frontend__free(&f);
}

static void test_interrupts(void **state)
{
	sleep_for_each(*state, &(struct frontend_opts){.size = 4}, 2000);
	sleep_for_each(*state, &(struct frontend_opts){.no_features = EVENT_IDX}, 2000);
}

static __u64 calls(struct driver_ring *r)
{
	__u64 n;

	return read(r->call, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void poll_for_some(struct backend *b, __u64 no_features)
{
	struct frontend_opts o = {.polling = true, .no_features = no_features};
	__u64 frame;

	backend__open(b, &f, &o);
	frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 0, frame, RAM_PAGE), 0);
	/* As the ring starts, sooner or later, as the call fd is set, and with the first: it is not
	 * known yet what is asked for. */
	assert_in_range(calls(&f.queue[0].ring), 0, 3);
	frontend__free(&f);
}

static void test_no_interrupts(void **state)
{
	poll_for_some(*state, 0);
	poll_for_some(*state, EVENT_IDX);
}

/* Nobody to be interrupted. */
static void test_no_call_fd(void **state)
{
	__u64 frame;

	backend__open(*state, &f, &(struct frontend_opts){.polling = true});
	frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);
	assert_int_equal(frontend__tell_fd(&f, VU_SET_VRING_CALL, 0, -1), 0);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 0, frame, RAM_PAGE), 0);
	frontend__free(&f);
}

/* --- chains --- */

static void test_pieces(void **state)
{
	struct backend *b = *state;
	struct raw c;

	backend__open(b, &f, NULL);
	raw__init(&c, &f, 0);
	put_pattern(b->disk, 0, 1);
	/* Data in odd pieces. */
	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, c.header, 16, false);
	raw__add(&c, c.data, 1, true);
	raw__add(&c, c.data + 1, 4000, true);
	raw__add(&c, c.data + 4001, 95, true);
	raw__add(&c, c.status, 1, true);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), RAM_PAGE + 1);
	assert_int_equal(raw__status(&c), VIRTIO_BLK_S_OK);
	assert_true(has_pattern(ram__at(&f.ram, c.data, RAM_PAGE), 0, 1));
	frontend__free(&f);
}

/* virtio 1.1, 2.6.4: no assumption on how a request is cut. */
static void test_header_in_pieces(void **state)
{
	struct backend *b = *state;
	struct raw c;

	backend__open(b, &f, NULL);
	raw__init(&c, &f, 0);
	put_pattern(ram__at(&f.ram, c.data, RAM_PAGE), 3, 1);
	raw__begin(&c, VIRTIO_BLK_T_OUT, 3 * RAM_PAGE / SECTOR);
	raw__add(&c, c.header, 3, false);
	raw__add(&c, c.header + 3, 9, false);
	raw__add(&c, c.header + 12, 4, false);
	raw__add(&c, c.data, RAM_PAGE, false);
	raw__add(&c, c.status, 1, true);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), 1);
	assert_int_equal(raw__status(&c), VIRTIO_BLK_S_OK);
	assert_true(has_pattern(b->disk + 3 * RAM_PAGE, 3, 1));
	frontend__free(&f);
}

/* Header and data in one descriptor; data and status in one. */
static void test_joined(void **state)
{
	struct backend *b = *state;
	struct raw c;

	backend__open(b, &f, NULL);
	raw__init(&c, &f, 0);
	raw__begin(&c, VIRTIO_BLK_T_OUT, 0);
	memcpy(ram__at(&f.ram, c.data, 16), ram__at(&f.ram, c.header, 16), 16);
	memset(ram__at(&f.ram, c.data + 16, 512), 'x', 512);
	raw__add(&c, c.data, 16 + 512, false);
	raw__add(&c, c.status, 1, true);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), 1);
	assert_int_equal(raw__status(&c), VIRTIO_BLK_S_OK);
	assert_int_equal(b->disk[511], 'x');
	assert_int_equal(b->disk[512], 0);

	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, c.header, 16, false);
	raw__add(&c, c.data + RAM_PAGE, 513, true);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), 513);
	assert_int_equal(*(char *)ram__at(&f.ram, c.data + RAM_PAGE + 511, 1), 'x');
	assert_int_equal(*(char *)ram__at(&f.ram, c.data + RAM_PAGE + 512, 1), VIRTIO_BLK_S_OK);
	frontend__free(&f);
}

static void test_indirect_by_hand(void **state)
{
	struct backend *b = *state;
	struct vring_desc *table;
	struct raw c;

	backend__open(b, &f, NULL);
	raw__init(&c, &f, 0);
	put_pattern(b->disk + 5 * RAM_PAGE, 5, 1);
	table = ram__at(&f.ram, c.table, RAM_PAGE);
	/* In another order than they are used in. */
	table[0] = (struct vring_desc){c.header, 16, VRING_DESC_F_NEXT, 2};
	table[2] = (struct vring_desc){c.data, RAM_PAGE, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1};
	table[1] = (struct vring_desc){c.status, 1, VRING_DESC_F_WRITE, 0};
	raw__begin(&c, VIRTIO_BLK_T_IN, 5 * RAM_PAGE / SECTOR);
	raw__add(&c, c.table, 3 * sizeof(*table), false)->flags = VRING_DESC_F_INDIRECT;
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), RAM_PAGE + 1);
	assert_true(has_pattern(ram__at(&f.ram, c.data, RAM_PAGE), 5, 1));
	frontend__free(&f);
}

/* As long as requests may be. */
static void test_longest(void **state)
{
	struct backend *b = *state;
	struct ring_seg seg[BLK_IO_SEGS];
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .seg = seg};
	__u64 memory;

	backend__open(b, &f, NULL);
	memory = ram__alloc(&f.ram, BLK_IO_SEGS * RAM_PAGE, RAM_PAGE);
	io.nr = f.config.seg_max < BLK_IO_SEGS ? f.config.seg_max : BLK_IO_SEGS;
	assert_true(io.nr > 64);
	for (unsigned i = 0; i < io.nr; i++) {
		put_pattern(b->disk + i * RAM_PAGE, i, 2);
		/* From the last frame to the first, so that no two pieces are one. */
		seg[i] = (struct ring_seg){memory + (io.nr - 1 - i) * RAM_PAGE, RAM_PAGE};
	}
	assert_int_equal(frontend__do(&f, 0, &io), VIRTIO_BLK_S_OK);
	for (unsigned i = 0; i < io.nr; i++)
		assert_true(has_pattern(ram__at(&f.ram, seg[i].gpa, RAM_PAGE), i, 2));
	frontend__free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_sizes),	  both(test_sizes_direct),
		both(test_many_queues),	  both(test_without_event_index),
		both(test_wrap),	  both(test_interrupts),
		both(test_no_interrupts), own(test_no_call_fd),
		both(test_pieces),	  both(test_header_in_pieces),
		both(test_joined),	  both(test_indirect_by_hand),
		both(test_longest),
	};

	seed = random__seed();
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
