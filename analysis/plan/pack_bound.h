/* SPDX-License-Identifier: GPL-2.0 */
/* How many bins are needed at least, by worths. */
#ifndef HVTRACE_PACK_BOUND_H
#define HVTRACE_PACK_BOUND_H

#include "pack_bins.h"

#define PACK_MAX_WORTH (1ULL << 32)

struct pack_bound {
	size_t bins;  /* nr_bins + 1: even all are not enough */
	__u64 *worth; /* of each item: why. NULL: no bins are needed, or another's word */
};

/* By sizes, and by how many of the large items fit. -ENOMEM. */
int pack_bound__init(struct pack_bound *lb, const struct pack_bins *b);
void pack_bound__free(struct pack_bound *lb);
/* By worths of up to PACK_MAX_WORTH, where that is more. -ENOMEM. */
int pack_bound__raise(struct pack_bound *lb, const struct pack_bins *b, const __u64 *worth);
/* By somebody's word. */
void pack_bound__believe(struct pack_bound *lb, size_t bins);

/*
 * The most that items of such sizes (units) and worths bring to bins of up to `units`: most has
 * room for units + 1, one for each size. With taken, too, a bitmap of (units + 1) rounded up to a
 * multiple of 64 bits for each item: whether it is among the best for that size and the items up to
 * it.
 */
void pack_knapsack(const __u64 *size, const __u64 *worth, size_t n, size_t units, __u64 *most,
		   __u64 *taken);

#endif
