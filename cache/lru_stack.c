// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes a page: 20 to 25 in the page table, and up to 3 slots of 0.16 byte.
 *
 * Slots run out: either there are more of them, or, once two of three are empty, the pages are
 * renumbered from 1 on in the order they have, which costs a pass over the table each 2 pages'
 * references.
 *
 * References are done in batches of one word of slots. A batch is three loops, so that the misses
 * of different references overlap: the next batch's cells are asked for, this batch's cells give
 * the old slots and get the new ones (their words are asked for), and then, in order, distances
 * are taken and the set is changed.
 */
#include <errno.h>
#include <stdlib.h>

#include "lru_stack.h"
#include "page_table.h"
#include "slot_set.h"

#define BATCH SLOT_WORD
#define FIRST_SLOTS (1U << 12)
/* Slots to win by a renumbering at least, when memory is short: one for so many pages. */
#define LEAST_SHARE 16

struct lru_stack {
	struct page_table table;
	struct slot_set set;
	struct memory *memory;
	enum lru_isa isa;
};

/* What ISA() below asks for, no more: a hypervisor may hide any part of a level. */
static enum lru_isa best_isa(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") ||
	    !__builtin_cpu_supports("bmi2"))
		return LRU_PORTABLE;
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512dq"))
		return LRU_X86_64_V4;
	return LRU_X86_64_V3;
#else
	return LRU_PORTABLE;
#endif
}

int lru_stack__use(struct lru_stack *s, enum lru_isa isa)
{
	if ((int)isa < 0 || isa > best_isa())
		return -EINVAL;
	s->isa = isa;
	return 0;
}

struct lru_stack *lru_stack__new(struct memory *m)
{
	struct lru_stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->memory = m;
	s->isa = best_isa();
	if (page_table__init(&s->table, m) || slot_set__reserve(&s->set, m, FIRST_SLOTS)) {
		lru_stack__free(s);
		errno = ENOMEM;
		return NULL;
	}
	slot_set__assign(&s->set, 1, 1);
	return s;
}

void lru_stack__free(struct lru_stack *s)
{
	if (!s)
		return;
	page_table__free(&s->table, s->memory);
	slot_set__free(&s->set, s->memory);
	free(s);
}

__u32 lru_stack__pages(const struct lru_stack *s)
{
	return s->set.live;
}

/* --- room --- */

static bool renumber(void *ctx, struct page_cell *c)
{
	c->pos = slot_set__below(ctx, c->pos, false) + 1;
	return false;
}

static void compact(struct lru_stack *s)
{
	page_table__sweep(&s->table, renumber, &s->set);
	slot_set__assign(&s->set, 1, s->set.live + 1);
}

/* Room for n more slots. */
static int reserve_slots(struct lru_stack *s, __u32 n)
{
	__u32 used = s->set.used, live = s->set.live;

	if (used + n <= s->set.room)
		return 0;
	if (used / 3 < live && !slot_set__reserve(&s->set, s->memory, used + used / 2ULL + n))
		return 0;
	/* Not a sweep for each batch. */
	if (1ULL + live + live / LEAST_SHARE + n > s->set.room)
		return -ENOMEM;
	compact(s);
	return 0;
}

/* --- references --- */

struct step {
	__u64 key;
	__u32 old;
};

/* Slots of the last references; 0: none. How many were done. */
static inline __attribute__((always_inline)) __u32 look_up(struct lru_stack *s, __u32 n,
							   struct step *step)
{
	__u32 slot = s->set.used;

	for (__u32 i = 0; i < n; i++) {
		struct page_cell *c = page_table__seek(&s->table, step[i].key);

		if (!page_cell__holds(c, step[i].key)) {
			c = page_table__insert(&s->table, c, step[i].key);
			if (!c)
				return i;
		}
		step[i].old = c->pos;
		c->pos = slot++;
		__builtin_prefetch(&s->set.word[step[i].old >> SLOT_WORD_SHIFT], 1);
		__builtin_prefetch(&s->set.block[step[i].old >> SLOT_WORD_SHIFT], 1);
	}
	return n;
}

static inline __attribute__((always_inline)) void
take_distances(struct slot_set *s, const struct step *step, __u32 n, __u32 *distance, bool popcnt)
{
	for (__u32 i = 0; i < n; i++) {
		if (step[i].old) {
			distance[i] = s->live - 1 - slot_set__below(s, step[i].old, popcnt);
			slot_set__del(s, step[i].old);
		} else {
			distance[i] = LRU_COLD;
		}
		slot_set__push(s);
	}
}

static inline __attribute__((always_inline)) void
ask_for(const struct lru_stack *s, const __u64 *hashes, __u32 n, struct step *step)
{
	for (__u32 i = 0; i < n; i++) {
		step[i].key = page_table__key(&s->table, hashes[i]);
		page_table__prefetch(&s->table, step[i].key);
	}
}

static int reserve(struct lru_stack *s)
{
	return page_table__reserve(&s->table, s->memory, BATCH) ?: reserve_slots(s, BATCH);
}

/* Up to the end of the word. */
static __u32 batch_size(const struct slot_set *s, size_t left)
{
	__u32 room = SLOT_WORD - s->used % SLOT_WORD;

	return left < room ? left : room;
}

static inline __attribute__((always_inline)) size_t
access_all(struct lru_stack *s, const __u64 *hashes, size_t n, __u32 *distance, bool popcnt)
{
	struct step steps[2][BATCH];
	size_t done = 0;
	__u32 now = batch_size(&s->set, n), next, did;

	ask_for(s, hashes, now, steps[0]);
	for (int k = 0; now && !reserve(s); k ^= 1) {
		/* Slots were renumbered or not: a word is begun after this batch, or it is the
		 * last. */
		now = batch_size(&s->set, now);
		next = n - done - now < BATCH ? n - done - now : BATCH;
		ask_for(s, hashes + done + now, next, steps[k ^ 1]);
		did = look_up(s, now, steps[k]);
		take_distances(&s->set, steps[k], did, distance + done, popcnt);
		done += did;
		if (did < now)
			break;
		now = next;
	}
	return done;
}

#ifdef __x86_64__
#define ISA(name) __attribute__((target(name)))
ISA("avx2,bmi2,popcnt")
static size_t access_v3(struct lru_stack *s, const __u64 *hashes, size_t n, __u32 *distance)
{
	return access_all(s, hashes, n, distance, true);
}

ISA("avx512bw,avx512dq,avx512vl,bmi2,popcnt")
static size_t access_v4(struct lru_stack *s, const __u64 *hashes, size_t n, __u32 *distance)
{
	return access_all(s, hashes, n, distance, true);
}
#endif

static size_t access_portable(struct lru_stack *s, const __u64 *hashes, size_t n, __u32 *distance)
{
#ifdef __x86_64__
	return access_all(s, hashes, n, distance, false);
#else
	return access_all(s, hashes, n, distance, true);
#endif
}

ssize_t lru_stack__access(struct lru_stack *s, const __u64 *hashes, size_t n, __u32 *distance)
{
	size_t done;

	switch (s->isa) {
#ifdef __x86_64__
	case LRU_X86_64_V4:
		done = access_v4(s, hashes, n, distance);
		break;
	case LRU_X86_64_V3:
		done = access_v3(s, hashes, n, distance);
		break;
#endif
	default:
		done = access_portable(s, hashes, n, distance);
	}
	return done || !n ? (ssize_t)done : -ENOMEM;
}

int lru_stack__touch(struct lru_stack *s, __u64 hash, __u32 *tag, __u32 *distance)
{
	__u64 key = page_table__key(&s->table, hash);
	__u32 new_tag = *tag;
	struct page_cell *c;
	int err = page_table__reserve(&s->table, s->memory, 1) ?: reserve_slots(s, 1);

	if (err)
		return err;
	*distance = LRU_COLD;
	c = page_table__seek(&s->table, key);
	if (page_cell__holds(c, key)) {
		*distance = s->set.live - 1 - slot_set__below(&s->set, c->pos, false);
		*tag = c->check;
		slot_set__del(&s->set, c->pos);
	} else {
		c = page_table__insert(&s->table, c, key);
		if (!c)
			return -ENOMEM;
	}
	c->pos = slot_set__push(&s->set);
	c->check = new_tag;
	return 0;
}

/* --- forgetting --- */

struct choice {
	struct lru_stack *stack;
	bool (*keep)(const void *ctx, __u64 hash);
	const void *ctx;
};

static bool forget_others(void *ctx, struct page_cell *c)
{
	const struct choice *choice = ctx;
	struct lru_stack *s = choice->stack;

	if (choice->keep(choice->ctx, page_table__hash(&s->table, c->key)))
		return false;
	slot_set__del(&s->set, c->pos);
	return true;
}

void lru_stack__retain(struct lru_stack *s, bool (*keep)(const void *ctx, __u64 hash),
		       const void *ctx)
{
	struct choice choice = {.stack = s, .keep = keep, .ctx = ctx};

	page_table__sweep(&s->table, forget_others, &choice);
}

static bool forget(void *ctx, struct page_cell *c)
{
	return true;
}

void lru_stack__clear(struct lru_stack *s)
{
	page_table__sweep(&s->table, forget, NULL);
	slot_set__assign(&s->set, 1, 1);
}
