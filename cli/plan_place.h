/* SPDX-License-Identifier: GPL-2.0 */
/* VMs of a plan that go to other hosts: those of one that fails, or all, to as few as possible. */
#ifndef HVTRACE_PLAN_PLACE_H
#define HVTRACE_PLAN_PLACE_H

#include <stdio.h>

#include "plan_case.h"

/* What was done. */
struct plan_placing {
	bool placed;
	const char *failed; /* the host that is gone; NULL: VMs were packed */
	size_t hosts, of;   /* packed on so many, of those that have memory */
	size_t bound;	    /* no packing has fewer */
	bool word;	    /* that is the solver's word only, not proven */
	double seconds;	    /* that it took */
	double as_is;	    /* cost of the best plan before; NAN: not known */
};

/* Each takes seconds at most (for looking), moves VMs, and settles what memory hosts have. An exit
 * status, after a line that says who finds no place if it is not CLI_DONE. */
int plan_place__failover(struct plan_placing *p, struct plan_vms *v, const char *host,
			 const struct plan_case_opts *o, double seconds);
int plan_place__pack(struct plan_placing *p, struct plan_vms *v, const struct plan_case_opts *o,
		     double seconds);

/* Below the table; and one JSON object. */
void plan_place__table(FILE *out, const struct plan_placing *p, const struct plan_vms *v);
void plan_place__json(FILE *out, const struct plan_placing *p, const struct plan_vms *v);

#endif
