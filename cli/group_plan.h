/* SPDX-License-Identifier: GPL-2.0 */
/* The VMs of a plan in their groups: who may be there, who is entitled to what, and the tree that
 * the planner gets. */
#ifndef HVTRACE_GROUP_PLAN_H
#define HVTRACE_GROUP_PLAN_H

#include "../analysis/plan/groups.h"
#include "../analysis/plan/planner.h"
#include "group_list.h"

/* A VM as the plan has it, pages. */
struct group_vm {
	const char *name;
	__u64 least;  /* its minimum, or what its assurance takes */
	__u64 most;   /* that it can use, or may have */
	__u64 active; /* that it uses, unless its group says otherwise */
	__u64 size; /* that its shares go by, unless its group says otherwise: what it has; 0: most
		     */
};

struct group_plan {
	struct groups *groups; /* node 0 is the host, then the groups as listed, then the VMs */
	const struct group_list *list;
	const struct group_vm *vms;
	size_t nr_groups;
};

/* VMs that are in no group are the host's own. The list and the VMs must live as long. -EINVAL: a
 * VM whose bounds and whose group's bounds for it clash, with a sentence in why; -ENOMEM. */
int group_plan__new(struct group_plan *out, const struct group_list *list,
		    const struct group_vm *vms, size_t n, __u64 memory, char *why, size_t size);
void group_plan__free(struct group_plan *p);

/* The node of a VM; and the name of a node that is a group or a VM. */
int group_plan__vm(const struct group_plan *p, size_t vm);
const char *group_plan__name(const struct group_plan *p, int node);

/* 0, or -ENOSPC with a sentence in why: more is reserved in a group than it has, and it is not
 * expandable. Where a limit refuses, the planner finds a clash. */
int group_plan__admit(const struct group_plan *p, char *why, size_t size);
/* Parents and bounds of the groups (nr_groups of them), for the planner: among its nodes they are
 * from `first` on, below `host`. A group's budget is at least its reservation, used or not. */
void group_plan__nodes(const struct group_plan *p, size_t first, size_t host,
		       struct plan_node *nodes);

#endif
