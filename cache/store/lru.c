// SPDX-License-Identifier: GPL-2.0
/*
 * LRU, as a guest that evicts in LRU order goes on: what it evicts is newest, what is evicted here
 * was longest without use. Both lists together are one LRU stack.
 */
#include "store_policy.h"

static enum slot_list list(bool back)
{
	return SLOTS_FIRST;
}

static enum slot_list victims(const struct slots *s)
{
	return SLOTS_FIRST;
}

static bool leaves_ghosts(enum slot_list list)
{
	return true;
}

const struct store_policy store_lru = {
	.name = "lru", .list = list, .victims = victims, .leaves_ghosts = leaves_ghosts};
