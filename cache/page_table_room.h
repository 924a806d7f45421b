/* SPDX-License-Identifier: GPL-2.0 */
/* How large page tables are, and what is in cells that hold no page. Internal to them. */
#ifndef HVTRACE_PAGE_TABLE_ROOM_H
#define HVTRACE_PAGE_TABLE_ROOM_H

#include "page_table.h"

#define PAGE_TABLE_FIRST_HOMES 192
/* Cells for those displaced from the last homes; one displaced further makes it grow. */
#define PAGE_TABLE_TAIL 124
#define PAGE_TABLE_MAX_HOMES 0xfffff000ULL

/* Pages for so many homes. */
static inline __u32 page_table__full(__u32 homes)
{
	return homes / 5 * 4;
}

static inline void page_table__wipe(struct page_table *t, __u32 from, __u32 to)
{
	for (; from < to; from++)
		t->cells[from] = (struct page_cell){.key = PAGE_CELL_EMPTY};
}

#endif
