// SPDX-License-Identifier: GPL-2.0
#include "appetite.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../../cache/minmax.h"
#include "../size.h"

/* Steps below the first point, where a straight line is guessed. */
#define GUESSED_STEPS 64

struct point {
	__u64 size; /* of the curve: pages on top of `direct` */
	double guess, lower, upper;
};

struct appetite {
	__u64 direct;
	double accesses, latency, weight;
	double slope; /* of the ratio a page less, below the first point; NAN: nothing is guessed */
	size_t n;
	struct point at[];
};

/* --- the curve, given or take --- */

static void take_points(struct appetite *a, const struct curve_point *p)
{
	for (size_t i = 0; i < a->n; i++) {
		double ratio = curve_point__ratio(&p[i]);

		/* No more than all accesses can miss, none can be negative. */
		a->at[i] = (struct point){
			.size = p[i].size,
			.guess = ratio,
			.lower = fmax(ratio - p[i].error, 0),
			.upper = fmin(ratio + p[i].error, fmax(ratio, 1)),
		};
	}
}

/* Memory that was enough at one size is enough at any larger one. */
static void make_monotone(struct appetite *a)
{
	for (size_t i = 1; i < a->n; i++)
		a->at[i].upper = fmin(a->at[i].upper, a->at[i - 1].upper);
	for (size_t i = a->n - 1; i-- > 0;)
		a->at[i].lower = fmax(a->at[i].lower, a->at[i + 1].lower);
	for (size_t i = 0; i < a->n; i++) {
		struct point *p = &a->at[i];

		p->lower = fmin(p->lower, p->upper);
		p->guess = fmax(fmin(p->guess, p->upper), p->lower);
	}
}

/* As if things went on as where they are worst. */
static double steepest(const struct appetite *a)
{
	double slope = 0;

	for (size_t i = 1; i < a->n; i++)
		slope = fmax(slope, (a->at[0].guess - a->at[i].guess) /
					    (double)(a->at[i].size - a->at[0].size));
	return slope;
}

static bool is_figure(double v, double min)
{
	return isfinite(v) && v >= min;
}

static bool are_points(const struct appetite_opts *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct curve_point *p = &o->points[i];

		if (p->size > SIZE_MAX_PAGES || (i && p->size <= p[-1].size))
			return false;
		if (!is_figure(p->misses, 0) || !is_figure(p->accesses, 0) ||
		    !is_figure(p->error, 0) || !isfinite(curve_point__ratio(p)))
			return false;
	}
	return o->n && o->direct <= SIZE_MAX_PAGES;
}

int appetite__new(struct appetite **out, const struct appetite_opts *o)
{
	struct appetite *a;

	*out = NULL;
	if (!are_points(o) || !is_figure(o->accesses, 0) || !is_figure(o->latency, 0) ||
	    !is_figure(o->weight, 0) || !o->weight)
		return -EINVAL;
	a = calloc(1, sizeof(*a) + o->n * sizeof(a->at[0]));
	if (!a)
		return -ENOMEM;
	a->direct = o->direct;
	a->accesses = o->accesses;
	a->latency = o->latency;
	a->weight = o->weight;
	a->n = o->n;
	take_points(a, o->points);
	make_monotone(a);
	a->slope = o->guess ? steepest(a) : NAN;
	*out = a;
	return 0;
}

void appetite__free(struct appetite *a)
{
	free(a);
}

/* --- at a size --- */

static bool knows(const struct appetite *a, __u64 pages)
{
	return pages >= a->direct + a->at[0].size;
}

static struct appetite_range below_the_curve(const struct appetite *a, __u64 pages)
{
	double more = a->slope * (double)(a->direct + a->at[0].size - pages);

	return (struct appetite_range){a->at[0].guess + more, a->at[0].lower,
				       a->at[0].upper + more};
}

/* The last point that is not past a size of the curve. */
static size_t point_at(const struct appetite *a, __u64 size)
{
	size_t low = 0, high = a->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (a->at[mid].size <= size)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static struct appetite_range ratio_at(const struct appetite *a, __u64 pages)
{
	const struct point *p, *next;
	double part;

	if (!knows(a, pages))
		return below_the_curve(a, pages);
	p = &a->at[point_at(a, pages - a->direct)];
	next = p + 1;
	if (p->size == pages - a->direct || next == a->at + a->n)
		return (struct appetite_range){p->guess, p->lower, p->upper};
	part = (double)(pages - a->direct - p->size) / (double)(next->size - p->size);
	return (struct appetite_range){p->guess + (next->guess - p->guess) * part, next->lower,
				       p->upper};
}

static struct appetite_range times(struct appetite_range r, double factor)
{
	return (struct appetite_range){r.guess * factor, r.lower * factor, r.upper * factor};
}

double appetite__lost_in_all(const struct appetite *a)
{
	return a->accesses * a->latency / 1e6;
}

void appetite__at(const struct appetite *a, __u64 pages, struct appetite_loss *out)
{
	struct appetite_range ratio = ratio_at(a, pages);

	out->known = knows(a, pages);
	out->ratio = ratio;
	out->misses = times(ratio, a->accesses);
	out->lost = times(ratio, appetite__lost_in_all(a));
}

__u64 appetite__known_from(const struct appetite *a)
{
	return a->direct + a->at[0].size;
}

__u64 appetite__flat_from(const struct appetite *a)
{
	size_t i = a->n - 1;

	while (i && a->at[i - 1].upper <= a->at[i].upper)
		i--;
	return a->direct + a->at[i].size;
}

/* --- assurances --- */

/* With less memory there would not be fewer misses: the first point's lower end holds below it. */
static double least_ratio(const struct appetite *a, __u64 pages)
{
	return knows(a, pages) ? ratio_at(a, pages).lower : a->at[0].lower;
}

void appetite__slower(const struct appetite *a, __u64 baseline, __u64 pages,
		      struct appetite_slower *out)
{
	double ratio = 0;

	if (pages < baseline)
		ratio = knows(a, pages)
				? fmax(ratio_at(a, pages).upper - least_ratio(a, baseline), 0)
				: INFINITY;
	out->ratio = ratio;
	out->lost = isfinite(ratio) ? ratio * appetite__lost_in_all(a) : INFINITY;
}

static bool keeps(const struct appetite *a, const struct assurance *s, __u64 pages)
{
	struct appetite_slower slower;

	appetite__slower(a, s->baseline, pages, &slower);
	return (s->max_ratio < 0 || slower.ratio <= s->max_ratio) &&
	       (s->max_lost < 0 || slower.lost <= s->max_lost);
}

/* Upper ends fall at points only, so a point is the least memory, or the baseline. */
__u64 appetite__assured_from(const struct appetite *a, const struct assurance *s)
{
	if (s->max_ratio < 0 && s->max_lost < 0)
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		__u64 pages = a->direct + a->at[i].size;

		if (pages >= s->baseline)
			break;
		if (keeps(a, s, pages))
			return pages;
	}
	return s->baseline;
}

/* --- steps --- */

struct steps {
	struct plan_step *v;
	size_t n;
};

/* A step that saves nothing is none. */
static void put_step(const struct appetite *a, struct steps *s, __u64 pages)
{
	double cost = ratio_at(a, pages).upper * appetite__lost_in_all(a) * a->weight;

	if (!s->n || cost < s->v[s->n - 1].cost)
		s->v[s->n++] = (struct plan_step){pages, cost};
}

/* A straight line as steps: each has the cost at its begin. */
static void put_guessed(const struct appetite *a, struct steps *s, __u64 from, __u64 to)
{
	for (__u64 i = 0; i < GUESSED_STEPS; i++) {
		__u64 pages = from + (to - from) / GUESSED_STEPS * i;

		if (!s->n || pages > s->v[s->n - 1].size)
			put_step(a, s, pages);
	}
}

int appetite__steps(const struct appetite *a, __u64 from, __u64 to, struct plan_step **out,
		    size_t *n)
{
	struct steps s = {.v = calloc(a->n + GUESSED_STEPS + 1, sizeof(*s.v))};
	__u64 known = appetite__known_from(a);

	if (!s.v)
		return -ENOMEM;
	if (from < known && !isnan(a->slope))
		put_guessed(a, &s, from, known);
	else
		put_step(a, &s, larger(from, known));
	for (size_t i = 0; i < a->n; i++) {
		__u64 pages = a->direct + a->at[i].size;

		if (pages > s.v[s.n - 1].size && pages <= to)
			put_step(a, &s, pages);
	}
	*out = s.v;
	*n = s.n;
	return 0;
}
