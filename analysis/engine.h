/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine: page events in, reuse distances, histograms and miss curves out,
 * per VM and space. Used alike by live (events of the tracer) and mrc (events
 * of a recording). Knows nothing of BPF; runs unprivileged.
 */
#ifndef HVTRACE_ENGINE_H
#define HVTRACE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/page_event.h"
#include "curve.h"

struct engine;

struct engine_opts {
	size_t sz;	  /* sizeof(struct engine_opts) */
	__u64 max_pages;  /* pages tracked per engine, all VMs together; 0 = no bound but memory */
	__u64 threshold;  /* sampling threshold of the events: 2^32 - 1 or more, or EINVAL */
	size_t max_bytes; /* memory for pages and stacks; 0 = no bound */
};

struct engine *engine__new(const struct engine_opts *opts); /* NULL with errno */
void engine__free(struct engine *e);

/* Events in the order of their time; what a fill evicts goes before it, as the tracer sends it.
 * All are applied, the first error is returned: -ENOMEM: the event is counted as lost and nowhere
 * else; -EINVAL: no such VM or kind. The engine stays usable. */
int engine__apply(struct engine *e, const struct page_event *events, size_t n);
/* Lower the sampling threshold: pages above it are dropped, counts stay unbiased. -EINVAL: it is
 * above the present one, or below 2^32 - 1. */
int engine__set_threshold(struct engine *e, __u64 threshold);
/* Forget a VM (its id may be given to another). */
void engine__forget(struct engine *e, __u16 vm);

/* What the engine counted of one VM and space: estimates for all pages, i.e.
 * sampled counts times 1/rate; exact when every page is sampled. */
struct engine_counts {
	__u64 fills, writebacks, evictions;
	__u64 discards;	      /* pages of all ranges: never sampled, not scaled */
	__u64 cold;	      /* fills of pages never seen before */
	__u64 refaults;	      /* fills of pages found in the stack: exact distance known */
	__u64 unseen;	      /* fills of pages believed resident: eviction not seen */
	__u64 stale;	      /* evictions by a frame that no longer held the page */
	__u64 uncaptured;     /* evictions whose bytes were already gone */
	__u64 access_ordered; /* fills without a frame: ordered by access */
	__u64 ghosts_dropped; /* oldest ghosts dropped for max_pages */
	__u64 lost;    /* events whose page could not be tracked: no room, no ghost to drop */
	__u64 tracked; /* pages tracked now (sampled pages, not scaled) */
	__u64 ghosts;  /* ... of which evicted: the stack's depth (not scaled) */
};
/* All zero when nothing was seen of it: false then. */
bool engine__counts(const struct engine *e, __u16 vm, enum page_space space,
		    struct engine_counts *out);

/* What the curve of one VM and space is made of, at the sizes in out. -ENOENT: nothing seen;
 * -ENOMEM. */
int engine__sums(const struct engine *e, __u16 vm, enum page_space space, struct curve_sums *out);
/* The miss curve of one VM and space at the given sizes (pages added to direct
 * memory, ascending). out has room for n points. -ENOENT: nothing seen; -ENOMEM. */
int engine__curve(const struct engine *e, __u16 vm, enum page_space space, const __u64 *sizes,
		  size_t n, struct curve_point *out);
/* Largest size with a finite distance, i.e. where the curve becomes flat; pages. */
__u64 engine__max_distance(const struct engine *e, __u16 vm, enum page_space space);
/* Refaults with a distance in [lo, hi), estimate for all pages: a histogram's bucket. */
__u64 engine__reuse(const struct engine *e, __u16 vm, enum page_space space, __u64 lo, __u64 hi);
/* "eviction" or "access": by what the stack is ordered (design: the engine). */
const char *engine__order(const struct engine *e, __u16 vm, enum page_space space);

/* Bytes held by the engine, and what backs them: "hugetlb", "THP" or "4K pages". */
size_t engine__bytes(const struct engine *e);
/* The most that its regions held, when more VMs were there. */
size_t engine__peak_bytes(const struct engine *e);
const char *engine__backing(const struct engine *e);

#endif
