/* SPDX-License-Identifier: GPL-2.0 */
/* Which references of a stream are to sampled pages: all that most references cost. */
#ifndef ANALYSIS_FILTER_H
#define ANALYSIS_FILTER_H

#include <stddef.h>
#include <linux/types.h>

/* Which code path: all give the same. */
enum filter_isa { FILTER_PORTABLE, FILTER_AVX512, FILTER_ISAS };
enum filter_isa filter__best(void);

/* A page is in the sample when lot + offset <= threshold (modulo 2^64): another offset, another
 * sample of the same lots. */
struct filter {
	__u64 key; /* sample__key() */
	__u64 offset, threshold;
	enum filter_isa isa;
};

/* The hashes and lots of those of n references that are in the sample, in order; each array has
 * room for n. How many there are. */
size_t filter__apply(const struct filter *f, const __u64 *pages, size_t n, __u64 *hashes,
		     __u64 *lots);

#endif
