// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes a page: 20 to 30 in the page table (page_table.h), and for a ghost up to 3 slots of 0.16
 * byte (slot_set.h).
 *
 * A page's cell: the pos of a ghost is its slot; that of a resident or dead page the slot that the
 * next eviction was to take when the page came in: members from there on are the pages evicted
 * since. check is state:2 and a hash of the frame:30.
 *
 * Pushes take ascending slots. When they run out there are more of them or, once two of three are
 * empty, the pages are renumbered in the order they have. Slot 1 is never used: it stands for
 * "before the oldest page that was kept".
 */
#include <errno.h>
#include <stdlib.h>

#include "exclusive_stack.h"
#include "page_table.h"
#include "slot_set.h"

enum page_state { PAGE_GHOST = 1, PAGE_RESIDENT, PAGE_DEAD };
#define STATE_MASK 3U

#define BEFORE_ALL 1
#define FIRST_SLOT 2
#define FIRST_SLOTS (1U << 12)
/* Slots to win by a renumbering at least, when memory is short: one for so many ghosts. */
#define LEAST_SHARE 16
/* Ghosts given up at once: a sweep over all pages for one in so many of them. */
#define DROP_SHARE 16

struct exclusive_stack {
	struct page_table table;
	struct slot_set live;
	struct memory *memory;
	struct stack_budget *budget;
	__u32 dropped_below; /* slots below it may have held pages that were dropped */
	__u64 dropped;	     /* by drop_oldest */
	__u64 top_frame;     /* left by the page in the last slot, and empty since; or none */
	enum page_space space;
};

/* --- cells --- */

static inline enum page_state state_of(const struct page_cell *c)
{
	return c->check & STATE_MASK;
}

static inline __u32 frame_check(__u64 frame, enum page_state state)
{
	return (__u32)(pe_hash(frame, 0) >> 32 & ~STATE_MASK) | state;
}

static inline bool same_frame(const struct page_cell *c, __u64 frame)
{
	return frame == PE_FRAME_NONE || !((c->check ^ frame_check(frame, 0)) & ~STATE_MASK);
}

static __u64 page_of(const struct exclusive_stack *s, const struct page_cell *c)
{
	return pe_unhash(page_table__hash(&s->table, c->key), s->space);
}

/* A new cell, at the place where its page was looked for. Its pos is to be set. Cells move. */
static int insert(struct exclusive_stack *s, struct page_cell **at, __u64 key)
{
	if (s->budget->max && s->budget->used >= s->budget->max)
		return -ENOSPC;
	if (s->table.pages >= s->table.full) {
		if (page_table__reserve(&s->table, s->memory, 1))
			return -ENOMEM;
		*at = page_table__seek(&s->table, key);
	}
	*at = page_table__insert(&s->table, *at, key);
	if (!*at)
		return -ENOMEM;
	s->budget->used++;
	return 0;
}

/* It must not be in the stack any more. */
static void erase(struct exclusive_stack *s, struct page_cell *c)
{
	page_table__erase(&s->table, c);
	s->budget->used--;
}

/* --- the stack --- */

static bool renumber(void *ctx, struct page_cell *c)
{
	struct exclusive_stack *s = ctx;

	if (c->pos < s->dropped_below)
		c->pos = BEFORE_ALL;
	else if (c->pos >= s->live.used)
		c->pos = s->live.live + FIRST_SLOT;
	else
		c->pos = slot_set__below(&s->live, c->pos, false) + FIRST_SLOT;
	return false;
}

static void compact(struct exclusive_stack *s)
{
	page_table__sweep(&s->table, renumber, s);
	slot_set__assign(&s->live, FIRST_SLOT, s->live.live + FIRST_SLOT);
	s->dropped_below = s->dropped ? FIRST_SLOT : 0;
}

/* Slots have run out. A renumbering visits all pages: enough slots must be won by it. */
static int more_slots(struct exclusive_stack *s)
{
	__u32 used = s->live.used, live = s->live.live;

	if (used - live < 2ULL * live + s->table.pages / 2 + FIRST_SLOTS &&
	    !slot_set__reserve(&s->live, s->memory, used + used / 2ULL))
		return 0;
	/* Not a sweep for each event. */
	if (used - live <= live / LEAST_SHARE + FIRST_SLOT)
		return -ENOMEM;
	compact(s);
	return 0;
}

/* A push can follow. May renumber: look at no cell's pos before it. */
static inline int reserve(struct exclusive_stack *s)
{
	return s->live.used < s->live.room ? 0 : more_slots(s);
}

static inline void push(struct exclusive_stack *s, struct page_cell *c, __u64 frame)
{
	c->check = PAGE_GHOST;
	c->pos = slot_set__push(&s->live);
	s->top_frame = frame;
}

/* Take a ghost out of the stack. */
static inline void pull(struct exclusive_stack *s, const struct page_cell *c)
{
	slot_set__del(&s->live, c->pos);
	if (c->pos == s->live.used - 1)
		s->top_frame = PE_FRAME_NONE;
}

/* After a fill or a writeback: the frame holds the page, or nobody knows and it is pushed. */
static inline void settle(struct exclusive_stack *s, struct page_cell *c, __u64 frame)
{
	if (frame == PE_FRAME_NONE) {
		push(s, c, frame);
		return;
	}
	if (frame == s->top_frame)
		s->top_frame = PE_FRAME_NONE;
	c->check = frame_check(frame, PAGE_RESIDENT);
	c->pos = s->live.used;
}

static inline __u32 members_from(const struct exclusive_stack *s, __u32 pos)
{
	return pos < s->live.used ? s->live.live - slot_set__below(&s->live, pos, false) : 0;
}

/*
 * Pages evicted since this one was (a ghost), or since it came in (a resident page), and not
 * back. A page that left the very frame that is filled now leaves only to make room: in a memory
 * that were one page larger it would have stayed, so it is not above anything yet.
 */
static inline __u64 evicted_since(const struct exclusive_stack *s, __u32 pos, __u64 frame)
{
	__u64 n = members_from(s, pos);

	return n && frame != PE_FRAME_NONE && frame == s->top_frame ? n - 1 : n;
}

/* Some pages may have been dropped at the bottom since it came in: all of them, at worst. */
static inline __u64 evicted_bound(const struct exclusive_stack *s, const struct page_cell *c,
				  __u64 frame)
{
	__u64 bound = evicted_since(s, c->pos, frame);

	return c->pos < s->dropped_below ? bound + s->dropped : bound;
}

struct exclusive_stack *exclusive_stack__new(struct memory *m, struct stack_budget *budget,
					     enum page_space space)
{
	struct exclusive_stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->memory = m;
	s->budget = budget;
	s->space = space;
	s->top_frame = PE_FRAME_NONE;
	if (page_table__init(&s->table, m) || slot_set__reserve(&s->live, m, FIRST_SLOTS)) {
		exclusive_stack__free(s);
		errno = ENOMEM;
		return NULL;
	}
	slot_set__assign(&s->live, FIRST_SLOT, FIRST_SLOT);
	return s;
}

void exclusive_stack__free(struct exclusive_stack *s)
{
	if (!s)
		return;
	s->budget->used -= s->table.pages;
	slot_set__free(&s->live, s->memory);
	page_table__free(&s->table, s->memory);
	free(s);
}

/* --- events --- */

/* A page about to be evicted that is tracked: what it was, and it can be pushed; or STACK_STALE,
 * STACK_DROPPED and it is dealt with. */
static int leave(struct exclusive_stack *s, struct page_cell *c, __u64 frame)
{
	if (state_of(c) == PAGE_GHOST) {
		pull(s, c);
		return STACK_GHOST;
	}
	if (!same_frame(c, frame))
		return STACK_STALE;
	if (state_of(c) == PAGE_RESIDENT)
		return STACK_RESIDENT;
	erase(s, c);
	return STACK_DROPPED;
}

int exclusive_stack__evict(struct exclusive_stack *s, __u64 hash, __u64 frame)
{
	__u64 key = page_table__key(&s->table, hash);
	int err = reserve(s), was = STACK_UNKNOWN;
	struct page_cell *c;

	if (err)
		return err;
	c = page_table__seek(&s->table, key);
	if (page_cell__holds(c, key)) {
		was = leave(s, c, frame);
		if (was == STACK_STALE || was == STACK_DROPPED)
			return was;
	} else {
		err = insert(s, &c, key);
		if (err)
			return err;
	}
	push(s, c, frame);
	return was;
}

/* What a tracked page was when it comes in, and how far away. */
static int come_back(struct exclusive_stack *s, struct page_cell *c, __u64 frame, __u64 *distance)
{
	switch (state_of(c)) {
	case PAGE_GHOST:
		*distance = evicted_since(s, c->pos + 1, frame);
		pull(s, c);
		return STACK_GHOST;
	case PAGE_RESIDENT:
		*distance = evicted_bound(s, c, frame);
		return STACK_RESIDENT;
	default:
		return STACK_UNKNOWN;
	}
}

int exclusive_stack__fill(struct exclusive_stack *s, __u64 hash, __u64 frame, __u64 *distance)
{
	__u64 key = page_table__key(&s->table, hash);
	int err = frame == PE_FRAME_NONE ? reserve(s) : 0, was = STACK_UNKNOWN;
	struct page_cell *c;

	if (err)
		return err;
	c = page_table__seek(&s->table, key);
	if (page_cell__holds(c, key)) {
		was = come_back(s, c, frame, distance);
	} else {
		err = insert(s, &c, key);
		if (err)
			return err;
	}
	settle(s, c, frame);
	return was;
}

int exclusive_stack__writeback(struct exclusive_stack *s, __u64 hash, __u64 frame)
{
	__u64 distance;

	/* The same but for what it means: the caller does not look at the distance. */
	return exclusive_stack__fill(s, hash, frame, &distance);
}

/* --- dropping pages --- */

/* true: it is to leave the table. */
static bool discard_cell(struct exclusive_stack *s, struct page_cell *c, bool mark_dead)
{
	if (state_of(c) == PAGE_GHOST) {
		pull(s, c);
		return true;
	}
	if (mark_dead)
		c->check |= PAGE_DEAD;
	return !mark_dead;
}

struct sweep {
	struct exclusive_stack *stack;
	__u64 page, count; /* a range */
	__u64 threshold;   /* of lots */
	__u32 slot;
	bool mark_dead;
};

/* Take out the pages that fn says. */
static __u32 sweep(struct sweep *ctx, bool (*fn)(void *, struct page_cell *))
{
	struct exclusive_stack *s = ctx->stack;
	__u32 before = s->table.pages;

	page_table__sweep(&s->table, fn, ctx);
	s->budget->used -= before - s->table.pages;
	return before - s->table.pages;
}

static bool in_range(void *ctx, struct page_cell *c)
{
	const struct sweep *r = ctx;

	return page_of(r->stack, c) - r->page < r->count && discard_cell(r->stack, c, r->mark_dead);
}

void exclusive_stack__discard(struct exclusive_stack *s, __u64 page, __u64 count, bool mark_dead)
{
	struct sweep range = {.stack = s, .page = page, .count = count, .mark_dead = mark_dead};

	if (page_table__sweep_pays(&s->table, count)) {
		sweep(&range, in_range);
		return;
	}
	for (; count--; page++) {
		__u64 key = page_table__key(&s->table, pe_hash(page, s->space));
		struct page_cell *c = page_table__find(&s->table, key);

		if (c && discard_cell(s, c, mark_dead))
			erase(s, c);
	}
}

static bool is_old_ghost(void *ctx, struct page_cell *c)
{
	const struct sweep *old = ctx;

	return state_of(c) == PAGE_GHOST && c->pos < old->slot &&
	       discard_cell(old->stack, c, false);
}

__u32 exclusive_stack__drop_oldest(struct exclusive_stack *s)
{
	__u32 live = s->live.live, n = live / DROP_SHARE + 1;
	struct sweep old = {.stack = s};

	if (!live)
		return 0;
	old.slot = slot_set__select(&s->live, n - 1) + 1;
	s->dropped_below = old.slot;
	n = sweep(&old, is_old_ghost);
	s->dropped += n;
	return n;
}

static bool is_above(void *ctx, struct page_cell *c)
{
	const struct sweep *above = ctx;

	return pe_lot(page_of(above->stack, c), above->stack->space) > above->threshold &&
	       discard_cell(above->stack, c, false);
}

void exclusive_stack__retain(struct exclusive_stack *s, __u64 threshold)
{
	struct sweep above = {.stack = s, .threshold = threshold};

	sweep(&above, is_above);
}

/* --- looking --- */

enum stack_result exclusive_stack__find(const struct exclusive_stack *s, __u64 page, __u64 *depth)
{
	__u64 key = page_table__key(&s->table, pe_hash(page, s->space));
	const struct page_cell *c = page_table__find(&s->table, key);

	if (!c || state_of(c) == PAGE_DEAD)
		return STACK_UNKNOWN;
	if (state_of(c) == PAGE_RESIDENT)
		return STACK_RESIDENT;
	*depth = members_from(s, c->pos) - 1;
	return STACK_GHOST;
}

__u64 exclusive_stack__tracked(const struct exclusive_stack *s)
{
	return s->table.pages;
}

__u64 exclusive_stack__ghosts(const struct exclusive_stack *s)
{
	return s->live.live;
}

void exclusive_stack__prefetch(const struct exclusive_stack *s, __u64 hash)
{
	page_table__prefetch(&s->table, page_table__key(&s->table, hash));
}
