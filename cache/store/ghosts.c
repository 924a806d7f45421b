// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "../../bpf/page_event.h"
#include "ghosts.h"

#define NONE (~0ULL)
#define ENTRY_BYTES (sizeof(struct ghost) + sizeof(__u32))
#define MAX_GHOSTS (1U << 31)
/* A head that is zero points out of reach. */
#define FIRST_TIME ((1ULL << 32) + 1)

static __u64 page_of(const struct ghost *e)
{
	return (__u64)e->page_high << 32 | e->page_low;
}

static struct ghost *at(const struct ghosts *g, __u64 time)
{
	return &g->ring[time % g->room];
}

static __u32 *head_of(const struct ghosts *g, __u64 page)
{
	__u64 hash = pe_hash(page ^ g->secret, 0);

	return &g->head[(unsigned __int128)hash * g->room >> 64];
}

static __u32 reach(const struct ghosts *g)
{
	return g->now - FIRST_TIME < g->max ? g->now - FIRST_TIME : g->max;
}

void ghosts__init(struct ghosts *g, struct memory *m)
{
	*g = (struct ghosts){.memory = m, .now = FIRST_TIME};
	if (getrandom(&g->secret, sizeof(g->secret), GRND_NONBLOCK) != sizeof(g->secret))
		g->secret = pe_hash((__u64)(unsigned long)g, 1);
}

void ghosts__free(struct ghosts *g)
{
	region__free(&g->region, g->memory);
}

/* --- entries --- */

/* The page's entry. Entries of a chain are ever older: what is not has been overwritten. */
static struct ghost *find(const struct ghosts *g, __u64 page)
{
	__u32 age = 0, next;

	if (!g->max)
		return NULL;
	for (next = *head_of(g, page);;) {
		__u32 older = (__u32)g->now - next;
		struct ghost *e;

		if (older <= age || older > reach(g))
			return NULL;
		age = older;
		e = at(g, g->now - age);
		if (page_of(e) == page)
			return e;
		next = e->next;
	}
}

static void take_out(struct ghosts *g, struct ghost *e)
{
	if (page_of(e) == NONE)
		return;
	e->page_low = e->page_high = ~0U;
	g->live--;
}

bool ghosts__has(const struct ghosts *g, __u64 page)
{
	return find(g, page);
}

bool ghosts__remove(struct ghosts *g, __u64 page)
{
	struct ghost *e = find(g, page);

	if (e)
		take_out(g, e);
	return e;
}

/* The oldest is taken out already. */
static void append(struct ghosts *g, __u64 page)
{
	__u32 *head = head_of(g, page);

	*at(g, g->now) = (struct ghost){.page_low = page, .page_high = page >> 32, .next = *head};
	*head = g->now++;
	g->live += page != NONE;
}

void ghosts__add(struct ghosts *g, __u64 page)
{
	if (!g->max)
		return;
	if (reach(g) == g->max)
		take_out(g, at(g, g->now - g->max));
	append(g, page);
}

void ghosts__remove_range(struct ghosts *g, __u64 page, __u64 count)
{
	for (__u32 age = reach(g); age; age--) {
		struct ghost *e = at(g, g->now - age);

		if (page_of(e) - page < count)
			take_out(g, e);
	}
}

void ghosts__prefetch(const struct ghosts *g, __u64 page)
{
	if (g->max)
		__builtin_prefetch(head_of(g, page), 1);
}

/* --- size --- */

/* Another ring, with what this one remembers in the same order. */
static int rebuild(struct ghosts *g, __u64 room)
{
	struct ghosts new = {.memory = g->memory, .secret = g->secret, .now = FIRST_TIME};
	int err = region__grow(&new.region, g->memory, room * ENTRY_BYTES);

	if (err) {
		region__free(&new.region, g->memory);
		return err;
	}
	new.room = new.max = room;
	new.ring = new.region.base;
	new.head = (__u32 *)(new.ring + room);
	for (__u32 age = reach(g); age; age--)
		append(&new, page_of(at(g, g->now - age)));
	region__free(&g->region, g->memory);
	*g = new;
	return 0;
}

/* Those that are longer ago. */
static void forget(struct ghosts *g, __u32 max)
{
	for (__u32 age = reach(g); age > max; age--)
		take_out(g, at(g, g->now - age));
	g->max = max;
}

void ghosts__resize(struct ghosts *g, __u64 max)
{
	__u64 more = g->room + g->room / 4ULL;

	if (max > MAX_GHOSTS)
		max = MAX_GHOSTS;
	if (max > g->room && rebuild(g, max > more ? max : more) && rebuild(g, max))
		max = g->room;
	forget(g, max);
}
