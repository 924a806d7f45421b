/* SPDX-License-Identifier: GPL-2.0 */
/* The two ways to solve a plan whose bounds do not clash. */
#ifndef HVTRACE_PLAN_SOLVE_H
#define HVTRACE_PLAN_SOLVE_H

#include "plan_tree.h"

/* The least cost at a granule (pages): sizes[i] of each leaf, pages. -ENOMEM. */
int plan_exact__solve(const struct plan_tree *t, __u64 granule, __u64 *sizes);
/* The answer of the convex hulls, at any size, and what no plan's cost can be below. -ENOMEM. */
int plan_hull__solve(const struct plan_tree *t, __u64 *sizes, double *bound);

#endif
