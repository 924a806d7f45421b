// SPDX-License-Identifier: GPL-2.0
#include <math.h>

#include "distinct.h"

#define REGISTERS (1 << DISTINCT_BITS)
#define MAX_RANK 64

/* Ertl's sigma: what empty registers tell. x < 1. */
static double sigma(double x)
{
	double y = 1, z = x, before;

	do {
		x *= x;
		before = z;
		z += x * y;
		y += y;
	} while (z != before);
	return z;
}

/* Ertl's tau: what full ones do. */
static double tau(double x)
{
	double y = 1, z = 1 - x, before;

	if (x == 0 || x == 1)
		return 0;
	do {
		x = sqrt(x);
		before = z;
		y /= 2;
		z -= (1 - x) * (1 - x) * y;
	} while (z != before);
	return z / 3;
}

/* How many registers have each rank. Neighbours mostly have the same: four counts take turns, or
 * each addition would wait for the one before. */
static void count_ranks(const struct distinct *d, double *count)
{
	__u32 n[4][MAX_RANK + 1] = {0};

	for (int i = 0; i < REGISTERS; i++)
		n[i % 4][d->rank[i]]++;
	for (int k = 0; k <= MAX_RANK; k++)
		count[k] = n[0][k] + n[1][k] + n[2][k] + n[3][k];
}

double distinct__estimate(const struct distinct *d)
{
	double count[MAX_RANK + 1], m = REGISTERS, z;

	count_ranks(d, count);
	if (count[0] == m)
		return 0;
	z = m * tau(1 - count[MAX_RANK] / m);
	for (int k = MAX_RANK - 1; k >= 1; k--)
		z = (z + count[k]) / 2;
	z += m * sigma(count[0] / m);
	return m * m / (2 * M_LN2 * z);
}

double distinct__error(void)
{
	return 1.04 / sqrt(REGISTERS);
}
