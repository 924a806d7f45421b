// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../cache/exclusive_stack.h"
#include "../cache/minmax.h"
#include "engine.h"
#include "reuse_histogram.h"
#include "sample.h"

/* Events whose metadata is fetched at the same time: about as many misses as a core overlaps. */
#define BATCH 32

/* Of all pages: what happens to a sampled one counts for 1 / rate of them. */
struct space_counts {
	double fills, writebacks, evictions, cold, refaults, unseen, stale, uncaptured;
	double access_ordered, ghosts_dropped, lost;
	__u64 discards;
};

/* One VM and space. */
struct tracked_space {
	struct exclusive_stack *stack;
	struct reuse_histogram *reuse;
	struct space_counts n;
};

struct engine {
	struct memory memory;
	struct stack_budget budget;
	__u64 threshold;
	double rate; /* of sampling now */
	struct tracked_space *spaces[PE_MAX_VMS][PAGE_SPACES];
};

/* The lowest rate is 2^-32: below it, numbers of pages and events would not fit into 64 bits. */
#define MIN_THRESHOLD ((1ULL << 32) - 1)

struct engine *engine__new(const struct engine_opts *opts)
{
	struct engine_opts o = {.threshold = PE_SAMPLE_ALL};
	struct engine *e;

	memcpy(&o, opts, opts->sz < sizeof(o) ? opts->sz : sizeof(o));
	if (o.threshold < MIN_THRESHOLD) {
		errno = EINVAL;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	memory__init(&e->memory, o.max_bytes);
	e->budget.max = o.max_pages;
	e->threshold = o.threshold;
	e->rate = sample__rate(o.threshold);
	return e;
}

static void free_space(struct tracked_space *s)
{
	if (!s)
		return;
	exclusive_stack__free(s->stack);
	reuse_histogram__free(s->reuse);
	free(s);
}

void engine__forget(struct engine *e, __u16 vm)
{
	if (vm >= PE_MAX_VMS)
		return;
	for (int k = 0; k < PAGE_SPACES; k++) {
		free_space(e->spaces[vm][k]);
		e->spaces[vm][k] = NULL;
	}
}

void engine__free(struct engine *e)
{
	if (!e)
		return;
	for (int vm = 0; vm < PE_MAX_VMS; vm++)
		engine__forget(e, vm);
	free(e);
}

static struct tracked_space *new_space(struct engine *e, enum page_space space)
{
	struct tracked_space *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->stack = exclusive_stack__new(&e->memory, &e->budget, space);
	s->reuse = reuse_histogram__new(&e->memory);
	if (!s->stack || !s->reuse) {
		free_space(s);
		return NULL;
	}
	return s;
}

/* --- the bound --- */

static struct tracked_space *largest(const struct engine *e)
{
	struct tracked_space *max = NULL;

	for (int vm = 0; vm < PE_MAX_VMS; vm++)
		for (int k = 0; k < PAGE_SPACES; k++) {
			struct tracked_space *s = e->spaces[vm][k];

			if (s && (!max || exclusive_stack__ghosts(s->stack) >
						  exclusive_stack__ghosts(max->stack)))
				max = s;
		}
	return max;
}

/* Drop the oldest ghosts of the largest stack; false: there is none at all. */
static bool make_room(struct engine *e)
{
	struct tracked_space *s = largest(e);
	__u32 dropped = s ? exclusive_stack__drop_oldest(s->stack) : 0;

	if (dropped)
		s->n.ghosts_dropped += dropped / e->rate;
	return dropped;
}

/* --- events --- */

static int count_fill(struct engine *e, struct tracked_space *s, const struct page_event *ev,
		      __u64 lot, int was, __u64 distance)
{
	struct reuse r = {.rate = e->rate, .group = estimate__group(lot, e->threshold)};
	double *count;
	int err;

	if (was == STACK_GHOST) {
		err = reuse_histogram__reused(s->reuse, &r, distance);
		count = &s->n.refaults;
	} else if (was == STACK_RESIDENT) {
		err = reuse_histogram__unseen(s->reuse, &r, distance);
		count = &s->n.unseen;
	} else {
		err = reuse_histogram__cold(s->reuse, &r);
		count = &s->n.cold;
	}
	if (err)
		return err;
	*count += 1 / e->rate;
	s->n.fills += 1 / e->rate;
	if (ev->frame == PE_FRAME_NONE && ev->space == SPACE_DISK)
		s->n.access_ordered += 1 / e->rate;
	return 0;
}

static int apply_to_stack(struct tracked_space *s, const struct page_event *ev, __u64 hash,
			  __u64 *distance)
{
	/* In the mem space a page is its frame: it is resident nowhere else. */
	__u64 frame = ev->space == SPACE_MEM ? ev->page : ev->frame;

	switch (ev->kind) {
	case PAGE_EVICT:
		return exclusive_stack__evict(s->stack, hash, frame);
	case PAGE_FILL:
		return exclusive_stack__fill(s->stack, hash, frame, distance);
	default:
		return exclusive_stack__writeback(s->stack, hash, frame);
	}
}

static int count_event(struct engine *e, struct tracked_space *s, const struct page_event *ev,
		       __u64 lot, int was, __u64 distance)
{
	switch (ev->kind) {
	case PAGE_FILL:
		return count_fill(e, s, ev, lot, was, distance);
	case PAGE_WRITEBACK:
		s->n.writebacks += 1 / e->rate;
		return 0;
	default:
		if (was == STACK_STALE) {
			s->n.stale += 1 / e->rate;
			return 0;
		}
		s->n.evictions += 1 / e->rate;
		if (ev->flags & PE_UNCAPTURED)
			s->n.uncaptured += 1 / e->rate;
		return 0;
	}
}

/* An event on its way. */
struct step {
	__u64 hash, lot;
	struct tracked_space *space; /* NULL: nothing to count */
	__u64 distance;
	int was; /* enum stack_result or -errno */
};

static void apply_page(struct engine *e, const struct page_event *ev, struct step *step)
{
	step->distance = 0;
	do
		step->was = apply_to_stack(step->space, ev, step->hash, &step->distance);
	while (step->was == -ENOSPC && make_room(e));
	if (ev->kind == PAGE_FILL && step->was == STACK_GHOST)
		reuse_histogram__prefetch(step->space->reuse, step->distance);
}

/* A range is applied whole: its first page need not be a sampled one. */
static void apply_discard(struct tracked_space *s, const struct page_event *ev)
{
	exclusive_stack__discard(s->stack, ev->page, ev->count, ev->space == SPACE_DISK);
	s->n.discards += ev->count;
}

static bool well_formed(const struct page_event *ev)
{
	return ev->vm < PE_MAX_VMS && ev->kind < PAGE_EVENT_KINDS;
}

/* To the stack. */
static int apply(struct engine *e, const struct page_event *ev, struct step *step)
{
	struct tracked_space **s;

	step->space = NULL;
	if (!well_formed(ev))
		return -EINVAL;
	if (ev->kind != PAGE_DISCARD && step->lot > e->threshold)
		return 0;
	s = &e->spaces[ev->vm][ev->space];
	if (!*s)
		*s = new_space(e, ev->space);
	if (!*s)
		return -ENOMEM;
	if (ev->kind == PAGE_DISCARD) {
		apply_discard(*s, ev);
		return 0;
	}
	step->space = *s;
	apply_page(e, ev, step);
	return 0;
}

/* To the counts and the histogram. */
static int count(struct engine *e, const struct page_event *ev, const struct step *step)
{
	int err = step->was;

	if (!step->space)
		return 0;
	if (err >= 0)
		err = count_event(e, step->space, ev, step->lot, step->was, step->distance);
	if (err < 0)
		step->space->n.lost += 1 / e->rate;
	return err == -ENOSPC ? 0 : err;
}

static void prefetch(const struct engine *e, const struct page_event *ev, size_t n,
		     struct step *step)
{
	for (size_t i = 0; i < n; i++) {
		const struct tracked_space *s =
			well_formed(&ev[i]) ? e->spaces[ev[i].vm][ev[i].space] : NULL;

		step[i].hash = pe_hash(ev[i].page, ev[i].space);
		step[i].lot = pe_lot(ev[i].page, ev[i].space);
		if (s && step[i].lot <= e->threshold)
			exclusive_stack__prefetch(s->stack, step[i].hash);
	}
}

/*
 * The time of an event is the time of its random memory accesses: the page's cell, the histogram's
 * count. Each is asked for when the batch comes to it and used by the batch's next round, so that
 * those of different events overlap.
 */
static int apply_batch(struct engine *e, const struct page_event *ev, size_t n)
{
	struct step step[BATCH];
	int first = 0, err;

	prefetch(e, ev, n, step);
	for (size_t i = 0; i < n; i++) {
		err = apply(e, &ev[i], &step[i]);
		if (!first)
			first = err;
	}
	for (size_t i = 0; i < n; i++) {
		err = count(e, &ev[i], &step[i]);
		if (!first)
			first = err;
	}
	return first;
}

int engine__apply(struct engine *e, const struct page_event *events, size_t n)
{
	int first = 0;

	while (n) {
		size_t batch = n < BATCH ? n : BATCH;
		int err = apply_batch(e, events, batch);

		if (!first)
			first = err;
		events += batch;
		n -= batch;
	}
	return first;
}

int engine__set_threshold(struct engine *e, __u64 threshold)
{
	if (threshold < MIN_THRESHOLD || threshold > e->threshold)
		return -EINVAL;
	for (int i = 0; threshold < e->threshold && i < PE_MAX_VMS * PAGE_SPACES; i++) {
		struct tracked_space *s = e->spaces[i / PAGE_SPACES][i % PAGE_SPACES];

		if (s)
			exclusive_stack__retain(s->stack, threshold);
	}
	e->threshold = threshold;
	e->rate = sample__rate(threshold);
	return 0;
}

/* --- asking --- */

static const struct tracked_space *find(const struct engine *e, __u16 vm, enum page_space space)
{
	return vm < PE_MAX_VMS && (unsigned int)space < PAGE_SPACES ? e->spaces[vm][space] : NULL;
}

static __u64 whole(double v)
{
	return v < 0x1p63 ? v : 1ULL << 63;
}

bool engine__counts(const struct engine *e, __u16 vm, enum page_space space,
		    struct engine_counts *out)
{
	const struct tracked_space *s = find(e, vm, space);

	*out = (struct engine_counts){0};
	if (!s)
		return false;
	*out = (struct engine_counts){
		.fills = whole(round(s->n.fills)),
		.writebacks = whole(round(s->n.writebacks)),
		.evictions = whole(round(s->n.evictions)),
		.discards = s->n.discards,
		.cold = whole(round(s->n.cold)),
		.refaults = whole(round(s->n.refaults)),
		.unseen = whole(round(s->n.unseen)),
		.stale = whole(round(s->n.stale)),
		.uncaptured = whole(round(s->n.uncaptured)),
		.access_ordered = whole(round(s->n.access_ordered)),
		.ghosts_dropped = whole(round(s->n.ghosts_dropped)),
		.lost = whole(round(s->n.lost)),
		.tracked = exclusive_stack__tracked(s->stack),
		.ghosts = exclusive_stack__ghosts(s->stack),
	};
	return true;
}

int engine__sums(const struct engine *e, __u16 vm, enum page_space space, struct curve_sums *out)
{
	const struct tracked_space *s = find(e, vm, space);
	struct curve_scale scale = {.rate = e->rate, .stretch = 1};

	return s ? curve_sums__take(out, s->reuse, &scale) : -ENOENT;
}

int engine__curve(const struct engine *e, __u16 vm, enum page_space space, const __u64 *sizes,
		  size_t n, struct curve_point *out)
{
	struct curve_sums *sums = curve_sums__new(sizes, n);
	int err = sums ? engine__sums(e, vm, space, sums) : -ENOMEM;

	if (!err)
		curve_sums__points(sums, out);
	free(sums);
	return err;
}

__u64 engine__max_distance(const struct engine *e, __u16 vm, enum page_space space)
{
	const struct tracked_space *s = find(e, vm, space);
	__u64 reused, unseen, ghosts;

	if (!s)
		return 0;
	reused = reuse_histogram__reused_end(s->reuse);
	unseen = reuse_histogram__unseen_end(s->reuse);
	/* A bound that counts dropped ghosts can be far beyond anything that was kept. */
	ghosts = whole(ceil((exclusive_stack__ghosts(s->stack) + 1) / e->rate));
	if (unseen > ghosts)
		unseen = ghosts;
	return larger(reused, unseen);
}

__u64 engine__reuse(const struct engine *e, __u16 vm, enum page_space space, __u64 lo, __u64 hi)
{
	const struct tracked_space *s = find(e, vm, space);

	if (!s || lo >= hi)
		return 0;
	return whole(round(reuse_histogram__reused_from(s->reuse, lo) -
			   reuse_histogram__reused_from(s->reuse, hi)));
}

const char *engine__order(const struct engine *e, __u16 vm, enum page_space space)
{
	const struct tracked_space *s = find(e, vm, space);

	return s && 2 * s->n.access_ordered > s->n.fills ? "access" : "eviction";
}

size_t engine__bytes(const struct engine *e)
{
	size_t n = sizeof(*e) + e->memory.used;

	for (int i = 0; i < PE_MAX_VMS * PAGE_SPACES; i++) {
		const struct tracked_space *s = e->spaces[i / PAGE_SPACES][i % PAGE_SPACES];

		if (s)
			n += sizeof(*s) + reuse_histogram__heap(s->reuse);
	}
	return n;
}

size_t engine__peak_bytes(const struct engine *e)
{
	return e->memory.peak;
}

const char *engine__backing(const struct engine *e)
{
	return memory__backing(&e->memory);
}
