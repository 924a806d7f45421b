/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resource groups: a tree, host -> tenants -> groups -> VMs, in which each node has a reservation,
 * a limit and shares. Who may be let in, and who is entitled to how much. All sizes in pages.
 *
 * What the words mean is what they mean in ESX (vSphere Resource Management; Waldspurger, "Memory
 * Resource Management in VMware ESX Server", OSDI '02):
 *  - a reservation is memory that a node is sure of. It is taken from its parent, used or not.
 *  - An expandable group's members may reserve more than the group itself: the rest is taken from
 *    the parent, and from its parent, as far as these are expandable and limits allow it.
 *  - Above reservations and below limits, siblings get memory in proportion to their shares.
 *  - Idle memory is taxed: with a tax t, an idle page costs as many shares as 1 / (1 - t) others.
 */
#ifndef HVTRACE_GROUPS_H
#define HVTRACE_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "../size.h"

/* What a limit may be, and no limit; sizes are below. */
#define GROUPS_NO_LIMIT SIZE_MAX_PAGES
#define GROUPS_MAX_SHARES 0xffffffffULL
/* Of a VM, by default: 10 for each MiB that it can use. A group has the sum of its members' then,
 * so that going into a group changes nothing by itself. */
#define GROUPS_SHARES_PER_MIB 10
/* ESX's default: a page in use is worth four idle ones. */
#define GROUPS_TAX 75

struct groups;

/* A node as it is stated. */
struct group_spec {
	__u64 reservation;
	__u64 limit;	 /* GROUPS_NO_LIMIT, or at least the reservation */
	__u64 shares;	 /* up to GROUPS_MAX_SHARES; 0: the default */
	bool expandable; /* groups only */
	bool vm;	 /* a leaf; a node that is none may have members */
	__u64 memory;	 /* VMs only: the most it can use. Not below the reservation. */
	__u64 active;	 /* VMs only: of that, what is in use; the rest is idle */
};

/* Why a reservation cannot be had. */
struct groups_refusal {
	int node; /* that refuses */
	enum {
		GROUPS_RESERVED, /* its own reservation is used up, and it is not expandable */
		GROUPS_LIMITED,	 /* its limit would be exceeded */
	} why;
	__u64 asked;   /* what its members have reserved */
	__u64 has;     /* the reservation or limit, or the host's memory */
	__u64 lacking; /* the difference */
};

/* A tree of a host with so much memory, which is node 0: its limit and its reservation. -ENOMEM. */
int groups__new(struct groups **out, __u64 memory);
void groups__free(struct groups *g); /* NULL is fine */

/* A node below a node that is there. Its number: 1, 2, ... -EINVAL: the parent is a VM or not
 * there, or the spec contradicts itself; -ENOMEM. Nothing is refused for want of memory here: that
 * is groups__check()'s. */
int groups__add(struct groups *g, int parent, const struct group_spec *spec);
size_t groups__count(const struct groups *g);	      /* nodes, the host among them */
int groups__parent(const struct groups *g, int node); /* -1: of the host */
const struct group_spec *groups__spec(const struct groups *g, int node);

/* What a node takes from its parent: a VM's or fixed group's reservation; an expandable group's, or
 * what its members take together if that is more. */
__u64 groups__claim(const struct groups *g, int node);
/* Stated, or by default. */
__u64 groups__shares(const struct groups *g, int node);
/* What its members take together: of it, the rest is unreserved. */
__u64 groups__reserved(const struct groups *g, int node);

/* Can all reservations be had? The deepest node that refuses (the first of those), or -ENOSPC with
 * why. */
int groups__check(const struct groups *g, struct groups_refusal *why);

/* What a plan may give a node (all its VMs together). At least: what it and its members are sure
 * of, as far as they can use it. At most: its limit, and what its members can use. */
__u64 groups__least(const struct groups *g, int node);
__u64 groups__most(const struct groups *g, int node);

/*
 * What each node is entitled to, by shares, when idle memory is taxed by so many percent (0 to 99).
 * entitled has room for groups__count(). Each has at least its least, at most its most, a group's
 * VMs together as much as it, and the host's all its memory if they can use so much. Deterministic,
 * and more memory on the host takes nothing from anybody. -ENOSPC: reservations are more than there
 * is (groups__check() says which); -EINVAL: the tax; -ENOMEM.
 */
int groups__entitle(const struct groups *g, unsigned int tax, __u64 *entitled);

#endif
