/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What became of the accesses of one VM and space: cold, reuses by distance, and fills whose
 * eviction was not seen by the upper bound of their distance.
 *
 * Distances are in pages. What was counted while every page was followed is exact. Each access to
 * a sampled page counts for 1 / rate of them (Horvitz-Thompson), its distance of d sampled pages
 * for (d + (1 - rate) / 2) / rate pages: d, when every page is followed, else the middle of what
 * it may stand for.
 */
#ifndef HVTRACE_REUSE_HISTOGRAM_H
#define HVTRACE_REUSE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "../cache/region.h"
#include "estimate.h"

struct reuse_histogram;

/* An access: the share of the pages that is followed (1: all), and its page's group. */
struct reuse {
	double rate;
	__u32 group;	/* estimate__group() */
	double density; /* followed pages for each page there is, if that is known better; or 0 */
};

/* The memory must live longer. NULL with errno. */
struct reuse_histogram *reuse_histogram__new(struct memory *m);
void reuse_histogram__free(struct reuse_histogram *h);

/* -ENOMEM: nothing was counted. */
int reuse_histogram__cold(struct reuse_histogram *h, const struct reuse *r);
int reuse_histogram__reused(struct reuse_histogram *h, const struct reuse *r, __u64 distance);
int reuse_histogram__unseen(struct reuse_histogram *h, const struct reuse *r, __u64 bound);
/* n accesses at rate 1: distances below end, or LRU_COLD. */
int reuse_histogram__exact(struct reuse_histogram *h, const __u32 *distance, size_t n, __u64 end);
/* Bring the count of a distance closer, for reuse_histogram__reused() at rate 1 to come. */
void reuse_histogram__prefetch(const struct reuse_histogram *h, __u64 distance);

/* Of all pages. */
double reuse_histogram__accesses(const struct reuse_histogram *h);
double reuse_histogram__cold_misses(const struct reuse_histogram *h);
/* Accesses to sampled pages, each counted once; 0: all was exact. */
__u64 reuse_histogram__samples(const struct reuse_histogram *h);
/* Reuses with a distance >= y pages, of all pages. */
double reuse_histogram__reused_from(const struct reuse_histogram *h, double y);
/* One more than the largest distance, and than the largest bound; 0 when there is none. */
__u64 reuse_histogram__reused_end(const struct reuse_histogram *h);
__u64 reuse_histogram__unseen_end(const struct reuse_histogram *h);

/*
 * Misses with so many pages more, of what was counted exactly and of what was sampled: cold,
 * reuses from there on, and half of the unseen, which may be hits or misses. With no page more
 * every access is a miss.
 */
struct reuse_misses {
	double exact, sampled;
	double unseen;		       /* part of both: the fills whose eviction was not seen */
	double fewer, more;	       /* sampled, with a little less and more memory */
	double group[ESTIMATE_GROUPS]; /* sampled, at lower resolution */
};
/* At n ascending sizes, in pages; near a size means by `off` pages. In the sample all distances are
 * taken as `stretch` times too long. -ENOMEM. */
int reuse_histogram__misses(const struct reuse_histogram *h, const double *size, const double *off,
			    double stretch, size_t n, struct reuse_misses *out);
/* Accesses: the exact ones, and of each group. */
double reuse_histogram__exact_accesses(const struct reuse_histogram *h);
double reuse_histogram__exact_cold(const struct reuse_histogram *h);
double reuse_histogram__group_accesses(const struct reuse_histogram *h, __u32 group);
/* Those of them that were cold: distinct pages. */
double reuse_histogram__group_cold(const struct reuse_histogram *h, __u32 group);

/* Bytes held beside the regions. */
size_t reuse_histogram__heap(const struct reuse_histogram *h);

#endif
