/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ghosts: the pages that left the cache last, by number only, in the order they left. A page is a
 * ghost until as many others as may be remembered have left after it, or until it is taken out.
 *
 * A ring of entries, chained by the hash of their pages, each to an older one. A chain ends at an
 * entry that has been overwritten since, which its time tells: nothing is ever unlinked, so a page
 * that leaves the cache costs one random access. Whole page numbers are compared: nothing is taken
 * for a ghost that is none.
 *
 *   entry, 12 byte   0              8      12           and a chain's head: 4 byte
 *                    | page         | time |
 *
 * 16 bytes a ghost, up to 20 where their number grew by and by.
 *
 * Internal to cache/store/.
 */
#ifndef HVTRACE_GHOSTS_H
#define HVTRACE_GHOSTS_H

#include <stdbool.h>
#include <linux/types.h>

#include "../region.h"

struct ghost {
	__u32 page_low, page_high; /* both ~0: taken out */
	__u32 next; /* time of the next older one of its chain, if that is not over */
};

struct ghosts {
	struct memory *memory;
	struct region region;
	struct ghost *ring; /* entry of time t: t % room */
	__u32 *head;	    /* times, `room` of them */
	__u64 secret;
	__u64 now;	 /* time of the next one; starts where nothing is within reach */
	__u32 room, max; /* entries, and how far back they count */
	__u32 live;
};

void ghosts__init(struct ghosts *g, struct memory *m);
void ghosts__free(struct ghosts *g);
/* Remember the last max from now on, as far as there is memory for it: else as many as before. */
void ghosts__resize(struct ghosts *g, __u64 max);

void ghosts__add(struct ghosts *g, __u64 page);
/* Whether it was one; it is none any more. */
bool ghosts__remove(struct ghosts *g, __u64 page);
bool ghosts__has(const struct ghosts *g, __u64 page);
/* All of these. */
void ghosts__remove_range(struct ghosts *g, __u64 page, __u64 count);
void ghosts__prefetch(const struct ghosts *g, __u64 page);

#endif
