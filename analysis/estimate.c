// SPDX-License-Identifier: GPL-2.0
#include <math.h>

#include "estimate.h"

/* Student's t for 95 % two-sided, ESTIMATE_GROUPS - 2 = 14 degrees of freedom. */
#define T_95 2.145

static double sum(const double *x)
{
	double s = 0;

	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		s += x[g];
	return s;
}

/* Sum of (x - mean of x) * (y - mean of y). */
static double covariation(const double *x, const double *y)
{
	double mx = sum(x) / ESTIMATE_GROUPS, my = sum(y) / ESTIMATE_GROUPS, s = 0;

	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		s += (x[g] - mx) * (y[g] - my);
	return s;
}

static double clamp(double x, double low, double high)
{
	return fmin(fmax(x, low), high);
}

/*
 * How many misses an access more or less in the sample brings: the groups tell. All accesses too
 * many are hits where a few hot pages make the difference (then it is 0, the correction of
 * SHARDS-adj), a part of them misses where all pages are alike (then it is the miss ratio, as in
 * SHARDS without correction).
 */
static double slope(const double *misses, const double *accesses)
{
	double spread = covariation(accesses, accesses);

	return spread > 0 ? clamp(covariation(misses, accesses) / spread, 0, 1) : 0;
}

/* Standard error of the sum of misses, given the accesses (Cochran, Sampling Techniques, 7.3),
 * less the share of the pages that is followed: with all of them there is none. */
static double standard_error(const double *misses, const double *accesses, double beta, double rate)
{
	double mm = sum(misses) / ESTIMATE_GROUPS, ma = sum(accesses) / ESTIMATE_GROUPS;
	double squares = 0;

	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		double off = misses[g] - mm - beta * (accesses[g] - ma);

		squares += off * off;
	}
	return sqrt((1 - rate) * squares * ESTIMATE_GROUPS / (ESTIMATE_GROUPS - 2));
}

/* The same far from what was sampled: the slope is uncertain as well. */
static double extrapolation(const double *accesses, double off)
{
	double spread = covariation(accesses, accesses);

	return spread > 0 ? sqrt(1 + off * off / ESTIMATE_GROUPS / spread) : 1;
}

/*
 * Of the accesses that the sample lacks or has too many, as many as chance explains going by the
 * groups, twice its standard error. What is beyond comes from a few pages hotter than any that
 * the groups could have told of: hits.
 */
static double explained(const double *accesses, double rate, double off)
{
	double variance = covariation(accesses, accesses) / (ESTIMATE_GROUPS - 1);
	double limit = 2 * sqrt((1 - rate) * variance * ESTIMATE_GROUPS);

	return clamp(off, -limit, limit);
}

/* Regression estimate. The error is never below 3 / n for n accesses in the sample: what did not
 * happen in n of them has a probability up to that (Hanley and Lippman-Hand, JAMA 1983). */
struct estimate estimate__misses(const double *misses, const double *accesses, double rate,
				 double total)
{
	double sampled = sum(accesses), beta = slope(misses, accesses);
	double off = total * rate - sampled;
	struct estimate e = {.misses = sum(misses)};

	if (rate >= 1)
		return e;
	e.error = total > 0 ? 1 : 0;
	if (!(sampled > 0))
		return e;
	e.misses += beta * explained(accesses, rate, off);
	e.misses = clamp(e.misses / rate, 0, total);
	e.error = T_95 * standard_error(misses, accesses, beta, rate) / rate / total;
	e.error *= extrapolation(accesses, off);
	e.error = clamp(e.error, 3 / sampled, 1);
	return e;
}

/* Ratio estimate (Cochran, 6.3). */
struct estimate estimate__misses_of_unknown(const double *misses, const double *accesses,
					    double rate)
{
	double sampled = sum(accesses), missed = sum(misses), ratio;
	struct estimate e = {.misses = missed / rate};

	if (rate >= 1 || !(sampled > 0))
		return e;
	ratio = missed / sampled;
	e.error = T_95 * standard_error(misses, accesses, ratio, rate) / sampled;
	e.error = clamp(e.error, 3 / sampled, 1);
	return e;
}
