/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bounce buffers: where data are between storage and the guest, so that what is hashed and written
 * is out of the guest's reach. One huge page, handed out in runs of up to 64 pages by one thread.
 */
#ifndef HVTRACE_BOUNCE_H
#define HVTRACE_BOUNCE_H

#include <linux/types.h>

#include "../region.h"

#define BOUNCE_RUN 64 /* pages at most */
#define BOUNCE_WORDS 8
#define BOUNCE_PAGES (BOUNCE_WORDS * BOUNCE_RUN)
#define BOUNCE_BYTES (BOUNCE_PAGES * 4096UL)

struct bounce {
	struct region region;
	__u64 free[BOUNCE_WORDS]; /* a bit a page; a run lies in one word */
};

/* -ENOMEM. */
int bounce__init(struct bounce *b, struct memory *m);
void bounce__free(struct bounce *b, struct memory *m);

/* A run of n pages, not zeroed. NULL: none free. */
char *bounce__take(struct bounce *b, unsigned n);
void bounce__give(struct bounce *b, char *run, unsigned n);

#endif
