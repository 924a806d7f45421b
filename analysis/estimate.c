// SPDX-License-Identifier: GPL-2.0
/*
 * Regression estimate (Cochran, Sampling Techniques, ch. 7): the sample's misses are corrected for
 * what it has too many or too few of, as far as that can be told: accesses, and distinct pages. By
 * how many misses an access or a page more comes with, the groups tell. Accesses that the sample
 * lacks are all hits where a few hot pages make the difference (the correction of SHARDS-adj), a
 * part of them misses where all pages are alike (SHARDS without correction): a slope says which.
 */
#include <math.h>
#include <stdbool.h>

#include "estimate.h"

/* Student's t for 95 % two-sided; ESTIMATE_GROUPS less the mean and one or two slopes. */
#define T_14 2.145
#define T_13 2.160

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

/* Misses that come with an access more, with a page more. */
struct slopes {
	double access, page;
	bool two;
};

/* Least squares. A page more comes with no fewer misses, an access more with one at most. */
static struct slopes fit(const struct sample *s)
{
	double aa = covariation(s->accesses, s->accesses), am, pp, ap, pm, det;
	struct slopes b = {0};

	if (!(aa > 0))
		return b;
	am = covariation(s->accesses, s->misses);
	b.access = clamp(am / aa, 0, 1);
	if (!s->pages || !(s->total_pages > 0))
		return b;
	pp = covariation(s->pages, s->pages);
	ap = covariation(s->accesses, s->pages);
	pm = covariation(s->pages, s->misses);
	det = aa * pp - ap * ap;
	/* Where pages have as many accesses each, one of the two says it all. */
	if (!(det > 0.2 * aa * pp))
		return b;
	b.two = true;
	b.access = clamp((am * pp - pm * ap) / det, 0, 1);
	b.page = fmax((pm - b.access * ap) / pp, 0);
	return b;
}

/* Standard error of the sum of misses, given the slopes, less the share of the pages that is
 * followed: with all of them there is none. */
static double standard_error(const struct sample *s, const struct slopes *b)
{
	int free = ESTIMATE_GROUPS - (b->two ? 3 : 2);
	double rest[ESTIMATE_GROUPS];

	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		rest[g] = s->misses[g] - b->access * s->accesses[g] -
			  (b->two ? b->page * s->pages[g] : 0);
	return sqrt((1 - s->rate) * covariation(rest, rest) * ESTIMATE_GROUPS / free);
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
static double explained(const struct sample *s, double off)
{
	double variance = covariation(s->accesses, s->accesses) / (ESTIMATE_GROUPS - 1);
	double limit = 2 * sqrt((1 - s->rate) * variance * ESTIMATE_GROUPS);

	return clamp(off, -limit, limit);
}

/*
 * Accesses that the sample lacks are those of a few hot pages that it has not. Where their
 * distances are known to be short they are hits; where not, they may be hits or misses.
 */
static double unknown(const struct sample *s, const struct slopes *b, double off)
{
	return s->blind * fmax(off, 0) * fmax(b->access, 1 - b->access);
}

/* The error is never below 3 / n for n accesses in the sample: what did not happen in n of them
 * has a probability up to that (Hanley and Lippman-Hand, JAMA 1983). */
static struct estimate of_known(const struct sample *s, double sampled)
{
	double off = s->total_accesses * s->rate - sampled, total = s->total_accesses;
	struct slopes b = fit(s);
	struct estimate e = {.misses = sum(s->misses) + b.access * explained(s, off)};
	double random = standard_error(s, &b) * extrapolation(s->accesses, off);

	if (b.two) {
		e.misses += b.page * (s->total_pages * s->rate - sum(s->pages));
		random = hypot(random, b.page * s->pages_error * s->rate);
	}
	e.misses = clamp(e.misses / s->rate, 0, total);
	random = (b.two ? T_13 : T_14) * random + unknown(s, &b, off);
	e.error = clamp(random / s->rate / total, 3 / sampled, 1);
	return e;
}

/* Ratio estimate (Cochran, ch. 6): as many accesses as the sample says. */
static struct estimate of_unknown(const struct sample *s, double sampled)
{
	double misses = sum(s->misses);
	struct slopes b = {.access = misses / sampled};

	return (struct estimate){
		.misses = misses / s->rate,
		.error = clamp(T_14 * standard_error(s, &b) / sampled, 3 / sampled, 1),
	};
}

struct estimate estimate__misses(const struct sample *s)
{
	double sampled = sum(s->accesses);

	if (s->rate >= 1)
		return (struct estimate){.misses = sum(s->misses)};
	if (!(sampled > 0))
		return (struct estimate){.error = s->total_accesses > 0};
	return s->total_accesses > 0 ? of_known(s, sampled) : of_unknown(s, sampled);
}
