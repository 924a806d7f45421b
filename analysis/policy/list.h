/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of pages, newest first, in one array: node i < heads is the head of list i, node
 * heads + p is page p. Head 0 stands for no list: pages start there, so they need no preparation.
 */
#ifndef ANALYSIS_POLICY_LIST_H
#define ANALYSIS_POLICY_LIST_H

#include <linux/types.h>

struct list_node {
	__u32 newer, older; /* nodes; of a head: the oldest and the newest */
	__u32 list;	    /* that the page is in, or 0 */
};

static inline void list__init(struct list_node *nodes, __u32 heads)
{
	for (__u32 i = 0; i < heads; i++)
		nodes[i] = (struct list_node){.newer = i, .older = i};
}

static inline void list__del(struct list_node *nodes, __u32 i)
{
	struct list_node *n = &nodes[i];

	nodes[n->newer].older = n->older;
	nodes[n->older].newer = n->newer;
	n->list = 0;
}

static inline void list__add_newest(struct list_node *nodes, __u32 list, __u32 i)
{
	__u32 next = nodes[list].older;

	nodes[i] = (struct list_node){.newer = list, .older = next, .list = list};
	nodes[next].newer = i;
	nodes[list].older = i;
}

/* The list's own head if it is empty. */
static inline __u32 list__oldest(const struct list_node *nodes, __u32 list)
{
	return nodes[list].newer;
}

#endif
