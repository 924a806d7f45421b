// SPDX-License-Identifier: GPL-2.0
#include "plan_tree.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../../cache/minmax.h"
#include "../size.h"

static __u64 sum(__u64 a, __u64 b)
{
	__u64 s;

	return __builtin_add_overflow(a, b, &s) ? ~0ULL : s;
}

/* --- is it a tree? --- */

static bool are_steps(const struct plan_node *leaf)
{
	const struct plan_step *s = leaf->steps;

	if (!leaf->nr_steps || s[0].size > leaf->least)
		return false;
	for (size_t i = 0; i < leaf->nr_steps; i++) {
		if (!isfinite(s[i].cost) || s[i].cost < 0 || s[i].size > SIZE_MAX_PAGES)
			return false;
		if (i && (s[i].size <= s[i - 1].size || s[i].cost >= s[i - 1].cost))
			return false;
	}
	return true;
}

static bool is_tree(const struct plan_node *nodes, size_t n)
{
	if (!n || nodes[0].parent || plan_node__is_leaf(&nodes[0]))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct plan_node *node = &nodes[i];

		if (i && (node->parent >= i || plan_node__is_leaf(&nodes[node->parent])))
			return false;
		if (node->least > SIZE_MAX_PAGES || (plan_node__is_leaf(node) && !are_steps(node)))
			return false;
	}
	return true;
}

/* --- what follows --- */

/* Sorted by parent, by counting. */
static void list_members(struct plan_tree *t)
{
	for (size_t i = 1; i < t->n; i++)
		t->first[t->nodes[i].parent + 1]++;
	for (size_t i = 0; i < t->n; i++)
		t->first[i + 1] += t->first[i];
	for (size_t i = t->n - 1; i > 0; i--) {
		size_t parent = t->nodes[i].parent;

		/* Counts down from the end; what is left is the begin again. */
		t->member[--t->first[parent + 1]] = i;
	}
	for (size_t i = 0; i < t->n; i++)
		t->first[i] = t->first[i + 1];
	t->first[t->n] = t->n - 1;
}

/* Members come after their group. */
static void find_bases(struct plan_tree *t)
{
	for (size_t i = t->n; i-- > 0;) {
		const struct plan_node *node = &t->nodes[i];
		size_t parent = node->parent;

		t->base[i] = larger(node->least, t->members_base[i]);
		if (i)
			t->members_base[parent] =
				sum(t->members_base[parent], smaller(t->base[i], node->most));
	}
}

int plan_tree__init(struct plan_tree *t, const struct plan_node *nodes, size_t n)
{
	*t = (struct plan_tree){.nodes = nodes, .n = n};
	if (!is_tree(nodes, n))
		return -EINVAL;
	t->first = calloc(n + 1, sizeof(*t->first));
	t->member = calloc(n, sizeof(*t->member));
	t->members_base = calloc(n, sizeof(*t->members_base));
	t->base = calloc(n, sizeof(*t->base));
	if (!t->first || !t->member || !t->members_base || !t->base) {
		plan_tree__free(t);
		return -ENOMEM;
	}
	list_members(t);
	find_bases(t);
	return 0;
}

void plan_tree__free(struct plan_tree *t)
{
	free(t->first);
	free(t->member);
	free(t->members_base);
	free(t->base);
	*t = (struct plan_tree){0};
}

size_t plan_tree__clashes(const struct plan_tree *t, struct plan_clash *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->base[i] <= t->nodes[i].most)
			continue;
		if (out)
			out[n] = (struct plan_clash){i, t->base[i], t->nodes[i].most};
		n++;
	}
	return n;
}

size_t plan_node__step(const struct plan_node *leaf, __u64 pages)
{
	size_t low = 0, high = leaf->nr_steps;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (leaf->steps[mid].size <= pages)
			low = mid;
		else
			high = mid;
	}
	return low;
}

__u64 plan_node__useful(const struct plan_node *leaf)
{
	return larger(leaf->steps[plan_node__step(leaf, leaf->most)].size, leaf->least);
}
