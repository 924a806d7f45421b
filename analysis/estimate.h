/* SPDX-License-Identifier: GPL-2.0 */
/* From the misses of some pages to the misses of all, with an error: pure arithmetic. */
#ifndef ANALYSIS_ESTIMATE_H
#define ANALYSIS_ESTIMATE_H

#include <linux/types.h>

/* Followed pages fall into groups, each a small sample of its own. */
#define ESTIMATE_GROUPS 16

/* By the hash's low bits: those above decide whether a page is followed at all. */
static inline unsigned int estimate__group(__u64 hash)
{
	return hash % ESTIMATE_GROUPS;
}

struct estimate {
	double misses; /* of all pages */
	double error;  /* half-width of the 95 % interval of misses / total; 0 at rate 1 */
};

/*
 * misses and accesses: of the followed pages, by group, at a sampling rate of `rate`; total: the
 * accesses of all pages, known. Sampling of references only: what a scaled-down size is off by
 * depends on the curve and is for the caller to add.
 */
struct estimate estimate__misses(const double *misses, const double *accesses, double rate,
				 double total);

/* The same where nobody counted the accesses of all pages: they are as many as the sample says. */
struct estimate estimate__misses_of_unknown(const double *misses, const double *accesses,
					    double rate);

#endif
