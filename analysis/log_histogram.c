// SPDX-License-Identifier: GPL-2.0
/*
 * Octave 0 holds 0 .. 2^bits - 1, octave k > 0 holds 2^(bits+k-1) .. 2^(bits+k) - 1 in steps of
 * 2^(k-1): each has 2^bits buckets.
 */
#include <errno.h>
#include <stdlib.h>

#include "log_histogram.h"

static __u32 octave_of(const struct log_histogram *h, __u64 value)
{
	return value >> h->bits ? 64 - __builtin_clzll(value) - h->bits : 0;
}

static __u32 step_shift(__u32 octave)
{
	return octave ? octave - 1 : 0;
}

static __u64 bucket_of(const struct log_histogram *h, __u32 octave, __u64 value)
{
	return (value >> step_shift(octave)) & ((1ULL << h->bits) - 1);
}

static __u64 bucket_low(const struct log_histogram *h, __u32 octave, __u64 i)
{
	return octave ? (i + (1ULL << h->bits)) << step_shift(octave) : i;
}

static size_t octave_bytes(const struct log_histogram *h)
{
	return sizeof(struct log_octave) + (sizeof(double) << h->bits);
}

void log_histogram__clear(struct log_histogram *h)
{
	for (int k = 0; k < LOG_HISTOGRAM_OCTAVES; k++) {
		free(h->octave[k]);
		h->octave[k] = NULL;
	}
	h->used = 0;
}

int log_histogram__add(struct log_histogram *h, __u64 value, double weight)
{
	__u32 k = octave_of(h, value);
	struct log_octave *o = h->octave[k];

	if (!o) {
		o = calloc(1, octave_bytes(h));
		if (!o)
			return -ENOMEM;
		h->octave[k] = o;
		h->used = h->used > k ? h->used : k + 1;
	}
	o->sum += weight;
	o->bucket[bucket_of(h, k, value)] += weight;
	return 0;
}

__u64 log_histogram__round_up(const struct log_histogram *h, __u64 value)
{
	__u64 step = 1ULL << step_shift(octave_of(h, value));

	return value > ~0ULL - step ? value : (value + step - 1) & ~(step - 1);
}

static double octave_from(const struct log_histogram *h, __u32 k, double y)
{
	const double *bucket = h->octave[k]->bucket;
	double width = 1ULL << step_shift(k), low = bucket_low(h, k, 0), n;
	__u64 last = (1ULL << h->bits) - 1, i;

	if (y <= low)
		return h->octave[k]->sum;
	/* Before it becomes an integer: it may be larger than there are. */
	if (y >= low + (last + 1) * width)
		return 0;
	i = (y - low) / width;
	n = bucket[i] * ((low + (i + 1) * width - y) / width);
	while (i++ < last)
		n += bucket[i];
	return n;
}

double log_histogram__from(const struct log_histogram *h, double y)
{
	double n = 0;

	for (__u32 k = h->used; k-- > 0;) {
		if (!h->octave[k])
			continue;
		n += octave_from(h, k, y);
		if (y >= bucket_low(h, k, 0))
			break; /* all below are smaller */
	}
	return n;
}

__u64 log_histogram__end(const struct log_histogram *h)
{
	for (__u32 k = LOG_HISTOGRAM_OCTAVES; k-- > 0;) {
		if (!h->octave[k])
			continue;
		for (__u64 i = 1ULL << h->bits; i-- > 0;)
			if (h->octave[k]->bucket[i] != 0)
				return bucket_low(h, k, i) + (1ULL << step_shift(k));
	}
	return 0;
}

size_t log_histogram__heap(const struct log_histogram *h)
{
	size_t n = 0;

	for (int k = 0; k < LOG_HISTOGRAM_OCTAVES; k++)
		n += h->octave[k] ? octave_bytes(h) : 0;
	return n;
}
