/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The slots of a cache: which chunks it has, what each slot holds, and the lists they are on.
 *
 *   slot, 32 byte    0               16     24      28      32
 *                    | digest        | page | newer | older |
 *
 * Records are numbered: the first ones are the lists' heads, then come 512 for each chunk. The last
 * chunk takes the number of one that is taken away, and the records behind go back.
 *
 * Internal to cache/store/.
 */
#ifndef HVTRACE_SLOTS_H
#define HVTRACE_SLOTS_H

#include <stdbool.h>
#include <linux/types.h>

#include "../region.h"
#include "arena.h"
#include "exclusive_cache.h"

#define SLOT_BYTES 4096UL

enum slot_list {
	SLOTS_HELD, /* by the caller: on no list */
	SLOTS_FREE,
	SLOTS_FIRST, /* these two are the policy's */
	SLOTS_SECOND,
	SLOTS_DROPPED, /* as good as free, but for what their records say: see slots__drop_all() */
	SLOT_LISTS
};

struct slot {
	struct page_digest digest;
	__u64 page : 52, standing : 4, list : 8; /* standing: see store_policy.h */
	__u32 newer, older; /* of the same list; of a head: the oldest and the newest */
};
_Static_assert(sizeof(struct slot) == 32, "of 64 bytes a page, the page table takes up to 25");

struct slot_chunk {
	char *base;
	__u32 held, cached; /* those that were dropped count as cached */
};

struct slots {
	struct memory *memory;
	struct region region;
	struct slot head[SLOT_LISTS];
	struct slot *slot; /* those behind the heads */
	struct slot_chunk *chunk;
	__u32 *by_address; /* hash table: chunk number + 1, or 0 */
	__u32 chunks, room;
	__u32 hand; /* where to look next for a chunk to give away */
	__u64 count[SLOT_LISTS];
};

void slots__init(struct slots *s, struct memory *m);
void slots__free(struct slots *s);

/* All of its slots are free. -ENOMEM. */
int slots__add_chunk(struct slots *s, void *base);
/* A chunk that can be given away, with few pages in it: none of its slots is held. NULL: none. */
struct slot_chunk *slots__spare_chunk(struct slots *s);
/* Its slots leave the free list; then it holds pages only, and its number of the first slot. */
__u32 slots__close_chunk(struct slots *s, struct slot_chunk *c);
/* It is empty now. The records of the last chunk become those of its slots, from *first on (0:
 * it was the last): what refers to them by number is the caller's to know. */
void *slots__remove_chunk(struct slots *s, struct slot_chunk *c, __u32 *first);

/* From list to list; it becomes the newest there. */
void slots__move(struct slots *s, __u32 slot, enum slot_list to);
/* What slot `from` holds is in slot `to` from now on, at the same place of its list; `from` is on
 * no list, and not held either. */
void slots__replace(struct slots *s, __u32 from, __u32 to);

/* What both of the policy's lists hold is free, at once. As the records of so many take a while to
 * correct, slots__correct() does some of it; true: there are more. No chunk can go before. */
void slots__drop_all(struct slots *s);
bool slots__correct(struct slots *s, __u32 n);
/* A slot that is free. 0: none. */
__u32 slots__a_free_one(struct slots *s);

__u32 slots__of_address(const struct slots *s, const void *address);
size_t slots__bytes(const struct slots *s);

static inline __u32 slots__chunk_of(__u32 slot)
{
	return (slot - SLOT_LISTS) / ARENA_SLOTS;
}

static inline char *slots__address(const struct slots *s, __u32 slot)
{
	return s->chunk[slots__chunk_of(slot)].base +
	       (slot - SLOT_LISTS) % ARENA_SLOTS * SLOT_BYTES;
}

static inline struct slot *slots__at(const struct slots *s, __u32 slot)
{
	return slot < SLOT_LISTS ? (struct slot *)&s->head[slot] : &s->slot[slot - SLOT_LISTS];
}

/* 0: the list is empty. */
static inline __u32 slots__oldest(const struct slots *s, enum slot_list list)
{
	return s->count[list] ? s->head[list].newer : 0;
}

static inline __u32 slots__newest(const struct slots *s, enum slot_list list)
{
	return s->count[list] ? s->head[list].older : 0;
}

#endif
