// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "page_table.h"
#include "page_table_room.h"

/* Below so many, homes grow by a half; from there on by a quarter, as memory counts. */
#define SMALL (1U << 20)

static __u32 index_of_home(const struct page_table *t, __u64 key)
{
	return page_table__home(t, key) - t->cells;
}

/*
 * Put the pages of the cells from..room-1, the only ones there are, where they belong. They are in
 * order and none belongs further back than it is, so one pass does.
 */
static void settle(struct page_table *t, __u32 from, bool (*fn)(void *, struct page_cell *),
		   void *ctx)
{
	__u32 to = 0, pages = 0;

	for (; from < t->room; from++) {
		struct page_cell c = t->cells[from];
		__u32 home;

		if (!c.pos || (fn && fn(ctx, &c)))
			continue;
		home = index_of_home(t, c.key);
		if (home > to) {
			page_table__wipe(t, to, home);
			to = home;
		}
		t->cells[to++] = c;
		pages++;
	}
	page_table__wipe(t, to, t->room);
	t->pages = pages;
}

/* All pages to the last cells, in order; where they begin. */
static __u32 gather(struct page_table *t, __u32 old_room)
{
	__u32 to = t->room;

	while (old_room--)
		if (t->cells[old_room].pos)
			t->cells[--to] = t->cells[old_room];
	return to;
}

static int resize(struct page_table *t, struct memory *m, __u32 homes)
{
	__u32 old_room = t->room, room = homes + PAGE_TABLE_TAIL;
	int err = region__grow(&t->region, m, (room + PAGE_PROBES) * sizeof(*t->cells));

	t->cells = t->region.base; /* may have moved, even if it did not grow enough */
	if (err)
		return err;
	t->homes = homes;
	t->full = page_table__full(homes);
	t->room = room;
	settle(t, gather(t, old_room), NULL, NULL);
	page_table__wipe(t, room, room + PAGE_PROBES);
	return 0;
}

int page_table__init(struct page_table *t, struct memory *m)
{
	*t = (struct page_table){0};
	if (getrandom(&t->secret, sizeof(t->secret), GRND_NONBLOCK) != sizeof(t->secret))
		t->secret = pe_hash((__u64)(unsigned long)t, 1);
	return resize(t, m, PAGE_TABLE_FIRST_HOMES);
}

void page_table__free(struct page_table *t, struct memory *m)
{
	region__free(&t->region, m);
	*t = (struct page_table){0};
}

int page_table__reserve(struct page_table *t, struct memory *m, __u32 n)
{
	while (n > t->full || t->pages > t->full - n) {
		__u64 homes = t->homes + (t->homes < SMALL ? t->homes / 2 : t->homes / 4);

		if (homes > PAGE_TABLE_MAX_HOMES)
			return -ENOMEM;
		if (resize(t, m, homes))
			return -ENOMEM;
	}
	return 0;
}

/* Cells that are not cleared yet: see page_table_step.c. */
static bool in_hole(const struct page_table *t, const struct page_cell *c)
{
	__u32 i = c - t->cells;

	return t->hole <= i && i < t->hole_end;
}

struct page_cell *page_table__insert(struct page_table *t, struct page_cell *at, __u64 key)
{
	struct page_cell *end = at;

	while (end->pos)
		end++;
	if (end == t->cells + t->room || in_hole(t, end))
		return NULL;
	for (; end > at; end--)
		*end = end[-1];
	*at = (struct page_cell){.key = key};
	t->pages++;
	return at;
}

void page_table__erase(struct page_table *t, struct page_cell *c)
{
	while (c[1].pos && page_table__home(t, c[1].key) != c + 1) {
		c[0] = c[1];
		c++;
	}
	*c = (struct page_cell){.key = PAGE_CELL_EMPTY};
	t->pages--;
}

void page_table__sweep(struct page_table *t, bool (*fn)(void *ctx, struct page_cell *c), void *ctx)
{
	settle(t, 0, fn, ctx);
	if (t->hole)
		page_table__wipe(t, t->room, t->room + PAGE_PROBES);
	t->hole = t->hole_end = 0;
}
