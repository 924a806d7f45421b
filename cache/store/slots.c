// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slots.h"

/* Slot numbers have 30 bits: see exclusive_cache.c. */
#define MAX_CHUNKS (((1U << 30) - SLOT_LISTS) / ARENA_SLOTS)
#define FIRST_ROOM 8
/* Chunks looked at to find one with few pages in it. */
#define SPARE_LOOKS 16

static int reserve(struct slots *s, __u32 chunks)
{
	size_t slots = SLOT_LISTS + (size_t)chunks * ARENA_SLOTS;
	int err = region__grow(&s->region, s->memory, slots * sizeof(struct slot));

	s->slot = s->region.base; /* may have moved, even if it did not grow enough */
	return err;
}

int slots__init(struct slots *s, struct memory *m)
{
	int err;

	*s = (struct slots){.memory = m};
	err = reserve(s, 0);
	for (__u32 i = 0; !err && i < SLOT_LISTS; i++)
		s->slot[i] = (struct slot){.list = i, .newer = i, .older = i};
	return err;
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
	for (__u32 i = 0; i < s->numbers; i++)
		if (s->chunk[i].base)
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

static int more_room(struct slots *s)
{
	__u32 room = s->room ? 2 * s->room : FIRST_ROOM;
	struct slot_chunk *chunk = reallocarray(s->chunk, room, sizeof(*chunk));
	__u32 *by_address;

	if (!chunk)
		return -ENOMEM;
	s->chunk = chunk;
	by_address = reallocarray(s->by_address, 2 * room, sizeof(*by_address));
	if (!by_address)
		return -ENOMEM;
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
	s->slot[n->newer].older = n->older;
	s->slot[n->older].newer = n->newer;
}

static void link_slot(struct slots *s, __u32 slot, enum slot_list list)
{
	struct slot *n = &s->slot[slot];
	__u32 next = s->slot[list].older;

	n->list = list;
	if (list == SLOTS_HELD)
		return;
	n->newer = list;
	n->older = next;
	s->slot[next].newer = slot;
	s->slot[list].older = slot;
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
	struct slot *n = &s->slot[slot];

	account(s, c, n->list, -1);
	unlink_slot(s, n);
	link_slot(s, slot, to);
	account(s, c, to, 1);
}

void slots__replace(struct slots *s, __u32 from, __u32 to)
{
	const struct slot *old = &s->slot[from];

	slots__move(s, to, SLOTS_HELD);
	account(s, &s->chunk[slots__chunk_of(to)], SLOTS_HELD, -1);
	account(s, &s->chunk[slots__chunk_of(from)], old->list, -1);
	account(s, &s->chunk[slots__chunk_of(to)], old->list, 1);
	s->slot[to] = *old;
	s->slot[old->newer].older = to;
	s->slot[old->older].newer = to;
}

/* --- chunks --- */

static __u32 unused_number(const struct slots *s)
{
	__u32 i = 0;

	if (s->chunks == s->numbers)
		return s->numbers;
	while (s->chunk[i].base)
		i++;
	return i;
}

int slots__add_chunk(struct slots *s, void *base)
{
	__u32 number = unused_number(s), first = SLOT_LISTS + number * ARENA_SLOTS;

	if (number == MAX_CHUNKS || reserve(s, number + 1))
		return -ENOMEM;
	if (number == s->room && more_room(s))
		return -ENOMEM;
	s->chunk[number] = (struct slot_chunk){.base = base};
	if (number == s->numbers)
		s->numbers++;
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

	for (__u32 n = s->numbers; n-- && looks < SPARE_LOOKS;) {
		struct slot_chunk *c = &s->chunk[s->hand++ % s->numbers];

		if (!c->base || c->held)
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
		if (s->slot[i].list != SLOTS_FREE)
			continue;
		unlink_slot(s, &s->slot[i]);
		s->slot[i].list = SLOTS_HELD;
		s->count[SLOTS_FREE]--;
	}
	return first;
}

void *slots__remove_chunk(struct slots *s, struct slot_chunk *c)
{
	void *base = c->base;

	c->base = NULL;
	s->chunks--;
	while (s->numbers && !s->chunk[s->numbers - 1].base)
		s->numbers--;
	enter_all(s);
	return base;
}

size_t slots__bytes(const struct slots *s)
{
	return s->region.bytes + s->room * (sizeof(*s->chunk) + 2 * sizeof(*s->by_address));
}
