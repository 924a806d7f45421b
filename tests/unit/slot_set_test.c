// SPDX-License-Identifier: GPL-2.0
/* The slot set against an array of booleans. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/slot_set.h"
#include "random.h"

/* Beyond two entries of the root, and two groups into the third. */
#define SLOTS ((2U << SLOT_SUPER_SHIFT) + (2U << SLOT_GROUP_SHIFT) + 100)

struct model {
	struct memory memory;
	struct slot_set set;
	bool *in;
};

/* What entries held before they are opened does not matter: so it is nonsense. */
static void spoil(struct model *m)
{
	for (int i = 0; i < 5; i++)
		memset(m->set.level[i].base, 0xa5, m->set.level[i].bytes);
}

static void up(struct model *m, __u32 slots)
{
	*m = (struct model){.in = calloc(slots, sizeof(bool))};
	assert_non_null(m->in);
	memory__init(&m->memory, 0);
	assert_int_equal(slot_set__reserve(&m->set, &m->memory, slots), 0);
	assert_true(m->set.room >= slots);
	spoil(m);
	slot_set__assign(&m->set, 0, 0);
}

static void down(struct model *m)
{
	slot_set__free(&m->set, &m->memory);
	assert_int_equal(m->memory.used, 0);
	free(m->in);
}

static void assign(struct model *m, __u32 gap, __u32 n)
{
	slot_set__assign(&m->set, gap, n);
	assert_int_equal(m->set.used, n);
	for (__u32 s = 0; s < n; s++)
		m->in[s] = s >= gap;
}

static void push(struct model *m)
{
	__u32 slot = m->set.used;

	assert_int_equal(slot_set__push(&m->set), slot);
	assert_int_equal(m->set.used, slot + 1);
	m->in[slot] = true;
}

static void del(struct model *m, __u32 slot)
{
	if (!m->in[slot])
		return;
	slot_set__del(&m->set, slot);
	m->in[slot] = false;
}

/* Every query at every slot; selections of one member in `share`. */
static void check(const struct model *m, __u32 share)
{
	__u32 below = 0, wrong = 0;

	for (__u32 s = 0; s < m->set.used; s++) {
		wrong += slot_set__below(&m->set, s, false) != below;
		wrong += slot_set__below(&m->set, s, true) != below;
		if (m->in[s] && (below % share == 0 || s % 2048 < 2 || s % 2048 > 2046))
			wrong += slot_set__select(&m->set, below) != s;
		below += m->in[s];
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(m->set.live, below);
	if (below)
		assert_true(m->in[slot_set__select(&m->set, below - 1)]);
}

/* Pushes, and removals at the rate of one in `share`, everywhere or near the end. */
static void churn(struct model *m, struct random *r, __u32 slots, __u32 share, bool near)
{
	while (m->set.used < slots) {
		__u32 used, back;

		push(m);
		used = m->set.used;
		back = near && used > 100 ? 100 : used;
		if (random__one_in(r, share))
			del(m, used - 1 - random__below(r, back));
	}
}

static void test_random(void **state)
{
	struct random r = {random__seed()};
	struct model m;

	up(&m, SLOTS);
	for (int round = 0; round < 60; round++) {
		__u32 share = 1 + random__below(&r, 4), slots = 1 + random__below(&r, 70000);
		__u32 begin = random__below(&r, slots);

		assign(&m, random__below(&r, begin + 1), begin);
		churn(&m, &r, slots, share, random__one_in(&r, 2));
		check(&m, 1 + share);
		if (random__one_in(&r, 2))
			spoil(&m);
	}
	down(&m);
}

static void test_all_levels(void **state)
{
	struct random r = {random__seed()};
	struct model m;

	up(&m, SLOTS);
	churn(&m, &r, SLOTS, 2, false);
	check(&m, 50);
	for (__u32 i = 0; i < 200000; i++)
		del(&m, random__below(&r, SLOTS));
	check(&m, 50);
	down(&m);
}

/* Take out what lies at the ends of words, nodes and groups, one after the other. */
static void del_at_ends(struct model *m, __u32 n)
{
	static const int shifts[] = {SLOT_WORD_SHIFT, SLOT_BLOCK_SHIFT, SLOT_GROUP_SHIFT,
				     SLOT_SUPER_SHIFT};

	for (int i = 0; i < 4; i++)
		for (__u32 end = 1U << shifts[i]; end - 1 < n; end += 1U << shifts[i]) {
			del(m, end - 1);
			if (end < n)
				del(m, end);
		}
	del(m, n - 1);
	del(m, 0);
}

/* Full up to a slot at or near an end, then a few pushes more. */
static void test_ends(void **state)
{
	static const __u32 ends[] = {64, 2048, 1U << 16, 1U << 20, 2U << 20};
	static const __u32 gaps[] = {0, 1, 2, 63, 64, 65, 2049, ~0U};
	struct model m;

	up(&m, SLOTS);
	for (__u32 i = 0; i < 5 * 3; i++) {
		__u32 n = ends[i / 3] + i % 3 - 1, gap = gaps[i % 8];

		spoil(&m);
		assign(&m, gap < n ? gap : n, n);
		check(&m, 1000);
		for (int k = 0; k < 130; k++)
			push(&m);
		check(&m, 1000);
		del_at_ends(&m, m.set.used);
		check(&m, 1000);
	}
	down(&m);
}

/* Small ones, each with each gap. */
static void test_assign(void **state)
{
	struct model m;

	up(&m, SLOTS);
	for (__u32 n = 0; n < 200; n++)
		for (__u32 gap = 0; gap <= n; gap++) {
			assign(&m, gap, n);
			push(&m);
			check(&m, 1);
		}
	down(&m);
}

/* Down to the last one, in three orders; and on with pushes. */
static void test_empty(void **state)
{
	const __u32 n = 5000;
	struct model m;

	up(&m, 2 * n);
	for (int order = 0; order < 3; order++) {
		assign(&m, 0, n);
		for (__u32 i = 0; i < n; i++) {
			del(&m, order == 0 ? i : order == 1 ? n - 1 - i : i * 1637 % n);
			if (i % 500 == 499)
				check(&m, 100);
		}
		assert_int_equal(m.set.live, 0);
		assert_int_equal(slot_set__below(&m.set, n - 1, false), 0);
		push(&m);
		assert_int_equal(slot_set__select(&m.set, 0), n);
		check(&m, 1);
	}
	down(&m);
}

static void test_growth(void **state)
{
	struct random r = {random__seed()};
	struct model m;

	up(&m, SLOTS);
	slot_set__free(&m.set, &m.memory);
	assert_int_equal(slot_set__reserve(&m.set, &m.memory, 1), 0);
	slot_set__assign(&m.set, 0, 0);
	while (m.set.room < SLOTS) {
		__u32 room = m.set.room, more = 1 + random__below(&r, 1 + room / 2);

		churn(&m, &r, room, 3, true);
		check(&m, 10000);
		more = more < SLOTS - room ? more : SLOTS - room;
		assert_int_equal(slot_set__reserve(&m.set, &m.memory, room + more), 0);
		assert_int_equal(m.set.room, room + more);
	}
	/* Never smaller. */
	assert_int_equal(slot_set__reserve(&m.set, &m.memory, 10), 0);
	assert_int_equal(m.set.room, SLOTS);
	check(&m, 10000);
	down(&m);
}

/* Memory ends at every page: it is as it was, and grows as soon as there is some. */
static void test_no_memory(void **state)
{
	const __u32 slots = 300000, before = 1000;

	for (size_t max = 0; max < 128 << 10; max += 4096) {
		struct model m;
		size_t used;

		up(&m, slots);
		slot_set__free(&m.set, &m.memory);
		assert_int_equal(slot_set__reserve(&m.set, &m.memory, before), 0);
		assign(&m, 3, before);
		used = m.memory.used;
		m.memory.max = used + max;
		if (slot_set__reserve(&m.set, &m.memory, slots)) {
			assert_int_equal(m.set.room, before);
			check(&m, 1);
			del_at_ends(&m, before);
			check(&m, 1);
			m.memory.max = 0;
			assert_int_equal(slot_set__reserve(&m.set, &m.memory, slots), 0);
		} else {
			/* Enough for the bitmap and the first level above it. */
			assert_true(max > slots / 8 + slots / 32 - used);
		}
		while (m.set.used < slots)
			push(&m);
		check(&m, 1000);
		down(&m);
	}
}

static void test_too_many(void **state)
{
	struct model m;

	up(&m, 100);
	assert_int_equal(slot_set__reserve(&m.set, &m.memory, SLOT_MAX + 1), -ENOMEM);
	assert_int_equal(slot_set__reserve(&m.set, &m.memory, ~0U), -ENOMEM);
	m.memory.max = 1 << 20;
	assert_int_equal(slot_set__reserve(&m.set, &m.memory, SLOT_MAX), -ENOMEM);
	assert_int_equal(m.set.room, 100);
	while (m.set.used < 100)
		push(&m);
	check(&m, 1);
	down(&m);
}

static void test_bits(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 65; i++)
		assert_int_equal(slot_set__bits(i < 64 ? (1ULL << i) - 1 : ~0ULL, false), i);
	for (int i = 0; i < 100000; i++) {
		__u64 v = random__next(&r) & (random__one_in(&r, 2) ? ~0ULL : random__next(&r));
		__u32 bits = 0;

		for (int k = 0; k < 64; k++)
			bits += v >> k & 1;
		assert_int_equal(slot_set__bits(v, false), bits);
		assert_int_equal(slot_set__bits(v, true), bits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	  cmocka_unit_test(test_all_levels),
		cmocka_unit_test(test_ends),	  cmocka_unit_test(test_assign),
		cmocka_unit_test(test_empty),	  cmocka_unit_test(test_growth),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
