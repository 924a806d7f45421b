/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The recent past of all VMs, each space by itself: page events on their way to the engine, stopped
 * where a window or an interval is due. Times are those of the events, references are fills.
 */
#ifndef HVTRACE_VM_RECENT_H
#define HVTRACE_VM_RECENT_H

#include <stddef.h>

#include "../analysis/engine.h"
#include "../analysis/recent.h"

struct vm_recent_opts {
	struct past past;
	struct span every;  /* n 0: no intervals */
	const __u64 *sizes; /* ascending, pages; theirs who made it, for as long as it lives */
	size_t nr_sizes;
	/* Hand events to the engine. */
	int (*apply)(void *ctx, const struct page_event *events, size_t n);
	/* An interval has ended; NULL without `every`. */
	int (*interval)(void *ctx, __u16 vm, enum page_space space, const struct interval *i);
	void *ctx;
};

struct vm_recent;

struct vm_recent *vm_recent__new(const struct vm_recent_opts *opts, const struct engine *e);
void vm_recent__free(struct vm_recent *v); /* NULL is fine */

/* All go to apply(), the first error is returned. Times must not go back. */
int vm_recent__apply(struct vm_recent *v, const struct page_event *events, size_t n);
/* A fill stands for so many from now on: pages are sampled. */
void vm_recent__set_weight(struct vm_recent *v, __u64 fills);
/* Tell of a VM's last intervals. */
int vm_recent__end(struct vm_recent *v, __u16 vm);
/* Forget a VM. */
void vm_recent__forget(struct vm_recent *v, __u16 vm);
/* The curve as of `now` (ns), or as of the last event if that is later, at all sizes. -ENOENT:
 * nothing seen; -ENOMEM. */
int vm_recent__curve(const struct vm_recent *v, __u16 vm, enum page_space space, __u64 now,
		     struct curve_point *out);
const struct vm_recent_opts *vm_recent__opts(const struct vm_recent *v);

#endif
