// SPDX-License-Identifier: GPL-2.0
/* A ring written by hand, as a driver would, and as one would not. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/vhost/vring_setup.h"
#include "random.h"

#define PAGE GUEST_PAGE
#define SIZE 8
/* Two regions, one after the other in the guest, not here. */
#define GPA 0x100000ULL
#define HVA 0x7f0000000000ULL
#define PAGES 64
#define MORE 8
#define BUFFER(page) (GPA + (16 + (page)) * PAGE)
#define TABLE (GPA + 8 * PAGE)

#define NEXT 1
#define WRITE 2
#define INDIRECT 4

struct desc {
	__u64 gpa;
	__u32 bytes;
	__u16 flags, next;
};

struct used {
	__u16 flags, idx;
	struct {
		__u32 id, bytes;
	} ring[SIZE];
	__u16 avail_event;
};

struct avail {
	__u16 flags, idx, ring[SIZE], used_event;
};

struct driver {
	struct guest_memory memory;
	struct vring *ring;
	struct desc *desc, *table;
	struct avail *avail;
	struct used *used;
	struct inflight_map inflight;
	struct vring_chain chain;
	const char *reason;
	int deaths;
};

static void *at(struct driver *d, __u64 gpa)
{
	__u64 bytes = 1;

	return guest_memory__at(&d->memory, gpa, &bytes);
}

static void add_memory(struct driver *d, __u64 gpa, unsigned pages)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)pages * PAGE), 0);
	assert_int_equal(guest_memory__add(&d->memory, gpa, pages * PAGE, HVA + (gpa - GPA), 0, fd),
			 0);
	close(fd);
}

static void died(struct vring *r, void *ctx, const char *reason)
{
	((struct driver *)ctx)->deaths++;
}

static void start(struct driver *d)
{
	d->ring->size = SIZE;
	d->ring->desc_at = HVA;
	d->ring->avail_at = HVA + PAGE;
	d->ring->used_at = HVA + 2 * PAGE;
	d->ring->died = died;
	d->ring->died_ctx = d;
	assert_int_equal(vring__start(d->ring, &d->reason), 0);
}

static int set_up(void **state)
{
	struct driver *d = calloc(1, sizeof(*d));

	add_memory(d, GPA, PAGES);
	add_memory(d, GPA + PAGES * PAGE, MORE);
	d->ring = vring__new(3, &d->memory);
	assert_non_null(d->ring);
	d->desc = at(d, GPA);
	d->avail = at(d, GPA + PAGE);
	d->used = at(d, GPA + 2 * PAGE);
	d->table = at(d, TABLE);
	d->ring->features = 1ULL << 28 | 1ULL << 29;
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct driver *d = *state;

	vring__free(d->ring);
	inflight_map__close(&d->inflight);
	guest_memory__clear(&d->memory);
	free(d);
	return 0;
}

/* The index is written with a barrier, as the ring expects. */
static void offer(struct driver *d, __u16 head)
{
	d->avail->ring[d->avail->idx % SIZE] = head;
	__atomic_store_n(&d->avail->idx, d->avail->idx + 1, __ATOMIC_RELEASE);
}

static int pop(struct driver *d)
{
	return vring__pop(d->ring, &d->chain, &d->reason);
}

/* One descriptor to read, one to write. */
static void simple(struct driver *d, __u16 head, __u16 second)
{
	d->desc[head] = (struct desc){BUFFER(head), 16, NEXT, second};
	d->desc[second] = (struct desc){BUFFER(second), 512, WRITE, 0};
}

static int count(int fd)
{
	eventfd_t n = 0;

	return eventfd_read(fd, &n) ? 0 : (int)n;
}

/* --- what a driver does --- */

static void test_simple(void **state)
{
	struct driver *d = *state;

	start(d);
	assert_int_equal(pop(d), 0);
	simple(d, 5, 2);
	offer(d, 5);
	assert_int_equal(pop(d), 1);
	assert_int_equal(d->chain.head, 5);
	assert_int_equal(d->chain.nr_out, 1);
	assert_int_equal(d->chain.nr_in, 1);
	assert_ptr_equal(d->chain.seg[0].base, at(d, BUFFER(5)));
	assert_int_equal(d->chain.seg[0].bytes, 16);
	assert_int_equal(d->chain.seg[1].gpa, BUFFER(2));
	assert_int_equal(d->chain.seg[1].bytes, 512);
	assert_int_equal(vring__in_flight(d->ring), 1);
	assert_int_equal(pop(d), 0);
	assert_int_equal(d->used->idx, 0);
	vring__push(d->ring, 5, 77);
	assert_int_equal(d->used->idx, 1);
	assert_int_equal(d->used->ring[0].id, 5);
	assert_int_equal(d->used->ring[0].bytes, 77);
	assert_int_equal(vring__in_flight(d->ring), 0);
	/* It is not in flight any more. */
	vring__push(d->ring, 5, 77);
	assert_int_equal(d->used->idx, 1);
	assert_int_equal(vring__index(d->ring), 3);
	assert_int_equal(vring__size(d->ring), SIZE);
}

/* In any order, over the end of the ring and of the index, interrupts where they were asked for. */
static void test_wrap(void **state)
{
	struct driver *d = *state;
	struct random r = {random__seed()};
	__u16 flying[SIZE], n = 0, free_heads[SIZE], free_n = SIZE;

	d->avail->idx = d->used->idx = 65000;
	vring__set_base(d->ring, 65000);
	for (int i = 0; i < SIZE; i++)
		free_heads[i] = i;
	start(d);
	count(d->ring->call);
	for (int i = 0; i < 20000; i++) {
		if (free_n && random__one_in(&r, 2)) {
			__u16 head = free_heads[--free_n];

			d->desc[head] = (struct desc){BUFFER(head), 16, WRITE, 0};
			offer(d, head);
			assert_int_equal(pop(d), 1);
			assert_int_equal(d->chain.head, head);
			flying[n++] = head;
		} else if (n) {
			unsigned which = random__below(&r, n);
			__u16 head = flying[which], before = d->used->idx;
			int ask = random__below(&r, 3);

			flying[which] = flying[--n];
			d->avail->used_event = before + ask - 1;
			vring__push(d->ring, head, i);
			vring__notify(d->ring);
			assert_int_equal(d->used->idx, (__u16)(before + 1));
			assert_int_equal(d->used->ring[before % SIZE].id, head);
			assert_int_equal(d->used->ring[before % SIZE].bytes, i);
			/* Only of the one just used. */
			assert_int_equal(count(d->ring->call), ask == 1);
			free_heads[free_n++] = head;
		}
	}
	assert_int_equal(vring__in_flight(d->ring), n);
	assert_int_equal(d->deaths, 0);
}

/* A batch interrupts once, if the event lies anywhere in it. */
static void test_batch(void **state)
{
	struct driver *d = *state;

	d->avail->idx = d->used->idx = 65533;
	vring__set_base(d->ring, 65533);
	start(d);
	count(d->ring->call);
	for (int event = -2; event < 8; event++) {
		__u16 before = d->used->idx;

		for (int i = 0; i < 6; i++) {
			d->desc[i] = (struct desc){BUFFER(i), 16, 0, 0};
			offer(d, i);
			assert_int_equal(pop(d), 1);
		}
		d->avail->used_event = before + event;
		for (int i = 0; i < 6; i++)
			vring__push(d->ring, i, 0);
		vring__notify(d->ring);
		vring__notify(d->ring);
		assert_int_equal(count(d->ring->call), event >= 0 && event < 6);
	}
}

static void test_flags(void **state)
{
	struct driver *d = *state;

	d->ring->features = 0;
	start(d);
	count(d->ring->call);
	for (int off = 0; off < 2; off++) {
		d->desc[0] = (struct desc){BUFFER(0), 16, 0, 0};
		offer(d, 0);
		assert_int_equal(pop(d), 1);
		vring__push(d->ring, 0, 0);
		d->avail->flags = off;
		vring__notify(d->ring);
		assert_int_equal(count(d->ring->call), !off);
	}
	assert_false(vring__arm(d->ring));
	assert_int_equal(d->used->flags, 0);
	vring__disarm(d->ring);
	assert_int_equal(d->used->flags, 1);
	offer(d, 0);
	assert_true(vring__arm(d->ring));
	assert_int_equal(d->used->flags, 0);
}

static void test_arm(void **state)
{
	struct driver *d = *state;

	start(d);
	for (int i = 0; i < 3; i++) {
		assert_false(vring__arm(d->ring));
		assert_int_equal(d->used->avail_event, i);
		d->desc[i] = (struct desc){BUFFER(0), 16, 0, 0};
		offer(d, i);
		assert_true(vring__arm(d->ring));
		assert_int_equal(pop(d), 1);
	}
}

static void test_indirect(void **state)
{
	struct driver *d = *state;

	start(d);
	d->table[0] = (struct desc){BUFFER(0), 16, NEXT, 2};
	d->table[2] = (struct desc){BUFFER(1), 100, NEXT | WRITE, 1};
	d->table[1] = (struct desc){BUFFER(2), 1, WRITE, 77};
	/* Its own write flag says nothing. */
	d->desc[4] = (struct desc){TABLE, 3 * 16, INDIRECT | WRITE, 0};
	offer(d, 4);
	assert_int_equal(pop(d), 1);
	assert_int_equal(d->chain.nr_out, 1);
	assert_int_equal(d->chain.nr_in, 2);
	assert_int_equal(d->chain.seg[1].gpa, BUFFER(1));
	assert_int_equal(d->chain.seg[2].gpa, BUFFER(2));
	vring__push(d->ring, 4, 101);
	/* At the end of a chain of others, in a table that is not aligned. */
	memmove((char *)d->table + 2, d->table, 48);
	d->desc[5] = (struct desc){BUFFER(5), 8, NEXT, 4};
	d->desc[4].gpa += 2;
	offer(d, 5);
	assert_int_equal(pop(d), 1);
	assert_int_equal(d->chain.nr_out, 2);
	assert_int_equal(d->chain.seg[0].gpa, BUFFER(5));
	assert_int_equal(d->chain.seg[3].gpa, BUFFER(2));
}

/* Over the end of a region, and of no length. */
static void test_pieces(void **state)
{
	struct driver *d = *state;

	start(d);
	d->desc[0] = (struct desc){BUFFER(0), 0, NEXT, 1};
	d->desc[1] = (struct desc){GPA + PAGES * PAGE - 100, 300, NEXT, 2};
	d->desc[2] = (struct desc){GPA + PAGES * PAGE, 10, NEXT | WRITE, 3};
	d->desc[3] = (struct desc){0, 0, 0, 0};
	offer(d, 0);
	assert_int_equal(pop(d), 1);
	assert_int_equal(d->chain.nr_out, 2);
	assert_int_equal(d->chain.nr_in, 1);
	assert_int_equal(d->chain.seg[0].bytes, 100);
	assert_ptr_equal(d->chain.seg[1].base, at(d, GPA + PAGES * PAGE));
	assert_int_equal(d->chain.seg[1].bytes, 200);
}

/* --- what none does --- */

/* A change to a good request, and what becomes of it. */
static void far_away(struct driver *d)
{
	d->desc[1].gpa = GPA + (PAGES + MORE) * PAGE;
}

static void beyond_the_end(struct driver *d)
{
	d->desc[1].gpa = GPA + (PAGES + MORE) * PAGE - 511;
}

static void around_the_end(struct driver *d)
{
	d->desc[1].gpa = -100ULL;
}

static void wrong_order(struct driver *d)
{
	d->desc[0].flags |= WRITE;
	d->desc[1].flags = 0;
}

static void table_nowhere(struct driver *d)
{
	d->desc[1] = (struct desc){0, 16, INDIRECT, 0};
}

static void table_beyond_region(struct driver *d)
{
	d->desc[1] = (struct desc){GPA + PAGES * PAGE - 16, 32, INDIRECT, 0};
}

static void loop(struct driver *d)
{
	d->desc[1].flags = NEXT | WRITE;
	d->desc[1].next = 1;
}

static void longer_loop(struct driver *d)
{
	d->desc[1].flags = NEXT;
	d->desc[1].next = 0;
}

static void next_outside(struct driver *d)
{
	d->desc[0].next = SIZE;
}

static void table_not_last(struct driver *d)
{
	d->desc[1] = (struct desc){TABLE, 16, INDIRECT | NEXT, 2};
}

static void table_empty(struct driver *d)
{
	d->desc[1] = (struct desc){TABLE, 0, INDIRECT, 0};
}

static void table_odd(struct driver *d)
{
	d->desc[1] = (struct desc){TABLE, 24, INDIRECT, 0};
}

static void table_huge(struct driver *d)
{
	d->desc[1] = (struct desc){GPA, 16 * (VRING_SEGS + 1), INDIRECT, 0};
}

static void table_nested(struct driver *d)
{
	d->desc[1] = (struct desc){TABLE, 16, INDIRECT, 0};
	d->table[0] = (struct desc){TABLE, 16, INDIRECT, 0};
}

static void table_loop(struct driver *d)
{
	d->desc[1] = (struct desc){TABLE, 32, INDIRECT, 0};
	d->table[0] = (struct desc){BUFFER(0), 1, NEXT | WRITE, 1};
	d->table[1] = (struct desc){BUFFER(0), 1, NEXT | WRITE, 0};
}

static void table_next_outside(struct driver *d)
{
	d->desc[1] = (struct desc){TABLE, 32, INDIRECT, 0};
	d->table[0] = (struct desc){BUFFER(0), 1, NEXT | WRITE, 2};
}

static void head_outside(struct driver *d)
{
	d->avail->ring[(d->avail->idx - 1) % SIZE] = SIZE;
}

static void index_ahead(struct driver *d)
{
	d->avail->idx += SIZE;
}

static void index_back(struct driver *d)
{
	d->avail->idx -= 2;
}

static const struct {
	void (*spoil)(struct driver *d);
	int err;
} bad_requests[] = {
	{far_away, -EBADMSG},
	{beyond_the_end, -EBADMSG},
	{around_the_end, -EBADMSG},
	{wrong_order, -EBADMSG},
	{table_nowhere, -EBADMSG},
	{table_beyond_region, -EBADMSG},
	{loop, -EPROTO},
	{longer_loop, -EPROTO},
	{next_outside, -EPROTO},
	{table_not_last, -EPROTO},
	{table_empty, -EPROTO},
	{table_odd, -EPROTO},
	{table_huge, -EPROTO},
	{table_nested, -EPROTO},
	{table_loop, -EPROTO},
	{table_next_outside, -EPROTO},
	{head_outside, -EPROTO},
	{index_ahead, -EPROTO},
	{index_back, -EPROTO},
};

static void one_bad_request(struct driver *d, void (*spoil)(struct driver *d), int err)
{
	int told = eventfd(0, EFD_NONBLOCK), deaths = d->deaths;

	start(d);
	if (d->ring->err >= 0)
		close(d->ring->err);
	d->ring->err = told;
	simple(d, 0, 1);
	offer(d, 0);
	spoil(d);
	assert_int_equal(pop(d), err);
	assert_non_null(d->reason);
	assert_int_equal(d->deaths - deaths, err == -EPROTO);
	assert_int_equal(count(told), err == -EPROTO);
}

static void test_bad_requests(void **state)
{
	struct driver *d = *state;

	for (size_t i = 0; i < sizeof(bad_requests) / sizeof(*bad_requests); i++) {
		__u16 before = d->used->idx;

		one_bad_request(d, bad_requests[i].spoil, bad_requests[i].err);
		if (bad_requests[i].err == -EBADMSG) {
			/* Only this request is: it can be answered, and others come. */
			vring__push(d->ring, d->chain.head, 0);
			assert_int_equal(d->used->idx, (__u16)(before + 1));
			simple(d, 0, 1);
			offer(d, 0);
			assert_int_equal(pop(d), 1);
		} else {
			assert_int_equal(pop(d), -EPROTO);
			assert_false(vring__arm(d->ring));
		}
		d->avail->idx = d->used->idx = 0;
		vring__set_base(d->ring, 0);
	}
}

static void test_head_twice(void **state)
{
	struct driver *d = *state;

	start(d);
	simple(d, 0, 1);
	offer(d, 0);
	offer(d, 0);
	assert_int_equal(pop(d), 1);
	assert_int_equal(pop(d), -EPROTO);
	assert_int_equal(d->deaths, 1);
}

/* As many pieces as there may be, then one more. */
static void test_most_pieces(void **state)
{
	struct driver *d = *state;

	start(d);
	for (unsigned n = VRING_SEGS - 1; n <= VRING_SEGS; n++) {
		for (unsigned i = 0; i < n; i++)
			d->table[i] = (struct desc){BUFFER(0), 1, NEXT, i + 1};
		d->table[n - 1].flags = 0;
		d->desc[0] = (struct desc){BUFFER(0), 1, NEXT, 1};
		d->desc[1] = (struct desc){TABLE, n * 16, INDIRECT, 0};
		offer(d, 0);
		assert_int_equal(pop(d), n < VRING_SEGS ? 1 : -EBADMSG);
		vring__push(d->ring, 0, 0);
	}
}

static void test_not_agreed(void **state)
{
	struct driver *d = *state;

	d->ring->features = 0;
	start(d);
	d->desc[0] = (struct desc){TABLE, 16, INDIRECT, 0};
	d->table[0] = (struct desc){BUFFER(0), 1, 0, 0};
	offer(d, 0);
	assert_int_equal(pop(d), -EPROTO);
}

/* Descriptors at random: whatever comes out lies in guest memory. */
static void check_chain(struct driver *d)
{
	unsigned n = d->chain.nr_out + d->chain.nr_in;

	assert_true(n <= VRING_SEGS);
	for (unsigned i = 0; i < n; i++) {
		struct vring_seg *s = &d->chain.seg[i];
		__u64 bytes = s->bytes;

		assert_true(s->bytes);
		assert_ptr_equal(guest_memory__at(&d->memory, s->gpa, &bytes), s->base);
		assert_int_equal(bytes, s->bytes);
	}
}

static void test_nonsense(void **state)
{
	struct driver *d = *state;
	struct random r = {random__seed()};
	int good = 0;

	for (int i = 0; i < 20000; i++) {
		for (int j = 0; j < 2 * SIZE; j++) {
			struct desc *e = j < SIZE ? &d->desc[j] : &d->table[j - SIZE];

			*e = (struct desc){BUFFER(0) + random__below(&r, 60 * PAGE),
					   random__below(&r, 3 * PAGE), random__below(&r, 8),
					   random__below(&r, SIZE + 1)};
			if (e->flags & INDIRECT)
				*e = (struct desc){TABLE, 16 * random__below(&r, SIZE + 1),
						   e->flags & 6, e->next};
		}
		d->avail->idx = d->used->idx = 0;
		vring__set_base(d->ring, 0);
		start(d);
		offer(d, random__below(&r, SIZE));
		if (pop(d) != 1)
			continue;
		good++;
		check_chain(d);
	}
	assert_true(good > 500);
}

/* --- where rings may be --- */

static void test_places(void **state)
{
	struct driver *d = *state;
	__u64 end = HVA + PAGES * PAGE;

	start(d);
	d->ring->desc_at = end - SIZE * 16;
	assert_int_equal(vring__start(d->ring, &d->reason), 0);
	d->ring->desc_at += 16;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	d->ring->desc_at = HVA + 8;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	d->ring->desc_at = GPA;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	d->ring->desc_at = HVA;
	d->ring->avail_at = HVA + 1;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	d->ring->avail_at = end - sizeof(struct avail) + 2;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	d->ring->avail_at = HVA + PAGE;
	d->ring->used_at = HVA + 2;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	d->ring->used_at = 0;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	assert_false(vring__size_is_valid(0));
	assert_false(vring__size_is_valid(3));
	assert_false(vring__size_is_valid(VRING_MAX_SIZE * 2));
	assert_true(vring__size_is_valid(1));
	assert_true(vring__size_is_valid(VRING_MAX_SIZE));
}

/* --- the log --- */

static void use_log(struct driver *d, int fd)
{
	inflight_map__close(&d->inflight);
	assert_int_equal(inflight_map__open(&d->inflight, 4, 16, 0, fd, NULL, NULL), 0);
	d->ring->log = inflight_map__log(&d->inflight, d->ring->index);
	assert_non_null(d->ring->log.region);
}

static void new_server(struct driver *d, int log)
{
	vring__free(d->ring);
	d->ring = vring__new(2, &d->memory);
	d->ring->features = 1ULL << 28 | 1ULL << 29;
	use_log(d, log);
	/* What QEMU says after the other end went: the used index. */
	vring__set_base(d->ring, d->used->idx);
	start(d);
}

struct model {
	__u16 flying[SIZE], spare[SIZE], waiting[SIZE];
	unsigned n, spares, waits;
};

/* What was taken and not ended comes again, in the order it was taken, then what waits. */
static void expect_all(struct driver *d, struct model *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		assert_true(vring__arm(d->ring));
		assert_int_equal(pop(d), 1);
		assert_int_equal(d->chain.head, m->flying[i]);
	}
	for (unsigned i = 0; i < m->waits; i++) {
		assert_int_equal(pop(d), 1);
		assert_int_equal(d->chain.head, m->waiting[i]);
		m->flying[m->n++] = m->waiting[i];
	}
	m->waits = 0;
	assert_int_equal(pop(d), 0);
}

static void end_one(struct driver *d, struct model *m, unsigned which)
{
	__u16 head = m->flying[which];

	vring__push(d->ring, head, 0);
	memmove(m->flying + which, m->flying + which + 1, (--m->n - which) * sizeof(*m->flying));
	m->spare[m->spares++] = head;
}

static void step(struct driver *d, struct model *m, struct random *r)
{
	if (m->spares && random__one_in(r, 2)) {
		__u16 head = m->spare[--m->spares];

		d->desc[head] = (struct desc){BUFFER(head), 16, 0, 0};
		offer(d, head);
		m->waiting[m->waits++] = head;
	} else if (m->waits && random__one_in(r, 2)) {
		assert_int_equal(pop(d), 1);
		assert_int_equal(d->chain.head, m->waiting[0]);
		memmove(m->waiting, m->waiting + 1, --m->waits * sizeof(*m->waiting));
		m->flying[m->n++] = d->chain.head;
	} else if (m->n) {
		end_one(d, m, random__below(r, m->n));
	}
}

static void test_killed(void **state)
{
	struct driver *d = *state;
	struct random r = {random__seed()};
	struct model m = {.spares = SIZE};
	int log = inflight__create(4, 16);

	assert_true(log >= 0);
	for (int i = 0; i < SIZE; i++)
		m.spare[i] = i;
	d->avail->idx = d->used->idx = 65500;
	new_server(d, log);
	for (int i = 0; i < 20000; i++) {
		step(d, &m, &r);
		if (!random__one_in(&r, 20))
			continue;
		new_server(d, log);
		expect_all(d, &m);
	}
	close(log);
}

/* Killed in the middle of a push: it was shown to the guest or not, never both or neither. */
static void test_killed_within(void **state)
{
	struct driver *d = *state;
	int log = inflight__create(4, 16);

	new_server(d, log);
	for (int shown = 0; shown < 2; shown++) {
		__u16 before = d->used->idx;

		for (int i = 0; i < 3; i++) {
			d->desc[i] = (struct desc){BUFFER(i), 16, 0, 0};
			offer(d, i);
			assert_int_equal(pop(d), 1);
		}
		vring__push(d->ring, 2, 0);
		inflight_log__ending(&d->ring->log, 0);
		if (shown)
			d->used->idx++;
		new_server(d, log);
		if (!shown) {
			assert_int_equal(pop(d), 1);
			assert_int_equal(d->chain.head, 0);
		}
		assert_int_equal(pop(d), 1);
		assert_int_equal(d->chain.head, 1);
		assert_int_equal(pop(d), 0);
		vring__push(d->ring, 1, 0);
		if (!shown)
			vring__push(d->ring, 0, 0);
		assert_int_equal(d->used->idx, (__u16)(before + 3));
	}
	close(log);
}

/* A log that somebody else wrote to. */
static void test_spoilt_log(void **state)
{
	struct driver *d = *state;
	struct random r = {random__seed()};
	int log = inflight__create(4, 16);

	new_server(d, log);
	for (int i = 0; i < 5000; i++) {
		__u8 *bytes = (__u8 *)d->ring->log.region;
		unsigned n = 1 + random__below(&r, 40);

		for (unsigned j = 0; j < n; j++)
			bytes[random__below(&r, 16 + 16 * SIZE)] = random__below(&r, 4);
		if (vring__start(d->ring, &d->reason))
			bytes[9] = bytes[8] = 0;
		for (int j = 0; j < SIZE + 2 && pop(d) == 1; j++)
			assert_true(d->chain.head < SIZE);
	}
	/* Of a smaller ring. */
	d->ring->size = 32;
	assert_int_equal(vring__start(d->ring, &d->reason), -EINVAL);
	close(log);
}

static void test_log_file(void **state)
{
	struct inflight_map m = {0};
	int log = inflight__create(2, 64);
	__u64 bytes = inflight__bytes(2, 64);

	/* The layout is the protocol's: 16 bytes, 16 a descriptor, aligned to 64. */
	assert_int_equal(bytes, 2 * 1088);
	assert_int_equal(inflight_map__open(&m, 2, 128, 0, log, NULL, NULL), -EINVAL);
	assert_int_equal(inflight_map__open(&m, 0, 64, 0, log, NULL, NULL), -EINVAL);
	assert_int_equal(inflight_map__open(&m, 2, 64, 64, log, NULL, NULL), -EINVAL);
	assert_int_equal(inflight_map__open(&m, 1, 64, 8, log, NULL, NULL), -EINVAL);
	assert_int_equal(inflight_map__open(&m, 2, 64, -64ULL, log, NULL, NULL), -EINVAL);
	assert_int_equal(inflight_map__open(&m, 2, 64, 0, -1, NULL, NULL), -EINVAL);
	assert_int_equal(inflight_map__open(&m, 1, 64, 1088, log, NULL, NULL), 0);
	assert_non_null(inflight_map__log(&m, 0).region);
	assert_null(inflight_map__log(&m, 1).region);
	inflight_map__close(&m);
	close(log);
	/* Nobody can take it from under us. */
	assert_int_equal(ftruncate(log, 0), -1);
	close(log);
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_simple),
		test(test_wrap),
		test(test_batch),
		test(test_flags),
		test(test_arm),
		test(test_indirect),
		test(test_pieces),
		test(test_bad_requests),
		test(test_head_twice),
		test(test_most_pieces),
		test(test_not_agreed),
		test(test_nonsense),
		test(test_places),
		test(test_killed),
		test(test_killed_within),
		test(test_spoilt_log),
		cmocka_unit_test(test_log_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
