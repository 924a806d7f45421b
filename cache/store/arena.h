/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arena: the memory that cached pages live in, in chunks of 2 MiB = 512 slots of 4 KiB.
 *
 * Chunks come from hugetlb pages (of 1 GiB when asked for and to be had, else of 2 MiB), else from
 * anonymous memory with MADV_HUGEPAGE, else from what the kernel gives. A chunk belongs to one
 * VM's cache at a time, so no page is shared between VMs; one that comes back is emptied before
 * another gets it. Used by one thread (the control loop).
 */
#ifndef HVTRACE_ARENA_H
#define HVTRACE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "../region.h"

#define ARENA_CHUNK (2UL << 20)
#define ARENA_SLOTS 512 /* a chunk */

struct arena;

struct arena_opts {
	size_t sz;	 /* sizeof(struct arena_opts) */
	size_t bytes;	 /* capacity; rounded down to whole chunks */
	size_t page;	 /* 0: 2 MiB; 1 GiB: try those first */
	int node;	 /* NUMA node, strictly; -1: any */
	bool no_hugetlb; /* leave the pool of huge pages to others */
};

/* -errno, with a sentence in why: -ENOMEM, -EINVAL (no such node), ... Memory is taken chunk by
 * chunk as it is asked for, so less than `bytes` may turn out to be there. */
int arena__new(struct arena **out, const struct arena_opts *o, char *why, size_t size);
void arena__free(struct arena *a); /* NULL is fine */

/* A chunk, zeroed, with its memory there (it cannot fault later: hugetlb pages are reserved and
 * populated). NULL: the capacity is used up (errno ENOSPC) or no memory is to be had (ENOMEM). */
void *arena__take(struct arena *a);
/* Chunks that have their memory and are not taken: arena__take() does not wait for the kernel. */
size_t arena__ready(const struct arena *a);
/* One more of them, or many. -ENOSPC: the capacity is used up. -ENOMEM. */
int arena__prepare(struct arena *a);
/* Give a chunk back. It goes back to the system when the arena is above its capacity. */
void arena__give(struct arena *a, void *chunk);

/* Change the capacity while running, bytes. What is taken beyond it stays so until it is given
 * back: see arena__excess(). */
void arena__resize(struct arena *a, size_t bytes);
size_t arena__chunks(const struct arena *a); /* capacity */
size_t arena__taken(const struct arena *a);  /* chunks */
/* Chunks to be given back before the capacity is kept. */
size_t arena__excess(const struct arena *a);
/* Bytes taken from the system by now, by backing; and that in words ("hugetlb", "THP", ...). */
void arena__backed(const struct arena *a, size_t bytes[BACKINGS]);
const char *arena__backing(const struct arena *a);

#endif
