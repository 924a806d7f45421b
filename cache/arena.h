/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arena: metadata memory in huge pages, handed out in zeroed blocks of one size.
 *
 * A miss curve is a random walk over tens of bytes a page: with 4 KiB pages each step would
 * miss the TLB as well. Memory is taken 2 MiB at a time: from hugetlb while its pool has free
 * pages, else from aligned anonymous memory with MADV_HUGEPAGE, else it is what it is. It grows
 * by chunks, so that nothing is ever copied or held twice. Given back only by arena__free.
 *
 * Blocks are numbered by their users (struct arena_table): an element's address is its
 * block's plus a shift of its 32-bit index.
 */
#ifndef HVTRACE_ARENA_H
#define HVTRACE_ARENA_H

#include <stddef.h>

#include "../bpf/page_event.h"

#define ARENA_BLOCK_SHIFT 15
#define ARENA_BLOCK (1UL << ARENA_BLOCK_SHIFT)
#define ARENA_CHUNK (2UL << 20)

struct arena;

/* limit: bytes, rounded down to chunks; 0 = none. NULL with errno. */
struct arena *arena__new(size_t limit);
void arena__free(struct arena *a); /* NULL is fine; all its blocks are gone */

/* A zeroed block of ARENA_BLOCK bytes, aligned to its size; NULL: no memory, or limit. */
void *arena__get(struct arena *a);
/* A block for later arena__get calls. */
void arena__put(struct arena *a, void *block);

/* Bytes in blocks that are in use, and bytes taken from the kernel. */
size_t arena__used(const struct arena *a);
size_t arena__bytes(const struct arena *a);
/* What backs the most of it: "hugetlb", "THP" or "4K pages". */
const char *arena__backing(const struct arena *a);

/* A growing row of blocks. Zero-initialised is empty. */
struct arena_table {
	void **block;
	__u32 nr, room;
};

/* Append a zeroed block. -ENOMEM: nothing changed. */
int arena_table__grow(struct arena_table *t, struct arena *a);
/* Give all blocks back; the table is empty then. */
void arena_table__clear(struct arena_table *t, struct arena *a);

#endif
