/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VM loses with so much memory: its miss curve, in time.
 *
 *	lost = accesses a second x miss ratio x latency of a miss
 *
 * in milliseconds a second: 1000 is one process that does nothing but wait.
 *
 * A curve is known at its points only, give or take their errors. In between it falls, who knows
 * where: a loop's falls at once. So with s pages the upper end is that of the points up to s (the
 * lowest of them: under LRU more memory never means more misses), the lower end that of the points
 * from s on, and a straight line between two points the best guess. Plans go by the upper end.
 *
 * Below the first point nothing is known (a curve in the order of evictions begins at the memory
 * the VM has); past the last one the curve is as at it.
 */
#ifndef HVTRACE_APPETITE_H
#define HVTRACE_APPETITE_H

#include <stdbool.h>
#include <stddef.h>

#include "../hvanalysis.h"
#include "planner.h"

struct appetite;

struct appetite_opts {
	size_t sz;			  /* sizeof(struct appetite_opts) */
	const struct curve_point *points; /* ascending sizes, pages; copied */
	size_t n;			  /* at least 1 */
	__u64 direct;	 /* pages the VM has where the curve's size is 0: what sizes are added to; 0
			    for a curve of all its memory */
	double accesses; /* a second: those that the curve's ratios are of. In the order of
			    evictions they are all that missed with `direct` */
	double latency;	 /* ns that a miss takes */
	double weight;	 /* of its losses in a plan's cost, above 0 */
	bool guess;	 /* sizes below the first point, too: on the line through it and that later
			    point which is steepest */
};

/* -EINVAL: a value that is none; -ENOMEM. */
int appetite__new(struct appetite **out, const struct appetite_opts *o);
void appetite__free(struct appetite *a); /* NULL is fine */

/* A figure and what it lies between. */
struct appetite_range {
	double guess, lower, upper;
};

struct appetite_loss {
	bool known;		      /* false: below the curve. All else is a guess, or NAN */
	struct appetite_range ratio;  /* misses / accesses */
	struct appetite_range lost;   /* ms a second, without the weight */
	struct appetite_range misses; /* a second */
};
void appetite__at(const struct appetite *a, __u64 pages, struct appetite_loss *out);

/* Milliseconds a second that would be lost if all accesses missed: what a ratio is worth. */
double appetite__lost_in_all(const struct appetite *a);

/* Pages from which on the curve is known. */
__u64 appetite__known_from(const struct appetite *a);
/* ... and from which on it is flat. */
__u64 appetite__flat_from(const struct appetite *a);

/* How much slower a VM may get than with its baseline: the upper end with the memory it is to have,
 * less the lower end with the baseline. Nothing is lost by having the baseline, or more. */
struct assurance {
	__u64 baseline;	  /* pages */
	double max_ratio; /* misses / accesses more; negative: no such bound */
	double max_lost;  /* ms a second more; negative: no such bound */
};
/* By how much it may get slower with so many pages, as the assurance counts it. INFINITY where the
 * curve is not known: an assurance never goes by a guess. */
struct appetite_slower {
	double ratio, lost; /* 0 or more */
};
void appetite__slower(const struct appetite *a, __u64 baseline, __u64 pages,
		      struct appetite_slower *out);
/* The least memory that keeps an assurance: pages, at most the baseline. Without any bound: 0. */
__u64 appetite__assured_from(const struct appetite *a, const struct assurance *s);

/*
 * For a plan: the upper end of the loss by its weight, in steps, from `least` on (the first step is
 * there) up to `most`. Where nothing is known and nothing may be guessed the first step is at the
 * first point instead: the leaf's least is then at least that. Free with free(). -ENOMEM.
 */
int appetite__steps(const struct appetite *a, __u64 least, __u64 most, struct plan_step **out,
		    size_t *n);

#endif
