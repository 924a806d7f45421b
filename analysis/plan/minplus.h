/* SPDX-License-Identifier: GPL-2.0 */
/* (min,+) convolution of tables of costs over granules, which never rise. */
#ifndef HVTRACE_MINPLUS_H
#define HVTRACE_MINPLUS_H

#include <stddef.h>
#include <linux/types.h>

/* From `at` granules on, this cost. */
struct minplus_step {
	__u32 at;
	double cost;
};

/*
 * out[t] = the least of table[t - s.at] + s.cost over all steps s with s.at <= t, for t < n.
 * steps (k, at least 1) ascend, the first one is at 0. out and table have n entries and do not
 * overlap.
 */
void minplus__join(double *out, const double *table, size_t n, const struct minplus_step *steps,
		   size_t k);
/* The step that out[t] comes of: the first one. */
size_t minplus__choice(const double *table, size_t t, const struct minplus_step *steps, size_t k);

/* The same without what only some CPUs have; for tests. */
void minplus__join_portable(double *out, const double *table, size_t n,
			    const struct minplus_step *steps, size_t k);

#endif
