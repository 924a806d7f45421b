/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A set of slots that tells at once how many of its members lie below a slot: the depth of a page
 * in a stack whose pushes take ascending slots.
 *
 * Membership is a bitmap of words. Above it, a tree whose nodes hold, for each child, the members
 * of the children before it in the same node:
 *
 *   level    an entry covers   node           3 M slots
 *   word     64 slots          -              384 KiB
 *   block    a word            32 x u16        96 KiB
 *   group    32 words          32 x u16         3 KiB
 *   super    64 Ki slots       16 x u32       188 byte
 *   root     1 Mi slots        all of them     12 byte
 *
 * So a query reads one entry a level and counts the bits of one word. A removal takes one off
 * every later entry of a node: a few vector instructions a level, whatever the CPU has. A push
 * touches the last word only: entries are written when their first slot is pushed, what they held
 * before does not matter. Nothing reads with a wide load what a narrow store has just written,
 * which no CPU forwards.
 *
 * Internal to cache/: inline, because an access makes a push, a query and a removal.
 */
#ifndef HVTRACE_SLOT_SET_H
#define HVTRACE_SLOT_SET_H

#include <linux/types.h>

#include "region.h"

#define SLOT_WORD_SHIFT 6
#define SLOT_BLOCK_SHIFT 11
#define SLOT_GROUP_SHIFT 16
#define SLOT_SUPER_SHIFT 20
#define SLOT_WORD (1U << SLOT_WORD_SHIFT)
#define SLOT_NODE 32	   /* entries of a node of u16 */
#define SLOT_SUPER_NODE 16 /* of u32 */
#define SLOT_MAX (~0U - (1U << SLOT_SUPER_SHIFT))

/* Zero-initialised is empty, without room. */
struct slot_set {
	__u64 *word;
	__u16 *block, *group;
	__u32 *super, *root;
	__u32 used; /* slots pushed so far: the next one's number */
	__u32 live; /* members */
	__u32 room;
	struct region level[5];
};

/* Make room for slots 0 to n - 1. -ENOMEM: it is as it was. */
int slot_set__reserve(struct slot_set *s, struct memory *m, __u64 n);
void slot_set__free(struct slot_set *s, struct memory *m);
/* Make it hold the slots 0 to n - 1 but the first `gap`, and be ready for slot n. There is room. */
void slot_set__assign(struct slot_set *s, __u32 gap, __u32 n);
/* The member with so many members below it; there must be one. */
__u32 slot_set__select(const struct slot_set *s, __u32 rank);
/* Write the entries of the word that is pushed to next. */
void slot_set__open(struct slot_set *s);

/* Bits set. In a function for a CPU that has an instruction for it, this is one. */
static inline __attribute__((always_inline)) __u32 slot_set__bits(__u64 v, bool popcnt)
{
	if (popcnt)
		return __builtin_popcountll(v);
	/* Without: Warren, Hacker's Delight, 5-1. */
	v -= (v >> 1) & 0x5555555555555555ULL;
	v = (v & 0x3333333333333333ULL) + ((v >> 2) & 0x3333333333333333ULL);
	return ((v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL >> 56;
}

/* Members below slot, which is less than used. */
static inline __attribute__((always_inline)) __u32 slot_set__below(const struct slot_set *s,
								   __u32 slot, bool popcnt)
{
	__u64 mask = (1ULL << slot % SLOT_WORD) - 1;

	return s->root[slot >> SLOT_SUPER_SHIFT] + s->super[slot >> SLOT_GROUP_SHIFT] +
	       s->group[slot >> SLOT_BLOCK_SHIFT] + s->block[slot >> SLOT_WORD_SHIFT] +
	       slot_set__bits(s->word[slot >> SLOT_WORD_SHIFT] & mask, popcnt);
}

/* -1 for entries after one: loaded from SLOT_NODE - 1 - (its index) on. */
extern const __u16 slot_set__after[2 * SLOT_NODE];
extern const __u32 slot_set__after_super[2 * SLOT_SUPER_NODE];

static inline __attribute__((always_inline)) void slot_set__dec16(__u16 *entries, __u32 i)
{
	__u16 *node = entries + (i & ~(SLOT_NODE - 1));
	const __u16 *after = slot_set__after + SLOT_NODE - 1 - i % SLOT_NODE;

	for (__u32 k = 0; k < SLOT_NODE; k++)
		node[k] += after[k];
}

/* Take slot, a member, out. */
static inline __attribute__((always_inline)) void slot_set__del(struct slot_set *s, __u32 slot)
{
	__u32 group = slot >> SLOT_GROUP_SHIFT, end = (s->used - 1) >> SLOT_SUPER_SHIFT;
	__u32 *node = s->super + (group & ~(SLOT_SUPER_NODE - 1));
	const __u32 *after = slot_set__after_super + SLOT_SUPER_NODE - 1 - group % SLOT_SUPER_NODE;

	s->word[slot >> SLOT_WORD_SHIFT] &= ~(1ULL << slot % SLOT_WORD);
	slot_set__dec16(s->block, slot >> SLOT_WORD_SHIFT);
	slot_set__dec16(s->group, slot >> SLOT_BLOCK_SHIFT);
	for (__u32 k = 0; k < SLOT_SUPER_NODE; k++)
		node[k] += after[k];
	for (__u32 i = slot >> SLOT_SUPER_SHIFT; i < end; i++)
		s->root[i + 1]--;
	s->live--;
}

/* Take the next slot, for which there is room. */
static inline __attribute__((always_inline)) __u32 slot_set__push(struct slot_set *s)
{
	__u32 slot = s->used;

	if (slot % SLOT_WORD == 0)
		slot_set__open(s);
	s->word[slot >> SLOT_WORD_SHIFT] |= 1ULL << slot % SLOT_WORD;
	s->used++;
	s->live++;
	return slot;
}

#endif
