// SPDX-License-Identifier: GPL-2.0
/*
 * ARC (Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST '03, figure
 * 4). T1 has the pages seen once lately, T2 those seen more often, each in LRU order; B1 and B2
 * remember what was evicted from them. p, a real number, is T1's share of the capacity c.
 */
#include "list.h"
#include "policy.h"

enum { NONE, T1, T2, B1, B2, HEADS };

struct arc {
	struct policy_cache cache;
	double p;
	__u32 pages[HEADS]; /* of each list */
};

static void move(struct arc *a, __u32 node, __u32 to)
{
	struct list_node *nodes = a->cache.pages;
	__u32 from = nodes[node].list;

	if (from != NONE) {
		list__del(nodes, node);
		a->pages[from]--;
	}
	if (to != NONE) {
		list__add_newest(nodes, to, node);
		a->pages[to]++;
	}
}

static void move_oldest(struct arc *a, __u32 from, __u32 to)
{
	move(a, list__oldest(a->cache.pages, from), to);
}

/* REPLACE(x, p) */
static void replace(struct arc *a, bool in_b2)
{
	__u32 t1 = a->pages[T1];

	if (t1 && (t1 > a->p || (in_b2 && t1 == a->p)))
		move_oldest(a, T1, B1);
	else
		move_oldest(a, T2, B2);
}

static double ratio_or_1(__u32 a, __u32 b)
{
	return a > b ? (double)a / b : 1;
}

/* Cases II and III: the ghost list that would have had it, had its T list been longer. */
static void ghost_hit(struct arc *a, __u32 node, bool in_b2)
{
	double p;

	if (in_b2) {
		p = a->p - ratio_or_1(a->pages[B1], a->pages[B2]);
		a->p = p > 0 ? p : 0;
	} else {
		p = a->p + ratio_or_1(a->pages[B2], a->pages[B1]);
		a->p = p < a->cache.capacity ? p : a->cache.capacity;
	}
	replace(a, in_b2);
	move(a, node, T2);
}

/* Case IV: a page of which nothing is known. */
static void miss(struct arc *a, __u32 node)
{
	__u64 c = a->cache.capacity, l1 = (__u64)a->pages[T1] + a->pages[B1];
	__u64 l2 = (__u64)a->pages[T2] + a->pages[B2];

	if (l1 == c && a->pages[T1] == c) {
		move_oldest(a, T1, NONE);
	} else if (l1 == c) {
		move_oldest(a, B1, NONE);
		replace(a, false);
	} else if (l1 + l2 >= c) {
		if (l1 + l2 == 2 * c)
			move_oldest(a, B2, NONE);
		replace(a, false);
	}
	move(a, node, T1);
}

static inline bool arc__hit(struct policy_cache *c, __u32 page)
{
	struct arc *a = (struct arc *)c;
	struct list_node *nodes = c->pages;
	__u32 node = page + HEADS, list = nodes[node].list;

	if (list == T1 || list == T2) {
		move(a, node, T2);
		return true;
	}
	if (list == NONE)
		miss(a, node);
	else
		ghost_hit(a, node, list == B2);
	return false;
}

static void init(struct policy_cache *c)
{
	list__init(c->pages, HEADS);
}

static int access(struct policy_cache *c, const struct policy_refs *refs)
{
	return policy__run(c, refs, sizeof(struct list_node), arc__hit);
}

const struct policy_ops policy_arc = {
	.name = "arc",
	.cache_bytes = sizeof(struct arc),
	.page_bytes = sizeof(struct list_node),
	.heads = HEADS,
	.init = init,
	.access = access,
};
