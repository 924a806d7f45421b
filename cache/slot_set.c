// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "slot_set.h"

const __u16 slot_set__after[2 * SLOT_NODE] = {[SLOT_NODE... 2 * SLOT_NODE - 1] = 0xffff};
const __u32 slot_set__after_super[2 * SLOT_SUPER_NODE] = {
	[SLOT_SUPER_NODE... 2 * SLOT_SUPER_NODE - 1] = 0xffffffff};

/* Nodes are whole and aligned to a cache line. */
static size_t entries(__u32 slots, int shift)
{
	return (size_t)((slots - 1) >> shift) / SLOT_NODE * SLOT_NODE + SLOT_NODE;
}

int slot_set__reserve(struct slot_set *s, struct memory *m, __u64 n)
{
	const struct {
		int shift;
		size_t size;
		void **entries;
	} levels[] = {
		{SLOT_WORD_SHIFT, sizeof(*s->word), (void **)&s->word},
		{SLOT_WORD_SHIFT, sizeof(*s->block), (void **)&s->block},
		{SLOT_BLOCK_SHIFT, sizeof(*s->group), (void **)&s->group},
		{SLOT_GROUP_SHIFT, sizeof(*s->super), (void **)&s->super},
		{SLOT_SUPER_SHIFT, sizeof(*s->root), (void **)&s->root},
	};

	if (n <= s->room)
		return 0;
	if (n > SLOT_MAX)
		return -ENOMEM;
	for (int i = 0; i < 5; i++) {
		int err =
			region__grow(&s->level[i], m, entries(n, levels[i].shift) * levels[i].size);

		*levels[i].entries = s->level[i].base;
		if (err)
			return err;
	}
	s->room = n;
	return 0;
}

void slot_set__free(struct slot_set *s, struct memory *m)
{
	for (int i = 0; i < 5; i++)
		region__free(&s->level[i], m);
	*s = (struct slot_set){0};
}

void slot_set__open(struct slot_set *s)
{
	__u32 word = s->used >> SLOT_WORD_SHIFT, block = s->used >> SLOT_BLOCK_SHIFT;
	__u32 group = s->used >> SLOT_GROUP_SHIFT, super = s->used >> SLOT_SUPER_SHIFT;

	/* All members lie below. */
	if (s->used % (1U << SLOT_SUPER_SHIFT) == 0)
		s->root[super] = s->live;
	if (s->used % (1U << SLOT_GROUP_SHIFT) == 0)
		s->super[group] = s->live - s->root[super];
	if (s->used % (1U << SLOT_BLOCK_SHIFT) == 0)
		s->group[block] = s->live - s->root[super] - s->super[group];
	s->block[word] = s->live - s->root[super] - s->super[group] - s->group[block];
	s->word[word] = 0;
}

void slot_set__assign(struct slot_set *s, __u32 gap, __u32 n)
{
	s->used = s->live = 0;
	while (s->used < n) {
		__u32 at = s->used, in = n - at < SLOT_WORD ? n - at : SLOT_WORD;
		__u64 mask = in < SLOT_WORD ? (1ULL << in) - 1 : ~0ULL;

		slot_set__open(s);
		if (gap > at)
			mask = gap - at < SLOT_WORD ? mask & ~0ULL << (gap - at) : 0;
		s->word[at >> SLOT_WORD_SHIFT] = mask;
		s->live += slot_set__bits(mask, false);
		s->used += in;
	}
}

/* The last of the entries first..last that is not above rank; they ascend. */
#define LAST_NOT_ABOVE(entries, first, last, rank)                                                 \
	({                                                                                         \
		__u32 at = (first), end = (last);                                                  \
		while (at < end && (entries)[at + 1] <= (rank))                                    \
			at++;                                                                      \
		at;                                                                                \
	})

static __u32 clamp_to(__u32 last, __u32 used, int shift)
{
	__u32 end = (used - 1) >> shift;

	return last < end ? last : end;
}

__u32 slot_set__select(const struct slot_set *s, __u32 rank)
{
	__u32 super, group, block, word, n = SLOT_NODE;
	__u64 bits;

	super = LAST_NOT_ABOVE(s->root, 0, (s->used - 1) >> SLOT_SUPER_SHIFT, rank);
	rank -= s->root[super];
	group = super * SLOT_SUPER_NODE;
	group = LAST_NOT_ABOVE(s->super, group,
			       clamp_to(group + SLOT_SUPER_NODE - 1, s->used, SLOT_GROUP_SHIFT),
			       rank);
	rank -= s->super[group];
	block = LAST_NOT_ABOVE(s->group, group * n,
			       clamp_to(group * n + n - 1, s->used, SLOT_BLOCK_SHIFT), rank);
	rank -= s->group[block];
	word = LAST_NOT_ABOVE(s->block, block * n,
			      clamp_to(block * n + n - 1, s->used, SLOT_WORD_SHIFT), rank);
	rank -= s->block[word];
	for (bits = s->word[word]; rank--;)
		bits &= bits - 1;
	return word * SLOT_WORD + __builtin_ctzll(bits);
}
