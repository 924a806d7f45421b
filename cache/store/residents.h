/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hashes of the pages that the guest holds: 16 bytes each, numbered; those that are free are
 * chained. Which page it is, and its frame, are in the page table.
 *
 * Internal to cache/store/.
 */
#ifndef HVTRACE_RESIDENTS_H
#define HVTRACE_RESIDENTS_H

#include <linux/types.h>

#include "../region.h"
#include "exclusive_cache.h"

#define RESIDENTS_NONE (~0U)

struct residents {
	struct memory *memory;
	struct region region;
	struct page_digest *digest;
	__u32 max, used; /* numbers that there may be, and that have been in use */
	__u32 free;	 /* the first that is again */
	__u32 count;
};

void residents__init(struct residents *r, struct memory *m, __u64 max);
void residents__free(struct residents *r);
/* There are none: start again, with another bound. */
void residents__restart(struct residents *r, __u64 max);
/* A number. RESIDENTS_NONE: there are as many as there may be, or no memory. */
__u32 residents__get(struct residents *r);
void residents__put(struct residents *r, __u32 i);

#endif
