// SPDX-License-Identifier: GPL-2.0
#include <math.h>

#include "curve.h"
#include "reuse_histogram.h"

/* Student's t for 95 % two-sided, REUSE_GROUPS - 1 = 15 degrees of freedom. */
#define T_95 2.131
/* The normal distribution's. */
#define Z_95 1.96

double curve_point__ratio(const struct curve_point *p)
{
	return p->accesses > 0 ? p->misses / p->accesses : 0;
}

/*
 * Which pages are in the sample decides what share of its accesses misses. The groups are as
 * many smaller samples: with m_g misses of a_g accesses each, and r the ratio of the sums, the
 * variance of r is that of a ratio estimate (Cochran, Sampling Techniques, 6.3),
 *
 *	G / (G - 1) * sum (m_g - r a_g)^2 / A^2
 *
 * less the share of pages that is sampled: with all of them there is no such error. Accesses
 * that were counted when all pages were sampled are in A, but bring no error.
 */
static double group_error(const struct reuse_histogram *h, double rate, double y, double accesses)
{
	double misses = 0, sampled = 0, squares = 0, ratio;

	for (int g = 0; g < REUSE_GROUPS; g++) {
		misses += reuse_histogram__group_misses(h, g, y);
		sampled += reuse_histogram__group_accesses(h, g);
	}
	ratio = sampled > 0 ? misses / sampled : 0;
	for (int g = 0; g < REUSE_GROUPS; g++) {
		double off = reuse_histogram__group_misses(h, g, y) -
			     ratio * reuse_histogram__group_accesses(h, g);

		squares += off * off;
	}
	return T_95 * sqrt((1 - rate) * squares * REUSE_GROUPS / (REUSE_GROUPS - 1)) / accesses;
}

/*
 * A distance of D pages holds about D * rate sampled ones, give or take the root of
 * D * rate * (1 - rate): the curve may be off sideways by as much, all groups together. Not the
 * part of it that was counted when all pages were sampled.
 */
static double shift_error(const struct reuse_histogram *h, double rate, double y, double accesses)
{
	double off = Z_95 * sqrt(y * (1 - rate));
	double here = reuse_histogram__misses(h, y);
	/* Not down to 0 pages: that every fill is a miss there is no matter of chance. */
	double left = reuse_histogram__misses(h, y > off ? y - off : y / 2) - here;
	double right = here - reuse_histogram__misses(h, y + off);

	return (left > right ? left : right) / accesses;
}

static double sampled_share(const struct reuse_histogram *h, double accesses)
{
	double sampled = 0;

	for (int g = 0; g < REUSE_GROUPS; g++)
		sampled += reuse_histogram__group_accesses(h, g);
	return sampled / accesses;
}

/*
 * 95 % half-width of sampling. Never below 3 / n for n sampled accesses: what did not happen in n
 * of them has a probability up to that (Hanley and Lippman-Hand, JAMA 1983).
 */
static double sampling_error(const struct reuse_histogram *h, double rate, double y,
			     double accesses)
{
	double group, shift, few, share;

	if (!reuse_histogram__samples(h) || y <= 0)
		return 0;
	share = sampled_share(h, accesses);
	group = group_error(h, rate, y, accesses);
	shift = share * shift_error(h, rate, y, accesses);
	few = share * 3 / reuse_histogram__samples(h);
	return fmax(sqrt(group * group + shift * shift), few);
}

void curve__point(const struct reuse_histogram *h, const struct curve_scale *scale,
		  struct curve_point *p)
{
	double accesses = reuse_histogram__accesses(h), y = p->size * scale->rate, bounds = 0;

	p->accesses = accesses * scale->unit;
	p->misses = reuse_histogram__misses(h, y) * scale->unit;
	p->error = 0;
	if (!(accesses > 0))
		return;
	if (y > 0)
		bounds = reuse_histogram__unseen_from(h, y) / 2 / accesses;
	p->error = fmin(bounds + sampling_error(h, scale->rate, y, accesses), 1);
}
