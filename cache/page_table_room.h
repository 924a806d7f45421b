/* SPDX-License-Identifier: GPL-2.0 */
/* How large page tables are. Internal to them. */
#ifndef HVTRACE_PAGE_TABLE_ROOM_H
#define HVTRACE_PAGE_TABLE_ROOM_H

#define PAGE_TABLE_FIRST_HOMES 192
/* Cells for those displaced from the last homes; one displaced further makes it grow. */
#define PAGE_TABLE_TAIL 124
#define PAGE_TABLE_MAX_HOMES 0xfffff000ULL

#endif
