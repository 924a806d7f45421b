/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A set of slots that tells at once how many of its members lie at or above a slot: the depth of
 * a page in a stack whose pushes take ascending slots.
 *
 * Membership is a bitmap in lines of 512 bits, one cache line each. Counts above it:
 *
 *   level   covers            size          1.5 M slots   summed by a query
 *   line    512 slots         64 byte       188 KiB       1 line, masked
 *   count   64 x line         u16 a line    6 KiB         < 64 u16
 *   group   64 x 64 lines     u32 a group   192 byte      < 64 u32
 *   super   64 groups, 2 Mi   u32           4 byte        all above
 *
 * A change touches one entry a level and sums nothing; a query reads neighbours only. Everything
 * but the bitmap stays in L1 at any size seen so far, the bitmap in L2.
 *
 * Internal to cache/: inline, because a page event makes two changes and one query.
 */
#ifndef HVTRACE_SLOT_SET_H
#define HVTRACE_SLOT_SET_H

#include <stdbool.h>

#include "arena.h"

#define SLOT_LINE_SHIFT 9
#define SLOT_FANOUT_SHIFT 6
#define SLOT_FANOUT (1U << SLOT_FANOUT_SHIFT)
#define SLOT_LINE_WORDS (1U << (SLOT_LINE_SHIFT - 6))
/* Slots of one block of the arena. */
#define SLOT_BLOCK_SHIFT (ARENA_BLOCK_SHIFT + 3)

struct slot_set {
	struct arena_table bits;
	__u16 *count;  /* members of a line */
	__u32 *prefix; /* members of all lines before: by slot_set__rank_all() only */
	__u32 *group, *super;
	__u32 room;  /* slots the arrays have room for */
	__u32 live;  /* members */
	size_t heap; /* bytes of the arrays */
};

/* Make room for slots 0 to n - 1. -ENOMEM: nothing is lost. */
int slot_set__reserve(struct slot_set *s, struct arena *a, __u32 n);
void slot_set__free(struct slot_set *s, struct arena *a);
/* Make it hold the slots from..to-1 and nothing else. */
void slot_set__assign(struct slot_set *s, __u32 from, __u32 to);
/* Lowest member at or above slot; there must be one. */
__u32 slot_set__next(const struct slot_set *s, __u32 slot);

/* Prepare slot_set__rank() until the next change. used: slots above it hold nothing. */
void slot_set__rank_all(struct slot_set *s, __u32 used);

static inline __u64 *slot_set__line(const struct slot_set *s, __u32 slot)
{
	__u64 *block = s->bits.block[slot >> SLOT_BLOCK_SHIFT];
	__u32 line = (slot >> SLOT_LINE_SHIFT) & ((ARENA_BLOCK >> 6) - 1);

	return block + line * SLOT_LINE_WORDS;
}

static inline void slot_set__count(struct slot_set *s, __u32 slot, __u32 change)
{
	__u32 line = slot >> SLOT_LINE_SHIFT;

	s->count[line] += change;
	s->group[line >> SLOT_FANOUT_SHIFT] += change;
	s->super[line >> 2 * SLOT_FANOUT_SHIFT] += change;
	s->live += change;
}

/* slot must not be a member. */
static inline void slot_set__add(struct slot_set *s, __u32 slot)
{
	slot_set__line(s, slot)[slot / 64 % SLOT_LINE_WORDS] |= 1ULL << slot % 64;
	slot_set__count(s, slot, 1);
}

/* slot must be a member. */
static inline void slot_set__del(struct slot_set *s, __u32 slot)
{
	slot_set__line(s, slot)[slot / 64 % SLOT_LINE_WORDS] &= ~(1ULL << slot % 64);
	slot_set__count(s, slot, -1U);
}

/*
 * Bits of a line at or above slot. Written without the popcnt instruction, which x86-64 does not
 * promise: eight words of byte sums vectorise as they are (Warren, Hacker's Delight, 5-1).
 */
static inline __u32 slot_set__line_from(const __u64 *line, __u32 slot)
{
	__u32 first = slot / 64 % SLOT_LINE_WORDS;
	__u64 sum = 0;

	for (__u32 i = 0; i < SLOT_LINE_WORDS; i++) {
		__u64 keep = i < first ? 0 : i > first ? ~0ULL : ~0ULL << slot % 64;
		__u64 v = line[i] & keep;

		v -= (v >> 1) & 0x5555555555555555ULL;
		v = (v & 0x3333333333333333ULL) + ((v >> 2) & 0x3333333333333333ULL);
		sum += (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fULL; /* at most 8 x 8 a byte */
	}
	sum = (sum & 0x00ff00ff00ff00ffULL) + ((sum >> 8) & 0x00ff00ff00ff00ffULL);
	return sum * 0x0001000100010001ULL >> 48;
}

/* Members at or above slot, when slots from used on hold nothing. */
static inline __u32 slot_set__from(const struct slot_set *s, __u32 slot, __u32 used)
{
	__u32 line = slot >> SLOT_LINE_SHIFT, lines, group, groups, super, supers, n;

	if (slot >= used)
		return 0;
	lines = ((used - 1) >> SLOT_LINE_SHIFT) + 1;
	group = line >> SLOT_FANOUT_SHIFT;
	groups = ((lines - 1) >> SLOT_FANOUT_SHIFT) + 1;
	super = group >> SLOT_FANOUT_SHIFT;
	supers = ((groups - 1) >> SLOT_FANOUT_SHIFT) + 1;
	if (lines > (group + 1) << SLOT_FANOUT_SHIFT)
		lines = (group + 1) << SLOT_FANOUT_SHIFT;
	if (groups > (super + 1) << SLOT_FANOUT_SHIFT)
		groups = (super + 1) << SLOT_FANOUT_SHIFT;

	n = slot_set__line_from(slot_set__line(s, slot), slot);
	while (++line < lines)
		n += s->count[line];
	while (++group < groups)
		n += s->group[group];
	while (++super < supers)
		n += s->super[super];
	return n;
}

/* Members below slot; see slot_set__rank_all(). */
static inline __u32 slot_set__rank(const struct slot_set *s, __u32 slot)
{
	__u32 line = slot >> SLOT_LINE_SHIFT;

	return s->prefix[line] + s->count[line] -
	       slot_set__line_from(slot_set__line(s, slot), slot);
}

#endif
