// SPDX-License-Identifier: GPL-2.0
/* Nodes are kept in the order in which they came, so a node's number is above its parent's: what
 * goes up the tree is a loop from the last to the first, what goes down one from the first. */
#include <errno.h>
#include <stdlib.h>

#include "../../cache/minmax.h"
#include "../array.h"
#include "entitle.h"
#include "groups.h"

struct group {
	struct group_spec spec;
	int parent;
	int first, last, next; /* of its members, and of its group's after it; 0: none */
	/* Sums over the members, kept as they come. */
	__u64 reserved; /* of their claims */
	__u64 least, most, active;
	__u64 shares;
};

struct groups {
	struct group *node;
	size_t n;
};

static struct group *node_of(const struct groups *g, int node)
{
	return node >= 0 && (size_t)node < g->n ? &g->node[node] : NULL;
}

/* --- what a node is, by itself and its members --- */

static __u64 claim(const struct group *n)
{
	return larger(n->spec.reservation, n->spec.expandable ? n->reserved : 0);
}

static __u64 most(const struct group *n)
{
	return smaller(n->spec.limit, n->spec.vm ? n->spec.memory : n->most);
}

/* The host's reservation is not for its members' use but all they have. */
static __u64 least(const struct group *n)
{
	if (n->parent < 0)
		return n->least;
	return larger(n->least, smaller(n->spec.reservation, most(n)));
}

static __u64 active(const struct group *n)
{
	return smaller(n->spec.vm ? n->spec.active : n->active, most(n));
}

/* 256 pages to a MiB; somebody with hardly any memory has a share. */
static __u64 vm_shares(const struct group_spec *s)
{
	return larger(smaller(s->limit, s->memory) * GROUPS_SHARES_PER_MIB / 256, 1);
}

static __u64 shares(const struct group *n)
{
	__u64 stated = n->spec.shares ?: n->spec.vm ? vm_shares(&n->spec) : larger(n->shares, 1);

	return smaller(stated, GROUPS_MAX_SHARES);
}

/* --- the tree --- */

static bool contradicts(const struct group_spec *s)
{
	if (s->reservation > s->limit || s->limit > GROUPS_NO_LIMIT ||
	    s->shares > GROUPS_MAX_SHARES)
		return true;
	return s->vm && (s->reservation > s->memory || s->memory > GROUPS_NO_LIMIT);
}

static int append(struct groups *g, int parent, const struct group_spec *spec)
{
	struct group *node = array__with_room(g->node, g->n, sizeof(*node));

	if (!node)
		return -ENOMEM;
	g->node = node;
	node[g->n] = (struct group){.spec = *spec, .parent = parent};
	return g->n++;
}

int groups__new(struct groups **out, __u64 memory)
{
	const struct group_spec host = {.reservation = memory, .limit = memory};
	struct groups *g = memory > GROUPS_NO_LIMIT ? NULL : calloc(1, sizeof(*g));
	int err = g ? append(g, -1, &host) : memory > GROUPS_NO_LIMIT ? -EINVAL : -ENOMEM;

	if (err < 0) {
		groups__free(g);
		g = NULL;
	}
	*out = g;
	return err;
}

void groups__free(struct groups *g)
{
	if (!g)
		return;
	free(g->node);
	free(g);
}

static void link_member(struct groups *g, int node)
{
	struct group *up = &g->node[g->node[node].parent];

	if (up->first)
		g->node[up->last].next = node;
	else
		up->first = node;
	up->last = node;
}

/* What a node adds to the sums of its parent. */
struct part {
	__u64 claim, least, most, active, shares;
};

static struct part part_of(const struct group *n)
{
	return (struct part){claim(n), least(n), most(n), active(n), shares(n)};
}

/* A node changed from what it was: its ancestors' sums follow. */
static void carry_up(struct groups *g, int node, struct part was)
{
	while (g->node[node].parent >= 0) {
		struct part is = part_of(&g->node[node]);
		struct group *up = &g->node[g->node[node].parent];
		struct part up_was = part_of(up);

		up->reserved += is.claim - was.claim;
		up->least += is.least - was.least;
		up->most += is.most - was.most;
		up->active += is.active - was.active;
		up->shares += is.shares - was.shares;
		node = g->node[node].parent;
		was = up_was;
	}
}

int groups__add(struct groups *g, int parent, const struct group_spec *spec)
{
	const struct group *up = node_of(g, parent);
	int node;

	if (!up || up->spec.vm || contradicts(spec))
		return -EINVAL;
	node = append(g, parent, spec);
	if (node < 0)
		return node;
	link_member(g, node);
	carry_up(g, node, (struct part){0});
	return node;
}

size_t groups__count(const struct groups *g)
{
	return g->n;
}

int groups__parent(const struct groups *g, int node)
{
	return g->node[node].parent;
}

const struct group_spec *groups__spec(const struct groups *g, int node)
{
	return &g->node[node].spec;
}

__u64 groups__claim(const struct groups *g, int node)
{
	return claim(&g->node[node]);
}

__u64 groups__shares(const struct groups *g, int node)
{
	return shares(&g->node[node]);
}

__u64 groups__reserved(const struct groups *g, int node)
{
	return g->node[node].reserved;
}

__u64 groups__least(const struct groups *g, int node)
{
	return least(&g->node[node]);
}

__u64 groups__most(const struct groups *g, int node)
{
	return most(&g->node[node]);
}

/* --- admission --- */

/* May its members have reserved what they do? The host is fixed, and its limit is its reservation.
 */
static bool refuses(const struct groups *g, int node, struct groups_refusal *why)
{
	const struct group_spec *s = &g->node[node].spec;
	__u64 has = s->expandable ? s->limit : s->reservation, asked = g->node[node].reserved;

	if (asked <= has)
		return false;
	*why = (struct groups_refusal){
		.node = node,
		.why = s->expandable || !node ? GROUPS_LIMITED : GROUPS_RESERVED,
		.asked = asked,
		.has = has,
		.lacking = asked - has,
	};
	return true;
}

/* Members come after their group: the last that refuses has none below it that does. */
int groups__check(const struct groups *g, struct groups_refusal *why)
{
	for (size_t i = g->n; i-- > 0;)
		if (!g->node[i].spec.vm && refuses(g, i, why))
			return -ENOSPC;
	return 0;
}

/* --- entitlements --- */

static struct entitle_claim claim_of(const struct group *n)
{
	return (struct entitle_claim){
		.least = least(n), .most = most(n), .active = active(n), .shares = shares(n)};
}

static void entitle_members(const struct groups *g, unsigned int tax, int group,
			    struct entitle_claim *claims, __u64 *entitled)
{
	size_t n = 0;

	for (int m = g->node[group].first; m; m = g->node[m].next)
		claims[n++] = claim_of(&g->node[m]);
	entitle__divide(claims, n, tax, entitled[group]);
	n = 0;
	for (int m = g->node[group].first; m; m = g->node[m].next)
		entitled[m] = claims[n++].entitled;
}

int groups__entitle(const struct groups *g, unsigned int tax, __u64 *entitled)
{
	struct groups_refusal why;
	struct entitle_claim *claims;

	if (tax > ENTITLE_MAX_TAX)
		return -EINVAL;
	if (groups__check(g, &why))
		return -ENOSPC;
	claims = calloc(g->n, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	entitled[0] = most(&g->node[0]);
	for (size_t i = 0; i < g->n; i++)
		entitle_members(g, tax, i, claims, entitled);
	free(claims);
	return 0;
}
