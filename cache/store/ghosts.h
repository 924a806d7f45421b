/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ghosts: the pages that left the cache last, by number only, in the order they left. A page is a
 * ghost until as many others as may be remembered have left after it, or until it is taken out.
 *
 * A queue of entries, chained by the hash of their pages, each to an older one. A chain ends at an
 * entry that has left the queue, which its time tells: nothing is ever unlinked, so a page that
 * leaves the cache costs one random access. Whole page numbers are compared: nothing is taken for a
 * ghost that is none.
 *
 *   entry, 12 byte   0              8      12           and a chain's head: 4 byte
 *                    | page         | time |
 *
 * Their number changes with the cache's, so both grow and shrink where they are, at a cost that is
 * that of the difference: entries are in blocks, of which any can take the next place of the queue;
 * heads are one more or one less, whose chain comes from that of one other, or goes there (Litwin,
 * "Linear Hashing", VLDB '80). 16 bytes a ghost.
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
	struct region entries, heads;
	struct ghost *entry;
	__u32 *head;  /* times, `max` of them */
	__u32 *block; /* of times: which block of entries it is, at (time / block) & mask */
	__u32 *free;  /* blocks, nr_free of them */
	__u64 secret;
	__u64 now, first;  /* times of the next one, and of the oldest that counts */
	__u64 begun, gone; /* times / block: which have blocks, from gone on */
	__u32 blocks, nr_free, mask;
	__u32 max, live;
};

void ghosts__init(struct ghosts *g, struct memory *m);
void ghosts__free(struct ghosts *g);
/* Remember the last max from now on, as far as there is memory for it: else as many as before. */
void ghosts__resize(struct ghosts *g, __u64 max);
/* None of these is one any more. Its memory goes with them. */
void ghosts__clear(struct ghosts *g);

void ghosts__add(struct ghosts *g, __u64 page);
/* Whether it was one; it is none any more. */
bool ghosts__remove(struct ghosts *g, __u64 page);
bool ghosts__has(const struct ghosts *g, __u64 page);
/* All of these. */
void ghosts__remove_range(struct ghosts *g, __u64 page, __u64 count);
void ghosts__prefetch(const struct ghosts *g, __u64 page);
size_t ghosts__bytes(const struct ghosts *g);

#endif
