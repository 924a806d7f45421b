// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slots.h"

/* Slot numbers have 31 bits: see exclusive_cache.c. */
#define MAX_CHUNKS (((1U << 31) - SLOT_LISTS) / ARENA_SLOTS)
#define FIRST_ROOM 8
/* Chunks looked at to find one with few pages in it. */
#define SPARE_LOOKS 16

static int reserve(struct slots *s, __u32 chunks)
{
	size_t slots = (size_t)chunks * ARENA_SLOTS;
	int err = region__grow(&s->region, s->memory, slots * sizeof(struct slot));

	s->slot = s->region.base; /* may have moved, even if it did not grow enough */
	return err;
}

void slots__init(struct slots *s, struct memory *m)
{
	*s = (struct slots){.memory = m};
	for (__u32 i = 0; i < SLOT_LISTS; i++)
		s->head[i] = (struct slot){.list = i, .newer = i, .older = i};
}

void slots__free(struct slots *s)
{
	region__free(&s->region, s->memory);
	free(s->chunk);
	free(s->by_address);
	*s = (struct slots){0};
}

/* --- chunks by address --- */

/* Twice as many places as chunks there is room for. */
static __u32 home(const struct slots *s, const void *base)
{
	__u64 h = (__u64)(unsigned long)base / ARENA_CHUNK * 0x9e3779b97f4a7c15ULL;

	return (h >> 32) & (2 * s->room - 1);
}

static __u32 after(const struct slots *s, __u32 i)
{
	return (i + 1) & (2 * s->room - 1);
}

static void enter(struct slots *s, __u32 number)
{
	__u32 i = home(s, s->chunk[number].base);

	while (s->by_address[i])
		i = after(s, i);
	s->by_address[i] = number + 1;
}

static void enter_all(struct slots *s)
{
	memset(s->by_address, 0, 2 * s->room * sizeof(*s->by_address));
	for (__u32 i = 0; i < s->chunks; i++)
		enter(s, i);
}

__u32 slots__of_address(const struct slots *s, const void *address)
{
	const char *base = (const char *)((unsigned long)address & -ARENA_CHUNK);
	__u32 i = home(s, base);

	while (s->chunk[s->by_address[i] - 1].base != base)
		i = after(s, i);
	return SLOT_LISTS + (s->by_address[i] - 1) * ARENA_SLOTS +
	       ((const char *)address - base) / SLOT_BYTES;
}

static int change_room(struct slots *s, __u32 room)
{
	struct slot_chunk *chunk = calloc(room, sizeof(*chunk));
	__u32 *by_address = calloc(2 * (size_t)room, sizeof(*by_address));

	if (!chunk || !by_address) {
		free(chunk);
		free(by_address);
		return -ENOMEM;
	}
	if (s->chunks)
		memcpy(chunk, s->chunk, s->chunks * sizeof(*chunk));
	free(s->chunk);
	free(s->by_address);
	s->chunk = chunk;
	s->by_address = by_address;
	s->room = room;
	enter_all(s);
	return 0;
}

/* --- lists --- */

static void unlink_slot(struct slots *s, struct slot *n)
{
	if (n->list == SLOTS_HELD)
		return;
	slots__at(s, n->newer)->older = n->older;
	slots__at(s, n->older)->newer = n->newer;
}

static void link_slot(struct slots *s, __u32 slot, enum slot_list list)
{
	struct slot *n = slots__at(s, slot);
	__u32 next = s->head[list].older;

	n->list = list;
	if (list == SLOTS_HELD)
		return;
	n->newer = list;
	n->older = next;
	slots__at(s, next)->newer = slot;
	s->head[list].older = slot;
}

/* n slots of that chunk are on that list now, or fewer. */
static void account(struct slots *s, struct slot_chunk *c, enum slot_list list, int n)
{
	s->count[list] += n;
	if (list == SLOTS_HELD)
		c->held += n;
	else if (list != SLOTS_FREE)
		c->cached += n;
}

void slots__move(struct slots *s, __u32 slot, enum slot_list to)
{
	struct slot_chunk *c = &s->chunk[slots__chunk_of(slot)];
	struct slot *n = slots__at(s, slot);

	account(s, c, n->list, -1);
	unlink_slot(s, n);
	link_slot(s, slot, to);
	account(s, c, to, 1);
}

static void put_in_place(struct slots *s, __u32 to, const struct slot *old)
{
	*slots__at(s, to) = *old;
	if (old->list == SLOTS_HELD)
		return;
	slots__at(s, old->newer)->older = to;
	slots__at(s, old->older)->newer = to;
}

void slots__replace(struct slots *s, __u32 from, __u32 to)
{
	const struct slot *old = slots__at(s, from);

	slots__move(s, to, SLOTS_HELD);
	account(s, &s->chunk[slots__chunk_of(to)], SLOTS_HELD, -1);
	account(s, &s->chunk[slots__chunk_of(from)], old->list, -1);
	account(s, &s->chunk[slots__chunk_of(to)], old->list, 1);
	put_in_place(s, to, old);
}

/* --- all at once --- */

static void append_list(struct slots *s, enum slot_list from, enum slot_list to)
{
	struct slot *f = &s->head[from], *t = &s->head[to];

	if (!s->count[from])
		return;
	slots__at(s, f->newer)->older = t->older;
	slots__at(s, t->older)->newer = f->newer;
	slots__at(s, f->older)->newer = to;
	t->older = f->older;
	f->newer = f->older = from;
	s->count[to] += s->count[from];
	s->count[from] = 0;
}

void slots__drop_all(struct slots *s)
{
	append_list(s, SLOTS_FIRST, SLOTS_DROPPED);
	append_list(s, SLOTS_SECOND, SLOTS_DROPPED);
}

bool slots__correct(struct slots *s, __u32 n)
{
	for (; n && s->count[SLOTS_DROPPED]; n--) {
		__u32 slot = slots__oldest(s, SLOTS_DROPPED);

		slots__at(s, slot)->list = SLOTS_DROPPED;
		slots__move(s, slot, SLOTS_FREE);
	}
	return s->count[SLOTS_DROPPED];
}

__u32 slots__a_free_one(struct slots *s)
{
	if (!s->count[SLOTS_FREE])
		slots__correct(s, 1);
	return slots__newest(s, SLOTS_FREE);
}

/* --- chunks --- */

int slots__add_chunk(struct slots *s, void *base)
{
	__u32 number = s->chunks, first = SLOT_LISTS + number * ARENA_SLOTS;

	if (number == MAX_CHUNKS || reserve(s, number + 1))
		return -ENOMEM;
	if (number == s->room && change_room(s, number ? 2 * number : FIRST_ROOM))
		return -ENOMEM;
	s->chunk[number] = (struct slot_chunk){.base = base};
	s->chunks++;
	enter(s, number);
	for (__u32 i = first; i < first + ARENA_SLOTS; i++) {
		link_slot(s, i, SLOTS_FREE);
		s->count[SLOTS_FREE]++;
	}
	return 0;
}

struct slot_chunk *slots__spare_chunk(struct slots *s)
{
	struct slot_chunk *best = NULL;
	__u32 looks = 0;

	for (__u32 n = s->chunks; n-- && looks < SPARE_LOOKS;) {
		struct slot_chunk *c = &s->chunk[s->hand++ % s->chunks];

		if (c->held)
			continue;
		looks++;
		if (!best || c->cached < best->cached)
			best = c;
	}
	return best;
}

__u32 slots__close_chunk(struct slots *s, struct slot_chunk *c)
{
	__u32 first = SLOT_LISTS + (c - s->chunk) * ARENA_SLOTS;

	for (__u32 i = first; i < first + ARENA_SLOTS; i++) {
		struct slot *n = slots__at(s, i);

		if (n->list != SLOTS_FREE)
			continue;
		unlink_slot(s, n);
		n->list = SLOTS_HELD;
		s->count[SLOTS_FREE]--;
	}
	return first;
}

/* The last chunk's records to those of another. */
static void renumber(struct slots *s, __u32 number)
{
	__u32 from = SLOT_LISTS + s->chunks * ARENA_SLOTS;
	__u32 to = SLOT_LISTS + number * ARENA_SLOTS;

	for (__u32 i = 0; i < ARENA_SLOTS; i++)
		put_in_place(s, to + i, slots__at(s, from + i));
	s->chunk[number] = s->chunk[s->chunks];
}

void *slots__remove_chunk(struct slots *s, struct slot_chunk *c, __u32 *first)
{
	__u32 number = c - s->chunk;
	void *base = c->base;

	s->chunks--;
	*first = number < s->chunks ? SLOT_LISTS + number * ARENA_SLOTS : 0;
	if (*first)
		renumber(s, number);
	if (s->room > FIRST_ROOM && s->chunks <= s->room / 4)
		change_room(s, s->room / 2);
	enter_all(s);
	region__shrink(&s->region, s->memory,
		       (size_t)s->chunks * ARENA_SLOTS * sizeof(struct slot));
	s->slot = s->region.base;
	return base;
}

size_t slots__bytes(const struct slots *s)
{
	return s->region.bytes + s->room * (sizeof(*s->chunk) + 2 * sizeof(*s->by_address));
}
