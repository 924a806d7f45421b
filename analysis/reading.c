// SPDX-License-Identifier: GPL-2.0
/* What people ask of a curve: the size for a miss ratio, and where more memory stops to pay. */
#include <errno.h>
#include <math.h>

#include "hvanalysis.h"

/* Less than this is rounding of the arithmetic here. */
#define TINY 1e-9

/* Where the line from a to b, which falls through ratio, has it. */
static __u64 crossing(const struct curve_point *a, const struct curve_point *b, double ratio)
{
	double from = curve_point__ratio(a), to = curve_point__ratio(b);
	double share = (from - ratio) / (from - to);

	return a->size + (__u64)ceil(share * (double)(b->size - a->size) * (1 - TINY));
}

int curve__working_set(const struct curve_point *curve, size_t n, double ratio, __u64 *size)
{
	size_t i = 0;

	while (i < n && !(curve_point__ratio(&curve[i]) <= ratio))
		i++;
	if (i == n)
		return -ENOENT;
	*size = i ? crossing(&curve[i - 1], &curve[i], ratio) : curve[0].size;
	return 0;
}

/* How far a point lies below the line from the first to the last. */
static double below_line(const struct curve_point *curve, size_t n, size_t i)
{
	double from = curve_point__ratio(&curve[0]), to = curve_point__ratio(&curve[n - 1]);
	double whole = (double)(curve[n - 1].size - curve[0].size);
	double share = (double)(curve[i].size - curve[0].size) / whole;

	return from + (to - from) * share - curve_point__ratio(&curve[i]);
}

/* Both axes are scaled to 0..1 in the paper; that scales all distances from the line alike. */
int curve__knee(const struct curve_point *curve, size_t n, size_t *at)
{
	double furthest = 0;

	for (size_t i = 1; i + 1 < n; i++) {
		double below = below_line(curve, n, i);

		if (below <= furthest || below <= curve[i].error + TINY)
			continue;
		furthest = below;
		*at = i;
	}
	return furthest > 0 ? 0 : -ENOENT;
}
