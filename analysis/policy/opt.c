// SPDX-License-Identifier: GPL-2.0
/*
 * OPT: evict the page whose next reference is furthest away (Belady, IBM Systems J. 5(2), 1966).
 * No cache that keeps what was just referenced misses less.
 *
 * A cache's state is a set of times, those at which the pages it holds are referenced next: the
 * reference at time t hits if t is in the set, and the page to evict is the latest time. So no
 * page is looked up, and the set is a bitmap over the references with a bit for each word of it
 * above, and so on. Pages that are never referenced again only need to be counted: they go first.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define NEVER UINT_MAX
#define WORD_SHIFT 6
#define LEVELS 6 /* 2^36 times */

/* The references so far; pages have their group as state. */
struct opt {
	struct policy_cache cache;
	__u32 *log; /* pages */
	size_t n, room;
};

struct times {
	__u64 *level[LEVELS]; /* the highest has one word */
	int levels;
};

struct replay {
	const __u32 *next; /* reference to the same page, or NEVER */
	struct times times;
	__u32 kept, last_seen; /* pages to be referenced again, and not */
};

/* --- the set --- */

static void times__free(struct times *t)
{
	for (int l = 0; l < LEVELS; l++)
		free(t->level[l]);
}

/* For times below n. */
static int times__init(struct times *t, size_t n)
{
	*t = (struct times){0};
	do {
		n = (n >> WORD_SHIFT) + 1;
		t->level[t->levels] = calloc(n, sizeof(__u64));
		if (!t->level[t->levels++]) {
			times__free(t);
			return -ENOMEM;
		}
	} while (n > 1);
	return 0;
}

static inline bool times__has(const struct times *t, __u32 time)
{
	return t->level[0][time >> WORD_SHIFT] >> time % 64 & 1;
}

static inline void times__add(struct times *t, __u32 time)
{
	__u64 was = 0;

	for (int l = 0; l < t->levels && !was; l++) {
		__u64 *word = &t->level[l][time >> WORD_SHIFT];

		was = *word;
		*word |= 1ULL << time % 64;
		time >>= WORD_SHIFT;
	}
}

static inline void times__del(struct times *t, __u32 time)
{
	__u64 left = 0;

	for (int l = 0; l < t->levels && !left; l++) {
		__u64 *word = &t->level[l][time >> WORD_SHIFT];

		left = *word &= ~(1ULL << time % 64);
		time >>= WORD_SHIFT;
	}
}

/* The set is not empty. */
static inline __u32 times__latest(const struct times *t)
{
	__u32 time = 0;

	for (int l = t->levels - 1; l >= 0; l--)
		time = time << WORD_SHIFT | (63 - __builtin_clzll(t->level[l][time]));
	return time;
}

/* --- a cache --- */

static inline void evict(struct replay *r)
{
	if (r->last_seen) {
		r->last_seen--;
		return;
	}
	times__del(&r->times, times__latest(&r->times));
	r->kept--;
}

static inline bool hit(struct replay *r, __u32 now, __u32 capacity)
{
	bool hit = times__has(&r->times, now);

	if (hit) {
		times__del(&r->times, now);
		r->kept--;
	} else if (r->kept + r->last_seen == capacity) {
		evict(r);
	}
	if (r->next[now] == NEVER) {
		r->last_seen++;
	} else {
		times__add(&r->times, r->next[now]);
		r->kept++;
	}
	return hit;
}

static int replay_one(const struct opt *o, const __u32 *next, struct policy_count *count)
{
	struct replay r = {.next = next};
	const __u8 *group = o->cache.pages;

	if (times__init(&r.times, o->n))
		return -ENOMEM;
	memset(count->misses, 0, sizeof(count->misses));
	for (size_t i = 0; i < o->n; i++)
		if (!hit(&r, i, count->capacity))
			count->misses[group[o->log[i]]]++;
	times__free(&r.times);
	return 0;
}

/* Each reference's next one to the same page, from the last to the first. NULL: no memory. */
static __u32 *find_next(const struct opt *o)
{
	__u32 *next = malloc((o->n + 1) * sizeof(*next));
	__u32 *seen = malloc(((size_t)o->cache.room + 1) * sizeof(*seen)); /* of a page */

	if (next && seen) {
		memset(seen, 0xff, (size_t)o->cache.room * sizeof(*seen));
		for (size_t i = o->n; i-- > 0;) {
			next[i] = seen[o->log[i]];
			seen[o->log[i]] = i;
		}
	} else {
		free(next);
		next = NULL;
	}
	free(seen);
	return next;
}

static int replay(const struct policy_cache *c, struct policy_count *counts, size_t n)
{
	const struct opt *o = (const struct opt *)c;
	__u32 *next = find_next(o);
	int err = next ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++)
		err = replay_one(o, next, &counts[i]);
	free(next);
	return err;
}

/* --- the references --- */

static int reserve(struct opt *o, size_t n)
{
	size_t room = o->room + o->room / 2 + n;
	__u32 *log;

	if (o->n + n <= o->room)
		return 0;
	if (o->n + n >= NEVER)
		return -ENOMEM;
	log = realloc(o->log, room * sizeof(*log));
	if (!log)
		return -ENOMEM;
	o->log = log;
	o->room = room;
	return 0;
}

static int access(struct policy_cache *c, const struct policy_refs *refs)
{
	struct opt *o = (struct opt *)c;
	__u8 *group = c->pages;
	int err = reserve(o, refs->n);

	if (err)
		return err;
	for (size_t i = 0; i < refs->n; i++)
		group[refs->page[i]] = refs->group[i];
	memcpy(o->log + o->n, refs->page, refs->n * sizeof(*o->log));
	o->n += refs->n;
	return 0;
}

static void free_log(struct policy_cache *c)
{
	free(((struct opt *)c)->log);
}

const struct policy_ops policy_opt = {
	.name = "opt",
	.cache_bytes = sizeof(struct opt),
	.page_bytes = sizeof(__u8),
	.access = access,
	.replay = replay,
	.free = free_log,
};
