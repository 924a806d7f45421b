// SPDX-License-Identifier: GPL-2.0
/* Chains and rings that no driver makes: what can be answered is, what cannot kills its ring, and
 * nothing else happens. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../unit/random.h"
#include "backend.h"
#include "raw.h"

#define SECONDS 20000

static struct frontend f;
static struct raw c;

static void begin(struct backend *b)
{
	backend__open(b, &f, NULL);
	raw__init(&c, &f, 0);
}

/* Others are served as before. */
static void check_alive(unsigned q)
{
	__u64 frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);

	assert_int_equal(frontend__rw(&f, q, VIRTIO_BLK_T_IN, 0, frame, RAM_PAGE), 0);
}

static void end(void)
{
	check_alive(0);
	frontend__free(&f);
}

/* --- requests that are answered, with nothing written --- */

static void expect_refused(void)
{
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, SECONDS), 0);
	assert_int_equal(raw__status(&c), 0xff);
	check_alive(0);
}

/* The address where memory ends. */
static __u64 end_of_memory(void)
{
	const struct ram_region *r = &f.ram.region[f.ram.nr - 1];

	return r->gpa + r->bytes;
}

static void test_addresses(void **state)
{
	const struct {
		__u64 gpa;
		__u32 bytes;
	} bad[] = {
		{1ULL << 40, 512}, {~0ULL - 511, 512},		{~0ULL - 510, 512},
		{~0ULL, 512},	   {1ULL << 63, 0x80000000},	{RAM_PAGE, 0xffffffff},
		{0, 0xfffffe00},   {~0ULL - 0xfff, 0xfffffe00},
	};

	begin(*state);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		raw__request(&c, VIRTIO_BLK_T_IN, 0, bad[i].gpa, bad[i].bytes);
		expect_refused();
		raw__request(&c, VIRTIO_BLK_T_OUT, 0, bad[i].gpa, bad[i].bytes);
		expect_refused();
	}
	end();
}

static void test_end_of_memory(void **state)
{
	struct backend *b = *state;
	__u64 at;

	begin(b);
	at = end_of_memory();
	put_pattern(b->disk, 0, 3);
	raw__request(&c, VIRTIO_BLK_T_IN, 0, at - RAM_PAGE, RAM_PAGE);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, SECONDS), RAM_PAGE + 1);
	assert_true(has_pattern(ram__at(&f.ram, at - RAM_PAGE, RAM_PAGE), 0, 3));
	raw__request(&c, VIRTIO_BLK_T_IN, 0, at - RAM_PAGE + 512, RAM_PAGE);
	expect_refused();
	raw__request(&c, VIRTIO_BLK_T_IN, 0, at, 512);
	expect_refused();
	end();
}

static void test_status_nowhere(void **state)
{
	begin(*state);
	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, c.header, 16, false);
	raw__add(&c, c.data, 512, true);
	raw__add(&c, end_of_memory(), 1, true);
	expect_refused();
	/* Only what is read. */
	raw__begin(&c, VIRTIO_BLK_T_OUT, 0);
	raw__add(&c, c.header, 16, false);
	raw__add(&c, c.data, 512, false);
	expect_refused();
	raw__begin(&c, VIRTIO_BLK_T_FLUSH, 0);
	raw__add(&c, c.header, 16, false);
	expect_refused();
	/* Nothing at all. */
	raw__begin(&c, VIRTIO_BLK_T_FLUSH, 0);
	raw__add(&c, c.status, 0, true);
	expect_refused();
	end();
}

static void test_read_after_write(void **state)
{
	begin(*state);
	raw__begin(&c, VIRTIO_BLK_T_OUT, 0);
	raw__add(&c, c.header, 16, false);
	raw__add(&c, c.status, 1, true);
	raw__add(&c, c.data, 512, false);
	expect_refused();
	end();
}

/* --- chains that cannot be followed --- */

/* The ring is given up; its front end is told, others and other rings are served. */
static void expect_dead(struct backend *b)
{
	unsigned dead = b->shared->dead, warns = b->shared->warns;
	__u64 n;

	assert_int_equal(driver_ring__in_flight(c.r), 0);
	raw__submit_as_is(&c);
	await(&b->shared->dead, dead + 1);
	await(&b->shared->warns, warns + 1);
	assert_int_equal(read(c.r->err, &n, sizeof(n)), sizeof(n));
	assert_int_equal(raw__wait(&c, 10), -ETIMEDOUT);
	check_alive(1);
}

/* As a driver does that resets its device. */
static void revive(void)
{
	assert_true(frontend__stop_queue(&f, 0) >= 0);
	memset(c.r->used, 0, sizeof(*c.r->used) + c.r->size * 8);
	c.r->avail_idx = c.r->used_idx = c.r->kicked = 0;
	c.r->avail->idx = 0;
	assert_int_equal(frontend__start_queue(&f, 0), 0);
	check_alive(0);
}

static void open_two(struct backend *b)
{
	/* Requests of dead rings would come again from the log. */
	backend__open(b, &f,
		      &(struct frontend_opts){.queues = 2, .no_protocol = VU_P_INFLIGHT_SHMFD});
	raw__init(&c, &f, 0);
}

static void test_loops(void **state)
{
	struct backend *b = *state;

	open_two(b);
	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, c.header, 16, false)->next = c.first;
	expect_dead(b);
	revive();
	raw__request(&c, VIRTIO_BLK_T_OUT, 0, c.data, 512);
	c.r->desc[c.first + 1].next = c.first;
	expect_dead(b);
	revive();
	/* Nothing in it, so no number of pieces ends it. */
	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, 0, 0, false)->next = c.first;
	expect_dead(b);
	revive();
	end();
}

static void test_next_outside(void **state)
{
	struct backend *b = *state;
	const __u16 next[] = {128, 129, 0x7fff, 0xffff};

	open_two(b);
	for (unsigned i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		raw__begin(&c, VIRTIO_BLK_T_IN, 0);
		raw__add(&c, c.header, 16, false)->next = next[i];
		expect_dead(b);
		revive();
	}
	end();
}

static void test_heads_outside(void **state)
{
	struct backend *b = *state;
	const __u16 heads[] = {128, 0x8000, 0xffff};

	open_two(b);
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		c.first = heads[i];
		expect_dead(b);
		revive();
	}
	frontend__free(&f);
}

static void test_head_twice(void **state)
{
	struct backend *b = *state;

	open_two(b);
	b->shared->hold = 1;
	raw__request(&c, VIRTIO_BLK_T_IN, 0, c.data, 512);
	raw__submit(&c);
	await(&b->shared->held, 1);
	raw__submit_as_is(&c);
	await(&b->shared->dead, 1);
	/* What is in flight ends all the same. */
	b->shared->hold = 0;
	assert_int_equal(raw__wait(&c, SECONDS), 513);
	assert_int_equal(raw__wait(&c, 10), -ETIMEDOUT);
	revive();
	frontend__free(&f);
}

static void test_index_ahead(void **state)
{
	struct backend *b = *state;
	const __u16 jumps[] = {129, 0x8000, 0xffff};

	open_two(b);
	for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		/* One of them by the submit. */
		c.r->avail_idx += jumps[i] - 1;
		expect_dead(b);
		revive();
	}
	frontend__free(&f);
}

static void expect_bad_table(struct backend *b, __u32 bytes, __u16 flags)
{
	struct vring_desc *d;

	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	d = raw__add(&c, c.table, bytes, false);
	d->flags = flags;
	d->next = c.first + 1;
	expect_dead(b);
	revive();
}

static void fill_table(void)
{
	struct vring_desc *table = ram__at(&f.ram, c.table, RAM_PAGE);

	table[0] = (struct vring_desc){c.header, 16, VRING_DESC_F_NEXT, 1};
	table[1] = (struct vring_desc){c.data, 512, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2};
	table[2] = (struct vring_desc){c.status, 1, VRING_DESC_F_WRITE, 0};
}

static void test_tables(void **state)
{
	struct backend *b = *state;
	struct vring_desc *table;

	open_two(b);
	table = ram__at(&f.ram, c.table, RAM_PAGE);
	fill_table();
	expect_bad_table(b, 0, VRING_DESC_F_INDIRECT);
	expect_bad_table(b, 15, VRING_DESC_F_INDIRECT);
	expect_bad_table(b, 47, VRING_DESC_F_INDIRECT);
	/* The third descriptor is beyond. */
	expect_bad_table(b, 32, VRING_DESC_F_INDIRECT);
	expect_bad_table(b, 0xfffffff0, VRING_DESC_F_INDIRECT);
	expect_bad_table(b, 48, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT);
	table[1].next = 1;
	expect_bad_table(b, 48, VRING_DESC_F_INDIRECT);
	table[1] = (struct vring_desc){c.table, 48, VRING_DESC_F_INDIRECT, 0};
	expect_bad_table(b, 48, VRING_DESC_F_INDIRECT);
	end();
}

static void test_table_nowhere(void **state)
{
	begin(*state);
	raw__begin(&c, VIRTIO_BLK_T_IN, 0);
	raw__add(&c, end_of_memory() - 16, 48, false)->flags = VRING_DESC_F_INDIRECT;
	raw__submit_as_is(&c);
	assert_int_equal(raw__wait(&c, SECONDS), 0);
	end();
}

static void test_table_not_agreed(void **state)
{
	struct backend *b = *state;

	backend__open(b, &f,
		      &(struct frontend_opts){.queues = 2,
					      .no_protocol = VU_P_INFLIGHT_SHMFD,
					      .no_features = 1ULL << VIRTIO_RING_F_INDIRECT_DESC});
	raw__init(&c, &f, 0);
	fill_table();
	expect_bad_table(b, 48, VRING_DESC_F_INDIRECT);
	end();
}

/* --- anything --- */

/* Each field of a descriptor: now and then what could be right. */
static struct vring_desc random_desc(struct random *r)
{
	const __u64 gpa[] = {c.header, c.data, c.status, c.table, end_of_memory() - 256};
	const __u32 bytes[] = {0, 1, 16, 48, 512, RAM_PAGE};
	struct vring_desc d = {random__next(r), random__next(r), random__next(r), random__next(r)};

	if (!random__one_in(r, 8))
		d.addr = gpa[random__below(r, 5)];
	if (!random__one_in(r, 8))
		d.len = bytes[random__below(r, 6)];
	if (!random__one_in(r, 8))
		d.flags &= random__one_in(r, 4) ? 7 : 3;
	if (!random__one_in(r, 8))
		d.next = random__below(r, 8) + (random__one_in(r, 2) ? c.first : 0);
	return d;
}

/* Whatever comes of it, a ring that is set up anew works. */
static void test_random(void **state)
{
	struct backend *b = *state;
	struct random r = {random__seed()};
	struct vring_desc *table;

	open_two(b);
	table = ram__at(&f.ram, c.table, RAM_PAGE);
	for (int i = 0; i < 300; i++) {
		raw__begin(&c, random__below(&r, 15), random__next(&r) >> random__below(&r, 64));
		for (int d = 0; d < 8; d++) {
			*raw__add(&c, 0, 0, false) = random_desc(&r);
			table[d] = random_desc(&r);
		}
		/* Rings and requests of revive() and check_alive() lie elsewhere. */
		raw__submit_as_is(&c);
		raw__wait(&c, 3);
		revive();
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(test_addresses),	    own(test_end_of_memory), own(test_status_nowhere),
		own(test_read_after_write), own(test_loops),	     own(test_next_outside),
		own(test_heads_outside),    own(test_head_twice),    own(test_index_ahead),
		own(test_tables),	    own(test_table_nowhere), own(test_table_not_agreed),
		own(test_random),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
