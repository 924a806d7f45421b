/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory for many at the least total cost.
 *
 * The nodes are a tree: leaves are VMs, whose cost falls with their memory in steps; inner nodes
 * are groups, which have a budget: at least `least`, at most `most`, and no less than their members
 * take together. A budget need not be used up. The root's `most` is all the memory there is.
 *
 * Exact for a granule: each leaf has its least and a whole number of granules more, the groups'
 * bounds leave a whole number of granules above what their leaves have at least, and among all such
 * plans there is none with a lower cost: dynamic programming, the tables of the members of a group
 * joined one by one (a (min,+) convolution). So costs may fall in any way, convex or not. A leaf is
 * then given no more than the step needs that it has reached, and what that leaves over is spare.
 *
 * Sizes are in pages. Costs have any unit, but one; they are finite and 0 or more.
 */
#ifndef HVTRACE_PLANNER_H
#define HVTRACE_PLANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* No bound. */
#define PLAN_NO_MOST (~0ULL)
/* The largest number of granules that a plan may have to give out. */
#define PLAN_MAX_GRANULES (1U << 16)

/* From this size on, this cost, up to the next step. */
struct plan_step {
	__u64 size; /* pages */
	double cost;
};

struct plan_node {
	size_t parent;		       /* index, lower than its own; the root, which is 0, has 0 */
	__u64 least, most;	       /* pages */
	const struct plan_step *steps; /* NULL: a group. Sizes ascend, costs descend, the first */
	size_t nr_steps;	       /* step is at or under `least`. Not copied. */
};

struct planner_opts {
	size_t sz; /* sizeof(struct planner_opts) */
	const struct plan_node *nodes;
	size_t n;      /* at least 1 */
	__u64 granule; /* pages; 0: the largest power of two that leaves 4096 granules or more to be
			  given out, and 8 or more for each leaf, up to half of what there may be */
	bool greedy;   /* the answer of the convex hulls in place of the exact one, */
	bool either;   /* or only where it costs less: it knows no granule */
};

/* What a node is given. */
struct plan_size {
	__u64 size;   /* pages: a leaf's memory, a group's budget */
	__u64 needed; /* a group: what its members are given together; a leaf: the same as size */
	double cost;  /* of the leaf, or of all leaves in it */
};

/* A node whose bounds cannot be kept. */
struct plan_clash {
	size_t node;
	__u64 needs; /* pages: what it must have at least: its `least`, or its members' needs */
	__u64 most;  /* pages, less than needs: its bound */
};

struct plan {
	__u64 granule; /* pages */
	bool by_hulls; /* the sizes are those of the convex hulls, else the exact ones */
	double cost;   /* of all leaves */
	double greedy; /* ... of the answer of the convex hulls, which is not bound to granules, */
	double bound;  /* ... and what no plan can be below at any granule */
	__u64 spare;   /* pages of the root's `most` that no leaf has; 0 without a bound */
	size_t nr_sizes;
	size_t nr_clashes;	    /* not 0: there is no plan, and all but this is 0 */
	struct plan_clash *clashes; /* in the order of the nodes, each one innermost */
	struct plan_size sizes[];   /* one a node */
};

/*
 * 0, with a plan or its clashes in *out. -EINVAL: the nodes are not such a tree, or a leaf's steps
 * are not steps; -E2BIG: more than PLAN_MAX_GRANULES granules; -ENOMEM. The caller frees it.
 */
int planner__solve(struct plan **out, const struct planner_opts *o);
void plan__free(struct plan *p); /* NULL is fine */

#endif
