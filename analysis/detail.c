// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../cache/lru_stack.h"
#include "detail.h"
#include "filter.h"
#include "sample.h"

#define LEVELS 16
#define LEVEL_FACTOR 4
/* Sampled references of a window. */
#define WINDOW 256
/* References that are filtered at once. */
#define CHUNK 1024

/* Tags of a page's last reference: in a window of group tag - 1, after the window, or earlier. */
enum { TAG_EARLIER = 0, TAG_AFTER = ESTIMATE_GROUPS + 1 };

/* Of the windows of a group. All weighted: a reference counts for all that it stands for. */
struct group {
	double weight;			       /* of its last window */
	double references, hits[DETAIL_DEPTH]; /* by distance, in sampled pages */
};

struct level {
	struct lru_stack *stack;
	double rate;
	struct filter filter;
	__u64 clock;	   /* references of the stream so far */
	__u64 begin, end;  /* of the window that is open, or comes next */
	__u64 period;	   /* from one window to the next, on average */
	__u32 group;	   /* of the window */
	__u32 after;	   /* distinct pages since the last window's end */
	bool open, follow; /* a window is open; pages of the last one are followed */
	double weight;	   /* references that one in the window stands for, sampling apart */
	double stream;	   /* references in windows, weighted */
	__u64 windows, cost;
	__u64 random; /* its own: levels take turns as references come */
	struct group groups[ESTIMATE_GROUPS];
};

struct detail {
	struct level levels[LEVELS];
	int nr;
	struct memory *memory;
	double cost, lowest;
	__u64 key;
	__u64 hashes[CHUNK], lots[CHUNK];
};

struct detail *detail__new(struct memory *m, __u64 key, double cost, double lowest)
{
	struct detail *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->memory = m;
	d->cost = cost;
	d->lowest = lowest;
	d->key = key;
	return d;
}

void detail__free(struct detail *d)
{
	if (!d)
		return;
	for (int i = 0; i < d->nr; i++)
		lru_stack__free(d->levels[i].stack);
	free(d);
}

static __u64 next_random(struct level *l)
{
	l->random += 0x9e3779b97f4a7c15ULL;
	return pe_hash(l->random, 0);
}

static __u64 window_length(const struct level *l)
{
	return WINDOW / l->rate;
}

/* --- windows --- */

/* References from one window to the next, so that the cost is as wanted: what a window with all
 * that follows it cost so far, on average. Half more or less by chance, for the stream may have
 * periods of its own. */
static void plan_window(struct detail *d, struct level *l, double rate)
{
	double each = (l->cost + 2 * WINDOW) / (l->windows + 1.0);
	__u64 length = window_length(l);

	/* Not needed yet, but it will be. */
	if (rate > l->rate)
		rate = l->rate / LEVEL_FACTOR;
	l->period = fmax(each / (d->cost * rate), 2 * length);
	l->begin += l->period / 2 + next_random(l) % (l->period + 1);
	l->end = l->begin + length;
	l->weight = (double)l->period / length;
}

static int add_level(struct detail *d, double rate)
{
	struct level *l = &d->levels[d->nr];

	l->stack = lru_stack__new(d->memory);
	if (!l->stack)
		return -ENOMEM;
	l->rate = pow(LEVEL_FACTOR, -d->nr);
	l->filter.key = d->key;
	l->filter.threshold = sample__threshold(l->rate);
	l->filter.isa = filter__best();
	l->random = d->key + d->nr;
	l->begin = l->clock = d->nr ? d->levels[0].clock : 0;
	plan_window(d, l, rate);
	l->begin = l->clock + next_random(l) % (l->period + 1);
	l->end = l->begin + window_length(l);
	d->nr++;
	return 0;
}

static void open_window(struct level *l)
{
	if (!l->follow)
		l->filter.offset = next_random(l);
	l->open = l->follow = true;
	l->group = l->windows++ % ESTIMATE_GROUPS;
	l->groups[l->group].weight = l->weight;
}

static void close_window(struct detail *d, struct level *l, double rate)
{
	l->open = false;
	l->after = 0;
	l->stream += l->weight * window_length(l);
	plan_window(d, l, rate);
}

/* All pages of windows came back, or are too deep. */
static bool all_back(const struct level *l)
{
	return !l->open && l->after >= DETAIL_DEPTH;
}

static void end_following(struct level *l)
{
	l->follow = false;
	lru_stack__clear(l->stack);
}

/* --- references --- */

static int touch(struct level *l, __u64 hash)
{
	__u32 tag = l->open ? 1 + l->group : TAG_AFTER, was = tag, distance;
	int err = lru_stack__touch(l->stack, hash, &was, &distance);

	if (err)
		return err;
	l->cost++;
	if (l->open)
		l->groups[l->group].references += l->weight / l->rate;
	if (distance == LRU_COLD)
		was = TAG_EARLIER;
	/* A reference in a window was followed to here. */
	if (was != TAG_EARLIER && was != TAG_AFTER && distance < DETAIL_DEPTH)
		l->groups[was - 1].hits[distance] += l->groups[was - 1].weight / l->rate;
	if (!l->open && was != TAG_AFTER)
		l->after++;
	return 0;
}

/* References that have the same tag: up to the window's begin or end. */
static int follow(struct detail *d, struct level *l, const __u64 *pages, size_t n)
{
	size_t found = filter__apply(&l->filter, pages, n, d->hashes, d->lots);
	int err = 0;

	/* The very reference that ends it: it is not to depend on how many come at once. */
	for (size_t i = 0; i < found && !err && !all_back(l); i++)
		err = touch(l, d->hashes[i]);
	return err;
}

/* How many references can be done in one go. */
static size_t stretch(const struct level *l, size_t left)
{
	__u64 until = (l->open ? l->end : l->begin) - l->clock;

	if (l->open || l->follow)
		left = left < CHUNK ? left : CHUNK;
	return left < until ? left : until;
}

static int access_level(struct detail *d, struct level *l, const __u64 *pages, size_t n,
			double rate)
{
	while (n) {
		size_t now = stretch(l, n);
		int err = l->open || l->follow ? follow(d, l, pages, now) : 0;

		if (err)
			return err;
		pages += now;
		n -= now;
		l->clock += now;
		if (l->follow && all_back(l))
			end_following(l);
		if (l->open && l->clock == l->end)
			close_window(d, l, rate);
		else if (!l->open && l->clock == l->begin)
			open_window(l);
	}
	return 0;
}

int detail__access(struct detail *d, const __u64 *pages, size_t n, double rate)
{
	if (rate >= 1)
		return 0;
	/* As many levels as there are quarters of a rate above the lowest. */
	while (d->nr < LEVELS && pow(LEVEL_FACTOR, -d->nr) > fmin(rate, d->lowest))
		if (add_level(d, rate))
			return -ENOMEM;
	for (int i = 0; i < d->nr; i++) {
		int err = access_level(d, &d->levels[i], pages, n, rate);

		if (err)
			return err;
	}
	return 0;
}

/* --- sums --- */

/* Misses of a group with y sampled pages. */
static double group_misses(const struct group *g, double y)
{
	double hits = 0;
	__u32 whole = y;

	for (__u32 d = 0; d < whole; d++)
		hits += g->hits[d];
	if (y > whole)
		hits += (y - whole) * g->hits[whole];
	return g->references - hits;
}

/* In place of what the sample says; what was counted exactly stays. */
static void take(const struct level *l, struct curve_sum *s, double accesses)
{
	double y = s->size * l->rate, looked_at = l->windows * (double)window_length(l);

	*s = (struct curve_sum){
		.size = s->size,
		.accesses = s->accesses,
		.misses = s->misses,
		.drawn_from = l->stream,
		.stands_for = accesses,
		.rate = l->rate * looked_at / l->stream, /* times are sampled, too */
		.sampled = true,
		.by_time = true,
	};
	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		s->group_misses[g] = group_misses(&l->groups[g], y);
		s->group_accesses[g] = l->groups[g].references;
	}
}

/* A window or two in each group, that are ended. */
static bool says_something(const struct level *l)
{
	return l->windows > 2 * ESTIMATE_GROUPS;
}

void detail__take(const struct detail *d, struct curve_sums *s, double rate, double accesses)
{
	for (size_t i = 0; i < s->n; i++)
		for (int k = 0; k < d->nr; k++) {
			const struct level *l = &d->levels[k];

			if (s->at[i].size * l->rate > DETAIL_DEPTH || l->rate <= rate)
				continue;
			if (says_something(l))
				take(l, &s->at[i], accesses);
			break;
		}
}

size_t detail__heap(void)
{
	return sizeof(struct detail);
}

__u64 detail__cost(const struct detail *d)
{
	__u64 n = 0;

	for (int i = 0; i < d->nr; i++)
		n += d->levels[i].cost;
	return n;
}
