// SPDX-License-Identifier: GPL-2.0
/* From what the simulated caches counted to a curve of the sizes that they stand for. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy_sim.h"

/* The normal distribution's, for 95 % two-sided. */
#define Z_95 1.96

/* The curve in sampled pages, from nothing to the footprint, for reading between its points. */
struct shape {
	double *capacity, *ratio;
	size_t n;
};

/* Chosen ones, and the footprint. */
size_t policy_sim__points(const struct policy_sim *s)
{
	return s->choose ? s->forked + 1 : s->nr_sizes;
}

/* --- misses --- */

static int count_misses(struct policy_sim *s, struct policy_count *counts)
{
	for (size_t i = 0; i < s->forked; i++) {
		counts[i].capacity = s->sizes[i].capacity;
		if (s->sizes[i].cache)
			memcpy(counts[i].misses, s->sizes[i].cache->misses,
			       sizeof(counts[i].misses));
	}
	return s->ops->replay ? s->ops->replay(s->open, counts, s->forked) : 0;
}

static void to_double(double *to, const __u64 *from)
{
	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		to[g] = from[g];
}

static struct curve_point estimate(const struct policy_sim *s, __u64 size, const __u64 *misses)
{
	double m[ESTIMATE_GROUPS], a[ESTIMATE_GROUPS], p[ESTIMATE_GROUPS];
	struct sample sample = {
		.misses = m,
		.accesses = a,
		.pages = p,
		.rate = s->sampler.rate,
		.total_accesses = s->references,
		.total_pages = s->known.pages,
		.pages_error = s->known.pages_error,
	};
	struct estimate e;

	to_double(m, misses);
	to_double(a, s->accesses);
	to_double(p, s->cold);
	e = estimate__misses(&sample);
	return (struct curve_point){
		.size = size, .misses = e.misses, .accesses = s->references, .error = e.error};
}

static __u64 point_size(const struct policy_sim *s, size_t i)
{
	if (!s->choose || i < s->forked)
		return s->sizes[i].size;
	return llround(s->numbers.pages / s->sampler.rate);
}

static __u32 point_capacity(const struct policy_sim *s, size_t i)
{
	return !s->choose || i < s->forked ? s->sizes[i].capacity : s->numbers.pages;
}

/* Sizes of the footprint or more miss a page's first reference only. */
static void fill_points(const struct policy_sim *s, const struct policy_count *counts,
			struct curve_point *out)
{
	for (size_t i = 0; i < policy_sim__points(s); i++)
		out[i] = estimate(s, point_size(s, i), i < s->forked ? counts[i].misses : s->cold);
}

/* --- the error of a scaled-down size --- */

static int shape__init(struct shape *h, const struct policy_sim *s,
		       const struct curve_point *points)
{
	struct curve_point cold = estimate(s, 0, s->cold);

	h->n = s->forked + 2;
	h->capacity = calloc(2 * h->n, sizeof(double));
	if (!h->capacity)
		return -ENOMEM;
	h->ratio = h->capacity + h->n;
	h->ratio[0] = 1;
	for (size_t i = 0; i < s->forked; i++) {
		h->capacity[i + 1] = s->sizes[i].capacity;
		h->ratio[i + 1] = curve_point__ratio(&points[i]);
	}
	h->capacity[h->n - 1] = s->numbers.pages;
	h->ratio[h->n - 1] = curve_point__ratio(&cold);
	return 0;
}

/* On a straight line between two points. */
static double shape__ratio(const struct shape *h, double capacity)
{
	size_t i = 1;
	double left, width;

	while (i < h->n - 1 && h->capacity[i] < capacity)
		i++;
	left = h->capacity[i - 1];
	width = h->capacity[i] - left;
	if (capacity >= h->capacity[i] || !(width > 0))
		return h->ratio[i];
	return h->ratio[i - 1] + (h->ratio[i] - h->ratio[i - 1]) * fmax(capacity - left, 0) / width;
}

/*
 * The pages that a cache of `size` would hold at a time are y = size * rate sampled ones, give or
 * take the root of y * (1 - rate), while the simulated cache holds a fixed whole number of them:
 * the curve may be off sideways by as much. At less than a handful, 4 at a low rate, it may as
 * well have none of them: then nothing is known.
 */
static double shift_error(const struct policy_sim *s, const struct shape *h, double y,
			  __u32 capacity)
{
	double off = Z_95 * sqrt(y * (1 - s->sampler.rate)) + fabs(capacity - y);
	double here = shape__ratio(h, capacity);

	if (off >= y)
		return 1;
	return fmax(fabs(shape__ratio(h, y - off) - here), fabs(shape__ratio(h, y + off) - here));
}

static int add_shifts(const struct policy_sim *s, struct curve_point *out)
{
	struct shape h;

	if (s->sampler.rate >= 1 || !s->references)
		return 0;
	if (shape__init(&h, s, out))
		return -ENOMEM;
	for (size_t i = 0; i < policy_sim__points(s); i++) {
		double y = out[i].size * s->sampler.rate;

		out[i].error =
			fmin(hypot(out[i].error, shift_error(s, &h, y, point_capacity(s, i))), 1);
	}
	free(h.capacity);
	return 0;
}

int policy_sim__curve(struct policy_sim *s, struct curve_point *out)
{
	struct policy_count *counts = calloc(s->forked + 1, sizeof(*counts));
	int err = counts ? policy_sim__flush(s) : -ENOMEM;

	if (!err)
		err = count_misses(s, counts);
	if (!err) {
		s->known = sampler__known(&s->sampler, s->numbers.pages,
					  s->numbers.pages / s->sampler.rate);
		fill_points(s, counts, out);
		err = add_shifts(s, out);
	}
	free(counts);
	return err;
}
