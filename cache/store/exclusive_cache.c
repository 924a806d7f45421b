// SPDX-License-Identifier: GPL-2.0
/*
 * One page table for all pages that are cached or resident. A cell's pos says which, and where the
 * rest is known:
 *
 *   31         30..28     27..0
 *   resident | standing | number of the record in residents     check: the frame
 *   0          number of the slot
 *
 * Bytes a cached page: 32 for its slot (slots.h), 20 to 25 in the page table, up to 29 until that
 * shrinks. A resident page: 16 to 18 for its digest, and the same in the page table. A ghost: 16
 * (ghosts.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../minmax.h"
#include "../page_table.h"
#include "exclusive_cache.h"
#include "ghosts.h"
#include "in_flight.h"
#include "residents.h"
#include "slots.h"
#include "store_policy.h"

#define RESIDENT (1U << 31)
#define STANDING_SHIFT 28
#define NUMBER ((1U << STANDING_SHIFT) - 1)

/* 16 EiB of disk and 16 TiB of guest memory: what is beyond is never remembered. */
#define MAX_PAGE (1ULL << 52)
#define MAX_FRAME (~0U)
/* Steps of the table and slots corrected in one go of work. */
#define WORK_STEPS 8
#define WORK_SLOTS 256
/* Cells looked at for a resident page to give up for a new one. */
#define REUSE_LOOKS 128

struct exclusive_cache {
	const struct store_policy *policy;
	struct memory *memory;
	struct page_table table;
	struct slots slots;
	struct residents residents;
	struct ghosts ghosts;
	struct in_flight in_flight;
	__u64 max_ghosts; /* 0: as many as slots */
	__u64 evicted, ghost_hits;
	__u32 released; /* the slot of the last hit */
	__u32 hand;	/* the cell where looking for a resident page to give up goes on */
};

/* --- pages --- */

static struct page_cell *find(const struct exclusive_cache *c, __u64 page)
{
	return page_table__find(&c->table, page_table__key(&c->table, page));
}

static __u64 page_of(const struct exclusive_cache *c, const struct page_cell *cell)
{
	return page_table__hash(&c->table, cell->key);
}

static bool is_resident(const struct page_cell *cell)
{
	return cell && cell->pos & RESIDENT;
}

static bool is_cached(const struct page_cell *cell)
{
	return cell && !(cell->pos & RESIDENT);
}

static unsigned standing(const struct exclusive_cache *c, const struct page_cell *cell)
{
	if (is_resident(cell))
		return (cell->pos & ~RESIDENT) >> STANDING_SHIFT;
	return cell ? slots__at(&c->slots, cell->pos)->standing : 0;
}

static unsigned raised(unsigned standing)
{
	return standing < STANDING_MOST ? standing + 1 : standing;
}

/* After the guest wanted the page. */
static unsigned standing_if_wanted(const struct exclusive_cache *c, const struct page_cell *cell)
{
	return is_cached(cell) ? raised(standing(c, cell)) : standing(c, cell);
}

/* What the cell refers to is not used any more. */
static void release(struct exclusive_cache *c, const struct page_cell *cell)
{
	if (is_resident(cell))
		residents__put(&c->residents, cell->pos & NUMBER);
	else
		slots__move(&c->slots, cell->pos, SLOTS_FREE);
}

static void drop(struct exclusive_cache *c, struct page_cell *cell)
{
	release(c, cell);
	page_table__erase(&c->table, cell);
}

/* The page ceases to be anything, as the guest wants it. Its standing. */
static unsigned forget(struct exclusive_cache *c, __u64 page)
{
	struct page_cell *cell = find(c, page);
	unsigned n = standing_if_wanted(c, cell);

	if (cell)
		drop(c, cell);
	return n;
}

/* Give up some resident page, not far from the last one. */
static bool give_up_one(struct exclusive_cache *c)
{
	if (c->hand >= c->table.room)
		c->hand = 0;
	for (int i = 0; i < REUSE_LOOKS; i++) {
		struct page_cell *cell = &c->table.cells[c->hand];

		if (cell->pos & RESIDENT) {
			drop(c, cell);
			return true;
		}
		c->hand = c->hand + 1 < c->table.room ? c->hand + 1 : 0;
	}
	return false;
}

static __u32 new_resident(struct exclusive_cache *c)
{
	__u32 i = residents__get(&c->residents);

	if (i == RESIDENTS_NONE && give_up_one(c))
		i = residents__get(&c->residents);
	return i;
}

/* A new cell, which is to be given a pos. NULL: no memory. */
static struct page_cell *new_cell(struct exclusive_cache *c, __u64 page)
{
	__u64 key = page_table__key(&c->table, page);

	if (page_table__make_room(&c->table, c->memory))
		return NULL;
	return page_table__insert(&c->table, page_table__seek(&c->table, key), key);
}

/* The frame holds the page now, with these bytes. */
static void remember(struct exclusive_cache *c, __u64 page, __u64 frame,
		     const struct page_digest *digest, unsigned standing)
{
	struct page_cell *cell;
	__u32 i;

	standing = larger(standing, forget(c, page));
	if (page >= MAX_PAGE || frame > MAX_FRAME)
		return;
	i = new_resident(c);
	if (i == RESIDENTS_NONE)
		return;
	cell = new_cell(c, page);
	if (!cell) {
		residents__put(&c->residents, i);
		return;
	}
	c->residents.digest[i] = *digest;
	cell->pos = RESIDENT | standing << STANDING_SHIFT | i;
	cell->check = frame;
}

/* --- a cache --- */

/* It is as if the page had never been seen. */
static void lost(void *ctx, const struct page_cell *cell)
{
	release(ctx, cell);
}

struct exclusive_cache *exclusive_cache__new(const struct exclusive_cache_opts *o)
{
	const struct store_policy *policy = store_policy__find(o->policy);
	struct exclusive_cache *c;

	if (!policy) {
		errno = EINVAL;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->policy = policy;
	c->memory = o->memory;
	memory__tighten(c->memory);
	c->max_ghosts = o->max_ghosts;
	c->in_flight.memory = c->memory; /* it may be freed before it is */
	slots__init(&c->slots, c->memory);
	residents__init(&c->residents, c->memory, o->max_resident);
	ghosts__init(&c->ghosts, c->memory);
	if (page_table__init(&c->table, c->memory) || in_flight__init(&c->in_flight, c->memory)) {
		exclusive_cache__free(c);
		errno = ENOMEM;
		return NULL;
	}
	c->table.lost = lost;
	c->table.lost_ctx = c;
	return c;
}

void exclusive_cache__free(struct exclusive_cache *c)
{
	if (!c)
		return;
	in_flight__free(&c->in_flight);
	ghosts__free(&c->ghosts);
	residents__free(&c->residents);
	slots__free(&c->slots);
	page_table__free(&c->table, c->memory);
	free(c);
}

/* --- room --- */

static void size_ghosts(struct exclusive_cache *c)
{
	__u64 slots = (__u64)c->slots.chunks * ARENA_SLOTS;

	/* Without slots, nothing is ever evicted. */
	ghosts__resize(&c->ghosts,
		       c->max_ghosts && slots ? c->max_ghosts : c->policy->ghosts(slots));
}

int exclusive_cache__add_chunk(struct exclusive_cache *c, void *chunk)
{
	int err = slots__add_chunk(&c->slots, chunk);

	if (!err)
		size_ghosts(c);
	return err;
}

static __u64 cached(const struct exclusive_cache *c)
{
	return c->slots.count[SLOTS_FIRST] + c->slots.count[SLOTS_SECOND];
}

static __u32 next_victim(const struct exclusive_cache *c)
{
	return cached(c) ? slots__oldest(&c->slots, c->policy->victims(&c->slots)) : 0;
}

/* Bring closer what the next eviction will look at, and the record that the one after it will. */
static void prefetch_victim(const struct exclusive_cache *c)
{
	const struct slot *slot = slots__at(&c->slots, next_victim(c));

	page_table__prefetch(&c->table, page_table__key(&c->table, slot->page));
	ghosts__prefetch(&c->ghosts, slot->page);
	__builtin_prefetch(slots__at(&c->slots, slot->newer), 1);
}

/* The page that has to go leaves its slot to that list. The slot; 0: nothing is cached. */
static __u32 evict(struct exclusive_cache *c, enum slot_list to)
{
	const struct slot *slot;
	__u32 victim;

	if (!cached(c))
		return 0;
	c->policy->spare(&c->slots, c->policy->victims(&c->slots));
	victim = next_victim(c);
	slot = slots__at(&c->slots, victim);
	if (c->policy->leaves_ghosts(slot->list))
		ghosts__add(&c->ghosts, slot->page);
	page_table__erase(&c->table, find(c, slot->page));
	slots__move(&c->slots, victim, to);
	c->evicted++;
	prefetch_victim(c);
	return victim;
}

/* A page of a chunk that is given away goes to a free slot of another. */
static void move(struct exclusive_cache *c, __u32 from)
{
	__u32 to = slots__newest(&c->slots, SLOTS_FREE);

	find(c, slots__at(&c->slots, from)->page)->pos = to;
	memcpy(slots__address(&c->slots, to), slots__address(&c->slots, from), SLOT_BYTES);
	slots__replace(&c->slots, from, to);
}

/* Cells tell of slots by their numbers. */
static void renumber(struct exclusive_cache *c, __u32 first)
{
	for (__u32 i = first; i < first + ARENA_SLOTS; i++) {
		const struct slot *slot = slots__at(&c->slots, i);

		if (slot->list == SLOTS_FIRST || slot->list == SLOTS_SECOND)
			find(c, slot->page)->pos = i;
	}
}

void *exclusive_cache__take_chunk(struct exclusive_cache *c)
{
	struct slot_chunk *chunk = slots__spare_chunk(&c->slots);
	__u32 first;
	void *base;

	if (!chunk || c->slots.count[SLOTS_DROPPED])
		return NULL;
	/* As many are free in all: then what this one holds fits into the others. */
	while (c->slots.count[SLOTS_FREE] < ARENA_SLOTS)
		evict(c, SLOTS_FREE);
	first = slots__close_chunk(&c->slots, chunk);
	for (__u32 i = first; i < first + ARENA_SLOTS; i++)
		if (slots__at(&c->slots, i)->list != SLOTS_HELD)
			move(c, i);
	base = slots__remove_chunk(&c->slots, chunk, &first);
	if (first)
		renumber(c, first);
	size_ghosts(c);
	in_flight__trim(&c->in_flight);
	return base;
}

bool exclusive_cache__work(struct exclusive_cache *c)
{
	if (page_table__loose(&c->table))
		page_table__begin_shrink(&c->table);
	for (int i = 0; i < WORK_STEPS && page_table__moving(&c->table); i++)
		page_table__step(&c->table, c->memory);
	return slots__correct(&c->slots, WORK_SLOTS) || page_table__moving(&c->table) ||
	       page_table__loose(&c->table);
}

size_t exclusive_cache__chunks(const struct exclusive_cache *c)
{
	return c->slots.chunks;
}

/* --- hits --- */

void *exclusive_cache__take(struct exclusive_cache *c, __u64 page, struct page_digest *digest,
			    __u64 *frame)
{
	struct page_cell *cell = find(c, page);
	__u32 slot;

	*frame = is_resident(cell) ? cell->check : PE_FRAME_NONE;
	if (!is_cached(cell))
		return NULL;
	slot = cell->pos;
	*digest = slots__at(&c->slots, slot)->digest;
	slots__move(&c->slots, slot, SLOTS_HELD);
	page_table__erase(&c->table, cell);
	return slots__address(&c->slots, slot);
}

void exclusive_cache__release_slot(struct exclusive_cache *c, void *slot)
{
	c->released = slots__of_address(&c->slots, slot);
	slots__move(&c->slots, c->released, SLOTS_FREE);
}

/* --- captures --- */

static enum capture expects(const struct exclusive_cache *c, const struct page_cell *cell,
			    __u64 page, __u64 frame)
{
	if (is_resident(cell) && frame == cell->check)
		return CAPTURED;
	return in_flight__writing(&c->in_flight, page) ? CAPTURE_WRITING : CAPTURE_UNKNOWN;
}

enum capture exclusive_cache__expects(const struct exclusive_cache *c, __u64 page, __u64 frame)
{
	return expects(c, find(c, page), page, frame);
}

bool exclusive_cache__next_slot_is_warm(const struct exclusive_cache *c)
{
	return c->released && c->released == slots__newest(&c->slots, SLOTS_FREE);
}

void *exclusive_cache__slot(struct exclusive_cache *c)
{
	__u32 slot = slots__a_free_one(&c->slots);

	if (slot)
		slots__move(&c->slots, slot, SLOTS_HELD);
	else
		slot = evict(c, SLOTS_HELD);
	return slot ? slots__address(&c->slots, slot) : NULL;
}

static bool same(const struct page_digest *a, const struct page_digest *b)
{
	return a->lo == b->lo && a->hi == b->hi;
}

static void fill(struct exclusive_cache *c, struct page_cell *cell, __u32 slot,
		 const struct page_digest *digest)
{
	struct slot *s = slots__at(&c->slots, slot);

	s->page = page_of(c, cell);
	s->digest = *digest;
	s->standing = standing(c, cell);
	slots__move(&c->slots, slot, c->policy->list(s->standing));
	cell->pos = slot;
	cell->check = 0;
}

/* The page is resident in that frame, which is about to be overwritten. */
static enum capture end_residence(struct exclusive_cache *c, struct page_cell *cell, void *slot,
				  const struct page_digest *digest)
{
	__u32 i = cell->pos & NUMBER;

	if (!slot || !same(digest, &c->residents.digest[i])) {
		drop(c, cell);
		return slot ? CAPTURE_CHANGED : CAPTURE_NO_ROOM;
	}
	residents__put(&c->residents, i);
	fill(c, cell, slots__of_address(&c->slots, slot), digest);
	return CAPTURED;
}

enum capture exclusive_cache__capture(struct exclusive_cache *c, __u64 page, __u64 frame,
				      void *slot, const struct page_digest *digest)
{
	struct page_cell *cell = find(c, page);
	enum capture result = expects(c, cell, page, frame);

	if (result == CAPTURED)
		result = end_residence(c, cell, slot, digest);
	if (slot && result != CAPTURED)
		exclusive_cache__release_slot(c, slot);
	return result;
}

/* --- requests in flight --- */

cache_token exclusive_cache__read_begin(struct exclusive_cache *c, __u64 page)
{
	bool ghost = ghosts__remove(&c->ghosts, page);

	c->ghost_hits += ghost;
	return in_flight__read(&c->in_flight, page, ghost ? STANDING_GHOST : 0);
}

bool exclusive_cache__read_end(struct exclusive_cache *c, __u64 page, cache_token t, __u64 frame,
			       const struct page_digest *digest)
{
	unsigned standing = 0;
	bool known = in_flight__end_read(&c->in_flight, page, t, &standing);

	if (!known || !digest)
		return known;
	/* It may have been evicted since, from where another request brought it. */
	if (ghosts__remove(&c->ghosts, page))
		standing = larger(standing, STANDING_GHOST);
	remember(c, page, frame, digest, standing);
	return true;
}

cache_token exclusive_cache__write_begin(struct exclusive_cache *c, __u64 page)
{
	unsigned standing = forget(c, page);

	if (ghosts__remove(&c->ghosts, page))
		standing = larger(standing, STANDING_GHOST);
	return in_flight__write(&c->in_flight, page, standing);
}

void exclusive_cache__write_end(struct exclusive_cache *c, __u64 page, cache_token t, __u64 frame,
				const struct page_digest *digest)
{
	unsigned standing = 0;
	bool known = in_flight__end_write(&c->in_flight, page, t, &standing);

	if (known && digest)
		remember(c, page, frame, digest, standing);
}

void exclusive_cache__hit_end(struct exclusive_cache *c, __u64 page, __u64 frame,
			      const struct page_digest *digest)
{
	const struct slot *slot = slots__at(&c->slots, slots__newest(&c->slots, SLOTS_FREE));
	unsigned standing = slot->page == page ? slot->standing : 0;

	if (!in_flight__writing(&c->in_flight, page))
		remember(c, page, frame, digest, raised(standing));
}

/* --- the world changes --- */

struct sweep {
	struct exclusive_cache *cache;
	__u64 page, count;
	bool residents_only;
};

static bool leaves(void *ctx, struct page_cell *cell)
{
	const struct sweep *s = ctx;

	if (page_of(s->cache, cell) - s->page >= s->count)
		return false;
	if (s->residents_only && !is_resident(cell))
		return false;
	release(s->cache, cell);
	return true;
}

static void drop_range(struct exclusive_cache *c, __u64 page, __u64 count)
{
	struct sweep s = {.cache = c, .page = page, .count = count};

	if (page_table__sweep_pays(&c->table, count)) {
		page_table__sweep(&c->table, leaves, &s);
		return;
	}
	for (; count--; page++)
		forget(c, page);
}

__u64 exclusive_cache__invalidate(struct exclusive_cache *c, __u64 page, __u64 count)
{
	__u64 before = cached(c);

	in_flight__change(&c->in_flight, page, count);
	drop_range(c, page, count);
	ghosts__remove_range(&c->ghosts, page, count);
	return before - cached(c);
}

__u64 exclusive_cache__clear(struct exclusive_cache *c)
{
	__u64 before = cached(c);

	in_flight__change(&c->in_flight, 0, ~0ULL);
	in_flight__trim(&c->in_flight);
	slots__drop_all(&c->slots);
	residents__restart(&c->residents, c->residents.max);
	ghosts__clear(&c->ghosts);
	page_table__clear(&c->table, c->memory);
	return before;
}

void exclusive_cache__forget_residents(struct exclusive_cache *c, __u64 frames)
{
	struct sweep s = {.cache = c, .count = ~0ULL, .residents_only = true};

	in_flight__change(&c->in_flight, 0, ~0ULL);
	page_table__sweep(&c->table, leaves, &s);
	residents__restart(&c->residents, frames);
}

struct handing {
	struct exclusive_cache *from;
	struct exclusive_cache *(*fn)(void *ctx, __u64 page);
	void *ctx;
};

static bool hand_over(void *ctx, struct page_cell *cell)
{
	const struct handing *h = ctx;
	__u64 page = page_of(h->from, cell);
	struct exclusive_cache *to = h->fn(h->ctx, page);

	if (to == h->from)
		return false;
	if (is_resident(cell))
		remember(to, page, cell->check, &h->from->residents.digest[cell->pos & NUMBER],
			 standing(h->from, cell));
	release(h->from, cell);
	return true;
}

__u64 exclusive_cache__hand_over(struct exclusive_cache *c,
				 struct exclusive_cache *(*fn)(void *ctx, __u64 page), void *ctx)
{
	struct handing h = {c, fn, ctx};
	__u64 before = cached(c);

	page_table__sweep(&c->table, hand_over, &h);
	if (!c->residents.count)
		residents__restart(&c->residents, c->residents.max);
	return before - cached(c);
}

/* --- looking --- */

static size_t metadata(const struct exclusive_cache *c)
{
	return sizeof(*c) + c->table.region.bytes + c->residents.region.bytes +
	       ghosts__bytes(&c->ghosts) + c->in_flight.region.bytes + slots__bytes(&c->slots);
}

void exclusive_cache__counts(const struct exclusive_cache *c, struct exclusive_cache_counts *out)
{
	*out = (struct exclusive_cache_counts){
		.cached = cached(c),
		.resident = c->residents.count,
		.ghosts = c->ghosts.live,
		.slots = (__u64)c->slots.chunks * ARENA_SLOTS,
		.free_slots = exclusive_cache__free_slots(c),
		.evicted = c->evicted,
		.ghost_hits = c->ghost_hits,
		.writing = c->in_flight.written + c->in_flight.blind,
		.bytes = metadata(c),
		.ghost_bytes = ghosts__bytes(&c->ghosts),
		.resident_bytes = c->residents.region.bytes,
	};
}

bool exclusive_cache__is_cached(const struct exclusive_cache *c, __u64 page)
{
	return is_cached(find(c, page));
}

bool exclusive_cache__is_resident(const struct exclusive_cache *c, __u64 page, __u64 *frame)
{
	const struct page_cell *cell = find(c, page);

	if (!is_resident(cell))
		return false;
	if (frame)
		*frame = cell->check;
	return true;
}

size_t exclusive_cache__list(const struct exclusive_cache *c, __u64 *pages, size_t max)
{
	size_t n = 0;

	for (__u32 i = 0; i < c->table.room && n < max; i++) {
		const struct page_cell *cell = &c->table.cells[i];

		if (cell->pos && is_cached(cell))
			pages[n++] = page_of(c, cell);
	}
	return n;
}

__u64 exclusive_cache__free_slots(const struct exclusive_cache *c)
{
	return c->slots.count[SLOTS_FREE] + c->slots.count[SLOTS_DROPPED];
}

void exclusive_cache__prefetch(const struct exclusive_cache *c, __u64 page)
{
	page_table__prefetch(&c->table, page_table__key(&c->table, page));
}

void exclusive_cache__prefetch_more(const struct exclusive_cache *c, __u64 page)
{
	const struct page_cell *cell = find(c, page);

	if (is_resident(cell))
		__builtin_prefetch(&c->residents.digest[cell->pos & NUMBER], 1);
	if (!is_cached(cell))
		return;
	__builtin_prefetch(slots__at(&c->slots, cell->pos), 1);
	page_digest__prefetch(slots__address(&c->slots, cell->pos));
}
