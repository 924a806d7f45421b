/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which pages a sampled analysis follows: those whose lot is at or under a threshold (see
 * pe_lot()). Another seed draws other lots. Pages are told apart by their hash, a bijection.
 */
#ifndef ANALYSIS_SAMPLE_H
#define ANALYSIS_SAMPLE_H

#include <math.h>

#include "../bpf/page_event.h"

/* Of a seed: 0, that of the BPF programs, is 0. */
static inline __u64 sample__key(__u64 seed)
{
	return pe_hash(seed, 0);
}

static inline __u64 sample__hash(__u64 page, __u64 key)
{
	return pe_hash(page ^ key, 0);
}

static inline __u64 sample__page(__u64 hash, __u64 key)
{
	return pe_unhash(hash, 0) ^ key;
}

/* pe_lot(), for seed 0. */
static inline __u64 sample__lot(__u64 page, __u64 key)
{
	return page * PE_GOLDEN + pe_place(page >> PE_LOT_SHIFT ^ key);
}

/* The highest lot at a rate above 0, up to 1. No integer factor between pages and sampled pages:
 * it would be off near 1. */
static inline __u64 sample__threshold(double rate)
{
	__u64 lots;

	if (rate >= 1)
		return PE_SAMPLE_ALL;
	lots = (__u64)ldexp(rate, 64);
	return lots ? lots - 1 : 0;
}

static inline double sample__rate(__u64 threshold)
{
	return ldexp((double)threshold + 1, -64);
}

#endif
