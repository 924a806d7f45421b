// SPDX-License-Identifier: GPL-2.0
#include "group_plan.h"

#include <errno.h>
#include <stdio.h>

#include "../analysis/size.h"
#include "../cache/minmax.h"

static int no_memory(char *why, size_t size)
{
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

/* Entries of groups only have numbers: a VM's entry says where it is to be. */
static int number_of(const struct group_list *l, size_t entry)
{
	int n = 1;

	for (size_t i = 0; i < entry; i++)
		n += !l->entry[i].spec.vm;
	return n;
}

int group_plan__group(const struct group_plan *p, size_t entry)
{
	return number_of(p->list, entry);
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

static int add_groups(struct group_plan *p, char *why, size_t size)
{
	for (size_t i = 0; i < p->list->n; i++) {
		const struct group_entry *e = &p->list->entry[i];

		if (e->spec.vm)
			continue;
		if (groups__add(p->groups, parent_of(p->list, e), &e->spec) < 0)
			return no_memory(why, size);
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
	return groups__add(p->groups, parent, &s) < 0 ? no_memory(why, size) : 0;
}

int group_plan__new(struct group_plan *out, const struct group_list *list,
		    const struct group_vm *vms, size_t n, __u64 memory, char *why, size_t size)
{
	int err;

	*out = (struct group_plan){.list = list, .vms = vms, .nr_vms = n};
	if (groups__new(&out->groups, smaller(memory, GROUPS_NO_LIMIT)))
		return no_memory(why, size);
	err = add_groups(out, why, size);
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
	if (!node)
		return "the host";
	if ((size_t)node > p->nr_groups)
		return p->vms[node - 1 - p->nr_groups].name;
	for (size_t i = 0; i < p->list->n; i++)
		if (!p->list->entry[i].spec.vm && !--node)
			return p->list->entry[i].name;
	return NULL;
}

/* --- for a plan --- */

static int refuse(const struct group_plan *p, const struct groups_refusal *r, char *why,
		  size_t size)
{
	char asked[SIZE_TEXT], has[SIZE_TEXT], lacking[SIZE_TEXT];

	size__format(r->asked, asked);
	size__format(r->has, has);
	size__format(r->lacking, lacking);
	if (!r->node)
		snprintf(why, size, "the host has %s, %s are reserved: %s too much", has, asked,
			 lacking);
	else if (r->why == GROUPS_LIMITED)
		snprintf(why, size,
			 "group '%s' has a limit of %s, %s are reserved in it: %s too "
			 "much",
			 group_plan__name(p, r->node), has, asked, lacking);
	else
		snprintf(why, size,
			 "group '%s' has a reservation of %s and is not expandable, %s are "
			 "reserved in it: %s too much",
			 group_plan__name(p, r->node), has, asked, lacking);
	return -ENOSPC;
}

int group_plan__admit(const struct group_plan *p, char *why, size_t size)
{
	struct groups_refusal r;

	return groups__check(p->groups, &r) ? refuse(p, &r, why, size) : 0;
}

int group_plan__admit_fixed(const struct group_plan *p, char *why, size_t size)
{
	for (size_t i = groups__count(p->groups); i-- > 1;) {
		const struct group_spec *s = groups__spec(p->groups, i);
		__u64 reserved = groups__reserved(p->groups, i);
		const struct groups_refusal r = {i, GROUPS_RESERVED, reserved, s->reservation,
						 reserved - s->reservation};

		if (!s->vm && !s->expandable && reserved > s->reservation)
			return refuse(p, &r, why, size);
	}
	return 0;
}

void group_plan__nodes(const struct group_plan *p, struct plan_node *nodes)
{
	for (size_t i = 0; i < groups__count(p->groups); i++) {
		const struct group_spec *s = groups__spec(p->groups, i);

		nodes[i] = (struct plan_node){
			.parent = i ? groups__parent(p->groups, i) : 0,
			.least = i ? s->reservation : 0,
			.most = s->limit == GROUPS_NO_LIMIT ? PLAN_NO_MOST : s->limit,
		};
	}
}
