// SPDX-License-Identifier: GPL-2.0
/*
 * Octave 0 holds 0 .. 2^bits - 1, octave k > 0 holds 2^(bits+k-1) .. 2^(bits+k) - 1 in steps of
 * 2^(k-1): each has 2^bits buckets.
 */
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

void log_histogram__clear(struct log_histogram *h)
{
	for (int k = 0; k < LOG_HISTOGRAM_OCTAVES; k++) {
		free(h->octave[k]);
		h->octave[k] = NULL;
	}
}

__u64 *log_histogram__at(struct log_histogram *h, __u64 value)
{
	__u32 k = octave_of(h, value);

	if (!h->octave[k])
		h->octave[k] = calloc(1ULL << h->bits, sizeof(*h->octave[k]));
	return h->octave[k] ? &h->octave[k][bucket_of(h, k, value)] : NULL;
}

__u64 log_histogram__round_up(const struct log_histogram *h, __u64 value)
{
	__u64 step = 1ULL << step_shift(octave_of(h, value));

	return value > ~0ULL - step ? value : (value + step - 1) & ~(step - 1);
}

static double octave_from(const struct log_histogram *h, __u32 k, double y)
{
	double width = 1ULL << step_shift(k), n = 0;

	for (__u64 i = 0; i < 1ULL << h->bits; i++) {
		double low = bucket_low(h, k, i);

		if (!h->octave[k][i] || low + width <= y)
			continue;
		n += low >= y ? h->octave[k][i] : h->octave[k][i] * ((low + width - y) / width);
	}
	return n;
}

double log_histogram__from(const struct log_histogram *h, double y)
{
	double n = 0;

	for (__u32 k = 0; k < LOG_HISTOGRAM_OCTAVES; k++)
		if (h->octave[k])
			n += octave_from(h, k, y);
	return n;
}

/* Octaves 0 and 1 have steps of 1; halves of their values all lie in octave 0. */
static void halve_lowest(struct log_histogram *h)
{
	__u64 n = 1ULL << h->bits, *low = h->octave[0], *high = h->octave[1];

	for (__u64 i = 0; low && i < n; i++) {
		__u64 v = low[i];

		low[i] = 0;
		low[i / 2] += v;
	}
	h->octave[1] = NULL;
	if (!high)
		return;
	/* Downwards, within the array: what is read was not written yet. */
	for (__u64 i = n; i-- > n / 2;)
		high[i] = high[2 * i - n] + high[2 * i - n + 1];
	for (__u64 i = 0; i < n / 2; i++)
		high[i] = 0;
	for (__u64 i = 0; low && i < n; i++)
		high[i] += low[i];
	free(low);
	h->octave[0] = high;
}

void log_histogram__halve(struct log_histogram *h)
{
	halve_lowest(h);
	for (int k = 2; k < LOG_HISTOGRAM_OCTAVES; k++) {
		h->octave[k - 1] = h->octave[k];
		h->octave[k] = NULL;
	}
}

__u64 log_histogram__end(const struct log_histogram *h)
{
	for (__u32 k = LOG_HISTOGRAM_OCTAVES; k-- > 0;) {
		if (!h->octave[k])
			continue;
		for (__u64 i = 1ULL << h->bits; i-- > 0;)
			if (h->octave[k][i])
				return bucket_low(h, k, i) + (1ULL << step_shift(k));
	}
	return 0;
}

size_t log_histogram__heap(const struct log_histogram *h)
{
	size_t n = 0;

	for (int k = 0; k < LOG_HISTOGRAM_OCTAVES; k++)
		n += h->octave[k] ? sizeof(__u64) << h->bits : 0;
	return n;
}
