/* SPDX-License-Identifier: GPL-2.0 */
/* Several replacement policies fed with the same references, and the curves they come to. */
#ifndef HVTRACE_POLICY_SET_H
#define HVTRACE_POLICY_SET_H

#include <stdio.h>

#include "mrc_options.h"

struct policy_set;

/* Those that the options name. NULL: out of memory. */
struct policy_set *policy_set__new(const struct mrc_options *o);
void policy_set__free(struct policy_set *s); /* NULL is fine */
/* n references. -ENOMEM: all is void. */
int policy_set__access(struct policy_set *s, const __u64 *pages, size_t n);

/* A policy's curve; n is 0 for those that were not simulated. */
struct policy_curve {
	struct curve_point *points;
	size_t n;
};

struct policy_curves {
	struct policy_curve of[POLICIES];
	struct policy_curve yardstick; /* LRU's, not simulated; n is 0 without it */
};

/* All of them; ends the simulation. NULL: out of memory. */
struct policy_curves *policy_set__curves(struct policy_set *s);
void policy_curves__free(struct policy_curves *c); /* NULL is fine */
/* The sizes of all of them, each once, ascending; for the caller to free. NULL: out of memory. */
__u64 *policy_curves__sizes(const struct policy_curves *c, size_t *n);

/* Miss ratios, a line a size and a column a policy, in blocks that fit a terminal. */
void policy_curves__print(FILE *out, const struct policy_curves *c);
/* One JSON object a policy. */
void policy_curves__json(FILE *out, const char *vm, const char *space,
			 const struct policy_curves *c);

#endif
