// SPDX-License-Identifier: GPL-2.0
/* Plans against brute force over small trees, and by hand. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/plan/minplus.h"
#include "../../analysis/plan/planner.h"
#include "../../analysis/size.h"
#include "random.h"

#define CASES 6000
#define MAX_NODES 8
#define MAX_STEPS 6

/* --- trees at random --- */

struct tree {
	struct plan_node nodes[MAX_NODES];
	struct plan_step steps[MAX_NODES][MAX_STEPS];
	size_t n;
};

static void make_steps(struct random *r, struct tree *t, size_t i)
{
	struct plan_node *leaf = &t->nodes[i];
	double cost = 5 + random__below(r, 40);
	__u64 size = random__below(r, leaf->least + 1);
	size_t n = 1 + random__below(r, MAX_STEPS);

	leaf->steps = t->steps[i];
	leaf->nr_steps = 0;
	for (size_t k = 0; k < n && cost >= 0; k++) {
		t->steps[i][leaf->nr_steps++] = (struct plan_step){size, cost};
		size += 1 + random__below(r, 4);
		/* Whole numbers now and then: ties. */
		cost -= random__one_in(r, 2) ? 1 + random__below(r, 9) : 10 * random__unit(r) + .1;
	}
}

static void make_node(struct random *r, struct tree *t, size_t i, bool leaf)
{
	struct plan_node *node = &t->nodes[i];

	node->parent = 0;
	for (int tries = 0; i && tries < 8; tries++) {
		node->parent = random__below(r, i);
		if (!t->nodes[node->parent].steps)
			break;
		node->parent = 0;
	}
	node->least = random__one_in(r, 3) ? random__below(r, leaf ? 6 : 12) : 0;
	node->most = random__one_in(r, 2) ? PLAN_NO_MOST : node->least + random__below(r, 14);
	if (random__one_in(r, 60) && node->least)
		node->most = node->least - 1;
	if (leaf)
		make_steps(r, t, i);
}

/* At most four leaves: brute force has to look at all. */
static void make_tree(struct random *r, struct tree *t)
{
	size_t leaves = 0;

	memset(t, 0, sizeof(*t));
	t->n = 2 + random__below(r, MAX_NODES - 1);
	for (size_t i = 0; i < t->n; i++) {
		bool leaf = i && leaves < 4 && random__below(r, 3);

		leaves += leaf;
		make_node(r, t, i, leaf);
	}
	t->nodes[0].least = random__one_in(r, 4) ? random__below(r, 10) : 0;
	t->nodes[0].most = t->nodes[0].least + random__below(r, 30);
}

/* --- what holds of any plan --- */

static double cost_at(const struct plan_node *leaf, __u64 size)
{
	double cost = NAN;

	for (size_t k = 0; k < leaf->nr_steps && leaf->steps[k].size <= size; k++)
		cost = leaf->steps[k].cost;
	return cost;
}

/* Budgets of all nodes for the leaves' sizes; false: a bound is broken. */
static bool budgets(const struct tree *t, const __u64 *sizes, __u64 *out)
{
	for (size_t i = 0; i < t->n; i++)
		out[i] = t->nodes[i].steps ? sizes[i] : 0;
	for (size_t i = t->n; i-- > 0;) {
		const struct plan_node *node = &t->nodes[i];

		if (out[i] < node->least && node->steps)
			return false;
		if (out[i] < node->least)
			out[i] = node->least;
		if (out[i] > node->most)
			return false;
		if (i)
			out[node->parent] += out[i];
	}
	return true;
}

static void check_plan(const struct tree *t, const struct plan *p)
{
	__u64 sizes[MAX_NODES], budget[MAX_NODES], all = 0;
	double cost = 0;

	assert_int_equal(p->nr_sizes, t->n);
	for (size_t i = 0; i < t->n; i++) {
		sizes[i] = p->sizes[i].size;
		if (!t->nodes[i].steps)
			continue;
		cost += cost_at(&t->nodes[i], sizes[i]);
		all += sizes[i];
		assert_true(p->sizes[i].cost == cost_at(&t->nodes[i], sizes[i]));
	}
	assert_true(budgets(t, sizes, budget));
	for (size_t i = 0; i < t->n; i++)
		assert_int_equal(budget[i], p->sizes[i].size);
	assert_true(fabs(cost - p->cost) < 1e-9);
	assert_true(fabs(cost - p->sizes[0].cost) < 1e-9);
	assert_int_equal(p->spare, t->nodes[0].most - all);
	assert_true(p->bound <= p->cost && p->bound <= p->greedy);
}

/* --- brute force --- */

struct brute {
	const struct tree *t;
	__u64 granule;
	__u64 base[MAX_NODES], free[MAX_NODES]; /* pages; granules */
	__u64 given[MAX_NODES];			/* granules of each leaf */
	double best;
};

static void find_bases(struct brute *b)
{
	__u64 members[MAX_NODES] = {0};

	for (size_t i = b->t->n; i-- > 0;) {
		const struct plan_node *node = &b->t->nodes[i];

		b->base[i] = node->least > members[i] ? node->least : members[i];
		b->free[i] = node->steps ? 0 : (b->base[i] - members[i]) / b->granule;
		if (i)
			members[node->parent] += b->base[i];
	}
}

static bool fits(const struct brute *b)
{
	__u64 needs[MAX_NODES] = {0};

	for (size_t i = b->t->n; i-- > 0;) {
		const struct plan_node *node = &b->t->nodes[i];

		if (node->steps)
			needs[i] = b->given[i];
		else
			needs[i] = needs[i] > b->free[i] ? needs[i] - b->free[i] : 0;
		if (b->base[i] > node->most)
			return false;
		if (!node->steps && needs[i] > (node->most - b->base[i]) / b->granule)
			return false;
		if (i)
			needs[node->parent] += needs[i];
	}
	return true;
}

static void try_leaf(struct brute *b, size_t i, double cost)
{
	const struct plan_node *leaf = &b->t->nodes[i];
	__u64 last;

	while (i < b->t->n && !b->t->nodes[i].steps)
		i++;
	if (i == b->t->n) {
		if (cost < b->best && fits(b))
			b->best = cost;
		return;
	}
	leaf = &b->t->nodes[i];
	last = leaf->steps[leaf->nr_steps - 1].size;
	for (__u64 k = 0;; k++) {
		__u64 size = leaf->least + k * b->granule;

		b->given[i] = k;
		try_leaf(b, i + 1, cost + cost_at(leaf, size < leaf->most ? size : leaf->most));
		if (size >= last || size >= leaf->most)
			break;
	}
}

/* INFINITY: there is no plan. */
static double brute_force(const struct tree *t, __u64 granule)
{
	struct brute b = {.t = t, .granule = granule, .best = INFINITY};

	find_bases(&b);
	for (size_t i = 0; i < t->n; i++)
		if (t->nodes[i].steps && t->nodes[i].most < t->nodes[i].least)
			return INFINITY;
	try_leaf(&b, 0, 0);
	return b.best;
}

static struct plan *solve(const struct tree *t, __u64 granule, bool greedy)
{
	struct planner_opts o = {
		.sz = sizeof(o),
		.nodes = t->nodes,
		.n = t->n,
		.granule = granule,
		.greedy = greedy,
	};
	struct plan *p;

	assert_int_equal(planner__solve(&p, &o), 0);
	assert_non_null(p);
	return p;
}

static void check_clashes(const struct tree *t, const struct plan *p)
{
	assert_true(p->nr_clashes > 0 && p->nr_clashes <= t->n);
	for (size_t i = 0; i < p->nr_clashes; i++) {
		const struct plan_clash *c = &p->clashes[i];

		assert_true(c->node < t->n);
		assert_int_equal(c->most, t->nodes[c->node].most);
		assert_true(c->needs > c->most);
		assert_true(c->needs >= t->nodes[c->node].least);
		assert_true(!i || c->node > c[-1].node);
	}
}

/* With so many pages more for each that clashes there is a plan. */
static void check_shortage(struct tree *t, const struct plan *clashing)
{
	struct plan *p;

	for (size_t i = 0; i < clashing->nr_clashes; i++)
		t->nodes[clashing->clashes[i].node].most = clashing->clashes[i].needs;
	p = solve(t, 1, false);
	/* Those above needed no more than the bound so far. */
	for (int tries = 0; p->nr_clashes && tries < MAX_NODES; tries++) {
		for (size_t i = 0; i < p->nr_clashes; i++)
			t->nodes[p->clashes[i].node].most = p->clashes[i].needs;
		plan__free(p);
		p = solve(t, 1, false);
	}
	assert_int_equal(p->nr_clashes, 0);
	check_plan(t, p);
	plan__free(p);
}

static void test_brute_force(void **state)
{
	struct random r = {random__seed()};
	size_t feasible = 0, infeasible = 0;

	for (int i = 0; i < CASES; i++) {
		__u64 granule = 1 + random__below(&r, 3);
		struct tree t;
		struct plan *p;
		double best;

		make_tree(&r, &t);
		best = brute_force(&t, granule);
		p = solve(&t, granule, false);
		assert_int_equal(p->nr_clashes > 0, isinf(best));
		if (isinf(best)) {
			check_clashes(&t, p);
			check_shortage(&t, p);
			infeasible++;
		} else {
			check_plan(&t, p);
			assert_int_equal(p->granule, granule);
			assert_true(fabs(p->cost - best) < 1e-9);
			feasible++;
		}
		plan__free(p);
	}
	assert_true(feasible > CASES / 4 && infeasible > CASES / 20);
}

/* A granule of one page is exact for all, and no bound is above what it finds. */
static void test_greedy(void **state)
{
	struct random r = {random__seed()};
	size_t equal = 0, above = 0;

	for (int i = 0; i < CASES; i++) {
		struct tree t;
		struct plan *exact, *greedy, *coarse;

		make_tree(&r, &t);
		exact = solve(&t, 1, false);
		greedy = solve(&t, 1, true);
		coarse = solve(&t, 20, false);
		assert_int_equal(exact->nr_clashes, greedy->nr_clashes);
		if (!exact->nr_clashes) {
			check_plan(&t, greedy);
			assert_true(greedy->cost == greedy->greedy);
			assert_true(exact->greedy == greedy->greedy);
			assert_true(greedy->cost >= exact->cost - 1e-9);
			assert_true(greedy->bound <= exact->cost + 1e-9);
			assert_true(coarse->bound <= exact->cost + 1e-9);
			equal += fabs(greedy->cost - exact->cost) < 1e-9;
			above += greedy->cost > exact->cost + 1e-9;
		}
		plan__free(exact);
		plan__free(greedy);
		plan__free(coarse);
	}
	assert_true(equal && above);
}

/* Each page saves less than the one before: then the hulls are the costs. */
static void make_convex(struct random *r, struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct plan_node *leaf = &t->nodes[i];
		double cost = 200, saves = 10 + random__below(r, 20);

		if (!leaf->steps)
			continue;
		leaf->nr_steps = MAX_STEPS;
		for (size_t k = 0; k < MAX_STEPS; k++) {
			t->steps[i][k] = (struct plan_step){leaf->least + k, cost};
			cost -= saves;
			saves *= .3 + .6 * random__unit(r);
		}
	}
}

/* A leaf's points from its least on: how many. */
static size_t points_of(const struct plan_node *leaf, struct plan_step *out)
{
	size_t n = 1;

	out[0] = (struct plan_step){leaf->least, cost_at(leaf, leaf->least)};
	for (size_t k = 0; k < leaf->nr_steps; k++)
		if (leaf->steps[k].size > leaf->least && leaf->steps[k].size <= leaf->most)
			out[n++] = leaf->steps[k];
	return n;
}

/* What no plan can be below if a page costs so much: each leaf by itself then has the size at which
 * it costs least, and the host's pages are given back. */
static double bound_at(const struct tree *t, double price)
{
	double bound = -price * t->nodes[0].most;

	for (size_t i = 1; i < t->n; i++) {
		struct plan_step p[MAX_STEPS + 1];
		size_t n = points_of(&t->nodes[i], p);
		double least = INFINITY;

		for (size_t k = 0; k < n; k++)
			least = fmin(least, p[k].cost + price * p[k].size);
		bound += least;
	}
	return bound;
}

/* The best of these, by duality, is the convex hulls' bound: its price is the slope between two
 * points of a leaf, or 0. */
static double best_bound(const struct tree *t)
{
	double best = bound_at(t, 0);

	for (size_t i = 1; i < t->n; i++) {
		struct plan_step p[MAX_STEPS + 1];
		size_t n = points_of(&t->nodes[i], p);

		for (size_t k = 1; k < n; k++)
			for (size_t j = 0; j < k; j++)
				best = fmax(best, bound_at(t, (p[j].cost - p[k].cost) /
								      (p[k].size - p[j].size)));
	}
	return best;
}

static void test_bound(void **state)
{
	struct random r = {random__seed()};
	size_t within = 0;

	for (int i = 0; i < CASES; i++) {
		struct tree t = {.n = 2 + random__below(&r, 4)};
		struct plan *p;

		t.nodes[0].most = random__below(&r, 60);
		for (size_t k = 1; k < t.n; k++) {
			make_node(&r, &t, k, true);
			t.nodes[k].parent = 0;
		}
		p = solve(&t, 1, false);
		if (!p->nr_clashes) {
			assert_true(fabs(p->bound - best_bound(&t)) < 1e-9);
			within += p->bound < p->cost - 1e-9;
		}
		plan__free(p);
	}
	assert_true(within > CASES / 20);
}

/* At a coarse granule the hulls' answer may be the better one. */
static void test_either(void **state)
{
	struct random r = {random__seed()};
	size_t hulls = 0, exact = 0;

	for (int i = 0; i < CASES; i++) {
		struct tree t;
		struct planner_opts o = {.sz = sizeof(o), .granule = 5, .either = true};
		struct plan *p, *either;

		make_tree(&r, &t);
		o.nodes = t.nodes;
		o.n = t.n;
		p = solve(&t, o.granule, false);
		assert_int_equal(planner__solve(&either, &o), 0);
		if (!p->nr_clashes) {
			check_plan(&t, either);
			assert_false(p->by_hulls);
			assert_int_equal(either->by_hulls, p->greedy < p->cost);
			assert_true(either->cost == fmin(p->greedy, p->cost));
			hulls += either->by_hulls;
			exact += p->cost < p->greedy;
		}
		plan__free(p);
		plan__free(either);
	}
	assert_true(hulls && exact);
}

static void test_convex(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < CASES; i++) {
		struct tree t;
		struct plan *p;

		make_tree(&r, &t);
		make_convex(&r, &t);
		p = solve(&t, 1, false);
		if (!p->nr_clashes) {
			check_plan(&t, p);
			assert_true(fabs(p->greedy - p->cost) < 1e-9);
			assert_true(fabs(p->bound - p->cost) < 1e-9);
		}
		plan__free(p);
	}
}

static void test_more_memory(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < CASES; i++) {
		__u64 granule = 1 + random__below(&r, 3);
		struct tree t;
		struct plan *p, *more;
		size_t group;

		make_tree(&r, &t);
		p = solve(&t, granule, false);
		do {
			group = random__below(&r, t.n);
		} while (t.nodes[group].steps);
		if (t.nodes[group].most != PLAN_NO_MOST)
			t.nodes[group].most += random__below(&r, 9);
		more = solve(&t, granule, false);
		if (!p->nr_clashes) {
			assert_int_equal(more->nr_clashes, 0);
			assert_true(more->cost <= p->cost + 1e-9);
			assert_true(more->bound <= p->bound + 1e-9);
		}
		plan__free(p);
		plan__free(more);
	}
}

/* --- by hand --- */

/* A cliff at 8 pages, a slope, and 10 pages for the two: the hulls would split. */
static void test_cliff(void **state)
{
	const struct plan_step cliff[] = {{0, 100}, {8, 0}};
	const struct plan_step slope[] = {{0, 60}, {2, 45}, {4, 31}, {6, 18}, {8, 6}, {10, 0}};
	struct tree t = {.n = 3};
	struct plan *p;

	t.nodes[0] = (struct plan_node){.most = 10};
	t.nodes[1] = (struct plan_node){.most = PLAN_NO_MOST, .steps = cliff, .nr_steps = 2};
	t.nodes[2] = (struct plan_node){.most = PLAN_NO_MOST, .steps = slope, .nr_steps = 6};
	p = solve(&t, 2, false);
	assert_int_equal(p->sizes[1].size, 8);
	assert_int_equal(p->sizes[2].size, 2);
	assert_true(p->cost == 45 && p->spare == 0);
	plan__free(p);

	/* Too little for the cliff: all goes to the slope. */
	t.nodes[0].most = 7;
	p = solve(&t, 1, false);
	assert_int_equal(p->sizes[1].size, 0);
	assert_int_equal(p->sizes[2].size, 6);
	assert_true(p->cost == 118 && p->spare == 1);
	plan__free(p);
}

/* What a group has for itself is not given to others, used or not. */
static void test_groups(void **state)
{
	const struct plan_step small[] = {{0, 10}, {2, 9}};
	const struct plan_step large[] = {{0, 100}, {4, 50}, {8, 20}};
	struct tree t = {.n = 4};
	struct plan *p;

	t.nodes[0] = (struct plan_node){.most = 12};
	t.nodes[1] = (struct plan_node){.least = 6, .most = 8};
	t.nodes[2] = (struct plan_node){
		.parent = 1, .most = PLAN_NO_MOST, .steps = small, .nr_steps = 2};
	t.nodes[3] = (struct plan_node){.most = PLAN_NO_MOST, .steps = large, .nr_steps = 3};
	p = solve(&t, 1, false);
	assert_int_equal(p->sizes[1].size, 6);
	assert_int_equal(p->sizes[1].needed, 2);
	assert_int_equal(p->sizes[2].size, 2);
	assert_int_equal(p->sizes[3].size, 4);
	assert_int_equal(p->sizes[0].size, 10);
	assert_int_equal(p->spare, 6);
	assert_true(p->cost == 59);
	plan__free(p);
}

static void test_clash(void **state)
{
	const struct plan_step flat[] = {{0, 1}};
	struct tree t = {.n = 5};
	struct plan *p;

	/* A group too small for its members; the host is not for that, but is for all it is told.
	 */
	t.nodes[0] = (struct plan_node){.most = 20};
	t.nodes[1] = (struct plan_node){.most = 10};
	t.nodes[2] = (struct plan_node){
		.parent = 1, .least = 8, .most = PLAN_NO_MOST, .steps = flat, .nr_steps = 1};
	t.nodes[3] = (struct plan_node){
		.parent = 1, .least = 7, .most = PLAN_NO_MOST, .steps = flat, .nr_steps = 1};
	t.nodes[4] = (struct plan_node){.least = 9, .most = 4, .steps = flat, .nr_steps = 1};
	p = solve(&t, 1, false);
	assert_int_equal(p->nr_clashes, 2);
	assert_int_equal(p->clashes[0].node, 1);
	assert_int_equal(p->clashes[0].needs, 15);
	assert_int_equal(p->clashes[0].most, 10);
	assert_int_equal(p->clashes[1].node, 4);
	assert_int_equal(p->clashes[1].needs, 9);
	assert_int_equal(p->clashes[1].most, 4);
	plan__free(p);
}

static void test_granule(void **state)
{
	const struct plan_step steps[] = {{1000, 5}, {1000000, 4}};
	struct tree t = {.n = 2};
	struct plan *p;

	t.nodes[0] = (struct plan_node){.most = 1000 + (1 << 20)};
	t.nodes[1] = (struct plan_node){
		.least = 1000, .most = PLAN_NO_MOST, .steps = steps, .nr_steps = 2};
	/* Of use are 999000 pages: 7804 of 128, 3902 of 256. */
	p = solve(&t, 0, false);
	assert_int_equal(p->granule, 128);
	plan__free(p);
	/* No bound at all, and still a plan. */
	t.nodes[0].most = PLAN_NO_MOST;
	p = solve(&t, 0, false);
	assert_int_equal(p->granule, 128);
	assert_int_equal(p->sizes[1].size, 1000000);
	plan__free(p);
	/* Nothing to give. */
	t.nodes[0].most = 1000;
	p = solve(&t, 0, false);
	assert_int_equal(p->sizes[1].size, 1000);
	assert_int_equal(p->spare, 0);
	plan__free(p);
}

/* So many leaves that each could use 64 pages more than its 32, of as many for each. */
static __u64 granule_for(size_t leaves, __u64 pages)
{
	static const struct plan_step steps[] = {{0, 1}, {96, 0}};
	struct plan_node *nodes = calloc(1 + leaves, sizeof(*nodes));
	struct planner_opts o = {.sz = sizeof(o), .nodes = nodes, .n = 1 + leaves, .greedy = true};
	struct plan *p;
	__u64 granule;

	assert_non_null(nodes);
	nodes[0].most = leaves * (32 + pages);
	for (size_t i = 1; i <= leaves; i++)
		nodes[i] = (struct plan_node){
			.least = 32, .most = PLAN_NO_MOST, .steps = steps, .nr_steps = 2};
	assert_int_equal(planner__solve(&p, &o), 0);
	granule = p->granule;
	plan__free(p);
	free(nodes);
	return granule;
}

static void test_granule_of_many(void **state)
{
	/* 8 of 8 for each leaf; or what there is, and what there is use for. */
	assert_int_equal(granule_for(1000, 64), 8);
	assert_int_equal(granule_for(1000, 32), 4);
	assert_int_equal(granule_for(1000, 1000), 8);
	/* 4096 in all; 32768 in all. */
	assert_int_equal(granule_for(256, 64), 4);
	assert_int_equal(granule_for(8192, 64), 16);
	assert_int_equal(granule_for(1, 64), 1);
}

static void test_no_tree(void **state)
{
	static const struct plan_step bad[][2] = {
		{{0, 1}, {1, 2}},  {{0, 1}, {1, 1}},	    {{0, 2}, {0, 1}},
		{{0, 1}, {1, -1}}, {{0, INFINITY}, {1, 1}}, {{0, 2}, {SIZE_MAX_PAGES + 1, 1}},
	};
	const struct plan_step good[] = {{0, 2}, {1, 1}}, late[] = {{3, 1}};
	struct plan_node nodes[3] = {{.most = 10}, {.most = 5, .steps = good, .nr_steps = 2}};
	struct planner_opts o = {.sz = sizeof(o), .nodes = nodes, .n = 2, .granule = 1};
	struct plan *p;

	assert_int_equal(planner__solve(&p, &o), 0);
	plan__free(p);
	o.n = 0;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
	assert_null(p);
	o.n = 2;
	/* Its own parent, a group or not; the root's parent is the root; leaves have no members. */
	nodes[1].parent = 1;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
	nodes[1].steps = NULL;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
	nodes[1] = (struct plan_node){.most = 5, .steps = good, .nr_steps = 2};
	nodes[0].parent = 1;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
	nodes[0].parent = 0;
	nodes[2] = nodes[1];
	nodes[2].parent = 1;
	o.n = 3;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
	o.n = 2;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		nodes[1].steps = bad[i];
		assert_int_equal(planner__solve(&p, &o), -EINVAL);
	}
	nodes[1].nr_steps = 1;
	nodes[1].steps = late;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
	nodes[1].least = 3;
	assert_int_equal(planner__solve(&p, &o), 0);
	plan__free(p);
	nodes[0].steps = good;
	nodes[0].nr_steps = 2;
	assert_int_equal(planner__solve(&p, &o), -EINVAL);
}

static void test_too_fine(void **state)
{
	const struct plan_step steps[] = {{0, 2}, {1 << 20, 1}};
	struct plan_node nodes[] = {{.most = 1 << 21},
				    {.most = PLAN_NO_MOST, .steps = steps, .nr_steps = 2}};
	struct planner_opts o = {.sz = sizeof(o), .nodes = nodes, .n = 2, .granule = 1};
	struct plan *p;

	assert_int_equal(planner__solve(&p, &o), -E2BIG);
	assert_null(p);
	nodes[0].most = PLAN_MAX_GRANULES + 1;
	assert_int_equal(planner__solve(&p, &o), -E2BIG);
	nodes[0].most = PLAN_MAX_GRANULES;
	assert_int_equal(planner__solve(&p, &o), 0);
	plan__free(p);
	nodes[0].most = 1 << 21;
	o.greedy = true;
	assert_int_equal(planner__solve(&p, &o), 0);
	assert_int_equal(p->sizes[1].size, 1 << 20);
	plan__free(p);
}

/* --- the inner loop --- */

#define ENTRIES 300

static void test_join(void **state)
{
	struct random r = {random__seed()};
	double table[ENTRIES], fast[ENTRIES], plain[ENTRIES];
	struct minplus_step steps[16];

	for (int i = 0; i < 500; i++) {
		size_t n = 1 + random__below(&r, ENTRIES), k = 1 + random__below(&r, 16);

		for (size_t t = 0; t < n; t++)
			table[t] = t ? table[t - 1] * random__unit(&r) : 1000;
		for (size_t s = 0; s < k; s++)
			steps[s] = (struct minplus_step){
				s ? steps[s - 1].at + 1 + random__below(&r, 30) : 0,
				1000 * random__unit(&r)};
		minplus__join(fast, table, n, steps, k);
		minplus__join_portable(plain, table, n, steps, k);
		for (size_t t = 0; t < n; t++) {
			size_t s = minplus__choice(table, t, steps, k);
			double least = INFINITY;

			for (size_t j = 0; j < k && steps[j].at <= t; j++)
				least = fmin(least, table[t - steps[j].at] + steps[j].cost);
			assert_true(fast[t] == least && plain[t] == least);
			assert_true(table[t - steps[s].at] + steps[s].cost == least);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_brute_force), cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_either),	    cmocka_unit_test(test_convex),
		cmocka_unit_test(test_more_memory), cmocka_unit_test(test_cliff),
		cmocka_unit_test(test_groups),	    cmocka_unit_test(test_clash),
		cmocka_unit_test(test_granule),	    cmocka_unit_test(test_no_tree),
		cmocka_unit_test(test_bound),	    cmocka_unit_test(test_granule_of_many),
		cmocka_unit_test(test_too_fine),    cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
