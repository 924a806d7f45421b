// SPDX-License-Identifier: GPL-2.0
/* Policies of the exclusive cache, on the lists of slots they decide about; and these lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/store/store_policy.h"
#include "random.h"

#define CHUNKS 4

struct lists {
	struct memory memory;
	struct slots slots;
};

/* Nobody looks into the slots: addresses will do. */
static void *address(__u32 chunk)
{
	return (void *)((chunk + 5UL) * ARENA_CHUNK);
}

static void up(struct lists *l, __u32 chunks)
{
	memory__init(&l->memory, 0);
	slots__init(&l->slots, &l->memory);
	for (__u32 i = 0; i < chunks; i++)
		assert_int_equal(slots__add_chunk(&l->slots, address(i)), 0);
}

static void down(struct lists *l)
{
	slots__free(&l->slots);
	assert_int_equal(l->memory.used, 0);
}

static void move(struct slots *s, enum slot_list from, enum slot_list to, __u32 n)
{
	while (n--)
		slots__move(s, slots__oldest(s, from), to);
}

static void test_names(void **state)
{
	assert_ptr_equal(store_policy__find(NULL), &store_lru);
	assert_ptr_equal(store_policy__find("lru"), &store_lru);
	assert_ptr_equal(store_policy__find("s3fifo"), &store_s3fifo);
	assert_null(store_policy__find(""));
	assert_null(store_policy__find("LRU"));
}

static void test_lru(void **state)
{
	struct lists l;

	assert_int_equal(store_lru.list(0), store_lru.list(STANDING_MOST));
	up(&l, 1);
	move(&l.slots, SLOTS_FREE, store_lru.list(0), 1);
	assert_int_equal(store_lru.victims(&l.slots), store_lru.list(0));
	assert_true(store_lru.leaves_ghosts(store_lru.list(STANDING_MOST)));
	down(&l);
}

/* The small queue gives way from a tenth of the slots on, or when there is nothing else. */
static void test_s3fifo(void **state)
{
	enum slot_list small = store_s3fifo.list(1), main = store_s3fifo.list(2);
	__u32 tenth = (CHUNKS * ARENA_SLOTS + 9) / 10;
	struct lists l;

	assert_int_not_equal(small, main);
	assert_true(store_s3fifo.leaves_ghosts(small));
	assert_false(store_s3fifo.leaves_ghosts(main));
	up(&l, CHUNKS);
	move(&l.slots, SLOTS_FREE, small, 1);
	assert_int_equal(store_s3fifo.victims(&l.slots), small);
	move(&l.slots, SLOTS_FREE, main, 1);
	assert_int_equal(store_s3fifo.victims(&l.slots), main);
	move(&l.slots, SLOTS_FREE, small, tenth - 2);
	assert_int_equal(store_s3fifo.victims(&l.slots), main);
	move(&l.slots, SLOTS_FREE, small, 1);
	assert_int_equal(store_s3fifo.victims(&l.slots), small);
	move(&l.slots, SLOTS_FREE, main, l.slots.count[SLOTS_FREE]);
	assert_int_equal(store_s3fifo.victims(&l.slots), small);
	move(&l.slots, small, SLOTS_FREE, tenth);
	assert_int_equal(store_s3fifo.victims(&l.slots), main);
	down(&l);
}

/* New, and hit once: on trial; hit twice, or a ghost: main. As many ghosts as main has pages. */
static void test_s3fifo_standing(void **state)
{
	for (unsigned n = 0; n <= STANDING_MOST; n++)
		assert_int_equal(store_s3fifo.list(n), store_s3fifo.list(n < 2 ? 0 : 5));
	assert_int_equal(store_s3fifo.ghosts(1000), 900);
	assert_int_equal(store_s3fifo.ghosts(512), 460);
	assert_int_equal(store_s3fifo.ghosts(0), 0);
	assert_int_equal(store_lru.ghosts(512), 512);
}

/* A second chance for each hit; no more than so many in one go. */
static void test_s3fifo_spare(void **state)
{
	enum slot_list main = store_s3fifo.list(2);
	struct lists l;
	__u32 a, b;

	up(&l, 1);
	a = slots__oldest(&l.slots, SLOTS_FREE);
	move(&l.slots, SLOTS_FREE, main, 1);
	b = slots__oldest(&l.slots, SLOTS_FREE);
	move(&l.slots, SLOTS_FREE, main, 1);
	slots__at(&l.slots, a)->standing = 3;
	slots__at(&l.slots, b)->standing = 2;
	store_s3fifo.spare(&l.slots, main);
	assert_int_equal(slots__oldest(&l.slots, main), b);
	assert_int_equal(slots__at(&l.slots, a)->standing, 2);
	store_s3fifo.spare(&l.slots, main);
	assert_int_equal(slots__oldest(&l.slots, main), b);
	slots__at(&l.slots, a)->standing = slots__at(&l.slots, b)->standing = 5;
	store_s3fifo.spare(&l.slots, main);
	assert_int_equal(slots__oldest(&l.slots, main), b);
	assert_int_equal(slots__at(&l.slots, b)->standing, 2);
	move(&l.slots, SLOTS_FREE, main, l.slots.count[SLOTS_FREE]);
	for (__u32 i = SLOT_LISTS; i < SLOT_LISTS + ARENA_SLOTS; i++)
		slots__at(&l.slots, i)->standing = 5;
	a = slots__oldest(&l.slots, main);
	store_s3fifo.spare(&l.slots, main);
	assert_int_equal(slots__newest(&l.slots, main) == a, STORE_LOOKS == 1);
	b = 0;
	for (__u32 i = SLOT_LISTS; i < SLOT_LISTS + ARENA_SLOTS; i++)
		b += 5 - slots__at(&l.slots, i)->standing;
	assert_int_equal(b, STORE_LOOKS);
	store_lru.spare(&l.slots, main);
	down(&l);
}

/* --- lists --- */

struct order {
	__u32 slot[CHUNKS * ARENA_SLOTS]; /* oldest first */
	__u32 n;
};

static void leave(struct order *o, __u32 i)
{
	memmove(o->slot + i, o->slot + i + 1, (--o->n - i) * sizeof(*o->slot));
}

static void check_order(const struct slots *s, enum slot_list list, const struct order *o)
{
	__u32 slot = slots__oldest(s, list);

	assert_int_equal(s->count[list], o->n);
	assert_int_equal(slots__newest(s, list), o->n ? o->slot[o->n - 1] : 0);
	for (__u32 i = 0; i < o->n; i++, slot = slots__at(s, slot)->newer) {
		assert_int_equal(slot, o->slot[i]);
		assert_int_equal(slots__of_address(s, slots__address(s, slot)), slot);
		assert_int_equal(slots__of_address(s, slots__address(s, slot) + 4095), slot);
	}
}

static void check_chunks(const struct slots *s, const struct order *o)
{
	__u32 cached[CHUNKS] = {0};

	for (__u32 i = 0; i < o->n; i++)
		cached[slots__chunk_of(o->slot[i])]++;
	for (__u32 i = 0; i < s->chunks; i++)
		assert_int_equal(s->chunk[i].cached, cached[i]);
}

/* Slots come and go in random order, and move from one number to another in place. */
static void test_order(void **state)
{
	struct random r = {random__seed()};
	static struct order o;
	struct lists l;

	o.n = 0;
	up(&l, CHUNKS);
	for (int i = 0; i < 30000; i++) {
		__u32 at = random__below(&r, o.n ?: 1), free = slots__newest(&l.slots, SLOTS_FREE);

		if (free && random__below(&r, 2)) {
			slots__move(&l.slots, free, SLOTS_SECOND);
			o.slot[o.n++] = free;
		} else if (o.n && random__below(&r, 2)) {
			slots__move(&l.slots, o.slot[at], SLOTS_FREE);
			leave(&o, at);
		} else if (o.n && free) {
			slots__replace(&l.slots, o.slot[at], free);
			/* What is left behind is on no list: give it one. */
			slots__at(&l.slots, o.slot[at])->list = SLOTS_HELD;
			l.slots.chunk[slots__chunk_of(o.slot[at])].held++;
			l.slots.count[SLOTS_HELD]++;
			slots__move(&l.slots, o.slot[at], SLOTS_FREE);
			o.slot[at] = free;
		}
		if (random__one_in(&r, 200)) {
			check_order(&l.slots, SLOTS_SECOND, &o);
			check_chunks(&l.slots, &o);
		}
	}
	down(&l);
}

/* The chunk that has least in it, of those where no slot is held. */
static void test_spare_chunk(void **state)
{
	struct lists l;

	up(&l, 3);
	move(&l.slots, SLOTS_FREE, SLOTS_FIRST, 2 * ARENA_SLOTS + 10);
	assert_ptr_equal(slots__spare_chunk(&l.slots)->base, address(2));
	move(&l.slots, SLOTS_FREE, SLOTS_HELD, 1);
	assert_ptr_not_equal(slots__spare_chunk(&l.slots)->base, address(2));
	slots__move(&l.slots, slots__of_address(&l.slots, address(1)), SLOTS_HELD);
	assert_ptr_equal(slots__spare_chunk(&l.slots)->base, address(0));
	slots__move(&l.slots, slots__of_address(&l.slots, address(0)), SLOTS_HELD);
	assert_null(slots__spare_chunk(&l.slots));
	down(&l);
}

/* The chunks that are there have the first numbers and no others, and records for no more; lists
 * and slots that are held go with them. */
static void test_numbers(void **state)
{
	struct random r = {random__seed()};
	bool in[64] = {0};
	struct lists l;
	__u32 n = 0;

	up(&l, 0);
	for (int i = 0; i < 2000; i++) {
		__u32 k = random__below(&r, 64), first = 1;

		if (in[k]) {
			__u32 slot = slots__of_address(&l.slots, address(k));
			struct slot_chunk *c = &l.slots.chunk[slots__chunk_of(slot)];

			assert_int_equal(slots__close_chunk(&l.slots, c), slot);
			n--;
			assert_ptr_equal(slots__remove_chunk(&l.slots, c, &first), address(k));
			assert_int_equal(first, slots__chunk_of(slot) == n ? 0 : slot);
		} else {
			assert_int_equal(slots__add_chunk(&l.slots, address(k)), 0);
			n++;
		}
		in[k] = !in[k];
		for (k = 0; k < 64; k++)
			if (in[k])
				assert_ptr_equal(
					slots__address(&l.slots,
						       slots__of_address(&l.slots, address(k))),
					address(k));
		assert_int_equal(l.slots.chunks, n);
		assert_int_equal(l.slots.region.bytes, n * ARENA_SLOTS * sizeof(struct slot));
		assert_true(slots__bytes(&l.slots) <=
			    n * ARENA_SLOTS * sizeof(struct slot) + 100 * n + 200);
		assert_int_equal(l.slots.count[SLOTS_FREE], n * ARENA_SLOTS);
		assert_true(!n || slots__address(&l.slots, slots__oldest(&l.slots, SLOTS_FREE)));
	}
	down(&l);
}

/* All at once: free for who asks, and for what looks at chunks after a while. */
static void test_drop_all(void **state)
{
	struct lists l;
	__u32 n = 0;

	up(&l, 2);
	move(&l.slots, SLOTS_FREE, SLOTS_FIRST, 300);
	move(&l.slots, SLOTS_FREE, SLOTS_SECOND, 700);
	slots__drop_all(&l.slots);
	slots__drop_all(&l.slots);
	assert_int_equal(l.slots.count[SLOTS_FIRST] + l.slots.count[SLOTS_SECOND], 0);
	assert_int_equal(l.slots.count[SLOTS_DROPPED], 1000);
	for (; n < 500; n++)
		slots__move(&l.slots, slots__a_free_one(&l.slots), SLOTS_SECOND);
	assert_int_equal(l.slots.count[SLOTS_DROPPED], 1000 - (500 - 24));
	assert_true(slots__correct(&l.slots, 523));
	assert_false(slots__correct(&l.slots, 10));
	assert_int_equal(l.slots.count[SLOTS_FREE], 524);
	assert_int_equal(l.slots.chunk[0].cached + l.slots.chunk[1].cached, 500);
	while (slots__a_free_one(&l.slots))
		slots__move(&l.slots, slots__a_free_one(&l.slots), SLOTS_FIRST);
	assert_int_equal(l.slots.count[SLOTS_FIRST], 524);
	down(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_lru),
		cmocka_unit_test(test_s3fifo),	     cmocka_unit_test(test_s3fifo_standing),
		cmocka_unit_test(test_s3fifo_spare), cmocka_unit_test(test_order),
		cmocka_unit_test(test_spare_chunk),  cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_drop_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
