/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMs on the fewest hosts: bin packing with hosts of different sizes.
 *
 * Whatever fits on some k hosts fits on the k largest, so what is sought is the smallest k.
 * Packings come from filling hosts as full as possible (subset sums; cf. Gupta and Ho, "A new
 * heuristic algorithm for the one-dimensional bin-packing problem", 1999), from emptying and
 * filling some of them again, and from GLPK: integer programs over patterns, that is, over ways to
 * fill a host, which come by column generation (Gilmore and Gomory, "A linear programming approach
 * to the cutting-stock problem", 1961).
 *
 * That there is nothing better is proven by worths: each VM is given one, no host can hold VMs that
 * are worth more than so much (a knapsack), and fewer hosts cannot hold all. Sizes are such worths,
 * prices of the linear program are the best ones there are. The proof is in whole numbers, rounded
 * towards the safe side, so no tolerance of a solver is in it. Only of small problems GLPK may know
 * more, by trying all: that bound is its word.
 */
#ifndef HVTRACE_PACK_H
#define HVTRACE_PACK_H

#include <stddef.h>

#include "../size.h"

#define PACK_MAX_VMS (1U << 16)
#define PACK_MAX_HOSTS (1U << 12)

struct pack_opts {
	size_t sz;	  /* sizeof(struct pack_opts) */
	const __u64 *vms; /* what each needs, pages, 1 to SIZE_MAX_PAGES */
	size_t nr_vms;
	const __u64 *hosts; /* what each has, pages, up to SIZE_MAX_PAGES */
	size_t nr_hosts;
	double seconds; /* when to stop improving; 0: with the first packing and bound */
};

struct pack {
	size_t hosts; /* that have a VM */
	size_t bound; /* no packing has fewer; nr_hosts + 1: there is none at all */
	__u64 left;   /* pages of VMs that are on no host. 0: this is a packing */
	__u64 *worth; /* of each VM: proves the bound. NULL: it is the solver's word, or 0 */
	int host[];   /* of each VM; -1: on none */
};

/* The best packing and bound that were found; the same each time, if time is not short. *out is the
 * caller's, with pack__free(). -EINVAL: too many, too large, or a VM of 0; -ENOMEM. */
int pack__solve(struct pack **out, const struct pack_opts *o);
void pack__free(struct pack *p); /* NULL is fine */

/*
 * For VMs that have to go somewhere at once: the largest first, each to the host with the most room
 * left, so that all hosts keep some. host gets an index for each VM, or -1, room what each host has
 * left. Returns the pages of VMs for which there was no room: 0 = all fit. pack__solve() finds room
 * for more, but fills hosts to the brim.
 */
__u64 pack__spread(int *host, __u64 *room, const struct pack_opts *o);

#endif
