/* SPDX-License-Identifier: GPL-2.0 */
/* The resource groups of a plan's hosts. */
#ifndef HVTRACE_PLAN_GROUPS_H
#define HVTRACE_PLAN_GROUPS_H

#include <stdio.h>

#include "group_plan.h"
#include "plan_case.h"

/* Of one host. */
struct plan_groups {
	struct group_plan plan; /* its host is node 0; groups NULL: this host has none */
	struct group_vm *vms;
	size_t nr_vms;
	size_t first;	 /* of the case's nodes that are its groups */
	__u64 *entitled; /* pages of each node of the plan; NULL: not all are let in */
};

/* To the hosts, what options say of their groups; they are the hosts' own then. An exit status,
 * after a line if it is not CLI_DONE. */
int plan_groupings__take(struct plan_vms *v, struct plan_options *o);

/* How many nodes they take. */
size_t plan_groups__count(const struct plan_vms *v);
/*
 * Puts the seats into groups: their bounds are the narrower ones then. Adds the groups' nodes to
 * the case. Entitlements by shares, with that tax on idle memory (percent). 0, with why a group
 * does not let its VMs in (c->refusal); -EINVAL: a VM in a group is not there, or its bounds clash,
 * with a sentence in why; -ENOMEM.
 */
int plan_groups__make(struct plan_case *c, unsigned int tax, char *why, size_t size);
void plan_groups__free(struct plan_groups *groups, size_t nr_hosts);

/* The node that a seat is below. */
size_t plan_groups__parent(const struct plan_case *c, const struct plan_seat *s);
/* The group that a node of the case is; NULL: it is none. */
const struct group_spec *plan_groups__spec(const struct plan_case *c, size_t node);
/* Pages; NAN: its host has no groups, or not all are let in. */
double plan_groups__entitled(const struct plan_case *c, const struct plan_seat *s);
/* The full name of its group; NULL: it is in none. */
const char *plan_groups__name_of(const struct plan_case *c, const struct plan_seat *s);

/* The groups with their VMs, as a tree; and one JSON object a group. */
void plan_groups__table(FILE *out, const struct plan_case *c);
void plan_groups__json(FILE *out, const struct plan_case *c);

#endif
