/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a replacement policy is: an ops table and a few lines that say whether a reference hits.
 * Memory, growth, copies and counts are the same for all, see policy_cache.c.
 *
 * Pages are numbered from 0 in the order of their first reference. A policy's state of a page
 * that was never referenced is all zeroes.
 */
#ifndef ANALYSIS_POLICY_POLICY_H
#define ANALYSIS_POLICY_POLICY_H

#include <stdbool.h>

#include "../estimate.h"
#include "../hvanalysis.h"

#define POLICY_UNBOUNDED (~0U)
/* A reference's state is asked for as many references ahead; so many entries behind the last
 * reference of a batch may be read: they are page numbers, too. */
#define POLICY_AHEAD 16

/* A part of the references, in order. */
struct policy_refs {
	const __u32 *page;
	const __u8 *group; /* see estimate.h */
	size_t n;
};

/* First in, first out; no more pages than the cache has. */
struct policy_queue {
	__u32 *page;
	__u32 first, n;
};

/*
 * One simulated cache. Until it has evicted a page, a cache's capacity makes no difference: an
 * unbounded one can be copied as one of any capacity that holds all pages so far.
 */
struct policy_cache {
	const struct policy_ops *ops;
	void *pages; /* state: heads, then pages */
	struct policy_queue queue[2];
	__u32 capacity; /* pages, at least 1 */
	__u32 room;	/* pages that there is state for */
	__u64 misses[ESTIMATE_GROUPS];
};

/* Misses of a capacity, by group. */
struct policy_count {
	__u32 capacity;
	__u64 misses[ESTIMATE_GROUPS];
};

struct policy_ops {
	const char *name;
	size_t cache_bytes; /* of a struct that begins with struct policy_cache */
	size_t page_bytes;
	unsigned int heads, queues; /* list heads, queues in use */
	void (*init)(struct policy_cache *c);
	int (*access)(struct policy_cache *c, const struct policy_refs *refs); /* -ENOMEM */
	/* Only of a policy that looks ahead: one unbounded cache keeps the references, and counts
	 * the misses of n capacities at the end. -ENOMEM. */
	int (*replay)(const struct policy_cache *c, struct policy_count *counts, size_t n);
	void (*free)(struct policy_cache *c); /* what else it holds; such a cache is never copied */
};

extern const struct policy_ops policy_lru, policy_fifo, policy_clock, policy_s3fifo, policy_arc,
	policy_opt;

const struct policy_ops *policy__ops(enum policy p);

/* --- a cache --- */

/* An unbounded one; NULL: no memory. */
struct policy_cache *policy_cache__new(const struct policy_ops *ops);
void policy_cache__free(struct policy_cache *c);
/* Make room for the pages 0 to pages - 1. -ENOMEM: it is as it was. */
int policy_cache__reserve(struct policy_cache *c, __u32 pages);
/* A copy of a cache that has not evicted anything, with a capacity of the pages it holds or more.
 * NULL: no memory. */
struct policy_cache *policy_cache__clone(const struct policy_cache *c, __u32 capacity);

/* --- for policies --- */

static inline void policy_queue__push(struct policy_cache *c, unsigned int i, __u32 page)
{
	struct policy_queue *q = &c->queue[i];
	__u64 at = (__u64)q->first + q->n++;

	q->page[at < c->capacity ? at : at - c->capacity] = page;
}

static inline __u32 policy_queue__pop(struct policy_cache *c, unsigned int i)
{
	struct policy_queue *q = &c->queue[i];
	__u32 page = q->page[q->first];

	q->first = q->first + 1 < c->capacity ? q->first + 1 : 0;
	q->n--;
	return page;
}

/* Inline, so that `hit` is no call. */
static inline __attribute__((always_inline)) int
policy__run(struct policy_cache *c, const struct policy_refs *refs, size_t page_bytes,
	    bool (*hit)(struct policy_cache *c, __u32 page))
{
	const char *pages = c->pages;

	for (size_t i = 0; i < refs->n; i++) {
		__builtin_prefetch(pages + refs->page[i + POLICY_AHEAD] * page_bytes, 1);
		if (!hit(c, refs->page[i]))
			c->misses[refs->group[i]]++;
	}
	return 0;
}

#endif
