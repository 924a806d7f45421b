// SPDX-License-Identifier: GPL-2.0
/*
 * LRU, as a guest that evicts in LRU order goes on: what it evicts is newest, what is evicted here
 * was longest without use. Both lists together are one LRU stack.
 */
#include "store_policy.h"

static enum slot_list list(unsigned standing)
{
	return SLOTS_FIRST;
}

static enum slot_list victims(const struct slots *s)
{
	return SLOTS_FIRST;
}

static void spare(struct slots *s, enum slot_list list)
{
}

static __u64 ghosts(__u64 slots)
{
	return slots;
}

static bool leaves_ghosts(enum slot_list list)
{
	return true;
}

const struct store_policy store_lru = {
	.name = "lru",
	.list = list,
	.victims = victims,
	.spare = spare,
	.leaves_ghosts = leaves_ghosts,
	.ghosts = ghosts,
};
