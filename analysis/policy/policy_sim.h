/* SPDX-License-Identifier: GPL-2.0 */
/* A simulation of many sizes at once; internal, see hvanalysis.h for what it promises. */
#ifndef ANALYSIS_POLICY_POLICY_SIM_H
#define ANALYSIS_POLICY_POLICY_SIM_H

#include "../sampler.h"
#include "page_numbers.h"
#include "policy.h"

/* References simulated in one go, size by size, so that a cache's state stays in L2 meanwhile. */
#define POLICY_BATCH 4096

struct sim_size {
	__u64 size;		    /* pages */
	__u32 capacity;		    /* sampled pages */
	struct policy_cache *cache; /* from when the footprint is larger; NULL if looking ahead */
	unsigned int step;	    /* on the grid, if chosen */
};

struct policy_sim {
	const struct policy_ops *ops;
	struct sampler sampler;
	struct sampler_known known;	 /* when the curve was asked for */
	__u64 references;		 /* sampled or not */
	__u64 accesses[ESTIMATE_GROUPS]; /* sampled */
	__u64 cold[ESTIMATE_GROUPS];	 /* sampled pages */
	struct page_numbers numbers;

	/* Those before `forked` are smaller than the footprint. All others share one cache, which
	 * has not evicted anything. */
	struct sim_size *sizes;
	size_t nr_sizes, forked;
	struct policy_cache *open; /* NULL: there are no others */
	__u32 next_capacity;	   /* of the next to fork */
	bool choose;		   /* sizes as the footprint grows, see size_grid.c: */
	unsigned int step, stride; /* of next_capacity, and from one size to the next */

	__u32 room; /* pages that all caches have state for */
	size_t n;   /* references waiting */
	__u8 group[POLICY_BATCH];
	__u32 page[POLICY_BATCH + POLICY_AHEAD];
	__u64 hash[POLICY_BATCH], lot[POLICY_BATCH];
};

/* Simulate what is waiting. -ENOMEM. */
int policy_sim__flush(struct policy_sim *s);

/* --- sizes to choose --- */

void size_grid__init(struct policy_sim *s);
/* Whether next_capacity is still on the grid, with room for one more size: thins it if need be. */
bool size_grid__wants(struct policy_sim *s);
void size_grid__take(struct policy_sim *s, struct policy_cache *cache);
/* Go on to the next next_capacity. */
void size_grid__next(struct policy_sim *s);

#endif
