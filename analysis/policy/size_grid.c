// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes for a footprint that nobody knows beforehand: a grid of 16 steps a power of two. When
 * there are too many, every second is dropped and the grid is twice as wide from there on. So
 * there are between half as many as wanted and all, however large the footprint becomes.
 */
#include <math.h>

#include "policy_sim.h"

#define STEPS 16
/* A handful of sampled pages is the least that behaves like a cache of many more. */
#define SAMPLED_MIN_STEP (3 * STEPS)

static __u32 capacity_of(unsigned int step)
{
	double pages = ceil(exp2((double)step / STEPS));

	return pages < POLICY_UNBOUNDED ? pages : POLICY_UNBOUNDED;
}

/* The next step on the grid from `step` on that makes a difference. */
static void seek(struct policy_sim *s, unsigned int step, __u32 above)
{
	step += (s->stride - step % s->stride) % s->stride;
	while (capacity_of(step) <= above)
		step += s->stride;
	s->step = step;
	s->next_capacity = capacity_of(step);
}

void size_grid__init(struct policy_sim *s)
{
	s->stride = 1;
	seek(s, s->sampler.rate < 1 ? SAMPLED_MIN_STEP : 1, 0);
	if (s->nr_sizes == 1) /* the footprint */
		s->next_capacity = POLICY_UNBOUNDED;
}

static void thin(struct policy_sim *s)
{
	size_t kept = 0;

	s->stride *= 2;
	for (size_t i = 0; i < s->forked; i++) {
		if (s->sizes[i].step % s->stride)
			policy_cache__free(s->sizes[i].cache);
		else
			s->sizes[kept++] = s->sizes[i];
	}
	s->forked = kept;
}

bool size_grid__wants(struct policy_sim *s)
{
	/* One is for the footprint. */
	while (s->forked == s->nr_sizes - 1)
		thin(s);
	return s->step % s->stride == 0;
}

void size_grid__take(struct policy_sim *s, struct policy_cache *cache)
{
	s->sizes[s->forked++] = (struct sim_size){
		.size = llround(s->next_capacity / s->sampler.rate),
		.capacity = s->next_capacity,
		.cache = cache,
		.step = s->step,
	};
}

void size_grid__next(struct policy_sim *s)
{
	seek(s, s->step + 1, s->next_capacity);
}
