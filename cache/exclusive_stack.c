// SPDX-License-Identifier: GPL-2.0
/*
 * Layout, sizes a tracked page:
 *
 *   heads   u32 a bucket, as many buckets as pages           4      linear hashing: grows by one
 *   nodes   20 byte, 1638 in a block of 32 KiB              20      bucket at a time, never stops
 *   slots   u32 -> node, a ghost; up to 1.5 a ghost          4-6    to rehash
 *           and 0.25 a page                                  0-1
 *   live    bitmap and counts over slots (slot_set.h)        0.2
 *                                      a ghost              32
 *                                      a resident page      25
 *
 *   node    0          8         12        16        20
 *           | page     | check   | pos     | next    |
 *
 * The node of a ghost has its slot in pos, that of a resident page the slot that the next
 * eviction was to take when the page came in: members from there on are the pages evicted
 * since. check is state:2 and a hash of the frame:30.
 *
 * An event touches, at random: one head, one to two nodes (both prefetched by the engine, which
 * knows the next events), one line of the bitmap. The slot array is written at its end only, and
 * read by compaction and by drop_oldest.
 *
 * Pushes take ascending slots; when they run out, the array grows by a block or, once half of
 * the stack (and a quarter of the pages) could be won, is compacted, which keeps the order.
 * Slot 0 is never used: after a compaction it stands for "before the oldest page that was kept".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "exclusive_stack.h"
#include "slot_set.h"

struct node {
	__u32 page[2]; /* low, high: keeps the node at 20 bytes */
	__u32 check;
	__u32 pos;
	__u32 next;
};
_Static_assert(sizeof(struct node) == 20, "the budget of 36 bytes a ghost counts on it");

enum node_state { NODE_FREE, NODE_GHOST, NODE_RESIDENT, NODE_DEAD };
#define NODE_STATE 3U

/* A node's number: block << NODE_SHIFT | index; 0 is none. */
#define NODE_SHIFT 11
#define NODES_PER_BLOCK (ARENA_BLOCK / sizeof(struct node))
_Static_assert(NODES_PER_BLOCK <= 1 << NODE_SHIFT, "an index must fit");
#define MAX_NODE_BLOCKS ((1U << (32 - NODE_SHIFT)) - 1)

#define U32_SHIFT (ARENA_BLOCK_SHIFT - 2)
#define U32_PER_BLOCK (1U << U32_SHIFT)
#define MAX_U32_BLOCKS ((1U << (32 - U32_SHIFT)) - 1)

struct exclusive_stack {
	struct arena_table nodes, heads, slots;
	__u64 secret;
	__u32 buckets, mask; /* mask: next power of two - 1 */
	__u32 used;	     /* next slot */
	struct slot_set live;
	__u32 tracked;
	__u32 fresh, spare;  /* node never used so far; list of nodes used before */
	__u32 bottom;	     /* no member below */
	__u32 dropped_below; /* slots below it may have held pages that were dropped */
	__u64 dropped;	     /* by drop_oldest */
	__u64 top_frame;     /* left by the page in slot used - 1, and empty since; or none */
	struct stack_budget *budget;
	struct arena *arena;
	enum page_space space;
};

/* --- elements --- */

static inline struct node *node_at(const struct exclusive_stack *s, __u32 ref)
{
	struct node *block = s->nodes.block[ref >> NODE_SHIFT];

	return block + (ref & ((1U << NODE_SHIFT) - 1));
}

static inline __u32 *u32_at(const struct arena_table *t, __u32 i)
{
	__u32 *block = t->block[i >> U32_SHIFT];

	return block + (i & (U32_PER_BLOCK - 1));
}

static inline __u64 node_page(const struct node *n)
{
	return (__u64)n->page[1] << 32 | n->page[0];
}

static inline enum node_state node_state(const struct node *n)
{
	return n->check & NODE_STATE;
}

static inline __u32 frame_check(__u64 frame, enum node_state state)
{
	return (__u32)(pe_hash(frame, 0) >> 32 & ~NODE_STATE) | state;
}

static inline bool same_frame(const struct node *n, __u64 frame)
{
	return frame == PE_FRAME_NONE || !((n->check ^ frame_check(frame, 0)) & ~NODE_STATE);
}

/* --- page table: linear hashing (Litwin, VLDB '80) over chains of nodes --- */

/*
 * pe_hash is public and can be inverted: without a secret a guest could choose disk pages that
 * all fall into one chain. Bits 32 to 63 of the product depend on all bits of the hash below.
 */
static inline __u32 bucket_of(const struct exclusive_stack *s, __u64 hash)
{
	__u32 h = hash * s->secret >> 32, b = h & s->mask;

	return b < s->buckets ? b : b & (s->mask >> 1);
}

/* The link (head or next) that names the page's node, or the link that ends the chain. */
static inline __u32 *find_link(const struct exclusive_stack *s, __u64 page, __u64 hash)
{
	__u32 *link = u32_at(&s->heads, bucket_of(s, hash));

	while (*link) {
		struct node *n = node_at(s, *link);

		if (node_page(n) == page)
			break;
		link = &n->next;
	}
	return link;
}

/* Add a bucket and move to it what belongs there of the one it splits from. */
static void split_bucket(struct exclusive_stack *s)
{
	__u32 old, added = s->buckets, *from, *to;

	if (added >> U32_SHIFT >= s->heads.nr &&
	    (s->heads.nr == MAX_U32_BLOCKS || arena_table__grow(&s->heads, s->arena)))
		return; /* longer chains, nothing worse */
	if (added > s->mask)
		s->mask = 2 * s->mask + 1;
	old = added & (s->mask >> 1);
	s->buckets++;
	from = u32_at(&s->heads, old);
	to = u32_at(&s->heads, added);
	while (*from) {
		struct node *n = node_at(s, *from);

		if (bucket_of(s, pe_hash(node_page(n), s->space)) == old) {
			from = &n->next;
			continue;
		}
		*to = *from;
		*from = n->next;
		to = &n->next;
		*to = 0;
	}
}

static __u32 take_node(struct exclusive_stack *s)
{
	__u32 ref = s->spare;

	if (ref) {
		s->spare = node_at(s, ref)->next;
		return ref;
	}
	if (s->fresh >> NODE_SHIFT >= s->nodes.nr &&
	    (s->nodes.nr == MAX_NODE_BLOCKS || arena_table__grow(&s->nodes, s->arena)))
		return 0;
	ref = s->fresh++;
	if ((s->fresh & ((1U << NODE_SHIFT) - 1)) == NODES_PER_BLOCK)
		s->fresh = ((s->fresh >> NODE_SHIFT) + 1) << NODE_SHIFT;
	return ref;
}

/* A new node at the end of a chain; link is not to be used after it. */
static int insert(struct exclusive_stack *s, __u32 *link, __u64 page, __u32 *ref)
{
	if (s->budget->max && s->budget->used >= s->budget->max)
		return -ENOSPC;
	*ref = take_node(s);
	if (!*ref)
		return -ENOMEM;
	*node_at(s, *ref) = (struct node){.page = {(__u32)page, page >> 32}};
	*link = *ref;
	s->budget->used++;
	if (++s->tracked > s->buckets)
		split_bucket(s);
	return 0;
}

/* The node must not be in the stack any more. */
static void erase(struct exclusive_stack *s, __u32 *link)
{
	__u32 ref = *link;
	struct node *n = node_at(s, ref);

	*link = n->next;
	n->check = NODE_FREE;
	n->next = s->spare;
	s->spare = ref;
	s->tracked--;
	s->budget->used--;
}

/* Calls fn for every tracked page; fn may drop the page it is called for. */
static void for_each_node(struct exclusive_stack *s,
			  void (*fn)(struct exclusive_stack *, struct node *, void *), void *ctx)
{
	for (__u32 b = 0; b < s->nodes.nr; b++) {
		struct node *n = s->nodes.block[b];

		for (size_t i = 0; i < NODES_PER_BLOCK; i++)
			if (node_state(&n[i]) != NODE_FREE)
				fn(s, &n[i], ctx);
	}
}

/* --- the stack --- */

static void renumber(struct exclusive_stack *s, struct node *n, void *ctx)
{
	if (n->pos < s->dropped_below)
		n->pos = 0;
	else if (n->pos >= s->used)
		n->pos = s->live.live + 1;
	else
		n->pos = slot_set__rank(&s->live, n->pos) + 1;
}

static void compact(struct exclusive_stack *s)
{
	__u32 to = 1, live = s->live.live, keep;

	slot_set__rank_all(&s->live, s->used);
	for_each_node(s, renumber, NULL);
	for (__u32 from = 0; to <= live; to++) {
		from = slot_set__next(&s->live, from);
		*u32_at(&s->slots, to) = *u32_at(&s->slots, from++);
	}
	slot_set__assign(&s->live, 1, to);
	s->used = to;
	s->bottom = 1;
	s->dropped_below = s->dropped ? 1 : 0;

	keep = (to + live / 2 + s->tracked / 4) / U32_PER_BLOCK + 1;
	while (s->slots.nr > keep)
		arena__put(s->arena, s->slots.block[--s->slots.nr]);
}

static int grow_slots(struct exclusive_stack *s)
{
	if (s->slots.nr == MAX_U32_BLOCKS ||
	    slot_set__reserve(&s->live, s->arena, (s->slots.nr + 1) << U32_SHIFT))
		return -ENOMEM;
	return arena_table__grow(&s->slots, s->arena);
}

/* Slots have run out. */
static int more_slots(struct exclusive_stack *s)
{
	__u32 live = s->live.live, won = s->used - live - 1;

	if (won <= live / 2 + s->tracked / 4 && !grow_slots(s))
		return 0;
	if (!won)
		return -ENOMEM;
	compact(s);
	return 0;
}

/* A push can follow. May renumber: look at no pos before it. */
static inline int reserve_slot(struct exclusive_stack *s)
{
	return s->used < s->slots.nr << U32_SHIFT ? 0 : more_slots(s);
}

static inline void push(struct exclusive_stack *s, struct node *n, __u32 ref, __u64 frame)
{
	__u32 slot = s->used++;

	n->check = NODE_GHOST;
	n->pos = slot;
	*u32_at(&s->slots, slot) = ref;
	slot_set__add(&s->live, slot);
	s->top_frame = frame;
}

/* Take a ghost out of the stack. */
static inline void pull(struct exclusive_stack *s, const struct node *n)
{
	slot_set__del(&s->live, n->pos);
	if (n->pos == s->used - 1)
		s->top_frame = PE_FRAME_NONE;
}

/* After a fill or a writeback: the frame holds the page, or nobody knows and it is pushed. */
static inline void settle(struct exclusive_stack *s, struct node *n, __u32 ref, __u64 frame)
{
	if (frame == PE_FRAME_NONE) {
		push(s, n, ref, frame);
		return;
	}
	if (frame == s->top_frame)
		s->top_frame = PE_FRAME_NONE;
	n->check = frame_check(frame, NODE_RESIDENT);
	n->pos = s->used;
}

/*
 * Pages evicted since this one was (a ghost), or since it came in (a resident page), and not
 * back. A page that left the very frame that is filled now leaves only to make room: in a memory
 * that were one page larger it would have stayed, so it is not above anything yet.
 */
static inline __u64 evicted_since(const struct exclusive_stack *s, __u32 pos, __u64 frame)
{
	__u64 n = slot_set__from(&s->live, pos, s->used);

	return n && frame != PE_FRAME_NONE && frame == s->top_frame ? n - 1 : n;
}

/* Some pages may have been dropped at the bottom since it came in: all of them, at worst. */
static inline __u64 evicted_bound(const struct exclusive_stack *s, const struct node *n,
				  __u64 frame)
{
	__u64 bound = evicted_since(s, n->pos, frame);

	return n->pos < s->dropped_below ? bound + s->dropped : bound;
}

struct exclusive_stack *exclusive_stack__new(struct arena *a, struct stack_budget *budget,
					     enum page_space space)
{
	struct exclusive_stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->arena = a;
	s->budget = budget;
	s->space = space;
	s->fresh = s->used = s->bottom = s->buckets = 1;
	s->mask = 1;
	s->top_frame = PE_FRAME_NONE;
	if (getrandom(&s->secret, sizeof(s->secret), GRND_NONBLOCK) != sizeof(s->secret))
		s->secret = pe_hash((__u64)(unsigned long)s, 1);
	s->secret |= 1;
	if (arena_table__grow(&s->heads, a)) {
		exclusive_stack__free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

void exclusive_stack__free(struct exclusive_stack *s)
{
	if (!s)
		return;
	s->budget->used -= s->tracked;
	slot_set__free(&s->live, s->arena);
	arena_table__clear(&s->slots, s->arena);
	arena_table__clear(&s->nodes, s->arena);
	arena_table__clear(&s->heads, s->arena);
	free(s);
}

int exclusive_stack__evict(struct exclusive_stack *s, __u64 page, __u64 hash, __u64 frame)
{
	int err = reserve_slot(s), was = STACK_UNKNOWN;
	__u32 *link, ref;
	struct node *n;

	if (err)
		return err;
	link = find_link(s, page, hash);
	ref = *link;
	if (!ref) {
		err = insert(s, link, page, &ref);
		if (err)
			return err;
		n = node_at(s, ref);
	} else {
		n = node_at(s, ref);
		if (node_state(n) == NODE_GHOST) {
			pull(s, n);
			was = STACK_GHOST;
		} else if (!same_frame(n, frame)) {
			return STACK_STALE;
		} else if (node_state(n) == NODE_DEAD) {
			erase(s, link);
			return STACK_DROPPED;
		} else {
			was = STACK_RESIDENT;
		}
	}
	push(s, n, ref, frame);
	return was;
}

int exclusive_stack__fill(struct exclusive_stack *s, __u64 page, __u64 hash, __u64 frame,
			  __u64 *distance)
{
	int err = frame == PE_FRAME_NONE ? reserve_slot(s) : 0, was = STACK_UNKNOWN;
	__u32 *link, ref;
	struct node *n;

	if (err)
		return err;
	link = find_link(s, page, hash);
	ref = *link;
	if (!ref) {
		err = insert(s, link, page, &ref);
		if (err)
			return err;
		n = node_at(s, ref);
	} else {
		n = node_at(s, ref);
		if (node_state(n) == NODE_GHOST) {
			*distance = evicted_since(s, n->pos + 1, frame);
			pull(s, n);
			was = STACK_GHOST;
		} else if (node_state(n) == NODE_RESIDENT) {
			*distance = evicted_bound(s, n, frame);
			was = STACK_RESIDENT;
		}
	}
	settle(s, n, ref, frame);
	return was;
}

int exclusive_stack__writeback(struct exclusive_stack *s, __u64 page, __u64 hash, __u64 frame)
{
	__u64 distance;

	/* The same but for what it means: the caller does not look at the distance. */
	return exclusive_stack__fill(s, page, hash, frame, &distance);
}

/* --- dropping pages --- */

static void discard_link(struct exclusive_stack *s, __u32 *link, bool mark_dead)
{
	struct node *n = node_at(s, *link);

	if (node_state(n) == NODE_GHOST) {
		pull(s, n);
		erase(s, link);
	} else if (mark_dead) {
		n->check |= NODE_DEAD;
	} else {
		erase(s, link);
	}
}

struct discard_range {
	__u64 page, count;
	bool mark_dead;
};

static void discard_node(struct exclusive_stack *s, struct node *n, void *ctx)
{
	const struct discard_range *r = ctx;
	__u64 page = node_page(n);

	if (page - r->page < r->count)
		discard_link(s, find_link(s, page, pe_hash(page, s->space)), r->mark_dead);
}

void exclusive_stack__discard(struct exclusive_stack *s, __u64 page, __u64 count, bool mark_dead)
{
	struct discard_range r = {.page = page, .count = count, .mark_dead = mark_dead};

	if (count > s->tracked) {
		for_each_node(s, discard_node, &r);
		return;
	}
	for (; count--; page++) {
		__u32 *link = find_link(s, page, pe_hash(page, s->space));

		if (*link)
			discard_link(s, link, mark_dead);
	}
}

bool exclusive_stack__drop_oldest(struct exclusive_stack *s)
{
	struct node *n;
	__u64 page;

	if (!s->live.live)
		return false;
	s->bottom = slot_set__next(&s->live, s->bottom);
	n = node_at(s, *u32_at(&s->slots, s->bottom));
	page = node_page(n);
	pull(s, n);
	s->dropped_below = ++s->bottom;
	s->dropped++;
	erase(s, find_link(s, page, pe_hash(page, s->space)));
	return true;
}

static void retain_node(struct exclusive_stack *s, struct node *n, void *ctx)
{
	__u64 page = node_page(n), hash = pe_hash(page, s->space);

	if (hash > *(__u64 *)ctx)
		discard_link(s, find_link(s, page, hash), false);
}

void exclusive_stack__retain(struct exclusive_stack *s, __u64 threshold)
{
	for_each_node(s, retain_node, &threshold);
}

/* --- looking --- */

enum stack_result exclusive_stack__find(const struct exclusive_stack *s, __u64 page, __u64 *depth)
{
	__u32 ref = *find_link(s, page, pe_hash(page, s->space));
	struct node *n = ref ? node_at(s, ref) : NULL;

	if (!n || node_state(n) == NODE_DEAD)
		return STACK_UNKNOWN;
	if (node_state(n) == NODE_RESIDENT)
		return STACK_RESIDENT;
	*depth = slot_set__from(&s->live, n->pos, s->used) - 1;
	return STACK_GHOST;
}

__u64 exclusive_stack__tracked(const struct exclusive_stack *s)
{
	return s->tracked;
}

__u64 exclusive_stack__ghosts(const struct exclusive_stack *s)
{
	return s->live.live;
}

size_t exclusive_stack__heap(const struct exclusive_stack *s)
{
	return sizeof(*s) + s->live.heap +
	       (s->nodes.room + s->heads.room + s->slots.room + s->live.bits.room) * sizeof(void *);
}

void exclusive_stack__prefetch_bucket(const struct exclusive_stack *s, __u64 hash)
{
	__builtin_prefetch(u32_at(&s->heads, bucket_of(s, hash)), 1);
}

void exclusive_stack__prefetch_node(const struct exclusive_stack *s, __u64 hash)
{
	__u32 ref = *u32_at(&s->heads, bucket_of(s, hash));

	if (ref)
		__builtin_prefetch(node_at(s, ref), 1);
}

/* One page in two is not the first of its chain. */
void exclusive_stack__prefetch_next(const struct exclusive_stack *s, __u64 page, __u64 hash)
{
	__u32 ref = *u32_at(&s->heads, bucket_of(s, hash));
	const struct node *n;

	if (!ref)
		return;
	n = node_at(s, ref);
	if (node_page(n) != page && n->next)
		__builtin_prefetch(node_at(s, n->next), 1);
}
