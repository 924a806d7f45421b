// SPDX-License-Identifier: GPL-2.0
#include "planner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../../cache/minmax.h"
#include "plan_solve.h"

/* What the default leaves to be given out: so many granules, and so many for each leaf. */
#define GRANULES 4096
#define GRANULES_A_LEAF 8

/* Pages that are of use above what all have anyway. */
static __u64 to_give(const struct plan_tree *t)
{
	__u64 most = t->nodes[0].most - t->members_base[0], use = 0;

	for (size_t i = 0; i < t->n && use < most; i++)
		if (plan_node__is_leaf(&t->nodes[i]))
			use += plan_node__useful(&t->nodes[i]) - t->base[i];
	return smaller(use, most);
}

static __u64 granule_of(const struct plan_tree *t)
{
	__u64 pages = to_give(t), granule = 1;
	size_t leaves = 0, wanted;

	for (size_t i = 0; i < t->n; i++)
		leaves += plan_node__is_leaf(&t->nodes[i]);
	wanted = smaller(larger(leaves * GRANULES_A_LEAF, GRANULES), PLAN_MAX_GRANULES / 2);
	while (pages / (2 * granule) >= wanted)
		granule *= 2;
	return granule;
}

/* --- a plan of the leaves' sizes --- */

static double cost_of(const struct plan_tree *t, const __u64 *sizes)
{
	double cost = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct plan_node *node = &t->nodes[i];

		if (plan_node__is_leaf(node))
			cost += node->steps[plan_node__step(node, sizes[i])].cost;
	}
	return cost;
}

/* Members come after their group. */
static void sum_up(const struct plan_tree *t, const __u64 *sizes, struct plan *p)
{
	for (size_t i = t->n; i-- > 0;) {
		const struct plan_node *node = &t->nodes[i];
		struct plan_size *s = &p->sizes[i], *group = &p->sizes[node->parent];

		if (plan_node__is_leaf(node)) {
			s->needed = sizes[i];
			s->cost = node->steps[plan_node__step(node, sizes[i])].cost;
		}
		s->size = larger(s->needed, node->least);
		if (!i)
			break;
		group->needed += s->size;
		group->cost += s->cost;
	}
}

static __u64 in_leaves(const struct plan_tree *t, const __u64 *sizes)
{
	__u64 sum = 0;

	for (size_t i = 0; i < t->n; i++)
		sum += sizes[i];
	return sum;
}

static struct plan *new_plan(size_t n)
{
	struct plan *p = calloc(1, sizeof(*p) + n * sizeof(p->sizes[0]));

	if (p)
		p->nr_sizes = n;
	return p;
}

static int solve_both(const struct plan_tree *t, const struct planner_opts *o, struct plan *p,
		      __u64 *exact, __u64 *hull)
{
	int err = plan_hull__solve(t, hull, &p->bound);

	if (!err && !o->greedy)
		err = plan_exact__solve(t, p->granule, exact);
	if (err)
		return err;
	p->greedy = cost_of(t, hull);
	p->by_hulls = o->greedy || (o->either && p->greedy < cost_of(t, exact));
	if (p->by_hulls)
		exact = hull;
	p->cost = cost_of(t, exact);
	/* Sums in another order differ in their last digits. */
	p->bound = fmin(fmax(p->bound, 0), fmin(p->cost, p->greedy));
	sum_up(t, exact, p);
	if (t->nodes[0].most != PLAN_NO_MOST)
		p->spare = t->nodes[0].most - in_leaves(t, exact);
	return 0;
}

static int solve(const struct plan_tree *t, const struct planner_opts *o, struct plan **out)
{
	__u64 *exact = calloc(t->n, sizeof(*exact)), *hull = calloc(t->n, sizeof(*hull));
	struct plan *p = new_plan(t->n);
	int err = exact && hull && p ? 0 : -ENOMEM;

	if (!err) {
		p->granule = o->granule ?: granule_of(t);
		if (!o->greedy && to_give(t) / p->granule > PLAN_MAX_GRANULES)
			err = -E2BIG;
	}
	if (!err)
		err = solve_both(t, o, p, exact, hull);
	free(exact);
	free(hull);
	if (err)
		plan__free(p);
	else
		*out = p;
	return err;
}

static int tell_clashes(const struct plan_tree *t, size_t n, struct plan **out)
{
	struct plan *p = new_plan(0);

	if (!p)
		return -ENOMEM;
	p->clashes = calloc(n, sizeof(*p->clashes));
	if (!p->clashes) {
		plan__free(p);
		return -ENOMEM;
	}
	p->nr_clashes = plan_tree__clashes(t, p->clashes);
	*out = p;
	return 0;
}

int planner__solve(struct plan **out, const struct planner_opts *o)
{
	struct plan_tree t;
	size_t clashes;
	int err = plan_tree__init(&t, o->nodes, o->n);

	*out = NULL;
	if (err)
		return err;
	clashes = plan_tree__clashes(&t, NULL);
	err = clashes ? tell_clashes(&t, clashes, out) : solve(&t, o, out);
	plan_tree__free(&t);
	return err;
}

void plan__free(struct plan *p)
{
	if (!p)
		return;
	free(p->clashes);
	free(p);
}
