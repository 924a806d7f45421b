/* SPDX-License-Identifier: GPL-2.0 */
/* The nodes of a plan with what follows from their bounds, before any memory is given out. */
#ifndef HVTRACE_PLAN_TREE_H
#define HVTRACE_PLAN_TREE_H

#include "planner.h"

struct plan_tree {
	const struct plan_node *nodes;
	size_t n;
	size_t *first;	     /* n + 1: where each node's members begin in: */
	size_t *member;	     /* ascending */
	__u64 *members_base; /* pages: the bases of a group's members together */
	__u64 *base;	     /* pages: the least budget that it can do with */
};

/* -EINVAL: as planner__solve(); -ENOMEM. Nothing is left to free then. */
int plan_tree__init(struct plan_tree *t, const struct plan_node *nodes, size_t n);
void plan_tree__free(struct plan_tree *t);

/* Nodes whose base is above their `most`; each is taken to need its `most` by those above it, so
 * that nothing is told of twice. How many there are; out has room for n, or is NULL. */
size_t plan_tree__clashes(const struct plan_tree *t, struct plan_clash *out);

static inline bool plan_node__is_leaf(const struct plan_node *node)
{
	return node->steps != NULL;
}

/* Of a group: pages that it has above its members' bases without asking for any. */
static inline __u64 plan_tree__free_pages(const struct plan_tree *t, size_t i)
{
	return t->base[i] - t->members_base[i];
}

/* A leaf's step that it has reached with so many pages: an index. */
size_t plan_node__step(const struct plan_node *leaf, __u64 pages);
/* The most that is of any use to a leaf: pages, at least its least. */
__u64 plan_node__useful(const struct plan_node *leaf);

#endif
