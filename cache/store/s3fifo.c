// SPDX-License-Identifier: GPL-2.0
/*
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP '23, algorithm 1)
 * for a cache that gives up what it hits. Its idea: most pages are wanted once in a long time, so a
 * new page is on trial in a small queue, a tenth of the cache; only one that was wanted again goes
 * to the main queue, where what comes once cannot push it out.
 *
 * There, the page that was hit stays in its queue, with a frequency, up to 3, which is looked at
 * when it comes to the queue's end. Here a hit takes it out; the guest has it for a while, and when
 * the guest evicts it, it comes in again as its queue's newest. Its frequency and its queue go with
 * it:
 *
 *	standing   0  1      small queue, frequency 0 and 1: a hit makes it one more
 *	           2 .. 5    main queue, frequency 0 to 3: the same
 *
 *   - small to main: at a frequency above 1, which is cleared, as there; but when it comes in, not
 *     when it comes to the end of the small queue. What gets there has a frequency of 0 or 1 and
 *     leaves, as there.
 *   - second chance: the main queue's oldest with a frequency above 0 becomes its newest, with one
 *     less, as there. It has another way through the queue for each hit since it was new, beside
 *     the one that coming in again gives it. An eviction looks at no more than STORE_LOOKS of them.
 *   - ghosts: what leaves the small queue is one, what leaves the main queue is not; they are as
 *     many as the main queue's share of the cache has pages. One that is wanted goes to the main
 *     queue when the guest evicts it.
 */
#include "store_policy.h"

#define SMALL SLOTS_FIRST
#define MAIN SLOTS_SECOND

#define SMALL_SHARE 10 /* one of so many slots */

static enum slot_list list(unsigned standing)
{
	return standing < STANDING_GHOST ? SMALL : MAIN;
}

static enum slot_list victims(const struct slots *s)
{
	__u64 slots = (__u64)s->chunks * ARENA_SLOTS;

	if (!s->count[MAIN])
		return SMALL;
	return s->count[SMALL] && s->count[SMALL] * SMALL_SHARE >= slots ? SMALL : MAIN;
}

static void spare(struct slots *s, enum slot_list list)
{
	for (int i = 0; list == MAIN && i < STORE_LOOKS; i++) {
		__u32 oldest = slots__oldest(s, MAIN);
		struct slot *slot = slots__at(s, oldest);

		if (slot->standing == STANDING_GHOST)
			break;
		slot->standing--;
		slots__move(s, oldest, MAIN);
	}
}

static bool leaves_ghosts(enum slot_list list)
{
	return list == SMALL;
}

/* As in analysis/policy/s3fifo.c. */
static __u64 ghosts(__u64 slots)
{
	return slots - (slots + SMALL_SHARE - 1) / SMALL_SHARE;
}

const struct store_policy store_s3fifo = {
	.name = "s3fifo",
	.list = list,
	.victims = victims,
	.spare = spare,
	.leaves_ghosts = leaves_ghosts,
	.ghosts = ghosts,
};
