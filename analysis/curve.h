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
	__u64 size;	    /* pages */
	double accesses;    /* of all pages: those that count exactly, */
	double misses;	    /* their misses, */
	double stands_for;  /* and those that a sample stands for */
	double drawn_from;  /* accesses among which it chose; 0: as many as the groups say */
	double unseen;	    /* misses counted by half, which may be hits or misses */
	double lean;	    /* misses in the sample with a little less memory, less those with a */
			    /* little more */
	double rate;	    /* of the sample */
	bool sampled;	    /* there is one, */
	bool by_time;	    /* of references, not of pages */
	double pages;	    /* distinct ones that the sample was drawn from; 0: nobody knows, */
	double pages_error; /* else the standard error of that */
	double group_misses[ESTIMATE_GROUPS], group_accesses[ESTIMATE_GROUPS];
	double group_pages[ESTIMATE_GROUPS];
};

struct curve_sums {
	size_t n;
	struct curve_sum at[]; /* ascending sizes */
};

/* All zero but for the sizes (n, ascending, pages). NULL: out of memory. Free with free(). */
struct curve_sums *curve_sums__new(const __u64 *sizes, size_t n);
/* How the pages that the histogram follows stand for all. */
struct curve_scale {
	double rate;	    /* share of the pages that is followed now */
	double sampled;	    /* accesses of all pages since it is below 1; 0: nobody knows */
	double stretch;	    /* pages followed for each that was to be expected; 1: nobody knows */
	double certain;	    /* share of its variance that is known (0 to 1) */
	double pages;	    /* distinct pages referenced so far; 0: nobody knows, */
	double pages_error; /* else the standard error of that */
};
/* What the histogram holds. -ENOMEM: *s is as it was. */
int curve_sums__take(struct curve_sums *s, const struct reuse_histogram *h,
		     const struct curve_scale *scale);
/* At the same sizes. */
void curve_sums__copy(struct curve_sums *to, const struct curve_sums *from);
/* *s += other * factor, at the same sizes; other may be s. The rate is the lower one: the later. */
void curve_sums__add(struct curve_sums *s, const struct curve_sums *other, double factor);
/* out has room for s->n points. */
void curve_sums__points(const struct curve_sums *s, struct curve_point *out);

/* At a size, on a straight line between the points beside it (n, at least 1, ascending); beyond
 * them as at the nearest. */
struct curve_point curve_point__at(const struct curve_point *points, size_t n, __u64 size);

#endif
