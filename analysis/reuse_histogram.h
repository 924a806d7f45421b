/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What became of the fills of one VM and space: cold, refaults by reuse distance, and fills
 * whose eviction was not seen by the upper bound of their distance.
 *
 * Distances are in sampled pages. Counts are in units: an access sampled at the first rate is 1
 * unit, one sampled at half that rate 2 units (Horvitz-Thompson: each sampled access stands for
 * 1/rate accesses), so that all stay integers.
 */
#ifndef HVTRACE_REUSE_HISTOGRAM_H
#define HVTRACE_REUSE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "../cache/arena.h"

/* Sampled pages fall into groups by their hash: samples of the sample, for its error. */
#define REUSE_GROUPS 16

struct reuse_histogram;

/* One fill. */
struct reuse {
	__u64 units;
	bool sampled; /* not all pages are: the group counts */
	__u32 group;  /* below REUSE_GROUPS */
};

struct reuse_histogram *reuse_histogram__new(struct arena *a); /* NULL with errno */
void reuse_histogram__free(struct reuse_histogram *h);

/* -ENOMEM: nothing was counted. */
int reuse_histogram__cold(struct reuse_histogram *h, const struct reuse *r);
int reuse_histogram__refault(struct reuse_histogram *h, const struct reuse *r, __u64 distance);
int reuse_histogram__unseen(struct reuse_histogram *h, const struct reuse *r, __u64 bound);
/* Bring the count of a distance closer, for reuse_histogram__refault() to come. */
void reuse_histogram__prefetch(const struct reuse_histogram *h, __u64 distance);
/* The sampling rate falls to half: distances do, units stay. Never fails. */
void reuse_histogram__halve(struct reuse_histogram *h);

/* All fills, in units. */
__u64 reuse_histogram__accesses(const struct reuse_histogram *h);
/* Refaults of a distance >= y. Sampled distance d stands for d/rate .. (d+1)/rate pages, hence
 * it counts in part for y between d and d + 1; exact for whole y. */
double reuse_histogram__refaults_from(const struct reuse_histogram *h, double y);
/* Fills whose eviction was not seen, bound >= y: the bound is rounded up by at most 1/256. */
double reuse_histogram__unseen_from(const struct reuse_histogram *h, double y);
/* One more than the largest distance, and than the largest bound; 0 when there is none. */
__u64 reuse_histogram__refault_end(const struct reuse_histogram *h);
__u64 reuse_histogram__unseen_end(const struct reuse_histogram *h);

/* Misses with y more sampled pages: cold, refaults from y on, and half of the unseen from y on,
 * all of which may be hits or misses (but at y = 0, where every fill is a miss). */
double reuse_histogram__misses(const struct reuse_histogram *h, double y);
/* The same of one group, of the sampled accesses alone. */
double reuse_histogram__group_misses(const struct reuse_histogram *h, __u32 group, double y);
__u64 reuse_histogram__group_accesses(const struct reuse_histogram *h, __u32 group);
/* Sampled accesses, each counted once; 0: all was exact. */
__u64 reuse_histogram__samples(const struct reuse_histogram *h);

/* Bytes held beside the arena's blocks. */
size_t reuse_histogram__heap(const struct reuse_histogram *h);

#endif
