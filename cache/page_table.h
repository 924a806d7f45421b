/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page table: what is known of each page, by page number. Open addressing with linear probing,
 * kept in the order of the keys:
 *
 *   cell, 16 byte    0         8       12      16
 *                    | key     | pos   | check |         4 a cache line; pos 0: empty, key ~0
 *
 * The key is the page's hash, mixed with a secret and hashed again: the hash is public and can be
 * inverted, and a guest could choose disk pages that all belong to one place. (A secret factor
 * would not do: it leaves what comes in even steps in even steps.) All of it can be undone, so that
 * the key says which page it is and nothing else is stored. A cell's home is the key scaled to the
 * number of homes, and cells are ordered by their keys (as in Amble and Knuth, Computer J. 17(2),
 * 1974), hence:
 *
 *   - a search ends at the first key that is not smaller, found or not, and counts the smaller
 *     ones of the first few cells without a branch;
 *   - to grow by any factor is two passes in the order of memory, in place: no second table, no
 *     random access. So it is filled to between 0.64 and 0.8: 20 to 25 bytes a page;
 *   - or it grows, or shrinks, in short steps between which it is used (page_table_step.c).
 *
 * Internal to cache/: inline, because every access begins here.
 */
#ifndef HVTRACE_PAGE_TABLE_H
#define HVTRACE_PAGE_TABLE_H

#include <stdbool.h>
#include <linux/types.h>

#include "../bpf/page_event.h"
#include "region.h"

struct page_cell {
	__u64 key;
	__u32 pos;   /* the user's, not 0 */
	__u32 check; /* the user's */
};
_Static_assert(sizeof(struct page_cell) == 16, "four a cache line");

#define PAGE_CELL_EMPTY (~0ULL)
/* Cells compared at once; there are as many behind the last home. */
#define PAGE_PROBES 4

struct page_table {
	struct page_cell *cells;
	__u64 secret;
	__u32 homes, room; /* cells that are a home, and all but the last PAGE_PROBES */
	__u32 pages, full; /* in it, and when to grow */
	struct region region;

	/* While it grows or shrinks in steps. */
	__u64 boundary;	      /* pages with smaller keys are in few homes; 0: none */
	__u32 few_homes;      /* 0: it does neither */
	__u32 at;	      /* the few ones (it grows), or many, that the boundary has come to */
	__u32 hole, hole_end; /* cells that are not cleared yet; none: both 0 */
	bool shrinking;
	/* The user's: a page that there is no place for, which almost never happens. */
	void (*lost)(void *ctx, const struct page_cell *c);
	void *lost_ctx;
};

/* -ENOMEM. */
int page_table__init(struct page_table *t, struct memory *m);
void page_table__free(struct page_table *t, struct memory *m);
/* Make room for n more pages: insertions need it. -ENOMEM: it is as it was. */
int page_table__reserve(struct page_table *t, struct memory *m, __u32 n);

/* The other way, for a table that is never to be waited for (not to be mixed with reserve): make
 * room for one page. It grows by a quarter; each call makes a step. -ENOMEM. */
int page_table__make_room(struct page_table *t, struct memory *m);
/* Begin to be as small as its pages allow, if it is not growing or shrinking. */
void page_table__begin_shrink(struct page_table *t);
bool page_table__loose(const struct page_table *t); /* it is worth while */
/* No page is in it any more, and its memory is given back: at once. */
void page_table__clear(struct page_table *t, struct memory *m);
/* A step, if it is: some microseconds. Cells move. */
void page_table__step(struct page_table *t, struct memory *m);

static inline bool page_table__moving(const struct page_table *t)
{
	return t->few_homes;
}

static inline __u64 page_table__key(const struct page_table *t, __u64 hash)
{
	return pe_hash(hash ^ t->secret, 0);
}

/* What page_table__key() was given. */
static inline __u64 page_table__hash(const struct page_table *t, __u64 key)
{
	return pe_unhash(key, 0) ^ t->secret;
}

static inline struct page_cell *page_table__home(const struct page_table *t, __u64 key)
{
	__u32 homes = key < t->boundary ? t->few_homes : t->homes;

	return t->cells + ((unsigned __int128)key * homes >> 64);
}

/* The first cell with a key that is not smaller. */
static inline __attribute__((always_inline)) struct page_cell *
page_table__seek(const struct page_table *t, __u64 key)
{
	struct page_cell *c = page_table__home(t, key);

	for (;;) {
		__u32 smaller = 0;

		for (int i = 0; i < PAGE_PROBES; i++)
			smaller += c[i].key < key;
		c += smaller;
		if (smaller < PAGE_PROBES)
			return c;
	}
}

/* A page may well have the key that empty cells have: it has a pos. */
static inline bool page_cell__holds(const struct page_cell *c, __u64 key)
{
	return c->key == key && c->pos;
}

/* NULL: not in it. */
static inline struct page_cell *page_table__find(const struct page_table *t, __u64 key)
{
	struct page_cell *c = page_table__seek(t, key);

	return page_cell__holds(c, key) ? c : NULL;
}

/* Put a page where page_table__seek() found its place, with pos and check 0: give it a pos before
 * anything else. There is room, or (almost never) NULL. */
struct page_cell *page_table__insert(struct page_table *t, struct page_cell *at, __u64 key);
/* Take a page out. Cells move. */
void page_table__erase(struct page_table *t, struct page_cell *c);
/* Calls fn for each page, in the order of the keys, which may change pos and check; true: the page
 * is taken out. fn must not touch the table. */
void page_table__sweep(struct page_table *t, bool (*fn)(void *ctx, struct page_cell *c), void *ctx);

/* Whether that is faster than so many searches: cells in their order take little time each. */
static inline bool page_table__sweep_pays(const struct page_table *t, __u64 searches)
{
	return searches > t->room / 16;
}

/* Inlined before anybody asks what it does: gcc takes a function that only prefetches for one
 * without effect, and drops calls of it. */
static inline __attribute__((always_inline)) void page_table__prefetch(const struct page_table *t,
								       __u64 key)
{
	const struct page_cell *c = page_table__home(t, key);

	__builtin_prefetch(c, 1);
	__builtin_prefetch(c + PAGE_PROBES - 1, 1);
}

#endif
