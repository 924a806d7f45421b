// SPDX-License-Identifier: GPL-2.0
/*
 * The least cost, by dynamic programming (the multiple-choice knapsack problem: Kellerer, Pferschy,
 * Pisinger, "Knapsack Problems", 2004, ch. 11; here over a tree).
 *
 * Each node has a table: its least cost with x granules above its base. That of a group is made of
 * its members' tables, one joined after another. Each table before a member was joined is kept:
 * what the member had is found again by looking which of its steps explains the cost.
 *
 * Costs fall in steps, and only the first granule of a step is worth a look: k steps and n granules
 * take k passes over n entries, not n^2 / 2.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../cache/minmax.h"
#include "minplus.h"
#include "plan_solve.h"

/* A node as its group sees it. */
struct seat {
	size_t free; /* granules of a group that its members have without asking for any */
	size_t cap;  /* granules above its base that it can have at most */
	struct minplus_step *steps;
	size_t nr_steps;
	double *before;	  /* the group's table without it and those after it; */
	size_t nr_before; /* entries: what can be used by them and by it */
	size_t given;	  /* granules above its base */
};

struct exact {
	const struct plan_tree *tree;
	__u64 granule;
	struct seat *seats;
};

/* --- granules --- */

/* Leaves round up: together they may have use for more than there are to give. */
#define MAX_GRANULES (2 * PLAN_MAX_GRANULES)

static size_t granules(__u64 pages, __u64 granule)
{
	return smaller(pages / granule, MAX_GRANULES);
}

static size_t granules_up(__u64 pages, __u64 granule)
{
	return granules(pages + granule - 1, granule);
}

/* What the group's own cap leaves a member. Groups come before their members. */
static void find_caps(struct exact *e)
{
	const struct plan_tree *t = e->tree;

	for (size_t i = 0; i < t->n; i++) {
		const struct plan_node *node = &t->nodes[i];
		const struct seat *group = &e->seats[node->parent];
		struct seat *seat = &e->seats[i];

		if (plan_node__is_leaf(node)) {
			seat->cap = granules_up(plan_node__useful(node) - t->base[i], e->granule);
		} else {
			seat->cap = granules(node->most - t->base[i], e->granule);
			seat->free = granules(plan_tree__free_pages(t, i), e->granule);
		}
		if (i)
			seat->cap = smaller(seat->cap, group->cap + group->free);
	}
}

/* --- steps --- */

/* Steps that begin in the same granule are one, with the last one's cost. */
static void put_step(struct seat *seat, size_t at, double cost)
{
	if (!seat->nr_steps || seat->steps[seat->nr_steps - 1].at < at)
		seat->nr_steps++;
	seat->steps[seat->nr_steps - 1] = (struct minplus_step){at, cost};
}

static int leaf_steps(struct exact *e, size_t i)
{
	const struct plan_node *leaf = &e->tree->nodes[i];
	struct seat *seat = &e->seats[i];
	size_t k = plan_node__step(leaf, leaf->least);

	seat->steps = calloc(leaf->nr_steps - k, sizeof(*seat->steps));
	if (!seat->steps)
		return -ENOMEM;
	put_step(seat, 0, leaf->steps[k].cost);
	for (k++; k < leaf->nr_steps && leaf->steps[k].size <= leaf->most; k++) {
		size_t at = granules_up(leaf->steps[k].size - leaf->least, e->granule);

		if (at > seat->cap)
			break;
		put_step(seat, at, leaf->steps[k].cost);
	}
	return 0;
}

/* Of its table (n entries), what it has free included. */
static int group_steps(struct exact *e, size_t i, const double *table, size_t n)
{
	struct seat *seat = &e->seats[i];

	seat->steps = calloc(n, sizeof(*seat->steps));
	if (!seat->steps)
		return -ENOMEM;
	for (size_t t = 0; t < n && t <= seat->free + seat->cap; t++)
		if (!t || table[t] < table[t - 1])
			put_step(seat, t > seat->free ? t - seat->free : 0, table[t]);
	return 0;
}

static size_t last_step(const struct seat *seat)
{
	return seat->steps[seat->nr_steps - 1].at;
}

/* --- tables --- */

/* The member's steps are known: *table (*n entries) becomes that with it. */
static int join(struct exact *e, size_t member, size_t most, double **table, size_t *n)
{
	struct seat *seat = &e->seats[member];
	size_t len = smaller(*n + last_step(seat), most);
	double *longer = realloc(*table, len * sizeof(double));
	double *out = malloc(len * sizeof(double));

	if (longer)
		*table = longer;
	if (!longer || !out) {
		free(out);
		return -ENOMEM;
	}
	for (size_t t = *n; t < len; t++)
		longer[t] = longer[t - 1];
	minplus__join(out, longer, len, seat->steps, seat->nr_steps);
	seat->before = longer;
	seat->nr_before = len;
	*table = out;
	*n = len;
	return 0;
}

static int make_group(struct exact *e, size_t i)
{
	const struct plan_tree *t = e->tree;
	size_t most = e->seats[i].cap + e->seats[i].free + 1, n = 1;
	double *table = calloc(1, sizeof(*table));
	int err = table ? 0 : -ENOMEM;

	for (size_t m = t->first[i]; m < t->first[i + 1] && !err; m++)
		err = join(e, t->member[m], most, &table, &n);
	if (!err)
		err = group_steps(e, i, table, n);
	free(table);
	return err;
}

/* Members come after their group. */
static int make_tables(struct exact *e)
{
	int err = 0;

	for (size_t i = e->tree->n; i-- > 0 && !err;)
		err = plan_node__is_leaf(&e->tree->nodes[i]) ? leaf_steps(e, i) : make_group(e, i);
	return err;
}

/* --- back from the least cost to who has what --- */

static void give_members(struct exact *e, size_t group)
{
	const struct plan_tree *t = e->tree;
	size_t left = e->seats[group].given + e->seats[group].free;

	for (size_t m = t->first[group + 1]; m-- > t->first[group];) {
		struct seat *seat = &e->seats[t->member[m]];
		size_t k;

		left = smaller(left, seat->nr_before - 1);
		k = minplus__choice(seat->before, left, seat->steps, seat->nr_steps);
		seat->given = seat->steps[k].at;
		left -= seat->given;
	}
}

static void give(struct exact *e, __u64 *sizes)
{
	const struct plan_tree *t = e->tree;

	e->seats[0].given = last_step(&e->seats[0]);
	for (size_t i = 0; i < t->n; i++) {
		const struct plan_node *node = &t->nodes[i];
		__u64 pages = node->least + e->seats[i].given * e->granule;
		size_t step;

		if (!plan_node__is_leaf(node)) {
			give_members(e, i);
			continue;
		}
		/* No more than its step needs. */
		step = plan_node__step(node, smaller(pages, node->most));
		sizes[i] = larger(node->steps[step].size, node->least);
	}
}

static void free_seats(struct exact *e)
{
	for (size_t i = 0; i < e->tree->n && e->seats; i++) {
		free(e->seats[i].steps);
		free(e->seats[i].before);
	}
	free(e->seats);
}

int plan_exact__solve(const struct plan_tree *t, __u64 granule, __u64 *sizes)
{
	struct exact e = {.tree = t, .granule = granule};
	int err = -ENOMEM;

	e.seats = calloc(t->n, sizeof(*e.seats));
	if (e.seats) {
		find_caps(&e);
		err = make_tables(&e);
	}
	if (!err)
		give(&e, sizes);
	free_seats(&e);
	return err;
}
