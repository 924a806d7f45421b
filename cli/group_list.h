/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resource groups as they are written down: in a plan's YAML file, or in a cgroup tree.
 *
 *	groups:
 *	- name: acme
 *	  reservation: 16GiB
 *	  limit: 48GiB
 *	  shares: 2000
 *	  expandable: no
 *	  vms: [web01, {name: db01, reservation: 8GiB, shares: 4000, active: 6GiB}]
 *	  groups:
 *	  - name: batch
 *	    ...
 */
#ifndef HVTRACE_GROUP_LIST_H
#define HVTRACE_GROUP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "../analysis/plan/groups.h"
#include "yaml.h"

#define GROUP_LIST_MAX 16384
#define GROUP_LIST_DEPTH 32

struct group_entry {
	char *name; /* of a VM; of a group with those around it: "acme/batch" */
	int parent; /* index of the group that it is in, before it; -1: none */
	/* As stated. A VM's memory is not, so it is 0 here; nor is what it has active, unless
	 * has_active says so. */
	struct group_spec spec;
	bool has_active;
};

struct group_list {
	struct group_entry *entry;
	size_t n;
};

/* The value of `groups:`, to an empty list or more of it. -EINVAL, with the line in why; -ENOMEM.
 */
int group_list__parse(struct group_list *l, struct yaml_at at, char *why, size_t size);
void group_list__free(struct group_list *l);

/* Index of a VM's entry, or -1. */
int group_list__find_vm(const struct group_list *l, const char *name);
/* An entry more; the name is copied. Its index, -EEXIST: the group has one of this name, or the VM
 * is in a group; -E2BIG, -ENOMEM. */
int group_list__add(struct group_list *l, int parent, const char *name,
		    const struct group_spec *spec);

#endif
