// SPDX-License-Identifier: GPL-2.0
#include "group_plan.h"

#include <errno.h>
#include <stdio.h>

#include "../analysis/size.h"
#include "../cache/minmax.h"

/* Entries of groups only have numbers: a VM's entry says where it is to be. */
static int number_of(const struct group_list *l, size_t entry)
{
	int n = 1;

	for (size_t i = 0; i < entry; i++)
		n += !l->entry[i].spec.vm;
	return n;
}

int group_plan__vm(const struct group_plan *p, size_t vm)
{
	return 1 + p->nr_groups + vm;
}

/* --- the tree --- */

static int parent_of(const struct group_list *l, const struct group_entry *e)
{
	return e->parent < 0 ? 0 : number_of(l, e->parent);
}

static int add_groups(struct group_plan *p)
{
	for (size_t i = 0; i < p->list->n; i++) {
		const struct group_entry *e = &p->list->entry[i];

		if (e->spec.vm)
			continue;
		if (groups__add(p->groups, parent_of(p->list, e), &e->spec) < 0)
			return -ENOMEM;
		p->nr_groups++;
	}
	return 0;
}

static int clash(const struct group_vm *vm, const struct group_spec *s, char *why, size_t size)
{
	char needs[SIZE_TEXT], limit[SIZE_TEXT], lacking[SIZE_TEXT];

	snprintf(why, size, "VM '%s' needs %s at least, and may have %s at most: %s less", vm->name,
		 size__format(s->reservation, needs), size__format(s->limit, limit),
		 size__format(s->reservation - s->limit, lacking));
	return -EINVAL;
}

static int add_vm(struct group_plan *p, const struct group_vm *vm, char *why, size_t size)
{
	int entry = group_list__find_vm(p->list, vm->name), parent = 0;
	struct group_spec s = {.vm = true, .limit = GROUPS_NO_LIMIT, .active = vm->active};

	if (entry >= 0) {
		const struct group_entry *e = &p->list->entry[entry];

		s = e->spec;
		s.active = e->has_active ? s.active : vm->active;
		parent = parent_of(p->list, e);
	}
	s.reservation = larger(s.reservation, vm->least);
	s.limit = smaller(s.limit, vm->most);
	s.memory = s.limit;
	if (!s.shares)
		s.shares = smaller(vm->size * GROUPS_SHARES_PER_MIB / 256, GROUPS_MAX_SHARES);
	if (s.reservation > s.limit)
		return clash(vm, &s, why, size);
	return groups__add(p->groups, parent, &s) < 0 ? -ENOMEM : 0;
}

int group_plan__new(struct group_plan *out, const struct group_list *list,
		    const struct group_vm *vms, size_t n, __u64 memory, char *why, size_t size)
{
	int err;

	*out = (struct group_plan){.list = list, .vms = vms};
	if (groups__new(&out->groups, smaller(memory, GROUPS_NO_LIMIT)))
		return -ENOMEM;
	err = add_groups(out);
	for (size_t i = 0; i < n && !err; i++)
		err = add_vm(out, &vms[i], why, size);
	if (err)
		group_plan__free(out);
	return err;
}

void group_plan__free(struct group_plan *p)
{
	groups__free(p->groups);
	*p = (struct group_plan){0};
}

const char *group_plan__name(const struct group_plan *p, int node)
{
	if ((size_t)node > p->nr_groups)
		return p->vms[node - 1 - p->nr_groups].name;
	for (size_t i = 0; i < p->list->n; i++)
		if (!p->list->entry[i].spec.vm && !--node)
			return p->list->entry[i].name;
	return NULL;
}

/* --- for a plan --- */

int group_plan__admit(const struct group_plan *p, char *why, size_t size)
{
	char asked[SIZE_TEXT], has[SIZE_TEXT], lacking[SIZE_TEXT];
	struct groups_refusal r;

	if (!groups__check(p->groups, &r) || r.why != GROUPS_RESERVED)
		return 0;
	snprintf(why, size,
		 "group '%s' has a reservation of %s and is not expandable, %s are reserved in it: "
		 "%s too much",
		 group_plan__name(p, r.node), size__format(r.has, has),
		 size__format(r.asked, asked), size__format(r.lacking, lacking));
	return -ENOSPC;
}

void group_plan__nodes(const struct group_plan *p, size_t first, size_t host,
		       struct plan_node *nodes)
{
	for (size_t i = 1; i <= p->nr_groups; i++) {
		const struct group_spec *s = groups__spec(p->groups, i);
		int parent = groups__parent(p->groups, i);

		nodes[i - 1] = (struct plan_node){
			.parent = parent ? first + parent - 1 : host,
			.least = s->reservation,
			.most = s->limit < GROUPS_NO_LIMIT ? s->limit : PLAN_NO_MOST,
		};
	}
}
