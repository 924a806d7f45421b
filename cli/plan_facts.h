/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a plan has to know of a VM beside its curve, and what is wished for it: NAME=VALUE on the
 * command line, the same names in a file.
 */
#ifndef HVTRACE_PLAN_FACTS_H
#define HVTRACE_PLAN_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

enum plan_fact {
	FACT_MEMORY,	   /* it has now */
	FACT_DIRECT,	   /* ... of which is its own: where sizes of added memory begin */
	FACT_RATE,	   /* accesses of the curve, a second */
	FACT_OVER,	   /* how long they took, instead */
	FACT_LATENCY,	   /* of a miss */
	FACT_WEIGHT,	   /* of its losses */
	FACT_MIN,	   /* that it is to have */
	FACT_MAX,	   /* ... at most */
	FACT_BASELINE,	   /* what it may get slower against; else what it has now */
	FACT_SLOWER_RATIO, /* by so much more of its accesses that miss */
	FACT_SLOWER_TIME,  /* by so much more time lost a second */
	PLAN_FACTS
};

/* Zero-initialised is empty. */
struct plan_facts {
	unsigned given;		  /* a bit for each that is known */
	__u64 memory, direct;	  /* pages */
	__u64 min, max, baseline; /* pages */
	double rate;		  /* a second */
	double over;		  /* seconds */
	double latency;		  /* ns */
	double weight;		  /* above 0 */
	double slower_ratio;	  /* 0 to 1 */
	double slower_time;	  /* ms a second */
};

bool plan_facts__given(const struct plan_facts *f, enum plan_fact fact);
/* Take one value as people write it. -ENOENT: no such name; -EEXIST: given before; -EINVAL; with a
 * sentence in why. */
int plan_facts__set(struct plan_facts *f, const char *name, const char *value, char *why,
		    size_t size);
/* Take a figure that is known from elsewhere: pages, or the unit above; NAN: it is not. */
void plan_facts__know(struct plan_facts *f, enum plan_fact fact, double value);
/* Take over what f lacks. */
void plan_facts__fill(struct plan_facts *f, const struct plan_facts *from);

#endif
