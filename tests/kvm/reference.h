/* SPDX-License-Identifier: GPL-2.0 */
/* What a workload must lead to in a guest that evicts in LRU order: by simulating it at one size,
 * without stack distances or anything else that the code under test rests upon. */
#ifndef TESTS_KVM_REFERENCE_H
#define TESTS_KVM_REFERENCE_H

#include "workload.h"

/* Pages, or accesses of one page each. */
struct reference {
	__u64 accesses;
	__u64 fills;	  /* accesses that missed */
	__u64 cold;	  /* ... of pages never seen before */
	__u64 evictions;  /* pages that left to make room */
	__u64 writebacks; /* ... that had been changed */
};

/* The first `steps` accesses of w, in `frames` pages of memory, empty at the start. -ENOMEM. */
int reference__run(const struct workload *w, __u64 steps, __u64 frames, struct reference *out);

#endif
