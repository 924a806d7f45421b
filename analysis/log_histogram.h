/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A histogram of relative resolution: 2^bits buckets to each power of two, exact below 2^bits,
 * octaves allocated when they are first counted in. Counts are weights, exact as long as they are
 * whole numbers below 2^53.
 */
#ifndef HVTRACE_LOG_HISTOGRAM_H
#define HVTRACE_LOG_HISTOGRAM_H

#include <stddef.h>
#include <linux/types.h>

#define LOG_HISTOGRAM_OCTAVES 64

struct log_octave {
	double sum, bucket[];
};

struct log_histogram {
	__u32 bits, used; /* no octave from `used` on */
	struct log_octave *octave[LOG_HISTOGRAM_OCTAVES];
};

/* All may be zero at first, but for bits. */
void log_histogram__clear(struct log_histogram *h);
/* -ENOMEM: nothing was counted. */
int log_histogram__add(struct log_histogram *h, __u64 value, double weight);
/* The start of the next bucket, unless value starts one: counts it as not less than it is. */
__u64 log_histogram__round_up(const struct log_histogram *h, __u64 value);
/* Count of values >= y; a bucket's values are taken as spread evenly over it. */
double log_histogram__from(const struct log_histogram *h, double y);
/* No value counted is at or above it (0: none counted). */
__u64 log_histogram__end(const struct log_histogram *h);
size_t log_histogram__heap(const struct log_histogram *h);

#endif
