/* SPDX-License-Identifier: GPL-2.0 */
/* What the ways to pack share: VMs as items, hosts as bins, the largest first. */
#ifndef HVTRACE_PACK_BINS_H
#define HVTRACE_PACK_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "pack.h"

/* Tables over sums of sizes have so many rows at most. */
#define PACK_MAX_UNITS 8192

struct pack_thing {
	__u64 size;   /* pages */
	size_t index; /* as the caller counts */
};

struct pack_bins {
	struct pack_thing *item, *bin; /* by size, descending; then as the caller has them */
	size_t nr_items, nr_bins;
	__u64 unit;   /* pages: divides all items, if that makes no large numbers */
	size_t units; /* of the largest bin */
	double end;   /* when time is over, s */
};

/* -ENOMEM. */
int pack_bins__init(struct pack_bins *b, const struct pack_opts *o);
void pack_bins__free(struct pack_bins *b);

/* Units that an item takes at least and at most, and that a bin has. At least: what fits in pages
 * fits in units, at most: the other way round. */
__u64 pack_bins__floor(const struct pack_bins *b, __u64 pages);
__u64 pack_bins__ceil(const struct pack_bins *b, __u64 pages);

/* Is the time over for which a better packing is looked for? Milliseconds that are left of it. */
bool pack_bins__over(const struct pack_bins *b);
int pack_bins__ms_left(const struct pack_bins *b);

/* Which bin each item is in; -1: in none. */
struct packing {
	int *bin;	/* nr_items */
	__u64 *room;	/* pages left, nr_bins */
	size_t nr_bins; /* that may be used: the largest ones */
	__u64 left;	/* pages of items in none */
};

/* An empty one. -ENOMEM. */
int packing__init(struct packing *p, const struct pack_bins *b);
void packing__free(struct packing *p);
void packing__clear(struct packing *p, const struct pack_bins *b, size_t nr_bins);
void packing__copy(struct packing *to, const struct packing *from, const struct pack_bins *b);
void packing__put(struct packing *p, const struct pack_bins *b, size_t item, int bin);
void packing__take(struct packing *p, const struct pack_bins *b, size_t item);

#endif
