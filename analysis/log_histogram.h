/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A histogram of relative resolution: 2^bits buckets to each power of two, exact below 2^bits,
 * octaves allocated when they are first counted in.
 */
#ifndef HVTRACE_LOG_HISTOGRAM_H
#define HVTRACE_LOG_HISTOGRAM_H

#include <stddef.h>

#include "../bpf/page_event.h"

#define LOG_HISTOGRAM_OCTAVES 64

struct log_histogram {
	__u32 bits;
	__u64 *octave[LOG_HISTOGRAM_OCTAVES];
};

/* Counts are u64 units; all else may be zero at first, but for bits. */
void log_histogram__clear(struct log_histogram *h);
/* The counter that value falls into, to be added to; NULL: no memory. */
__u64 *log_histogram__at(struct log_histogram *h, __u64 value);
/* The start of the next bucket, unless value starts one: counts it as not less than it is. */
__u64 log_histogram__round_up(const struct log_histogram *h, __u64 value);
/* Count of values >= y; a bucket's values are taken as spread evenly over it. */
double log_histogram__from(const struct log_histogram *h, double y);
/* Each value becomes half of itself. Never fails. */
void log_histogram__halve(struct log_histogram *h);
/* No value counted is at or above it (0: none counted). */
__u64 log_histogram__end(const struct log_histogram *h);
size_t log_histogram__heap(const struct log_histogram *h);

#endif
