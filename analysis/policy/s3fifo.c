// SPDX-License-Identifier: GPL-2.0
/*
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP '23, algorithm
 * 1): a small queue for new pages, a main queue for those that were wanted again, and a ghost
 * queue of pages that left the small one. Where the paper leaves a choice:
 *
 *   - the small queue gives way when it holds a tenth of the capacity C or more, so the main
 *     queue's share is floor(9 C / 10), and the ghost queue has as many entries;
 *   - until the cache is full nothing leaves the small queue, as in the algorithm; later versions
 *     of the authors' simulator fill the main queue meanwhile;
 *   - a page moves from the small to the main queue at a frequency above 1, which is cleared;
 *     if the main queue is full it makes room first, and the small queue goes on to its next
 *     page: only one that leaves the cache ends that;
 *   - the ghost queue is looked at after room was made. A page is in it until as many others
 *     have entered it as it has entries (as with the time stamps that the authors propose), or
 *     until it comes back.
 */
#include "policy.h"

enum { SMALL, MAIN }; /* queues */
enum { ABSENT, RESIDENT, GHOST };

#define MAX_FREQUENCY 3

struct page {
	__u64 where : 2;
	__u64 frequency : 2;
	__u64 entered : 60; /* the ghost queue, as so many-th */
};

struct s3fifo {
	struct policy_cache cache;
	__u64 ghosts; /* pages that have entered the ghost queue */
};

static inline __u32 main_share(const struct policy_cache *c)
{
	return c->capacity - (c->capacity / 10 + !!(c->capacity % 10));
}

static void evict_main(struct policy_cache *c)
{
	struct page *pages = c->pages;

	while (c->queue[MAIN].n) {
		__u32 page = policy_queue__pop(c, MAIN);

		if (!pages[page].frequency) {
			pages[page].where = ABSENT;
			return;
		}
		pages[page].frequency--;
		policy_queue__push(c, MAIN, page);
	}
}

static void promote(struct policy_cache *c, __u32 page)
{
	struct page *pages = c->pages;

	if (c->queue[MAIN].n >= main_share(c))
		evict_main(c);
	pages[page].frequency = 0;
	policy_queue__push(c, MAIN, page);
}

static void evict_small(struct policy_cache *c)
{
	struct s3fifo *s = (struct s3fifo *)c;
	struct page *pages = c->pages;

	while (c->queue[SMALL].n) {
		__u32 page = policy_queue__pop(c, SMALL);

		if (pages[page].frequency <= 1) {
			pages[page] = (struct page){.where = GHOST, .entered = ++s->ghosts};
			return;
		}
		promote(c, page);
	}
}

static void make_room(struct policy_cache *c)
{
	while (c->queue[SMALL].n + c->queue[MAIN].n >= c->capacity) {
		if (c->queue[SMALL].n * 10ULL >= c->capacity)
			evict_small(c);
		else
			evict_main(c);
	}
}

static inline bool s3fifo__hit(struct policy_cache *c, __u32 page)
{
	struct s3fifo *s = (struct s3fifo *)c;
	struct page *p = (struct page *)c->pages + page;
	bool ghost;

	if (p->where == RESIDENT) {
		p->frequency += p->frequency < MAX_FREQUENCY;
		return true;
	}
	make_room(c);
	ghost = p->where == GHOST && s->ghosts - p->entered < main_share(c);
	policy_queue__push(c, ghost ? MAIN : SMALL, page);
	*p = (struct page){.where = RESIDENT};
	return false;
}

static int access(struct policy_cache *c, const struct policy_refs *refs)
{
	return policy__run(c, refs, sizeof(struct page), s3fifo__hit);
}

const struct policy_ops policy_s3fifo = {
	.name = "s3fifo",
	.cache_bytes = sizeof(struct s3fifo),
	.page_bytes = sizeof(struct page),
	.queues = 2,
	.access = access,
};
