/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exclusive stack: the pages of one VM and space that a hypervisor's exclusive cache would
 * hold, newest eviction first, with exact reuse distances; and the pages the VM holds itself.
 *
 * A page is a ghost (evicted: in the stack), resident (in a frame of the VM), dead (in a frame,
 * but discarded on disk since: its eviction brings nothing) or not tracked.
 *
 * hash is pe_hash(page, space) throughout, which no two pages share.
 */
#ifndef HVTRACE_EXCLUSIVE_STACK_H
#define HVTRACE_EXCLUSIVE_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/page_event.h"
#include "region.h"

struct exclusive_stack;

/* Pages that several stacks may track together. */
struct stack_budget {
	__u64 max; /* 0 = no bound */
	__u64 used;
};

/* What became of a page, or what it was. */
enum stack_result {
	STACK_UNKNOWN,	/* was not tracked, or dead */
	STACK_GHOST,	/* was in the stack */
	STACK_RESIDENT, /* was resident */
	STACK_STALE,	/* evict: it is resident in another frame; nothing changed */
	STACK_DROPPED	/* evict: it was dead, and is not tracked any more */
};

/* The memory and the budget must live longer. NULL with errno. */
struct exclusive_stack *exclusive_stack__new(struct memory *m, struct stack_budget *budget,
					     enum page_space space);
/* All pages go back to the budget. NULL is fine. */
void exclusive_stack__free(struct exclusive_stack *s);

/*
 * The four events. Each returns what the page was (enum stack_result) or, with nothing changed:
 * -ENOSPC: the page would have to be tracked, and the budget is spent; -ENOMEM.
 */

/* A frame (PE_FRAME_NONE: unknown) stops holding a page: push it. */
int exclusive_stack__evict(struct exclusive_stack *s, __u64 hash, __u64 frame);
/*
 * A page is read into a frame. STACK_GHOST: *distance is the number of pages above it in the
 * stack. STACK_RESIDENT: its eviction was not seen; *distance is an upper bound, the pages
 * evicted since it came in that did not come back. PE_FRAME_NONE: the page is pushed at once.
 * The page that the same frame held before, if it is on top of the stack, is not counted: it is
 * this fill that evicted it.
 */
int exclusive_stack__fill(struct exclusive_stack *s, __u64 hash, __u64 frame, __u64 *distance);
/* A frame is written to a page; afterwards it holds it. */
int exclusive_stack__writeback(struct exclusive_stack *s, __u64 hash, __u64 frame);
/*
 * count pages from page on are gone. Ghosts leave the stack. Resident pages become dead
 * (mark_dead) or are not tracked any more. Never fails.
 */
void exclusive_stack__discard(struct exclusive_stack *s, __u64 page, __u64 count, bool mark_dead);

/* Drop the oldest ghosts, a few in a hundred of them. Distances stay exact above the depth kept.
 * How many were dropped; 0: there is none. */
__u32 exclusive_stack__drop_oldest(struct exclusive_stack *s);
/* Drop all pages whose pe_lot() is above the threshold. */
void exclusive_stack__retain(struct exclusive_stack *s, __u64 threshold);

/* STACK_UNKNOWN, STACK_GHOST with its depth, or STACK_RESIDENT. */
enum stack_result exclusive_stack__find(const struct exclusive_stack *s, __u64 page, __u64 *depth);
__u64 exclusive_stack__tracked(const struct exclusive_stack *s);
__u64 exclusive_stack__ghosts(const struct exclusive_stack *s);

/* Bring a page's metadata closer, with other pages' in between; then the event. */
void exclusive_stack__prefetch(const struct exclusive_stack *s, __u64 hash);

#endif
