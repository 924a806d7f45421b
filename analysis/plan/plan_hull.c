// SPDX-License-Identifier: GPL-2.0
/*
 * Plans by convex hulls: each leaf's steps are replaced by the lower convex hull of their first
 * points, which is nowhere above them, so the best plan for the hulls costs no more than any plan.
 * That one is found by taking what saves most a page first (Fox, "Discrete optimization via
 * marginal analysis", Management Science 13(3), 1966). Where a bound is reached, memory may end
 * within a piece of a hull; the leaf then stays at the piece's begin, where hull and steps meet: a
 * plan that can be carried out, and is no further from the best than these pieces' gains.
 *
 * In a tree, a group offers the pieces of its members, those that save most first: what it has
 * above its members' bases anyway takes the first of them, and its bound cuts off the last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../cache/minmax.h"
#include "plan_solve.h"

/* A straight piece of a leaf's hull, or what is left of it. */
struct piece {
	double saves; /* a page */
	__u64 pages;
	__u64 end; /* the leaf's size where it ends; 0: that was cut off */
	size_t leaf;
};

/* What a node offers: pieces by what they save, the most first. */
struct offer {
	struct piece *pieces;
	size_t n;
};

struct hulls {
	const struct plan_tree *tree;
	struct offer *offers;
	__u64 *sizes; /* of each leaf, to the end of the last piece that was taken whole */
	double cost;
};

/* --- hulls --- */

static double saves(const struct plan_step *from, const struct plan_step *to)
{
	return (from->cost - to->cost) / (double)(to->size - from->size);
}

/* A point that is not below the line from the one before to the next is none of the hull (Andrew's
 * monotone chain, 1979). `points` has n on the hull; add one. */
static size_t add_point(struct plan_step *points, size_t n, const struct plan_step *p)
{
	while (n >= 2 && saves(&points[n - 2], &points[n - 1]) <= saves(&points[n - 1], p))
		n--;
	points[n] = *p;
	return n + 1;
}

/* The hull's corners from the leaf's least on: how many; points has room for all steps. */
static size_t hull_of(const struct plan_node *leaf, struct plan_step *points)
{
	size_t k = plan_node__step(leaf, leaf->least), n = 0;
	struct plan_step first = {leaf->least, leaf->steps[k].cost};

	n = add_point(points, n, &first);
	for (k++; k < leaf->nr_steps && leaf->steps[k].size <= leaf->most; k++)
		n = add_point(points, n, &leaf->steps[k]);
	return n;
}

static int offer_leaf(struct hulls *h, size_t i)
{
	const struct plan_node *leaf = &h->tree->nodes[i];
	struct plan_step *points = calloc(leaf->nr_steps, sizeof(*points));
	struct offer *o = &h->offers[i];
	size_t n = points ? hull_of(leaf, points) : 0;

	o->pieces = calloc(leaf->nr_steps, sizeof(*o->pieces));
	if (!points || !o->pieces) {
		free(points);
		return -ENOMEM;
	}
	h->cost += points[0].cost;
	h->sizes[i] = leaf->least;
	for (size_t k = 0; k + 1 < n; k++)
		o->pieces[o->n++] = (struct piece){
			.saves = saves(&points[k], &points[k + 1]),
			.pages = points[k + 1].size - points[k].size,
			.end = points[k + 1].size,
			.leaf = i,
		};
	free(points);
	return 0;
}

/* --- groups --- */

/* Pieces of one leaf save less and less, so their order stays. */
static int by_savings(const void *a, const void *b)
{
	const struct piece *p = a, *q = b;

	if (p->saves != q->saves)
		return p->saves > q->saves ? -1 : 1;
	return p->leaf < q->leaf ? -1 : p->leaf > q->leaf;
}

/* Take the first so many pages. */
static void take(struct hulls *h, struct offer *o, __u64 pages)
{
	size_t i = 0;

	for (; i < o->n && pages; i++) {
		struct piece *p = &o->pieces[i];
		__u64 now = smaller(p->pages, pages);

		h->cost -= now * p->saves;
		pages -= now;
		p->pages -= now;
		if (p->pages)
			break;
		if (p->end)
			h->sizes[p->leaf] = p->end;
	}
	memmove(o->pieces, o->pieces + i, (o->n - i) * sizeof(*o->pieces));
	o->n -= i;
}

/* Keep the first so many pages. */
static void cut(struct offer *o, __u64 pages)
{
	size_t i = 0;

	for (; i < o->n && pages; i++) {
		struct piece *p = &o->pieces[i];

		if (p->pages > pages) {
			p->pages = pages;
			p->end = 0;
		}
		pages -= p->pages;
	}
	o->n = i;
}

static int gather(struct hulls *h, size_t i)
{
	const struct plan_tree *t = h->tree;
	struct offer *o = &h->offers[i];
	size_t n = 0;

	for (size_t m = t->first[i]; m < t->first[i + 1]; m++)
		n += h->offers[t->member[m]].n;
	o->pieces = calloc(n + 1, sizeof(*o->pieces));
	if (!o->pieces)
		return -ENOMEM;
	for (size_t m = t->first[i]; m < t->first[i + 1]; m++) {
		struct offer *from = &h->offers[t->member[m]];

		if (from->n)
			memcpy(o->pieces + o->n, from->pieces, from->n * sizeof(*o->pieces));
		o->n += from->n;
		free(from->pieces);
		*from = (struct offer){0};
	}
	qsort(o->pieces, o->n, sizeof(*o->pieces), by_savings);
	return 0;
}

static int offer_group(struct hulls *h, size_t i)
{
	const struct plan_tree *t = h->tree;
	int err = gather(h, i);

	if (err)
		return err;
	take(h, &h->offers[i], plan_tree__free_pages(t, i));
	cut(&h->offers[i], t->nodes[i].most - t->base[i]);
	return 0;
}

/* --- the whole --- */

static int solve(struct hulls *h)
{
	const struct plan_tree *t = h->tree;
	int err = 0;

	for (size_t i = t->n; i-- > 0 && !err;)
		err = plan_node__is_leaf(&t->nodes[i]) ? offer_leaf(h, i) : offer_group(h, i);
	if (!err)
		take(h, &h->offers[0], ~0ULL);
	return err;
}

int plan_hull__solve(const struct plan_tree *t, __u64 *sizes, double *bound)
{
	struct hulls h = {.tree = t, .sizes = sizes};
	int err = -ENOMEM;

	h.offers = calloc(t->n, sizeof(*h.offers));
	if (h.offers)
		err = solve(&h);
	for (size_t i = 0; i < t->n && h.offers; i++)
		free(h.offers[i].pieces);
	free(h.offers);
	*bound = h.cost;
	return err;
}
