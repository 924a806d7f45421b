/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sample of a stream's pages, and what is known of it: which references are to pages that are
 * followed, and how many pages there are, for which more of them are counted than followed.
 */
#ifndef ANALYSIS_SAMPLER_H
#define ANALYSIS_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

#include "filter.h"

struct distinct;

struct sampler {
	struct filter filter;	   /* of the pages that are counted */
	__u64 threshold;	   /* of those among them that are followed */
	double rate;		   /* share of all pages that is followed */
	struct distinct *distinct; /* NULL: every page is followed, and will be */
};

/* may_fall: the rate will be lowered. -ENOMEM. */
int sampler__init(struct sampler *s, double rate, __u64 seed, bool may_fall);
void sampler__free(struct sampler *s);
/* Follow fewer pages. */
void sampler__lower(struct sampler *s, __u64 threshold);
/* The hashes and lots of those of n references that are followed, in order; each array has room
 * for n. How many there are. */
size_t sampler__take(struct sampler *s, const __u64 *pages, size_t n, __u64 *hashes, __u64 *lots);
/* Whether the page of a hash is followed. */
bool sampler__follows(const struct sampler *s, __u64 hash);
size_t sampler__heap(const struct sampler *s);

struct sampler_known {
	double pages; /* distinct ones in the stream; 0: not known better than by the sample, */
	double pages_error; /* else the standard error of that */
	double stretch;	    /* pages followed for each that was to be expected; 1: not known */
	double certain;	    /* how much of that is known for sure, 0 to 1 */
};
/* followed: pages that are; seen: pages of the stream going by those followed at each time. */
struct sampler_known sampler__known(const struct sampler *s, double followed, double seen);

#endif
