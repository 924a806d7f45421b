// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "distinct.h"
#include "sample.h"
#include "sampler.h"

/* Pages that are counted, for each one that is followed. Where the rate is to fall from 1 all are,
 * which costs no more than to choose among them. */
#define COUNT_FACTOR 8

int sampler__init(struct sampler *s, double rate, __u64 seed, bool may_fall)
{
	*s = (struct sampler){.threshold = sample__threshold(rate)};
	s->rate = sample__rate(s->threshold);
	s->filter.key = sample__key(seed);
	s->filter.threshold = sample__threshold(fmin(COUNT_FACTOR * rate, 1));
	s->filter.isa = filter__best();
	if (s->rate >= 1 && !may_fall)
		return 0;
	s->distinct = calloc(1, sizeof(*s->distinct));
	return s->distinct ? 0 : -ENOMEM;
}

void sampler__free(struct sampler *s)
{
	free(s->distinct);
	s->distinct = NULL;
}

void sampler__lower(struct sampler *s, __u64 threshold)
{
	s->threshold = threshold;
	s->rate = sample__rate(threshold);
}

size_t sampler__take(struct sampler *s, const __u64 *pages, size_t n, __u64 *hashes, __u64 *lots)
{
	size_t counted = filter__apply(&s->filter, pages, n, hashes, lots), followed = 0;

	if (!s->distinct)
		return counted;
	for (size_t i = 0; i < counted; i++) {
		distinct__add(s->distinct, hashes[i]);
		hashes[followed] = hashes[i];
		lots[followed] = lots[i];
		followed += lots[i] <= s->threshold;
	}
	return followed;
}

bool sampler__follows(const struct sampler *s, __u64 hash)
{
	return sample__lot(sample__page(hash, s->filter.key), s->filter.key) <= s->threshold;
}

size_t sampler__heap(const struct sampler *s)
{
	return s->distinct ? sizeof(*s->distinct) : 0;
}

/*
 * Double sampling (Cochran, Sampling Techniques, 12.1): the pages that are followed are more or
 * fewer than the rate's share of all, which are known better, for more of them were counted. The
 * ones are among the others: what the two numbers differ by has the difference of their variances,
 * and that of counting.
 */
struct sampler_known sampler__known(const struct sampler *s, double followed, double seen)
{
	double share = sample__rate(s->filter.threshold), counting = pow(distinct__error(), 2);
	struct sampler_known k = {.stretch = 1};
	double counted, of_followed, of_counted, told, weight;

	if (!s->distinct || s->rate >= share || !(followed > 0))
		return k;
	counted = distinct__estimate(s->distinct) / share;
	of_followed = (1 - s->rate) / followed;
	of_counted = (1 - share) / (counted * share);
	told = of_followed - of_counted;
	if (!(told > 0))
		return k;
	weight = told / (told + counting);
	k.pages = seen + weight * (counted - seen);
	k.pages_error = k.pages * sqrt(of_counted + weight * counting);
	k.stretch = 1 + weight * (followed / (counted * s->rate) - 1);
	k.certain = weight * told / of_followed;
	return k;
}
