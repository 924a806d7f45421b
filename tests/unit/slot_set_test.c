// SPDX-License-Identifier: GPL-2.0
/* The slot set against an array of booleans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/slot_set.h"
#include "random.h"

/* Three blocks, so that all levels have more than one entry... but for the top one. */
#define SLOTS (3U << SLOT_BLOCK_SHIFT)

struct model {
	struct arena *arena;
	struct slot_set set;
	bool *in;
};

static void up(struct model *m, __u32 slots)
{
	*m = (struct model){.arena = arena__new(0), .in = calloc(slots, sizeof(bool))};
	assert_int_equal(slot_set__reserve(&m->set, m->arena, slots), 0);
	assert_true(m->set.room >= slots);
}

static void down(struct model *m)
{
	slot_set__free(&m->set, m->arena);
	assert_int_equal(arena__used(m->arena), 0);
	arena__free(m->arena);
	free(m->in);
}

/* Every query at a choice of slots, from one walk over the model. */
static void check(struct model *m, struct random *r, __u32 used)
{
	__u32 above = 0, next = used;

	slot_set__rank_all(&m->set, used);
	for (__u32 s = used; s-- > 0;) {
		above += m->in[s];
		if (m->in[s])
			next = s;
		if (s % 512 > 1 && s % 512 < 511 && !random__one_in(r, 300))
			continue;
		assert_int_equal(slot_set__from(&m->set, s, used), above);
		assert_int_equal(slot_set__rank(&m->set, s), m->set.live - above);
		if (next < used)
			assert_int_equal(slot_set__next(&m->set, s), next);
	}
	assert_int_equal(above, m->set.live);
	assert_int_equal(slot_set__from(&m->set, used, used), 0);
}

static void test_random(void **state)
{
	struct random r = {random__seed()};
	struct model m;

	up(&m, SLOTS);
	for (int round = 0; round < 12; round++) {
		__u32 used = round % 3 ? 1 + random__below(&r, SLOTS) : SLOTS;
		__u32 density = 1 + random__below(&r, 40);

		memset(m.in, 0, SLOTS);
		slot_set__assign(&m.set, 0, 0);
		for (__u32 s = 0; s < used; s++) {
			if (!random__one_in(&r, density))
				continue;
			slot_set__add(&m.set, s);
			m.in[s] = true;
		}
		check(&m, &r, used);
		for (__u32 s = 0; s < used; s++) {
			if (!m.in[s] || random__one_in(&r, 3))
				continue;
			slot_set__del(&m.set, s);
			m.in[s] = false;
		}
		check(&m, &r, used);
	}
	down(&m);
}

/* Beyond 2 Mi slots the top level has more than one entry. */
static void test_top_level(void **state)
{
	const __u32 slots = 5U << 20;
	struct random r = {1};
	struct model m;

	up(&m, slots);
	for (__u32 s = 7; s < slots; s += 1 + random__below(&r, 2000)) {
		slot_set__add(&m.set, s);
		m.in[s] = true;
	}
	check(&m, &r, slots);
	down(&m);
}

static void test_assign(void **state)
{
	static const __u32 ends[][2] = {{0, 0},	     {0, 1},	{1, 64},   {63, 65},	 {5, 511},
					{512, 1024}, {1, 1025}, {3, 4097}, {1000, 70000}};
	struct random r = {1};
	struct model m;

	up(&m, SLOTS);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		memset(m.in, 0, SLOTS);
		memset(m.in + ends[i][0], true, ends[i][1] - ends[i][0]);
		slot_set__assign(&m.set, ends[i][0], ends[i][1]);
		assert_int_equal(m.set.live, ends[i][1] - ends[i][0]);
		check(&m, &r, SLOTS);
	}
	down(&m);
}

static void test_no_memory(void **state)
{
	struct arena *a = arena__new(ARENA_CHUNK);
	struct slot_set s = {0};
	__u32 room;

	assert_int_equal(slot_set__reserve(&s, a, 1), 0);
	slot_set__add(&s, 5);
	assert_int_not_equal(slot_set__reserve(&s, a, ~0U), 0);
	room = s.room;
	assert_true(room > 0);
	assert_int_equal(slot_set__from(&s, 0, room), 1);
	slot_set__add(&s, room - 1);
	assert_int_equal(slot_set__from(&s, 6, room), 1);
	slot_set__free(&s, a);
	arena__free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_top_level),
		cmocka_unit_test(test_assign),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
