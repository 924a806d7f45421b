/* SPDX-License-Identifier: GPL-2.0 */
/* Resource groups as a cgroup v2 tree has them. */
#ifndef HVTRACE_CGROUP_LIST_H
#define HVTRACE_CGROUP_LIST_H

#include "group_list.h"

struct cgroup_tree {
	struct group_list list; /* groups on the way to VMs, and VMs */
	__u64 limit;		/* pages: of the folder itself; GROUPS_NO_LIMIT if it has none */
	size_t shrunk;		/* reservations that count less than what is written there */
};

/*
 * Reads the tree below a folder (such as /sys/fs/cgroup, or machine.slice in it, or a copy). A
 * cgroup is a VM's if it is called so (cgroup_text__name()), or a process in it is that VM's.
 *
 *  - reservation: the larger of memory.min and memory.low. Where siblings' are more than what their
 *    parent has, the kernel gives each its part (effective_protection() in mm/memcontrol.c, since
 *    8a931f801340 in 5.7), and so it is here: nothing is expandable.
 *  - limit: the smaller of memory.high and memory.max.
 *  - shares: cgroups have none for memory, so they are the default, by what a VM can use.
 *
 * -errno, with a sentence in why but for -ENOMEM; -ENOENT also when it has no VM.
 */
int cgroup_tree__read(struct cgroup_tree *out, const char *folder, const char *const *vms,
		      size_t nr_vms, char *why, size_t size);

#endif
