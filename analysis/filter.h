/* SPDX-License-Identifier: GPL-2.0 */
/* Which references of a stream are to sampled pages: all that most references cost. */
#ifndef ANALYSIS_FILTER_H
#define ANALYSIS_FILTER_H

#include <stddef.h>
#include <linux/types.h>

/* Which code path: all give the same. */
enum filter_isa { FILTER_PORTABLE, FILTER_AVX512, FILTER_ISAS };
enum filter_isa filter__best(void);

/* A page is in the sample when hash + offset <= threshold (modulo 2^64): another offset, another
 * sample by the same hash. */
struct filter {
	__u64 key; /* pe_hash(seed, 0): see sample__hash() */
	__u64 offset, threshold;
	enum filter_isa isa;
};

/* The hashes of those of n references that are in the sample, in order; out has room for n. How
 * many there are. */
size_t filter__apply(const struct filter *f, const __u64 *pages, size_t n, __u64 *out);

#endif
