// SPDX-License-Identifier: GPL-2.0
/* Least recently used: the yardstick. All its sizes together are cheaper by reuse distances. */
#include "list.h"
#include "policy.h"

enum { RESIDENT = 1, HEADS };

struct lru {
	struct policy_cache cache;
	__u32 pages;
};

static inline bool lru__hit(struct policy_cache *c, __u32 page)
{
	struct lru *lru = (struct lru *)c;
	struct list_node *nodes = c->pages;
	__u32 node = page + HEADS;
	bool hit = nodes[node].list;

	if (hit)
		list__del(nodes, node);
	else if (lru->pages < c->capacity)
		lru->pages++;
	else
		list__del(nodes, list__oldest(nodes, RESIDENT));
	list__add_newest(nodes, RESIDENT, node);
	return hit;
}

static void init(struct policy_cache *c)
{
	list__init(c->pages, HEADS);
}

static int access(struct policy_cache *c, const struct policy_refs *refs)
{
	return policy__run(c, refs, sizeof(struct list_node), lru__hit);
}

const struct policy_ops policy_lru = {
	.name = "lru",
	.cache_bytes = sizeof(struct lru),
	.page_bytes = sizeof(struct list_node),
	.heads = HEADS,
	.init = init,
	.access = access,
};
