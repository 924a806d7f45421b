/* SPDX-License-Identifier: GPL-2.0 */
/* From the misses of some pages to the misses of all, with an error: pure arithmetic. */
#ifndef ANALYSIS_ESTIMATE_H
#define ANALYSIS_ESTIMATE_H

#include <linux/types.h>

/* Followed pages fall into groups, each a small sample of its own. */
#define ESTIMATE_GROUPS 16

/*
 * The threshold's sixteenths: each group is to be chosen as the sample is, a page in so many of
 * each neighbourhood, or their differences would tell the error of another kind of sample.
 */
static inline unsigned int estimate__group(__u64 lot, __u64 threshold)
{
	unsigned int group = lot * (ESTIMATE_GROUPS / (threshold + 1.0));

	return group < ESTIMATE_GROUPS ? group : ESTIMATE_GROUPS - 1;
}

/* Of the followed pages, by group; and of all, where it is known. */
struct sample {
	const double *misses, *accesses;
	const double *pages;   /* distinct ones; NULL: not counted */
	double rate;	       /* share of the pages that is followed */
	double total_accesses; /* of all pages; 0: not known */
	double total_pages;    /* all pages; 0: not known, */
	double pages_error;    /* else the standard error of that */
	double blind; /* how little the sample knows of pages hotter than its own: 0 to 1 */
};

struct estimate {
	double misses; /* of all pages */
	double error;  /* half-width of the 95 % interval of misses / accesses; 0 at rate 1 */
};

/* Sampling of references only: what a scaled-down size is off by depends on the curve and is for
 * the caller to add. */
struct estimate estimate__misses(const struct sample *s);

#endif
