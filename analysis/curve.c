// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "curve.h"
#include "reuse_histogram.h"

/* The normal distribution's 95 %, two-sided. */
#define Z_95 1.96

double curve_point__ratio(const struct curve_point *p)
{
	return p->accesses > 0 ? p->misses / p->accesses : 0;
}

struct curve_sums *curve_sums__new(const __u64 *sizes, size_t n)
{
	struct curve_sums *s = calloc(1, sizeof(*s) + n * sizeof(s->at[0]));

	if (!s)
		return NULL;
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->at[i].size = sizes[i];
		s->at[i].rate = 1;
	}
	return s;
}

static void take(struct curve_sum *s, const struct reuse_histogram *h, const struct reuse_misses *m,
		 const struct curve_scale *scale)
{
	*s = (struct curve_sum){
		.size = s->size,
		.accesses = reuse_histogram__exact_accesses(h),
		.misses = m->exact,
		.stands_for = scale->sampled,
		.drawn_from = scale->sampled,
		.pages = scale->pages > 0 ? fmax(scale->pages - reuse_histogram__exact_cold(h), 0)
					  : 0,
		.pages_error = scale->pages_error,
		.unseen = m->unseen,
		.lean = m->fewer - m->more,
		.rate = scale->rate,
		.sampled = reuse_histogram__samples(h) > 0 || scale->sampled > 0,
	};
	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		s->group_misses[g] = m->group[g];
		s->group_accesses[g] = reuse_histogram__group_accesses(h, g);
		s->group_pages[g] = reuse_histogram__group_cold(h, g);
	}
}

/*
 * A distance of D pages holds about D * rate sampled ones, give or take the root of
 * D * rate * (1 - rate): the curve may be off sideways by as much, all groups together. What is
 * known to be off of all pages is so of D of them, in proportion; it leaves 1 - D / pages of the
 * variance (regression of the one number on the other).
 */
static double sideways(double size, const struct curve_scale *scale)
{
	double known = scale->pages > 0 ? scale->certain * fmin(size / scale->pages, 1) : 0;

	return Z_95 * sqrt(size * (1 - scale->rate) / scale->rate * (1 - known));
}

/* Groups hold distances at low resolution: together they are to be what was counted. */
static void scale_groups(struct reuse_misses *m)
{
	double sum = 0;

	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		sum += m->group[g];
	for (int g = 0; g < ESTIMATE_GROUPS && sum > 0; g++)
		m->group[g] *= m->sampled / sum;
}

int curve_sums__take(struct curve_sums *s, const struct reuse_histogram *h,
		     const struct curve_scale *scale)
{
	double *size = malloc((s->n + 1) * 2 * sizeof(*size)), *off;
	struct reuse_misses *m = malloc((s->n + 1) * sizeof(*m));
	int err = -ENOMEM;

	if (!size || !m)
		goto out;
	off = size + s->n;
	for (size_t i = 0; i < s->n; i++) {
		size[i] = s->at[i].size;
		off[i] = sideways(size[i], scale);
	}
	err = reuse_histogram__misses(h, size, off, scale->stretch, s->n, m);
	for (size_t i = 0; !err && i < s->n; i++) {
		scale_groups(&m[i]);
		take(&s->at[i], h, &m[i], scale);
	}
out:
	free(size);
	free(m);
	return err;
}

void curve_sums__copy(struct curve_sums *to, const struct curve_sums *from)
{
	memcpy(to, from, sizeof(*to) + from->n * sizeof(from->at[0]));
}

/* Small sizes are told of by a sample of pages at first, by one of references when that says more:
 * between the two kinds of sums there is no difference to speak of. */
static bool of_two_kinds(const struct curve_sum *s, const struct curve_sum *o)
{
	return s->by_time != o->by_time && s->stands_for > 0 && o->stands_for > 0;
}

static void add(struct curve_sum *s, const struct curve_sum *o, double factor)
{
	if (of_two_kinds(s, o))
		s->unseen += 2 * fabs(factor) * o->stands_for;
	s->accesses += factor * o->accesses;
	s->misses += factor * o->misses;
	s->stands_for += factor * o->stands_for;
	s->drawn_from += factor * o->drawn_from;
	s->unseen += factor * o->unseen;
	s->lean += factor * o->lean;
	s->rate = fmin(s->rate, o->rate);
	s->sampled |= o->sampled;
	s->by_time |= o->by_time;
	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		s->group_misses[g] += factor * o->group_misses[g];
		s->group_accesses[g] += factor * o->group_accesses[g];
	}
}

void curve_sums__add(struct curve_sums *s, const struct curve_sums *other, double factor)
{
	for (size_t i = 0; i < s->n; i++)
		add(&s->at[i], &other->at[i], factor);
}

/*
 * The hottest pages that are not in the sample are about 1 / rate of them; references to them are
 * within a few times as many pages of each other.
 */
static double blind(double sampled_pages)
{
	return fmin(fmax((64 - sampled_pages) / 48, 0), 1);
}

/* What the sample says of the accesses among which it chose. */
static struct estimate estimate(const struct curve_sum *s)
{
	double misses[ESTIMATE_GROUPS], accesses[ESTIMATE_GROUPS], pages[ESTIMATE_GROUPS];
	struct sample sample = {
		.misses = misses,
		.accesses = accesses,
		.pages = pages,
		.rate = s->rate,
		.total_accesses = s->drawn_from,
		.total_pages = s->pages,
		.pages_error = s->pages_error,
	};

	if (!s->by_time)
		sample.blind = blind(s->size * s->rate);
	/* In sums each access counts for 1 / rate of them. */
	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		misses[g] = s->group_misses[g] * s->rate;
		accesses[g] = s->group_accesses[g] * s->rate;
		pages[g] = s->group_pages[g] * s->rate;
	}
	return estimate__misses(&sample);
}

static double group_accesses(const struct curve_sum *s)
{
	double sum = 0;

	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		sum += s->group_accesses[g];
	return sum;
}

/* Add what the sample says. */
static void add_estimate(const struct curve_sum *s, struct curve_point *p)
{
	double drawn_from = s->drawn_from > 0 ? s->drawn_from : group_accesses(s);
	double stands_for = s->drawn_from > 0 ? s->stands_for : drawn_from, share;
	struct estimate e = estimate(s);

	if (!(drawn_from > 0)) {
		/* Nothing was looked at of what it stands for. */
		p->accesses += s->stands_for;
		p->error = s->stands_for > 0;
		return;
	}
	p->accesses += stands_for;
	p->misses += e.misses * stands_for / drawn_from;
	share = stands_for / p->accesses;
	p->error += share * hypot(e.error, fmax(s->lean / 2, 0) / drawn_from);
}

static struct curve_point point(const struct curve_sum *s)
{
	struct curve_point p = {
		.size = s->size,
		.misses = s->misses,
		.accesses = s->accesses,
	};

	if (s->sampled)
		add_estimate(s, &p);
	if (s->size == 0)
		p.misses = p.accesses;
	p.misses = fmin(fmax(p.misses, 0), p.accesses);
	if (s->size == 0 || !(p.accesses > 0))
		p.error = 0;
	else
		p.error = fmin(p.error + s->unseen / 2 / p.accesses, 1);
	return p;
}

/* Points that are one and the same on average. */
struct block {
	double misses, weight;
	size_t points;
};

static double weight(const struct curve_point *p)
{
	return 1 / fmax(p->error * p->error, 1e-12);
}

static void merge(struct block *into, const struct block *b)
{
	double weight = into->weight + b->weight;

	into->misses = (into->misses * into->weight + b->misses * b->weight) / weight;
	into->weight = weight;
	into->points += b->points;
}

/*
 * More memory never means more misses under LRU, but estimates at two sizes may: isotonic
 * regression, by pooling adjacent violators (Ayer et al., Ann. Math. Statist. 26(4), 1955), brings
 * each point to the truth or nearer. Without memory for it they stay as they are.
 */
static void make_monotone(struct curve_point *p, size_t n)
{
	struct block *blocks = malloc((n + 1) * sizeof(*blocks));
	size_t nr = 0, at = 0;

	if (!blocks)
		return;
	for (size_t i = 0; i < n; i++) {
		blocks[nr++] = (struct block){p[i].misses, weight(&p[i]), 1};
		while (nr > 1 && blocks[nr - 2].misses < blocks[nr - 1].misses) {
			merge(&blocks[nr - 2], &blocks[nr - 1]);
			nr--;
		}
	}
	for (size_t b = 0; b < nr; b++)
		while (blocks[b].points--)
			p[at++].misses = blocks[b].misses;
	free(blocks);
}

void curve_sums__points(const struct curve_sums *s, struct curve_point *out)
{
	bool sampled = false;

	for (size_t i = 0; i < s->n; i++) {
		out[i] = point(&s->at[i]);
		sampled |= s->at[i].sampled;
	}
	if (sampled)
		make_monotone(out, s->n);
}

struct curve_point curve_point__at(const struct curve_point *points, size_t n, __u64 size)
{
	const struct curve_point *low, *high;
	struct curve_point p;
	double share;
	size_t i = 0;

	while (i < n && points[i].size < size)
		i++;
	high = &points[i < n ? i : n - 1];
	low = i ? &points[i - 1] : high;
	share = high->size > low->size && i < n
			? (double)(size - low->size) / (high->size - low->size)
			: 1;
	p = (struct curve_point){
		.size = size,
		.misses = low->misses + (high->misses - low->misses) * share,
		.accesses = low->accesses + (high->accesses - low->accesses) * share,
		.error = low->error + (high->error - low->error) * share,
	};
	return p;
}
