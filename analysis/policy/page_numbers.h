/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages numbered from 0 in the order of their first reference: open addressing with linear
 * probing by the page's hash, which tells pages apart. Nothing is ever taken out.
 */
#ifndef ANALYSIS_POLICY_PAGE_NUMBERS_H
#define ANALYSIS_POLICY_PAGE_NUMBERS_H

#include <stddef.h>
#include <linux/types.h>

#include "../estimate.h"

struct page_number {
	__u64 hash;
	__u64 number; /* from 1; 0: empty */
};

/* Zero-initialised is empty, without room. */
struct page_numbers {
	struct page_number *slot;
	__u64 mask; /* slots - 1 */
	__u32 pages;
};

/* Make room for n more pages. -ENOMEM: it is as it was. */
int page_numbers__reserve(struct page_numbers *t, __u32 n);
void page_numbers__free(struct page_numbers *t);

/* The hash's high bits are small when sampled, the low ones are the group. */
static inline __u64 page_numbers__home(const struct page_numbers *t, __u64 hash)
{
	return hash / ESTIMATE_GROUPS & t->mask;
}

/* See page_table__prefetch(). */
static inline __attribute__((always_inline)) void
page_numbers__prefetch(const struct page_numbers *t, __u64 hash)
{
	__builtin_prefetch(&t->slot[page_numbers__home(t, hash)], 1);
}

/* The page's number; a new page, for which there is room, gets the next. */
static inline __u32 page_numbers__get(struct page_numbers *t, __u64 hash)
{
	__u64 i = page_numbers__home(t, hash);

	while (t->slot[i].number && t->slot[i].hash != hash)
		i = (i + 1) & t->mask;
	if (!t->slot[i].number)
		t->slot[i] = (struct page_number){.hash = hash, .number = ++t->pages};
	return t->slot[i].number - 1;
}

#endif
