/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Regions: contiguous zeroed memory that grows, in huge pages as soon as it fills one.
 *
 * A miss curve is a random walk over tens of bytes a page: with 4 KiB pages each step would miss
 * the TLB as well. Below REGION_CHUNK a region is a plain mapping; from there on it grows by
 * chunks, from hugetlb while its pool has free pages, else from anonymous memory with
 * MADV_HUGEPAGE, else it is what it is. Addresses for that are set aside; when they
 * are used up, the chunks move to more of them, one at a time.
 *
 * Tables that are to take no more than so many bytes a page, whatever their size, are of a tight
 * memory: there a region ends with its last 4 KiB page. What is behind its last whole chunk is of
 * small pages, and is copied to a huge page when it is a whole chunk.
 */
#ifndef HVTRACE_REGION_H
#define HVTRACE_REGION_H

#include <stdbool.h>
#include <stddef.h>

#define REGION_CHUNK (2UL << 20)

enum backing { BACKING_HUGETLB, BACKING_THP, BACKING_4K, BACKINGS };

/* What several regions hold together. */
struct memory {
	size_t max;  /* bytes; 0 = no bound */
	size_t used; /* bytes, */
	size_t peak; /* and the most there were */
	size_t backed[BACKINGS];
	bool hugetlb, thp; /* worth trying */
	bool tight;
};

void memory__init(struct memory *m, size_t max);
/* Regions are tight from now on. They do without hugetlb: its pages cannot be moved to. */
void memory__tighten(struct memory *m);
/* What backs the most of it: "hugetlb", "THP" or "4K pages". */
const char *memory__backing(const struct memory *m);

/* Zero-initialised is empty. The memory must live longer. */
struct region {
	void *base;	 /* aligned to the 4 KiB page, or to REGION_CHUNK from that size on */
	size_t bytes;	 /* of memory */
	size_t reserved; /* addresses */
	size_t backed[BACKINGS];
};

/* Make it `bytes` or larger; base may change. What is new is zero. -ENOMEM: nothing changed, or
 * it grew by less. */
int region__grow(struct region *r, struct memory *m, size_t bytes);
/* Of a tight memory: keep the first `bytes`, and give the rest back as far as there is memory to do
 * so with. base may change. What is behind them is zero when it grows again. */
void region__shrink(struct region *r, struct memory *m, size_t bytes);
void region__free(struct region *r, struct memory *m);

#endif
