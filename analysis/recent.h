/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The recent past of one stream: its window or half-life, and a curve at the end of each interval.
 * Knows only what the sums are at present; whoever feeds the stream stops where something is due.
 */
#ifndef ANALYSIS_RECENT_H
#define ANALYSIS_RECENT_H

#include "curve.h"
#include "span.h"

/* Now, in both ways to count it. */
struct moment {
	__u64 ns, refs;
};

/* What an interval was like, or several in a row without any reference. */
struct interval {
	bool refs;			 /* from and to are references, not ns; */
	__u64 from, to;			 /* since the start */
	__u64 references;		 /* within */
	const struct curve_point *curve; /* at all sizes; NULL without a reference */
};

struct recent_opts {
	struct past past;    /* what curves are of; all: with `every`, of an interval alone */
	struct span every;   /* length of an interval; n 0: none. In the past's unit. */
	struct moment start; /* intervals count from here; */
	struct moment first; /* the first reference is here */
	const __u64 *sizes;  /* ascending, pages; copied */
	size_t nr_sizes;
	/* Fill in the sums at present; -errno is passed on. */
	int (*sums)(void *ctx, struct curve_sums *out);
	/* An interval has ended; what is not 0 is passed on. */
	int (*interval)(void *ctx, const struct interval *i);
	void *ctx;
};

struct recent;

struct recent *recent__new(const struct recent_opts *opts); /* NULL: out of memory */
void recent__free(struct recent *r);			    /* NULL is fine */

/* Call recent__pass() when all that came before this was counted, and nothing after: ns, or
 * references, as the options count; ~0: never. */
__u64 recent__due(const struct recent *r);
/* The next reference comes now: see to all that is due. Moments must not go back. -ENOMEM. */
int recent__pass(struct recent *r, struct moment now);
/* Nothing comes any more: tell of the last interval, which is shorter. -ENOMEM. */
int recent__end(struct recent *r, struct moment now);
/* The curve of the past as of now: out has room for as many points as there are sizes. -ENOMEM. */
int recent__curve(struct recent *r, struct moment now, struct curve_point *out);

/* How many of a curve's points (n, at least 1) there are up to where it is flat, that one included.
 */
size_t recent__until_flat(const struct curve_point *curve, size_t n);

#endif
