/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a plan to steps: which VM is to be given or to give up how much memory next.
 *
 * Memory is taken first, and given when it was seen to be given up: what all VMs hold, counted by
 * the larger of what they were told and what they were seen to have, is never made more than the
 * budget. A step is bounded; between two takes from a VM there is time to see what the first one
 * did.
 *
 * With a take goes a promise: so many misses a second at most. A VM that misses more gets the
 * memory of that take back at once, whatever the plan says, if need be from those that have more
 * than they began with; and all that was taken since the last promise that held if it still misses
 * more then.
 *
 * A guest that does not come nearer to its target for some time does not follow: its target becomes
 * what it has, and it is let alone for a while. So is a VM that refuses a step.
 *
 * No clock, no I/O: times are the caller's (seconds), sizes are in pages.
 */
#ifndef HVTRACE_STEPPER_H
#define HVTRACE_STEPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct stepper_opts {
	size_t sz;	   /* sizeof(struct stepper_opts) */
	__u64 budget;	   /* pages that all VMs may hold together */
	__u64 step;	   /* pages at once, at least 1; the guard knows no bound */
	double settle;	   /* s between two takes from a VM, and from a give to a take */
	double window;	   /* s over which misses are held against a promise */
	double patience;   /* s without coming nearer after which a guest does not follow */
	double freeze;	   /* s for which it is let alone then */
	double floor;	   /* s for which memory that the guard gave back is not taken again */
	double slack;	   /* misses more than promised, as a share, that are no matter */
	double margin;	   /* share of the cost that a plan has to save to be followed, */
	double least_gain; /* ... and at least that much of it */
};

/* What there is to know of a VM at one time. */
struct stepper_seen {
	__u64 now;   /* pages that it holds */
	__u64 least; /* no step goes below that now: it would hurt; 0: not known */
	__u64 min, max;
	double misses;	/* since the last time, */
	double seconds; /* over so long */
};

enum step_kind {
	STEP_TAKE,    /* towards the plan */
	STEP_GIVE,    /* towards the plan */
	STEP_GUARD,   /* give back: it misses more than promised; from == to: there is nothing */
	STEP_RECLAIM, /* take what the guard needs */
	STEP_RELEASE, /* it does not follow: its target becomes what it has */
};

struct step {
	size_t vm;
	enum step_kind kind;
	__u64 from, to;		   /* pages: targets */
	double observed, promised; /* misses a second; GUARD: of the promise that was broken; TAKE:
				      of the one that is made. INFINITY: none */
};

/* How a step ended. */
enum step_result {
	STEP_DONE,
	STEP_FAILED, /* refused, or not to be reached: leave that VM alone for a while */
	STEP_LEFT,   /* not carried out, and nothing is wrong: a dry run */
};

struct stepper;

/* Of so many VMs. promise() tells of a VM what it will miss with so many pages, at most, a second.
 * NULL with errno: ENOMEM, EINVAL. */
struct stepper *stepper__new(const struct stepper_opts *o, size_t n,
			     double (*promise)(void *ctx, size_t vm, __u64 pages), void *ctx);
void stepper__free(struct stepper *s); /* NULL is fine */

/* What was seen of a VM. Its first time, it is where it is to be. */
void stepper__look(struct stepper *s, size_t vm, const struct stepper_seen *seen, double time);
/* It is not to be reached: what it was told and seen to hold counts on. */
void stepper__lose(struct stepper *s, size_t vm);

/* Between which sizes a plan may move it now: pages. The same twice: not at all. */
void stepper__bounds(const struct stepper *s, size_t vm, double time, __u64 *least, __u64 *most);
/* A plan, pages for each VM, and what it costs, and what the present targets do. true: it is worth
 * it, and followed from now on; false: all stays as it is. Where the VMs hold more than the budget,
 * or one is beyond its bounds, any plan is. */
bool stepper__aim(struct stepper *s, const __u64 *pages, double cost, double cost_now);

/* The next step to carry out now; false: none. Then tell how it ended. */
bool stepper__next(const struct stepper *s, double time, struct step *out);
void stepper__done(struct stepper *s, const struct step *step, enum step_result result,
		   double time);

struct stepper_vm {
	bool known, reachable, frozen, follows;
	__u64 now, target, aim, start, floor; /* floor: of the guard; 0: none */
	double promised;		      /* misses a second; INFINITY: nothing was */
	double observed;		      /* as of the last whole window */
};
void stepper__vm(const struct stepper *s, size_t vm, double time, struct stepper_vm *out);
/* Pages that all VMs hold. */
__u64 stepper__held(const struct stepper *s);
/* Another budget from now on. */
void stepper__set_budget(struct stepper *s, __u64 pages);

#endif
