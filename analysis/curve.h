/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A miss curve: misses as a function of memory. In eviction order the memory is what is added to
 * direct memory, in access order it is all there is.
 *
 * Sums are what a curve is made of: they only grow, and are linear. So the sums of an interval are
 * the difference of those at its ends, and older ones can be given less weight. Estimates and their
 * errors are not linear: points are made of sums last.
 */
#ifndef HVTRACE_CURVE_H
#define HVTRACE_CURVE_H

#include "estimate.h"
#include "hvanalysis.h"

struct reuse_histogram;

struct curve_sum {
	__u64 size;	 /* pages */
	double accesses; /* of all pages: those that count exactly, */
	double misses;	 /* their misses, */
	double sampled;	 /* and those that a sample stands for; 0: as many as the groups say */
	double unseen;	 /* misses counted by half, which may be hits or misses */
	double lean;	 /* misses in the sample with a little less memory, less those with a */
			 /* little more */
	double rate;	 /* of the sample; 1: there is none */
	double group_misses[ESTIMATE_GROUPS], group_accesses[ESTIMATE_GROUPS];
};

struct curve_sums {
	size_t n;
	struct curve_sum at[]; /* ascending sizes */
};

/* All zero but for the sizes (n, ascending, pages). NULL: out of memory. Free with free(). */
struct curve_sums *curve_sums__new(const __u64 *sizes, size_t n);
/* What the histogram holds. rate: of sampling now; sampled: accesses of all pages since it is
 * below 1, 0 if nobody knows. -ENOMEM: *s is as it was. */
int curve_sums__take(struct curve_sums *s, const struct reuse_histogram *h, double rate,
		     double sampled);
/* *s += other * factor, at the same sizes. Rates are taken over from other. */
void curve_sums__add(struct curve_sums *s, const struct curve_sums *other, double factor);
/* out has room for s->n points. */
void curve_sums__points(const struct curve_sums *s, struct curve_point *out);

#endif
