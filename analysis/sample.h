/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which pages a sampled analysis follows: those whose hash is at or under a threshold (SHARDS,
 * Waldspurger et al., FAST '15). The hash is a bijection: pages are told apart by it.
 */
#ifndef ANALYSIS_SAMPLE_H
#define ANALYSIS_SAMPLE_H

#include <math.h>

#include "../bpf/page_event.h"

/* Seed 0 follows the pages that the BPF programs follow; the finalizer leaves 0 as it is. */
static inline __u64 sample__hash(__u64 page, __u64 seed)
{
	return pe_hash(page ^ pe_hash(seed, 0), 0);
}

/* The highest hash at a rate above 0, up to 1. No integer factor between pages and sampled pages:
 * it would be off near 1. */
static inline __u64 sample__threshold(double rate)
{
	__u64 hashes;

	if (rate >= 1)
		return PE_SAMPLE_ALL;
	hashes = (__u64)ldexp(rate, 64);
	return hashes ? hashes - 1 : 0;
}

static inline double sample__rate(__u64 threshold)
{
	return ldexp((double)threshold + 1, -64);
}

#endif
