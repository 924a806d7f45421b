/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many distinct pages there are, give or take half a percent, in 64 KiB: HyperLogLog
 * (Flajolet et al., AofA '07) with the estimator of Ertl (arXiv:1702.01284, section 3.1), which
 * needs no tables and is right at any number.
 */
#ifndef ANALYSIS_DISTINCT_H
#define ANALYSIS_DISTINCT_H

#include <linux/types.h>

#define DISTINCT_BITS 16

/* Zero-initialised is empty. */
struct distinct {
	__u8 rank[1 << DISTINCT_BITS]; /* the most leading zeros of any, plus one */
};

/* A page by its hash, which may be known to be small: its lower bits are what counts. */
static inline void distinct__add(struct distinct *d, __u64 hash)
{
	__u32 i = hash & ((1 << DISTINCT_BITS) - 1);
	/* A product's upper bits depend on all bits: also where the hash's own are all zero. */
	__u64 mixed = (hash >> DISTINCT_BITS) * 0x9e3779b97f4a7c15ULL | 1;
	__u8 rank = __builtin_clzll(mixed) + 1;

	if (rank > d->rank[i])
		d->rank[i] = rank;
}

double distinct__estimate(const struct distinct *d);
/* Its relative standard error. */
double distinct__error(void);

#endif
