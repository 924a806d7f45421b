// SPDX-License-Identifier: GPL-2.0
/*
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP '23) for a cache
 * that gives up what it hits. Its idea: most pages are wanted once in a long time, so a new page
 * is on trial in a small queue, a tenth of the cache; only one that was wanted again goes to the
 * main queue, where what comes once cannot push it out.
 *
 * There, the page that was hit stays in the queue with a count, which is looked at when it comes to
 * the end. Here a hit takes it out; the guest has it for a while, and when the guest evicts it, it
 * comes in again. So "wanted again" is known the moment it comes in: it goes to the main queue if
 * it was hit (or overwritten) in the cache, or was a ghost, when the guest got it. The main queue
 * needs no second chance: what is in it has not been wanted since it came in, and what is wanted
 * often comes in anew each time.
 *
 * As in the paper, pages that leave the small queue become ghosts, those of the main queue do not.
 */
#include "store_policy.h"

#define SMALL SLOTS_FIRST
#define MAIN SLOTS_SECOND

#define SMALL_SHARE 10 /* one of so many slots */

static enum slot_list list(bool back)
{
	return back ? MAIN : SMALL;
}

static enum slot_list victims(const struct slots *s)
{
	__u64 slots = (__u64)s->chunks * ARENA_SLOTS;

	if (!s->count[MAIN])
		return SMALL;
	return s->count[SMALL] && s->count[SMALL] >= slots / SMALL_SHARE ? SMALL : MAIN;
}

static bool leaves_ghosts(enum slot_list list)
{
	return list == SMALL;
}

const struct store_policy store_s3fifo = {
	.name = "s3fifo", .list = list, .victims = victims, .leaves_ghosts = leaves_ghosts};
