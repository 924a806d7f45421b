// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>

#include "dense_histogram.h"

void dense_histogram__free(struct dense_histogram *h, struct memory *m)
{
	region__free(&h->lows, m);
	region__free(&h->highs, m);
	*h = (struct dense_histogram){0};
}

/* More than is asked for: it is asked for a little at a time. */
static __u64 with_slack(__u64 end)
{
	return end + end / 16 + 512;
}

int dense_histogram__reserve(struct dense_histogram *h, struct memory *m, __u64 end, __u64 n)
{
	__u64 room = end > h->room ? with_slack(end) : h->room;

	if (room > h->room && region__grow(&h->lows, m, room * sizeof(*h->low)))
		return -ENOMEM;
	h->low = h->lows.base;
	/* Once they are there, they are as many as the low ones. */
	if (h->high || h->counted + n > ~0U) {
		if (region__grow(&h->highs, m, room * sizeof(*h->high)))
			return -ENOMEM;
		h->high = h->highs.base;
	}
	h->room = room;
	return 0;
}

static __u64 count_at(const struct dense_histogram *h, __u64 d)
{
	if (d >= h->end)
		return 0;
	return h->low[d] + (h->high ? (__u64)h->high[d] << 32 : 0);
}

static __u64 count_range(const struct dense_histogram *h, __u64 from, __u64 to)
{
	__u64 n = 0, high = 0;

	for (__u64 d = from; d < to; d++)
		n += h->low[d];
	for (__u64 d = from; h->high && d < to; d++)
		high += h->high[d];
	return n + (high << 32);
}

void dense_histogram__from(const struct dense_histogram *h, const double *y, size_t n, double *out)
{
	__u64 sum = 0, above = h->end;

	/* One pass from the largest distance down. */
	for (size_t i = n; i-- > 0;) {
		double from = ceil(fmax(y[i], 0));
		__u64 d = from < h->end ? from : h->end;

		if (d < above) {
			sum += count_range(h, d, above);
			above = d;
		}
		out[i] = sum;
		if (y[i] > 0 && from - y[i] > 0 && from < 0x1p53)
			out[i] += (from - y[i]) * count_at(h, from - 1);
	}
}
