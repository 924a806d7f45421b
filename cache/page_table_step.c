// SPDX-License-Identifier: GPL-2.0
/*
 * A page table that grows and shrinks in steps, in place: pages with keys below the boundary are
 * where few homes put them, those from it on where many do, and a step moves the boundary by some
 * homes. The order of the keys is the order of the cells all the time, and no page is in front of
 * its home, which is all that searches, insertions and removals need.
 *
 *	grows: the boundary comes down     | few homes      | ->     free     | many homes    |
 *	shrinks: it goes up                | few homes  |        free     <- | many homes    |
 */
#include <errno.h>

#include "page_table.h"
#include "page_table_room.h"

/* Homes of a step: a step for each page that comes in is done long before the next is due. */
#define STEP 64

/* The smallest key at home there, or behind. */
static __u64 key_of_home(__u32 homes, __u32 home)
{
	return (((unsigned __int128)home << 64) + homes - 1) / homes;
}

static struct page_cell *home_of(const struct page_table *t, __u32 homes, __u64 key)
{
	return t->cells + ((unsigned __int128)key * homes >> 64);
}

/* The first cell from there on with a key that is not smaller; free ones have the largest. */
static struct page_cell *seek(const struct page_table *t, __u32 homes, __u64 key)
{
	struct page_cell *c = home_of(t, homes, key);

	while (c->key < key)
		c++;
	return c;
}

/* --- growing --- */

/* New cells are cleared from the last one down, ahead of the pages that come to them. */
static void clear_from(struct page_table *t, __u32 home)
{
	__u32 from = t->hole + PAGE_PROBES;

	if (!t->hole)
		return;
	if (from < home)
		from = home;
	page_table__wipe(t, from, t->hole_end);
	t->hole_end = from;
	if (from == t->hole + PAGE_PROBES)
		t->hole = t->hole_end = 0;
}

/* All that are between it and its new home have larger keys. */
static void carry_up(struct page_table *t, struct page_cell *c)
{
	struct page_cell cell = *c, *to = home_of(t, t->homes, cell.key), *end = to;

	if (to <= c)
		return;
	*c = (struct page_cell){.key = PAGE_CELL_EMPTY};
	while (end->pos)
		end++;
	if (end == t->cells + t->room) {
		/* More than there ever are wanted the last homes. */
		t->pages--;
		t->lost(t->lost_ctx, &cell);
		return;
	}
	for (; end > to; end--)
		*end = end[-1];
	*to = cell;
}

/* end: behind the last page that is to move. */
static void grow_step(struct page_table *t, struct page_cell *end)
{
	__u32 home = t->at > STEP ? t->at - STEP : 0;
	__u64 key = key_of_home(t->few_homes, home);
	struct page_cell *first = seek(t, t->few_homes, key);

	clear_from(t, home_of(t, t->homes, key) - t->cells);
	while (end > first)
		if ((--end)->pos)
			carry_up(t, end);
	t->at = home;
	t->boundary = key;
	if (!home)
		t->few_homes = 0;
}

static int begin_growth(struct page_table *t, struct memory *m, __u64 homes)
{
	__u32 old_room = t->room, room = homes + PAGE_TABLE_TAIL;
	int err = homes > PAGE_TABLE_MAX_HOMES ? -ENOMEM : 0;

	if (!err)
		err = region__grow(&t->region, m, (room + PAGE_PROBES) * sizeof(*t->cells));
	t->cells = t->region.base ?: t->cells;
	if (err)
		return err;
	t->few_homes = t->at = t->homes;
	t->homes = homes;
	t->full = page_table__full(homes);
	t->room = room;
	t->hole = old_room;
	t->hole_end = room + PAGE_PROBES;
	grow_step(t, t->cells + old_room);
	return 0;
}

/* --- shrinking --- */

static void carry_down(struct page_table *t, struct page_cell *c)
{
	struct page_cell cell = *c, *to = seek(t, t->few_homes, cell.key);

	*to = cell;
	page_table__erase(t, c);
	t->pages++;
}

/* So many of them want the last homes that there is no room behind: back. */
static void turn_round(struct page_table *t)
{
	struct page_cell *end = t->cells + t->few_homes + PAGE_TABLE_TAIL;

	while (end->pos)
		end++;
	t->shrinking = false;
	t->full = page_table__full(t->homes);
	t->at = t->few_homes;
	grow_step(t, end);
}

static void end_shrinking(struct page_table *t, struct memory *m)
{
	__u32 room = t->few_homes + PAGE_TABLE_TAIL;

	if (t->cells[room].pos) {
		turn_round(t);
		return;
	}
	t->homes = t->few_homes;
	t->few_homes = 0;
	t->boundary = 0;
	t->shrinking = false;
	t->room = room;
	region__shrink(&t->region, m, (room + PAGE_PROBES) * sizeof(*t->cells));
	t->cells = t->region.base;
}

static void shrink_step(struct page_table *t, struct memory *m)
{
	bool last = t->homes - t->at <= STEP;
	__u32 home = last ? t->homes : t->at + STEP;
	__u64 key = last ? 0 : key_of_home(t->homes, home);
	struct page_cell *end = t->cells + (last ? t->room : home);
	struct page_cell *c = seek(t, t->homes, t->boundary);

	while (c < end || (!last && c->pos && c->key < key)) {
		if (c->pos && seek(t, t->few_homes, c->key) < c)
			carry_down(t, c);
		else
			c++;
	}
	t->at = home;
	t->boundary = key;
	if (last)
		end_shrinking(t, m);
}

void page_table__begin_shrink(struct page_table *t)
{
	__u32 homes = t->pages + t->pages / 2;

	if (page_table__moving(t))
		return;
	if (homes < PAGE_TABLE_FIRST_HOMES)
		homes = PAGE_TABLE_FIRST_HOMES;
	if (homes >= t->homes)
		return;
	t->few_homes = homes;
	t->full = page_table__full(homes);
	t->at = 0;
	t->boundary = 0;
	t->shrinking = true;
}

/* --- both --- */

void page_table__step(struct page_table *t, struct memory *m)
{
	if (!page_table__moving(t))
		return;
	if (t->shrinking)
		shrink_step(t, m);
	else
		grow_step(t, seek(t, t->few_homes, t->boundary));
}

int page_table__make_room(struct page_table *t, struct memory *m)
{
	page_table__step(t, m);
	if (t->pages < t->full)
		return 0;
	while (page_table__moving(t))
		page_table__step(t, m);
	return t->pages < t->full ? 0 : begin_growth(t, m, t->homes + t->homes / 4);
}

/* Much too large for what is in it. */
bool page_table__loose(const struct page_table *t)
{
	return t->pages < t->homes / 20 * 11 && t->homes > PAGE_TABLE_FIRST_HOMES;
}

void page_table__clear(struct page_table *t, struct memory *m)
{
	t->pages = 0;
	t->homes = PAGE_TABLE_FIRST_HOMES;
	t->full = page_table__full(t->homes);
	t->room = t->homes + PAGE_TABLE_TAIL;
	t->few_homes = t->hole = t->hole_end = 0;
	t->boundary = 0;
	t->shrinking = false;
	region__shrink(&t->region, m, (t->room + PAGE_PROBES) * sizeof(*t->cells));
	t->cells = t->region.base;
	page_table__wipe(t, 0, t->room + PAGE_PROBES);
}
