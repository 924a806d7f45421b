// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>

#include "page_numbers.h"

#define FIRST_SLOTS 1024
/* No page number is one of the last few: those have other meanings. */
#define MAX_PAGES 0xfffffff0ULL

static void put(struct page_numbers *t, struct page_number p)
{
	__u64 i = page_numbers__home(t, p.hash);

	while (t->slot[i].number)
		i = (i + 1) & t->mask;
	t->slot[i] = p;
}

static int resize(struct page_numbers *t, __u64 slots)
{
	struct page_numbers new = {.mask = slots - 1, .pages = t->pages};

	new.slot = calloc(slots, sizeof(*new.slot));
	if (!new.slot)
		return -ENOMEM;
	for (__u64 i = 0; t->slot && i <= t->mask; i++)
		if (t->slot[i].number)
			put(&new, t->slot[i]);
	free(t->slot);
	*t = new;
	return 0;
}

int page_numbers__reserve(struct page_numbers *t, __u32 n)
{
	__u64 want = (__u64)t->pages + n, slots = t->slot ? t->mask + 1 : FIRST_SLOTS;

	if (want > MAX_PAGES)
		return -ENOMEM;
	while (want > slots / 3 * 2)
		slots *= 2;
	return t->slot && slots == t->mask + 1 ? 0 : resize(t, slots);
}

void page_numbers__free(struct page_numbers *t)
{
	free(t->slot);
	*t = (struct page_numbers){0};
}
