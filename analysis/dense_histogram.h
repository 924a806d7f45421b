/* SPDX-License-Identifier: GPL-2.0 */
/* Exact counts of distances: 4 bytes a distance, 8 once one of them could need more. */
#ifndef HVTRACE_DENSE_HISTOGRAM_H
#define HVTRACE_DENSE_HISTOGRAM_H

#include "../cache/region.h"

#include <linux/types.h>

/* Zero-initialised is empty. */
struct dense_histogram {
	__u32 *low, *high; /* high: NULL as long as no count can be that large */
	__u64 room;	   /* distances */
	__u64 end;	   /* one more than the largest counted */
	__u64 counted;
	struct region lows, highs;
};

void dense_histogram__free(struct dense_histogram *h, struct memory *m);
/* Make room for n more counts of distances below end. -ENOMEM: nothing changed. */
int dense_histogram__reserve(struct dense_histogram *h, struct memory *m, __u64 end, __u64 n);

/* There is room. */
static inline void dense_histogram__add(struct dense_histogram *h, __u64 d)
{
	if (!++h->low[d])
		h->high[d]++;
	if (d >= h->end)
		h->end = d + 1;
	h->counted++;
}

/* See page_table__prefetch(). */
static inline __attribute__((always_inline)) void
dense_histogram__prefetch(const struct dense_histogram *h, __u64 d)
{
	__builtin_prefetch(&h->low[d], 1);
}

/* out[i] = count of distances >= y[i], for ascending y. Distances are whole: between two of them
 * the count is taken on the line between. */
void dense_histogram__from(const struct dense_histogram *h, const double *y, size_t n, double *out);

#endif
