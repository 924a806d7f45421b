/* SPDX-License-Identifier: GPL-2.0 */
/* A plan's VMs with their appetites and bounds, the tree they are the leaves of, and its plan. */
#ifndef HVTRACE_PLAN_CASE_H
#define HVTRACE_PLAN_CASE_H

#include "../analysis/plan/appetite.h"
#include "plan_options.h"
#include "plan_vms.h"

/* Why a VM cannot have less. */
enum plan_least {
	LEAST_NONE,    /* it can have nothing */
	LEAST_MIN,     /* its min */
	LEAST_CURVE,   /* what its curve shows begins there */
	LEAST_ASSURED, /* it would get slower than it may */
	LEAST_GROUP,   /* reserved for it in its group */
};

struct plan_seat {
	const struct plan_vm *vm; /* not one that is gone */
	struct appetite *appetite;
	struct plan_step *steps;
	size_t node;
	bool has_now, has_baseline, assured;
	__u64 now;		    /* pages, if has_now */
	struct assurance assurance; /* if assured; the baseline if has_baseline */
	__u64 least, most;	    /* pages */
	enum plan_least why;	    /* of least */
	size_t group_vm;	    /* its place among its host's, if that has groups */
};

struct plan_groups;

struct plan_case {
	const struct plan_vms *vms;
	struct plan_seat *seats; /* in the order of the VMs */
	size_t nr;
	struct plan_node *nodes;
	const char **names; /* of the nodes */
	size_t nr_nodes;
	struct plan_groups *groups; /* of each host */
	char refusal[PLAN_WHY];	    /* why a group does not let its VMs in; then there is no plan */
	struct plan *plan;	    /* NULL: not solved */
};

struct plan_case_opts {
	__u64 granule; /* pages; 0: one that fits */
	bool greedy;
	bool guess;	  /* sizes below what curves show, too, down to a VM's min */
	unsigned int tax; /* on idle memory, for what groups are entitled to; percent */
};

/* From VMs that stay where they are. -EINVAL: something has to be known, or cannot be; -E2BIG: the
 * granule is too small; -ENOMEM; with a sentence in why. */
int plan_case__make(struct plan_case *c, const struct plan_vms *v, const struct plan_case_opts *o,
		    char *why, size_t size);
/* Only the seats, whatever the hosts have. Errors as above. */
int plan_case__seats(struct plan_case *c, const struct plan_vms *v, const struct plan_case_opts *o,
		     char *why, size_t size);
void plan_case__free(struct plan_case *c);

/* A clash of its plan as a sentence. */
#define PLAN_CLASH 1024
void plan_case__tell_clash(const struct plan_case *c, const struct plan_clash *clash,
			   char text[PLAN_CLASH]);
/* "min", "curve", "assured" or "". */
const char *plan_least__name(enum plan_least why);

/* The node of a host. */
size_t plan_case__host_node(const struct plan_case *c, size_t host);
/* Pages that a host's VMs may be given in all. */
__u64 plan_vms__memory(const struct plan_vms *v, size_t host);

#endif
